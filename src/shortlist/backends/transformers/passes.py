"""Forward passes of a causal model over many prompts: shared prefixes once, batches by tokens, left padding.

A batch stands behind the key/value cache of its shared prefix: [prefix][padding][own tokens]. The mask hides the
padding and positions count real tokens only, so a row's numbers do not depend on its neighbours. In models with a
sliding window the mask measures distance over the padding too, so there, beyond the window, only rows of equal length
share a batch. So do long rows: without padding and cache there is no mask, and causal attention costs half; what they
begin with in common is computed once only where that saves more. Models with states other than keys and values (Mamba,
linear attention) get no shared prefixes.

It does not know prompts or what logits are used for.
"""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...core.errors import BackendError
from .batches import Batches, is_out_of_memory
from .local import Loaded
from .prefixes import Node, rows_of, shared_prefixes, worthwhile

_ALONE = 1024  # tokens from which on a row shares its batch with rows of its length only
_PAIRS = 4  # a token costs a layer as much as so many pairs of tokens, times its width: 24 d^2 / 4 d, less overhead
_KNOWN_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


@dataclass(frozen=True, slots=True)
class Row:
    """The tokens of one prompt. shareable: how many leading ones may come from a shared prefix; the rest is always
    computed. extra: tokens that will be added while generating, for the size of batches."""

    ids: list[int]
    shareable: int
    extra: int = 0


@dataclass
class Batch:
    """What a forward pass over ``rows`` gave. logits: (rows, kept positions, vocabulary), on the model's device; the
    last position is each row's last token. mask and lengths continue a generation together with the cache."""

    rows: list[int]
    logits: Any
    cache: Any
    mask: Any
    lengths: Any


class Passes:
    """Runs rows through the model. ``counts``: tokens_computed, tokens_cached, tokens_padding, passes."""

    def __init__(self, loaded: Loaded, batch_tokens: int, share_prefixes: bool = True) -> None:
        self._loaded, self._torch, self._model = loaded, loaded.torch, loaded.model
        self.batches = Batches(loaded.torch, batch_tokens)
        self.counts: Counter[str] = Counter()
        self._share = share_prefixes and set(getattr(loaded.config, "layer_types", None) or ()) <= _KNOWN_LAYERS

    def run(
        self, rows: Sequence[Row], use: Callable[[Batch], None], *, keep: int = 1, cached: bool = False
    ) -> list[int]:
        """Every row once, in batches that ``use`` is given. keep: positions whose logits are wanted, from the end.
        cached: the cache is wanted too. Returns, per row, the tokens taken from a shared prefix."""
        taken = [0] * len(rows)
        root = Node(0, 0, tuple(range(len(rows))))
        if self._share:
            root = shared_prefixes([row.ids[: row.shareable] for row in rows])
            lengths = [len(row.ids) for row in rows]
            if not cached and max(lengths, default=0) >= _ALONE:  # a batch that goes on writing has a mask anyway
                root = worthwhile(root, lengths, _PAIRS * self._loaded.config.hidden_size)
        with self._torch.inference_mode():
            self._visit(root, None, rows, taken, use, keep, cached)
        return taken

    def _visit(
        self,
        node: Node,
        cache: Any,
        rows: Sequence[Row],
        taken: list[int],
        use: Callable[[Batch], None],
        keep: int,
        cached: bool,
    ) -> None:
        if node.end > node.start:
            cache = self._extended(cache, rows[node.first].ids[: node.end], node.start)
            for row in rows_of(node):  # all but the first, which stands for the tokens of this node
                if row != node.first:
                    taken[row] += node.end - node.start
                    self.counts["tokens_cached"] += node.end - node.start
        for child in node.children:
            self._visit(child, cache, rows, taken, use, keep, cached)

        def work(batch: list[int]) -> None:
            use(self._forward(batch, rows, cache, node.end, keep, cached))

        alone = [] if cached or node.end else [i for i in node.rows if len(rows[i].ids) >= _ALONE]
        self.batches.run(alone, [len(rows[i].ids) for i in alone], work, even=True)
        others = [i for i in node.rows if i not in set(alone)]
        sizes = [len(rows[i].ids) + rows[i].extra for i in others]
        longest = max(sizes, default=0)
        even = node.end > 0 and self._sliding is not None and longest + 1 >= self._sliding
        if even:
            sizes = [len(rows[i].ids) for i in others]
        self.batches.run(others, sizes, work, even=even)

    @cached_property
    def _sliding(self) -> int | None:
        config = self._loaded.config
        window = getattr(config, "sliding_window", None) or getattr(config, "attention_chunk_size", None)
        return window if getattr(config, "use_sliding_window", True) else None

    @cached_property
    def _accepts(self) -> frozenset[str]:
        return frozenset(inspect.signature(self._model.forward).parameters)

    def _extended(self, cache: Any, ids: list[int], start: int) -> Any:
        """The cache of the whole prefix ``ids``, of which ``cache`` holds the first ``start`` tokens."""
        torch, device = self._torch, self._loaded.device
        cache = self._copied(cache, 1)
        added = torch.tensor([ids[start:]], device=device)
        mask = torch.ones(1, len(ids), dtype=torch.long, device=device)
        positions = torch.arange(start, len(ids), device=device)[None]
        self._count(added.shape[1], 0)
        try:
            return self.step(added, mask, positions, cache, keep=1).past_key_values
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise BackendError(
                f"out of memory with {len(ids)} tokens that several prompts share; use share_prefixes=False, "
                "shorter passages, or a smaller dtype"
            ) from error

    def _forward(self, batch: list[int], rows: Sequence[Row], cache: Any, start: int, keep: int, cached: bool) -> Batch:
        torch, device = self._torch, self._loaded.device
        own = [rows[i].ids[start:] for i in batch]
        width = max(map(len, own))
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        mask = torch.zeros(len(batch), start + width, dtype=torch.long)
        mask[:, :start] = 1
        for b, tokens in enumerate(own):  # left: the last position is every row's last token
            ids[b, width - len(tokens) :] = torch.tensor(tokens)
            mask[b, start + width - len(tokens) :] = 1
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, start:]
        ids, mask, positions = ids.to(device), mask.to(device), positions.to(device)
        used = self._copied(cache, len(batch)) if cache is not None or cached else None
        out = self.step(ids, mask, positions, used, keep=keep)
        real = sum(map(len, own))
        self._count(real, len(batch) * width - real)
        return Batch(batch, out.logits, out.past_key_values, mask, mask.sum(1))

    def step(self, ids: Any, mask: Any, positions: Any, cache: Any, *, keep: int = 1) -> Any:
        """One forward pass of the model."""
        options: dict[str, Any] = {"past_key_values": cache, "use_cache": cache is not None}
        if "position_ids" in self._accepts:
            options["position_ids"] = positions
        if "logits_to_keep" in self._accepts:
            options["logits_to_keep"] = min(keep, ids.shape[1])
        return self._model(input_ids=ids, attention_mask=mask, **options)

    def _copied(self, cache: Any, rows: int) -> Any:
        from transformers import DynamicCache

        if cache is None:
            return DynamicCache()
        copied = copy.deepcopy(cache)
        if rows > 1:
            copied.batch_repeat_interleave(rows)
        return copied

    def _count(self, computed: int, padding: int) -> None:
        self.counts.update(tokens_computed=computed, tokens_padding=padding, passes=1)
