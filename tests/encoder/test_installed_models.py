"""Models that other distributions bring, found by name; the bundled names come first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lfm2_colbert_rag.encoder import hub, installed_models, load_encoder, read_fingerprint
from lfm2_colbert_rag.errors import ModelNotFoundError

from .checkpoints import write_checkpoint

pytestmark = pytest.mark.long


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs a distribution whose model ``gift`` is what a line of Python says."""

    def install(line: str, name: str = "gift") -> Path:
        place = tmp_path / "site"
        info = place / "gift_model-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gift-model\nVersion: 1.0\n")
        points = f"[lfm2_colbert_rag.models]\n{name} = {tmp_path.name}_gift:FOLDER\n"
        (info / "entry_points.txt").write_text(points)
        code = f"from pathlib import Path\n{line}\n"
        (place / f"{tmp_path.name}_gift.py").write_text(code, encoding="utf-8")
        monkeypatch.syspath_prepend(str(place))
        return place

    return install


def test_an_installed_model_is_known_by_its_name(install: Any, tmp_path: Path) -> None:
    install("FOLDER = Path(__file__).with_name('weights')")
    folder = write_checkpoint(tmp_path / "site" / "weights")
    encoder = load_encoder("gift")
    assert encoder.name == "gift"
    assert encoder.fingerprint == read_fingerprint(folder) == read_fingerprint("gift")


def test_a_folder_of_that_name_comes_first(
    install: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("FOLDER = Path(__file__).with_name('weights')")
    write_checkpoint(tmp_path / "site" / "weights")
    other = write_checkpoint(tmp_path / "gift", seed=1)
    monkeypatch.chdir(tmp_path)
    assert read_fingerprint("gift") == read_fingerprint(other)


def test_small_is_what_is_installed_whatever_folders_there_are(
    install: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("FOLDER = Path(__file__).with_name('weights')", "small")
    ours = write_checkpoint(tmp_path / "site" / "weights")
    write_checkpoint(tmp_path / "small", seed=1)
    monkeypatch.chdir(tmp_path)
    assert load_encoder("small").name == "small"
    assert read_fingerprint("small") == read_fingerprint(ours)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("FOLDER = Path('/nowhere/at/all')", "is not in this installation"),
        ("raise RuntimeError('broken')", "RuntimeError: broken"),
        ("", "AttributeError"),
        ("FOLDER = None", "TypeError"),
    ],
)
def test_a_broken_distribution_is_named(install: Any, line: str, message: str) -> None:
    install(line)
    with pytest.raises(ModelNotFoundError, match=message) as caught:
        load_encoder("gift")
    assert "'gift-model'" in str(caught.value)
    assert "again" in str(caught.value)


def test_small_that_is_not_installed_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed_models, "entry_points", lambda **_: ())
    with pytest.raises(ModelNotFoundError, match="pip install lfm2-colbert-small"):
        load_encoder("small")


def test_a_hub_id_is_not_looked_for_among_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed_models, "entry_points", None)
    monkeypatch.setattr(hub, "_download", lambda name, revision: Path(name))
    assert hub.resolve_model("org/model") == Path("org/model")
