"""An encoder-decoder language model (T5, Flan-T5) in process: text, label log-probabilities, likelihoods.

The prompt goes through the encoder, the prefill begins the decoder; labels are read at the decoder's next step.
Sources: monoT5 (arXiv 2003.06713), UPR (arXiv 2204.07496). Attention masks are always passed: without them a padded
batch gives other numbers. It does not know prompts or readouts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ...core.errors import BackendError, ConfigError, InputError
from ...core.exchange import Completion, Likelihood, Request
from ...core.params import digest
from ...core.protocols import Capability
from ...core.types import Usage
from .batches import Batches
from .chat import Chat
from .decoding import Written, end_tokens, log_probabilities
from .labels import Labels
from .local import Loaded, load_local
from .results import shared_seconds
from .texts import Piece, Texts


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
        return frozenset({Capability.GENERATE, Capability.LABEL_LOGITS, Capability.NLL})

    @property
    def digest(self) -> str:
        """Identifies weights, dtype, adapter and all parameters that change answers; loads the model."""
        names = ("max_length", "stop", "temperature", "seed", "retry_temperature", "label_values")
        return f"{self.loaded.digest}-{digest({name: getattr(self, name) for name in names})}"

    @cached_property
    def loaded(self) -> Loaded:
        """Model and tokenizer, for what this class does not offer."""
        return load_local(
            self.path, "seq2seq", device=self.device, dtype=self.dtype, adapter=self.adapter, threads=self.threads,
            revision=self.revision, trust_remote_code=self.trust_remote_code,
        )  # fmt: skip

    @property
    def counts(self) -> Counter[str]:
        """tokens_computed (encoder and decoder), tokens_padding, passes, requests so far."""
        return Counter(self._counts)

    @property
    def context(self) -> int | None:
        """Tokens of a prompt; None when nothing limits it."""
        limits = [limit for limit in (self.loaded.window, self.max_length) if limit is not None]
        return min(limits, default=None)

    def encode(self, request: Request) -> list[int]:
        """The tokens that the encoder is given, its end token included; the prefill is the decoder's."""
        pieces = self._chat.pieces(request)[:-1]
        before, after = self._texts.around
        ids = [*before, *self._texts.encode(pieces), *after]
        if not ids or (self.context is not None and len(ids) > self.context):
            raise InputError(f"a prompt has {len(ids)} tokens, the encoder takes 1 to {self.context}; shorten passages")
        return ids

    def measure(self, request: Request) -> int:
        """Tokens of the request's prompt, for ``Fitted``."""
        return len(self.encode(request))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each token of a text begins and ends: the tokenizer for ``Fitted``."""
        return self._texts.offsets(text)

    def check_labels(self, labels: tuple[str, ...], prefill: str = "") -> None:
        """Raise ConfigError unless each label is one token at the begin of the answer, behind ``prefill``."""
        self._labels.ids([Piece(prefill)], labels)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion per request: labels for requests that name some, text for the others.

        Raises InputError for a prompt that does not fit, ConfigError for labels that are not one token.
        """
        started = time.perf_counter()
        prompts, starts = [self.encode(r) for r in requests], [self._start(r) for r in requests]
        answers: list[Completion] = [Completion()] * len(requests)

        def work(batch: list[int]) -> None:
            for i, completion in zip(
                batch, self._answers([requests[i] for i in batch], batch, prompts, starts), strict=True
            ):
                answers[i] = completion

        kinds = {(bool(r.labels), tuple(start)) for r, start in zip(requests, starts, strict=True)}
        for kind in sorted(kinds):  # a batch has one decoder prefix, so that the decoder needs no padding
            jobs = [i for i, r in enumerate(requests) if (bool(r.labels), tuple(starts[i])) == kind]
            sizes = [len(prompts[i]) + (0 if kind[0] else requests[i].max_tokens) for i in jobs]
            self._batches.run(jobs, sizes, work)
        self._counts["requests"] += len(requests)
        spent = [len(p) + a.usage.completion_tokens for p, a in zip(prompts, answers, strict=True)]
        seconds = shared_seconds(time.perf_counter() - started, spent)
        return [
            Completion(a.text, a.labels, a.finished, Usage(1, len(p), a.usage.completion_tokens, 0, s))
            for a, p, s in zip(answers, prompts, seconds, strict=True)
        ]

    def nll(self, asked: Sequence[tuple[Request, str]], *, eos: bool = False) -> list[Likelihood]:
        """The log-likelihood of each continuation in the decoder, behind its prefill; with ``eos`` ended there."""
        started = time.perf_counter()
        prompts, starts = [self.encode(r) for r, _ in asked], [self._start(r) for r, _ in asked]
        added = [self._continued(request, text, eos) for request, text in asked]
        values = [0.0] * len(asked)
        torch, device = self.loaded.torch, self.loaded.device

        def work(batch: list[int]) -> None:
            rows = [[*starts[i], *added[i]][:-1] if added[i] else starts[i] for i in batch]
            ids, _ = self._padded(rows)
            states, mask = self._encoded_states([prompts[i] for i in batch])
            logits = self._step(states, mask, ids, None).logits
            for b, i in enumerate(batch):
                if added[i]:
                    first = len(starts[i]) - 1
                    logprobs = log_probabilities(self.loaded, logits[b, first : first + len(added[i])])
                    targets = torch.tensor(added[i], device=device)
                    values[i] = float(logprobs.gather(-1, targets[:, None]).double().sum())

        sizes = [len(p) + len(s) + len(a) for p, s, a in zip(prompts, starts, added, strict=True)]
        with torch.inference_mode():
            self._batches.run(range(len(asked)), sizes, work)
        seconds = shared_seconds(time.perf_counter() - started, sizes)
        self._counts["requests"] += len(asked)
        return [
            Likelihood(value, len(a), Usage(1, len(p), len(a), 0, s))
            for value, p, a, s in zip(values, prompts, added, seconds, strict=True)
        ]

    def _answers(
        self,
        requests: Sequence[Request],
        batch: Sequence[int],
        prompts: Sequence[list[int]],
        starts: Sequence[list[int]],
    ) -> list[Completion]:
        torch = self.loaded.torch
        with torch.inference_mode():
            states, mask = self._encoded_states([prompts[i] for i in batch])
            begun = torch.tensor([starts[i] for i in batch], device=self.loaded.device)
            if requests[0].labels:
                last = self._step(states, mask, begun, None).logits[:, -1]
                logprobs = log_probabilities(self.loaded, last)
                values = logprobs if self.label_values == "log_probabilities" else last.float()
                return [self._labelled(request, row) for request, row in zip(requests, values, strict=True)]
            answers = [self._answer(r, prompts[i], starts[i]) for r, i in zip(requests, batch, strict=True)]
            self._write(answers, states, mask, begun)
        return [
            Completion(r.prefill + a.text, None, a.finished, Usage(1, 0, len(a.tokens) + a.finished))
            for r, a in zip(requests, answers, strict=True)
        ]

    def _labelled(self, request: Request, values: Any) -> Completion:
        ids = self._labels.ids([Piece(request.prefill)], request.labels).ids
        return Completion(labels={label: float(values[i]) for label, i in zip(request.labels, ids, strict=True)})

    def _answer(self, request: Request, prompt: list[int], start: list[int]) -> Written:
        temperature = self.temperature
        if request.attempt and self.retry_temperature is not None:
            temperature = max(temperature, self.retry_temperature)
        seed = f"{self.seed}-{request.attempt}-{digest([prompt, start])}"
        return Written(self._texts, start, request.max_tokens, self.stop, self._ends, temperature, seed)

    def _write(self, answers: Sequence[Written], states: Any, mask: Any, ids: Any) -> None:
        """Token by token until every answer is done; rows that are done leave the batch."""
        torch = self.loaded.torch
        alive = [answer for answer in answers if not answer.done]
        if len(alive) < len(answers):
            kept = torch.tensor([b for b, a in enumerate(answers) if not a.done], device=ids.device)
            states, mask, ids = states[kept], mask[kept], ids[kept]
        cache: Any = self._empty_cache()
        while alive:
            out = self._step(states, mask, ids, cache)
            cache, logprobs = out.past_key_values, log_probabilities(self.loaded, out.logits[:, -1])
            chosen = [answer.choose(row) for answer, row in zip(alive, logprobs, strict=True)]
            for answer, token in zip(alive, chosen, strict=True):
                answer.add(token)
            left = [b for b, answer in enumerate(alive) if not answer.done]
            ids = torch.tensor([[chosen[b]] for b in left], device=mask.device)
            if left and len(left) < len(alive):
                index = torch.tensor(left, device=mask.device)
                cache.batch_select_indices(index)
                states, mask = states[index], mask[index]
            alive = [alive[b] for b in left]

    def _empty_cache(self) -> Any:
        from transformers import DynamicCache, EncoderDecoderCache

        return EncoderDecoderCache(DynamicCache(), DynamicCache())

    def _encoded_states(self, rows: Sequence[list[int]]) -> tuple[Any, Any]:
        ids, mask = self._padded(rows)
        states = self.loaded.model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        self._counts.update(tokens_computed=int(mask.sum()), tokens_padding=int((1 - mask).sum()))
        return states, mask

    def _padded(self, rows: Sequence[list[int]]) -> tuple[Any, Any]:
        """Right-padded ids and mask, (rows, longest)."""
        torch = self.loaded.torch
        ids = torch.full((len(rows), max(map(len, rows))), self.loaded.tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(ids)
        for b, row in enumerate(rows):
            ids[b, : len(row)] = torch.tensor(row)
            mask[b, : len(row)] = 1
        return ids.to(self.loaded.device), mask.to(self.loaded.device)

    def _step(self, states: Any, mask: Any, ids: Any, cache: Any) -> Any:
        self._counts.update(tokens_computed=ids.numel(), passes=1)
        return self.loaded.model(
            encoder_outputs=(states,), attention_mask=mask, decoder_input_ids=ids, past_key_values=cache,
            use_cache=cache is not None,
        )  # fmt: skip

    def _start(self, request: Request) -> list[int]:
        """The decoder's first tokens: its start token and the prefill."""
        start = self.loaded.model.config.decoder_start_token_id
        if start is None:
            raise BackendError(f"{self.path}: config.json names no decoder_start_token_id")
        return [int(start), *self._texts.encode([Piece(request.prefill)])]

    def _continued(self, request: Request, text: str, eos: bool) -> list[int]:
        prefill = Piece(request.prefill)
        begun, whole = self._texts.encode([prefill]), self._texts.encode([prefill, Piece(text, plain=True)])
        ids = whole[len(begun) :] if whole[: len(begun)] == begun else self._texts.plain(text)
        return [*ids, min(self._ends)] if eos else ids

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter()

    @cached_property
    def _texts(self) -> Texts:
        return Texts(self.loaded.tokenizer)

    @cached_property
    def _chat(self) -> Chat:
        return Chat(self._texts.tokenizer)

    @cached_property
    def _labels(self) -> Labels:
        return Labels(self._texts)

    @cached_property
    def _batches(self) -> Batches:
        return Batches(self.loaded.torch, self.batch_tokens)

    @cached_property
    def _ends(self) -> frozenset[int]:
        return end_tokens(self.loaded)
