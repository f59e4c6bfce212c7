"""Groups as prompts: numbered rows, of which each is what the runtime would ask about a list or one document of it.

Rows of one query follow each other, and the order depends on the seed alone. Prompts are rendered by the package's
templates and turned into tokens by its own rule for control tokens, when it is their turn: 10,000 prompts of 20
passages are not held in memory. It does not know trainers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ...backends.transformers.decoding import end_tokens
from ...core.errors import ConfigError, InputError
from ...core.exchange import Request
from ...core.types import Ranking
from ...rewards import Record, Rollout
from ..batches import Grouping, Groups, nothing_left
from ..stored import Picked
from ..students._prompts import Prompted
from .kinds import Kind

_KEPT = 64  # groups and requests: the answers to one prompt come together


@dataclass
class Prompts:
    """The rows of ``groups`` for a reward of this kind.

    group, request: by the number of a group or row, the last ones kept. Raises ConfigError for a template whose answers
    end at a string: TRL ends them at tokens.
    """

    student: Prompted
    groups: Groups
    kind: Kind

    def __post_init__(self) -> None:
        if self.student.template.stop:
            raise ConfigError(
                f"prompt {self.student.template.name!r} ends answers at {self.student.template.stop[0]!r}; rewarded "
                "answers end with the model's end token: use a prompt without stop strings"
            )
        self.group = lru_cache(maxsize=_KEPT)(self.groups.__getitem__)
        self.request = lru_cache(maxsize=_KEPT)(self._request)
        self._ends = end_tokens(self.student.loaded)

    @property
    def each(self) -> int:
        """Rows of a group."""
        return self.groups.grouping.largest if self.kind.pointwise else 1

    @property
    def rows(self) -> int:
        return len(self.groups) * self.each

    def place(self, row: int) -> tuple[int, int | None]:
        """The number of its group, and the document that it asks about; None for all of them."""
        number, document = divmod(row, self.each)
        return number, document if self.kind.pointwise else None

    def _request(self, row: int) -> Request:
        """What is asked, as at inference."""
        number, document = self.place(row)
        group = self.group(number)
        shown = group.candidates if document is None else (group.candidates[document],)
        return self.student.request(group.query, shown)

    def ids(self, row: int) -> list[int]:
        """The tokens of the prompt, prefill included."""
        return self.student.ids(self.request(row))

    def rollout(self, row: int, answer: Sequence[int]) -> Rollout:
        """The answer as the runtime would read it: with the prefill, without control tokens."""
        written = [token for token in answer if token not in self._ends]
        return Rollout(self.request(row).begin + self.student.texts.decode(written), self.place(row)[1])

    def record(self, number: int) -> Record:
        """What the answers about a group are compared with."""
        return self.kind.record(self.group(number))


def rewardable(rankings: Sequence[Ranking], grouping: Grouping, kind: Kind, seed: int) -> tuple[Groups, dict[str, int]]:
    """Groups of the rankings that can be rewarded, and reason -> how many cannot. Raises InputError when none can."""
    kept, left_out = [], dict[str, int]()
    for number, ranking in enumerate(rankings):
        why = grouping.lacks(ranking) or kind.lacks(ranking, grouping)
        if why:
            left_out[why] = left_out.get(why, 0) + 1
        else:
            kept.append(number)
    if not kept:
        raise InputError(nothing_left(len(rankings), left_out, "rewarded"))
    return Groups(Picked(rankings, kept), grouping, seed), left_out
