"""Our own rankings file loses nothing, for any text, score and metadata."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import FormatError
from shortlist.core.types import MISSING, Call, Candidate, Document, Query, Ranking, Repair, Scale, Usage
from shortlist.formats.jsonl import from_line, read_jsonl, to_line, write_jsonl
from shortlist.formats.lines import Bad

words = st.text(max_size=30)
ids = st.text(min_size=1, max_size=12)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
documents = st.builds(
    Document, ids, words, st.none() | words, st.tuples() | st.tuples(words), st.dictionaries(words, plain, max_size=2)
)
candidates = st.builds(Candidate, documents, numbers, numbers | st.just(MISSING), st.none() | st.integers(0, 1000))
rankings = st.builds(
    Ranking,
    st.builds(Query, ids, words, st.none() | words, st.tuples() | st.tuples(words)),
    st.lists(candidates, max_size=4, unique_by=lambda c: c.id).map(tuple),
    st.sampled_from(["retrieved", "ranked", "partial", "unscored"]),
    st.sampled_from(Scale),
    words,
)


@given(rankings)
def test_a_line_holds_everything(ranking: Ranking) -> None:
    line = to_line(ranking)
    back = from_line(line)
    assert "\n" not in line
    line.encode()
    assert back == ranking
    assert [c.document.metadata for c in back.candidates] == [dict(c.document.metadata) for c in ranking.candidates]


def test_the_trace_is_kept(tmp_path: Path) -> None:
    call = Call(("a", "b"), (1.0, float("-inf")), "[2] > [1]", (Repair("truncated", 2, "x"),), Usage(3, 10, 5, 1, 0.25))
    told = Call(("a", "b"), (1.0, 2.0), parts={"cosine": (0.5, float("-inf")), "maxsim": (0.25, 1.0)})
    ranking = Ranking(Query("q", "x"), trace=(call, Call((), ()), told))
    write_jsonl([ranking], tmp_path / "r.jsonl")
    (back,) = read_jsonl(tmp_path / "r.jsonl")
    assert back.trace == ranking.trace


def test_metadata_that_json_cannot_hold_becomes_text() -> None:
    odd = Document("d", "x", metadata={"path": Path("a/b"), "nan": float("nan"), "pair": (1, 2)})
    back = from_line(to_line(Ranking(Query("q", ""), (Candidate(odd),))))
    assert back.documents[0].metadata == {"path": "a/b", "nan": "nan", "pair": [1, 2]}


def test_rank_counts_from_one_in_the_file() -> None:
    ranking = Ranking(Query("q", ""), (Candidate(Document("d", ""), 1.0, 2.0, 0),))
    assert '"first_rank": 1' in to_line(ranking)


def test_a_missing_score_survives() -> None:
    ranking = Ranking(Query("q", ""), (Candidate(Document("d", ""), MISSING),))
    assert '"score": "missing"' in to_line(ranking) and from_line(to_line(ranking)) == ranking


GOOD = to_line(Ranking(Query("q", ""), (Candidate(Document("d", "x"), 1.0),)))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('"shortlist": 1', '"shortlist": 2'), "2 is not version 1"),
        (('"score": 1.0', '"score": "high"'), "score: expected a number"),
        (('"score": 1.0', '"score": "inf"'), "score inf is not finite"),
        (('"score": 1.0', '"score": NaN'), "NaN is not JSON"),
        (('"id": "d"', '"id": null'), "document id: expected a string"),
        (('"id": "d", "text": "x"', '"id": "d", "text": 1'), "document text: expected a string"),
        (('"candidates": [', '"status": "done", "candidates": ['), "status 'done' is none of"),
        (('"candidates": [', '"scale": "big", "candidates": ['), "scale 'big' is none of"),
        (('"score": 1.0', '"first_rank": 0'), "first_rank 0 is not a whole number from 1"),
        (('"score": 1.0}', '"score": 1.0}, {"id": "d"}'), "documents listed twice"),
        (('"candidates": [', '"trace": [{"group": ["a"], "scores": []}], "candidates": ['), "scores came back"),
        (('"candidates": [', '"trace": [{"group": [], "scores": [], "usage": {"x": 1}}], "candidates": ['), "trace: "),
        (
            ('"candidates": [', '"trace": [{"group": [], "scores": [], "parts": {"x": 1}}], "candidates": ['),
            r"parts\['x'\]",
        ),
        (('{"id": "q", "text": ""}', '"q"'), "an object under 'query'"),
    ],
)
def test_malformed_lines_name_file_and_line(tmp_path: Path, change: tuple[str, str], problem: str) -> None:
    assert change[0] in GOOD
    path = tmp_path / "r.jsonl"
    path.write_text(f"{GOOD}\n{GOOD.replace(*change)}\n{GOOD}\n")
    with pytest.raises(FormatError, match=problem) as caught:
        list(read_jsonl(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    bad = Bad(skip=True)
    assert list(read_jsonl(path, bad=bad)) == [from_line(GOOD)] * 2
    assert bad.count == 1


def test_two_documents_with_one_text_stay_two() -> None:
    ranking = from_line(GOOD)
    twin = replace(ranking.candidates[0], document=Document("e", "x"))
    both = replace(ranking, candidates=(*ranking.candidates, twin))
    assert from_line(to_line(both)).ids == ("d", "e")
