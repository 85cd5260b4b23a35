"""Other people's clients, unmodified, against a real server: right answers, and right conduct.

Run by ``make test-clients``, which makes their environments; skipped where these are missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from .cases import CASES, QUERY, TEXTS, Case
from .conftest import Asked
from .door import Door, door
from .programs import Program, python_of, started

pytestmark = pytest.mark.subprocess

MOST_CALLS = 2  # with a wrong key: an agent's client shakes hands in two ways


@dataclass
class Client:
    """A client that runs, before a door that leads to the server."""

    case: Case
    program: Program
    door: Door
    asked: Asked

    def connect(self, key: str, seconds: float = 30.0) -> None:
        self.door.calls = 0
        self.program.connect(self.door.url, key, seconds)

    def ask(self, **more: Any) -> dict[str, Any]:
        what = {"documents": TEXTS} if self.case.kind == "rerank" else {"k": len(TEXTS)}
        return self.program.ask(query=QUERY, **(what | more))

    def check(self, answer: dict[str, Any], k: int | None = None) -> None:
        """Check that an answer is what our own API says."""
        assert "found" in answer, answer
        found = answer["found"]
        native = self.asked.natively(self.case, k)
        assert [one[0] for one in found] == [one[0] for one in native]
        nearly = pytest.approx([one[1] for one in native], abs=0.5 * 10**-self.case.digits)
        assert [one[1] for one in found] == nearly


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.id)
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    case: Case = request.param
    python_of(case.environment)  # before a server is started for nothing
    asked: Asked = request.getfixturevalue("asked")
    with (
        started(case.name, case.environment) as program,
        door(asked.server.url, case.told) as opened,
    ):
        yield Client(case, program, opened, asked)


def test_order_and_relevance_are_those_of_our_own_api(client):
    client.connect(client.asked.key)
    answer = client.ask()
    client.check(answer)
    assert set(answer["elsewhere"]) == set(client.case.elsewhere)
    if client.case.kind == "rerank":
        assert [(one[0], one[1]) for one in answer["found"][-2:]] == [(1, 0.0), (5, 0.0)]


def test_the_best_alone(client):
    if not client.case.has_top_n:
        pytest.skip("it asks for all, always")
    client.connect(client.asked.key)
    name = "top_n" if client.case.kind == "rerank" else "k"
    client.check(client.ask(**{name: 2}), 2)


def test_documents_come_back_where_they_are_asked_for(client):
    if client.case.documents is None:
        pytest.skip("it cannot ask for documents, or looks them up itself")
    client.connect(client.asked.key)
    more = {"return_documents": True} if client.case.documents == "asked" else {}
    found = client.ask(**more)["found"]
    shown = [one[2]["text"] if isinstance(one[2], dict) else one[2] for one in found]
    # Some leave out what is empty.
    assert [one or "" for one in shown] == [TEXTS[place] for place, *_ in found]


def test_filters_on_attributes_are_kept(client):
    if not client.case.has_filters:
        pytest.skip("it has no filters of the API's own")
    client.connect(client.asked.key)

    def places(**filters):
        found = client.ask(filters=filters)["found"]
        kept = [int(attributes["place"]) for *_, attributes in found]
        assert [text for _, _, text, _ in found] == [TEXTS[place] for place in kept]
        return set(kept)

    german = {"type": "eq", "key": "lang", "value": "de"}
    late = {"type": "gte", "key": "place", "value": 3}
    assert places(**german) == {4}
    assert places(type="and", filters=[late, german | {"type": "ne"}]) == {3, 6}
    assert places(type="in", key="place", value=[0, 2]) == {0, 2}


def test_a_wrong_key_is_an_error_of_its_own_at_once(client):
    client.connect(client.asked.stranger)
    answer = client.ask()
    assert client.case.refused in (answer["error"][0], *answer["causes"])
    assert 1 <= client.door.calls <= MOST_CALLS


def test_a_server_that_is_busy_is_asked_again_or_told_of(client):
    client.connect(client.asked.key)
    client.door.refusals = 1
    answer = client.ask()
    assert client.door.refusals == 0
    if client.case.busy is None:
        client.check(answer)
        assert client.door.calls >= 2
    else:
        assert answer["error"][0] == client.case.busy
        client.check(client.ask())


def test_a_server_that_is_too_slow_is_given_up(client):
    if client.case.late is None:
        pytest.skip("it has no setting for how long it waits")
    client.connect(client.asked.key, 1.0)
    client.door.silent = True
    try:
        answer = client.ask()
    finally:
        client.door.silent = False
        client.door.opened.set()
        client.door.opened.clear()
    assert client.case.late in (answer["error"][0], *answer["causes"])


def test_a_server_that_starts_again_is_survived_by_one_client(client):
    client.program.connect(client.asked.server.url, client.asked.key)
    client.check(client.ask())
    client.asked.start_again()
    client.check(client.ask())
