"""The LFM2 backbone in plain torch, for inference and training, over packed sequences.

Two architectures share one set of tensors: **causal** (LFM2) and **bidirectional** (LFM2.5). The
short convolution and the attention mask differ, nothing else does.

Sequences travel *packed*: a batch of B texts is one flat row of T = sum of lengths positions, so
that no arithmetic is spent on padding and no vector can depend on the batch it was computed in.
Only the attention itself looks at a padded ``(B, S)`` view, through an index.

Source of the equations: the LFM2 technical report (arXiv 2511.23404) and the public model
configuration; checked against ``transformers``' ``Lfm2Model`` in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Lfm2Config


@dataclass(frozen=True, eq=False)
class PackedBatch:
    """A batch of token sequences laid end to end.

    Attributes:
        input_ids: ``(T,)`` int64 token ids of all sequences, one after another.
        attention_mask: ``(T,)`` bool, False where no position may attend to this one (query
            expansion). Such positions still get a vector of their own.
        lengths: length of each of the B sequences; they sum to T.
    """

    input_ids: Tensor
    attention_mask: Tensor
    lengths: tuple[int, ...]

    @classmethod
    def from_lists(
        cls,
        input_ids: Sequence[Sequence[int]],
        attention_masks: Sequence[Sequence[int]] | None = None,
        device: torch.device | str = "cpu",
    ) -> PackedBatch:
        """Pack B lists of ids; without masks every position is attended to."""
        flat = [token for ids in input_ids for token in ids]
        mask = (
            [True] * len(flat)
            if attention_masks is None
            else [bool(m) for masks in attention_masks for m in masks]
        )
        return cls(
            torch.tensor(flat, dtype=torch.long, device=device),
            torch.tensor(mask, dtype=torch.bool, device=device),
            tuple(len(ids) for ids in input_ids),
        )

    @cached_property
    def positions(self) -> Tensor:
        """``(T,)`` int64 place of each position within its own sequence, from 0."""
        return torch.cat([torch.arange(n) for n in self.lengths]).to(self.input_ids.device)

    @cached_property
    def sequence_lengths(self) -> Tensor:
        """``(T,)`` int64 length of the sequence that each position belongs to."""
        lengths = torch.tensor(self.lengths)
        return lengths.repeat_interleave(lengths).to(self.input_ids.device)

    @cached_property
    def is_rectangular(self) -> bool:
        """True when all sequences have one length, so that ``(B, S)`` is a mere reshape."""
        return len(set(self.lengths)) == 1

    @cached_property
    def _padded_slots(self) -> Tensor:
        """``(T,)`` int64 place of each packed position in the flattened ``(B, S)`` view."""
        lengths = torch.tensor(self.lengths, device=self.input_ids.device)
        rows = torch.arange(len(self.lengths), device=self.input_ids.device)
        return rows.repeat_interleave(lengths) * max(self.lengths) + self.positions

    def pad(self, packed: Tensor) -> Tensor:
        """Lay ``(T, ...)`` out as ``(B, S, ...)``, zeros after the end of each sequence."""
        shape = (len(self.lengths), max(self.lengths), *packed.shape[1:])
        if self.is_rectangular:
            return packed.reshape(shape)
        padded = packed.new_zeros((shape[0] * shape[1], *shape[2:]))
        return padded.index_copy(0, self._padded_slots, packed).reshape(shape)

    def unpad(self, padded: Tensor) -> Tensor:
        """Undo :meth:`pad`: ``(B, S, ...)`` to ``(T, ...)``."""
        flat = padded.flatten(0, 1)
        return flat if self.is_rectangular else flat.index_select(0, self._padded_slots)


class RMSNorm(nn.Module):
    """Root-mean-square normalisation over the last axis, computed in float32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(..., size)``; the result keeps the dtype of ``x``."""
        wide = F.rms_norm(x.float(), (x.shape[-1],), eps=self.eps)
        out: Tensor = self.weight * wide.to(x.dtype)
        return out


class ShortConv(nn.Module):
    """Gated depthwise convolution over ``conv_kernel`` neighbouring positions."""

    def __init__(self, config: Lfm2Config) -> None:
        super().__init__()
        size, bias = config.hidden_size, config.conv_bias
        self.kernel = config.conv_kernel
        # How far to the right the window reaches: not at all when causal, half of it otherwise.
        self.lookahead = self.kernel // 2 if config.bidirectional else 0
        self.conv = nn.Conv1d(size, size, self.kernel, groups=size, bias=bias)
        self.in_proj = nn.Linear(size, 3 * size, bias=bias)
        self.out_proj = nn.Linear(size, size, bias=bias)

    def forward(self, x: Tensor, batch: PackedBatch) -> Tensor:
        """Mix ``(T, hidden)`` along each sequence."""
        gate_in, gate_out, z = self.in_proj(x).chunk(3, dim=-1)
        out: Tensor = self.out_proj(gate_out * self._convolve(gate_in * z, batch))
        return out

    def _convolve(self, u: Tensor, batch: PackedBatch) -> Tensor:
        taps = self.conv.weight[:, 0, :]  # (hidden, kernel)
        mixed = torch.zeros_like(u) if self.conv.bias is None else self.conv.bias.expand_as(u)
        for tap in range(self.kernel):
            offset = tap - (self.kernel - 1) + self.lookahead
            mixed = mixed + taps[:, tap] * _shifted(u, offset, batch)
        return mixed


def _shifted(u: Tensor, offset: int, batch: PackedBatch) -> Tensor:
    """``out[t] = u[t + offset]`` within each sequence, zero beyond its ends."""
    if offset == 0:
        return u
    if abs(offset) >= u.shape[0]:
        return torch.zeros_like(u)
    source = batch.positions + offset
    inside = (source >= 0) & (source < batch.sequence_lengths)
    if offset < 0:
        moved = F.pad(u[:offset], (0, 0, -offset, 0))
    else:
        moved = F.pad(u[offset:], (0, 0, 0, offset))
    return moved * inside[:, None]


class Attention(nn.Module):
    """Grouped-query attention with per-head RMSNorm on queries and keys before RoPE."""

    def __init__(self, config: Lfm2Config) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_dim = config.head_dim
        self.causal = not config.bidirectional
        hidden = config.hidden_size
        self.q_proj = nn.Linear(hidden, self.heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(hidden, self.kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(hidden, self.kv_heads * self.head_dim, bias=False)
        self.out_proj = nn.Linear(self.heads * self.head_dim, hidden, bias=False)
        self.q_layernorm = RMSNorm(self.head_dim, config.norm_eps)
        self.k_layernorm = RMSNorm(self.head_dim, config.norm_eps)

    def forward(self, x: Tensor, batch: PackedBatch, rope: tuple[Tensor, Tensor]) -> Tensor:
        """Attend within each sequence of ``(T, hidden)``."""
        q = _rotate(self.q_layernorm(self._split(self.q_proj(x))), rope)
        k = _rotate(self.k_layernorm(self._split(self.k_proj(x))), rope)
        v = self._split(self.v_proj(x))
        group = self.heads // self.kv_heads
        q, k, v = (batch.pad(t).transpose(1, 2) for t in (q, k, v))  # (B, heads, S, head_dim)
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        mask = attention_bias(batch, causal=self.causal)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.out_proj(batch.unpad(mixed.transpose(1, 2)).flatten(1))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], -1, self.head_dim)


def attention_bias(batch: PackedBatch, *, causal: bool) -> Tensor | None:
    """Which keys each query position sees: bool ``(B, 1, S or 1, S)``, or None for all."""
    everything = batch.is_rectangular and bool(batch.attention_mask.all())
    if everything and not causal:
        return None
    keys = batch.pad(batch.attention_mask)[:, None, None, :]
    if not causal:
        return keys
    size = keys.shape[-1]
    order = torch.ones(size, size, dtype=torch.bool, device=keys.device).tril()
    return keys & order


def _rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate ``(T, heads, head_dim)`` by position; the halves of a head are the pairs."""
    cos, sin = rope
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class FeedForward(nn.Module):
    """SwiGLU: ``w2(silu(w1 x) * w3 x)``."""

    def __init__(self, config: Lfm2Config) -> None:
        super().__init__()
        self.w1 = nn.Linear(config.hidden_size, config.feed_forward_size, bias=False)
        self.w3 = nn.Linear(config.hidden_size, config.feed_forward_size, bias=False)
        self.w2 = nn.Linear(config.feed_forward_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(T, hidden)`` to ``(T, hidden)``."""
        out: Tensor = self.w2(F.silu(self.w1(x)) * self.w3(x))
        return out


class Layer(nn.Module):
    """One residual block: short convolution or attention, then the feed-forward."""

    def __init__(self, config: Lfm2Config, kind: str) -> None:
        super().__init__()
        self.is_attention = kind == "full_attention"
        if self.is_attention:
            self.self_attn = Attention(config)
        else:
            self.conv = ShortConv(config)
        self.feed_forward = FeedForward(config)
        self.operator_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.ffn_norm = RMSNorm(config.hidden_size, config.norm_eps)

    def forward(
        self,
        x: Tensor,
        batch: PackedBatch,
        rope: tuple[Tensor, Tensor],
        conv_mask: Tensor | None,
    ) -> Tensor:
        """Advance ``(T, hidden)`` by one layer."""
        h = self.operator_norm(x)
        if self.is_attention:
            x = x + self.self_attn(h, batch, rope)
        else:
            x = x + self.conv(h if conv_mask is None else h * conv_mask, batch)
        out: Tensor = x + self.feed_forward(self.ffn_norm(x))
        return out


class Lfm2Backbone(nn.Module):
    """Token ids to hidden states, with the tensor names of the published checkpoints.

    Args:
        config: sizes, layer kinds and direction.

    Example:
        >>> backbone = Lfm2Backbone(config)                                # doctest: +SKIP
        >>> backbone(PackedBatch.from_lists([[1, 5, 9], [1, 7]])).shape    # doctest: +SKIP
        torch.Size([5, 1024])
    """

    def __init__(self, config: Lfm2Config) -> None:
        super().__init__()
        self.config = config
        # Drawing weights on the meta device would load torch's compiler, which takes 8 s.
        sizes = (config.vocab_size, config.hidden_size)
        self.embed_tokens = nn.Embedding(sizes[0], sizes[1], _weight=torch.zeros(sizes))
        self.layers = nn.ModuleList(Layer(config, kind) for kind in config.layer_types)
        self.embedding_norm = RMSNorm(config.hidden_size, config.norm_eps)

    def forward(self, batch: PackedBatch, *, zero_masked_positions: bool = False) -> Tensor:
        """Compute the final hidden states.

        Args:
            batch: B packed sequences of T positions in all.
            zero_masked_positions: blank positions outside the attention mask at the input of
                every convolution. The published models were trained without it.

        Returns:
            ``(T, hidden)`` in the dtype of the weights.
        """
        x = self.embed_tokens(batch.input_ids)
        rope = self._rope(batch.positions, x.dtype)
        conv_mask = batch.attention_mask[:, None].to(x.dtype) if zero_masked_positions else None
        for layer in self.layers:
            x = layer(x, batch, rope, conv_mask)
        out: Tensor = self.embedding_norm(x)
        return out

    def _rope(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        half = torch.arange(0, self.config.head_dim, 2, device=positions.device).float()
        frequencies = self.config.rope_theta ** (-half / self.config.head_dim)
        angles = positions[:, None].float() * frequencies
        angles = torch.cat((angles, angles), dim=-1)[:, None, :]  # (T, 1, head_dim)
        return angles.cos().to(dtype), angles.sin().to(dtype)
