"""Average what a student was before its last training with what it became.

The mean of a model and of what further training made of it is often better than either, on what it
knew before as well (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022). Here the
earlier head speaks for other axes of the same space, so the later one is turned to them first;
MaxSim does not notice the turn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .grow import read_weights
from .student import load_checkpoint, save_checkpoint


def main() -> None:
    """Write the checkpoint of the mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grown", type=Path, required=True, help="of recipes.nano.grow")
    parser.add_argument("--trained", type=Path, required=True, help="what training made of it")
    parser.add_argument("--model", type=Path, required=True, help="the model that had grown")
    parser.add_argument("--share", type=float, default=0.5, help="of the trained one")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    grown, trained = load_checkpoint(args.grown), load_checkpoint(args.trained)
    with torch.no_grad():
        earlier = read_weights(args.model / "1_Dense")["linear.weight"]
        left, _, right = torch.linalg.svd(earlier @ grown.head.weight.T)
        trained.head.weight.copy_((left @ right) @ trained.head.weight)
        grown.head.weight.copy_(earlier)
        before = grown.state_dict()
        for name, weight in trained.state_dict().items():
            weight.copy_(torch.lerp(before[name], weight, args.share))
    save_checkpoint(trained, args.out)


if __name__ == "__main__":
    main()
