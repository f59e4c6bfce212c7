"""Equality with trec_eval (through pytrec_eval) and with ir-measures' other providers, on generated runs."""

from __future__ import annotations

import math
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.evaluate import evaluate

pytrec_eval = pytest.importorskip("pytrec_eval")
ir_measures = pytest.importorskip("ir_measures")

# ours -> (trec_eval's name, relevance level, judged documents only)
NAMES = {
    "nDCG@10": ("ndcg_cut_10", 1, False),
    "nDCG@3": ("ndcg_cut_3", 1, False),
    "nDCG": ("ndcg", 1, False),
    "nDCG(judged_only=True)@3": ("ndcg_cut_3", 1, True),
    "AP": ("map", 1, False),
    "AP(rel=2)": ("map", 2, False),
    "AP@5": ("map_cut_5", 1, False),
    "AP(rel=2)@5": ("map_cut_5", 2, False),
    "AP(judged_only=True)": ("map", 1, True),
    "RR": ("recip_rank", 1, False),
    "RR(rel=2)": ("recip_rank", 2, False),
    "RR(judged_only=True)": ("recip_rank", 1, True),
    "P@5": ("P_5", 1, False),
    "P(judged_only=True)@5": ("P_5", 1, True),
    "R@5": ("recall_5", 1, False),
    "R(rel=2)@5": ("recall_5", 2, False),
    "Success@3": ("success_3", 1, False),
    "Rprec": ("Rprec", 1, False),
    "Rprec(rel=2)": ("Rprec", 2, False),
    "Bpref": ("bpref", 1, False),
    "Bpref(rel=2)": ("bpref", 2, False),
    "infAP": ("infAP", 1, False),
    "IPrec@0.3": ("iprec_at_recall_0.30", 1, False),
    "IPrec@1.0": ("iprec_at_recall_1.00", 1, False),
    "SetP": ("set_P", 1, False),
    "SetP(relative=True)": ("set_relative_P", 1, False),
    "SetR": ("set_recall", 1, False),
    "SetF": ("set_F", 1, False),
    "SetAP": ("set_map", 1, False),
    "NumRet": ("num_ret", 1, False),
    "NumRet(rel=2)": ("num_rel_ret", 2, False),
    "NumRel(rel=2)": ("num_rel", 2, False),
}
# ids whose order differs by code point, by UTF-16 unit, by case folding and by number
DOCS = ["d1", "d10", "d2", "D2", "z", "é", "ÿ", "\uffee", "\U0001f600", "-", "~", "d", "da", "d_", "aa"]
# near-equal scores that a C float cannot tell apart stand beside ones that it can
SCORES = [0.0, -0.0, 1.0, 1.0 + 1e-9, 1.0 + 1e-6, -1.0, 2.5, 1e30, 1e300, 2e300, -1e300, 1e-50, 16777216.0, 16777217.0]

queries = st.sampled_from(["q1", "q2", "q3", "q4"])
grades = st.dictionaries(st.sampled_from(DOCS), st.integers(-2, 4), min_size=1)
rankings = st.dictionaries(st.sampled_from(DOCS), st.sampled_from(SCORES) | st.floats(-1, 1, width=32))
qrels_like = st.dictionaries(queries, grades, min_size=1)
runs = st.dictionaries(queries, rankings)


def reference(qrels: dict, run: dict, name: str, level: int, judged_only: bool) -> dict[str, float]:
    # trec_eval reads memory that it never wrote when a query has negative grades only, so such queries are left to us
    fed = {q: docs for q, docs in qrels.items() if max(docs.values()) >= 0}
    evaluator = pytrec_eval.RelevanceEvaluator(
        fed, [name], relevance_level=level, judged_docs_only_flag=int(judged_only)
    )
    found = evaluator.evaluate(run)
    return {q: found[q][name] if q in found else 0.0 for q in fed}


def overlapping(qrels: dict, run: dict) -> bool:
    return not run or bool(qrels.keys() & run.keys())


@settings(max_examples=600, deadline=None)
@given(qrels_like.filter(lambda q: any(max(d.values()) >= 0 for d in q.values())), runs)
def test_every_measure_equals_trec_eval_on_every_query(qrels: dict, run: dict) -> None:
    if not overlapping(qrels, run):
        return
    ours = evaluate(run, qrels, list(NAMES)).values
    for measure, (name, level, judged_only) in NAMES.items():
        theirs = reference(qrels, run, name, level, judged_only)
        for query, value in theirs.items():
            if measure == "NumRel(rel=2)" and not run.get(query):
                continue  # trec_eval -c counts what a missing query could have found; pytrec_eval says 0 there
            if math.isnan(value):
                value = 0.0  # trec_eval's interpolated precision divides 0 by 0 for an empty ranking
            assert ours[measure][query] == pytest.approx(value, abs=1e-9, rel=1e-12), (measure, query)


