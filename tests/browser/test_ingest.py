"""Files that are dropped on the page become passages."""

from __future__ import annotations

import json

import pytest

from .browsing import require_browser

require_browser()


def lines(count):
    return [
        json.dumps({"id": f"line-{n}", "text": f"This is line {n}."}) for n in range(1, count + 1)
    ]


def dropped(page, name, content):
    """Give the page a file, and wait until it is done with it."""
    content = content.encode() if isinstance(content, str) else content
    page.page.set_input_files("#file", {"name": name, "mimeType": "", "buffer": content})
    page.page.wait_for_selector("#ingest p:has-text('Done'), #ingest .problem")
    return page.page.text_content("#ingest .progress")


@pytest.fixture
def page(playground, server, index):
    """Open the page with an empty index."""
    server.make(index)
    return playground().connect().choose(index)


def count(server, index):
    return server.ask("POST", f"/v1/indexes/{index}/count", {}).json()["count"]


def listed(server, index):
    answer = server.ask("POST", f"/v1/indexes/{index}/passages:list", {})
    return [one for one in map(json.loads, answer.text.splitlines()) if "id" in one]


def test_600_lines_dropped_on_the_page_are_passages(page, server, index):
    page.page.evaluate(
        """() => {
          window.steps = [];
          new MutationObserver(() => {
            const said = document.querySelector("#ingest .progress p:nth-of-type(2)")?.textContent;
            const bar = document.querySelector("#ingest progress");
            window.steps.push([said, bar?.value / bar?.max]);
          }).observe(document.querySelector("#ingest"), {subtree: true, childList: true});
        }"""
    )
    page.page.evaluate(
        """(text) => {
          const carried = new DataTransfer();
          carried.items.add(new File([text], "manual.ndjson"));
          for (const name of ["dragover", "drop"]) {
            document.querySelector("#results").parentElement.dispatchEvent(
              new DragEvent(name, {dataTransfer: carried, bubbles: true, cancelable: true}));
          }
        }""",
        "\n".join(lines(600)),
    )
    page.page.wait_for_selector("#ingest p:has-text('Done: 600 passages added.')")
    assert count(server, index) == 600
    steps = page.page.evaluate("window.steps")
    said = list(dict.fromkeys(one for one, _ in steps))
    assert said == [
        *("Reading…", "256 passages added", "512 passages added", "600 passages added"),
        "Done: 600 passages added.",
    ]
    assert page.page.eval_on_selector("#ingest progress", "one => one.value === one.max")
    page.page.wait_for_selector("#facts:has-text('600 passages')")
    page.ask("line 7")
    assert page.page.locator(".hit").count() == 10


def test_a_bad_line_is_named_as_the_file_counts(page, server, index):
    given = lines(600)
    given[299] = '{"id": "bad", "text": 5}'
    given.insert(0, "")  # blank lines count, too
    said = dropped(page, "manual.jsonl", "\n".join(given))
    assert "line 301" in said
    assert "256 passages added in whole blocks" in said
    assert count(server, index) == 299
    page.page.wait_for_selector("#facts:has-text('299 passages')")
    given[300] = lines(300)[-1]
    assert "Done: 600" in dropped(page, "manual.jsonl", "\n".join(given))
    assert count(server, index) == 600


def test_paragraphs_are_passages(page, server, index):
    text = "\ufeffFirst line,\r\nstill the first.\r\n\r\n\r\nزر إعادة الضبط\n\n𠮷野家"
    dropped(page, "notes.txt", text)
    found = [(one["id"], one["text"], one["metadata"]) for one in listed(server, index)]
    source = {"source": "notes.txt"}
    assert found == [
        ("notes.txt#1", "First line,\nstill the first.", source),
        ("notes.txt#2", "زر إعادة الضبط", source),
        ("notes.txt#3", "𠮷野家", source),
    ]


def test_rows_are_passages(page, server, index):
    rows = 'id,text,author\r\n7,"one, ""two""\nthree",Ada\n8,four,\n,,\n'
    said = dropped(page, "rows.csv", rows)
    found = [(one["id"], one["text"], one["metadata"]) for one in listed(server, index)]
    assert found == [("7", 'one, "two"\nthree', {"author": "Ada"}), ("8", "four", {})], said


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.pdf", "%PDF", ".ndjson, .jsonl, .txt"),
        ("a.txt", b"\xff\xfe\x00", "no UTF-8"),
        ("a.csv", "a,b\n1,2\n", "name a column “text”"),
        ("a.csv", "text,b\n1\n", "Line 2 has 1 cells, and the head 2."),
        ("a.csv", 'text\n"never ends\n', "The quote of line 2 does not end."),
    ],
)
def test_what_is_no_such_file_is_told(page, server, index, name, content, said):
    assert said in dropped(page, name, content)
    assert count(server, index) == 0


def test_it_can_be_cancelled_between_blocks(page, server, index):
    sent = []

    def hold(route):
        sent.append(route.request.url)
        if len(sent) == 2:
            page.page.click("#ingest button")
        route.continue_()

    page.page.route("**/passages:stream", hold)
    content = "\n".join(lines(2000)).encode()
    page.page.set_input_files("#file", {"name": "a.ndjson", "mimeType": "", "buffer": content})
    page.page.wait_for_selector("#ingest p:has-text('Cancelled: 512 passages added.')")
    assert count(server, index) == 512
    assert len(sent) == 2


def test_a_key_that_may_not_write_is_told(playground, server, index):
    server.make(index)
    page = playground().connect(server.key(["search"])).choose(index)
    assert "needs a key with the scope write" in dropped(page, "a.ndjson", lines(1)[0])
    assert count(server, index) == 0


def test_files_and_questions_go_to_the_index_that_is_seen(playground, server, index):
    first, second = f"{index}-a", f"{index}-b"
    server.make(first, {"a": "This is of the first."})
    server.make(second, {"b": "This is of the second."})
    page = playground().connect().choose(first)
    paused = []
    page.page.route(f"**/v1/indexes/{second}", lambda route: paused.append(route))
    page.page.select_option("#index", second)
    dropped(page, "a.ndjson", lines(3)[2])
    assert (count(server, first), count(server, second)) == (1, 2)
    page.page.fill("#question", "first or second")
    page.page.click("#ask button.main")
    page.page.wait_for_timeout(200)
    assert not [one for one in page.asked if one.endswith("/search")], "it is not yet described"
    with page.page.expect_response(lambda one: one.url.endswith(f"/{second}/search")):
        for route in paused:
            route.continue_()
