"""``lfm2-colbert adapt``: a model that learns an index's texts, and the gate that judges it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .adapt_migrate import NOT_ADOPTED, forget, migrate, rollback, status
from .adapt_options import (
    AskedIndexOption,
    GuardOption,
    IntoOption,
    JudgedModelOption,
    MemoryOption,
    MethodOption,
    MinutesOption,
    NewModelOption,
    NewWorkOption,
    NoLabelsOption,
    PairsOption,
    QrelsOption,
    QueriesOption,
    ReportOption,
    SeedOption,
    WorkFolder,
    read_memory,
    read_options,
)
from .adapt_tables import figures_table
from .options import IndexFolder, JsonFlag
from .output import count, echo_json, make_console, note

if TYPE_CHECKING:
    from ..retriever import Retriever
    from ..training import TrainingSettings, Verdict, Work

__all__ = ["adapt"]

adapt = typer.Typer(
    help="Adapt a model to the texts of an index, and judge it before it is used.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@adapt.callback()
def _adapt() -> None:
    """Adapt a model to the texts of an index, and judge it before it is used.

    Nothing leaves the machine. The index stays as it is until 'adapt migrate'.
    """


@adapt.command("mine")
def mine_(
    folder: IndexFolder,
    into: NewWorkOption,
    pairs: PairsOption = None,
    queries: QueriesOption = None,
    qrels: QrelsOption = None,
    no_labels: NoLabelsOption = False,
    guard: GuardOption = None,
    method: MethodOption = "query",
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Prepare: divide labelled questions, and find passages that are no answers to them.

    Three fifths train, one chooses, one judges; no passage is on two sides. Fewer than 1,000 all
    train a query adapter and all judge it, in five parts. The work folder holds questions and ids
    of passages, and is its owner's alone.
    """
    from ..training import mine

    with _open(folder) as retriever:
        labels = read_options(retriever, pairs, queries, qrels, no_labels)
        work = mine(
            *(retriever, labels),
            into=into,
            own=no_labels,
            guard=guard,
            method=method,
            seed=seed,
        )
    _tell(work)
    if as_json:
        echo_json({"work": str(work.folder), **_shown(work)})
    else:
        counts = work.manifest["counts"]
        told = ", ".join(f"{side} {number:,}" for side, number in counts.items())
        typer.echo(f"{work.folder}: {told} questions.")


@adapt.command("train")
def train_(
    work: WorkFolder,
    into: NewModelOption,
    method: MethodOption = "query",
    minutes: MinutesOption = 10.0,
    memory: MemoryOption = None,
    seed: SeedOption = 0,
    index: AskedIndexOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Train with the questions of a work folder, on this machine alone.

    The new folder appears whole or not at all. Whether the model helps, 'adapt evaluate' says.
    """
    from ..training import Work, train_on

    opened = Work.open(work)
    settings = _settings(method, minutes, memory, seed)
    with _open(_index_of(opened, index)) as retriever:
        trained = train_on(opened, retriever, into, settings)
    if as_json:
        echo_json({"folder": str(trained.folder), **trained.to_dict()})
    else:
        typer.echo(
            f"{trained.folder}: {count(trained.steps, 'step')} in {trained.seconds:,.0f} s; of the "
            f"training questions {trained.right_before:.0%} were right before, "
            f"{trained.right_after:.0%} are now."
        )


@adapt.command("evaluate")
def evaluate_(
    work: WorkFolder,
    model: JudgedModelOption,
    index: AskedIndexOption = None,
    report: ReportOption = True,
    as_json: JsonFlag = False,
) -> None:
    """Judge a model on the questions that were kept for it, and on what it must not forget.

    Ends with exit code 3 where the model is not adopted, and says why.
    """
    from ..training import Work, judge

    opened = Work.open(work)
    home = _index_of(opened, index)
    with _open(home) as retriever:
        verdict = judge(opened, retriever, model, report=report)
    _show(verdict, opened, home, as_json=as_json)


@adapt.command("run")
def run_(
    folder: IndexFolder,
    into: IntoOption = None,
    pairs: PairsOption = None,
    queries: QueriesOption = None,
    qrels: QrelsOption = None,
    no_labels: NoLabelsOption = False,
    guard: GuardOption = None,
    method: MethodOption = "query",
    minutes: MinutesOption = 10.0,
    memory: MemoryOption = None,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Mine, train and evaluate, and print the command that puts the model into service.

    The model lies beside the work folder, with '.model' behind its name. Run again after it was
    interrupted, it goes on. Ends with exit code 3 where the model is not adopted.
    """
    from ..training import Work, adapt

    settings = _settings(method, minutes, memory, seed)
    home = folder.with_name(f"{folder.name}.work") if into is None else into
    with _open(folder) as retriever:
        labels = read_options(retriever, pairs, queries, qrels, no_labels)
        verdict = adapt(
            *(retriever, labels),
            into=home,
            settings=settings,
            own=no_labels,
            guard=guard,
            seed=seed,
        )
    work = Work.open(home)
    _tell(work)
    _show(verdict, work, folder, as_json=as_json)


@adapt.command("purge")
def purge_(work: WorkFolder, as_json: JsonFlag = False) -> None:
    """Remove a work folder, and what the cache of converted models holds of what it trained.

    The trained model stays.
    """
    from ..training import purge

    files = purge(work)
    if as_json:
        echo_json({"work": str(work), "files": files})
    else:
        typer.echo(f"{work}: {count(files, 'file')} removed.")


for _command in (migrate, status, rollback, forget):
    adapt.command()(_command)


def _open(folder: Path) -> Retriever:
    from ..retriever import Retriever

    return Retriever.open(folder, read_only=True)


def _index_of(work: Work, named: Path | None) -> Path:
    if named is not None:
        return named
    if work.identity.index is None:
        raise typer.BadParameter(
            f"{work.folder} was made of an index in memory; name one with --index DIR."
        )
    return Path(work.identity.index)


def _settings(
    method: MethodOption, minutes: float, memory: str | None, seed: int
) -> TrainingSettings:
    from ..training import TrainingSettings

    allowed = read_memory(memory)
    given: dict[str, Any] = {} if allowed is None else {"memory": allowed}
    return TrainingSettings(method=method, minutes=minutes, seed=seed, **given)


def _tell(work: Work) -> None:
    for line in work.manifest["notes"]:
        note(line)


def _shown(work: Work) -> dict[str, Any]:
    """Return what the manifest says, without digests of passages."""
    return {key: value for key, value in work.manifest.items() if key not in ("format", "identity")}


def _show(verdict: Verdict, work: Work, index: Path, *, as_json: bool) -> None:
    for line in verdict.notes:
        note(line)
    then = shlex.join(
        ["lfm2-colbert", "adapt", "migrate", str(index), "--model", str(verdict.folder)]
    )
    if as_json:
        told = {"model_folder": str(verdict.folder), "migrate": then}
        echo_json({**verdict.to_dict(), **(told if verdict.adopted else {})})
    else:
        make_console().print(figures_table(verdict))
        if verdict.adopted:
            typer.echo(f"Adopted. Put it into service with: {then}")
        for reason in verdict.reasons:
            typer.echo(f"Not adopted: {reason}")
    if (report := work.folder / "report" / "report.html").is_file():
        note(f"The questions that changed are in {report}.")
    if not verdict.adopted:
        raise typer.Exit(NOT_ADOPTED)
