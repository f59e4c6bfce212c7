"""Words of a text, as Lucene's StandardTokenizer cuts them: the word boundaries of UAX #29 by one regular expression.

Letters and digits stay together; ``'``, ``.`` and ``:`` join letters (``can't``, ``U.S.A``), ``.`` and ``,`` join
digits (``1,000.5``), ``_`` joins both; everything else separates. Words longer than 255 characters are cut into
pieces of 255, as Lucene does. Where writing has no spaces, whole runs are returned with their kind, for n-grams: Han,
kana and Hangul (``CJK``), Thai, Lao, Khmer and Burmese (``UNSPACED``). Lucene returns those character by character,
or by dictionary. Does not know emoji and other symbols (Lucene keeps emoji as words), nor Hebrew's joining double
quote. Source: Unicode Standard Annex #29, section 4.1; org.apache.lucene.analysis.standard.StandardTokenizer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import IntEnum
from functools import cache

from .marks import MARKS

MAX_WORD = 255  # StandardAnalyzer.DEFAULT_MAX_TOKEN_LENGTH

_CJK = (
    r"\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED = r"\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u1780-\u17d3"
_JOIN_LETTERS = r"'.:··‧’‘․"
_JOIN_DIGITS = r"'.,;’‘⁄٬"
_REWRITE = str.maketrans(
    {
        **dict.fromkeys("™℠®©\u200b", " "),  # NFKC would make "Windows™" "WindowsTM"
        **dict.fromkeys("\u00ad\u200c\u200d\u2060\ufeff\u0640", ""),  # soft hyphen, joiners, byte order mark, tatweel
        **dict.fromkeys(map(chr, range(0x064B, 0x0653)), ""),  # Arabic vowel marks, rarely written
    }
)


class Kind(IntEnum):
    """What a run of characters is."""

    WORD = 1
    CJK = 2
    UNSPACED = 3


def runs(text: str) -> Iterator[tuple[Kind, str, int, int]]:
    """Every word, or run of unspaced writing, in order: kind, text, and where it stands in the *normalised* text.

    >>> [run for _, run, _, _ in runs("The quick-brown foxes' U.S.A. can't 3.14, snake_case 東京tower")]
    ['The', 'quick', 'brown', 'foxes', 'U.S.A', "can't", '3.14', 'snake_case', '東京', 'tower']
    """
    for match in _pattern(bool(_marks().search(text)) if not text.isascii() else False).finditer(text):
        kind = Kind(match.lastindex or 1)
        run, start = match[0], match.start()
        if kind is not Kind.WORD:
            yield kind, run, start, match.end()
            continue
        for begin in range(0, len(run), MAX_WORD):
            piece = run[begin : begin + MAX_WORD]
            yield kind, piece, start + begin, start + begin + len(piece)


def normalise(text: str) -> str:
    """Compatibility forms folded (full width, ligatures, decomposed accents: NFKC), invisible characters taken out.

    >>> normalise("ﬁle ＡＢＣ co\u00adoperate")
    'file ABC cooperate'
    """
    return text if text.isascii() else unicodedata.normalize("NFKC", text.translate(_REWRITE))


@cache
def _marks() -> re.Pattern[str]:
    return re.compile(f"[{MARKS}]")


@cache
def _pattern(with_marks: bool) -> re.Pattern[str]:
    """Group 1: a word, 2: CJK, 3: other unspaced writing. A pattern without marks is twice as fast and usually
    enough."""
    letter = rf"[^\W\d_{_CJK}{_UNSPACED}]"
    inside = rf"[^\W_{_CJK}{_UNSPACED}]"
    mark = rf"[{MARKS}]" if with_marks else ""
    more = rf"(?:[^\W{_CJK}{_UNSPACED}]|{mark})" if with_marks else rf"[^\W{_CJK}{_UNSPACED}]"
    before = rf"(?:(?<={letter})|(?<={mark}))" if with_marks else rf"(?<={letter})"
    joined = rf"(?:{before}[{_JOIN_LETTERS}](?={letter})|(?<=\d)[{_JOIN_DIGITS}](?=\d))"
    word = rf"_*{inside}{more}*(?:{joined}{more}+)*"
    unspaced = rf"[{_UNSPACED}](?:[{_UNSPACED}]|{mark})*" if with_marks else rf"[{_UNSPACED}]+"
    return re.compile(rf"({word})|([{_CJK}]+)|({unspaced})")
