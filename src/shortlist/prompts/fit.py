"""Passages made to fit: limits of the source, then the model's context, cut by tokens and recorded one by one.

When a group does not fit, the longest passages are shortened first, all to the same length, so short ones stay whole.
It does not know the model: tokens come from a function, and the words around messages are an allowance unless
``measure`` counts whole requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..core.errors import ConfigError, InputError
from ..core.exchange import Request
from ..core.types import Candidate, Query, Repair
from .slots import pieces
from .template import Template
from .tokens import Tokenizer, count_tokens, cut, estimated_tokens, level

_BORDER = 4
"""Tokens by which a passage may grow when it stands between other text: more than tokenizers do in practice."""
_BRACKET = 2
"""Tokens by which a bracketed identifier may grow when it is neutralised."""
_REMEMBERED = 4096
"""Passages whose number of tokens is kept."""
_LONG = 8192
"""Characters from which on it is not, so that this does not take much memory."""


@dataclass(frozen=True)
class Fitted:
    """A prompt whose requests fit ``context`` tokens, together with the answer unless that has a decoder of its own.

    tokenizer: of the model, text -> number of tokens or their offsets. passage_tokens, query_tokens: limits per text;
    None is the template's own, if it has one. least: tokens that a cut passage keeps at least. per_message: allowance
    for what a chat template adds to each message. measure: the tokens of a whole request as the backend would send it;
    without it they are added up from the parts. Every cut is a Repair on the request: ``passage_cut`` ("d7: 120 of 300
    tokens") or ``query_cut``.

    >>> from shortlist.core.types import Document
    >>> from shortlist.prompts import load_prompt
    >>> prompt = Fitted(load_prompt("monot5"), context=20, tokenizer=lambda text: len(text.split()), least=2)
    >>> prompt.render(Query("q", "why"), [Candidate(Document("d", "word " * 30))], labels=()).repairs
    (Repair(kind='passage_cut', count=1, detail='d: 8 of 30 tokens'),)
    """

    template: Template
    context: int
    tokenizer: Tokenizer = estimated_tokens
    passage_tokens: int | None = None
    query_tokens: int | None = None
    least: int = 16
    per_message: int = 8
    measure: Callable[[Request], int] | None = None

    def __post_init__(self) -> None:
        for name in ("context", "least", "passage_tokens", "query_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name}={value}: expected 1 or more")

    def render(self, query: Query, candidates: Sequence[Candidate], *, labels: tuple[str, ...] = ()) -> Request:
        """As the template renders, with texts cut until all fits. Raises InputError when ``least`` tokens of each
        passage are still too many."""
        query, repairs = self._short_query(query)
        whole = [self.template.passage_of(c) for c in candidates]
        sizes = [self._size(text) for text in whole]
        longest = max(sizes, default=0)
        limit = min(longest, self._passage_limit() or longest)
        floor = min(self.least, limit)
        empty = self._empty(query, candidates, labels)
        room = self.context - empty
        limit = max(floor, min(limit, room if self._apart else level(sizes, room)))
        while True:
            cuts = [
                (text, size, size) if size <= limit else cut(text, limit, self.tokenizer)
                for text, size in zip(whole, sizes, strict=True)
            ]
            request = self._request(query, candidates, [text for text, _, _ in cuts], labels)
            if self._fits_surely(empty, cuts):
                break
            excess = self._used(request) - self.context
            if excess <= 0:
                break
            if limit <= floor:
                raise self._too_many(query, candidates)
            limit = max(floor, limit - max(1, excess // max(1, sum(size >= limit for size in sizes))))
        for candidate, (_, kept, total) in zip(candidates, cuts, strict=True):
            if kept < total:
                repairs += (Repair("passage_cut", detail=f"{candidate.id}: {kept} of {total} tokens"),)
        return replace(request, repairs=(*request.repairs, *repairs))

    def fits(self, query: Query, candidates: Sequence[Candidate], *, tokens: int | None = None) -> int:
        """How many of the leading candidates fit together when each keeps at least ``tokens`` (``least``) tokens."""
        keep = min(self.least, self._passage_limit() or self.least) if tokens is None else tokens
        query, _ = self._short_query(query)
        texts = [cut(self.template.passage_of(c), keep, self.tokenizer)[0] for c in candidates]
        most = len(texts) if self.template.most is None else min(len(texts), self.template.most)
        low, high = 0, most
        while low < high:
            middle = max((low + high + 1) // 2, min(self.template.fewest, most))
            request = self._request(query, candidates[:middle], texts[:middle], ())
            if self._used(request) <= self.context:
                low = middle
            else:
                high = middle - 1 if middle > self.template.fewest else 0
        return low

    def _request(
        self, query: Query, candidates: Sequence[Candidate], texts: Sequence[str], labels: tuple[str, ...]
    ) -> Request:
        return self.template.render_passages(query, candidates, texts, labels=labels, tokenizer=self.tokenizer)

    def _short_query(self, query: Query) -> tuple[Query, tuple[Repair, ...]]:
        limit = self.query_tokens or self.template.query_tokens
        if limit is None:
            return query, ()
        text, kept, total = cut(query.text, limit, self.tokenizer)
        if kept == total:
            return query, ()
        return replace(query, text=text), (Repair("query_cut", detail=f"{query.id}: {kept} of {total} tokens"),)

    def _empty(self, query: Query, candidates: Sequence[Candidate], labels: tuple[str, ...]) -> int:
        """Tokens of all but the passages: the same for all windows of a query when the prompt shows nothing else."""
        key = (query.text, query.instruction, len(candidates), labels)
        known = None if self.template.shows_candidate else self._empties.get(key)
        if known is None:
            if len(self._empties) >= _REMEMBERED:
                self._empties.clear()
            known = self._used(self._request(query, candidates, [""] * len(candidates), labels))
            self._empties[key] = known
        return known

    @cached_property
    def _empties(self) -> dict[tuple[str, str | None, int, tuple[str, ...]], int]:
        return {}

    def _size(self, text: str) -> int:
        """Tokens of a passage, counted once: windows and rounds show it again."""
        if len(text) > _LONG:
            return count_tokens(text, self.tokenizer)
        size = self._sizes.get(text)
        if size is None:
            if len(self._sizes) >= _REMEMBERED:
                self._sizes.clear()
            size = self._sizes[text] = count_tokens(text, self.tokenizer)
        return size

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return {}

    def _fits_surely(self, empty: int, cuts: Sequence[tuple[str, int, int]]) -> bool:
        """Whether the parts leave so much room that the long text need not be tokenised once more."""
        times = sum(name == "passage" for _, name in pieces(self.template.body))
        most = sum(kept + _BORDER + _BRACKET * text.count("[") for text, kept, _ in cuts)
        return empty + times * most <= self.context

    def _passage_limit(self) -> int | None:
        return self.passage_tokens or self.template.passage_tokens

    @property
    def _apart(self) -> bool:
        """Whether each text is encoded by itself, so that the longest decides (fusion-in-decoder, not pairs)."""
        return self.template.layout == "segments" and not self.template.prefix

    def _used(self, request: Request) -> int:
        """Tokens of the context that the request takes; a decoder of its own has room for its own answer."""
        answer = 0 if self._apart or self.template.layout == "encoder_decoder" else request.max_tokens
        if self.measure is not None:
            return self.measure(request) + answer
        counts = [count_tokens(text, self.tokenizer) + self.per_message for text in request.texts]
        if self._apart:
            return max(counts, default=0)
        decoder = self.template.layout == "encoder_decoder"
        prefill = 0 if decoder or not request.prefill else count_tokens(request.prefill, self.tokenizer)
        return sum(counts) + prefill + answer

    def _too_many(self, query: Query, candidates: Sequence[Candidate]) -> InputError:
        return InputError(
            f"query {query.id!r}: {len(candidates)} passages of at least {self.least} tokens do not fit a context of "
            f"{self.context} tokens with prompt {self.template.name!r}; {self.fits(query, candidates)} do: use a "
            "smaller window, give a larger context if the model has one (option context=N), or shorten the query"
        )
