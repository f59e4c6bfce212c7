"""Training files as sequences: the same rankings as reading gives, in any order, without the evaluation queries."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortlist import Query, Ranking
from shortlist.core.errors import InputError
from shortlist.formats import read, write
from shortlist.train import LeakReport
from shortlist.train.generated import generated
from shortlist.train.leaks import not_all
from shortlist.train.stored import Joined, Lines, stored, without


def test_lines_are_the_files_rankings(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(generated(5, 4), path)
    path.write_text(path.read_text().replace("\n", "\n\n", 2), encoding="utf-8")  # blank lines are nothing
    found = stored(path)
    assert isinstance(found, Lines)
    assert list(found) == list(read(path))
    assert [found[-1], *found[1:3]] == [list(read(path))[i] for i in (4, 1, 2)]
    with pytest.raises(IndexError):
        found[5]


def test_other_files_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    write(generated(3, 4), tmp_path / "a.jsonl")
    path.write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    assert stored(path) == list(stored(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty"), ('{"_id": "d1", "title": "Tea", "text": "is a drink"}\n', "no rankings")]
)
def test_what_is_no_training_file_is_told_without_options_that_do_not_exist(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "corpus.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=f"{said}.*shortlist convert") as raised:
        stored(tmp_path / "corpus.jsonl")
    assert "rerank" not in str(raised.value)


def test_rankings_are_read_ahead_until_one_is_no_evaluation_question() -> None:
    rankings, read_ahead = generated(4, 4), []

    def noticed() -> Iterator[Ranking]:
        for one in rankings:
            read_ahead.append(one.query.id)
            yield one

    asked = [ranking.query for ranking in rankings]
    kept = not_all(noticed(), {"set": asked[:2]})
    assert read_ahead == ["q0", "q1", "q2"]
    assert list(kept) == rankings
    assert list(not_all([], {"set": asked})) == []
    with pytest.raises(InputError, match="all 4 training queries are queries of set"):
        not_all(rankings, {"set": asked})


def test_files_are_joined_and_leaks_left_out(tmp_path: Path) -> None:
    parts = [generated(3, 4, seed=1, name="a"), generated(2, 4, seed=2, name="b")]
    joined = Joined([parts[0], [], parts[1]])
    assert list(joined) == parts[0] + parts[1]
    assert joined[3] == parts[1][0]
    report = LeakReport()
    asked = Query("x", parts[0][1].query.text.upper() + "?")
    kept = without(joined, {"set": [asked]}, report)
    assert [r.query.id for r in kept] == ["a0", "a2", "b0", "b1"]
    assert report.count == 1
