"""Tokens: what is unknown, wrong, old or more than the key makes them nothing at all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import jwt
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import FilterError, InputError, LFM2ColBERTError
from lfm2_colbert_rag.server.access.callers import SCOPES
from lfm2_colbert_rag.server.access.gate import Gate, Refused
from lfm2_colbert_rag.server.access.key_text import parse_text, signing_secret
from lfm2_colbert_rag.server.access.keys import KeyFile
from lfm2_colbert_rag.server.access.tokens import mint

from .made import NOW, claims, encoded, part, signed

# The fixtures keep nothing that one example could leave to the next.
same_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def text(keys):
    """Return a key of everything but one tenant."""
    return keys.create("backend", ["search", "read"], ["a", "b"], fields=["title", "year"])[1]


def reason(ask, token: str) -> str:
    with pytest.raises(Refused) as refused:
        ask(token)
    assert refused.value.code == "unauthorized"
    return refused.value.reason


def test_a_token_says_less_than_its_key(ask, text):
    token = mint(
        text,
        tenant="acme",
        scopes=["search"],
        indexes=["a"],
        where={"year": {"$gte": 2024}},
        fields=["title"],
        subject="user 7",
        clock=lambda: NOW,
    )
    caller = ask(token)
    assert (caller.scopes, caller.indexes, caller.fields) == ({"search"}, {"a"}, {"title"})
    assert (caller.tenant, caller.filter) == ("acme", {"year": {"$gte": 2024}})
    assert (caller.subject, caller.expires) == ("user 7", NOW + 3600)
    assert caller.name == "backend"
    assert caller.may("search")
    assert not caller.may("read")
    assert caller.sees("a")
    assert not caller.sees("b")


def test_what_a_token_leaves_out_is_as_with_its_key(ask, text):
    caller = ask(mint(text, clock=lambda: NOW))
    assert (caller.scopes, caller.indexes) == ({"search", "read"}, {"a", "b"})
    assert (caller.tenant, caller.filter, caller.subject) == (None, None, None)


def test_our_tokens_are_those_that_ten_lines_make(text):
    token = mint(text, tenant="acme", clock=lambda: NOW)
    read = jwt.decode(
        token,
        signing_secret(parse_text(text).digest),
        algorithms=["HS256"],
        options={"verify_exp": False, "verify_iat": False},
    )
    assert read == claims(tenant="acme")
    assert ours_alike(signed(text, read)) == ours_alike(token)


def ours_alike(token: str) -> list[object]:
    first, second, _ = token.split(".")
    return [json.loads(base64.urlsafe_b64decode(one + "==")) for one in (first, second)]


def snippets(language: str) -> list[str]:
    """Return what the documentation has of a language about tokens."""
    page = (Path(__file__).parents[3] / "docs" / "keys.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def test_the_python_of_the_documentation_makes_tokens(keys):
    real = KeyFile(keys.path)  # by the real clock, as the page
    names = {"key": real.create("backend", ["search", "read"])[1]}
    exec(snippets("python")[1], names)
    gate = Gate(real, isolation="view")
    caller = gate.caller([(b"x-api-key", names["token"].encode())], "10.0.0.7")
    assert (caller.tenant, caller.scopes) == ("acme", {"search"})


@pytest.mark.subprocess
@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js")
def test_the_javascript_of_the_documentation_makes_tokens(keys, tmp_path):
    real = KeyFile(keys.path)
    _, text = real.create("backend", ["search", "read"])
    script = tmp_path / "token.mjs"
    (snippet,) = snippets("js")
    script.write_text(f"const key = process.argv[2];\n{snippet}\nconsole.log(token);", "utf-8")
    command = ["node", str(script), text]
    made = subprocess.run(command, capture_output=True, check=True).stdout.strip()
    caller = Gate(real, isolation="view").caller([(b"x-api-key", made)], "10.0.0.7")
    assert (caller.tenant, caller.scopes) == ("acme", {"search"})


@pytest.mark.parametrize(
    "wider",
    [
        *({"scopes": ["search", "write"]}, {"scopes": ["admin"]}, {"indexes": ["a", "c"]}),
        *({"fields": ["title", "salary"]}, {"where": {"salary": 1}}),
    ],
    ids=str,
)
def test_more_than_the_key_is_refused(ask, text, wider):
    assert reason(ask, mint(text, **wider, clock=lambda: NOW)) == "bad-token"


def test_the_tenant_of_a_key_stays(ask, keys):
    _, text = keys.create("acme", ["search"], tenant="acme", where={"public": True})
    assert ask(signed(text, claims())).tenant == "acme"
    assert ask(signed(text, claims(tenant="acme"))).tenant == "acme"
    assert reason(ask, signed(text, claims(tenant="beta"))) == "bad-token"
    assert ask(signed(text, claims(where={"n": 1}))).where == ({"public": True}, {"n": 1})


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
right = {
    "scopes": st.lists(st.sampled_from(sorted(SCOPES)), max_size=2),
    "indexes": st.lists(st.sampled_from(["a", "b", "c"]), max_size=2),
    "fields": st.lists(st.sampled_from(["title", "year", "salary"]), max_size=2),
    "tenant": st.sampled_from(["acme", "beta"]),
    "where": st.dictionaries(st.sampled_from(["title", "salary"]), st.integers(0, 1)),
    "sub": st.text(min_size=1, max_size=5),
}
drawn = st.fixed_dictionaries(
    {}, optional={name: st.one_of(one, one, one, values) for name, one in right.items()}
)
others = st.just({}) | st.dictionaries(st.text(max_size=4), values, max_size=1)


@same_fixtures
@given(said=drawn, more=others)
def test_whatever_a_token_says_it_is_nothing_or_within_its_key(ask, keys, said, more):
    if not hasattr(keys, "text"):
        keys.text = keys.create("backend", ["search", "read"], ["a", "b"], fields=["title"])[1]
    given = claims(**more | said)
    try:
        caller = ask(signed(keys.text, given))
    except Refused:
        return
    event("let in")
    assert given.keys() <= {"iat", "exp", *right}
    assert caller.scopes <= {"search", "read"}
    assert caller.indexes <= {"a", "b"}
    assert caller.fields <= {"title"}
    assert caller.tenant == given.get("tenant")
    assert caller.where == ((given["where"],) if given.get("where") else ())
    assert caller.subject == given.get("sub")


@pytest.mark.parametrize(
    "name", ["aud", "iss", "jti", "nbf", "access", "collections", "Tenant", ""]
)
def test_an_unknown_claim_makes_a_token_nothing(ask, text, name):
    assert reason(ask, signed(text, claims(**{name: "acme"}))) == "bad-token"


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_a_claim_that_must_be_there(ask, text, name):
    said = claims()
    del said[name]
    assert reason(ask, signed(text, said)) == "bad-token"


WRONG = {
    "exp": ["1", None, True, 1e400, [1], {}],
    "iat": ["1", None, True, float("nan"), [1]],
    "scopes": ["search", None, {"search": 1}, [1], [], ["root"]],
    "indexes": ["a", None, {"a": 1}, [1], ["../a"]],
    "fields": ["title", None, {"title": 1}, [1]],
    "tenant": [1, None, ["acme"], "", "a\x1fb", "a" * 300],
    "where": ["a", None, [], [1], {"a": {"$near": 1}}],
    "sub": [1, None, [], "", "x" * 257, "\ud800"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, one) for name, many in WRONG.items() for one in many], ids=str
)
def test_a_mistyped_claim_makes_a_token_nothing(ask, text, name, value):
    assert reason(ask, signed(text, claims(**{name: value}))) == "bad-token"


def test_a_claim_that_is_there_twice_makes_a_token_nothing(ask, text):
    said = json.dumps(claims(tenant="acme"))[:-1] + ', "tenant": "beta"}'
    assert reason(ask, signed(text, said.encode())) == "bad-token"


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"7", b"{", b"\xff", b"[" * 5000, b'"a"'])
def test_what_is_no_object_is_no_token(ask, text, payload):
    assert reason(ask, signed(text, payload)) in ("bad-token", "malformed")


@pytest.mark.parametrize(
    "change",
    [
        *({"alg": "none"}, {"alg": "HS512"}, {"alg": "RS256"}, {"alg": "hs256"}, {"alg": None}),
        *({"typ": "JWS"}, {"typ": None}, {"kid": "aaaaaaaa"}, {"kid": None}, {"kid": ["a"]}),
        *({"crit": ["exp"]}, {"b64": False}, {"jku": "https://evil"}, {"jwk": {}}, {"zip": "DEF"}),
        *({"kid": "../../../"}, {"x5u": ""}),
    ],
    ids=str,
)
def test_a_header_is_ours_or_nothing(ask, text, change):
    header = {"alg": "HS256", "typ": "JWT", "kid": text[4:12], **change}
    for one in (header, {name: value for name, value in header.items() if value is not None}):
        assert reason(ask, signed(text, claims(), one)) == "bad-token"


def test_no_signature_is_no_token(ask, text):
    first, second, _ = signed(text, claims()).split(".")
    none = part({"alg": "none", "typ": "JWT", "kid": text[4:12]})
    for token in (f"{first}.{second}.", f"{none}.{second}.", f"{first}.{second}", f"{none}..a"):
        assert reason(ask, token) == "bad-token"


def test_other_algorithms_with_the_right_secret_are_refused(ask, text):
    secret = signing_secret(parse_text(text).digest)
    for algorithm in ("HS384", "HS512"):
        token = jwt.encode(claims(), secret * 2, algorithm=algorithm, headers={"kid": text[4:12]})
        assert reason(ask, token) == "bad-token"


def test_what_the_server_keeps_does_not_sign(ask, text):
    """A signature by the secret itself, by its hash, or by another key's is none."""
    body = ".".join(signed(text, claims()).split(".")[:2])
    other = "lcb_" + text[4:12] + "_" + "A" * 43 + "_00000000"
    secrets = [text.encode(), text[13:56].encode(), hashlib.sha256(text[13:56].encode()).digest()]
    for secret in secrets:
        signature = encoded(hmac.digest(secret, body.encode(), "sha256"))
        assert reason(ask, f"{body}.{signature}") == "bad-token"
    assert reason(ask, signed(other, claims())) == "bad-token"


