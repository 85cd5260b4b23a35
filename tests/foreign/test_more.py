"""What single clients can do beyond what all do: spans, lists, overload."""

from __future__ import annotations

import pytest

from ..server.running import running, waiting
from .cases import QUERY, TEXTS, Case
from .programs import python_of, started

pytestmark = pytest.mark.subprocess

SPANS = {"mode": "enabled", "threshold": 0.1, "max_spans": 3}


@pytest.fixture
def program(request, asked):
    name, environment = request.param
    with started(name, environment) as running_one:
        running_one.connect(asked.server.url, asked.key)
        yield running_one


def of(name, environment):
    return pytest.param((name, environment), id=name)


@pytest.mark.parametrize("program", [of("cohere_v2", "sdks")], indirect=True)
def test_relevant_spans_are_code_points_of_the_text(program):
    asked = {"query": QUERY, "documents": TEXTS}
    found = program.ask(**asked, relevant_spans=SPANS)["found"]
    spans = {place: spans or [] for place, _, spans in found}
    assert 1 <= len(spans[2]) <= 3
    for place, each in spans.items():
        for start, end, score in each:
            assert 0 <= start < end <= len(TEXTS[place])
            assert 0.1 <= score <= 1
    # Behind what takes two units of UTF-16, and four bytes.
    words = [TEXTS[2][start:end] for start, end, _ in spans[2]]
    assert any("library" in one for one in words), words
    assert any("opens" in TEXTS[3][start:end] for start, end, _ in spans[3])
    assert spans[1] == spans[5] == []
    assert all(one[2] is None for one in program.ask(**asked)["found"])


@pytest.mark.parametrize("program", [of("openai_lists", "sdks")], indirect=True)
def test_what_there_is_is_listed(program):
    whole = sum(bool(text.strip()) for text in TEXTS)
    assert program.ask()["found"] == {
        "models": ["docs"],
        "model": "docs",
        "stores": ["docs"],
        "files": whole,
    }


def test_a_real_overload_ends_in_answers_or_in_an_error_of_its_own(tmp_path):
    """One search at a time, one in the queue, and many who ask."""
    python_of("sdks")
    case = Case("cohere_v2", "sdks", "rerank", "")
    with running(tmp_path, "--searches", "1", "--queue", "1") as server:
        server.make("docs", {"1": TEXTS[0]})
        key = server.key(["rerank"], rate=1000)
        with started(case.name, case.environment) as program:
            program.connect(server.url, key)
            alone = program.ask(query=QUERY, documents=TEXTS * 20)["found"]
            for _ in waiting():
                for one in program.ask_together(12, query=QUERY, documents=TEXTS * 20):
                    if "error" in one:
                        assert one["error"][0] == "cohere.ServiceUnavailableError"
                    else:
                        assert one["found"] == alone
                if refused(server):
                    return
    raise AssertionError("nobody was refused")


def refused(server) -> bool:
    """Tell whether the server has told anybody that it is busy."""
    figures = server.ask("GET", "/metrics").text.splitlines()
    return any(
        'reason="overloaded"' in line and not line.endswith(" 0.0")
        for line in figures
        if line.startswith("lfm2_colbert_")
    )
