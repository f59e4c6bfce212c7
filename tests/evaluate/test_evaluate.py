"""evaluate: which queries count for what, ties, ceiling, first stage, and every way in which a run can come."""

from __future__ import annotations

import gzip
import io
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from shortlist.core.errors import ConfigError, FormatError, InputError, ScoreError, UnknownName
from shortlist.core.types import Candidate, Document, Qrel, Query, Ranking, Scale, Status
from shortlist.evaluate import Evaluation, evaluate, evaluate_runs
from shortlist.formats import Bad, write, write_run

QRELS = {"q1": {"a": 2, "b": 0, "c": 1}, "q2": {"a": 1}, "q3": {"x": 1}, "q4": {"a": 0}}
RUN = {"q1": {"a": 1.0, "b": 3.0, "u": 2.0}, "q2": {"a": 1.0, "z": 1.0}, "q9": {"a": 1.0}, "q4": {"a": 1.0}}


def ranking(query: str, ids: str, scores: list[float] | None = None, status: Status = "ranked") -> Ranking:
    numbers = scores if scores is not None else [float(len(ids) - i) for i in range(len(ids))]
    found = tuple(Candidate(Document(i, ""), s) for i, s in zip(ids, numbers, strict=True))
    return Ranking(Query(query, ""), found, status)


def test_who_counts_for_what() -> None:
    result = evaluate(RUN, QRELS, "nDCG@10 RR Judged@10 NumRet NumRel NumQ")
    assert result.values["RR"] == {"q1": 1 / 3, "q2": 0.5, "q3": 0.0, "q4": 0.0}
    assert result["RR"] == pytest.approx((1 / 3 + 1 / 2) / 4)
    assert (result["NumRet"], result["NumRel"], result["NumQ"]) == (6.0, 4.0, 4.0)
    coverage = result.coverage
    assert (coverage.judged, coverage.missing, coverage.ignored) == (4, ("q3",), ("q9",))
    assert coverage.without_relevant == ("q4",)
    assert (coverage.top, coverage.unjudged_top) == (6, 2)
    assert coverage.unjudged_share == pytest.approx(1 / 3)
    assert (coverage.tied_documents, coverage.tied_queries) == (2, 1)
    assert result.tie_range["RR"] == (pytest.approx((1 / 3 + 1 / 2) / 4), pytest.approx((1 / 3 + 1) / 4))


def test_the_ceiling_is_the_best_order_of_the_candidates() -> None:
    result = evaluate(RUN, QRELS, "nDCG@10 RR R@100 Judged@1")
    dcg = 2 / (2 + 1 / math.log2(3))
    assert result.ceiling["nDCG@10"] == pytest.approx((dcg + 1.0) / 4)
    assert result.ceiling["RR"] == pytest.approx(2 / 4)
    assert result.ceiling["R@100"] == result["R@100"] == pytest.approx((0.5 + 1.0) / 4)
    assert result.ceiling["Judged@1"] == pytest.approx(3 / 4)


def test_rankings_keep_their_order_and_dicts_follow_trec_eval() -> None:
    tied = {"q2": {"a": 1.0, "z": 1.0}}
    assert evaluate(tied, QRELS, "RR").values["RR"]["q2"] == 0.5
    result = evaluate([ranking("q2", "az", [1.0, 1.0])], QRELS, "RR")
    assert result.values["RR"]["q2"] == 1.0
    assert result.coverage.tied_documents == 2
    assert result.tie_range["RR"] == (0.125, 0.25)


def test_a_constant_scorer_shows_in_the_tie_range() -> None:
    """All scores equal, the relevant document first: 1.0 by the order of the input, and the report says so."""
    ids = "rabcdefghi"
    result = evaluate([ranking("q", ids, [0.0] * 10)], {"q": {"r": 1}}, "RR nDCG@10")
    assert result["RR"] == 1.0
    assert result.tie_range["RR"] == (0.1, 1.0)
    assert (result.coverage.tied_documents, result.coverage.tied_queries) == (10, 1)
    as_dict = evaluate({"q": dict.fromkeys(ids, 0.0)}, {"q": {"r": 1}}, "RR")
    assert as_dict["RR"] == 1.0  # r is the highest id
    assert evaluate({"q": dict.fromkeys(ids, 0.0)}, {"q": {"a": 1}}, "RR")["RR"] == 0.1


