"""The mean of the weights of checkpoints that were trained one from the other.

Their errors differ and their mean lies between them, where the loss is lower (Izmailov et al.,
"Averaging weights leads to wider optima and better generalization", UAI 2018). The mean of a model
and of what further training made of it is often better than either, on what it knew before as well
(Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from .student import Student, load_checkpoint, save_checkpoint


def average(students: Sequence[Student], shares: Sequence[float] | None = None) -> Student:
    """Put the mean of all weights into the first student, and return it.

    Args:
        students: of one shape.
        shares: of each in the mean, scaled to a sum of 1; all alike when None.

    Raises:
        ValueError: the students have not the same weights, or there is not one share for each.
    """
    given = [1.0] * len(students) if shares is None else list(shares)
    if len(given) != len(students):
        raise ValueError(f"{len(given)} shares for {len(students)} checkpoints; give one for each.")
    states = [student.state_dict() for student in students]
    if any(
        {name: tensor.shape for name, tensor in state.items()}
        != {name: tensor.shape for name, tensor in states[0].items()}
        for state in states
    ):
        raise ValueError("the checkpoints are not of one shape; average those of one training.")
    parts = torch.tensor(given) / sum(given)
    mean = {
        name: torch.tensordot(parts, torch.stack([state[name] for state in states]), dims=1)
        for name in states[0]
    }
    students[0].load_state_dict(mean)
    return students[0]


def main() -> None:
    """Write the mean of some checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--shares", type=float, nargs="+", help="of each; all alike by default")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    students = [load_checkpoint(path) for path in args.checkpoints]
    save_checkpoint(average(students, args.shares), args.out)


if __name__ == "__main__":
    main()
