"""BM25 against the formula written out, its ranking rules, and its folder on disk."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist import Document, Query, Scale
from shortlist.core.errors import ConfigError, InputError
from shortlist.core.params import digest
from shortlist.retrieve._analysis import Analysis
from shortlist.retrieve.bm25 import BM25, build

TEXTS = [
    "the flea lives a hundred days", "a cat has fleas and a dog has fleas", "concrete floors cost money",
    "", "fleas fleas fleas", "the the the", "Ünïcode naïve 東京タワー", "long " * 300 + "flea",
]  # fmt: skip
DOCUMENTS = [Document(f"d{i}", text, title="Life" if i == 0 else None) for i, text in enumerate(TEXTS)]


def by_hand(documents: list[Document], query: str, k1: float, b: float) -> dict[str, float]:
    """Lucene's formula without its constant factor (k1 + 1), straight from the paper."""
    terms = {d.id: Counter(Analysis("english").terms(d.full_text)) for d in documents}
    lengths = {i: sum(c.values()) for i, c in terms.items()}
    average = sum(lengths.values()) / len(documents)
    scores: dict[str, float] = {}
    for term in Analysis("english").terms(query):
        frequency = sum(term in c for c in terms.values())
        for doc_id, counts in terms.items():
            if tf := counts[term]:
                idf = math.log(1 + (len(documents) - frequency + 0.5) / (frequency + 0.5))
                scores[doc_id] = scores.get(doc_id, 0) + idf * tf / (tf + k1 * (1 - b + b * lengths[doc_id] / average))
    return scores


@pytest.mark.parametrize(
    "query", ["flea", "fleas life money", "flea flea dog", "東京 naïve", "zebra", "", "the", "flea " * 500]
)
@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.2, 0.75), (0.0, 0.0), (2.0, 1.0)])
def test_scores_are_the_formula(query: str, k1: float, b: float) -> None:
    (ranking,) = BM25(documents=DOCUMENTS, k1=k1, b=b).retrieve([Query("q", query)], k=100)
    expected = by_hand(DOCUMENTS, query, k1, b)
    assert {c.id: c.score for c in ranking.candidates} == pytest.approx(expected, rel=1e-5)
    scores = [c.score for c in ranking.candidates]
    assert scores == sorted(scores, key=lambda s: -(s or 0))
    assert ranking.scale is Scale.LEXICAL
    assert ranking.status == "retrieved"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["ant", "bee", "cow", "dog", "elk"]), max_size=6), min_size=1, max_size=12),
    st.lists(st.sampled_from(["ant", "bee", "cow", "fox"]), max_size=4),
    st.integers(0, 13),
)
def test_top_k_is_a_prefix_and_ties_keep_the_corpus_order(texts: list[list[str]], query: list[str], k: int) -> None:
    documents = [Document(f"d{i}", " ".join(words)) for i, words in enumerate(texts)]
    bm25 = BM25(documents=documents)
    asked = Query("q", " ".join(query))
    whole, part = bm25.retrieve([asked], k=100)[0], bm25.retrieve([asked], k=k)[0]
    assert part.candidates == whole.candidates[:k]
    position = {d.id: i for i, d in enumerate(documents)}
    keys = [(-(c.score or 0), position[c.id]) for c in whole.candidates]
    assert keys == sorted(keys)
    assert set(whole.ids) == {d.id for d, words in zip(documents, texts, strict=True) if set(words) & set(query)}


def test_equal_texts_stay_apart_and_in_order() -> None:
    documents = [Document(i, "same text") for i in ("b", "a", "c")]
    (ranking,) = (BM25(documents=documents) % 2)(["text"])
    assert ranking.ids == ("b", "a")


@pytest.mark.parametrize("documents", [[], [Document("d", "")], [Document("d", "the of")]])
def test_nothing_to_find_is_an_empty_ranking(documents: list[Document]) -> None:
    (ranking,) = BM25(documents=documents)(["anything"])
    assert ranking.candidates == ()


