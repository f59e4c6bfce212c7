"""How many of a group are picked, as a function of its size: what a prompt asks for and what a readout expects.

Source: Chen et al. 2024, arXiv 2406.11678 (TourRank).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core.errors import ConfigError
from ..core.exchange import Completion, Reading, Request
from ..core.protocols import Capability, Comparable
from ..core.types import Candidate, Query, Scale
from ..prompts import Fitted, Template
from ..readouts import Pick


@dataclass(frozen=True)
class Share:
    """``table`` has pairs of group size and picks; groups of other sizes pick half of their documents, rounded up.

    >>> Share(((5, 2),)).of(5), Share().of(5), Share().of(1)
    (2, 3, 1)
    """

    table: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if any(not 1 <= picks <= size for size, picks in self.table):
            raise ConfigError(f"table={self.table!r}: expected pairs of a group's size and how many of it are picked")

    def of(self, n: int) -> int:
        return dict(self.table).get(n, max(1, (n + 1) // 2))


@dataclass(frozen=True)
class SharePrompt:
    """A prompt whose {pick} is the share of the group it shows."""

    prompt: Fitted
    share: Share

    @property
    def template(self) -> Template:
        return self.prompt.template

    def render(self, query: Query, candidates: Sequence[Candidate], *, labels: tuple[str, ...] = ()) -> Request:
        """As the prompt renders, asking for this group's share."""
        template = replace(self.template, pick=self.share.of(len(candidates)))
        return replace(self.prompt, template=template).render(query, candidates, labels=labels)


@dataclass(frozen=True)
class SharePick:
    """``Pick`` with as many picks as the group's share; the first named gets the most points.

    >>> SharePick(Share(((5, 2),))).read(Completion("Document 4, Document 1"), 5).scores
    (1.0, 0.0, 0.0, 2.0, 0.0)
    """

    share: Share
    pick: Pick = Pick(ordered=True)  # noqa: RUF009 - frozen

    @property
    def requires(self) -> frozenset[Capability]:
        return self.pick.requires

    @property
    def comparable(self) -> Comparable:
        return self.pick.comparable

    @property
    def max_group(self) -> int | None:
        return self.pick.max_group

    @property
    def scale(self) -> Scale:
        return self.pick.scale

    def labels(self, n: int) -> tuple[str, ...]:
        return self.pick.labels(n)

    def read(self, completion: Completion, n: int) -> Reading:
        return self._sized(n).read(completion, n)

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds ``scores`` would answer."""
        return self._sized(len(scores)).write(scores)

    def _sized(self, n: int) -> Pick:
        return replace(self.pick, m=self.share.of(n))
