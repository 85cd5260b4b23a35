"""Pictures of the page in twelve languages and both themes, to be looked at.

``LFM2_COLBERT_PICTURES`` names the folder that they are written to.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..server.running import running
from .browsing import require_browser

require_browser()

FOLDER = os.environ.get("LFM2_COLBERT_PICTURES", "")

pytestmark = pytest.mark.skipif(not FOLDER, reason="LFM2_COLBERT_PICTURES names no folder")

LANGUAGES = ["ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pt", "ru", "zh"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run a server on the index of the demo, with the model that comes with the package."""
    place = tmp_path_factory.mktemp("demo")
    into = str(place / "indexes" / "demo")
    command = [sys.executable, "-m", "lfm2_colbert_rag.cli", "demo", "--into", into]
    subprocess.run([*command, "--model", "nano"], check=True, capture_output=True)
    with running(place, "--model", "nano") as started:
        yield started


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_picture_of_each_language(playground, demo, language, theme):
    page = playground(demo, color_scheme=theme, viewport={"width": 1360, "height": 900})
    page.connect().choose("demo")
    with page.page.expect_response(lambda one: one.url.endswith("/search")):
        page.page.click(f".chip[lang={language}]")
    page.page.wait_for_selector(".hit")
    assert page.page.locator(".hit").count() == 10
    strength = "all => all.reduce((a, b) => (+a.dataset.strength < +b.dataset.strength ? b : a))"
    page.page.locator(".word").evaluate_all(f"all => ({strength})(all).classList.add('strongest')")
    page.page.hover(".strongest")
    page.page.wait_for_timeout(200)
    assert page.lit()
    place = Path(FOLDER)
    place.mkdir(parents=True, exist_ok=True)
    page.page.screenshot(path=str(place / f"{language}-{theme}.png"))
