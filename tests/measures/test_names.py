"""Reading measure names, and writing them in one way."""

from __future__ import annotations

import pytest

from shortlist.core.errors import ConfigError, MissingExtra, UnknownName
from shortlist.measures import FORMULAS, Measure, external_values, parse, parse_all


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("nDCG@10", "nDCG@10"),
        ("NDCG@10", "nDCG@10"),
        (" nDCG @ 10 ", "nDCG@10"),
        ("nDCG(dcg='exp-log2')@10", "nDCG(dcg='exp-log2')@10"),
        ('nDCG(dcg="log2")@10', "nDCG@10"),
        ("nDCG(judged_only=True, dcg='exp-log2')", "nDCG(dcg='exp-log2',judged_only=True)"),
        ("nDCG(gains={2:5,1:1})@3", "nDCG(gains={2:5})@3"),
        ("MAP", "AP"),
        ("AP(rel=1)", "AP"),
        ("AP(rel=2)@100", "AP(rel=2)@100"),
        ("MRR@10", "RR@10"),
        ("RBP(p=.8)", "RBP"),
        ("RBP(p=.95)", "RBP(p=0.95)"),
        ("NumRelRet", "NumRet(rel=1)"),
        ("SetRelP", "SetP(relative=True)"),
        ("IPrec@.5", "IPrec@0.5"),
        ("Compat(p=0.8)", "Compat(p=0.8)"),
    ],
)
def test_one_canonical_name(written: str, canonical: str) -> None:
    assert str(parse(written)) == canonical
    assert parse(canonical) == parse(written)


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_canonical_names_are_those_of_ir_measures(name: str) -> None:
    ir_measures = pytest.importorskip("ir_measures")
    text = name if FORMULAS[name].cutoff != "required" else f"{name}@{'0.5' if name == 'IPrec' else 5}"
    rel = text.replace(name, f"{name}(rel=2)") if "rel" in FORMULAS[name].parameters else text
    registry = ir_measures.measures.registry[name]
    expected = registry if FORMULAS[name].cutoff != "required" else registry @ (0.5 if name == "IPrec" else 5)
    assert str(parse(text)) == repr(expected)
    assert str(parse(rel)) == repr(expected(rel=2) if rel != text else expected)
    spec = registry.SUPPORTED_PARAMS
    assert set(FORMULAS[name].parameters) | ({FORMULAS[name].at} if FORMULAS[name].cutoff != "none" else set()) == set(
        spec
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "cannot be read"),
        ("nDCG@", "cannot be read"),
        ("nDCG@ten", "cannot be read"),
        ("nDCG(10)", "cannot be read"),
        ("nDCG 10", "cannot be read"),
        ("__import__('os').system('x')", "cannot be read"),
        ("nDCG@True", "cannot be read"),
        ("P", "needs a cutoff"),
        ("IPrec", "needs a recall"),
        ("Rprec@10", "takes no cutoff"),
        ("P@0", "above 0"),
        ("P@-5", "above 0"),
        ("P@2.5", "above 0"),
        ("IPrec@2", "must lie in"),
        ("AP(level=2)", "has no parameter 'level'; it takes: rel, judged_only"),
        ("AP(rel=0)", "rel must be"),
        ("AP(rel=True)", "rel must be"),
        ("AP(judged_only=1)", "judged_only must be"),
        ("nDCG(dcg='ln')@10", "one of log2, exp-log2"),
        ("nDCG(gains=3)@10", "gains must map"),
        ("RBP(p=1.5)", "p must lie"),
        ("SetF(beta=0)", "beta must be"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint.replace("(", r"\(")):
        parse(text)


def test_several_names_in_one_string() -> None:
    text = "nDCG@10, RR@10\tnDCG(dcg='exp-log2', gains={1:2, 2:4})@5 NDCG@10"
    assert [str(m) for m in parse_all(text)] == [
        "nDCG@10",
        "RR@10",
        "nDCG(dcg='exp-log2',gains={1:2,2:4})@5",
    ]
    assert parse_all([parse("AP"), "MAP"]) == (Measure("AP"),)
    with pytest.raises(ConfigError, match="no measure"):
        parse_all("  ")


def test_other_names_go_to_ir_measures_in_our_order() -> None:
    pytest.importorskip("ir_measures")
    compat = parse("Compat(p=0.8)")
    assert not compat.ours
    best = external_values([compat], {"q": {"a": 2, "b": 1}}, {"q": ["a", "b"]})
    worse = external_values([compat], {"q": {"a": 2, "b": 1}}, {"q": ["b", "a"]})
    assert best[compat]["q"] == pytest.approx(1.0)
    assert worse[compat]["q"] < 0.9


def test_a_name_that_nobody_knows_is_an_error_with_the_nearest() -> None:
    pytest.importorskip("ir_measures")
    with pytest.raises(UnknownName, match="did you mean 'nDCG'"):
        external_values([parse("nDGC@10")], {"q": {"a": 1}}, {"q": ["a"]})


def test_a_measure_that_ir_measures_lacks_a_provider_for_is_refused() -> None:
    pytest.importorskip("ir_measures")
    with pytest.raises(ConfigError, match="ir-measures cannot compute SDCG"):
        external_values([parse("SDCG(max_rel=3,dcg='ln')@5")], {"q": {"a": 1}}, {"q": ["a"]})


def test_without_ir_measures_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ir_measures", None)
    with pytest.raises(MissingExtra, match=r"Compat is left to ir-measures.*shortlist\[eval\].*nDCG"):
        external_values([parse("Compat")], {"q": {"a": 1}}, {"q": ["a"]})
