"""Teachers: scores from files and judgements, means of several, and the trace as a training file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shortlist import Candidate, Document, Query, Ranking
from shortlist.backends.fake import Oracle
from shortlist.core.errors import ConfigError, InputError
from shortlist.core.params import digest
from shortlist.drive import Scheduled
from shortlist.formats import read, write
from shortlist.formats.graded import graded
from shortlist.schedules import Map
from shortlist.scorers import Pairs
from shortlist.train.teachers import Ensemble, FromFile, FromGrades, teach

ORACLE = Scheduled(Pairs(Oracle()), Map())  # scores a document by the number its text begins with


def ranking(query: str = "q", grades: tuple[int, ...] = ()) -> Ranking:
    documents = [Document(f"d{i}", f"{score} text") for i, score in enumerate((1, 3, 2))]
    if grades:
        documents = [graded(d, g) for d, g in zip(documents, grades, strict=True)]
    return Ranking(Query(query, query), tuple(Candidate(d, 9.0 - i) for i, d in enumerate(documents)))


def scores(result: Ranking) -> dict[str, float | None]:
    return {c.id: c.score for c in result.candidates}


@pytest.mark.parametrize("kind", ["trec", "jsonl", "triples"])
def test_scores_from_a_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"scores.{kind}"
    if kind == "trec":
        path.write_text("q Q0 d2 1 8.5 x\nq Q0 d0 2 0.5 x\n")
    elif kind == "triples":
        path.write_text("8.5\t0.5\tq\td2\td0\n")
    else:
        write([Ranking(Query("q", ""), (Candidate(Document("d2", ""), 8.5), Candidate(Document("d0", ""), 0.5)))], path)
    first, second = FromFile(path)([ranking(), ranking("other")])
    assert scores(first) == {"d2": 8.5, "d0": 0.5, "d1": None}
    assert list(first.ids) == ["d2", "d0", "d1"]
    assert [c.first_rank for c in first.candidates] == [2, 0, 1]
    assert second.status == "unscored"
    assert str(path) in second.reason


def test_a_score_file_is_known_by_its_content(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.trec", "b.trec", "c.trec")]
    for path, score in zip(paths, (1.0, 1.0, 2.0), strict=True):
        path.write_text(f"q Q0 d2 1 {score} x\n")
    assert digest(FromFile(paths[0])) == digest(FromFile(paths[1])) != digest(FromFile(paths[2]))
    (tmp_path / "empty.trec").write_text("")
    with pytest.raises(InputError, match="no scores"):
        FromFile(tmp_path / "empty.trec")([ranking()])


def test_grades_as_scores() -> None:
    judged, unjudged = FromGrades()([ranking(grades=(0, 2, 1)), ranking("other")])
    assert scores(judged) == {"d1": 2.0, "d2": 1.0, "d0": 0.0}
    assert unjudged.status == "unscored"


def test_a_mean_of_normalised_teachers_does_not_depend_on_their_scales(tmp_path: Path) -> None:
    files = []
    for name, factor, offset in (("a", 1.0, 0.0), ("b", 1000.0, -7.0)):
        path = tmp_path / f"{name}.trec"
        path.write_text("".join(f"q Q0 d{i} 1 {factor * s + offset} x\n" for i, s in enumerate((5.0, 1.0, 3.0))))
        files.append(FromFile(path))
    (one,) = Ensemble((files[0],), "z")([ranking()])
    (both,) = Ensemble(tuple(files), "z")([ranking()])
    (weighted,) = Ensemble((files[0], ORACLE), "min-max", weights=(3.0, 1.0))([ranking()])
    assert scores(both) == pytest.approx(scores(one))
    assert scores(weighted) == pytest.approx({"d0": 0.75, "d1": 0.25, "d2": 0.5})  # .75 (1, 0, .5) + .25 (0, 1, .5)
    with pytest.raises(ConfigError):
        Ensemble(())
    with pytest.raises(ConfigError):
        Ensemble((ORACLE,), weights=(1.0, 2.0))


def test_what_a_teacher_says_is_a_training_file(tmp_path: Path) -> None:
    output = tmp_path / "taught.jsonl"
    report = teach([ranking("a", (0, 1, 0)), ranking("b")], ORACLE, output)
    assert report.queries == 2
    first, _ = read(output)
    assert scores(first) == {"d1": 3.0, "d2": 2.0, "d0": 1.0}
    assert first.candidates[0].document.metadata["grade"] == 1
    assert first.candidates[0].document.text == "3 text"
    record = json.loads((tmp_path / "taught.jsonl.manifest.json").read_text())
    assert record["stage_digest"] == digest(ORACLE)
    with pytest.raises(ConfigError, match="jsonl"):
        teach([], ORACLE, tmp_path / "taught.trec")
