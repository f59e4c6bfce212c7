"""A rerank service behind an HTTP endpoint: one query and its documents in, one score per document out.

Sources: see ``dialects``. What a service's number means is its own affair (scale ``api``); most are in [0, 1].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

from ...core.errors import ConfigError
from ...core.exchange import Reading
from ...core.params import digest
from ...core.protocols import Capability
from ...core.types import MISSING, Repair, Scale, Usage
from ...core.waiting import gathered
from .address import Address, checked
from .dialects import DIALECTS, Dialect, full_url, named
from .exchange import Limits
from .link import Link
from .loop import blocking, elsewhere
from .patience import Clock, Patience, SystemClock
from .refusals import EndpointError
from .results import read_results


@dataclass(frozen=True)
class RerankEndpoint:
    """A rerank service by its URL: with the route, or without to get the dialect's own.

    dialect: a name of ``dialects.DIALECTS``, or ``auto``: told by host and route, else vLLM's, and when the server
    answers that it misses ``texts``, TEI's. model: sent where the dialect has a field for it. batch: documents per
    request, by default the dialect's limit; longer lists are sent in parts. extra: further fields (``truncation``,
    ``max_tokens_per_doc`` ...); they win.

    A document without text is not sent, because several services then refuse the whole list: it is MISSING, with the
    repair ``empty_document``. Attempts after the first are the repair ``request_retried``, waiting for a service that
    was down ``waited_for_endpoint``. The other parameters are those of ``OpenAICompatible``.
    """

    url: str
    _: KW_ONLY
    dialect: str = "auto"
    model: str | None = None
    api_key_env: str | None = None
    batch: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 8
    timeout: float = 60.0
    connect_timeout: float = 10.0
    read_timeout: float | None = None
    max_attempts: int = 4
    max_outage: float = 600.0
    patience: Patience = Patience()  # noqa: RUF009
    clock: Clock = field(default=SystemClock(), repr=False, compare=False)
    _link: Link = field(init=False, repr=False, compare=False)
    _settled: list[str] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        checked("url", self.url)
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"batch={self.batch}: expected 1 or more documents per request")
        _, dialect = named(self.dialect, self.url)
        address = Address(self.url, self.api_key_env, dialect.key_header, {**dialect.headers, **self.headers})
        limits = Limits(
            self.concurrency, self.timeout, self.read_timeout, self.connect_timeout, self.max_attempts, self.max_outage
        )
        object.__setattr__(self, "_link", Link(address, limits, self.patience, self.clock))

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.PAIR_SCORES})

    @property
    def scale(self) -> Scale:
        return Scale.API

    @property
    def digest(self) -> str:
        """Identifies address, dialect, model and options; not the weights, which only the server knows."""
        decisive = ("url", "dialect", "model", "batch", "extra", "headers")
        return f"{self.model or 'rerank'}-{digest({name: getattr(self, name) for name in decisive})}"

    @property
    def counts(self) -> Counter[str]:
        """What happened so far: requests, attempts, answered, failed, ``retried_*``."""
        return self._link.counts

    @property
    def outage(self) -> str:
        """Why the service answers nobody any more; empty while it answers."""
        return self._link.outage

    @property
    def most(self) -> int | None:
        """Documents that one request may hold; ``None`` when no limit is known."""
        return self.batch or self._dialect()[1].most

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._link.close()

    async def arerank(self, query: str, documents: Sequence[str]) -> tuple[Reading, Usage]:
        """One score per document, in the order given. Raises EndpointError when the service fails for good."""
        return await elsewhere(self._rerank(query, documents))

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """One number per (query, document); the pairs of one query go together. MISSING where there is none."""
        by_query: dict[str, list[int]] = {}
        for position, (query, _) in enumerate(pairs):
            by_query.setdefault(query, []).append(position)
        jobs = [self._rerank(query, [pairs[p][1] for p in places]) for query, places in by_query.items()]
        scores = [MISSING] * len(pairs)
        for places, (reading, _) in zip(by_query.values(), blocking(gathered(jobs)), strict=True):
            for place, score in zip(places, reading.scores, strict=True):
                scores[place] = score
        return scores

    def _dialect(self) -> tuple[str, Dialect]:
        if self._settled:
            return self._settled[0], DIALECTS[self._settled[0]]
        return named(self.dialect, self.url)

    async def _rerank(self, query: str, documents: Sequence[str]) -> tuple[Reading, Usage]:
        sent = [i for i, text in enumerate(documents) if text.strip()]
        began = self.clock.tick()
        try:
            parts = await self._parts(query, documents, sent)
        except EndpointError as error:
            if not self._may_be_tei(error):
                raise
            self._settled[:] = ["tei"]
            parts = await self._parts(query, documents, sent)
        scores = [MISSING] * len(documents)
        repairs = [Repair("empty_document", len(documents) - len(sent))] if len(sent) < len(documents) else []
        usage = Usage()
        for places, (reading, spent) in parts:
            for place, score in zip(places, reading.scores, strict=True):
                scores[place] = score
            repairs += reading.repairs
            usage += spent
        usage += Usage(seconds=round(self.clock.tick() - began, 3))
        valid = not documents or any(score != MISSING for score in scores)
        return Reading(tuple(scores), tuple(repairs), valid), usage

    async def _parts(
        self, query: str, documents: Sequence[str], sent: Sequence[int]
    ) -> list[tuple[Sequence[int], tuple[Reading, Usage]]]:
        size = self.most or len(sent) or 1
        places = [sent[start : start + size] for start in range(0, len(sent), size)]
        answers = await gathered([self._ask(query, [documents[i] for i in part]) for part in places])
        return list(zip(places, answers, strict=True))

    async def _ask(self, query: str, texts: Sequence[str]) -> tuple[Reading, Usage]:
        _, dialect = self._dialect()
        body = {**dialect.fixed, **dialect.shape(query, texts)}
        if self.model and dialect.takes_model:
            body["model"] = self.model
        body |= self.extra
        answer = await self._link.post(full_url(self.url, dialect), body, lambda data: read_results(data, len(texts)))
        reading, usage = answer.value
        return replace(reading, repairs=(*reading.repairs, *answer.repairs)), usage

    def _may_be_tei(self, error: EndpointError) -> bool:
        """Did the server, asked in the dialect that was only guessed, answer that it misses TEI's field?"""
        guessed = self.dialect == "auto" and not self._settled and self._dialect()[0] == "vllm"
        return guessed and error.status in (400, 422) and "texts" in str(error)
