"""TREC runs: order and ties as trec_eval has them, malformed lines, streaming, and scores that keep the order when
written."""

from __future__ import annotations

import math
import random
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shortlist.core.errors import ConfigError, FormatError, InputError, MissingDocument, UnknownName
from shortlist.core.types import Candidate, Document, Query, Ranking
from shortlist.formats.lines import Bad
from shortlist.formats.rows import single, trec_order
from shortlist.formats.run import iter_run, read_rankings, run_lines, write_run
from shortlist.formats.scores import decreasing

FILE = "q1 Q0 d2 1 9.5 bm25\nq1 Q0 d1 2 8.25 bm25\nq2 Q0 d1 1 0.5 bm25\n"


def _file(tmp_path: Path, text: str | bytes, name: str = "run.trec") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def _ranking(query_id: str, *pairs: tuple[str, float | None]) -> Ranking:
    return Ranking(Query(query_id, ""), tuple(Candidate(Document(d, ""), s) for d, s in pairs))


def test_lines_and_rankings(tmp_path: Path) -> None:
    path = _file(tmp_path, FILE)
    assert next(iter_run(path)) == ("q1", "d2", 9.5, 1, "bm25")
    assert list(read_rankings(path)) == [_ranking("q1", ("d2", 9.5), ("d1", 8.25)), _ranking("q2", ("d1", 0.5))]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q1 Q0 d3 3 7.0", "expected 6 columns"),
        ("q1 Q0 d3 3 7.0 tag more", "found 7"),
        ("q1 Q0 d3 3 nan tag", "'nan' is not a finite number"),
        ("q1 Q0 d3 3 inf tag", "'inf' is not a finite number"),
        ("q1 Q0 d3 3 -inf tag", "'-inf' is not a finite number"),
        ("q1 Q0 d3 3 1_0 tag", "'1_0' is not a finite number"),
        ("q1 Q0 d3 3 high tag", "'high' is not a finite number"),
        ("q1 Q0 d3 third 7.0 tag", "rank 'third' is not a whole number"),
        ("q1\tQ0\t\t3\t7.0\ttag", "the document id is empty"),
        ("q1 Q0 d2 3 7.0 tag", r"'d2' of query 'q1' is listed twice, first at line 1"),
    ],
)
def test_malformed_lines_name_file_line_and_text(tmp_path: Path, line: str, problem: str) -> None:
    path = _file(tmp_path, f"q1 Q0 d2 1 9.5 t\nq1 Q0 d1 2 8.25 t\n{line}\nq2 Q0 d1 1 0.5 t\n")
    with pytest.raises(FormatError, match=problem) as caught:
        list(read_rankings(path, columns="trec"))
    assert str(caught.value).startswith(f"{path}:3: ")
    bad = Bad(skip=True)
    assert [r.ids for r in read_rankings(path, columns="trec", bad=bad)] == [("d2", "d1"), ("d1",)]
    assert bad.count == 1


def test_bytes_that_are_no_utf8_are_a_malformed_line(tmp_path: Path) -> None:
    path = _file(tmp_path, b"q1 Q0 d1 1 2.0 t\nq1 Q0 d\xff 2 1.0 t\n")
    with pytest.raises(FormatError, match=r":2: not UTF-8"):
        list(read_rankings(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("q\td2\t1\nq\td1\t2\n", [("d2", None), ("d1", None)]),
        ("q\td2\t2\nq\td1\t1\n", [("d2", 2.0), ("d1", 1.0)]),  # does not count from 1: scores
        ("q\td1\t0.5\nq\td2\t0.75\n", [("d2", 0.75), ("d1", 0.5)]),
        ("q d1 2 0.5\nq d2 1 0.75\n", [("d2", 0.75), ("d1", 0.5)]),
    ],
)
def test_shorter_tables(tmp_path: Path, text: str, expected: list[tuple[str, float | None]]) -> None:
    assert list(read_rankings(_file(tmp_path, text))) == [_ranking("q", *expected)]