def test_unscored_and_empty_queries_are_zero_and_named_and_partial_ones_are_named() -> None:
    runs = [ranking("q1", "ab", status="unscored"), ranking("q2", "", []), ranking("q3", "x", status="partial")]
    result = evaluate(runs, QRELS, "RR NumRel")
    assert result.values["RR"] == {"q1": 0.0, "q2": 0.0, "q3": 1.0, "q4": 0.0}
    coverage = result.coverage
    assert (coverage.unscored, coverage.empty, coverage.partial) == (("q1",), ("q2",), ("q3",))
    assert coverage.missing == ("q4",)
    assert coverage.zeros == ("q4", "q1", "q2")
    assert result.ceiling["RR"] == 0.5  # an oracle could have scored q1
    assert result["NumRel"] == 4.0


def test_unscored_queries_lower_the_mean_exactly_as_missing_ones() -> None:
    scored = ranking("q2", "a")
    failed = evaluate([scored, ranking("q1", "a", status="unscored")], QRELS, "nDCG@10 AP")
    absent = evaluate([scored], QRELS, "nDCG@10 AP")
    assert failed.means == absent.means
    assert failed.coverage != absent.coverage


def test_reranked_rankings_bring_their_first_stage_along() -> None:
    before = ranking("q1", "buac", [4.0, 3.0, 2.0, 1.0])
    after = before.reorder([2, 3, 0, 1], [2.0, 1.5, 9.0, 8.0], scale=Scale.LOGIT)
    result = evaluate([after, ranking("q2", "za", status="retrieved")], QRELS, "RR nDCG@10")
    assert result.first_stage is not None
    assert result.first_stage.means == evaluate([before, ranking("q2", "za")], QRELS, "RR nDCG@10").means
    assert result.values["RR"]["q1"] == 1.0
    assert result.first_stage.values["RR"]["q1"] == 1 / 3


def test_a_cut_list_does_not_pretend_to_know_its_first_stage() -> None:
    after = ranking("q1", "buac").reorder([2, 3, 0, 1])
    assert evaluate([after.top(2)], QRELS).first_stage is None
    assert evaluate([ranking("q1", "ab")], QRELS).first_stage is None


def test_the_first_stage_may_be_given() -> None:
    given = evaluate(RUN, QRELS, "RR", first_stage={"q1": {"a": 1.0}})
    assert given.first_stage is not None
    assert (given.first_stage.name, given.first_stage["RR"]) == ("first stage", 0.25)
    again = evaluate(RUN, QRELS, "RR", first_stage=given.first_stage)
    assert again.first_stage is given.first_stage


def test_several_runs_share_judgements_and_first_stage() -> None:
    found = evaluate_runs({"one": RUN, "two": [ranking("q1", "a")]}, QRELS, "RR", first_stage=RUN)
    assert [e.name for e in found] == ["one", "two"]
    assert found[0].first_stage is found[1].first_stage


QRELS_FORMS = [
    QRELS,
    [Qrel(q, d, grade) for q, docs in QRELS.items() for d, grade in docs.items()],
    "trec",
    "beir",
    "beir-folder",
    "crlf",
    "jsonl",
]


@pytest.mark.parametrize("form", QRELS_FORMS, ids=["dict", "qrels", "trec", "beir", "beir-folder", "crlf", "jsonl"])
def test_judgements_in_every_form(form: object, tmp_path: Path) -> None:
    if isinstance(form, str):
        path = tmp_path / "qrels" / "test.tsv"
        path.parent.mkdir()
        rows = [(q, d, grade) for q, docs in QRELS.items() for d, grade in docs.items()]
        end = "\r\n" if form == "crlf" else "\n"
        if form in ("trec", "crlf"):
            text = "".join(f"{q} 0 {d} {grade}{end}" for q, d, grade in rows)
        elif form == "jsonl":
            text = "".join(f'{{"qid": "{q}", "docid": "{d}", "relevance": {grade}}}\n' for q, d, grade in rows)
        else:
            text = "query-id\tcorpus-id\tscore\n" + "".join(f"{q}\t{d}\t{grade}\n" for q, d, grade in rows)
        path.write_bytes(text.encode())
        form = tmp_path if form == "beir-folder" else path
    assert evaluate(RUN, form, "nDCG@10 AP").means == evaluate(RUN, QRELS, "nDCG@10 AP").means  # type: ignore[arg-type]


