"""How much can be computed at once within the memory that training may take."""

from __future__ import annotations

from ..encoder.config import Lfm2Config
from ..errors import ConfigError

PROCESS = 700_000_000
"""Bytes that a process has before it trains: Python, torch, its compiled kernels."""
MOST_TOKENS = 16_384
"""More at once is no faster."""

_FLOAT, _OF_A_TRAINED_WEIGHT = 4, 20  # bytes: weight, gradient, two moments, the original


def tokens_at_once(
    config: Lfm2Config, weights: int, learned: int, longest: int, memory: int | None, method: str
) -> int:
    """Return how many positions may be computed at once.

    Args:
        config: shape of the backbone.
        weights: numbers of the model.
        learned: those of them, or added to them, that are trained.
        longest: positions of the longest text.
        memory: bytes allowed; None for any.
        method: what is trained, for the message.

    Raises:
        ConfigError: not even one text fits.
    """
    if memory is None:
        return MOST_TOKENS
    fixed = PROCESS + _FLOAT * weights + _OF_A_TRAINED_WEIGHT * learned
    each = bytes_of_a_token(config)
    if fixed + longest * each > memory:
        raise ConfigError(
            f"memory={memory:,} bytes are too few to train {learned:,} numbers of a model of "
            f"{weights:,} (method {method!r}): it takes {fixed + longest * each:,}. Allow so "
            "much, or choose method='lora' or method='query', which need less."
        )
    return min(MOST_TOKENS, (memory - fixed) // each)


def bytes_of_a_token(config: Lfm2Config) -> int:
    """Estimate what a position leaves behind until its gradient is computed."""
    hidden, inner = config.hidden_size, config.feed_forward_size
    return _FLOAT * config.num_layers * (18 * hidden + 7 * inner)