def test_documents_come_from_lists_iterators_and_collections_by_id() -> None:
    class ByIds:
        def __init__(self) -> None:
            self.held = {d.id: d for d in DOCUMENTS}

        def __getitem__(self, doc_id: str) -> Document:
            return self.held[doc_id]

        def __contains__(self, doc_id: object) -> bool:
            return doc_id in self.held

        def __len__(self) -> int:
            return len(self.held)

        def __iter__(self):  # type: ignore[no-untyped-def]
            return iter(self.held)

    queries = ["flea", "money"]
    expected = BM25(documents=DOCUMENTS)(queries)
    assert BM25(documents=iter(DOCUMENTS))(queries) == expected
    assert BM25(documents=ByIds())(queries) == expected


def test_saved_and_loaded_gives_the_same(tmp_path: Path) -> None:
    odd = Document("x y/ü", "half \ud800 pair of fleas", images=("i.png",), metadata={"file": "f", "n": 1})
    bm25 = BM25(documents=[*DOCUMENTS, odd], language="en", k1=1.0, b=0.5)
    bm25.save(tmp_path / "index")
    loaded = BM25.load(tmp_path / "index")
    queries = ["flea", "pair", "東京", ""]
    assert loaded(queries) == bm25(queries)
    assert loaded(["pair"])[0].documents[0].metadata == {"file": "f", "n": 1}
    assert loaded.digest == bm25.digest == digest_of_same(bm25)
    assert len(loaded) == len(DOCUMENTS) + 1
    bm25.save(tmp_path / "index")  # replaces
    assert [p.name for p in tmp_path.iterdir()] == ["index"]
    BM25(documents=[]).save(tmp_path / "empty")
    assert BM25.load(tmp_path / "empty")(["x"])[0].candidates == ()


def digest_of_same(bm25: BM25) -> str:
    return BM25(documents=bm25.documents, language=bm25.language, k1=bm25.k1, b=bm25.b).digest


def test_the_digest_changes_with_what_changes_scores() -> None:
    base = BM25(documents=DOCUMENTS).digest
    others = [
        BM25(documents=DOCUMENTS[:-1]), BM25(documents=DOCUMENTS, k1=1.0), BM25(documents=DOCUMENTS, b=0.5),
        BM25(documents=DOCUMENTS, language="english-porter"), BM25(documents=DOCUMENTS[::-1]),
    ]  # fmt: skip
    assert len({base, *(o.digest for o in others)}) == 6
    assert digest(BM25(documents=DOCUMENTS)) == digest(BM25(documents=tuple(DOCUMENTS)))


@pytest.mark.parametrize("harm", ["missing", "cut", "version", "other"])
def test_damaged_and_foreign_folders_are_clear_errors(tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "index"
    BM25(documents=DOCUMENTS).save(folder)
    if harm == "missing":
        (folder / "indices.csc.index.npy").unlink()
    elif harm == "cut":
        data = (folder / "data.csc.index.npy").read_bytes()
        (folder / "data.csc.index.npy").write_bytes(data[: len(data) // 2])
    elif harm == "version":
        (folder / "bm25.json").write_text('{"format": 99, "analysis": 1}')
    else:
        folder = tmp_path
    with pytest.raises(InputError, match=r"build it again|holds no BM25 index"):
        BM25.load(folder)(["flea"])


def test_saving_over_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="is not empty"):
        BM25(documents=DOCUMENTS).save(tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_parameters_are_checked(tmp_path: Path) -> None:
    for wrong in ({}, {"documents": [], "index": "x"}):
        with pytest.raises(ConfigError, match="either documents"):
            build(**wrong)  # type: ignore[arg-type]
    for k1, b in ((-1, 0.4), (0.9, 1.5), (float("nan"), 0.4)):
        with pytest.raises(ConfigError, match="k1 must be"):
            BM25(documents=[], k1=k1, b=b)
    BM25(documents=DOCUMENTS).save(tmp_path / "i")
    with pytest.raises(ConfigError, match="built with language='english', asked for 'german'"):
        BM25(index=tmp_path / "i", language="german")(["x"])


def test_explain_adds_up_to_the_score() -> None:
    bm25 = BM25(documents=DOCUMENTS)
    query = Query("q", "flea flea dog days")
    (ranking,) = bm25.retrieve([query], k=10)
    for candidate, parts in zip(ranking.candidates, bm25.explain(query, k=10), strict=True):
        assert sum(parts.values()) == pytest.approx(candidate.score, rel=1e-5)
