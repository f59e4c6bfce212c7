"""Three ways to put a query and a document together, as small as they can be.

Tokens are vectors, a model is a dictionary of tensors, and its first weights depend on the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.extras import need
from .values import Weights


@dataclass(frozen=True)
class Dot:
    """One vector per text, from one encoder of one hidden layer over the mean of the tokens; the score is their dot
    product and a constant. bounded: the vectors have length 1 and there is no constant, so that scores stay in [-1, 1].
    """

    width: int = 32
    hidden: int = 64
    bounded: bool = False

    def start(self, dim: int, seed: int) -> Weights:
        return {**_normal(seed, first=(dim, self.hidden), second=(self.hidden, self.width)), **_zeros(end=1)}

    def scores(self, weights: Weights, queries: Any, documents: Any) -> Any:
        q, d = self._vectors(weights, queries), self._vectors(weights, documents)
        product = (q[:, None] * d).sum(-1)
        return product if self.bounded else product + weights["end"]

    def _vectors(self, weights: Weights, tokens: Any) -> Any:
        vectors = (tokens @ weights["first"]).relu().mean(-2) @ weights["second"]
        return _unit(vectors) if self.bounded else vectors


@dataclass(frozen=True)
class LateInteraction:
    """One vector of length 1 per token; each of the query's takes the highest cosine in the document, and these are
    summed. bounded: that is the score, in [-query tokens, query tokens] whatever is learned; otherwise a factor and a
    constant are learned too."""

    width: int = 16
    bounded: bool = False

    def start(self, dim: int, seed: int) -> Weights:
        return {**_normal(seed, first=(dim, self.width)), **_zeros(factor=1, end=1)}

    def scores(self, weights: Weights, queries: Any, documents: Any) -> Any:
        torch = need("torch>=2.4", extra="local")
        q, d = _unit(queries @ weights["first"]), _unit(documents @ weights["first"])
        best = torch.einsum("lqw,lntw->lnqt", q, d).amax(-1).sum(-1)
        return best if self.bounded else best * weights["factor"].exp() + weights["end"]


@dataclass(frozen=True)
class Cross:
    """Query and document go together through a network of one hidden layer: the means of their tokens, one behind the
    other, and their product. It can see what is the query's alone, which the other two cannot."""

    hidden: int = 64

    def start(self, dim: int, seed: int) -> Weights:
        return {
            **_normal(seed, first=(3 * dim, self.hidden), second=(self.hidden, 1)),
            **_zeros(bias=self.hidden, end=1),
        }

    def scores(self, weights: Weights, queries: Any, documents: Any) -> Any:
        torch = need("torch>=2.4", extra="local")
        d = documents.mean(-2)
        q = queries.mean(-2)[:, None].expand_as(d)
        hidden = (torch.cat([q, d, q * d], -1) @ weights["first"] + weights["bias"]).relu()
        return (hidden @ weights["second"])[..., 0] + weights["end"]


def _normal(seed: int, **shapes: tuple[int, int]) -> Weights:
    torch = need("torch>=2.4", extra="local")
    chance = torch.Generator().manual_seed(seed)
    return {name: torch.randn(*shape, generator=chance) * shape[0] ** -0.5 for name, shape in shapes.items()}


def _zeros(**sizes: int) -> Weights:
    torch = need("torch>=2.4", extra="local")
    return {name: torch.zeros(size) for name, size in sizes.items()}


def _unit(vectors: Any) -> Any:
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-6)
