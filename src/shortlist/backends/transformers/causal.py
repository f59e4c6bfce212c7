"""A decoder-only language model in process: generated text, label log-probabilities, likelihoods.

Source: transformers' causal models; decoding, prefix sharing and padding are our own, so that a request's numbers do
not depend on its batch. It does not know prompts or readouts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ...core.errors import ConfigError, InputError
from ...core.exchange import Completion, Likelihood, Message, Request
from ...core.params import digest
from ...core.protocols import Capability
from ...core.types import Usage
from .chat import Chat
from .decoding import Sampling, Written, end_tokens, log_probabilities, total_log_probability
from .generation import written_answers
from .labels import LabelIds, Labels
from .local import Loaded, load_for
from .passes import Batch, Passes, Row
from .results import shared_seconds
from .texts import Piece, Texts


@dataclass(frozen=True)
class CausalLM:
    """A causal model from a folder or the hub; loaded on first use.

    path, device, dtype, adapter, threads, revision, trust_remote_code: see ``load_local``. batch_tokens: most tokens of
    one batch, padding and answers included. max_length: window in tokens; None is the model's own. stop: strings that
    end an answer. temperature: 0 takes the likeliest token; above, tokens are drawn, reproducibly by ``seed``.
    retry_temperature: the least temperature when a malformed answer is asked for again (attempt > 0); None repeats.
    label_values: what a completion's labels hold; ``logits`` are not normalised over the vocabulary. chat_template:
    instead of the tokenizer's own; template_options: its variables (``{"enable_thinking": False}``).
    share_prefixes: compute the tokens with which several requests of a call begin once (those of long prompts only
    where that is less work, see ``passes``); off, each computes its own.

    ``counts``: tokens_computed, tokens_cached, tokens_padding, passes, requests.
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
    chat_template: str | None = None
    template_options: Mapping[str, Any] = field(default_factory=dict)
    share_prefixes: bool = True

    def __post_init__(self) -> None:
        if self.batch_tokens < 1 or (self.max_length is not None and self.max_length < 2):
            raise ConfigError(f"batch_tokens={self.batch_tokens}, max_length={self.max_length}: expected 1, 2 or more")
        if self.temperature < 0:
            raise ConfigError(f"temperature={self.temperature}: expected 0 or more")
        if self.label_values not in ("log_probabilities", "logits"):
            raise ConfigError(f"label_values={self.label_values!r}: expected 'log_probabilities' or 'logits'")

    @property
    def capabilities(self) -> frozenset[Capability]:
        text = (Capability.GENERATE, Capability.LABEL_LOGITS, Capability.TOKEN_LOGPROBS)
        return frozenset({*text, Capability.NLL})

    @property
    def digest(self) -> str:
        """Identifies weights, dtype, adapter and all parameters that change answers; loads the model."""
        names = ("max_length", "stop", "temperature", "seed", "retry_temperature", "label_values", "chat_template")
        decisive = {name: getattr(self, name) for name in (*names, "template_options")}
        return f"{self.loaded.digest}-{digest(decisive)}"

    @cached_property
    def loaded(self) -> Loaded:
        """Model and tokenizer, for what this class does not offer."""
        return load_for(self, "causal")

    @property
    def counts(self) -> Counter[str]:
        """What was computed so far."""
        return Counter(self._passes.counts)

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer together; None when neither model nor ``max_length`` sets a limit."""
        return self.loaded.limit(self.max_length)

    def encode(self, request: Request) -> list[int]:
        """The tokens that the model is given: chat template, prompt, prefill; one BOS at most."""
        return self._encoded(request)[0]

    def measure(self, request: Request) -> int:
        """Tokens of the request's prompt, for ``Fitted``."""
        return len(self.encode(request))

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Where each token of a text begins and ends: the tokenizer for ``Fitted``."""
        return self._texts.offsets(text)

    def check_labels(self, labels: tuple[str, ...], prefill: str = "") -> None:
        """Raise ConfigError unless each label is one token at the begin of a chat answer that begins with
        ``prefill``."""
        self._labels.ids(self._chat.pieces(Request((Message("user", "?"),), labels, prefill)), labels)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion per request: labels for requests that name some, text for the others.

        Raises InputError for a prompt that does not fit the window, ConfigError for labels that are not one token.
        """
        answers: dict[int, Completion] = {}
        for labelled, answer in ((True, self._label_values), (False, self._texts_of)):
            at = [i for i, request in enumerate(requests) if bool(request.labels) is labelled]
            answers |= dict(zip(at, answer([requests[i] for i in at]), strict=True)) if at else {}
        return [answers[i] for i in range(len(requests))]

    def nll(self, asked: Sequence[tuple[Request, str]], *, eos: bool = False) -> list[Likelihood]:
        """The log-likelihood of each continuation as it stands behind its prompt; with ``eos``, ended there too."""
        started = time.perf_counter()
        rows, lengths = [], []
        for request, continuation in asked:
            prompt, pieces = self._encoded(request)
            ids = self._texts.encode([*pieces, Piece(continuation, plain=True)])
            ids = self._begun(request, ids)
            added = ids[len(prompt) :] if ids[: len(prompt)] == prompt else self._texts.plain(continuation)
            added = [*added, min(self._ends)] if eos else added
            lengths.append(len(added))
            rows.append(Row([*prompt, *added], len(prompt) - 1))
            self._fits(len(prompt) + len(added) - 1)
        values = [0.0] * len(rows)

        def use(batch: Batch) -> None:
            for b, i in enumerate(batch.rows):
                if n := lengths[i]:
                    values[i] = total_log_probability(self.loaded, batch.logits[b, -n - 1 : -1], rows[i].ids[-n:])

        taken = self._passes.run(rows, use, keep=max(lengths, default=0) + 1)
        prompts = [len(row.ids) - n for row, n in zip(rows, lengths, strict=True)]
        usages = self._usages(prompts, lengths, taken, started)
        return [Likelihood(*found) for found in zip(values, lengths, usages, strict=True)]

    def _label_values(self, requests: Sequence[Request]) -> list[Completion]:
        started = time.perf_counter()
        rows, wanted = [], []
        for request in requests:
            ids, pieces = self._encoded(request)
            found: LabelIds = self._labels.ids(pieces, request.labels)
            ids = ids[: len(ids) - found.merged]
            if not ids:
                raise InputError(f"nothing stands before the labels {request.labels[:4]}; the prompt is too short")
            self._fits(len(ids))
            rows.append(Row(ids, len(ids) - 1))
            wanted.append(found.ids)
        values: dict[int, list[float]] = {}

        def use(batch: Batch) -> None:
            last = batch.logits[:, -1]
            logprobs = log_probabilities(self.loaded, last)
            shown = logprobs if self.label_values == "log_probabilities" else last.float()
            for b, i in enumerate(batch.rows):
                values[i] = shown[b, list(wanted[i])].tolist()

        taken = self._passes.run(rows, use)
        usages = self._usages([len(row.ids) for row in rows], [0] * len(rows), taken, started)
        labelled = [dict(zip(r.labels, values[i], strict=True)) for i, r in enumerate(requests)]
        return [Completion(labels=labels, usage=usage) for labels, usage in zip(labelled, usages, strict=True)]

    def _texts_of(self, requests: Sequence[Request]) -> list[Completion]:
        started = time.perf_counter()
        rows = []
        for request in requests:
            ids = self.encode(request)
            room = request.max_tokens if self.context is None else min(request.max_tokens, self.context - len(ids))
            self._fits(len(ids) + min(1, request.max_tokens))
            rows.append(Row(ids, len(ids) - 1, room))

        sampling = Sampling(self.stop, self.temperature, self.seed, self.retry_temperature)

        def begin(i: int) -> Written:
            return sampling.begin(self._texts, self._ends, requests[i], rows[i].ids, rows[i].extra, rows[i].ids)

        answers, taken = written_answers(self.loaded, self._passes, rows, begin)
        usages = self._usages([len(r.ids) for r in rows], [a.spent for a in answers], taken, started)
        return [a.completion(request, usage) for request, a, usage in zip(requests, answers, usages, strict=True)]

    def _encoded(self, request: Request) -> tuple[list[int], list[Piece]]:
        pieces = self._chat.pieces(request)
        ids = self._begun(request, self._texts.encode(pieces))
        if not ids:
            raise InputError("the prompt has no tokens; a language model needs at least one")
        return ids, pieces

    def _begun(self, request: Request, ids: list[int]) -> list[int]:
        """With the tokenizer's BOS before a raw prompt; a chat template writes its own."""
        return [*self._texts.around[0], *ids] if isinstance(request.prompt, str) else ids

    def _fits(self, tokens: int) -> None:
        if self.context is not None and tokens > self.context:
            raise InputError(
                f"a prompt needs {tokens} tokens, the model's window is {self.context}; shorten passages "
                "(prompts.Fitted with context, tokenizer=offsets and measure) or use a smaller window of passages"
            )

    def _usages(
        self, prompts: Sequence[int], written: Sequence[int], taken: Sequence[int], started: float
    ) -> list[Usage]:
        self._passes.counts["requests"] += len(prompts)
        computed = [p + w - t for p, w, t in zip(prompts, written, taken, strict=True)]
        seconds = shared_seconds(time.perf_counter() - started, computed)
        return [Usage(1, *parts) for parts in zip(prompts, written, taken, seconds, strict=True)]

    @cached_property
    def _texts(self) -> Texts:
        return Texts(self.loaded.tokenizer, self.chat_template)

    @cached_property
    def _chat(self) -> Chat:
        return Chat(self._texts.tokenizer, self.template_options)

    @cached_property
    def _labels(self) -> Labels:
        return Labels(self._texts)

    @cached_property
    def _passes(self) -> Passes:
        return Passes(self.loaded, self.batch_tokens, self.share_prefixes)

    @cached_property
    def _ends(self) -> frozenset[int]:
        return end_tokens(self.loaded)
