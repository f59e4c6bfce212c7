"""Fusion-in-decoder in process: an encoder-decoder reads texts one by one, and its decoder all of them together.

Besides text it gives the decoder's attention to each text (LiT5-Score) and several vectors per text with their anchors
(MVP). Sources: Izacard and Grave 2021, arXiv 2007.01282; ListT5 (arXiv 2402.15838); LiT5 (arXiv 2312.16098); MVP
(arXiv 2509.07485). Stock T5: no block is wrapped, checkpoints that were saved with wrapped blocks are renamed as they
load. It does not know prompts or readouts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ...core.errors import ConfigError, InputError
from ...core.exchange import Attended, Completion, Request, Segments, Views
from ...core.params import digest
from ...core.protocols import Capability
from ...core.types import Repair, Usage
from .batches import Batches
from .decoding import Sampling
from .encoder_decoder import EncoderDecoder, States
from .fused import anchors, fused, looked_at
from .local import Loaded, load_for
from .results import shared_seconds
from .texts import Piece

_UNWRAPPED = {r"^encoder\.encoder\.": "encoder.", r"^encoder\.block\.(\d+)\.module\.": r"encoder.block.\1."}
"""Names of weights as FiD's wrappers saved them (ListT5, MVP), and as T5 calls them."""


@dataclass(frozen=True)
class FusionInDecoder:
    """A T5 from a folder or the hub; loaded on first use. It answers requests whose prompt is ``Segments``.

    Parameters as for ``CausalLM``. text_tokens: longer texts are cut at their end, the end token included, as the
    authors of these methods do; each cut is a Repair ``segment_cut``. batch_tokens: in one pass of the encoder, and of
    one decoder batch; a list is never divided.
    """

    path: str | Path
    _: KW_ONLY
    device: str = "auto"
    dtype: str = "auto"
    batch_tokens: int = 8192
    text_tokens: int | None = None
    adapter: str | Path | None = None
    threads: int | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    retry_temperature: float | None = 0.5

    def __post_init__(self) -> None:
        if self.batch_tokens < 1 or self.temperature < 0:
            raise ConfigError(f"batch_tokens={self.batch_tokens}, temperature={self.temperature}: too small")
        if self.text_tokens is not None and self.text_tokens < 8:
            raise ConfigError(f"text_tokens={self.text_tokens}: expected 8 or more, or None for no limit")

    @property
    def capabilities(self) -> frozenset[Capability]:
        text = (Capability.GENERATE, Capability.LABEL_LOGITS, Capability.TOKEN_LOGPROBS)
        return frozenset({*text, Capability.FID, Capability.CROSS_ATTENTION, Capability.VIEWS})

    @property
    def digest(self) -> str:
        """Identifies weights, dtype, adapter and all parameters that change answers; loads the model."""
        names = ("text_tokens", "stop", "temperature", "seed", "retry_temperature")
        return f"{self.loaded.digest}-fid-{digest({name: getattr(self, name) for name in names})}"

    @cached_property
    def loaded(self) -> Loaded:
        """Model and tokenizer, for what this class does not offer."""
        return load_for(self, "seq2seq", renamed=_UNWRAPPED)

    @property
    def counts(self) -> Counter[str]:
        """tokens_computed (encoder and decoder), tokens_padding, passes (of the decoder), requests so far."""
        return Counter(self._parts.counts)

    @property
    def context(self) -> int | None:
        """Tokens of one text by the model's positions; None when nothing limits it, as for T5."""
        return self.loaded.window

    def encode(self, request: Request, tokens: tuple[str, ...] = ()) -> list[list[int]]:
        """The tokens of each text as the encoder gets them: ``tokens`` (control tokens) first, the end token last."""
        return [row for row, _ in self._rows(request, tokens)]

    def measure(self, request: Request) -> int:
        """Tokens of the longest text, for ``Fitted``."""
        return max(len(row) for row in self.encode(request))

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Where each token of a text begins and ends: the tokenizer for ``Fitted``."""
        return self._parts.texts.offsets(text)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion per request: labels for requests that name some, text for the others."""
        started = time.perf_counter()
        asked = [self._rows(request) for request in requests]
        lists = [[row for row, _ in rows] for rows in asked]
        answers = self._parts.completions(requests, _sizes(lists), lists, lambda batch: self._states(lists, batch))
        answers = [replace(a, repairs=_cuts(rows)) for a, rows in zip(answers, asked, strict=True)]
        return _timed(answers, lists, started)

    def cross_attention(self, asked: Sequence[tuple[Request, str]]) -> list[Attended]:
        """How much the decoder looks at each text while it answers; as many tokens as the lead has are left out."""
        started = time.perf_counter()
        requests = [request for request, _ in asked]
        rows = [self._rows(request) for request in requests]
        lists = [[row for row, _ in texts] for texts in rows]
        starts = [self._parts.start(r.begin) for r in requests]
        masses: list[tuple[float, ...]] = [()] * len(asked)
        answers, layers = [Completion()] * len(asked), 0

        def work(batch: list[int]) -> None:
            nonlocal layers
            states = self._states(lists, batch)
            written, tokens = self._parts.written(
                [requests[i] for i in batch], states, [starts[i] for i in batch], [lists[i] for i in batch]
            )
            total, layers = looked_at(self._parts, states, tokens)
            for b, i in enumerate(batch):
                answers[i] = replace(written[b], repairs=_cuts(rows[i]))
                masses[i] = _per_text(total[b].tolist(), lists[i], len(self._parts.texts.plain(asked[i][1])))

        sizes = [n + r.max_tokens for n, r in zip(_sizes(lists), requests, strict=True)]
        with self.loaded.torch.inference_mode():
            for start in sorted({tuple(start) for start in starts}):
                jobs = [i for i in range(len(asked)) if tuple(starts[i]) == start]
                self._parts.batches.run(jobs, [sizes[i] for i in jobs], work)
        timed = _timed(answers, lists, started)
        return [Attended(mass, layers, answer) for mass, answer in zip(masses, timed, strict=True)]

    def views(self, requests: Sequence[Request], tokens: tuple[str, ...]) -> list[Views]:
        """The encoder's states at ``tokens`` of every text, and the decoder's one step over each view's states.

        Raises ConfigError for tokens that are not control tokens of the vocabulary.
        """
        started = time.perf_counter()
        strange = [token for token in tokens if self._parts.texts.control_id(token) is None]
        if strange or not tokens:
            raise ConfigError(f"views at {list(tokens)}: {strange or 'none'} are control tokens that the model lacks")
        rows = [self._rows(request, tokens) for request in requests]
        lists = [[row for row, _ in texts] for texts in rows]
        if any(len(row) <= len(tokens) for texts in lists for row in texts):
            raise ConfigError(f"text_tokens={self.text_tokens}: no room for a text behind {len(tokens)} view tokens")
        found: list[Any] = [None] * len(requests)

        def work(batch: list[int]) -> None:
            states, mask = fused(self._parts, [lists[i] for i in batch], self._encoding, first=len(tokens))
            by_view = states.unflatten(1, (-1, len(tokens))).transpose(1, 2).flatten(0, 1)
            seen = mask[:, :: len(tokens)].repeat_interleave(len(tokens), 0)
            ends = anchors(self._parts, by_view, seen).unflatten(0, (-1, len(tokens)))
            for b, i in enumerate(batch):
                texts = states[b, : len(lists[i]) * len(tokens)].unflatten(0, (-1, len(tokens)))
                found[i] = texts.float().cpu().numpy(), ends[b].float().cpu().numpy()

        with self.loaded.torch.inference_mode():
            self._parts.batches.run(range(len(requests)), _sizes(lists), work)
        self._parts.counts["requests"] += len(requests)
        seconds = shared_seconds(time.perf_counter() - started, _sizes(lists))
        return [
            Views(texts, ends, Usage(1, size, 0, 0, s), _cuts(cut))
            for (texts, ends), size, s, cut in zip(found, _sizes(lists), seconds, rows, strict=True)
        ]

    def _states(self, lists: Sequence[list[list[int]]], batch: Sequence[int]) -> States:
        return fused(self._parts, [lists[i] for i in batch], self._encoding)

    def _rows(self, request: Request, tokens: tuple[str, ...] = ()) -> list[tuple[list[int], int]]:
        """Of every text the tokens as the encoder gets them, and how many there were before it was cut."""
        if not isinstance(request.prompt, (str, Segments)):
            raise ConfigError("the prompt is a chat, and this model reads segments: use a prompt with that layout")
        texts = self._parts.texts
        before, after = texts.around
        limits = [n for n in (self.text_tokens, self.context) if n is not None]
        room = min(limits) - len(before) - len(after) if limits else None
        rows = []
        for text in request.texts:
            inner = texts.encode([Piece("".join(tokens)), Piece(text, plain=True)])
            rows.append(([*before, *inner[:room], *after], len(before) + len(inner) + len(after)))
        if not rows or not all(row for row, _ in rows):
            raise InputError("a prompt has no texts, or an empty one that has no tokens; give at least one passage")
        return rows

    @cached_property
    def _parts(self) -> EncoderDecoder:
        sampling = Sampling(self.stop, self.temperature, self.seed, self.retry_temperature)
        return EncoderDecoder(self.loaded, self.batch_tokens, sampling)

    @cached_property
    def _encoding(self) -> Batches:
        return Batches(self.loaded.torch, self.batch_tokens)