@same_fixtures
@given(place=st.integers(0), letter=st.sampled_from("AZaz09-_.="))
def test_a_token_of_which_one_character_changed_is_nothing(ask, keys, place, letter):
    if not hasattr(keys, "token"):
        keys.token = mint(keys.create("b", ["search"])[1], tenant="acme", clock=lambda: NOW)
        assert ask(keys.token).tenant == "acme"
    place %= len(keys.token)
    changed = keys.token[:place] + letter + keys.token[place + 1 :]
    if changed != keys.token:
        assert reason(ask, changed) in ("bad-token", "malformed")


def test_a_token_is_written_in_one_way_only(ask, text):
    """Decoders skip bits that mean nothing, and what is no letter of theirs."""
    token = signed(text, claims(tenant="acme"))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters.index(token[-1])
    assert last % 4 == 0  # 256 bits are 42 letters and two thirds
    for more in (1, 2, 3):
        assert reason(ask, token[:-1] + letters[last + more]) == "bad-token"
    for same in (token + "=", token.replace(".", "=.", 1), token.replace("_", "/")):
        if same != token:
            assert reason(ask, same) in ("bad-token", "malformed")


def test_a_key_that_was_edited_by_hand_takes_its_tokens_along(ask, keys, text):
    token = mint(text, clock=lambda: NOW)
    assert ask(token).scopes == {"search", "read"}
    content = keys.path.read_text("utf-8")
    keys.path.write_text(content.replace('["read", "search"]', '["search"]'), "utf-8")
    assert ask(token).scopes == {"search"}


