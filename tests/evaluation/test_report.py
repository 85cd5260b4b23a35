"""Reports: well-formed, escaped, self-contained, and true to the figures."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.evaluation import (
    Dataset,
    evaluate,
    evaluate_family,
    load_evaluations,
    load_family,
    score_run,
    write_report,
)
from lfm2_colbert_rag.evaluation.report_html import to_html
from lfm2_colbert_rag.evaluation.report_markdown import to_markdown
from lfm2_colbert_rag.evaluation.report_tables import differences
from lfm2_colbert_rag.types import Passage

pytest.importorskip("ir_measures", reason="the extra 'evaluation' is not installed")

VOID = {"meta", "br", "img", "link", "input", "hr"}
HOSTILE = '<script>alert("x")</script> & \' <img src=x onerror=y> | *a* `b` \n# c'


class Page(HTMLParser):
    """Every element closed in order; tags, attributes and text kept."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def all_text(self, *tags):
        return [data for tag, data in self.texts if not tags or tag in tags]


@pytest.fixture
def hostile():
    """An evaluation whose every text wants to break out."""
    names = {"good": HOSTILE + "1", "bad": HOSTILE + "2"}
    dataset = Dataset(
        [Passage(names["good"], f"away {HOSTILE}"), Passage(names["bad"], f"key {HOSTILE}")],
        {HOSTILE: f"key {HOSTILE}"},
        {HOSTILE: {names["good"]: 1}},
        HOSTILE,
    )
    return evaluate(dataset, measures=["RR@1"], model="hash")


@pytest.fixture
def family(family_folder):
    return evaluate_family(load_family(family_folder), model="hash")


def two_modes(retriever, dataset):
    """An evaluation with a second mode that finds nothing."""
    late = evaluate(dataset, retriever, modes=["late"])
    nothing = score_run({}, dataset, mode="lexical")
    return dataclasses.replace(late, modes={**late.modes, **nothing.modes})


def test_hostile_texts_stay_texts(hostile):
    page = Page(to_html([hostile]))
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img"}
    assert {key for _, attrs in page.tags for key in attrs} <= {
        "lang", "charset", "name", "content", "class", "style", "title", "dir",
    }  # fmt: skip
    assert HOSTILE in page.all_text("h1")
    assert HOSTILE + "1" in page.all_text("bdi")
    shown = "".join(page.all_text())
    assert f"away {HOSTILE}" in shown


def test_the_page_needs_no_network(hostile, family):
    for evaluations in ([hostile], family):
        text = to_html(evaluations)
        page = Page(text)
        assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
        assert not {"src", "href"} & {key for _, attrs in page.tags for key in attrs}
        assert "url(" not in "".join(page.all_text("style"))
        assert "@import" not in text


def test_texts_of_any_direction_are_set_by_themselves(hostile):
    page = Page(to_html([hostile]))
    assert {attrs.get("dir") for tag, attrs in page.tags if tag == "h3"} == {"auto"}
    assert any(tag == "p" and attrs.get("dir") == "auto" for tag, attrs in page.tags)


def test_the_heat_map_has_a_cell_a_pair(family):
    page = Page(to_html(family))
    maps = [attrs for tag, attrs in page.tags if tag == "table" and attrs.get("class") == "map"]
    cells = [attrs for tag, attrs in page.tags if tag == "td" and "background" in str(attrs)]
    assert len(maps) == 3  # a measure each
    assert len(cells) == 3 * 4
    for one in family:
        asked, searched = one.languages
        mean = one.result().means["nDCG@10"].mean
        wanted = f"{asked} → {searched}: {mean:.4f}"
        assert sum(attrs["title"].startswith(wanted) for attrs in cells) >= 1
    perfect = next(attrs for attrs in cells if attrs["title"].startswith("en → en: 1.0000"))
    assert "#104e70" in perfect["style"]


def test_pairs_that_were_not_asked_are_empty(family):
    page = Page(to_html(family[:3]))
    assert sum(attrs.get("class") == "none" for tag, attrs in page.tags if tag == "td") == 3
    assert "|  |" in to_markdown(family[:3])


def test_one_dataset_has_no_heat_map(retriever, dataset):
    assert 'class="map"' not in to_html([evaluate(dataset, retriever)])


def test_figures_are_those_of_the_evaluation(retriever, dataset):
    evaluation = evaluate(dataset, retriever)
    page, markdown = Page(to_html([evaluation])), to_markdown([evaluation])
    for mean in evaluation.result().means.values():
        assert f"{mean.mean:.3f}" in page.all_text("b")
        assert f"{mean.low:.3f} – {mean.high:.3f}" in page.all_text("small")
        assert f"**{mean.mean:.3f}** ({mean.low:.3f} to {mean.high:.3f})" in markdown


def test_worst_queries_show_their_evidence(retriever, dataset):
    evaluation = evaluate(dataset, retriever)
    failure = evaluation.result().worst[0]
    page, markdown = Page(to_html([evaluation])), to_markdown([evaluation])
    headings = "".join(page.all_text("h3", "u"))
    assert failure.text in headings
    answer = failure.expected[0]
    place = f"{answer.rank}." if answer.rank else "not in first"
    assert any(text.startswith(place) for text in page.all_text("b"))
    first = failure.found[0]
    marked = {first.text[slice(*one.passage)] for one in first.evidence}
    assert marked <= set(page.all_text("mark"))
    assert "should be found" in markdown


def test_modes_that_differ_are_marked():
    queries = {f"q{n}": "asked" for n in range(20)}
    dataset = Dataset(None, queries, {id: {"good": 1} for id in queries})
    first = score_run({id: {"good": 1.0} for id in queries}, dataset, mode="late")
    second = score_run({id: {"bad": 2.0, "good": 1.0} for id in queries}, dataset, mode="lexical")
    both = dataclasses.replace(first, modes={**first.modes, **second.modes})
    found = differences(both)
    assert found["lexical", "nDCG@10"].sign == "▼"
    assert found["lexical", "R@10"].sign == ""
    assert found["lexical", "R@10"].p == 1
    page, markdown = Page(to_html([both])), to_markdown([both])
    assert page.all_text().count("▼") == 2
    assert markdown.count("**▼") == 2
    reverse = dataclasses.replace(first, modes={**second.modes, **first.modes})
    assert differences(reverse)["late", "RR@10"].sign == "▲"


def test_markdown_is_escaped(hostile):
    text = to_markdown([hostile])
    assert "<script" not in text
    assert not re.search(r"(?<!\\)<", text)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_the_folder_of_a_report(tmp_path, retriever, dataset):
    both = two_modes(retriever, dataset)
    written = write_report(both, tmp_path / "a" / "report", datasets=[dataset])
    assert [path.name for path in written] == [
        "report.html", "report.md", "evaluation.json", "run.late.txt", "qrels.txt",
    ]  # fmt: skip
    assert load_evaluations(written[2]) == [both]
    assert write_report([both], tmp_path / "a" / "report")  # again, over the same files
    with pytest.raises(InputError, match="no evaluation to report"):
        write_report([], tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_family_writes_a_run_a_pair(tmp_path, family):
    names = {path.name for path in write_report(family, tmp_path)}
    assert {"run.en-de.hybrid.txt", "run.de-de.hybrid.txt"} <= names