def test_judgements_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="judgements are empty"):
        evaluate(RUN, {"q1": {}})
    with pytest.raises(InputError, match="'q', document 'd' is judged twice with different grades: 1 and 0"):
        evaluate(RUN, [Qrel("q", "d", 1), Qrel("q", "d", 0)])
    with pytest.raises(InputError, match="must be Qrel values"):
        evaluate(RUN, [("q", "d", 1)])  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"no judgements qrels/test\.tsv; splits there: none"):
        evaluate(RUN, tmp_path)
    path = tmp_path / "qrels.txt"
    path.write_text("q1 0 a 1\nq1 0 a 2\n")
    with pytest.raises(FormatError, match=r"qrels\.txt:2: .*grade 2 here, grade 1 at line 1"):
        evaluate(RUN, path)
    path.write_text("q1 0 a 1\nq1 0 a 1\nq2 0 a one\n")
    with pytest.raises(FormatError, match=r"qrels\.txt:3: grade 'one'"):
        evaluate(RUN, path)
    assert evaluate(RUN, path, bad=Bad(skip=True)).coverage.judged == 1
    path.write_text("q1 0 a 1_0\n")
    with pytest.raises(FormatError, match="grade '1_0'"):
        evaluate(RUN, path)


def test_ids_that_do_not_fit_are_an_error_not_a_zero() -> None:
    with pytest.raises(InputError, match=r"none of its 1 queries \('Q1' \.\.\.\) is among the 4 judged ones \('q1'"):
        evaluate({"Q1": {"a": 1.0}}, QRELS)
    assert evaluate({}, QRELS, "RR")["RR"] == 0.0


def test_runs_that_cannot_be_used() -> None:
    with pytest.raises(ScoreError, match="query 'q1', document 'a': the score is NaN"):
        evaluate({"q1": {"a": math.nan}}, QRELS)
    with pytest.raises(InputError, match="query 'q1' comes twice"):
        evaluate([ranking("q1", "a"), ranking("q1", "b")], QRELS)
    with pytest.raises(InputError, match="a run must be Rankings"):
        evaluate(["q1 Q0 a 1 1.0 x"], QRELS)  # type: ignore[list-item]
    with pytest.raises(ConfigError):
        evaluate(RUN, QRELS, "nDCG@ten")
    with pytest.raises(UnknownName, match="did you mean 'nDCG@10'"):
        evaluate(RUN, QRELS)["nDCG10"]


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_bytes("".join(lines).encode())
    return path


def lines_of(run: dict[str, dict[str, float]], end: str = "\n", gap: str = " ") -> list[str]:
    return [gap.join((q, "Q0", d, "1", repr(s), "tag")) + end for q, docs in run.items() for d, s in docs.items()]


def big_run(seed: int = 0) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, int]]]:
    rng = random.Random(seed)
    docs = [f"dök{i}" for i in range(300)]
    run = {f"q{q}": {d: round(rng.uniform(-5, 5), 1) for d in rng.sample(docs, 150)} for q in range(40)}
    qrels = {f"q{q}": {d: rng.randint(-1, 3) for d in rng.sample(docs, 40)} for q in range(2, 45)}
    return run, qrels


def same(a: Evaluation, b: Evaluation) -> bool:
    return (a.values, a.ceiling, a.tie_range, a.coverage) == (b.values, b.ceiling, b.tie_range, b.coverage)


