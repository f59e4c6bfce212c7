"""Text vectors from the last token of a language model (E2Rank, Qwen3-Embedding, E5-Mistral), and its token states.

Sources: Wang et al. 2024 (arXiv 2401.00368: last-token pooling), E2Rank (arXiv 2510.22733: the vector of a listwise
prompt stands for the query). Mean-pooled and BERT-like encoders are served by ``backends.embedded``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ...core.errors import ConfigError, InputError, ScoreError
from ...core.exchange import Request
from ...core.params import digest
from ...core.protocols import Capability
from ...core.types import Length
from ...prompts.tokens import split_by_tokens
from .batches import Batches
from .chat import Chat
from .local import Loaded, load_for
from .texts import Piece, Texts


@dataclass(frozen=True)
class Embedder:
    """Unit vectors of texts and of prompts; weights are loaded on first use.

    path, device, dtype, adapter, threads, revision, trust_remote_code: see ``load_local``. query_prefix,
    document_prefix: before each text (``"Instruct: ...\\nQuery:"``). end: control text behind each text
    (``"<|endoftext|>"``) where the tokenizer does not put it there by itself; prompts get none. max_length: longer
    texts lose their end, which is counted (``counts["cut"]``); ``lengths`` tells which, ``split_document``
    makes passages that fit. chat_template, template_options: for prompts, as in ``CausalLM``.
    """

    path: str | Path
    _: KW_ONLY
    query_prefix: str = ""
    document_prefix: str = ""
    end: str = ""
    device: str = "auto"
    dtype: str = "auto"
    batch_tokens: int = 8192
    max_length: int | None = None
    adapter: str | Path | None = None
    threads: int | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    chat_template: str | None = None
    template_options: Mapping[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.EMBED, Capability.EMBED_PROMPTS, Capability.TOKEN_STATES})

    @property
    def digest(self) -> str:
        """Identifies weights, dtype, adapter and what is done to the texts; loads the model."""
        names = ("query_prefix", "document_prefix", "end", "max_length", "chat_template", "template_options")
        return f"{self.loaded.digest}-{digest({name: getattr(self, name) for name in names})}"

    @cached_property
    def loaded(self) -> Loaded:
        """Model and tokenizer."""
        return load_for(self, "embedding")

    @property
    def window(self) -> int:
        """Tokens that are read of one text."""
        return self.loaded.limit(self.max_length) or 2**31

    @property
    def context(self) -> int | None:
        """Tokens that a prompt may take; None when neither model nor ``max_length`` sets a limit."""
        return self.loaded.limit(self.max_length)

    def measure(self, request: Request) -> int:
        """Tokens of the request's prompt, for ``Fitted``."""
        return len(self._texts.encode(self._chat.pieces(request)))

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Where each token of a text begins and ends: the tokenizer for ``Fitted``."""
        return self._texts.offsets(text)

    def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> Any:
        """Unit rows, shape (len(texts), dim), float32."""
        return self._pooled(self._encoded(texts, kind))

    def token_states(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> list[Any]:
        """Per text an array (tokens, dim) of float32: the last layer's states, not normalised, special tokens
        included."""
        return self._read(self._encoded(texts, kind), lambda states, length: states[:length])

    def _encoded(self, texts: Sequence[str], kind: str) -> list[list[int]]:
        """The tokens of each text with its prefix and end, cut to the window."""
        last = self._last
        room, rows = self.window - len(last), []
        for ids in self._whole(texts, kind):
            if len(ids) > room:
                self._check_room(kind, room)
                self.counts["cut"] += 1
            rows.append([*ids[:room], *last])
        return rows

    def lengths(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> list[Length]:
        """Tokens of each text with its prefix and end, special tokens included, and how many are read; tokenises, does
        not encode."""
        last = len(self._last)
        counts = [len(ids) + last for ids in self._whole(texts, kind)]
        return [Length(count, min(count, self.window)) for count in counts]

    def _whole(self, texts: Sequence[str], kind: str) -> list[list[int]]:
        """All tokens of each text with its prefix, without the end."""
        prefix, (before, _) = Piece(self._prefix(kind)), self._texts.around
        return [[*before, *self._texts.encode([prefix, Piece(text, plain=True)])] for text in texts]

    def _prefix(self, kind: str) -> str:
        return self.query_prefix if kind == "query" else self.document_prefix

    @property
    def _last(self) -> list[int]:
        """What stands behind every text."""
        return [*self._texts.encode([Piece(self.end)]), *self._texts.around[1]]

    def _check_room(self, kind: str, room: int) -> None:
        taken = len(self._texts.around[0]) + len(self._texts.encode([Piece(self._prefix(kind))]))
        if taken >= room:
            raise ConfigError(
                f"max_length={self.max_length}: the {kind} prefix takes {taken} tokens and leaves nothing of the text; "
                "use a larger max_length"
            )

    def embed_prompts(self, requests: Sequence[Request]) -> Any:
        """Unit rows of rendered prompts (prefill included), read at their last token, as ``embed`` gives them."""
        rows = [self._texts.encode(self._chat.pieces(request)) for request in requests]
        longest = max(map(len, rows), default=0)
        if longest > self.window:
            raise InputError(f"a prompt has {longest} tokens, the window is {self.window}; use fewer passages")
        return self._pooled(rows)

    def split_document(self, text: str, *, query: str = "", overlap: int = 32) -> list[str]:
        """Passages of ``text`` that fit the window, the whole text when it does."""
        fixed = len(self._texts.encode([Piece(self.document_prefix), Piece(self.end)]))
        room = self.window - fixed - sum(map(len, self._texts.around)) - 1
        return split_by_tokens(text, self._texts.offsets(text), room, overlap)

    def _pooled(self, rows: list[list[int]]) -> Any:
        """The state of each row's last token, scaled to length 1."""
        import numpy as np

        found = self._read(rows, lambda states, length: states[length - 1])
        vectors = np.stack(found) if found else np.zeros((0, self.loaded.config.hidden_size), np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def _read(self, rows: list[list[int]], take: Callable[[Any, int], Any]) -> list[Any]:
        """What ``take`` keeps of each row's states (width, dim), given its length, as float32 arrays."""
        torch, model, device = self.loaded.torch, self.loaded.model, self.loaded.device
        if any(not row for row in rows):
            raise InputError("a text has no tokens; give text, or an end token with end=...")
        found: list[Any] = [None] * len(rows)

        def work(batch: list[int]) -> None:
            width = max(len(rows[i]) for i in batch)
            ids = torch.zeros(len(batch), width, dtype=torch.long)
            mask = torch.zeros_like(ids)
            for b, i in enumerate(batch):
                ids[b, : len(rows[i])] = torch.tensor(rows[i])
                mask[b, : len(rows[i])] = 1
            with torch.inference_mode():
                states = model(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state
                for b, i in enumerate(batch):
                    found[i] = take(states[b], len(rows[i])).float().cpu().numpy().copy()

        self._batches.run(range(len(rows)), [len(row) for row in rows], work)
        self.counts.update(texts=len(rows), tokens_computed=sum(map(len, rows)))
        if any(bool((kept != kept).any()) for kept in found):  # NaN is the one number that is not itself
            raise ScoreError(f"{self.path} returned NaN; load it with dtype='bfloat16' or 'float32'")
        return found

    @cached_property
    def _texts(self) -> Texts:
        return Texts(self.loaded.tokenizer, self.chat_template)

    @cached_property
    def _chat(self) -> Chat:
        return Chat(self._texts.tokenizer, self.template_options)

    @cached_property
    def _batches(self) -> Batches:
        return Batches(self.loaded.torch, self.batch_tokens)
