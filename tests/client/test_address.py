"""Where a client goes, and that its key goes nowhere else."""

from __future__ import annotations

import copy
import logging
import pickle
import socket
import traceback

import pytest

from lfm2_colbert_rag import AsyncClient, Client
from lfm2_colbert_rag.errors import (
    ConfigError,
    InputError,
    KeyRefusedError,
    RetrieverClosedError,
    ServerAnswerError,
    ServerUnavailableError,
)

from .scripted import Scripted, reply

KEY = "lcb_canary7Q"
KINDS = pytest.mark.parametrize("kind", [Client, AsyncClient])


@KINDS
@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost", "localhost:7707", "ftp://localhost", "http://", "https:///a", 7, None),
        *("http://localhost:x", "http://localhost:99999", "http://localhost:0"),
        *("http://localhost/?a=1", "http://localhost#a", "http://local host", "http://a\nb"),
        *("http://localhost/\r\nHost: evil", "http://[::1", b"http://localhost"),
    ],
)
def test_addresses_that_are_none(kind, url):
    with pytest.raises(ConfigError, match="url"):
        kind(url, KEY)


@pytest.mark.parametrize("host", ["a..b", "xn--", "[v1.a]", "a" * 300])
def test_names_that_no_host_has(host):
    with Client(f"https://{host}", KEY, index="a") as client, pytest.raises(ConfigError):
        client.count()


def test_no_password_is_shown():
    with pytest.raises(ConfigError) as caught:
        Client("https://me:canary7Q@search.example.org", KEY)
    assert "canary7Q" not in str(caught.value)


@pytest.mark.parametrize("key", ["", " ", "a b", "a\n", "ключ", 7, b"key", "a" * 5000])
def test_keys_that_are_none(key):
    with pytest.raises(ConfigError, match="api_key") as caught:
        Client("https://localhost", key)
    assert not key or str(key) not in str(caught.value) or key == " "


@pytest.mark.parametrize("index", ["", "Support", "../a", "a/b", "-a", "a" * 64, 7])
def test_names_that_no_index_has(index):
    with pytest.raises(ConfigError, match="index"):
        Client("https://localhost", KEY, index=index)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:7", "http://localhost/a/"]
)
def test_this_machine_may_be_asked_unencrypted(url):
    assert url.rstrip("/") in repr(Client(url, KEY))


@pytest.mark.parametrize(
    "url", ["http://search.example.org", "http://10.0.0.7", "http://127.0.0.1.evil.example"]
)
def test_no_key_goes_over_a_network_unencrypted(url):
    with pytest.raises(ConfigError, match="https"):
        Client(url, KEY)
    Client(url, KEY, insecure=True)
    Client(url)  # without one there is nothing to be read


@pytest.mark.parametrize("verify", [True, False])
def test_certificates_are_always_verified(verify):
    with pytest.raises(ConfigError, match="always verified"):
        Client("https://localhost", KEY, verify=verify)


def test_a_file_that_holds_no_certificates(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "none.pem"):
        with (
            Client("https://localhost:9", KEY, index="a", verify=tmp_path / name) as client,
            pytest.raises(ConfigError, match=name),
        ):
            client.count()


def test_the_key_is_shown_nowhere(caplog):
    caplog.set_level(logging.DEBUG)
    answers = [reply(401, "no", "text/html"), reply(302, location="http://evil.example")]
    with Scripted(answers) as server, Client(server.url, KEY, index="a", retries=0) as client:
        told = [repr(client), repr(vars(client)), repr(client._home.address)]
        for expected in (KeyRefusedError, ServerAnswerError):
            with pytest.raises(expected) as caught:
                client.count()
            told += traceback.format_exception(caught.value)
        sent = [
            f"authorization: Bearer {KEY}".encode() in one.lower() or one for one in server.requests
        ]
        assert all(KEY.encode() in one for one in server.requests)
    assert sent
    assert KEY not in "\n".join([*told, caplog.text])


def test_no_proxy_of_the_environment_sees_what_stays_here(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with Scripted([reply(body={"count": 1})]) as server, Client(server.url, KEY, index="a") as here:
        assert here.count() == 1


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the system has no Unix sockets")
def test_a_socket(tmp_path):
    file = tmp_path / "s"
    with (
        Scripted([reply(body={"count": 3})], file=file) as server,
        Client(server.url, KEY, index="a", unix_socket=file) as client,
    ):
        assert client.count() == 3
        assert b"\r\nhost: localhost\r\n" in server.requests[0].lower()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the system has no Unix sockets")
async def test_a_socket_that_is_not_there(tmp_path):
    options = {"index": "a", "unix_socket": tmp_path / "s", "retries": 0}
    with (
        Client("http://localhost", KEY, **options) as client,
        pytest.raises(ServerUnavailableError, match="cannot be reached"),
    ):
        client.count()
    async with AsyncClient("http://search.example.org", KEY, **options) as client:
        with pytest.raises(ConnectionError, match="cannot be reached"):
            await client.count()


@KINDS
def test_copies_are_the_client_itself(kind):
    client = kind("https://localhost", KEY)
    assert copy.copy(client) is copy.deepcopy(client) is client


@KINDS
def test_a_key_that_was_given_does_not_travel(kind):
    with pytest.raises(InputError, match="LFM2_COLBERT_API_KEY"):
        pickle.dumps(kind("https://localhost", KEY, index="a"))


@KINDS
def test_one_of_the_environment_is_looked_for_again(kind, monkeypatch, tmp_path):
    monkeypatch.setenv("LFM2_COLBERT_API_KEY", KEY)
    options = {"timeout": 5.0, "retries": 7, "verify": tmp_path / "ca.pem", "insecure": True}
    client = kind("http://search.example.org/a", index="support", **options)
    data = pickle.dumps(client)
    assert KEY.encode() not in data
    monkeypatch.setenv("LFM2_COLBERT_API_KEY", "lcb_another")
    again = pickle.loads(data)
    assert repr(again) == repr(client)
    assert again._home.options() == client._home.options()
    assert again._home.address.key == "lcb_another"


def test_a_closed_client():
    client = Client("http://localhost:9", index="a", retries=0)
    client.close()
    client.close()
    with pytest.raises(RetrieverClosedError):
        client.count()
    with pytest.raises(RetrieverClosedError):
        list(client.passages())
    assert "closed" in repr(client)


async def test_a_closed_client_of_coroutines():
    async with AsyncClient("http://localhost:9", index="a", retries=0) as client:
        pass
    with pytest.raises(RetrieverClosedError):
        await client.count()
