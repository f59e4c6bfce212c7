"""Passages: nothing lost, nothing too long, overlap as asked, borders where they should be."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shortlist import Candidate, Document, Query, Ranking
from shortlist.core.errors import ConfigError
from shortlist.data.ingest import by_document, estimate_tokens, split

PROSE = st.lists(
    st.sampled_from(
        ["word", "longerword", "a", ".", "! ", "\n", "\n\n", " ", "東京都庁。", "é", "x" * 90, "\r\n", "\u2003"]
    ),
    max_size=120,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(PROSE, st.integers(1, 40), st.integers(0, 39), st.lists(st.integers(0, 300), max_size=4))
@example("word. " * 50, 7, 6, [30])
def test_every_character_is_in_a_passage_and_every_passage_fits(
    text: str, window: int, overlap: int, sections: list[int]
) -> None:
    overlap = min(overlap, window - 1)
    spans = split(text, window=window, overlap=overlap, sections=sections)
    covered = {i for span in spans for i in range(span.start, span.end)}
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)
    for span in spans:
        passage = text[span.start : span.end]
        assert passage == passage.strip() and passage
        assert estimate_tokens(passage) <= window or len(passage) == 1
    assert list(spans) == sorted(spans)
    for earlier, later in pairwise(spans):
        assert later.start > earlier.start and later.end > earlier.end
        assert estimate_tokens(text[later.start : earlier.end]) <= max(overlap, 0)


def test_the_given_counter_decides() -> None:
    text = " ".join(str(i) for i in range(1000))
    spans = split(text, window=50, overlap=10, count=lambda t: len(t.split()))
    assert [len(text[s:e].split()) for s, e in spans][:-1] == [50] * (len(spans) - 1)
    first, second = (set(text[s:e].split()) for s, e in spans[:2])
    assert len(first & second) == 10


def test_borders_are_headings_then_paragraphs_then_sentences() -> None:
    sentence = "Some words stand here now. "
    paragraphs = (sentence * 4).strip() + "\n\n" + (sentence * 4).strip() + "\n\n" + (sentence * 4).strip()
    spans = split(paragraphs, window=60, overlap=0)
    assert [paragraphs[e : e + 2] for _, e in spans] == ["\n\n", ""]
    one = sentence * 12
    assert all(one[e - 1] == "." for _, e in split(one, window=25, overlap=0))
    headed = "Short intro text is here.\nHeading\nMore text follows it."
    start = headed.index("Heading")
    assert [s for s, _ in split(headed, window=12, overlap=5, sections=[start])][1] == start


def test_a_text_that_fits_is_one_passage() -> None:
    assert split("  some text \n") == [(2, 11)]
    assert split("") == split(" \n ") == []


@pytest.mark.parametrize(("window", "overlap"), [(10, 10), (0, 0), (5, -1)])
def test_impossible_windows_are_refused(window: int, overlap: int) -> None:
    with pytest.raises(ConfigError, match="0 <= overlap < window"):
        split("x", window=window, overlap=overlap)


def ranking(*scored: tuple[str, str, int, float]) -> Ranking:
    return Ranking(
        Query("q", "x"),
        tuple(
            Candidate(Document(i, f"text {i}", metadata={"doc_id": doc, "start": start}), score, first_rank=n)
            for n, (i, doc, start, score) in enumerate(scored)
        ),
        "ranked",
    )


def test_passages_are_aggregated_to_documents() -> None:
    passages = ranking(("a#2", "a", 50, 9.0), ("b", "b", 0, 5.0), ("a#1", "a", 0, 1.0), ("c", "c", 0, 5.0))
    assert [(c.id, c.score) for c in by_document(passages, "max").candidates] == [("a", 9.0), ("b", 5.0), ("c", 5.0)]
    assert [(c.id, c.score) for c in by_document(passages, "mean").candidates] == [("a", 5.0), ("b", 5.0), ("c", 5.0)]
    assert [(c.id, c.score) for c in by_document(passages, "first").candidates] == [("b", 5.0), ("c", 5.0), ("a", 1.0)]
    best = by_document(passages).candidates[0]
    assert best.document.text == "text a#2"
    assert best.document.metadata["ranked_passages"] == ("a#2", "a#1")
    with pytest.raises(ConfigError, match="aggregate='sum'"):
        by_document(passages, "sum")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="has no score"):
        by_document(Ranking(Query("q", "x"), (Candidate(Document("d", "")),)))


def test_the_overlap_shrinks_when_the_next_sentence_is_long() -> None:
    text = "a b c. d e f. g h i. j k l m n o p q."
    spans = split(text, window=12, overlap=8)
    assert [text[s:e] for s, e in spans] == ["a b c. d e f. g h i.", "j k l m n o p q."]
    spans = split(text, window=13, overlap=8)
    assert [text[s:e] for s, e in spans] == ["a b c. d e f. g h i.", "g h i. j k l m n o p q."]
