"""Groups: what they hold, that they repeat by seed, and that positives and padding are where losses expect them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import Candidate, Document, Query, Ranking
from shortlist.core.errors import ConfigError, InputError
from shortlist.losses import KL, SoftmaxCrossEntropy, Sum, WeightedDirection
from shortlist.train import Group, Grouping, Groups, Objective
from shortlist.train.generated import generated
from shortlist.train.samples import with_positives


def ranking(grades: list[int | None], scores: list[float | None], query: str = "q") -> Ranking:
    pairs = zip(grades, scores, strict=True)
    made = [
        Candidate(Document(f"d{i}", f"text {i}", metadata={} if g is None else {"grade": g}), s)
        for i, (g, s) in enumerate(pairs)
    ]
    return Ranking(Query(query, query), tuple(made))


def ids(group: Group) -> list[str]:
    return [c.id for c in group.candidates]


def test_targets_of_each_kind() -> None:
    graded = ranking([None, 2, -1, 0], [4.0, 3.0, None, 1.0])
    for kind, wanted in {
        "grades": {"d0": 0, "d1": 2, "d2": 0, "d3": 0},
        "binary": {"d0": 0, "d1": 1, "d2": 0, "d3": 0},
        "scores": {"d0": 4, "d1": 3, "d2": -math.inf, "d3": 1},
        "order": {"d0": 0, "d1": -1, "d2": -2, "d3": -3},
    }.items():
        group = Grouping(targets=kind, smallest=4, largest=4).group(graded, 0, 0)  # type: ignore[arg-type]
        assert dict(zip(ids(group), group.targets, strict=True)) == wanted
        assert dict(zip(ids(group), group.grades, strict=True)) == {"d0": 0, "d1": 2, "d2": 0, "d3": 0}


@given(st.integers(0, 50), st.integers(2, 6), st.sampled_from(["positives-first", "shuffled", "first-stage"]))
def test_a_group_holds_its_positive_and_only_real_negatives(seed: int, size: int, shown: str) -> None:
    graded = ranking([0, 1, 0, 2, 0, 0], [6.0, 5, 4, 3, 2, 1])
    for most in (1, None):
        group = Grouping(smallest=2, largest=size, positives=most, shown=shown).group(graded, 0, seed)  # type: ignore[arg-type]
        assert 2 <= len(group.candidates) <= size
        assert 1 <= sum(grade > 0 for grade in group.grades) < len(group.grades)
        assert most is None or sum(grade > 0 for grade in group.grades) == 1
    assert len(set(ids(group))) == len(ids(group))
    if shown == "positives-first":
        assert group.grades[0] > 0
    if shown == "first-stage":
        assert ids(group) == sorted(ids(group))


def test_groups_repeat_by_seed_and_differ_by_epoch() -> None:
    rankings = generated(10, 8, seed=3)
    grouping = Grouping(smallest=3, largest=5)
    first, second = (Groups(rankings, grouping, seed=7, length=30) for _ in range(2))
    backwards = [second[i] for i in reversed(range(30))][::-1]
    assert [first[i] for i in range(30)] == backwards  # reading order does not matter: a job may begin in the middle
    asked = [first[i].query.id for i in range(30)]
    assert [sorted(asked[i : i + 10]) for i in (0, 10, 20)] == [sorted(r.query.id for r in rankings)] * 3
    assert asked[:10] != asked[10:20]
    assert {len(first[i].candidates) for i in range(30)} == {3, 4, 5}
    other = Groups(rankings, grouping, seed=8, length=30)
    assert [first[i] for i in range(30)] != [other[i] for i in range(30)]


def test_the_first_negatives_are_the_teachers() -> None:
    grouping = Grouping(smallest=3, largest=3, positives=1, negatives="first")
    group = grouping.group(ranking([0, 0, 1, 0], [4.0, 3, 2, 1]), 0, 0)
    assert ids(group) == ["d2", "d0", "d1"]


def test_what_cannot_be_trained_on_is_left_out_and_counted() -> None:
    rankings = [
        ranking([1, 0], [2.0, 1.0], "good"),
        replace(ranking([1, 0], [2.0, 1.0], "failed"), status="unscored"),
        ranking([None, None], [2.0, 1.0], "unjudged"),
        ranking([1], [1.0], "short"),
    ]
    groups = Groups(rankings, Grouping(targets="grades", smallest=2))
    assert groups.samples == 1
    assert sum(groups.left_out.values()) == 3
    assert Groups(rankings, Grouping(targets="scores", smallest=2)).samples == 2
    with pytest.raises(InputError, match="unscored"):
        Groups([rankings[1]], Grouping())


def test_samples_without_texts_are_left_out_and_only_them_is_an_error() -> None:
    good = ranking([1, 0], [2.0, 1.0], "good")
    emptied = tuple(replace(c, document=replace(c.document, text=" ")) for c in good.candidates)
    silent, bare = replace(good, query=Query("silent", "")), replace(good, candidates=emptied)
    pictures = tuple(replace(c, document=replace(c.document, images=("a.png",))) for c in emptied)
    groups = Groups([silent, bare, good, replace(good, candidates=pictures)], Grouping(smallest=2))
    assert (groups.samples, list(groups.left_out.values())) == (2, [2])
    with pytest.raises(InputError, match=r"no texts \(2 of 3 samples have .*; 1: it is unscored\): .* --corpus FILE"):
        Groups([silent, bare, replace(good, status="unscored")], Grouping(smallest=2))


@pytest.mark.parametrize("wrong", [{"smallest": 1}, {"smallest": 5, "largest": 4}, {"positives": 0}, {"shown": "x"}])
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Grouping(**wrong)  # type: ignore[arg-type]


def test_losses_find_the_positive_first_wherever_it_was_shown() -> None:
    torch = pytest.importorskip("torch")
    from shortlist.losses import InfoNCE, MarginMSE
    from shortlist.train import Objective
    from shortlist.train.collate import Collate

    class NoFeatures:
        def features(self, groups: object) -> dict[str, object]:
            return {}

    rows = [ranking([0, 1, 0], [1.0, 5.0, 2.0], "a"), ranking([2, 0], [3.0, 1.0], "b")]
    shown = [Grouping(smallest=3, largest=3, shown="first-stage").group(r, 0, 0) for r in rows]
    batch = Collate(NoFeatures(), across=True)(shown)  # type: ignore[arg-type]
    assert batch["best"].tolist() == [1, 0]
    assert batch["mask"].tolist() == [[True] * 3, [True, True, False]]
    scores = torch.tensor([[0.5, 2.0, -1.0], [1.0, 0.0, 9.0]])
    found = Objective(ranking=MarginMSE()).terms({"scores": scores}, batch)["ranking"]
    margins = [(2.0 - 0.5) - (5 - 1), (2.0 + 1.0) - (5 - 2), (1.0 - 0.0) - (3 - 1)]
    assert found.item() == pytest.approx(sum(m * m for m in margins) / 3)
    across = torch.zeros(2, 2, 3)
    across[0, 0, 1] = across[1, 1, 0] = 50.0  # each query's positive
    assert Objective(contrast=InfoNCE()).terms({"across": across}, batch)["contrast"].item() == pytest.approx(0.0)


def test_documents_of_other_lists_are_no_negatives_when_they_are_the_same() -> None:
    pytest.importorskip("torch")
    from shortlist.train.collate import Collate

    class NoFeatures:
        def features(self, groups: object) -> dict[str, object]:
            return {}

    rows = [ranking([1, 0], [2.0, 1.0], "a"), ranking([1, 0, 0], [3.0, 2.0, 1.0], "b")]
    groups = [Grouping(smallest=2, largest=3).group(r, 0, 0) for r in rows]
    same = Collate(NoFeatures(), across=True)(groups)["same"]  # type: ignore[arg-type]
    assert same[0, 0].tolist() == [False] * 3  # a list's own documents are negatives
    assert same[0, 1, :2].tolist() == [True, True] or same[0, 1].sum() == 2  # d0 and d1 are in both lists


def test_what_is_told_labels_is_not_given_lists_without_one() -> None:
    rows = [ranking([0, 1, None], [3.0, 2.0, 1.0], "judged"), ranking([None, None, 0], [3.0, 2.0, 1.0], "unjudged")]
    grouping = Grouping(targets="scores", positives=1)
    assert Groups(rows, grouping).samples == 2
    groups = Groups(rows, grouping, judged=True)
    assert (groups.samples, groups.left_out) == (1, {"it has no document graded above 0": 1})
    dear = Sum(((0.9, SoftmaxCrossEntropy()), (0.1, KL())), labels=(0,))
    assert Objective(dear).labelled
    assert Objective(direction=WeightedDirection()).labelled
    assert not Objective(KL()).labelled


def test_a_positive_that_was_added_does_not_stand_last_in_an_order() -> None:
    found = ranking([0, 0, 0], [3.0, 2.0, 1.0])
    (added,) = with_positives([found], {"q": {"d9": 1}}, {"d9": Document("d9", "relevant")})
    assert added.ids[-1] == "d9"
    for targets in ("scores", "binary"):
        assert not Grouping(targets=targets).lacks(added)
    assert "was added" in Grouping(targets="order").lacks(added)
    taught = replace(added, candidates=tuple(replace(c, score=1.0) for c in added.candidates))
    assert not Grouping(targets="order").lacks(taught)
    unscored = replace(added, candidates=tuple(Candidate(c.document) for c in added.candidates[::-1]))
    assert not Grouping(targets="order").lacks(unscored)
