"""Texts as bags of vectors, of which only a hidden part says what a text is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..core.errors import ConfigError
from ..core.extras import need
from .teacher import Teacher
from .values import Lists, Sample

SHARES = ((0.05, 3.0), (0.1, 2.0), (0.2, 1.0))  # the best twentieth of a list has grade 3, and so on


@dataclass(frozen=True)
class Matching:
    """A document is relevant as far as its tokens match the query's in ``topic`` of ``dim`` hidden directions: the mean
    over query tokens of the highest cosine. The other directions are noise that a student has to learn to overlook.

    lists, documents: for training. held_out, pool: lists and documents per list that are kept apart. tokens: of a
    query and of a document. clutter: deviation of the other directions against 1 of those that count. retrieved: a
    list is what a first stage liked best of so many times its length; 1 is no first stage. first_stage: deviation of
    its error, against the truth's range of -1 to 1. judged: how many documents per list carry a label, drawn from
    those of a grade above 0. teacher: what makes scores of the truth.
    """

    lists: int = 256
    documents: int = 16
    held_out: int = 128
    pool: int = 64
    dim: int = 16
    topic: int = 8
    tokens: tuple[int, int] = (3, 5)
    clutter: float = 0.5
    retrieved: int = 1
    first_stage: float = 0.2
    judged: int = 1
    teacher: Teacher = field(default_factory=Teacher)

    def __post_init__(self) -> None:
        if (
            not 0 < self.topic <= self.dim
            or min(self.retrieved, self.lists, self.held_out, self.documents - 1, self.pool - 1) < 1
        ):
            raise ConfigError(
                f"topic={self.topic}, dim={self.dim}, lists={self.lists}, documents={self.documents}, "
                f"held_out={self.held_out}, pool={self.pool}: expected topic of 1 to dim, one list, two documents"
            )

    def sample(self, seed: int) -> Sample:
        """The same world for training and held out; another seed is another world."""
        torch = need("torch>=2.4", extra="local")
        chance = torch.Generator().manual_seed(seed)
        turned = torch.linalg.qr(torch.randn(self.dim, self.dim, generator=chance))[0]
        return Sample(
            self._lists(self.lists, self.documents, turned, chance),
            self._lists(self.held_out, self.pool, turned, chance),
        )

    def _lists(self, lists: int, documents: int, turned: Any, chance: Any) -> Lists:
        torch = need("torch>=2.4", extra="local")

        def draw(*shape: int) -> Any:
            return torch.randn(*shape, generator=chance)

        asked, said = self.tokens
        about = draw(lists, asked, self.topic)
        many = documents * self.retrieved
        taken = torch.randint(asked, (lists, many, said), generator=chance)
        copied = about[torch.arange(lists)[:, None, None], taken]
        share = torch.rand(lists, many, 1, 1, generator=chance)
        told = share * copied + (1 - share**2).sqrt() * draw(lists, many, said, self.topic)
        truth = matched(about, told)
        if self.retrieved > 1:
            liked = truth + self.first_stage * draw(lists, many)
            kept = liked.argsort(dim=1, descending=True)[:, :documents]
            told, truth = told[torch.arange(lists)[:, None], kept], truth.gather(1, kept)
        rest = self.dim - self.topic
        queries = torch.cat([about, self.clutter * draw(lists, asked, rest)], -1) @ turned
        texts = torch.cat([told, self.clutter * draw(lists, documents, said, rest)], -1) @ turned
        grades = graded(truth)
        return Lists(queries, texts, self.teacher.says(truth, chance), labelled(grades, self.judged, chance), grades)


def matched(queries: Any, documents: Any) -> Any:
    """The mean over query tokens of the highest cosine in the document: (lists, documents)."""
    torch = need("torch>=2.4", extra="local")
    unit = torch.nn.functional.normalize
    return torch.einsum("lqw,lntw->lnqt", unit(queries, dim=-1), unit(documents, dim=-1)).amax(-1).mean(-1)


def graded(truth: Any) -> Any:
    """Grades 0 to 3 by place in the list: its best twentieth, its best tenth, its best fifth, the rest."""
    torch = need("torch>=2.4", extra="local")
    place = truth.argsort(dim=1, descending=True).argsort(dim=1)
    grades = torch.zeros_like(truth)
    for share, grade in reversed(SHARES):
        grades[place < max(1, round(share * truth.shape[1]))] = grade
    return grades


def labelled(grades: Any, judged: int, chance: Any) -> Any:
    """1 for ``judged`` documents per list, drawn from those with a grade above 0; else 0."""
    torch = need("torch>=2.4", extra="local")
    lot = torch.rand(grades.shape, generator=chance) * (grades >= 1)
    place = lot.argsort(dim=1, descending=True).argsort(dim=1)
    return ((place < judged) & (lot > 0)).float()