def test_ids_may_hold_spaces_between_tabs_and_foreign_spaces_anywhere(tmp_path: Path) -> None:
    spaced = "q 1\tQ0\tdoc one\t1\t2.0\tmy tag\n"
    assert next(iter_run(_file(tmp_path, spaced))) == ("q 1", "doc one", 2.0, 1, "my tag")
    foreign = "q\u00a01 Q0 d\u2028x\x1cy 1 2.0 t\n"
    assert next(iter_run(_file(tmp_path, foreign)))[:2] == ("q\u00a01", "d\u2028x\x1cy")


def test_ties_go_by_document_id_descending_at_32_bits_and_are_counted(tmp_path: Path) -> None:
    text = "q Q0 a 1 1.0 t\nq Q0 c 2 1.00000000001 t\nq Q0 b 3 1.0 t\nq Q0 d 4 0.5 t\n"
    bad = Bad()
    (ranking,) = read_rankings(_file(tmp_path, text), bad=bad)
    assert ranking.ids == ("c", "b", "a", "d")
    assert bad.noticed["tied scores"] == 2
    (by_rank,) = read_rankings(_file(tmp_path, text), order="rank")
    (by_line,) = read_rankings(_file(tmp_path, text), order="file")
    assert by_rank.ids == by_line.ids == ("a", "c", "b", "d")


def test_order_is_what_trec_eval_ranks(tmp_path: Path) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    random.seed(3)
    scores = {f"d{i}é": random.choice([1.0, 1.0 + 1e-9, 2.5, 1e-30, -3.0, 7.25]) for i in range(40)}
    lines = [f"q Q0 {d} {n} {s!r} t\n" for n, (d, s) in enumerate(scores.items())]
    (ranking,) = read_rankings(_file(tmp_path, "".join(lines)))
    for position, doc_id in enumerate(ranking.ids, 1):
        evaluator = pytrec_eval.RelevanceEvaluator({"q": {doc_id: 1}}, {"recip_rank"})
        assert evaluator.evaluate({"q": scores})["q"]["recip_rank"] == pytest.approx(1 / position)


def test_written_runs_keep_their_order_in_trec_eval(tmp_path: Path) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    tied = _ranking("q", *[(f"d{i:02d}", 1.0) for i in range(30)])  # ids ascend, so a tie would reverse them
    write_run([tied], tmp_path / "out.trec")
    written = {d: s for _, d, s, _, _ in iter_run(tmp_path / "out.trec")}
    for position, doc_id in enumerate(tied.ids, 1):
        evaluator = pytrec_eval.RelevanceEvaluator({"q": {doc_id: 1}}, {"recip_rank"})
        assert evaluator.evaluate({"q": written})["q"]["recip_rank"] == pytest.approx(1 / position)


def test_a_query_that_comes_back_is_an_error_unless_it_is_regrouped(tmp_path: Path) -> None:
    path = _file(tmp_path, "q1 Q0 a 1 3 t\nq2 Q0 b 1 2 t\nq1 Q0 c 2 1 t\n")
    with pytest.raises(FormatError, match=r":3: query 'q1' comes back .* began at line 1.*grouped=False"):
        list(read_rankings(path))
    assert [r.ids for r in read_rankings(path, grouped=False)] == [("a", "c"), ("b",)]


def test_regrouping_keeps_first_appearance_and_finds_duplicates_far_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shortlist.formats.spool.ROWS_HELD", 7)
    monkeypatch.setattr("shortlist.formats.spool.QUERIES_PER_BLOCK", 3)
    rows = [(q, f"d{d}", -d) for d in range(10) for q in range(11)]
    path = _file(tmp_path, "".join(f"{q} Q0 {d} 1 {s} t\n" for q, d, s in rows))
    rankings = list(read_rankings(path, grouped=False))
    assert [r.query.id for r in rankings] == [str(q) for q in range(11)]
    assert {r.ids for r in rankings} == {tuple(f"d{d}" for d in range(10))}
    with path.open("a") as out:
        out.write("4 Q0 d2 1 0 t\n")
    with pytest.raises(FormatError, match=r":111: document 'd2' of query '4' is listed twice, first at line 27"):
        list(read_rankings(path, grouped=False))