def _sizes(lists: Sequence[Sequence[list[int]]]) -> list[int]:
    return [sum(map(len, rows)) for rows in lists]


def _cuts(rows: Sequence[tuple[list[int], int]]) -> tuple[Repair, ...]:
    numbered = enumerate(rows, 1)
    return tuple(
        Repair("segment_cut", detail=f"text {i}: {len(row)} of {size} tokens")
        for i, (row, size) in numbered
        if len(row) < size
    )


def _per_text(values: Sequence[float], rows: Sequence[list[int]], lead: int) -> tuple[float, ...]:
    """The sum over each text's states behind the first ``lead``.

    >>> _per_text([1.0, 2.0, 4.0, 8.0, 16.0], [[7, 7, 7], [7, 7]], 1)
    (6.0, 16.0)
    """
    found, begin = [], 0
    for row in rows:
        found.append(float(sum(values[begin + lead : begin + len(row)])))
        begin += len(row)
    return tuple(found)


def _timed(answers: Sequence[Completion], lists: Sequence[Sequence[list[int]]], started: float) -> list[Completion]:
    """The completions with what was spent on each."""
    sizes = _sizes(lists)
    spent = [size + a.usage.completion_tokens for size, a in zip(sizes, answers, strict=True)]
    seconds = shared_seconds(time.perf_counter() - started, spent)
    return [
        replace(a, usage=Usage(1, size, a.usage.completion_tokens, 0, s))
        for a, size, s in zip(answers, sizes, seconds, strict=True)
    ]
