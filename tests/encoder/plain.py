"""LFM2 written a second time: numpy, float64, one unpadded sequence, loops where they are clearer.

Shares no code with the library; made from the published equations to check it against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lfm2_colbert_rag.encoder.config import Lfm2Config

Array = npt.NDArray[np.float64]


def plain_hidden_states(
    weights: Mapping[str, Array],
    config: Lfm2Config,
    ids: Sequence[int],
    attended: Sequence[bool] | None = None,
    *,
    zeroed: bool = False,
) -> Array:
    """Final hidden states ``(n, hidden)`` of one sequence of n ids."""
    attended = [True] * len(ids) if attended is None else list(attended)
    x = weights["embed_tokens.weight"][list(ids)]
    for number, kind in enumerate(config.layer_types):
        layer = _Part(weights, f"layers.{number}.")
        h = _norm(x, layer["operator_norm.weight"], config.norm_eps)
        if kind == "conv":
            if zeroed:
                h = np.where(np.array(attended)[:, None], h, 0.0)
            x = x + _conv(h, layer, config)
        else:
            x = x + _attention(h, layer, config, attended)
        h = _norm(x, layer["ffn_norm.weight"], config.norm_eps)
        gate, up = h @ layer["feed_forward.w1.weight"].T, h @ layer["feed_forward.w3.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ layer["feed_forward.w2.weight"].T
    return _norm(x, weights["embedding_norm.weight"], config.norm_eps)


class _Part:
    def __init__(self, weights: Mapping[str, Array], prefix: str) -> None:
        self._weights, self._prefix = weights, prefix

    def __getitem__(self, name: str) -> Array:
        return self._weights[self._prefix + name]


def _norm(x: Array, weight: Array, eps: float) -> Array:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * weight


def _conv(h: Array, layer: _Part, config: Lfm2Config) -> Array:
    b, c, z = np.split(h @ layer["conv.in_proj.weight"].T, 3, axis=1)
    u, taps, kernel = b * z, layer["conv.conv.weight"][:, 0, :], config.conv_kernel
    first = -(kernel // 2) if config.bidirectional else -(kernel - 1)
    out = np.zeros_like(u)
    for t in range(len(u)):
        for tap in range(kernel):
            source = t + first + tap
            if 0 <= source < len(u):
                out[t] += taps[:, tap] * u[source]
    return (c * out) @ layer["conv.out_proj.weight"].T


def _attention(h: Array, layer: _Part, config: Lfm2Config, attended: Sequence[bool]) -> Array:
    size, heads = config.head_dim, config.num_attention_heads
    q, k, v = (
        (h @ layer[f"self_attn.{name}.weight"].T).reshape(len(h), -1, size)
        for name in ("q_proj", "k_proj", "v_proj")
    )
    q = _norm(q, layer["self_attn.q_layernorm.weight"], config.norm_eps)
    k = _norm(k, layer["self_attn.k_layernorm.weight"], config.norm_eps)
    out = np.zeros((len(h), heads, size))
    for head in range(heads):
        shared = head // (heads // config.num_key_value_heads)
        for t in range(len(h)):
            seen = [s for s in range(len(h)) if attended[s] and (config.bidirectional or s <= t)]
            turned = _turn(q[t, head], t, config.rope_theta)
            scores = np.array([turned @ _turn(k[s, shared], s, config.rope_theta) for s in seen])
            weights = np.exp((scores - scores.max()) / np.sqrt(size))
            out[t, head] = (weights / weights.sum()) @ v[seen, shared]
    return out.reshape(len(h), -1) @ layer["self_attn.out_proj.weight"].T


def _turn(vector: Array, position: int, theta: float) -> Array:
    """Rotate each pair (i, i + half) as one complex number."""
    half = len(vector) // 2
    angles = position * theta ** (-np.arange(half) / half)
    turned = (vector[:half] + 1j * vector[half:]) * np.exp(1j * angles)
    return np.concatenate((turned.real, turned.imag))
