"""The one call: labels in, a model that was trained and judged out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .._support.paths import PathLike, absolute_path
from .._support.progress import ProgressLike
from ..errors import ConfigError
from .fitting import train_on, was_trained
from .judging import judge
from .preparing import labels_digest, mine, read_labels
from .settings import TrainingSettings
from .work import MANIFEST, Work

if TYPE_CHECKING:
    from ..retriever import Retriever
    from .labels import Labels
    from .pairs import PairsLike
    from .pseudo import Generate
    from .verdict import Verdict

__all__ = ["adapt"]


def adapt(
    retriever: Retriever,
    pairs: PairsLike | Labels | None = None,
    *,
    into: PathLike | None = None,
    model: PathLike | None = None,
    settings: TrainingSettings | None = None,
    own: bool | Generate = False,
    guard: PathLike | None = None,
    seed: int = 0,
    progress: ProgressLike = None,
) -> Verdict:
    """Adapt an index's model to its texts, and say whether that helped.

    Mines, trains and judges; the index itself stays as it is. With an adopted verdict,
    ``retriever.migrate(verdict.folder)`` puts the model into service. What was done before is not
    done again: called a second time after it was interrupted, it goes on.

    Args:
        retriever: the index.
        pairs: labels, see :func:`~.pairs.read_pairs`; None where there are none.
        into: the work folder; beside the index, with ``.work`` behind its name, when None.
        model: the new folder of the model; beside the work folder, with ``.model`` behind its
            name, when None.
        settings: how to train; a query adapter by default, for which nothing is encoded again.
        own: see :func:`~.preparing.mine`.
        guard: see there.
        seed: of the division and of the training, unless settings have another.
        progress: see ``Retriever.add``.

    Returns:
        The verdict. It is kept in both folders.

    Raises:
        InputError: labels that cannot be used.
        ConfigError: a folder holds something else, or an index in memory without ``into``.
        MissingExtraError: ir-measures, or what the method needs, is not installed.

    Example:
        >>> verdict = adapt(retriever, "pairs.jsonl")  # doctest: +SKIP
        >>> if verdict.adopted:  # doctest: +SKIP
        ...     retriever.migrate(verdict.folder)
    """
    home = _home(retriever, into)
    target = absolute_path(model) if model is not None else home.with_name(f"{home.name}.model")
    chosen = TrainingSettings(seed=seed) if settings is None else settings
    labels = read_labels(retriever, pairs)
    if (home / MANIFEST).is_file():
        work = _known(home, retriever, labels, seed)
    else:
        work = mine(
            *(retriever, labels),
            into=home,
            own=own,
            guard=guard,
            method=chosen.method,
            seed=seed,
            progress=progress,
        )
    if not (target.is_dir() and was_trained(work, target, chosen)):
        train_on(work, retriever, target, chosen, progress=progress)
    return judge(work, retriever, target, progress=progress)


def _home(retriever: Retriever, into: PathLike | None) -> Path:
    if into is not None:
        return absolute_path(into)
    if retriever.path is None:
        raise ConfigError("an index in memory lies nowhere: name the work folder with into=.")
    return retriever.path.with_name(f"{retriever.path.name}.work")


def _known(home: Path, retriever: Retriever, labels: Labels | None, seed: int) -> Work:
    """Open a work folder that was made of the same labels."""
    work = Work.open(home)
    work.require(retriever)
    if work.manifest.get("labels") != labels_digest(labels, seed):
        raise ConfigError(
            f"{home} holds other labels, or was made with another seed than {seed}. Name another "
            f"folder, or remove it: lfm2-colbert adapt purge {home}"
        )
    return work
