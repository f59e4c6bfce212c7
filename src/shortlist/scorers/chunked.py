"""Documents longer than a prompt should take: split into passages, each scored alone, and the best (or mean) counts.

Source: Dai and Callan 2019, SIGIR (FirstP, MaxP). For pointwise scorers that ask a language model; without this a long
document is cut to fit, which is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import ConfigError
from ..core.protocols import AsyncScorer, Comparable, ScoredGroup, Scorer
from ..core.types import MISSING, Call, Scale, Usage
from ..core.waiting import gathered
from ..prompts.tokens import Tokenizer, estimated_tokens, split
from .passages import Aggregate, aggregate, split_repair


@dataclass(frozen=True)
class Chunked:
    """``scorer`` on each passage of a document. tokens: of a passage; overlap: that neighbours share.

    aggregate: how the scores of a document's passages become its score; passages without a score do not count.
    tokenizer: text -> tokens. A title is shown with every passage. Calls name the document; their usage and repairs
    are those of all its passages, and ``output`` is that of the passage that scored best.
    """

    scorer: Scorer
    tokens: int = 256
    overlap: int = 32
    aggregate: Aggregate = "max"
    tokenizer: Tokenizer = estimated_tokens

    def __post_init__(self) -> None:
        if self.scorer.max_group != 1 or self.scorer.comparable != "across":
            raise ConfigError(
                "passages of one document can only be compared by a pointwise scorer, whose scores mean the same in "
                "every call; use a pointwise method, or no chunks"
            )
        if self.tokens < 1 or self.overlap < 0:
            raise ConfigError(f"tokens={self.tokens}, overlap={self.overlap}: expected 1 or more, and 0 or more")

    @property
    def comparable(self) -> Comparable:
        return "across"

    @property
    def max_group(self) -> int | None:
        return 1

    @property
    def scale(self) -> Scale:
        return self.scorer.scale

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        split_up = [self._passages(group) for group in groups]
        calls = iter(self.scorer.score([passage for passages in split_up for passage in passages]))
        return [self._joined([next(calls) for _ in passages]) for passages in split_up]

    def _passages(self, group: ScoredGroup) -> list[ScoredGroup]:
        query, (candidate,) = group
        texts = split(candidate.document.text, self.tokens, self.tokenizer, self.overlap)
        return [(query, (replace(candidate, document=replace(candidate.document, text=text)),)) for text in texts]

    def _joined(self, calls: Sequence[Call]) -> Call:
        known = [call for call in calls if call.scores[0] != MISSING]
        scores = [call.scores[0] for call in known]
        value = aggregate(scores, [len(scores)], self.aggregate)[0] if known else MISSING
        best = max(known, key=lambda call: call.scores[0], default=calls[0])
        repairs = (*(repair for call in calls for repair in call.repairs), *split_repair(len(calls)))
        usage = sum((call.usage for call in calls), Usage())
        return replace(best, scores=(value,), repairs=repairs, usage=usage)


@dataclass(frozen=True)
class ChunkedAsync(Chunked):
    """``Chunked`` over a scorer that is waited for; the passages of a document are asked side by side."""

    scorer: AsyncScorer

    @property
    def concurrency(self) -> int:
        return self.scorer.concurrency

    async def ascore(self, group: ScoredGroup) -> Call:
        """One call about one document."""
        return self._joined(await gathered([self.scorer.ascore(passage) for passage in self._passages(group)]))


def chunked(scorer: Scorer, **params: Any) -> Chunked:
    """A ``ChunkedAsync`` when the scorer has ``ascore``, else a ``Chunked``."""
    kind: Any = ChunkedAsync if isinstance(scorer, AsyncScorer) else Chunked
    made: Chunked = kind(scorer, **params)
    return made
