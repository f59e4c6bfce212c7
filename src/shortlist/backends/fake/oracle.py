"""A backend that always answers correctly: the check that everything around a model is right."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...core.errors import BackendError
from ...core.exchange import Attended, AttentionMass, Completion, Likelihood, Reading, Request, Views
from ...core.params import digest
from ...core.protocols import Capability
from ...core.types import Scale, Usage

Relevance = Callable[[str, str], float]

_NUMBER = re.compile(r"\s*(-?\d+(?:\.\d+)?)")
_ALL = frozenset(
    {
        Capability.GENERATE,
        Capability.LABEL_LOGITS,
        Capability.TOKEN_LOGPROBS,
        Capability.NLL,
        Capability.PAIR_SCORES,
        Capability.EMBED,
        Capability.TOKEN_STATES,
        Capability.ATTENTION_ROWS,
        Capability.FID,
        Capability.CROSS_ATTENTION,
        Capability.VIEWS,
        Capability.EMBED_PROMPTS,
        Capability.GROUP_SCORES,
    }
)


def leading_number(query: str, document: str) -> float:
    """The number that the document's text begins with; 0 when there is none. The query is not looked at.

    >>> leading_number("any", "17 and more text")
    17.0
    """
    found = _NUMBER.match(document)
    return float(found[1]) if found else 0.0


@dataclass(frozen=True)
class Oracle:
    """Knows the relevance of every document and says so: as text, label logits, pair scores, vectors or token states.

    Vectors: a query is the first axis, a document of relevance r leans towards it by tanh(r / 1000), so that the
    cosine rises with r as long as |r| stays in the low thousands.
    """

    relevance: Relevance = leading_number

    @property
    def capabilities(self) -> frozenset[Capability]:
        return _ALL

    @property
    def digest(self) -> str:
        return f"{type(self).__name__}-{digest(dict(vars(self)))}"

    @property
    def scale(self) -> Scale:
        return Scale.LOGIT

    def judge(self, query: str, documents: Sequence[str]) -> list[float]:
        """Relevance of each document of one group; the seam where the other fakes are wrong."""
        return [self.relevance(query, document) for document in documents]

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [self._answer(request) for request in requests]

    def nll(self, asked: Sequence[tuple[Request, str]], *, eos: bool = False) -> list[Likelihood]:
        """A log-likelihood that rises with the relevance of the one document that the prompt was rendered from."""
        found = []
        for request, continuation in asked:
            if request.group is None:
                raise BackendError("a fake backend answers only requests that carry the group they were rendered from")
            query, candidates = request.group
            (score,) = self.judge(query.text, [c.document.text for c in candidates])
            tokens = len(continuation.split()) + eos
            found.append(Likelihood(score - 1e6, tokens, Usage(1, len(str(request.prompt).split()), tokens)))
        return found

    def attention(self, requests: Sequence[Request], *, rows: Literal["mean", "last"] = "mean") -> list[AttentionMass]:
        """One token per passage: the first tail looks at it as its relevance says, the others not at all."""
        found = []
        for request in requests:
            if request.group is None or request.parts is None:
                raise BackendError("a fake backend looks only at prompts in parts that carry their group")
            query, candidates = request.group
            looks = tuple([score] for score in self.judge(query.text, [c.document.text for c in candidates]))
            nothing = tuple([0.0] for _ in candidates)
            others = (nothing,) * (len(request.parts.tails) - 1)
            found.append(AttentionMass((looks, *others), Usage(1, len(str(request.prompt).split()))))
        return found

    def cross_attention(self, asked: Sequence[tuple[Request, str]]) -> list[Attended]:
        """One layer that looks at each text as its relevance says, and an empty answer."""
        return [Attended(tuple(scores), 1, Completion(usage=usage)) for scores, usage in self._judged(asked)]

    def views(self, requests: Sequence[Request], tokens: tuple[str, ...]) -> list[Views]:
        """Every view of a text is its relevance along the first axis, and every anchor is that axis."""
        import numpy as np

        found = []
        for scores, usage in self._judged([(request, "") for request in requests]):
            texts = np.zeros((len(scores), len(tokens), 2))
            texts[:, :, 0] = np.array(scores)[:, None]
            found.append(Views(texts, np.tile([1.0, 0.0], (len(tokens), 1)), usage))
        return found

    def _judged(self, asked: Sequence[tuple[Request, str]]) -> list[tuple[list[float], Usage]]:
        found = []
        for request, _ in asked:
            if request.group is None:
                raise BackendError("a fake backend answers only requests that carry the group they were rendered from")
            query, candidates = request.group
            scores = self.judge(query.text, [c.document.text for c in candidates])
            found.append((scores, Usage(1, sum(len(text.split()) for text in request.texts))))
        return found

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [self.judge(query, [document])[0] for query, document in pairs]

    def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> Any:
        import numpy as np

        return np.array([self._vector(text, kind) for text in texts], dtype=np.float64).reshape(len(texts), 2)

    def embed_prompts(self, requests: Sequence[Request]) -> Any:
        return self.embed(["" for _ in requests], kind="query")

    def group_scores(self, groups: Sequence[tuple[str, Sequence[str]]]) -> list[Reading]:
        return [Reading(tuple(self.judge(query, documents))) for query, documents in groups]

    @property
    def most(self) -> int | None:
        """Documents that are read together; no limit."""
        return None

    def token_states(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> list[Any]:
        return [row.reshape(1, 2) for row in self.embed(texts, kind=kind)]

    def _vector(self, text: str, kind: str) -> tuple[float, float]:
        lean = 1.0 if kind == "query" else math.tanh(self.judge("", [text])[0] / 1000)
        return lean, math.sqrt(max(0.0, 1 - lean * lean))

    def _answer(self, request: Request) -> Completion:
        if request.group is None or request.answer is None:
            raise BackendError("a fake backend answers only requests that carry the group they were rendered from")
        query, candidates = request.group
        scores = self.judge(query.text, [c.document.text for c in candidates])
        said = request.answer(tuple(scores))
        shown = len(str(request.prompt).split())
        return Completion(said.text, said.labels, True, Usage(1, shown, len(said.text.split())), tokens=said.tokens)
