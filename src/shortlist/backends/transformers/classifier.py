"""A sequence-classification model as a pair scorer, of any architecture: RankLLaMA and other language models with a
head, DeBERTa, or T5's.

Sources: RankLLaMA (Ma et al. 2023, arXiv 2310.08319: the logit at the last token that is no padding), Nogueira and Cho
2019 (arXiv 1901.04085). BERT-like cross-encoders run faster in ``backends.embedded``. It does not know prompts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from ...core.errors import BackendError, ConfigError, ScoreError
from ...core.params import digest
from ...core.protocols import Capability
from ...core.types import Length, Scale
from ...prompts.tokens import split_by_tokens
from .batches import Batches
from .local import Loaded, load_for
from .pair_texts import PairTexts
from .texts import Texts


@dataclass(frozen=True)
class SequenceClassifier:
    """Scores (query, document) pairs by a classification head; weights are loaded on first use.

    path, device, dtype, adapter, threads, revision, trust_remote_code: see ``load_local``; an adapter may bring the
    head. query, document: the forms of the two texts, with ``{text}`` where the text goes (RankLLaMA:
    ``"query: {text}"`` and ``"document: {text}"``). join: ``pair`` gives them to the tokenizer as a pair, so that it
    puts its special tokens around both (two BOS with Llama's, as RankLLaMA was trained); ``text`` puts one blank
    between them. append_eos: end with the end-of-sequence token, where training did. max_length: tokens of a pair. The
    query keeps at most three quarters of it, beside every document, and the document loses its end to fit the rest,
    which is counted (``counts["cut"]``); ``lengths`` tells it of a query, ``split_document`` makes passages that fit.
    query_tokens, document_tokens: narrower limits of the two, their forms included, special tokens not; None: only the
    window. A document that is longer than ``document_tokens`` loses its end instead of being split. label: which
    output is the score when there are more than two; of two it is the second minus the first.
    num_labels: for a base model whose adapter brings a head of that size.
    """

    path: str | Path
    _: KW_ONLY
    query: str = "{text}"
    document: str = "{text}"
    join: Literal["pair", "text"] = "pair"
    append_eos: bool = False
    label: int | None = None
    num_labels: int | None = None
    query_tokens: int | None = None
    document_tokens: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    batch_tokens: int = 8192
    max_length: int | None = 512
    adapter: str | Path | None = None
    threads: int | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    counts: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("query", "document"):
            if getattr(self, name).count("{text}") != 1:
                raise ConfigError(f"{name}={getattr(self, name)!r}: expected {{text}} in it once")
        if self.join not in ("pair", "text"):
            raise ConfigError(f"join={self.join!r}: expected 'pair' or 'text'")
        for name in ("query_tokens", "document_tokens"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ConfigError(f"{name}={limit}: expected 1 or more, or None for no limit but the window")

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.PAIR_SCORES})

    @property
    def scale(self) -> Scale:
        return Scale.LOGIT

    @property
    def digest(self) -> str:
        """Identifies weights, dtype, adapter and what is done to the texts; loads the model."""
        names = ("query", "document", "join", "append_eos", "label", "num_labels", "max_length")
        limits = {name: getattr(self, name) for name in ("query_tokens", "document_tokens")}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        return f"{self.loaded.digest}-{digest({name: getattr(self, name) for name in names} | given)}"

    @cached_property
    def loaded(self) -> Loaded:
        """Model and tokenizer."""
        return load_for(self, "classification", num_labels=self.num_labels)

    @property
    def window(self) -> int:
        """Tokens that are read of one pair, special tokens included."""
        return self.loaded.limit(self.max_length) or 2**31

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """One logit per (query, document), float32. Raises ScoreError for NaN."""
        rows = [self._encoded(*pair) for pair in pairs]
        scores = [0.0] * len(rows)

        def work(batch: list[int]) -> None:
            for i, logits in zip(batch, self._logits([rows[i] for i in batch]), strict=True):
                scores[i] = self._score(logits)

        self._batches.run(range(len(rows)), [len(ids) for ids, _ in rows], work)
        self.counts.update(pairs=len(rows), tokens_computed=sum(len(ids) for ids, _ in rows))
        return scores

    def split_document(self, text: str, *, query: str = "", overlap: int = 32) -> list[str]:
        """Passages of ``text`` that fit beside ``query``, the whole text when it does."""
        text = self._pairs.shortened(text)
        return split_by_tokens(text, self._pairs.texts.offsets(text), self._pairs.room(query) - 1, overlap)

    def lengths(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> list[Length]:
        """Tokens of each text in its form, special tokens not counted, and how many are read: of a query within its
        limit, of a document within ``document_tokens``."""
        limit = self._pairs.query_limit if kind == "query" else self.document_tokens
        form = self.query if kind == "query" else self.document
        counts = [len(self._pairs.texts.plain(form.replace("{text}", text))) for text in texts]
        return [Length(count, count if limit is None else min(count, limit)) for count in counts]

    def pair_tokens(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        """Tokens that are read of each pair, special tokens included; tokenises, does not score."""
        return [len(self._pairs.tokens(*pair)[0]) for pair in pairs]

    def _encoded(self, query: str, document: str) -> tuple[list[int], list[int]]:
        """Token ids and their types."""
        ids, types, cut = self._pairs.tokens(query, document)
        self.counts["cut"] += cut
        return ids, types

    def _logits(self, rows: list[tuple[list[int], list[int]]]) -> list[list[float]]:
        torch, model, device = self.loaded.torch, self.loaded.model, self.loaded.device
        width = max(len(ids) for ids, _ in rows)
        pad = self._pad([ids for ids, _ in rows])
        ids = torch.full((len(rows), width), pad)
        mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
        for b, (row, kinds) in enumerate(rows):
            ids[b, : len(row)] = torch.tensor(row)
            mask[b, : len(row)] = 1
            types[b, : len(row)] = torch.tensor(kinds)
        feed = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        if getattr(self.loaded.config, "type_vocab_size", 0) > 1:
            feed["token_type_ids"] = types.to(device)
        with torch.inference_mode():
            logits = model(**feed).logits.float()
        if bool(torch.isnan(logits).any()):
            raise ScoreError(f"{self.path} returned NaN; load it with dtype='bfloat16' or 'float32'")
        listed: list[list[float]] = logits.tolist()
        return listed

    def _pad(self, rows: list[list[int]]) -> int:
        """The padding token. Language models find the last token of a row as the last that is not this one, so for
        them it is a token that no row of the batch holds, and never the end token that a row may end with."""
        tokenizer, config = self.loaded.tokenizer, self.loaded.config
        own = tokenizer.pad_token_id
        if own is not None and own == config.pad_token_id and not any(own in row for row in rows):
            return int(own)
        if not hasattr(self.loaded.model, "score"):  # encoders go by the mask
            return int(own or 0)
        used = set().union(*rows)
        free = next((i for i in range(config.vocab_size) if i not in used), None)
        if free is None:
            raise BackendError(f"every token of the vocabulary of {self.path} occurs in one batch; lower batch_tokens")
        config.pad_token_id = free
        return free

    def _score(self, logits: Sequence[float]) -> float:
        if self.label is not None:
            if not 0 <= self.label < len(logits):
                raise ConfigError(f"label is {self.label}; {self.path} has {len(logits)} outputs")
            return logits[self.label]
        if len(logits) > 2:
            raise ConfigError(f"{self.path} has {len(logits)} outputs; say with label=... which of them is the score")
        return logits[0] if len(logits) == 1 else logits[1] - logits[0]

    @cached_property
    def _pairs(self) -> PairTexts:
        eos = self.loaded.tokenizer.eos_token_id if self.append_eos else None
        limits = (self.query_tokens, self.document_tokens)
        return PairTexts(Texts(self.loaded.tokenizer), self.query, self.document, self.join, eos, self.window, *limits)

    @cached_property
    def _batches(self) -> Batches:
        return Batches(self.loaded.torch, self.batch_tokens)