def test_texts_come_from_queries_and_corpus_and_unknown_ids_are_named(tmp_path: Path) -> None:
    path = _file(tmp_path, FILE)
    queries = {"q1": Query("q1", "one"), "q2": Query("q2", "two")}

    class Corpus(dict[str, Document]):
        def __missing__(self, doc_id: str) -> Document:
            raise MissingDocument(f"no document {doc_id!r}")

    corpus = Corpus(d1=Document("d1", "first"), d2=Document("d2", "second"))
    first, _ = read_rankings(path, queries=queries, corpus=corpus)
    assert (first.query.text, [d.text for d in first.documents]) == ("one", ["second", "first"])
    with pytest.raises(MissingDocument, match=r"run.trec:3: query 'q2' is not among the 1 queries"):
        list(read_rankings(path, queries={"q1": queries["q1"]}))
    del corpus["d1"]
    with pytest.raises(MissingDocument, match=r"run.trec:2: no document 'd1'"):
        list(read_rankings(path, corpus=corpus))
    bad = Bad(skip=True)
    assert [r.ids for r in read_rankings(path, corpus=corpus, bad=bad)] == [("d2",), ()]
    assert bad.count == 2


def test_depth_is_taken_after_ordering(tmp_path: Path) -> None:
    path = _file(tmp_path, "q Q0 a 1 1 t\nq Q0 b 2 2 t\n")
    assert [r.ids for r in read_rankings(path, depth=1)] == [("b",)]


def test_empty_and_blank_files_have_no_rankings(tmp_path: Path) -> None:
    assert list(read_rankings(_file(tmp_path, ""))) == []
    assert list(read_rankings(_file(tmp_path, "\n \r\n"))) == []


def test_long_lines(tmp_path: Path) -> None:
    long = "d" * 10_000
    (ranking,) = read_rankings(_file(tmp_path, f"q Q0 {long} 1 2 t\nq Q0 x 2 1 t\n"))
    assert ranking.ids == (long, "x")


def test_unknown_tables_and_missing_rank_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run table"):
        list(iter_run(_file(tmp_path, FILE), columns="seven"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no rank column"):
        list(read_rankings(_file(tmp_path, "q d 0.5\n"), order="rank"))
    assert issubclass(UnknownName, ConfigError)


scores = st.one_of(
    st.none(), st.floats(allow_nan=False), st.sampled_from([0.0, 1.0, 1.0 + 1e-12, 1e39, 5e-46, -3.4028234663852886e38])
)


@given(st.lists(scores, max_size=30))
@example([-3.4028234663852886e38] * 3)
@example([-3.4028234663852886e38, None, None])
def test_written_scores_always_strictly_decrease_at_32_bits(values: list[float | None]) -> None:
    written = decreasing(values)
    assert len(written.scores) == len(values)
    seen = [single(s) for s in written.scores]
    assert all(math.isfinite(s) for s in seen)
    assert all(a > b for a, b in pairwise(seen))
    assert trec_order((s, "same id") for s in written.scores) == list(range(len(values)))


@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), max_size=30, unique=True))
def test_scores_that_descend_are_written_as_they_are(values: list[float]) -> None:
    ordered = sorted(values, reverse=True)
    if any(a == b for a, b in pairwise(ordered)):
        return  # 0.0 and -0.0
    written = decreasing(ordered)
    assert list(written.scores) == ordered
    assert (written.nudged, written.filled, written.replaced) == (0, 0, False)


def test_scores_that_differ_only_beyond_32_bits_are_told_apart() -> None:
    written = decreasing([1.00000000002, 1.00000000001, 0.5])
    assert written.nudged == 1
    assert single(written.scores[0]) > single(written.scores[1]) > 0.99999


