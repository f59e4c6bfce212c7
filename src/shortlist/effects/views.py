"""Two views of the same things, such as images and their captions: each query has one document of its own, and all
other documents are more or less like it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..core.errors import ConfigError
from ..core.extras import need
from .matching import graded
from .teacher import Teacher
from .values import Lists, Sample


@dataclass(frozen=True)
class TwoViews:
    """Things are points in ``topic`` hidden directions, in families; the truth about two things is their cosine. A
    query is one view of a thing and a document another, in directions of their own, so that nothing can be compared
    before something is learned.

    lists, documents: for training; a list is a query, its own document first, and others drawn from all. held_out,
    pool: the same, kept apart. families: the fewer, the more documents are hard to tell from the own one. spread: of a
    family, against a deviation of 1 of families. blur: deviation of an error in each view. teacher: what makes scores
    of the truth. The label is the own document.
    """

    lists: int = 512
    documents: int = 64
    held_out: int = 128
    pool: int = 128
    topic: int = 8
    view: int = 16
    families: int = 24
    spread: float = 0.6
    blur: float = 0.3
    teacher: Teacher = field(default_factory=lambda: Teacher(12.0, 0.55, squash=True))

    def __post_init__(self) -> None:
        if not 1 < self.documents <= self.lists or not 1 < self.pool <= self.held_out or self.families < 1:
            raise ConfigError(
                f"documents={self.documents}, lists={self.lists}, pool={self.pool}, held_out={self.held_out}, "
                f"families={self.families}: others are drawn from the lists, so documents go from 2 to lists"
            )

    def sample(self, seed: int) -> Sample:
        """The same world for training and held out; another seed is another world."""
        torch = need("torch>=2.4", extra="local")
        chance = torch.Generator().manual_seed(seed)
        views = torch.randn(2, self.topic, self.view, generator=chance) * self.topic**-0.5
        centres = torch.randn(self.families, self.topic, generator=chance)
        return Sample(
            self._lists(self.lists, self.documents, centres, views, chance),
            self._lists(self.held_out, self.pool, centres, views, chance),
        )

    def _lists(self, lists: int, documents: int, centres: Any, views: Any, chance: Any) -> Lists:
        torch = need("torch>=2.4", extra="local")

        def draw(*shape: int) -> Any:
            return torch.randn(*shape, generator=chance)

        family = torch.randint(len(centres), (lists,), generator=chance)
        things = centres[family] + self.spread * draw(lists, self.topic)
        shifts = torch.rand(lists, lists - 1, generator=chance).argsort(dim=1)[:, : documents - 1] + 1
        shown = torch.cat([torch.zeros(lists, 1, dtype=torch.long), shifts], 1)
        shown = (torch.arange(lists)[:, None] + shown) % lists  # the own thing first, then others, none twice
        none = torch.zeros(lists, self.view)
        queries = torch.cat([things @ views[0] + self.blur * draw(lists, self.view), none], 1)
        texts = torch.cat([none, things @ views[1] + self.blur * draw(lists, self.view)], 1)
        unit = torch.nn.functional.normalize(things, dim=-1)
        truth = (unit @ unit.T).gather(1, shown)
        labels = torch.zeros(lists, documents)
        labels[:, 0] = 1
        said = self.teacher.says(truth, chance)
        return Lists(queries[:, None], texts[shown][:, :, None], said, labels, graded(truth))
