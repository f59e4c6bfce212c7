"""The roles of the system. A class plays a role by having its methods; nothing needs to be inherited.

Arrays cross these borders as sequences of floats or anything indexable like them; layer 0 does not import numpy.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

from .exchange import Attended, AttentionMass, Completion, Likelihood, Reading, Request, Views
from .plans import Outcome, Round
from .types import Call, Candidate, Document, Query, Ranking, Scale, Scores

Comparable = Literal["within", "across"]
"""within: scores mean something only inside one call. across: also between calls, so they may be pooled and sorted."""
Plan = Generator[Round, Sequence[Scores], Outcome]
"""Yields rounds of groups, is sent their scores (in the order of the groups), returns an outcome."""
ScoredGroup = tuple[Query, Sequence[Candidate]]
"""What a scorer is given: a query and the candidates that are looked at together, in presentation order."""


class Capability(StrEnum):
    """What a backend can do; a readout or scorer states what it needs."""

    GENERATE = "generate"
    LABEL_LOGITS = "label_logits"
    TOKEN_LOGPROBS = "token_logprobs"
    NLL = "nll"
    PAIR_SCORES = "pair_scores"
    EMBED = "embed"
    TOKEN_STATES = "token_states"
    ATTENTION_ROWS = "attention_rows"
    FID = "fid"
    CROSS_ATTENTION = "cross_attention"
    VIEWS = "views"
    EMBED_PROMPTS = "embed_prompts"
    GROUP_SCORES = "group_scores"


@runtime_checkable
class Scorer(Protocol):
    """Gives numbers to groups of documents. Group size 1 is pointwise, 2 pairwise, more setwise or listwise."""

    @property
    def comparable(self) -> Comparable: ...
    @property
    def max_group(self) -> int | None: ...
    @property
    def scale(self) -> Scale: ...
    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        """One call per group, in order. Must not depend on how groups are batched."""
        ...


@runtime_checkable
class AsyncScorer(Scorer, Protocol):
    """A scorer that waits for a remote service; ``concurrency`` groups may be under way at once."""

    @property
    def concurrency(self) -> int: ...
    async def ascore(self, group: ScoredGroup) -> Call: ...


@runtime_checkable
class Schedule(Protocol):
    """Decides which groups are scored and how their scores make one ranking. Pure: no text, no model, no I/O."""

    @property
    def needs_across(self) -> bool:
        """True when scores of different groups are compared, so the scorer must be comparable across calls."""
        ...

    @property
    def group_size(self) -> int | None:
        """The largest group that is ever sent; ``None`` means the whole list."""
        ...

    def exact_top(self, n: int) -> int:
        """How many leading ranks are exact for ``n`` documents when the scorer is perfect."""
        ...

    def plan(self, n: int) -> Plan: ...


@runtime_checkable
class Reranker(Protocol):
    """Batch in, batch out, same order of queries. ``k`` keeps a prefix of each result."""

    def rerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]: ...


@runtime_checkable
class Retriever(Protocol):
    """Finds candidates; each returned ranking has at most ``k`` of them, status ``retrieved``."""

    def retrieve(self, queries: Sequence[Query], *, k: int) -> list[Ranking]: ...


class Corpus(Protocol):
    """Documents by id, read when asked for. Raises MissingDocument for an unknown id."""

    def __getitem__(self, doc_id: str) -> Document: ...
    def __contains__(self, doc_id: object) -> bool: ...
    def __len__(self) -> int: ...


class Prompt(Protocol):
    """Renders a group as a request."""

    def render(self, query: Query, candidates: Sequence[Candidate], *, labels: tuple[str, ...]) -> Request: ...


class Readout(Protocol):
    """Reads a completion back into one score per document. Total: any text in, never an exception."""

    @property
    def requires(self) -> frozenset[Capability]: ...
    @property
    def comparable(self) -> Comparable: ...
    @property
    def max_group(self) -> int | None: ...
    @property
    def scale(self) -> Scale: ...
    def labels(self, n: int) -> tuple[str, ...]:
        """The labels whose log-probabilities the backend must return for a group of ``n``; empty for generated text."""
        ...

    def read(self, completion: Completion, n: int) -> Reading: ...
    def write(self, scores: Scores) -> Completion:
        """The inverse: what a model that holds these scores would answer; ``read(write(s), len(s))`` orders as
        ``s``."""
        ...


class Backend(Protocol):
    """A model behind a border. Which of the methods below exist is what ``capabilities`` says.

    digest: identifies the weights and everything else that decides the numbers; keys caches and manifests.
    """

    @property
    def capabilities(self) -> frozenset[Capability]: ...
    @property
    def digest(self) -> str: ...


class GenerateBackend(Backend, Protocol):
    """GENERATE, LABEL_LOGITS, TOKEN_LOGPROBS: ``Completion.labels`` is filled for requests that ask for labels,
    ``Completion.tokens`` for those with ``logprobs``. FID: prompts may be ``Segments``."""

    def generate(self, requests: Sequence[Request]) -> Sequence[Completion]: ...


class LikelihoodBackend(Backend, Protocol):
    """NLL: how probable a given text is as the answer to a prompt; ``eos``: ended there, too."""

    def nll(self, asked: Sequence[tuple[Request, str]], *, eos: bool = False) -> Sequence[Likelihood]: ...


class AttentionBackend(Backend, Protocol):
    """ATTENTION_ROWS: how much each end of a prompt (``Request.parts``) looks at each token of each passage.

    rows: ``mean`` over the tokens of the tail, chat suffix and prefill included, or the ``last`` token's alone.
    """

    def attention(
        self, requests: Sequence[Request], *, rows: Literal["mean", "last"] = "mean"
    ) -> Sequence[AttentionMass]: ...


class PairBackend(Backend, Protocol):
    """PAIR_SCORES: one number per (query text, document text)."""

    @property
    def scale(self) -> Scale: ...
    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]: ...


class EmbedBackend(Backend, Protocol):
    """EMBED: unit rows, shape (len(texts), dim), float32 (a numpy array)."""

    def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> Any: ...


class TokenStateBackend(Backend, Protocol):
    """TOKEN_STATES: per text an array (tokens, dim), float32, special tokens included, not normalised."""

    def token_states(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> Sequence[Any]: ...


class CrossAttentionBackend(Backend, Protocol):
    """CROSS_ATTENTION: how much the decoder looks at each text of ``Segments`` while it answers.

    asked: (request, lead). As many tokens as ``lead`` has are left out of the sums at the begin of every text.
    """

    def cross_attention(self, asked: Sequence[tuple[Request, str]]) -> Sequence[Attended]: ...


class ViewsBackend(Backend, Protocol):
    """VIEWS: the encoder's states at ``tokens``, put in front of every text of ``Segments``, and one decoder step over
    the states of each view alone."""

    def views(self, requests: Sequence[Request], tokens: tuple[str, ...]) -> Sequence[Views]: ...


class PromptEmbedBackend(EmbedBackend, Protocol):
    """EMBED and EMBED_PROMPTS: unit rows of rendered prompts too, in the space of the texts' vectors."""

    def embed_prompts(self, requests: Sequence[Request]) -> Any: ...


class GroupBackend(Backend, Protocol):
    """GROUP_SCORES: one number per document of a group that is read together, so they depend on the others in it.

    most: documents that may be read together; ``None`` is no limit. group_scores: a reading per (query text, document
    texts), with a repair for every text that was cut.
    """

    @property
    def scale(self) -> Scale: ...
    @property
    def most(self) -> int | None: ...
    def group_scores(self, groups: Sequence[tuple[str, Sequence[str]]]) -> Sequence[Reading]: ...
