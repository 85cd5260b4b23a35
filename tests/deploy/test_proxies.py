"""What we ship for nginx and Caddy, with the real programs before a real server."""

from __future__ import annotations

import json
import subprocess

import pytest

from lfm2_colbert_rag.server.handlers.pages import PAGES

from .proxies import COMMANDS, NAME, Place, found, free_port, running

pytestmark = pytest.mark.subprocess


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def proxy(request, behind, tmp_path_factory):
    """Run one of them, and return how to ask it."""
    if not (found(request.param) and found("curl")):
        pytest.skip(f"{request.param} or curl is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    place = Place(folder, behind.socket, behind.certificate, behind.key, free_port())
    with running(COMMANDS[request.param](place), place):
        yield Asking(behind, place.port, request.param)


class Asking:
    """Asks the server through a proxy, with curl, as whoever has all rights."""

    def __init__(self, behind, port, name) -> None:
        self.behind = behind
        self.port = port
        self.index = f"docs-{name}"

    def command(self, method, path, *options, key=None):
        key = self.behind.server.admin if key is None else key
        where = ("--resolve", f"{NAME}:{self.port}:127.0.0.1", "--cacert", self.behind.authority)
        url = f"https://{NAME}:{self.port}{path}"
        keyed = ("-H", f"authorization: Bearer {key}")
        return ["curl", "-sS", "-m", "15", "-X", method, *map(str, where), *keyed, *options, url]

    def __call__(self, method, path, body=None, *options, key=None):
        """Return the status and the body of an answer."""
        sent = () if body is None else ("-H", "content-type: application/json", "-d", "@-")
        command = self.command(method, path, *sent, *options, "-w", "\n%{http_code}", key=key)
        given = None if body is None else json.dumps(body).encode()
        done = subprocess.run(command, input=given, capture_output=True, check=True)
        text, _, status = done.stdout.decode().rpartition("\n")
        return int(status), text

    def make(self):
        assert self("POST", "/v1/indexes", {"name": self.index})[0] in (201, 409)
        return f"/v1/indexes/{self.index}"


def test_questions_go_through_and_strangers_do_not(proxy):
    path = proxy.make()
    passages = {"passages": [{"id": "a/b c", "text": "Hold the key."}]}
    assert proxy("PUT", f"{path}/passages", passages)[0] == 200
    status, text = proxy("POST", f"{path}/search", {"query": "Where is the key?"})
    assert (status, json.loads(text)["results"][0]["hits"][0]["id"]) == (200, "a/b c")
    status, text = proxy("GET", f"{path}/passages/a%2Fb%20c")
    assert (status, json.loads(text)["text"]) == (200, "Hold the key.")
    assert proxy("POST", f"{path}/search", {"query": "a"}, key="nothing")[0] == 401
    assert proxy("GET", "/readyz")[0] == 200
    assert proxy("GET", "/metrics")[0] == 200
    # Another name is nobody's, be it here or behind.
    assert "ok" not in proxy("GET", "/livez", None, "-H", "host: evil.example.com")[1]


def test_the_playground_asks_through_it_and_pages_of_others_do_not(proxy):
    status, page = proxy("GET", "/")
    assert (status, page) == (200, PAGES["index.html"].body.decode())
    path = f"{proxy.make()}/search"
    # On its own port, which browsers leave out, as the proxies' configurations are for.
    asked = ("-H", f"host: {NAME}")
    own = ("-H", f"origin: https://{NAME}")
    assert proxy("POST", path, {"query": "a"}, *asked, *own)[0] == 200
    for origin in (f"http://{NAME}", f"https://{NAME}:8443", "https://evil.example.com", "null"):
        given = ("-H", f"origin: {origin}")
        status, text = proxy("POST", path, {"query": "a"}, *asked, *given)
        assert (status, json.loads(text)["code"]) == (403, "forbidden"), origin


def test_the_proxy_says_where_a_request_is_from_and_clients_do_not(proxy):
    forged = ("-H", "x-forwarded-for: 203.0.113.9", "-H", f"x-request-id: from-{proxy.index}")
    assert proxy("GET", "/v1/indexes", None, *forged)[0] == 200
    log = "".join(file.read_text() for file in sorted(proxy.behind.audit.glob("*.jsonl")))
    assert "203.0.113.9" not in log
    lines = [json.loads(line) for line in log.splitlines() if f"from-{proxy.index}" in line]
    assert [one["remote"] for one in lines] == ["127.0.0.1"]


def test_commits_are_told_while_passages_are_still_sent(proxy, tmp_path):
    path, many = f"{proxy.make()}/passages", 4 * 256
    lines = [
        json.dumps({"id": f"line-{n}", "text": f"Passage {n}", "metadata": {"n": "n" * 400}})
        for n in range(many)
    ]
    given = tmp_path / "passages"
    given.write_text("\n".join(lines))
    kinds = ("-H", "content-type: application/x-ndjson", "-H", "accept: application/x-ndjson")
    slowly = ("-N", "--no-progress-meter", "--limit-rate", "200K")
    command = proxy.command("POST", f"{path}:stream", *kinds, *slowly, "-T", str(given))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
        assert json.loads(curl.stdout.readline()) == {"committed": 256, "through_line": 256}
        ids = {"ids": [f"line-{n}" for n in range(256, many)][:1000]}
        there = json.loads(proxy("POST", f"{path}:get", ids)[1])["passages"]
        assert len(there) < len(ids["ids"])
        rest = [json.loads(line) for line in curl.stdout]
    assert curl.returncode == 0
    assert rest[-1] == {"end": True, "added": many, "lines": many}
    status, text = proxy("POST", f"{path}:list", {"where": {"$id": {"$in": ["line-0"]}}})
    assert (status, text.splitlines()[-1]) == (200, '{"end":true}')


def test_the_proxy_refuses_what_the_server_would(proxy):
    path = proxy.make()
    passages = {"passages": [{"id": "x", "text": "x" * (33 << 20)}]}
    status, text = proxy("PUT", f"{path}/passages", passages)
    assert status in (413, 503)
    assert json.loads(text)["code"] in ("too-large", "starting")


def test_who_asks_while_there_is_no_server_is_told_to_come_back(proxy, tmp_path):
    place = Place(
        *(tmp_path, tmp_path / "none.sock", proxy.behind.certificate, proxy.behind.key),
        free_port(),
    )
    name = proxy.index.removeprefix("docs-")
    with running(COMMANDS[name](place), place):
        other = Asking(proxy.behind, place.port, name)
        status, text = other("GET", "/v1/indexes", None, "-D", str(tmp_path / "head"))
    assert (status, json.loads(text)["code"]) == (503, "starting")
    assert "retry-after: 2" in (tmp_path / "head").read_text().lower()