@settings(max_examples=200, deadline=None)
@given(qrels_like.filter(lambda q: all(max(d.values()) >= 0 for d in q.values())), runs, st.floats(0.25, 4.0))
def test_the_mean_over_all_judged_queries_equals_ir_measures(qrels: dict, run: dict, beta: float) -> None:
    if not overlapping(qrels, run):
        return
    beta = round(beta, 2)
    measures = ["nDCG@10", "AP(rel=2)", "R@5", "nDCG(gains={1: 3, 2: 1, 0: 1})@5", f"SetF(beta={beta})", "P@3"]
    ours = evaluate(run, qrels, measures)
    theirs = {
        "nDCG@10": ir_measures.nDCG @ 10,
        "AP(rel=2)": ir_measures.AP(rel=2),
        "R@5": ir_measures.R @ 5,
        "nDCG(gains={0:1,1:3,2:1})@5": ir_measures.nDCG(gains={1: 3, 2: 1, 0: 1}) @ 5,
        "SetF" if beta == 1.0 else f"SetF(beta={beta})": ir_measures.SetF(beta=beta),
        "P@3": ir_measures.P @ 3,
    }
    assert ours.measures == tuple(theirs)
    for name, measure in theirs.items():
        # one by one: asked together with nDCG(gains=...), ir-measures 0.4.3 may apply those gains to plain nDCG too
        assert ours[name] == pytest.approx(measure.calc_aggregate(qrels, run), abs=1e-9), name


distinct = st.dictionaries(queries, st.lists(st.sampled_from(DOCS), unique=True, min_size=1))


@settings(max_examples=200, deadline=None)
@given(qrels_like, distinct)
def test_rr_at_k_and_judged_equal_ir_measures_where_scores_differ(qrels: dict, order: dict) -> None:
    """Without ties only: these two providers order equal scores by ascending id, unlike trec_eval."""
    if not overlapping(qrels, order):
        return
    run = {q: {d: float(-i) for i, d in enumerate(docs)} for q, docs in order.items()}
    theirs = {"RR@3": ir_measures.RR @ 3, "RR(rel=2)@2": ir_measures.RR(rel=2) @ 2, "Judged@4": ir_measures.Judged @ 4}
    ours = evaluate(run, qrels, list(theirs)).values
    names = {measure: name for name, measure in theirs.items()}
    for metric in ir_measures.iter_calc(list(theirs.values()), qrels, run):
        assert ours[names[metric.measure]][metric.query_id] == pytest.approx(metric.value, abs=1e-9), metric


@pytest.mark.skipif(shutil.which("perl") is None, reason="gdeval, the reference of ERR and exponential gains, is Perl")
def test_exponential_gains_and_err_equal_gdeval() -> None:
    import random

    rng = random.Random(7)
    docs = [f"d{i}" for i in range(40)]
    qrels = {str(q): {d: rng.choice([-1, 0, 0, 1, 2, 3, 4]) for d in rng.sample(docs, 25)} for q in range(1, 21)}
    run = {str(q): {d: round(rng.random(), 1) for d in rng.sample(docs, 30)} for q in range(1, 21)}
    theirs = {"nDCG(dcg='exp-log2')@10": ir_measures.nDCG(dcg="exp-log2") @ 10, "ERR@20": ir_measures.ERR @ 20}
    ours = evaluate(run, qrels, list(theirs)).values
    names = {measure: name for name, measure in theirs.items()}
    compared = 0
    for metric in ir_measures.gdeval.iter_calc(list(theirs.values()), qrels, run):
        compared += 1
        value = ours[names[metric.measure]][metric.query_id]
        assert value == pytest.approx(metric.value, abs=5.1e-6)  # gdeval prints five digits
    assert compared == 40


def test_a_query_with_negative_grades_only_counts_as_zero() -> None:
    """trec_eval crashes on it when it comes alone; there is nothing relevant to find."""
    result = evaluate({"q": {"a": 1.0, "c": 2.0}}, {"q": {"a": -1, "b": -2}}, list(NAMES))
    counts = {"NumRet": 2.0}
    assert dict(result.means) == {m: counts.get(m, 0.0) for m in result.means}
    assert result.coverage.without_relevant == ("q",)
