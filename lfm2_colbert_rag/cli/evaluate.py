"""``lfm2-colbert evaluate``: how good retrieval is on judged queries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .evaluate_options import (
    AskedIndexOption,
    CompareOption,
    CorpusOption,
    DataOption,
    DepthOption,
    LanguagesOption,
    LimitOption,
    MeasuresOption,
    MissingOption,
    ModesOption,
    OwnOption,
    PassageLanguagesOption,
    ProgressOption,
    QrelsOption,
    QueriesOption,
    QueryLanguagesOption,
    ReportOption,
    TitlesOption,
)
from .options import JsonFlag, ModelOption
from .output import count, echo_json, make_console, note, plain

if TYPE_CHECKING:
    from rich.table import Table

    from ..evaluation import Comparison, Dataset, DatasetFamily, Evaluation

__all__ = ["evaluate"]


def evaluate(
    data: DataOption = None,
    corpus: CorpusOption = None,
    queries: QueriesOption = None,
    qrels: QrelsOption = None,
    index: AskedIndexOption = None,
    model: ModelOption = None,
    mode: ModesOption = None,
    measures: MeasuresOption = "nDCG@10,R@10,RR@10",
    k: DepthOption = None,
    languages: LanguagesOption = None,
    queries_lang: QueryLanguagesOption = None,
    passages_lang: PassageLanguagesOption = None,
    limit: LimitOption = None,
    titles: TitlesOption = None,
    missing: MissingOption = "error",
    leave_out_own: OwnOption = None,
    report: ReportOption = None,
    compare: CompareOption = None,
    progress: ProgressOption = True,
    as_json: JsonFlag = False,
) -> None:
    """Measure retrieval on your own queries and judgements.

    Every judged query is asked; measures come from ir-measures, with bootstrap intervals. With
    several modes, arrows mark those that differ from the first by more than chance.

    Without --index, the passages are indexed with --model in a temporary folder. --json prints
    everything that --compare needs: one evaluation, or for several languages one a pair.
    """
    if compare is not None:
        _compare(*compare, as_json=as_json)
        return
    from ..evaluation import Dataset, save_evaluations, write_report

    source = _source(data, corpus, queries, qrels, index, titles, missing, leave_out_own)
    source = _choose(source, languages, queries_lang, passages_lang, limit)
    options = {"modes": None if mode is None else _list(mode), "k": k, "measures": _list(measures)}
    evaluations = _evaluate(source, index, {**options, "model": model, "progress": progress})
    if report is not None:
        judged = source if isinstance(source, Dataset) else next(iter(source))
        written = write_report(evaluations, report, datasets=[judged])
        note(f"Wrote {count(len(written), 'file')}; open {written[0]}.")
    if as_json:
        echo_json(json.loads(save_evaluations(evaluations)))
        return
    console = make_console()
    console.print(_table(evaluations))
    for line in dict.fromkeys(line for one in evaluations for line in one.notes):
        note(line)


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _source(
    data: Path | None,
    corpus: Path | None,
    queries: Path | None,
    qrels: Path | None,
    index: Path | None,
    titles: bool | None,
    missing: Any,
    leave_out_own: bool | None,
) -> Dataset | DatasetFamily:
    from ..evaluation import is_family, load_dataset, load_family

    single = corpus is None and queries is None and qrels is None
    if data is None and (queries is None or qrels is None):
        raise typer.BadParameter(
            "name the data: --data DIR, or --queries and --qrels with --corpus or --index."
        )
    if data is None and corpus is None and index is None:
        raise typer.BadParameter("name the passages: --corpus FILE, or --index DIR.")
    if data is not None and single and is_family(data):
        if index is not None:
            raise typer.BadParameter(
                f"{data} is in several languages, each with an index of its own; leave out --index."
            )
        return load_family(data, titles=titles, missing=missing)
    return load_dataset(
        data,
        corpus=corpus,
        queries=queries,
        qrels=qrels,
        titles=titles,
        missing=missing,
        leave_out_own=leave_out_own,
    )


def _choose(
    source: Dataset | DatasetFamily,
    languages: str | None,
    queries_lang: str | None,
    passages_lang: str | None,
    limit: int | None,
) -> Dataset | DatasetFamily:
    from ..evaluation import Dataset

    named = languages or queries_lang or passages_lang
    if isinstance(source, Dataset):
        if named:
            raise typer.BadParameter("the data is in one language; leave the languages out.")
        return source if limit is None else source.sample(limit)
    asked, searched = (
        _list(some) if some else (_list(languages) if languages else None)
        for some in (queries_lang, passages_lang)
    )
    chosen = source.only(asked, searched)
    return chosen if limit is None else chosen.sample(limit)


def _evaluate(
    source: Dataset | DatasetFamily, index: Path | None, options: dict[str, Any]
) -> list[Evaluation]:
    from ..evaluation import Dataset, evaluate_family
    from ..evaluation import evaluate as evaluate_one
    from ..retriever.facade import Retriever

    if not isinstance(source, Dataset):
        return evaluate_family(source, worst=3, **options)
    if index is None:
        return [evaluate_one(source, **options)]
    model = options.pop("model")
    with Retriever.open(index, model=model, read_only=True) as retriever:
        return [evaluate_one(source, retriever, **options)]


def _table(evaluations: Sequence[Evaluation]) -> Table:
    from rich import box
    from rich.table import Table

    from ..evaluation.report_tables import differences

    measures = evaluations[0].measures
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0))
    for column in ("dataset", "mode"):
        table.add_column(column, overflow="fold")
    for measure in measures:
        table.add_column(measure, justify="right")
    table.add_column("queries", justify="right")
    for one in evaluations:
        differs = differences(one)
        for mode, result in one.modes.items():
            cells = []
            for measure in measures:
                mean, difference = result.means[measure], differs.get((mode, measure))
                sign = difference.sign if difference is not None else ""
                cells.append(f"{mean.mean:.3f}{sign}\n({mean.low:.3f}–{mean.high:.3f})")
            table.add_row(plain(one.dataset), plain(mode), *cells, f"{one.queries:,}")
    return table


def _compare(first: Path, second: Path, *, as_json: bool) -> None:
    from ..evaluation import compare, load_evaluations

    before = {one.dataset: one for one in load_evaluations(first)}
    after = {one.dataset: one for one in load_evaluations(second)}
    if len(before) == len(after) == 1:
        pairs = [(*before.values(), *after.values())]
    else:
        pairs = [(before[name], after[name]) for name in before if name in after]
    if not pairs:
        raise typer.BadParameter(
            f"{first} and {second} have no dataset in common: {', '.join(before)} here, "
            f"{', '.join(after)} there."
        )
    found = [
        (mode, one)
        for a, b in pairs
        for mode in a.modes
        if mode in b.modes or len(a.modes) == len(b.modes) == 1
        for one in compare(a, b, mode_a=mode)
    ]
    if not found:
        raise typer.BadParameter(f"{first} and {second} have no mode in common.")
    if as_json:
        echo_json([{"mode": mode, **one.to_dict()} for mode, one in found])
    else:
        make_console().print(_comparison(found))


def _comparison(found: Sequence[tuple[str, Comparison]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0))
    for column in ("dataset", "mode", "measure"):
        table.add_column(column, overflow="fold")
    for column in ("first", "second", "difference", "p", "better", "worse"):
        table.add_column(column, justify="right")
    for mode, one in found:
        table.add_row(
            plain(one.dataset),
            plain(mode),
            one.measure,
            f"{one.first:.3f}",
            f"{one.second:.3f}",
            f"{one.difference:+.3f}\n{one.low:+.3f} to {one.high:+.3f}",
            f"{one.p:.4f}",
            f"{one.better:,}",
            f"{one.worse:,}",
        )
    return table
