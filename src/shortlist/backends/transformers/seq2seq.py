"""An encoder-decoder language model (T5, Flan-T5) in process: text, label log-probabilities, likelihoods.

The prompt goes through the encoder, the prefill begins the decoder; labels are read at the decoder's next step.
Sources: monoT5 (arXiv 2003.06713), UPR (arXiv 2204.07496). It does not know prompts or readouts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from ...core.errors import ConfigError, InputError
from ...core.exchange import Completion, Likelihood, Request
from ...core.params import digest
from ...core.protocols import Capability
from ...core.types import Usage
from .chat import Chat
from .decoding import Sampling, total_log_probability
from .encoder_decoder import EncoderDecoder
from .local import Loaded, load_for
from .results import shared_seconds
from .texts import Piece


@dataclass(frozen=True)
class Seq2SeqLM:
    """An encoder-decoder from a folder or the hub; loaded on first use.

    Parameters as for ``CausalLM``; max_length limits the encoder, and None is no limit for T5, whose positions are
    relative. label_values: ``logits`` for RankT5, whose score is one token's logit as it is.
    """

    path: str | Path
    _: KW_ONLY
    device: str = "auto"
    dtype: str = "auto"
    batch_tokens: int = 8192
    max_length: int | None = None
    adapter: str | Path | None = None
    threads: int | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    retry_temperature: float | None = 0.5
    label_values: Literal["log_probabilities", "logits"] = "log_probabilities"

    def __post_init__(self) -> None:
        if self.batch_tokens < 1 or self.temperature < 0:
            raise ConfigError(f"batch_tokens={self.batch_tokens}, temperature={self.temperature}: too small")
        if self.label_values not in ("log_probabilities", "logits"):
            raise ConfigError(f"label_values={self.label_values!r}: expected 'log_probabilities' or 'logits'")

    @property
    def capabilities(self) -> frozenset[Capability]:
        text = (Capability.GENERATE, Capability.LABEL_LOGITS, Capability.TOKEN_LOGPROBS)
        return frozenset({*text, Capability.NLL})

    @property
    def digest(self) -> str:
        """Identifies weights, dtype, adapter and all parameters that change answers; loads the model."""
        names = ("max_length", "stop", "temperature", "seed", "retry_temperature", "label_values")
        return f"{self.loaded.digest}-{digest({name: getattr(self, name) for name in names})}"

    @cached_property
    def loaded(self) -> Loaded:
        """Model and tokenizer, for what this class does not offer."""
        return load_for(self, "seq2seq")

    @property
    def counts(self) -> Counter[str]:
        """tokens_computed (encoder and decoder), tokens_padding, passes, requests so far."""
        return Counter(self._parts.counts)

    @property
    def context(self) -> int | None:
        """Tokens of a prompt; None when nothing limits it."""
        return self.loaded.limit(self.max_length)

    def encode(self, request: Request) -> list[int]:
        """The tokens that the encoder is given, its end token included; the prefill is the decoder's."""
        pieces = self._chat.pieces(request)[:-1]
        before, after = self._parts.texts.around
        ids = [*before, *self._parts.texts.encode(pieces), *after]
        if not ids or (self.context is not None and len(ids) > self.context):
            raise InputError(f"a prompt has {len(ids)} tokens, the encoder takes 1 to {self.context}; shorten passages")
        return ids

    def measure(self, request: Request) -> int:
        """Tokens of the request's prompt, for ``Fitted``."""
        return len(self.encode(request))

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Where each token of a text begins and ends: the tokenizer for ``Fitted``."""
        return self._parts.texts.offsets(text)

    def check_labels(self, labels: tuple[str, ...], prefill: str = "") -> None:
        """Raise ConfigError unless each label is one token at the begin of the answer, behind ``prefill``."""
        self._parts.labels.ids([Piece(prefill)], labels)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion per request: labels for requests that name some, text for the others.

        Raises InputError for a prompt that does not fit, ConfigError for labels that are not one token.
        """
        started = time.perf_counter()
        prompts = [self.encode(r) for r in requests]
        sizes = [len(prompt) for prompt in prompts]
        answers = self._parts.completions(
            requests, sizes, prompts, lambda batch: self._parts.encoded([prompts[i] for i in batch])
        )
        spent = [size + a.usage.completion_tokens for size, a in zip(sizes, answers, strict=True)]
        seconds = shared_seconds(time.perf_counter() - started, spent)
        return [
            replace(a, usage=Usage(1, size, a.usage.completion_tokens, 0, s))
            for a, size, s in zip(answers, sizes, seconds, strict=True)
        ]

    def nll(self, asked: Sequence[tuple[Request, str]], *, eos: bool = False) -> list[Likelihood]:
        """The log-likelihood of each continuation in the decoder, behind its prefill; with ``eos`` ended there."""
        started = time.perf_counter()
        parts = self._parts
        prompts, starts = [self.encode(r) for r, _ in asked], [parts.start(r.begin) for r, _ in asked]
        added = [self._continued(request, text, eos) for request, text in asked]
        values = [0.0] * len(asked)

        def work(batch: list[int]) -> None:
            ids, _ = parts.padded([[*starts[i], *added[i]][:-1] if added[i] else starts[i] for i in batch])
            states, mask = parts.encoded([prompts[i] for i in batch])
            logits = parts.step(states, mask, ids, None).logits
            for b, i in enumerate(batch):
                if added[i]:
                    first = len(starts[i]) - 1
                    values[i] = total_log_probability(self.loaded, logits[b, first : first + len(added[i])], added[i])

        sizes = [len(p) + len(s) + len(a) for p, s, a in zip(prompts, starts, added, strict=True)]
        with self.loaded.torch.inference_mode():
            parts.batches.run(range(len(asked)), sizes, work)
        seconds = shared_seconds(time.perf_counter() - started, sizes)
        parts.counts["requests"] += len(asked)
        return [
            Likelihood(value, len(a), Usage(1, len(p), len(a), 0, s))
            for value, p, a, s in zip(values, prompts, added, seconds, strict=True)
        ]

    def _continued(self, request: Request, text: str, eos: bool) -> list[int]:
        texts, prefill = self._parts.texts, Piece(request.begin)
        begun, whole = texts.encode([prefill]), texts.encode([prefill, Piece(text, plain=True)])
        ids = whole[len(begun) :] if whole[: len(begun)] == begun else texts.plain(text)
        return [*ids, min(self._parts.ends)] if eos else ids

    @cached_property
    def _parts(self) -> EncoderDecoder:
        sampling = Sampling(self.stop, self.temperature, self.seed, self.retry_temperature)
        return EncoderDecoder(self.loaded, self.batch_tokens, sampling, self.label_values)

    @cached_property
    def _chat(self) -> Chat:
        return Chat(self._parts.texts.tokenizer)
