"""The gate: one key, in one header, once; and nothing of it is ever shown."""

from __future__ import annotations

import hmac
import itertools
import logging
import time
import traceback
from collections.abc import Callable

import pytest

from lfm2_colbert_rag.errors import ConfigError, KeyFileError
from lfm2_colbert_rag.server.access.gate import Gate, Refused
from lfm2_colbert_rag.server.access.keys import KeyFile
from lfm2_colbert_rag.server.access.tokens import mint

from .made import NOW, claims, signed

Headers = list[tuple[bytes, bytes]]
HERE = "10.0.0.7"


@pytest.fixture
def text(keys):
    return keys.create("chatbot", ["search"])[1]


@pytest.fixture
def gate(keys, text, clock, ticks):
    return Gate(keys, isolation="view", clock=clock, ticks=ticks)


def reason(gate: Gate, headers: Headers, remote: str = HERE) -> str:
    with pytest.raises(Refused) as refused:
        gate.caller(headers, remote)
    return refused.value.reason


WAYS: list[Callable[[bytes], Headers]] = [
    lambda key: [(b"authorization", b"Bearer " + key)],
    lambda key: [(b"Authorization", b"bearer   " + key)],
    lambda key: [(b"AUTHORIZATION", b"BEARER " + key + b" ")],
    lambda key: [(b"authorization", key)],
    lambda key: [(b"authorization", b" \t" + key)],
    lambda key: [(b"api-key", key)],
    lambda key: [(b"x-api-key", key)],
    lambda key: [(b"X-API-Key", key)],
]


@pytest.mark.parametrize("way", WAYS, ids=range(len(WAYS)))
@pytest.mark.parametrize("kind", ["key", "token"])
def test_ways_to_give_a_key(gate, text, way, kind):
    given = text if kind == "key" else mint(text, clock=lambda: NOW)
    others = [(b"host", b"localhost"), (b"cookie", b"key=1"), (b"user-agent", b"x")]
    assert gate.caller([*others, *way(given.encode()), *others], HERE).name == "chatbot"


@pytest.mark.parametrize(("one", "other"), [*itertools.product(WAYS, WAYS[:1] + WAYS[5:7])])
def test_two_keys_are_none_the_same_ones_too(gate, text, one, other, keys):
    key = text.encode()
    assert reason(gate, [*one(key), *other(key)]) == "malformed"


@pytest.mark.parametrize(
    "headers",
    [
        *([], [(b"host", b"localhost")], [(b"cookie", b"authorization=KEY")]),
        *([(b"proxy-authorization", b"Bearer KEY")], [(b"x-key", b"KEY")], [(b"apikey", b"KEY")]),
        [(b":path", b"/v1/indexes?api-key=KEY&authorization=KEY")],
        [(b"referer", b"http://localhost/?api_key=KEY")],
    ],
    ids=str,
)
def test_a_key_anywhere_else_is_not_looked_at(gate, text, headers):
    put = [(name, value.replace(b"KEY", text.encode())) for name, value in headers]
    assert reason(gate, put) == "missing"


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"Bearer", b"Bearer ", b"Bearer\tKEY", b"Basic KEY", b"Bearer KEY KEY"),
        *(b"Bearer KEY, Bearer KEY", b"Bearer Bearer KEY", b"KEYx", b"xKEY", b"\xffKEY"),
        *(b"KEY\x00", b"KEY\n", b"\xc2\xa0KEY", b'"KEY"', b"lcb_", b"lcb_" + b"a" * 9_000),
        *(b"Bearer:KEY", b"token=KEY", b"%6ccb_"),
    ],
    ids=str,
)
def test_what_is_no_key(gate, text, value):
    given = value.replace(b"KEY", text.encode())
    assert reason(gate, [(b"authorization", given)]) in ("malformed", "bad-token")


def test_every_mistyped_character_is_noticed(gate, text):
    """By the checksum, before any key is looked at."""
    for place in range(4, len(text)):
        other = "a" if text[place] != "a" else "b"
        mistyped = text[:place] + other + text[place + 1 :]
        assert reason(gate, [(b"x-api-key", mistyped.encode())], str(place)) == "malformed"


def with_secret_of(text: str, other: str) -> str:
    """Return a well-formed key that has the id of one and the secret of another."""
    from zlib import crc32

    body = text[:13] + other[13:56]
    return f"{body}_{crc32(body.encode()):08x}"


def test_every_way_to_fail_compares_first(gate, keys, text, clock, monkeypatch):
    """An id that is unknown takes the path of one that is known, and so the same time."""
    elsewhere = KeyFile(keys.path.with_name("other.json"), clock=clock)
    _, stranger = elsewhere.create("stranger", ["search"])
    ways = {
        "right": text,
        "unknown id": stranger,
        "wrong secret": with_secret_of(text, stranger),
        "token": signed(text, claims()),
        "token of an unknown id": signed(stranger, claims()),
        "token with a wrong secret": signed(with_secret_of(text, stranger), claims()),
    }
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(
        hmac, "compare_digest", lambda one, other: compared.append(1) or real(one, other)
    )
    outcomes = {}
    for name, given in ways.items():
        compared.clear()
        try:
            outcomes[name] = gate.caller([(b"x-api-key", given.encode())], HERE).name
        except Refused as refusal:
            outcomes[name] = refusal.reason
        assert len(compared) == 1, name
    assert list(outcomes.values()) == [
        *("chatbot", "unknown", "unknown"),
        *("chatbot", "bad-token", "bad-token"),
    ]