@pytest.mark.parametrize(
    "kind", ["plain", "crlf", "tab", "gz", "bom", "blank lines", "aligned", "no end", "short blocks", "shuffled"]
)
def test_a_run_file_gives_what_the_dict_gives(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 7 if kind == "short blocks" else 1000  # so that queries and lines cross blocks
    monkeypatch.setattr("shortlist.evaluate.blocks.BLOCK_BYTES", size)
    run, qrels = big_run()
    lines = lines_of(run, "\r\n" if kind == "crlf" else "\n", {"tab": "\t", "aligned": "   "}.get(kind, " "))
    if kind == "blank lines":
        lines = [*lines[:50], "\n", *lines[50:], "\n"]
    if kind == "no end":
        lines[-1] = lines[-1].rstrip()
    if kind == "shuffled":  # lines of a query are then not together
        random.Random(1).shuffle(lines)
    path = write_lines(tmp_path / "run.trec", ["\ufeff" if kind == "bom" else "", *lines])
    if kind == "gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    found = evaluate(path, qrels, "nDCG@10 AP NumRet Judged@5")
    wanted = evaluate(run, qrels, "nDCG@10 AP NumRet Judged@5")
    assert found.name == "run"
    if kind == "shuffled":
        assert set(found.coverage.ignored) == set(wanted.coverage.ignored)
        assert found.values == wanted.values
    else:
        assert same(found, wanted)


def test_measures_of_ir_measures_see_the_same_order_from_every_source(tmp_path: Path) -> None:
    pytest.importorskip("ir_measures")
    run, qrels = big_run(1)
    path = write_lines(tmp_path / "run.trec", lines_of(run))
    found = evaluate(path, qrels, "Compat nDCG@10")
    assert found.values == evaluate(run, qrels, "Compat nDCG@10").values
    assert found.measures == ("Compat", "nDCG@10")
    assert 0 < found["Compat"] < 1
    assert set(found.ceiling) == set(found.tie_range) == {"nDCG@10"}


def test_what_our_writers_write_evaluates_as_the_rankings_do(tmp_path: Path) -> None:
    last = Candidate(Document("z", ""), None)
    half = ranking("q2", "a")
    tied = [ranking("q1", "buac", [1.0, 1.0, 1.0, 0.5]), replace(half, candidates=(*half.candidates, last))]
    wanted = evaluate(tied, QRELS, "nDCG@10 AP").values
    write_run(tied, tmp_path / "run.trec")
    write(tied, tmp_path / "run.jsonl")
    assert evaluate(tmp_path / "run.trec", QRELS, "nDCG@10 AP").values == wanted
    assert evaluate(tmp_path / "run.jsonl", QRELS, "nDCG@10 AP").values == wanted


def test_reranked_jsonl_brings_status_and_first_stage(tmp_path: Path) -> None:
    after = ranking("q1", "buac").reorder([2, 3, 0, 1])
    write([after, ranking("q2", "a", status="unscored")], tmp_path / "run.jsonl")
    result = evaluate(tmp_path / "run.jsonl", QRELS, "RR")
    assert result.coverage.unscored == ("q2",)
    assert result.first_stage is not None
    assert result.first_stage.values["RR"] == {"q1": 1 / 3, "q2": 1.0, "q3": 0.0, "q4": 0.0}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("q1 Q0 d 1 2.0\n", "expected 6 columns"),
        ("q1 Q0 d 1 high tag\n", "score 'high'"),
        ("q1 Q0 d 1 nan tag\n", "score 'nan'"),
        ("q1 Q0 d 1 inf tag\n", "score 'inf'"),
        ("q1 Q0  1 2.0 tag\n", "expected 6 columns"),
        ("q1 Q0 d 1 1_0 tag\n", "score '1_0'"),
        ("q1 Q0 d first 1.0 tag\n", "rank 'first'"),
        ("q1 Q0 a 1 0.5 tag\n", "document 'a'.*twice"),
    ],
)
def test_a_malformed_line_is_named_or_skipped(line: str, complaint: str, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "run.trec", ["q1 Q0 a 1 3.0 tag\n", "q1 Q0 b 2 2.0 tag\n", line])
    with pytest.raises(FormatError, match=rf"run\.trec:3: .*{complaint}"):
        evaluate(path, QRELS)
    bad = Bad(skip=True)
    assert evaluate(path, QRELS, "RR NumRet", bad=bad).means == {"RR": 0.25, "NumRet": 2.0}
    assert bad.count == 1


def test_not_utf8_and_damaged_files_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_bytes(b"q1 Q0 a 1 3.0 tag\nq1 Q0 \xff 2 2.0 tag\n")
    with pytest.raises(FormatError, match=r"run\.trec:2: not UTF-8"):
        evaluate(path, QRELS)
    numbers = random.Random(0)
    lines = [f"q{i // 1000} Q0 d{numbers.random()} 1 {-i} t\n" for i in range(20_000)]
    path.write_bytes(gzip.compress("".join(lines).encode())[:-2000])
    with pytest.raises(FormatError, match="damaged"):
        evaluate(path, QRELS)
    path.write_bytes("q1 Q0 a 1 3.0 tag\n".encode("utf-16"))
    with pytest.raises(InputError):
        evaluate(path, QRELS)
    with pytest.raises(InputError, match="no such file"):
        evaluate(tmp_path / "none.trec", QRELS)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Standard:
        buffer = io.BytesIO("".join(lines_of({"q1": RUN["q1"]})).encode())

    monkeypatch.setattr("sys.stdin", Standard())
    result = evaluate("-", QRELS, "RR")
    assert (result.name, result.values["RR"]["q1"]) == ("stdin", 1 / 3)


def test_the_facade_and_plain_data() -> None:
    result = evaluate(RUN, QRELS, ["nDCG@10"], first_stage=RUN)
    assert isinstance(result, Evaluation)
    record = result.to_dict()
    assert record["means"] == dict(result.means)
    assert record["coverage"]["missing"] == ["q3"]
    assert record["first_stage"]["values"] == record["values"]


def test_real_bm25_figures(shared_data: Path) -> None:
    """The figures of the data's own table, nDCG@10 and oracle@100."""
    folder = shared_data / "dl19-bm25"
    result = evaluate(folder / "bm25.trec", folder, "nDCG@10")
    assert result["nDCG@10"] == pytest.approx(0.5058, abs=5e-5)
    assert result.ceiling["nDCG@10"] == pytest.approx(0.892, abs=5e-4)
