"""The mean of the weights of checkpoints that were trained one from the other.

Their errors differ and their mean lies between them, where the loss is lower (Izmailov et al.,
"Averaging weights leads to wider optima and better generalization", UAI 2018).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from .student import Student, load_checkpoint, save_checkpoint


def average(students: Sequence[Student]) -> Student:
    """Put the mean of all weights into the first student, and return it.

    Raises:
        ValueError: the students have not the same weights.
    """
    states = [student.state_dict() for student in students]
    if any(
        {name: tensor.shape for name, tensor in state.items()}
        != {name: tensor.shape for name, tensor in states[0].items()}
        for state in states
    ):
        raise ValueError("the checkpoints are not of one shape; average those of one training.")
    mean = {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
    students[0].load_state_dict(mean)
    return students[0]


def main() -> None:
    """Write the mean of some checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    save_checkpoint(average([load_checkpoint(path) for path in args.checkpoints]), args.out)


if __name__ == "__main__":
    main()
