"""Late interaction over token states: cosine of the mean + MaxSim + a little of the first stage, each scaled over the
list.

MaxSim: Khattab and Zaharia 2020, arXiv 2004.12832 (ColBERT), equation 3. The sum with the cosine and the first-stage
score is this package's own: without training it beats either part (benchmarks/results). Because every part is min-max
scaled over the candidate list, scores compare documents of one list only: scale ``RELATIVE``, no threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..backends.similarity import FIRST_STAGE_WEIGHT, combine, feedback, match
from ..core.protocols import Capability, Comparable, ScoredGroup, TokenStateBackend
from ..core.types import Call, Scale, Scores, Usage
from ._fit import fits, query_repairs, split_for
from .passages import Aggregate, aggregate, split_all, split_repair

PARTS = ("cosine", "maxsim", "reverse-maxsim", "feedback")
"""What a call says beside its scores: the first two are in the sum; all are there for a mixture to weigh."""


@dataclass(frozen=True)
class LateInteraction:
    """Scores a whole candidate list; passages are encoded alone, so that a backend can cache their states.

    first_stage: weight of the min-max scaled first-stage score; left out of lists in which a document has none.
    aggregate: how the passages of one long document become its cosine and its MaxSim.
    """

    backend: TokenStateBackend
    first_stage: float = FIRST_STAGE_WEIGHT
    aggregate: Aggregate = "max"

    def __post_init__(self) -> None:
        fits("LateInteraction", self.backend, Capability.TOKEN_STATES)

    @property
    def comparable(self) -> Comparable:
        return "within"

    @property
    def max_group(self) -> int | None:
        return None

    @property
    def scale(self) -> Scale:
        return Scale.RELATIVE

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        return [self._score_list(group) for group in groups]  # one list in memory at a time: states are large

    def _score_list(self, group: ScoredGroup) -> Call:
        query, candidates = group
        texts = [c.document.full_text for c in candidates]
        passages, sizes = split_all(texts, split_for(self.backend, ""))
        distinct = list(dict.fromkeys(passages))
        (query_states,) = self.backend.token_states([query.text], kind="query")
        states = (
            dict(zip(distinct, self.backend.token_states(distinct, kind="document"), strict=True)) if distinct else {}
        )
        shown = [states[text] for text in passages]
        scores, parts = self._list_scores(query_states, shown, sizes, [c.came_with for c in candidates])
        (said,) = query_repairs(self.backend, [query])
        repairs = (*said, *(r for size in sizes for r in split_repair(size)))
        tokens = len(query_states) + sum(map(len, states.values()))  # a row each, also where a cache had them
        usage = Usage(calls=1, prompt_tokens=tokens)
        return Call(tuple(c.id for c in candidates), scores, "", repairs, usage, parts)

    def _list_scores(
        self, query: Any, passages: Sequence[Any], sizes: Sequence[int], first: Sequence[float | None]
    ) -> tuple[Scores, dict[str, Scores]]:
        matches = match(query, passages)
        columns = [aggregate(column.tolist(), sizes, self.aggregate) for column in matches.T]
        known = [score for score in first if score is not None]
        scores = combine(
            np.array(columns).T, known if len(known) == len(first) else None, first_weight=self.first_stage
        ).tolist()
        nearest = feedback(_one_each(passages, matches[:, 0], sizes), scores).tolist()
        return tuple(scores), dict(zip(PARTS, map(tuple, (*columns, nearest)), strict=True))


def _one_each(passages: Sequence[Any], cosines: Any, sizes: Sequence[int]) -> list[Any]:
    """Of every document the passage whose mean is nearest to the query's."""
    starts = np.cumsum([0, *sizes])
    return [passages[a + int(np.argmax(cosines[a:b]))] for a, b in pairwise(starts)]