def test_times(ask, text, clock):
    """Valid from a minute before it was made until it expires, and never for more than a day."""
    day = 86_400
    assert ask(signed(text, claims(exp=NOW + day))).expires == NOW + day
    assert ask(signed(text, claims(iat=NOW + 60)))
    assert reason(ask, signed(text, claims(iat=NOW + 61))) == "bad-token"
    assert reason(ask, signed(text, claims(exp=NOW + day + 1))) == "bad-token"
    assert reason(ask, signed(text, claims(iat=NOW + 50, exp=NOW + day + 10))) == "bad-token"
    assert reason(ask, signed(text, claims(iat=NOW - day, exp=NOW + 1))) == "bad-token"
    assert reason(ask, signed(text, claims(exp=NOW - 1))) == "expired"
    assert reason(ask, signed(text, claims(iat=NOW + 9, exp=NOW + 8))) == "bad-token"


def test_a_clock_that_jumps(ask, text, clock):
    token = signed(text, claims())
    for jump, outcome in itertools.product((0, 1e9, 0, -1e9, 0), (1, 2)):
        clock.now = NOW + jump
        if jump == 0:
            assert ask(token)
        else:
            assert reason(ask, token) == ("expired" if jump > 0 else "bad-token"), outcome


def test_a_token_ends_with_its_key(ask, keys, clock):
    _, text = keys.create("short", ["search"], expires=NOW + 10)
    token = signed(text, claims())
    assert ask(token).expires == NOW + 10
    clock.now += 10
    assert reason(ask, token) == "expired"


