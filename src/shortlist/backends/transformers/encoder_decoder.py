"""What backends on an encoder-decoder share: rows through the encoder, answers by the decoder, token by token.

The decoder is given states, wherever they come from: one text (``Seq2SeqLM``) or many (``FusionInDecoder``). Attention
masks are always passed: without them a padded batch gives other numbers. It does not know prompts or templates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ...core.errors import BackendError
from ...core.exchange import Completion, Request
from ...core.types import Usage
from .batches import Batches
from .decoding import Sampling, Written, end_tokens, log_probabilities
from .labels import Labels
from .local import Loaded
from .texts import Piece, Texts

States = tuple[Any, Any]
"""Encoder states (rows, tokens, dim) and their mask (rows, tokens), 1 where a token is."""


@dataclass
class EncoderDecoder:
    """A loaded model and how it is asked; ``counts`` adds up tokens_computed, tokens_padding, passes."""

    loaded: Loaded
    batch_tokens: int
    sampling: Sampling
    label_values: Literal["log_probabilities", "logits"] = "log_probabilities"
    counts: Counter[str] = field(default_factory=Counter)

    @cached_property
    def texts(self) -> Texts:
        return Texts(self.loaded.tokenizer)

    @cached_property
    def labels(self) -> Labels:
        return Labels(self.texts)

    @cached_property
    def ends(self) -> frozenset[int]:
        return end_tokens(self.loaded)

    @cached_property
    def batches(self) -> Batches:
        return Batches(self.loaded.torch, self.batch_tokens)

    def start(self, prefill: str) -> list[int]:
        """The decoder's first tokens: its start token and the prefill. Raises BackendError when it has none."""
        start = self.loaded.model.config.decoder_start_token_id
        if start is None:
            raise BackendError(f"{self.loaded.model.name_or_path}: config.json names no decoder_start_token_id")
        return [int(start), *self.texts.encode([Piece(prefill)])]

    def encoded(self, rows: Sequence[list[int]]) -> States:
        """The encoder's states of token rows, padded on the right."""
        ids, mask = self.padded(rows)
        states = self.loaded.model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        self.counts.update(tokens_computed=int(mask.sum()), tokens_padding=int((1 - mask).sum()))
        return states, mask

    def padded(self, rows: Sequence[list[int]]) -> States:
        """Right-padded ids and mask, (rows, longest)."""
        torch = self.loaded.torch
        ids = torch.full((len(rows), max(map(len, rows))), self.loaded.tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(ids)
        for b, row in enumerate(rows):
            ids[b, : len(row)] = torch.tensor(row)
            mask[b, : len(row)] = 1
        return ids.to(self.loaded.device), mask.to(self.loaded.device)

    def step(self, states: Any, mask: Any, ids: Any, cache: Any) -> Any:
        """The decoder behind ``ids``; with a cache these are only the new ones."""
        self.counts.update(tokens_computed=ids.numel(), passes=1)
        return self.loaded.model(
            encoder_outputs=(states,), attention_mask=mask, decoder_input_ids=ids, past_key_values=cache,
            use_cache=cache is not None,
        )  # fmt: skip

    def empty_cache(self) -> Any:
        from transformers import DynamicCache, EncoderDecoderCache

        return EncoderDecoderCache(DynamicCache(), DynamicCache())

    def completions(
        self,
        requests: Sequence[Request],
        sizes: Sequence[int],
        names: Sequence[Any],
        encode: Callable[[list[int]], States],
    ) -> list[Completion]:
        """One per request, with only the completion tokens in ``usage``.

        sizes: tokens that the encoder reads for each. names: what is asked, for the seed. encode: the states of the
        requests with the given numbers.
        """
        starts = [self.start(r.begin) for r in requests]
        answers: list[Completion] = [Completion()] * len(requests)

        def work(batch: list[int]) -> None:
            asked = [requests[i] for i in batch]
            states = encode(batch)
            if asked[0].labels:
                found = self._labelled(asked, states, [starts[i] for i in batch])
            else:
                found = self.written(asked, states, [starts[i] for i in batch], [names[i] for i in batch])[0]
            for i, completion in zip(batch, found, strict=True):
                answers[i] = completion

        kinds = {(bool(r.labels), tuple(start)) for r, start in zip(requests, starts, strict=True)}
        with self.loaded.torch.inference_mode():
            for kind in sorted(kinds):  # a batch has one decoder prefix, so that the decoder needs no padding
                jobs = [i for i, r in enumerate(requests) if (bool(r.labels), tuple(starts[i])) == kind]
                lengths = [sizes[i] + (0 if kind[0] else requests[i].max_tokens) for i in jobs]
                self.batches.run(jobs, lengths, work)
        self.counts["requests"] += len(requests)
        return answers

    def written(
        self, requests: Sequence[Request], states: States, starts: Sequence[list[int]], names: Sequence[Any]
    ) -> tuple[list[Completion], list[list[int]]]:
        """The answers of one batch, and what the decoder was fed for each: all its tokens but the last, as a rule the
        end token."""
        answers = [
            self.sampling.begin(self.texts, self.ends, request, start, request.max_tokens, [name, start])
            for request, start, name in zip(requests, starts, names, strict=True)
        ]
        self._write(answers, *states, self.loaded.torch.tensor(starts, device=self.loaded.device))
        found = [a.completion(r, Usage(1, 0, a.spent)) for r, a in zip(requests, answers, strict=True)]
        fed = [[*s, *(a.tokens if a.ended else a.tokens[:-1])] for s, a in zip(starts, answers, strict=True)]
        return found, fed

    def _labelled(self, requests: Sequence[Request], states: States, starts: Sequence[list[int]]) -> list[Completion]:
        begun = self.loaded.torch.tensor(starts, device=self.loaded.device)
        last = self.step(*states, begun, None).logits[:, -1]
        logprobs = log_probabilities(self.loaded, last)
        values = logprobs if self.label_values == "log_probabilities" else last.float()
        found = []
        for request, row in zip(requests, values, strict=True):
            ids = self.labels.ids([Piece(request.begin)], request.labels).ids
            found.append(Completion(labels={name: float(row[i]) for name, i in zip(request.labels, ids, strict=True)}))
        return found

    def _write(self, answers: Sequence[Written], states: Any, mask: Any, ids: Any) -> None:
        """Token by token until every answer is done; rows that are done leave the batch."""
        torch = self.loaded.torch
        alive = [answer for answer in answers if not answer.done]
        if len(alive) < len(answers):
            kept = torch.tensor([b for b, a in enumerate(answers) if not a.done], device=ids.device)
            states, mask, ids = states[kept], mask[kept], ids[kept]
        cache: Any = self.empty_cache()
        while alive:
            out = self.step(states, mask, ids, cache)
            cache, logprobs = out.past_key_values, log_probabilities(self.loaded, out.logits[:, -1])
            chosen = [answer.take(row) for answer, row in zip(alive, logprobs, strict=True)]
            left = [b for b, answer in enumerate(alive) if not answer.done]
            ids = torch.tensor([[chosen[b]] for b in left], device=mask.device)
            if left and len(left) < len(alive):
                index = torch.tensor(left, device=mask.device)
                cache.batch_select_indices(index)
                states, mask = states[index], mask[index]
            alive = [alive[b] for b in left]
