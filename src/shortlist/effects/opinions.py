"""Several teachers that agree in part: each also looks at something that the others do not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..core.errors import ConfigError
from ..core.extras import need
from .matching import graded, labelled, matched
from .teacher import Teacher
from .values import Lists, Sample


@dataclass(frozen=True)
class Opinions:
    """As ``Matching``, but what counts is what texts share in ``common`` hidden directions, and in ``own`` further ones
    that are another few for each teacher. A document may match in one and not in the other.

    heard: the number of the teacher whose scores are the targets and whose truth gives grades and labels; None is the
    mean of all. The texts of a seed are the same whoever is heard, so ``dataclasses.replace(generator, heard=1)`` asks
    another teacher about them. lists, documents, held_out, pool, judged, teacher: as in ``Matching``.
    """

    heard: int | None = None
    teachers: int = 2
    common: int = 4
    own: int = 6
    lists: int = 256
    documents: int = 16
    held_out: int = 128
    pool: int = 64
    tokens: tuple[int, int] = (3, 5)
    judged: int = 1
    teacher: Teacher = field(default_factory=Teacher)

    def __post_init__(self) -> None:
        if self.heard is not None and not 0 <= self.heard < self.teachers:
            raise ConfigError(f"heard={self.heard}: expected None or 0 to {self.teachers - 1}")
        if min(self.lists, self.held_out, self.teachers, self.common + self.own) < 1:
            raise ConfigError(f"teachers={self.teachers}, common={self.common}, own={self.own}: expected 1 or more")

    def sample(self, seed: int) -> Sample:
        """The same world for training and held out; another seed is another world."""
        torch = need("torch>=2.4", extra="local")
        chance = torch.Generator().manual_seed(seed)
        dim = self.common + self.teachers * self.own
        turned = torch.linalg.qr(torch.randn(dim, dim, generator=chance))[0]
        return Sample(
            self._lists(self.lists, self.documents, turned, chance),
            self._lists(self.held_out, self.pool, turned, chance),
        )

    def _lists(self, lists: int, documents: int, turned: Any, chance: Any) -> Lists:
        torch = need("torch>=2.4", extra="local")
        asked, said = self.tokens
        about = torch.randn(lists, asked, len(turned), generator=chance)
        blocks = [self.common, *[self.own] * self.teachers]
        share = torch.rand(lists, documents, 1, len(blocks), generator=chance)
        share = share.repeat_interleave(torch.tensor(blocks), dim=-1)
        taken = torch.randint(asked, (lists, documents, said), generator=chance)
        copied = about[torch.arange(lists)[:, None, None], taken]
        told = share * copied + (1 - share**2).sqrt() * torch.randn(copied.shape, generator=chance)
        truths = [matched(about[..., seen], told[..., seen]) for seen in self._seen()]
        truth = sum(truths) / len(truths) if self.heard is None else truths[self.heard]
        noise = [self.teacher.says(one, chance) for one in truths]
        targets = sum(noise) / len(noise) if self.heard is None else noise[self.heard]
        grades = graded(truth)
        return Lists(about @ turned, told @ turned, targets, labelled(grades, self.judged, chance), grades)

    def _seen(self) -> list[list[int]]:
        """The directions that each teacher looks at."""
        first = list(range(self.common))
        starts = [self.common + i * self.own for i in range(self.teachers)]
        return [first + list(range(start, start + self.own)) for start in starts]
