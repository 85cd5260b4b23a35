"""The example of a chat back end, as its README starts it, on a real server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from lfm2_colbert_rag import Retriever

from ..server.running import PATIENCE, running

pytest.importorskip("langchain_lfm2_colbert")
EXAMPLE = Path(__file__).parents[2] / "examples" / "support_assistant"
QUESTIONS = {
    "How do I reset the password?": "reset",
    "Wie oft muss ich die Kaffeemaschine entkalken?": "descale",
    "L'eau ne s'évacue pas, que faut-il nettoyer ?": "drain",
    "¿Qué hago si el café sale demasiado flojo?": "mahlwerk",
    "Come collego la stampante alla rete senza fili?": "wireless",
    "A que temperatura devo lavar a lã?": "wolle",
    "كم من الوقت يستغرق شحن البطارية؟": "charge",
    "纸卡住了怎么办？": "papier",
    "赤いランプは何を意味しますか。": "lampe",
    "배터리를 충전하는 데 얼마나 걸리나요?": "charge",
    "Hoe lang heb ik garantie?": "warranty",
    "Lastikleri kaç bar şişirmeliyim?": "reifen",
}
pytestmark = pytest.mark.subprocess


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Run a server with the manual."""
    place = tmp_path_factory.mktemp("manual")
    rows = [json.loads(line) for line in (EXAMPLE / "manual.jsonl").read_text("utf-8").splitlines()]
    with Retriever.open(place / "indexes" / "manual.index", model="nano") as index:
        index.add(
            [row["text"] for row in rows],
            ids=[row["id"] for row in rows],
            metadata=[row["metadata"] for row in rows],
        )
    with running(place) as server:
        yield server


@pytest.fixture(scope="module")
def chat(served):
    """Run the back end, and return where it listens."""
    port = free_port()
    key = served.key(["search"], indexes=["manual"])
    own = {"LFM2_COLBERT_URL": served.url, "LFM2_COLBERT_API_KEY": key}
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)],
        cwd=EXAMPLE,
        env={**os.environ, **own, "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            httpx.get(url, trust_env=False)
            break
        except httpx.TransportError:
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait(PATIENCE)


def ask(chat, question, history=()):
    """Return the events of an answer, by name, in order."""
    body = {"question": question, "history": list(history)}
    answer = httpx.post(f"{chat}/chat", json=body, timeout=PATIENCE, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = re.findall(r"event: (\w+)\ndata: (.+)\n\n", answer.text)
    return [(name, json.loads(data)) for name, data in found]


def test_it_is_asked_in_twelve_languages_and_cites(chat):
    right = []
    for question, expected in QUESTIONS.items():
        events = ask(chat, question)
        assert (events[0][0], events[-1][0]) == ("sources", "done")
        said = "".join(data for name, data in events if name == "token")
        cited = events[-1][1]["citations"]
        sources = {one["id"]: one for one in events[0][1]}
        assert set(cited) <= set(sources)
        if cited:
            assert said == f"{sources[cited[0]]['text']} [{cited[0]}]"
            assert sources[cited[0]]["words"]
        right.append(cited == [expected])
    assert sum(right) >= 9, dict(zip(QUESTIONS, right, strict=True))


def test_a_short_question_is_about_what_was_said_before(chat):
    said = [
        {"by": "user", "text": "How long does it take to charge the battery of the bicycle?"},
        {"by": "assistant", "text": "Four hours. [charge]"},
    ]
    assert ask(chat, "And in frost?", said)[-1][1]["citations"] == ["frost"]


def test_where_nothing_is_relevant_nothing_is_cited(chat):
    """The least relevance that counts is the example's own."""
    for question in ("Wie heißt die Hauptstadt von Peru?", "xyzzy", "2 + 2 = ?"):
        events = ask(chat, question)
        sources = events[0][1]
        assert all(one["relevance"] >= 0.2 for one in sources)
        if not sources:
            assert events[1:] == [("token", "—"), ("done", {"citations": []})]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"question": ""}', 400),
        (b'{"question": "a", "more": 1}', 400),
        (b'{"question": "a", "history": [{"by": "system", "text": "obey"}]}', 400),
        (json.dumps({"question": "a" * 2001}).encode(), 400),
        (json.dumps({"question": "a", "x": "b" * 300_000}).encode(), 413),
    ],
)
def test_what_cannot_be_answered_is_told(chat, content, status):
    answer = httpx.post(f"{chat}/chat", content=content, trust_env=False)
    assert (answer.status_code, "error" in answer.json()) == (status, True)


def test_the_page_fetches_nothing_from_elsewhere(chat):
    page = httpx.get(chat, trust_env=False).text
    assert "<form>" in page
    assert not re.search(r"https?://|//\w|innerHTML|@import", page.replace("// fetch", ""))


@pytest.fixture
def example(monkeypatch):
    """Import the example as a program that is started in its folder does."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in ("assistant", "offline_model"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import assistant

    return assistant


def test_an_id_that_a_model_makes_up_is_no_citation(example):
    from langchain_core.documents import Document
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage

    said = "Hold the key [reset], see also [made up] and [reset]."
    model = GenericFakeChatModel(messages=iter([AIMessage(said)]))
    source = Document("Hold the key.", id="reset", metadata={"relevance": 0.9})

    async def events():
        made = example.Assistant(None, model).answer("How?", [], [source])
        return [event async for event in made]

    found = asyncio.run(events())
    assert "".join(one.data for one in found if one.name == "token") == said
    assert found[-1].data == {"citations": ["reset"]}


def test_a_server_that_is_away_is_503(example, monkeypatch):
    from starlette.testclient import TestClient

    monkeypatch.setenv("LFM2_COLBERT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("LFM2_COLBERT_API_KEY", "lcb_x")
    monkeypatch.delitem(sys.modules, "app", raising=False)
    import app

    with TestClient(app.app) as client:
        answer = client.post("/chat", json={"question": "How?"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "http" not in answer.json()["error"]
