"""Whatever passages hold is text: no script runs, nothing is fetched, nothing else turns around."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag.server.page_routes import PAGES

from ..server.running import running
from .browsing import require_browser

require_browser()

RUN = "window.ran=1"
HOSTILE = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}><animate onbegin={RUN} attributeName=x dur=1s>",
    f"</style><script>{RUN}</script>",
    f"</textarea></title><iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f'"><a href="javascript:{RUN}" autofocus onfocus={RUN}>',
    f"'-{RUN}-'",
    "{{constructor.constructor('window.ran=1')()}} ${window.ran=1} <%= 1 %> #{1}",
    "<link rel=stylesheet href=https://example.com/a.css><img src=https://example.com/a.png>",
    "<meta http-equiv=refresh content='0;url=https://example.com/'>",
    "<form action=https://example.com><input name=key></form><base href=https://example.com>",
    "a\u202egnp.exe \u2066 \u2067 \u202d b \u200f c \ufeff d",
    "nul \x00 bell \x07 escape \x1b[31m delete \x7f",
    "w" * 20_000,
    "Z\u0300\u0301\u0302\u0303\u0304" * 200,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U000e0041 \U0010ffff \ufffe",
)
NAMED = ("\x00", "\x07", "\x1b", "\x7f", "\u202d", "\u202e")


def shown(text):
    """Return a passage as the page shows it: what cannot be seen, and turns text around, named."""
    return "".join(f"‹{ord(one):04X}›" if one in NAMED else one for one in text)


@pytest.fixture(scope="module")
def hostile(server):
    """Make an index of nothing else; return its passages by id."""
    server.make("hostile")
    passages = [
        {
            "id": f"{number} {text[:300]}",
            "text": f"passage {text}",
            "metadata": {"n": number, text[:100]: text, "list": [text, {"in": text}]},
        }
        for number, text in enumerate(HOSTILE)
    ]
    passages.append({"id": "__proto__", "text": "passage", "metadata": {"__proto__": {"a": "b"}}})
    for one in passages:
        body = {"passages": [one]}
        added = server.ask("PUT", "/v1/indexes/hostile/passages", body)
        assert added.status_code in (200, 400), added.text
        if added.status_code == 400:  # what the server itself refuses cannot come to the page
            one["id"] = ""
    ids = {"ids": [one["id"] for one in passages if one["id"]]}
    found = server.ask("POST", "/v1/indexes/hostile/passages:get", ids).json()["passages"]
    kept = {one["id"]: one["text"] for one in found}
    assert len(kept) > 12
    return kept


@pytest.mark.parametrize("mode", ["", "all"])
def test_passages_are_shown_as_the_text_that_they_are(playground, hostile, mode):
    page = playground().connect().choose("hostile")
    page.page.fill("#k", "100")
    page.page.check(f"[name=mode][value='{mode}']")
    page.ask("passage <script>window.ran=1</script> \u202e onerror")
    texts = page.texts(".column:first-child .text")
    assert len(texts) == len(hostile)
    while page.page.locator(".more").count():  # each goes once it was used
        page.page.locator(".more").first.click()
    assert sorted(page.texts(".column:first-child .text")) == sorted(map(shown, hostile.values()))
    for words in page.page.locator(".words summary").all():
        words.click()
    for word in page.page.locator(".word").all():
        word.hover()
    kinds = page.page.eval_on_selector_all(
        "main *, #told *", "all => [...new Set(all.map((one) => one.localName))]"
    )
    assert not {"script", "img", "svg", "iframe", "a", "style", "link", "meta"} & set(kinds)
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.require_clean()


def test_names_and_values_are_named_where_they_cannot_be_seen(playground, hostile):
    page = playground().connect().choose("hostile")
    page.page.fill("#k", "100")
    page.ask("passage")
    for text in page.texts(".id, .metadata, .legs"):
        assert not set(text) & {*NAMED, "\u2066", "\u2067", "\u200f", "\ufeff"}
    assert max(map(len, page.texts(".metadata dd"))) < 2000, "long values are cut"


def test_fields_of_any_name_can_be_filtered_by(playground, server, hostile):
    page = playground().connect().choose("hostile")
    page.page.click("#filter summary")
    page.page.click("text=Add a condition")
    fields = server.ask("GET", "/v1/indexes/hostile").json()["fields"]
    assert page.page.locator(".conditions option").count() > len(fields)
    for place, field in enumerate(fields):
        page.page.select_option("[aria-label=Field]", str(place))
        page.page.select_option("[aria-label=Comparison]", "exists")
        with page.page.expect_request(lambda one: one.url.endswith("/search")) as asked:
            page.ask("passage")
        assert asked.value.post_data_json["where"] == {field["name"]: {"$exists": True}}
        assert page.page.locator(".problem").count() == 0, field["name"]


def test_names_of_files_and_words_of_problems_are_text(playground, server, index):
    server.make(index)
    page = playground().connect().choose(index)
    name = f"<img src=x onerror={RUN}>\u202e.ndjson"
    file = {"name": name, "mimeType": "", "buffer": b'{"text": "<b>bold</b>", "<i>": 1}\n'}
    page.page.set_input_files("#file", file)
    page.page.wait_for_selector("#ingest .problem")
    assert f"<img src=x onerror={RUN}>‹202E›.ndjson" in page.page.text_content("#ingest .file")
    page.page.click("#filter summary")
    page.page.check("#filter [type=checkbox]")
    page.page.fill("#filter textarea", f'{{"a": {{"$<img src=x onerror={RUN}>": 1}}}}')
    page.ask("passage")
    page.page.wait_for_selector("#results .problem")


def test_the_page_may_do_nothing_but_ask_its_server(playground):
    opened = playground()
    page = opened.page
    # Later than the call itself, for which the browser lets those who test do more.
    allowed = """async () => {
      await new Promise((done) => setTimeout(done, 10));
      const tried = {};
      const fails = async (name, act) => {
        try { await act(); tried[name] = "done"; } catch { tried[name] = "refused"; }
      };
      await fails("eval", () => eval("1"));
      await fails("markup", () => (document.body.innerHTML = "<b>a</b>"));
      await fails("elsewhere", () => fetch("https://example.com/"));
      await fails("inline", () => {
        const script = document.createElement("script");
        script.textContent = "window.ran = 1";
        document.head.append(script);
      });
      return tried;
    }"""
    tried = page.evaluate(allowed)
    assert tried == dict.fromkeys(("eval", "markup", "elsewhere", "inline"), "refused")
    assert page.evaluate("window.ran") is None
    assert len(page.evaluate("window.forbidden")) >= 4, "and the browser reports it"
    page.reload()
    opened.said.clear()  # what the browser said of it


def test_no_page_of_others_can_frame_it(browser, server, tmp_path):
    with running(tmp_path) as other:
        page = browser.new_page()
        page.goto(f"{other.url}/livez")
        page.set_content(f"<iframe src='{server.url}/'></iframe>")
        page.wait_for_timeout(300)
        framed = page.frames[1]
        assert framed.locator("#connect").count() == 0
        page.close()


def test_the_policy_lets_in_nothing_that_is_not_the_servers_own():
    for route in PAGES:
        policy = dict(route.headers)[b"content-security-policy"].decode()
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "https:" not in policy
