"""A decoder-only language model whose attention is read: how much the end of a prompt looks at each passage.

Source: Chen et al. 2024, arXiv 2410.02642 (ICR). The passages are computed once per list: the first tail stands behind
them in the first pass, every other tail is a pass of its own tokens behind the kept keys and values. It does not know
what is made of the attention.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ...core.errors import BackendError, ConfigError, InputError, ScoreError
from ...core.exchange import AttentionMass, Request
from ...core.params import digest
from ...core.protocols import Capability
from ...core.types import Usage
from .attention_rows import NAME, Rows, read_rows, register
from .batches import is_out_of_memory
from .chat import Chat
from .local import Loaded, load_for
from .parts import PartIds, PartTexts
from .texts import Texts

_LOCAL = {"sliding_attention", "chunked_attention"}


@dataclass(frozen=True)
class AttentionLM:
    """A causal model from a folder or the hub, for prompts in parts; loaded on first use.

    path, device, dtype, adapter, threads, revision, trust_remote_code: see ``load_local``. chunk_tokens: most tokens
    that the model computes at once; a long list is read in such steps, which bounds memory and changes nothing else.
    max_length: window in tokens; None is the model's own. chat_template, template_options: as in ``CausalLM``.

    Layers that see only part of the list (a sliding window shorter than it) and states other than keys and values are
    refused: what such a layer cannot see has no attention. One list is computed at a time, so lists do not influence
    each other.

    ``counts``: tokens_computed, tokens_cached, passes (one per tail), chunks (calls of the model), requests.
    """

    path: str | Path
    _: KW_ONLY
    device: str = "auto"
    dtype: str = "auto"
    chunk_tokens: int = 16384
    max_length: int | None = None
    adapter: str | Path | None = None
    threads: int | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    chat_template: str | None = None
    template_options: Mapping[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.chunk_tokens < 1 or (self.max_length is not None and self.max_length < 2):
            raise ConfigError(f"chunk_tokens={self.chunk_tokens}, max_length={self.max_length}: expected 1, 2 or more")

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.ATTENTION_ROWS})

    @property
    def digest(self) -> str:
        """Identifies weights, dtype, adapter and all parameters that change numbers; loads the model."""
        decisive = {name: getattr(self, name) for name in ("max_length", "chat_template", "template_options")}
        return f"{self.loaded.digest}-{digest(decisive)}"

    @cached_property
    def loaded(self) -> Loaded:
        """Model and tokenizer; the model computes its attention through ``attention_rows``.

        Raises BackendError for a model whose attention cannot be read.
        """
        loaded = load_for(self, "causal")
        _check_layers(loaded.model, loaded.config)
        register()
        loaded.model.set_attn_implementation(NAME)
        return loaded

    @property
    def context(self) -> int | None:
        """Tokens of a list with its longest tail; None when neither model nor ``max_length`` sets a limit."""
        return self.loaded.limit(self.max_length)

    def encode(self, request: Request) -> PartIds:
        """The tokens that the model is given: chat template, passages, tails; one BOS at most."""
        return self._parts.encode(request)

    def measure(self, request: Request) -> int:
        """Tokens of the request's prompt with its longest tail, for ``Fitted``."""
        return self.encode(request).longest

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Where each token of a text begins and ends: the tokenizer for ``Fitted``."""
        return self._texts.offsets(text)

    def attention(self, requests: Sequence[Request], *, rows: Literal["mean", "last"] = "mean") -> list[AttentionMass]:
        """Per request, tail and passage an array (tokens,), float64. rows: see ``AttentionBackend``.

        Raises InputError for a prompt that does not fit the window, BackendError where a layer cannot see all of it or
        memory runs out, ConfigError for a request without parts, ScoreError for NaN.
        """
        return [self._looked_at(request, rows) for request in requests]

    def _looked_at(self, request: Request, rows: Literal["mean", "last"]) -> AttentionMass:
        from transformers import DynamicCache

        started = time.perf_counter()
        ids = self.encode(request)
        self._check(ids)
        shared = len(ids.prefix)
        cache = DynamicCache()
        mass = []
        for number, tail in enumerate(ids.tails):
            before = [] if number else ids.prefix
            found = self._pass([*before, *tail], len(tail) if rows == "mean" else 1, cache)
            mass.append(tuple(found[start:end] for start, end in ids.spans))
            cache.crop(-len(tail))
            self.counts.update(passes=1, tokens_computed=len(before) + len(tail), tokens_cached=shared - len(before))
        self.counts["requests"] += 1
        read = sum(shared + len(tail) for tail in ids.tails)
        seconds = round(time.perf_counter() - started, 6)
        return AttentionMass(tuple(mass), Usage(1, read, 0, (len(ids.tails) - 1) * shared, seconds))

    def _pass(self, ids: list[int], wanted: int, cache: Any) -> Any:
        """The attention of the last ``wanted`` of ``ids`` to every token, these and the cached ones: (tokens,)."""
        import numpy as np

        last = (len(ids) - wanted) // self.chunk_tokens * self.chunk_tokens  # the wanted ones stay together
        for start in range(0, last, self.chunk_tokens):
            self._step(ids[start : start + self.chunk_tokens], 0, cache)
        total = self._step(ids[last:], wanted, cache).total
        found = (total if self.loaded.device == "mps" else total.double()).cpu().numpy().astype(np.float64)
        if not np.isfinite(found).all():
            raise ScoreError(f"{self.path}: the attention is not finite; load it with dtype='bfloat16' or 'float32'")
        return found

    def _step(self, ids: list[int], wanted: int, cache: Any) -> Rows:
        torch, loaded = self.loaded.torch, self.loaded
        rows = Rows(torch, wanted, loaded.config.num_hidden_layers)
        given = torch.tensor([ids], device=loaded.device)
        base = loaded.model.base_model  # without the head: no logits are wanted
        try:
            with torch.inference_mode():
                read_rows(lambda: base(input_ids=given, past_key_values=cache, use_cache=True), rows)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise BackendError(
                f"out of memory with {len(ids)} tokens behind {cache.get_seq_length()}; give a smaller chunk_tokens "
                f"(it is {self.chunk_tokens}), shorter or fewer passages, or a smaller dtype"
            ) from error
        self.counts["chunks"] += 1
        return rows

    def _check(self, ids: PartIds) -> None:
        tokens, config = ids.longest, self.loaded.config
        if not all(ids.tails):
            raise InputError("the tail of the prompt has no tokens, so nothing looks at the passages")
        if self.context is not None and tokens > self.context:
            raise InputError(
                f"a list needs {tokens} tokens, the model's window is {self.context}; shorten passages "
                "(prompts.Fitted with context, tokenizer=offsets and measure) or use a smaller window of passages"
            )
        seen = _sight(config)
        if seen is not None and tokens > seen:
            raise BackendError(
                f"{config.model_type}: layers with a sliding window see {seen} tokens, the list has {tokens}, so their "
                "attention says nothing about the others; use a model with full attention (Llama, Mistral v0.2 or "
                f"later, Qwen2, Qwen3), or max_length={seen} with fewer or shorter passages"
            )

    @cached_property
    def _texts(self) -> Texts:
        return Texts(self.loaded.tokenizer, self.chat_template)

    @cached_property
    def _parts(self) -> PartTexts:
        return PartTexts(self._texts, Chat(self._texts.tokenizer, self.template_options))


def _check_layers(model: Any, config: Any) -> None:
    """Refuse layers without keys and values, and attention that is not a plain softmax."""
    kinds = set(getattr(config, "layer_types", None) or ()) - _LOCAL - {"full_attention"}
    found = f"layers of the kind {', '.join(sorted(kinds))}" if kinds else ""
    if not kinds and getattr(model, "_is_stateful", False):
        found = "layers with states other than keys and values"
    if getattr(config, "attn_logit_softcapping", None) is not None:
        found = "soft-capped attention"
    if found:
        raise BackendError(
            f"{config.model_type} has {found}, whose attention cannot be read; use a model with full attention in "
            "every layer (Llama, Mistral v0.2 or later, Qwen2, Qwen3)"
        )


def _sight(config: Any) -> int | None:
    """How many tokens the layer that sees least can see; None when all see everything."""
    kinds = getattr(config, "layer_types", None)
    local = kinds is None or bool(_LOCAL & set(kinds))
    seen = getattr(config, "sliding_window", None) or getattr(config, "attention_chunk_size", None)
    return int(seen) if seen and local and getattr(config, "use_sliding_window", True) else None
