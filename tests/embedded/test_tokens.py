"""Token ids, the pair template and passages against the tokenizer itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.backends.embedded.folder import DEFAULT, SHIPPED
from shortlist.backends.embedded.tokens import Passage, TextTokens
from shortlist.core.errors import ConfigError

TOKENS = TextTokens(SHIPPED / DEFAULT / "tokenizer.json")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
WORDY = st.lists(
    st.sampled_from(["flea", "antidisestablishmentarianism", "日本語", "a.b,c", "x" * 120, "\n", "é"]), max_size=60
)


@given(TEXT, TEXT)
@settings(max_examples=60, deadline=None)
def test_pieces_put_together_are_what_the_tokenizer_makes_of_the_pair(query: str, text: str) -> None:
    template = TOKENS.template
    pair = TOKENS.tokenizer.encode(query, text)
    pieces = (template.before, TOKENS.ids(query), template.between, TOKENS.ids(text), template.after)
    assert [int(i) for piece in pieces for i in piece] == pair.ids
    single = TOKENS.tokenizer.encode(text)
    assert [int(i) for piece in (template.before, TOKENS.ids(text), template.single_after) for i in piece] == single.ids
    assert TOKENS.single_extra == 2
    assert TOKENS.pair_extra == 3


@given(WORDY.map(" ".join), st.integers(4, 30), st.integers(0, 3))
@settings(max_examples=80, deadline=None)
def test_passages_fit_and_leave_no_token_out(text: str, size: int, overlap: int) -> None:
    passages = TOKENS.split(text, size, overlap)
    assert all(passage.tokens <= size for passage in passages)
    assert all(len(TOKENS.ids(text[p.start : p.end])) == p.tokens for p in passages)
    covered = {place for p in passages for place in range(p.start, p.end)}
    offsets = TOKENS.tokenizer.encode(text, add_special_tokens=False).offsets
    assert all(place in covered for start, end in offsets for place in range(start, end))
    starts = [p.start for p in passages]
    assert starts == sorted(set(starts))


def test_a_text_that_fits_is_one_passage() -> None:
    assert TOKENS.split("two words", 2) == [Passage(0, 9, 2)]
    assert TOKENS.split("", 4) == [Passage(0, 0, 0)]


def test_neighbours_share_the_overlap() -> None:
    text = "one two three four five six seven"
    assert [text[p.start : p.end] for p in TOKENS.split(text, 4, 1)] == ["one two three four", "four five six seven"]


def test_a_very_long_text_is_split_in_linear_time() -> None:
    passages = TOKENS.split("flea bites dog " * 20_000, 254, 32)
    assert len(passages) == 271
    assert {p.tokens for p in passages[:-1]} == {254}


@pytest.mark.parametrize(("size", "overlap"), [(4, 4), (4, -1), (0, 0)])
def test_an_overlap_that_cannot_advance_is_refused(size: int, overlap: int) -> None:
    with pytest.raises(ConfigError, match="0 <= overlap < max_tokens"):
        TOKENS.split("one two", size, overlap)


def test_the_cache_forgets_the_oldest_and_is_not_writable() -> None:
    tokens = TextTokens(SHIPPED / DEFAULT / "tokenizer.json", cache_size=2)
    first = tokens.ids("a flea")
    assert tokens.ids("a flea") is first
    tokens.ids("b"), tokens.ids("c")
    assert tokens.ids("a flea") is not first
    assert tokens.ids("a flea").tolist() == first.tolist()
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_half_surrogates_are_read_as_unknown_characters() -> None:
    text = "a \ud800 flea"
    assert TOKENS.ids(text).tolist() == TOKENS.ids("a \ufffd flea").tolist()
    assert [text[p.start : p.end] for p in TOKENS.split(text, 1)] == ["a", "flea"]


def test_a_folder_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tokenizer\.json: not found"):
        TextTokens(tmp_path / "tokenizer.json").ids("a")
