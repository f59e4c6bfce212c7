"""Similarities of token states: the cosine of the means, MaxSim, and their sum over one candidate list. Pure numpy.

MaxSim: Khattab and Zaharia 2020, arXiv 2004.12832, equation 3. The states of [CLS] and [SEP] take part, on both sides.
Feedback: the mean vector of the first few documents as a second query, Li et al. 2021, arXiv 2108.11044 (Average).
The sum is this package's own. On six collections (278 queries) cosine + MaxSim gained 2.3 nDCG@10 over the cosine (95 %
interval 1.2 to 3.4), and 0.2 of the first stage another 0.4; the weights were chosen there, once for all of them.

The numbers are relative: each part is scaled to [0, 1] over one candidate list, so scores of different queries are not
comparable.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

FIRST_STAGE_WEIGHT = 0.2  # chosen over six collections at once, not per collection


def unit_rows(rows: Floats) -> NDArray[np.float32]:
    """Rows scaled to length 1; a row of zeros stays zero."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return (rows / np.where(norms == 0, 1, norms)).astype(np.float32)


def match(query: Floats, passages: Sequence[Floats]) -> NDArray[np.float64]:
    """Cosine, MaxSim and reverse MaxSim of one query with each passage.

    query: (query tokens, dim) states. passages: (tokens, dim) states each; one without tokens gets 0. Returns
    (passages, 3): cosine of the mean-pooled states; the mean over query tokens of the largest cosine with a passage
    token; and the mean over passage tokens of the largest cosine with a query token.

    >>> states = np.eye(2, dtype=np.float32)
    >>> match(states, [states, states[:1]]).round(3).tolist()
    [[1.0, 1.0, 1.0], [0.707, 0.5, 1.0]]
    """
    result = np.zeros((len(passages), 3))
    filled = [i for i, states in enumerate(passages) if len(states)]
    if not filled or not len(query):
        return result
    lengths = np.array([len(passages[i]) for i in filled])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    tokens = np.concatenate([passages[i] for i in filled])
    pooled = np.add.reduceat(tokens, starts, axis=0) / lengths[:, None]
    # the passages' tokens are many: dividing the products by their lengths is cheaper than scaling the tokens first
    norms = np.sqrt(np.einsum("ij,ij->i", tokens, tokens))
    similar = (unit_rows(query) @ tokens.T) / np.where(norms == 0, 1, norms)
    result[filled, 0] = unit_rows(pooled) @ unit_rows(query.mean(axis=0))
    result[filled, 1] = np.maximum.reduceat(similar, starts, axis=1).mean(axis=0)
    result[filled, 2] = np.add.reduceat(similar.max(axis=0), starts) / lengths
    return result


def feedback(passages: Sequence[Floats], scores: Sequence[float] | Floats, first: int = 3) -> NDArray[np.float64]:
    """Cosine of each passage's mean state with the mean of those of the ``first`` passages by ``scores``.

    passages: (tokens, dim) states each; one without tokens gets 0. Each counts alike in the mean, whatever its length.

    >>> east, north = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    >>> feedback([east, north, east], [2, 1, 3], first=2).tolist()
    [1.0, 0.0, 1.0]
    """
    if not len(passages):
        return np.zeros(0)
    width = next((p.shape[1] for p in passages if len(p)), 1)
    rows = unit_rows(np.array([p.mean(axis=0) if len(p) else np.zeros(width) for p in passages]))
    best = np.argsort(-np.asarray(scores, np.float64), kind="stable")[:first]
    found: NDArray[np.float64] = (rows @ unit_rows(rows[best].mean(axis=0))).astype(np.float64)
    return found


def min_max(scores: Sequence[float] | Floats) -> NDArray[np.float64]:
    """Scale to [0, 1] over the list; a constant list (or one document) becomes zeros.

    >>> min_max([2, 4, 3]).tolist(), min_max([7, 7]).tolist()
    ([0.0, 1.0, 0.5], [0.0, 0.0])
    """
    values = np.asarray(scores, np.float64)
    if not values.size:
        return values
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def combine(
    matches: Floats, first: Sequence[float] | None = None, *, first_weight: float = FIRST_STAGE_WEIGHT
) -> NDArray[np.float64]:
    """Scores of one candidate list from its matches.

    matches: (n, 2 or more) as ``match`` returns them (for a document of several passages: the largest of each column);
    only cosine and MaxSim are added. first: n first-stage scores, or None. Returns n scores in [0, 2 + first_weight].
    """
    table = np.asarray(matches, np.float64)
    scores = min_max(table[:, 0]) + min_max(table[:, 1])
    if first is not None:
        scores = scores + first_weight * min_max(first)
    return scores