def test_expired_and_revoked(gate, keys, clock, ticks):
    key, short = keys.create("short", ["search"], expires=NOW + 10)
    headers = [(b"x-api-key", short.encode())]
    assert gate.caller(headers, HERE).expires == NOW + 10
    clock.now += 10
    assert reason(gate, headers) == "expired"
    clock.now -= 5  # the clock is set back
    assert gate.caller(headers, HERE)
    keys.revoke(key.id)
    assert reason(gate, headers) == "revoked"


def test_revoked_by_another_process_is_seen_within_a_second(keys, text):
    """By the real clock: a look at the file is believed for a quarter of one."""
    gate = Gate(KeyFile(keys.path), isolation="view")
    headers = [(b"x-api-key", text.encode())]
    token = [(b"x-api-key", mint(text).encode())]
    assert gate.caller(headers, HERE).key_id == gate.caller(token, HERE).key_id
    KeyFile(keys.path).revoke("chatbot")
    revoked = time.monotonic()
    while time.monotonic() < revoked + 1:
        time.sleep(0.05)
    assert reason(gate, headers) == "revoked"
    assert reason(gate, token) == "revoked"


def test_a_second_key_of_a_name_takes_over(gate, keys, text, ticks):
    new, second = keys.create("chatbot", ["search"])
    for one in (text, second):
        assert gate.caller([(b"x-api-key", one.encode())], HERE).name == "chatbot"
    keys.revoke(text[4:12])
    assert reason(gate, [(b"x-api-key", text.encode())]) == "revoked"
    assert gate.caller([(b"x-api-key", second.encode())], HERE).key_id == new.id


def test_ten_failures_a_minute_and_a_right_key_gets_in(gate, text, ticks):
    right, wrong = [(b"x-api-key", text.encode())], [(b"x-api-key", b"lcb_guess")]
    for _ in range(10):
        assert reason(gate, wrong) == "malformed"
    with pytest.raises(Refused) as refused:
        gate.caller(wrong, HERE)
    assert (refused.value.code, refused.value.reason) == ("rate-limited", "throttled")
    assert refused.value.retry_after == 60
    assert gate.caller(right, HERE).name == "chatbot"
    assert reason(gate, wrong, "10.0.0.8") == "malformed"
    ticks.now += 60
    assert reason(gate, wrong) == "malformed"


def test_a_refusal_names_a_known_key_by_its_id_only(gate, keys, text):
    keys.revoke("chatbot")
    with pytest.raises(Refused) as refused:
        gate.caller([(b"x-api-key", text.encode())], HERE)
    assert refused.value.key_id == text[4:12]


def test_tenants_where_indexes_keep_them_apart(keys, clock):
    keys.create("acme", ["search"], tenant="acme")
    with pytest.raises(ConfigError, match="is of a tenant"):
        Gate(keys, isolation="index", clock=clock)
    keys.revoke("acme")
    gate = Gate(keys, isolation="index", clock=clock)
    _, late = keys.create("late", ["search"], tenant="acme")
    assert reason(gate, [(b"x-api-key", late.encode())]) == "tenant"


def test_a_gate_needs_keys(tmp_path):
    with pytest.raises(KeyFileError, match="lfm2-colbert keys create"):
        Gate(KeyFile(tmp_path / "keys.json"), isolation="view")
    with pytest.raises(ConfigError, match="'index' or 'view'"):
        Gate(KeyFile(tmp_path / "keys.json"), isolation="none")


def test_the_secret_is_in_nothing_that_is_shown_or_kept(gate, keys, text, tmp_path, caplog):
    """Nor is what a server keeps of it, with which tokens can be made, but in the key file."""
    caplog.set_level(logging.DEBUG)
    key = keys.keys()[0]
    seen = [repr(key), str(key), repr(keys), repr(gate), repr(key.to_dict()), repr(vars(gate))]
    wrong = [text + "0", text[:-1], "Basic " + text, signed(text, claims(aud="x"))]
    for given in (*wrong, text.replace("lcb", "lcB"), mint(text)[:-1]):
        with pytest.raises(Refused) as refused:
            gate.caller([(b"authorization", given.encode())], HERE)
        seen += [repr(refused.value), "".join(traceback.format_exception(refused.value))]
    seen += [repr(gate.caller([(b"x-api-key", text.encode())], HERE)), caplog.text]
    secret = text[13:56]
    for one in seen:
        assert secret not in one
        assert key.digest.hex() not in one
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert not any(secret.encode() in content for content in files)
