"""The attention of a prompt's last tokens, read while the model runs: one layer at a time, never a whole map.

Registered as an attention function of transformers (``AttentionInterface``): the output is sdpa's, and the softmax is
computed once more for the few rows that are wanted. Memory is O(rows x tokens) of some heads instead of tokens squared
of all. Behind the keys of the last layer nothing is read, so the pass ends there.

It assumes one unpadded sequence with full causal attention; ``attention`` refuses other models.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from ...core.errors import BackendError
from ...core.extras import need

NAME = "shortlist_rows"
_AT_ONCE = 2**24  # numbers of the softmax in memory: 64 MB, some heads of a layer at a time
_UNKNOWN = ("softcap", "s_aux", "position_bias")  # changes to the softmax that are not repeated here


class Enough(Exception):
    """All layers were read: no error, but the way out of a forward pass that has given what was wanted."""


@dataclass
class Rows:
    """Collects attention. wanted: how many of the last positions are read; 0 reads none. layers: of the model.

    total: per key the attention of the wanted positions, summed over layers and heads and averaged over positions.
    """

    torch: ModuleType
    wanted: int
    layers: int
    seen: int = 0
    total: Any = field(default=None)

    def read(self, query: Any, key: Any, scaling: float | None) -> None:
        """Add one layer. query: (1, heads, positions, d); key: (1, key heads, tokens, d), the prefix included."""
        self.seen += 1
        if self.wanted:
            found = _looked(self.torch, query[0, :, -self.wanted :], key[0], scaling)
            self.total = found if self.total is None else self.total + found
        if self.seen == self.layers:
            raise Enough


_ROWS: ContextVar[Rows | None] = ContextVar("rows", default=None)


def read_rows(run: Any, rows: Rows) -> None:
    """Call ``run``, a forward pass of a model whose attention is ``NAME``, and fill ``rows``.

    Raises BackendError when the model does not ask for its attention here, layer by layer.
    """
    token = _ROWS.set(rows)
    try:
        run()
    except Enough:
        return
    finally:
        _ROWS.reset(token)
    raise BackendError(
        f"{rows.seen} of {rows.layers} layers gave their attention; the model does not compute it through "
        "transformers' AttentionInterface in every layer: use a Llama, Mistral (v0.2 or later), Qwen2, Qwen3 or similar"
    )


def register() -> None:
    """Make ``NAME`` known to transformers; doing it again changes nothing."""
    transformers = need("transformers>=4.53", extra="local")
    masks = need("transformers>=4.53", extra="local", module="transformers.masking_utils")
    transformers.AttentionInterface.register(NAME, _attention)
    transformers.AttentionMaskInterface.register(NAME, masks.sdpa_mask)


def _attention(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **options: Any) -> Any:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    rows = _ROWS.get()
    if rows is not None:
        odd = [name for name in _UNKNOWN if options.get(name) is not None]
        if odd:
            raise BackendError(f"{type(module).__name__} changes its attention by {odd[0]}, which is not supported")
        rows.read(query, key, options.get("scaling"))
    return sdpa_attention_forward(module, query, key, value, attention_mask, **options)


def _looked(torch: ModuleType, query: Any, key: Any, scaling: float | None) -> Any:
    """Attention of the last positions to every key: (tokens,), float32; mean over positions, sum over heads."""
    heads, positions, width = query.shape
    groups, tokens, _ = key.shape
    query = query.reshape(groups, -1, width).float() * (width**-0.5 if scaling is None else scaling)
    later = torch.ones(positions, positions, dtype=torch.bool, device=query.device).triu(1)
    step = max(1, _AT_ONCE // (heads // groups * positions * tokens))
    total = torch.zeros(tokens, device=query.device)
    for start in range(0, groups, step):
        seen = query[start : start + step] @ key[start : start + step].float().transpose(1, 2)
        seen = seen.view(-1, positions, tokens)
        seen[:, :, tokens - positions :].masked_fill_(later, float("-inf"))
        total += seen.softmax(-1).sum((0, 1))
    return total / positions