def test_a_revoked_key_takes_its_tokens_with_it(ask, text, keys):
    token = mint(text, clock=lambda: NOW)
    assert ask(token)
    keys.revoke("backend")
    assert reason(ask, token) == "revoked"
    assert reason(ask, text) == "revoked"


def test_no_tenants_where_indexes_keep_them_apart(keys, clock):
    _, text = keys.create("backend", ["search"])
    gate = Gate(keys, isolation="index", clock=clock)
    headers = [(b"authorization", signed(text, claims(tenant="acme")).encode())]
    with pytest.raises(Refused, match="tenant"):
        gate.caller(headers, "10.0.0.7")


@pytest.mark.parametrize(
    "wrong",
    [
        *({"expires_in": 0}, {"expires_in": 86_401}, {"expires_in": "1h"}, {"expires_in": True}),
        *({"scopes": ["root"]}, {"scopes": "search"}, {"indexes": ["../a"]}, {"tenant": ""}),
        *({"tenant": "acme", "scopes": ["admin"]}, {"subject": ""}, {"subject": 7}),
        *({"where": {"a": ...}}, {"where": {"a": ["x" * 9_000]}}, {"fields": ["a.b"]}),
    ],
    ids=str,
)
def test_what_no_server_would_accept_is_not_made(text, wrong):
    with pytest.raises(LFM2ColBERTError):
        mint(text, **wrong)


def test_too_long_a_token_is_not_made(text):
    with pytest.raises(InputError, match="narrow the key itself"):
        mint(text, where={"title": "x" * 9_000})
    with pytest.raises(FilterError):
        mint(text, where={"title": {"$near": 1}})


def test_a_mistyped_key_is_told_without_being_shown(text):
    for wrong in (text[:-1], text.swapcase(), text + "0", "", "lcb_", text.replace("_", "-", 1)):
        with pytest.raises(InputError, match="this is no key") as error:
            mint(wrong)
        assert text[13:30].lower() not in str(error.value).lower()
