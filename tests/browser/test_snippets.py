"""What is copied runs as it is, and gives what the page shows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from ..server.running import running
from .browsing import require_browser

require_browser()

TEXTS = {
    "key": "Hold the reset key of the router for ten seconds.",
    "library": "The library opens at nine and closes at six.",
    "odd": 'It\'s "odd" $HOME `id` \\ $(id) %s {} \u202e reset',
}
QUESTIONS = [
    "Where is the reset key?",
    "'; touch pwned; echo '$(touch pwned)`touch pwned`\" \\ reset",
    "reset\n\u202etxet \u2028 key 🗝️ 𠮷",
]
each = pytest.mark.parametrize("question", QUESTIONS, ids=["plain", "quotes", "unseen"])


@pytest.fixture(scope="module")
def filled(server):
    """Make an index with a field."""
    server.make("snippets")
    passages = [{"id": id, "text": text, "metadata": {"n": "it's"}} for id, text in TEXTS.items()]
    server.ask("PUT", "/v1/indexes/snippets/passages", {"passages": passages}).raise_for_status()
    return "snippets"


def copied(playground, index, question, name):
    """Ask, copy, and return what was copied and the ids of the hits."""
    page = playground(permissions=["clipboard-read", "clipboard-write"]).connect().choose(index)
    page.page.click("#filter summary")
    page.page.check("#filter [type=checkbox]")
    page.page.fill("#filter textarea", '{"n": {"$in": ["it\'s", null, true, 1.5]}}')
    page.page.check("[name=mode][value=late]")
    page.page.fill("#k", "2")
    page.ask(question)
    page.page.click(f"role=tab[name={name}]")
    page.page.click("#snippet button")
    page.page.wait_for_selector("#snippet button:has-text('Copied')")
    code = page.page.evaluate("navigator.clipboard.readText()")
    assert code == page.page.text_content("#snippet code")
    assert code.isprintable() or set(code) - {"\n"} <= {one for one in code if one.isprintable()}
    return code, page.texts(".id bdi")


def run(command, server, folder):
    """Run a command with the key in the environment, and return what it printed."""
    environment = os.environ | {"LFM2_COLBERT_KEY": server.admin, "NO_PROXY": "*"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == []
    return done.stdout


@each
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl(playground, server, filled, question, tmp_path):
    code, ids = copied(playground, filled, question, "curl")
    answer = json.loads(run(["sh", "-c", code], server, tmp_path))
    assert [hit["id"] for hit in answer["results"][0]["hits"]] == ids
    assert len(ids) == 2


@each
@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("Python", "httpx"),
        ("LangChain", "langchain_lfm2_colbert"),
        ("LlamaIndex", "llama_index.retrievers.lfm2_colbert"),
    ],
    ids=["python", "langchain", "llamaindex"],
)
def test_python(playground, server, filled, question, tmp_path, name, needs):
    pytest.importorskip(needs, reason=f"{name} is not installed here")
    code, ids = copied(playground, filled, question, name)
    printed = run([sys.executable, "-c", code], server, tmp_path)
    assert [line.split()[0] for line in printed.splitlines() if line] == ids


@each
def test_cohere(playground, server, filled, question, tmp_path):
    code, ids = copied(playground, filled, question, "Cohere")
    compile(code, "copied", "exec")
    paths = server.ask("GET", "/openapi.json").json()["paths"]
    if "/v2/rerank" not in paths:
        pytest.skip("this server does not speak Cohere's API")
    pytest.importorskip("cohere", reason="Cohere's client is not installed here")
    printed = run([sys.executable, "-c", code], server, tmp_path)
    assert len(printed.splitlines()) == len(ids)


def test_before_a_question_there_is_an_example(playground, server, filled):
    page = playground().connect().choose(filled)
    for name in page.texts("[role=tab]"):
        page.page.click(f"role=tab[name={name}]")
        code = page.page.text_content("#snippet code")
        assert "washing machine" in code
        assert "LFM2_COLBERT_KEY" in code


def test_a_server_that_does_not_speak_coheres_api_says_so(playground, tmp_path):
    with running(tmp_path, "--without", "rerank") as plain:
        plain.make("docs", TEXTS)
        page = playground(plain).connect().page
        for name, told in (("curl", False), ("Cohere", True), ("Python", False)):
            page.click(f"role=tab[name={name}]")
            said = page.get_by_text("does not speak Cohere’s API")
            said.wait_for(state="visible" if told else "hidden")