def test_each_mending_is_counted(tmp_path: Path) -> None:
    report = write_run(
        [
            _ranking("tie", ("a", 2.0), ("b", 2.0), ("c", 2.0), ("d", 1.0)),
            _ranking("tail", ("a", 2.0), ("b", None), ("c", None)),
            _ranking("rising", ("a", 1.0), ("b", 2.0)),
            _ranking("gap", ("a", None), ("b", 2.0)),
            _ranking("empty"),
        ],
        tmp_path / "out.trec",
    )
    assert (report.queries, report.lines, report.empty) == (5, 11, 1)
    assert (report.nudged, report.filled, report.replaced) == (2, 2, 2)
    by_query = {r.query.id: [c.score for c in r.candidates] for r in read_rankings(tmp_path / "out.trec")}
    assert by_query["tail"] == [2.0, 1.0, 0.0]
    assert by_query["rising"] == by_query["gap"] == [2.0, 1.0]
    assert by_query["tie"][0] == 2.0 and by_query["tie"][3] == 1.0


def test_scores_round_trip_to_the_last_bit(tmp_path: Path) -> None:
    values = [15.780599594116211, 0.1 + 0.2, 1e-30, -1.0000000000000002]
    write_run([_ranking("q", *[(f"d{i}", v) for i, v in enumerate(values)])], tmp_path / "out.trec")
    assert [score for _, _, score, _, _ in iter_run(tmp_path / "out.trec")] == values


@pytest.mark.parametrize("doc_id", ["a b", "a\tb", "a\n", "", "\ud800"])
def test_ids_that_a_trec_file_cannot_hold_are_refused(tmp_path: Path, doc_id: str) -> None:
    with pytest.raises(InputError, match=r"write JSONL"):
        write_run([_ranking("q", (doc_id, 1.0))], tmp_path / "out.trec")
    assert not (tmp_path / "out.trec").exists()
    with pytest.raises(InputError, match=r"query id"):
        write_run([_ranking(doc_id, ("d", 1.0))], tmp_path / "out.trec")


def test_a_query_twice_and_a_tag_with_space_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'q' comes twice"):
        write_run([_ranking("q"), _ranking("q")], tmp_path / "out.trec")
    with pytest.raises(ConfigError, match="run tag"):
        write_run([], tmp_path / "out.trec", tag="my run")


def test_run_lines_are_what_write_run_writes(tmp_path: Path) -> None:
    ranking = _ranking("q", ("a", 2.0), ("b", 1.0))
    write_run([ranking], tmp_path / "out.trec", tag="t")
    assert (
        "".join(run_lines(ranking, tag="t"))
        == (tmp_path / "out.trec").read_text()
        == "q Q0 a 1 2.0 t\nq Q0 b 2 1.0 t\n"
    )


def _peak(path: Path, lines: int, *, grouped: bool) -> int:
    tracemalloc.start()
    count = sum(len(r.candidates) for r in read_rankings(path, grouped=grouped))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == lines
    return peak


@pytest.mark.slow
@pytest.mark.parametrize("grouped", [True, False])
def test_memory_does_not_grow_with_the_run(tmp_path: Path, grouped: bool) -> None:
    """Ten times the lines, the same peak: 30,000 against 300,000 lines at 100 per query."""
    peaks = []
    for queries in 300, 3000:
        path = tmp_path / f"{queries}.trec"
        with path.open("w") as out:
            out.writelines(f"q{q} Q0 doc{q}-{d} {d + 1} {100 - d}.5 tag\n" for q in range(queries) for d in range(100))
        peaks.append(_peak(path, queries * 100, grouped=grouped))
    allowed = peaks[0] + 3000 * 400  # one id per query is remembered
    if not grouped:
        allowed += 50_000 * 500  # rows are held until the first write, which 30,000 lines do not reach
    assert peaks[1] < allowed
