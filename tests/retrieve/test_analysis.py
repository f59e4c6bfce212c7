"""Terms against what Lucene's analysers give; expected values marked (L) are Lucene's documented behaviour, from
memory."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import ConfigError
from shortlist.retrieve._analysis import Analysis, normalise
from shortlist.retrieve._analysis.languages import CODES, LANGUAGES
from shortlist.retrieve._analysis.marks import MARKS
from shortlist.retrieve._analysis.words import runs


def words(text: str) -> list[str]:
    return [run for _, run, _, _ in runs(normalise(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # (L) StandardTokenizer, UAX #29
        ("The 2 QUICK Brown-Foxes jumped over the lazy dog's bone.",
         ["The", "2", "QUICK", "Brown", "Foxes", "jumped", "over", "the", "lazy", "dog's", "bone"]),
        ("U.S.A. can't o'neil's", ["U.S.A", "can't", "o'neil's"]),
        ("3.14 1,000,000 2,a 5.x", ["3.14", "1,000,000", "2", "a", "5", "x"]),
        ("snake_case _x_ ___", ["snake_case", "_x_"]),
        ("john.smith@example.com", ["john.smith", "example.com"]),
        ("AT&T C++ C# wi-fi", ["AT", "T", "C", "C", "wi", "fi"]),
        ("abc123 123abc 4x4", ["abc123", "123abc", "4x4"]),
        ("tyre:rim 10:30", ["tyre:rim", "10", "30"]),
        ("trailing' 'leading ''", ["trailing", "leading"]),
        # ours
        ("\ufeffBOM so\u00adft zero\u200bwidth", ["BOM", "soft", "zero", "width"]),
        ("Windows™ ½", ["Windows", "1⁄2"]),
        ("cafe\u0301 ﬁne ＦＵＬＬ", ["café", "fine", "FULL"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("東京タワーtower 2024年", ["東京タワー", "tower", "2024", "年"]),
        ("한국어 검색", ["한국어", "검색"]),
        ("", []),
        (" \n\t…—!", []),
    ],
)  # fmt: skip
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_long_words_are_cut_at_255_as_in_lucene() -> None:
    assert [len(w) for w in words("a" * 600)] == [255, 255, 90]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        # (L) EnglishAnalyzer: possessive, lower case, 33 stop words, Porter
        ("english-porter", "The quick-brown foxes' U.S.A. can't", ["quick", "brown", "fox", "u.s.a", "can't"]),
        ("english-porter", "books book's BOOK", ["book", "book", "book"]),
        ("english-porter", "generously lay ties dying news skis", ["gener", "lai", "ti", "dy", "new", "ski"]),
        ("english", "generously lay ties dying news skis", ["generous", "lay", "tie", "die", "news", "ski"]),
        ("english", "this is not the will of it", []),
        ("none", "The Dogs", ["the", "dogs"]),
        ("german", "Die Häuser und Katzen", ["haus", "katz"]),
        ("french", "l'avion qu'il J’aime", ["avion", "aim"]),
        ("italian", "dell'università", ["univers"]),
        ("turkish", "İstanbul'da IŞIK", ["istanbul", "ışık"]),
        ("russian", "Защита уступила", ["защит", "уступ"]),
        ("arabic", "الْكِتَابُ", Analysis("arabic").terms("الكتاب")),
        # (L) CJKAnalyzer: overlapping bigrams, a lone character by itself, Latin words kept
        ("chinese", "多くの学生が試験に落ちた。",
         ["多く", "くの", "の学", "学生", "生が", "が試", "試験", "験に", "に落", "落ち", "ちた"]),
        ("chinese", "一 NFL球队", ["一", "nfl", "球队"]),
        ("thai", "ภาษาไทย", ["ภาษ", "าษา", "ษาไ", "าไท", "ไทย"]),
        ("english", "the 東京 towers", ["東京", "tower"]),
    ],
)  # fmt: skip
def test_terms(language: str, text: str, expected: list[str]) -> None:
    assert Analysis(language).terms(text) == expected


def test_every_language_makes_terms_and_has_at_most_one_code() -> None:
    for name in LANGUAGES:
        assert Analysis(name).terms("word слово λέξη 词语 123")
    assert set(CODES.values()) <= set(LANGUAGES)


def test_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no analysis for language 'klingon'.*english"):
        Analysis("klingon").terms("x")


def test_marks_are_the_marks_of_unicode() -> None:
    inside = re.compile(f"[{MARKS}]")
    for code in range(0x300, 0x3000):
        category = unicodedata.category(chr(code))
        if category in ("Mn", "Mc", "Me"):
            assert inside.match(chr(code)) or unicodedata.unidata_version > "14", hex(code)
        elif category != "Cn":
            assert not inside.match(chr(code)), hex(code)


@given(st.text())
def test_any_text_gives_terms_with_their_places(text: str) -> None:
    normalised = normalise(text)
    found = list(Analysis("english").spans(normalised))
    assert all(term and not re.search(r"\s", term) for term, _, _ in found)
    assert all(0 <= start < end <= len(normalised) for _, start, end in found)
    assert [t for t, _, _ in found] == Analysis("english").terms(text)
