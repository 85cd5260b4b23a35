"""By which name a server is asked, from which page, from where: told by heads alone."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.server.heads import check_head, cors_headers, remote_of, request_id
from lfm2_colbert_rag.server.problems import Problem
from lfm2_colbert_rag.server.settings import Settings


def settings(tmp_path, **more):
    return Settings(tmp_path / "indexes", tmp_path / "keys.json", **more)


def scope(peer="127.0.0.1", method="POST", **headers):
    given = {"host": "localhost", **headers}
    found = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    return {"client": (peer, 1234), "method": method, "headers": found}


def refused(asked, how):
    with pytest.raises(Problem) as told:
        check_head(asked, how)
    return told.value.code


def test_before_a_proxy_plain_http_is_for_the_proxy(tmp_path):
    how = settings(
        tmp_path, host="10.0.0.5", behind_proxy=("10.0.0.1/32",), allowed_hosts=("docs.example",)
    )
    for peer in ("10.0.0.1", "127.0.0.1"):
        check_head(scope(peer, host="docs.example"), how)
    assert refused(scope("10.0.0.9", host="docs.example"), how) == "forbidden"


def test_only_a_trusted_proxy_says_where_a_request_is_from(tmp_path):
    how = settings(
        tmp_path, host="10.0.0.5", behind_proxy=("10.0.0.1/32",), allowed_hosts=("docs.example",)
    )
    said = "9.9.9.9, 203.0.113.7"
    assert remote_of(scope("10.0.0.1", x_forwarded_for=said), how) == "203.0.113.7"
    assert remote_of(scope("10.0.0.9", x_forwarded_for=said), how) == "10.0.0.9"
    for odd in ("", "unknown", "a" * 5000, "1.2.3.4:80"):
        assert remote_of(scope("10.0.0.1", x_forwarded_for=odd), how) == "10.0.0.1"


def test_pages_ask_where_they_are_named_and_nowhere_else(tmp_path):
    closed = settings(tmp_path)
    page = "https://chat.example.com"
    assert refused(scope(origin=page), closed) == "forbidden"
    assert cors_headers(scope(origin=page), closed) == []
    open_ = settings(tmp_path, origins=(page,))
    check_head(scope(origin=page), open_)
    allowed = dict(cors_headers(scope(origin=page), open_))
    assert allowed[b"access-control-allow-origin"] == page.encode()
    for odd in ("null", "https://chat.example.com.evil", "http://chat.example.com", page + ":1"):
        assert refused(scope(origin=odd), open_) == "forbidden"
    for wild in ("*", "https://*", "https://*.example.com"):
        with pytest.raises(ConfigError):
            settings(tmp_path, origins=(wild,))


def test_a_plain_id_of_a_request_is_kept(tmp_path):
    assert request_id(scope(x_request_id="trace-1")) == "trace-1"
    assert request_id(scope(x_request_id="a\r\nb")) != "a\r\nb"
