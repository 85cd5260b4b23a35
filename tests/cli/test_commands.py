"""``search``, ``delete``, ``stats``, and how mistakes are answered."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

import lfm2_colbert_rag
from lfm2_colbert_rag import Retriever, describe_fields
from lfm2_colbert_rag.cli.app import app

from .conftest import Run


@pytest.fixture
def index(run: Run, docs: Path) -> str:
    assert run("index", docs, "--into", "an.index", "--model", "hash").code == 0
    return "an.index"


def test_search_shows_the_matched_words(run: Run, index: str) -> None:
    outcome = run("search", index, "where is the reset key", "-k", 2)
    assert outcome.code == 0
    assert "relevance" in outcome.out
    assert "reset  product=router  year=2024" in outcome.out
    assert "Hold *the* *reset* *key*." in outcome.out
    assert " 3  " not in outcome.out


def test_search_as_json(run: Run, index: str) -> None:
    question = "Wann fährt der Zug?"
    lines = run("search", index, question, "-k", 3, "--json").out.splitlines()
    hits = [json.loads(line) for line in lines]
    assert len(hits) == 3
    assert list(hits[0]) == [
        "id",
        "score",
        "relevance",
        "text",
        "metadata",
        "window",
        "legs",
        "evidence",
    ]
    assert hits[0]["id"] == "docs/more/note.txt"
    train = next(match for match in hits[0]["evidence"] if match["words"][0] == "Zug")
    assert train["words"] == ["Zug", "Zug"]
    assert hits[0]["text"][slice(*train["passage"])] == "Zug"
    assert question[slice(*train["query"])] == "Zug"
    assert train["strength"] == pytest.approx(1, abs=0.01)


def test_search_with_a_filter(run: Run, index: str) -> None:
    where = '{"year": {"$lt": 2024}}'
    lines = run("search", index, "reset", "--where", where, "--json").out.splitlines()
    (hit,) = map(json.loads, lines)
    assert hit["text"] == "Mantenga pulsado el botón."


def test_search_without_a_result_says_why(run: Run, index: str) -> None:
    outcome = run("search", index, "reset", "--where", '{"year": 1900}')
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == (
        "No passage matches the filter: 'year' holds numbers, such as 2024 and 2022.\n"
    )
    run("delete", index, "--all")
    assert run("search", index, "reset").err == "The index is empty.\n"


def test_control_characters_do_not_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    rows = [{"id": "a\x1b[2J", "text": "red \x1b[31m [bold]alert[/bold]", "k": "\x07"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    run("index", "a.jsonl", "--into", "i", "--model", "hash")
    out = run("search", "i", "green").out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[bold]" in out.replace("*", "")  # which set off words


def test_delete_by_id_and_by_filter(run: Run, index: str) -> None:
    outcome = run("delete", index, "--id", "reset", "--id", "tea", "--id", "unknown")
    assert outcome.out == "Deleted 2 passages; an.index holds 4.\n"
    outcome = run("delete", index, "--where", '{"product": "router"}')
    assert outcome.out == "Deleted 1 passage; an.index holds 3.\n"


@pytest.mark.parametrize("options", [(), ("--id", "a", "--where", "{}")])
def test_delete_takes_ids_or_a_filter(run: Run, index: str, options: tuple[str, ...]) -> None:
    outcome = run("delete", index, *options)
    assert outcome.code == 2
    assert "with one of --id, --where and --all" in outcome.err
    with Retriever.open(index) as retriever:
        assert len(retriever) == 6


def test_stats(run: Run, index: str) -> None:
    values = json.loads(run("stats", index, "--json").out)
    with Retriever.open(index) as retriever:
        fields = json.loads(json.dumps([asdict(one) for one in describe_fields(retriever)]))
        assert values == retriever.stats().to_dict() | {"fields": fields}
        assert {one["name"] for one in fields} == {"source", "lang", "product", "year"}
    table = run("stats", index).out
    assert "passages          6" in table
    assert "bytes per vector" in table


USAGE_ERRORS = {
    "unknown command": (("serch",), "No such command 'serch'"),
    "unknown option": (("stats", "i", "--jsn"), "See 'lfm2-colbert stats --help'."),
    "nothing asked": (("search", "an.index"), "Missing argument"),
    "k below 1": (("search", "an.index", "q", "-k", "0"), "Invalid value for '-k'"),
    "where is no JSON": (("search", "an.index", "q", "--where", "{year"), "--where is not JSON"),
    "where is a list": (("search", "an.index", "q", "--where", "[1]"), "must be a JSON object"),
    "where is deep": (("delete", "an.index", "--where", "[" * 100_000), "--where is not JSON"),
    "no target": (("index", "."), "Missing option '--into'"),
}


@pytest.mark.parametrize("name", USAGE_ERRORS)
def test_a_usage_error_is_one_line(run: Run, name: str) -> None:
    args, message = USAGE_ERRORS[name]
    outcome = run(*args)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


LIBRARY_ERRORS = {
    "no index": (("search", "nowhere", "q"), "nowhere holds no index"),
    "no index to delete from": (("delete", "nowhere", "--id", "a"), "holds no index"),
    "no index to count": (("stats", "nowhere"), "nowhere holds no index"),
    "blank question": (("search", "an.index", "  "), "is empty; ask with at least one word"),
    "filter": (("search", "an.index", "q", "--where", '{"a": {"$near": 1}}'), "$near"),
    "model": (("index", "docs", "--into", "i", "--model", "./no/model"), "no/model"),
}


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("name", LIBRARY_ERRORS)
def test_a_library_error_is_one_line(run: Run, name: str) -> None:
    args, message = LIBRARY_ERRORS[name]
    outcome = run(*args)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert not Path("nowhere").exists()


def test_ctrl_c(run: Run, index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Retriever, "search", interrupt)
    outcome = run("search", index, "q")
    assert (outcome.code, outcome.err.strip()) == (130, "error: interrupted")


def test_errors_of_the_system_are_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "an.index")

    monkeypatch.setattr(Retriever, "open", refuse)
    outcome = run("stats", "an.index")
    assert (outcome.code, outcome.err) == (1, "error: an.index: Permission denied\n")


def test_version_and_help(run: Run) -> None:
    assert run("--version").out == f"lfm2-colbert {lfm2_colbert_rag.__version__}\n"
    assert run().code in (0, 2)  # typer changed its mind
    overview = run("--help").out
    for command in (
        "index",
        "search",
        "delete",
        "stats",
        "optimize",
        "verify",
        "backup",
        "restore",
        "export",
        "import",
        "export-model",
        "warm",
        "evaluate",
        "demo",
    ):
        assert command in overview
        outcome = run(command, "--help")
        assert outcome.code == 0
        assert f"lfm2-colbert {command}" in outcome.out


def test_every_command_that_a_message_names_is_one() -> None:
    commands = {one.name for one in (*app.registered_commands, *app.registered_groups)}
    named = set()
    for path in Path(lfm2_colbert_rag.__file__).parent.rglob("*.py"):
        # Where a literal goes on in the next line, so does the command.
        text = re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
        for name in re.findall(r"lfm2-colbert\s+([a-z][a-z_-]*)", text):
            named.add((name, path.name))
    assert len(named) >= len(commands)
    assert {(name, file) for name, file in named if name not in commands} == set()


def _start(*args: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    root = Path(lfm2_colbert_rag.__file__).parents[1]
    return subprocess.run(
        [sys.executable, *args],
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"},
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.subprocess
def test_a_closed_pipe_is_quiet(run: Run, index: str) -> None:
    readable, writable = os.pipe()
    os.close(readable)
    outcome = _start("-m", "lfm2_colbert_rag.cli", "search", index, "key", stdout=writable)
    os.close(writable)
    assert (outcome.returncode, outcome.stderr) == (1, "")


@pytest.mark.subprocess
def test_starting_loads_nothing_heavy() -> None:
    code = (
        "import sys; from lfm2_colbert_rag.cli import main; main(['--version']); "
        "print(*{'numpy', 'torch', 'onnxruntime', 'tokenizers'} & set(sys.modules))"
    )
    outcome = _start("-c", code)
    assert outcome.stdout.splitlines()[1] == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
@pytest.mark.subprocess
@pytest.mark.parametrize("where", ["/dev/full", "&-"])
def test_an_output_that_takes_nothing(index: str, where: str) -> None:
    command = f"{sys.executable} -m lfm2_colbert_rag.cli stats --json {index} >{where}"
    process = subprocess.run(command, shell=True, capture_output=True, text=True)
    lines = process.stderr.splitlines()
    assert not any("Traceback" in line or "Exception ignored" in line for line in lines)
    if where == "/dev/full":
        assert process.returncode == 1
        assert lines == ["error: [Errno 28] No space left on device"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "there was not enough memory; free some, or do less at once."),
        (RecursionError("x"), "what was given is nested too deeply to be read."),
        (OSError(5, "Input/output error"), "[Errno 5] Input/output error"),
        (OSError("several\nlines"), "several lines"),
    ],
)
def test_what_nobody_foresaw_is_one_line(
    run: Run, index: str, monkeypatch: pytest.MonkeyPatch, error: BaseException, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("lfm2_colbert_rag.Retriever.stats", fail)
    outcome = run("stats", index)
    assert (outcome.code, outcome.err) == (1, f"error: {said}\n")
