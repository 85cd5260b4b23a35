"""By which name a server is asked, from which page, from where: told by heads alone."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.server.heads import check_head, cors_headers, remote_of, request_id
from lfm2_colbert_rag.server.problems import Problem
from lfm2_colbert_rag.server.settings import Settings, Tls


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


def test_the_servers_own_page_may_ask(tmp_path):
    local = settings(tmp_path, port=7707)
    for host in ("localhost:7707", "127.0.0.1:7707", "[::1]:7707", "localhost"):
        check_head(scope(host=host, origin=f"http://{host}"), local)
        assert cors_headers(scope(host=host, origin=f"http://{host}"), local) == []
    asked = {"host": "localhost:7707"}
    others = [
        *(
            "null",
            "",
            "http://",
            "http://localhost",
            "http://localhost:7708",
            "http://localhost:77070",
        ),
        *("https://localhost:7707", "http://127.0.0.1:7707", "http://localhost:7707/"),
        *("http://localhost:7707.evil.example", "http://evil.example", "http://a@localhost:7707"),
        *("http://localhost:7707 http://evil.example", "HTTP://localhost:7707"),
    ]
    for origin in others:
        assert refused(scope(**asked, origin=origin), local) == "forbidden", origin
    # A page under another name of this machine is another page, and one under a strange name is
    # refused before its origin is looked at.
    assert refused(scope(host="evil.example", origin="http://evil.example"), local) == "host"


def test_one_foreign_origin_is_enough_to_be_refused(tmp_path):
    asked = scope(host="localhost:7707", origin="http://localhost:7707")
    asked["headers"].append((b"origin", b"http://evil.example"))
    assert refused(asked, settings(tmp_path)) == "forbidden"


def test_a_server_that_speaks_tls_has_a_page_of_https(tmp_path):
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch(mode=0o600)
    tls = Tls(tmp_path / "cert.pem", tmp_path / "key.pem")
    how = settings(tmp_path, host="10.0.0.5", tls=tls, allowed_hosts=("docs.example",))
    check_head(scope("10.9.9.9", host="docs.example:443", origin="https://docs.example"), how)
    check_head(scope("10.9.9.9", host="docs.example:7", origin="https://docs.example:7"), how)
    asked = scope("10.9.9.9", host="docs.example", origin="http://docs.example")
    assert refused(asked, how) == "forbidden"


def test_behind_a_proxy_the_page_is_one_of_https(tmp_path):
    how = settings(
        tmp_path, host="10.0.0.5", behind_proxy=("10.0.0.1/32",), allowed_hosts=("docs.example",)
    )
    check_head(scope("10.0.0.1", host="docs.example", origin="https://docs.example"), how)
    for origin in ("http://docs.example", "https://docs.example.evil", "https://evil.example"):
        asked = scope("10.0.0.1", host="docs.example", origin=origin)
        assert refused(asked, how) == "forbidden"
    # Beside the server, where it is asked without the proxy.
    check_head(scope(host="localhost:7707", origin="http://localhost:7707"), how)
    local = settings(tmp_path, behind_proxy=("127.0.0.1/32",), allowed_hosts=("docs.example",))
    for origin in ("http://localhost:7707", "https://localhost:7707"):
        check_head(scope(host="localhost:7707", origin=origin), local)
    asked = scope(host="docs.example", origin="http://docs.example")
    assert refused(asked, local) == "forbidden"


def test_behind_a_socket_the_page_is_the_proxys(tmp_path):
    how = settings(
        *(tmp_path,),
        socket=tmp_path / "http.sock",
        behind_proxy=("127.0.0.1/32",),
        allowed_hosts=("docs.example",),
    )
    asked = {"client": None, "method": "POST"}
    own = [(b"host", b"docs.example"), (b"origin", b"https://docs.example")]
    check_head({**asked, "headers": own}, how)
    for headers in ([own[1]], [own[0], (b"origin", b"http://docs.example")]):
        assert refused({**asked, "headers": headers}, how) == "forbidden"


def test_where_there_is_no_page_none_may_ask(tmp_path):
    how = settings(tmp_path, without=("playground",))
    asked = scope(host="localhost:7707", origin="http://localhost:7707")
    assert refused(asked, how) == "forbidden"


def test_a_plain_id_of_a_request_is_kept(tmp_path):
    assert request_id(scope(x_request_id="trace-1")) == "trace-1"
    assert request_id(scope(x_request_id="a\r\nb")) != "a\r\nb"
