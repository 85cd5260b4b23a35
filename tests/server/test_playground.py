"""The playground, without a browser: its files, their headers, and what its code keeps to."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from lfm2_colbert_rag.server.handlers.pages import PAGES

from .running import running

FOLDER = files("lfm2_colbert_rag.server") / "playground"
SCRIPTS = sorted(name for name in PAGES if name.endswith(".js"))


def test_it_needs_no_key_and_lets_nothing_in(server):
    for path in ("/", *(f"/playground/{name}" for name in PAGES)):
        answer = server.client.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert len(answer.headers.get_list("content-security-policy")) == 1


def test_all_of_the_folder_is_sent_as_what_it_is(server):
    assert set(PAGES) == {one.name for one in FOLDER.iterdir() if one.is_file()}
    media = {
        "html": "text/html",
        "js": "text/javascript",
        "css": "text/css",
        "svg": "image/svg+xml",
    }
    for name in PAGES:
        answer = server.client.get(f"/playground/{name}")
        assert answer.content == (FOLDER / name).read_bytes()
        assert answer.headers["content-type"].startswith(media[name.rpartition(".")[2]])
    assert server.client.get("/").content == (FOLDER / "index.html").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        *("none.js", "%2e%2e", "..%2frun.py", "%2e%2e%2fkeys.json", "app.js%00", "APP.JS"),
        *("%2fetc%2fpasswd", "playground%2fapp.js", "__init__.py", "a" * 3000, "app.js/"),
    ],
)
def test_there_is_nothing_else(server, name):
    answer = server.client.get(f"/playground/{name}")
    assert answer.status_code == 404
    assert answer.json()["code"] in ("page-not-found", "no-route")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_it_can_be_left_out(tmp_path):
    with running(tmp_path, "--without", "playground") as plain:
        for path in ("/", "/playground/app.js", "/playground/none"):
            assert plain.client.get(path).json()["code"] == "no-route"
        own = {"origin": plain.url}
        answer = plain.ask("POST", "/v1/indexes", {"name": "docs"}, headers=own)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert "/playground/{file}" not in plain.ask("GET", "/openapi.json").json()["paths"]


def test_its_own_origin_may_ask_and_no_other(server, index):
    made = server.ask("POST", "/v1/indexes", {"name": index}, headers={"origin": server.url})
    assert made.status_code == 201
    path, body = f"/v1/indexes/{index}/search", {"query": "a"}
    for origin in ("null", "https://evil.example", server.url.replace("http", "https")):
        answer = server.ask("POST", path, body, headers={"origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert "access-control-allow-origin" not in answer.headers
    strange = {"origin": "http://evil.example", "host": "evil.example"}
    assert server.ask("POST", path, body, headers=strange).status_code == 421


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_make_no_markup_of_texts_and_fetch_from_nowhere_else(name):
    code = (FOLDER / name).read_text("utf-8")
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "srcdoc",
    ):
        assert word not in code
    assert not re.search(
        r"DOMParser|createContextualFragment|new Function|setAttribute\(\"on", code
    )
    assert not re.search(r"https?://", code)
    for imported in re.findall(r'^import .* from "([^"]+)"', code, re.M):
        assert imported.removeprefix("./") in PAGES
    # A type in a comment is written as an import, too.
    for imported in re.findall(r'import\("([^"]+)"\)', code):
        assert imported.removeprefix("./") in PAGES
    assert len(code.splitlines()) < 250


def test_the_page_names_only_what_is_there_and_styles_nothing_by_itself():
    page = (FOLDER / "index.html").read_text("utf-8")
    for path in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert path.removeprefix("playground/") in PAGES
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", page)
    assert re.findall(r"<script[^>]*>([^<]*)", page) == ["", ""]
    style = (FOLDER / "playground.css").read_text("utf-8")
    assert not re.search(r"url\(|@import|https?:", style)
