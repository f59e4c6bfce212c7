"""What is done to the words of each language: stemmer, stop words, elided articles.

"english-porter" is Lucene's EnglishAnalyzer: possessive, lower case, 33 stop words, Porter's stemmer of 1980.
"english", the default, differs from it in one thing, Snowball's revised English stemmer ("Porter 2"), chosen because
it comes nearer to the reference figures on most evaluation sets (benchmarks/results/bm25.md has both). The others take
Snowball's stemmer of the language and the stop words that bm25s ships (its English list is Lucene's); a language
without a list keeps all its words. Lucene's own analysers differ in places (light stemmers for German, French and
others), so figures there are near, not equal.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from ...core.errors import ConfigError

POSSESSIVE = ("'s", "’s", "'S", "’S")


@dataclass(frozen=True, slots=True)
class Language:
    """stemmer: Snowball algorithm or "" for none. stop_words: name of a list of bm25s or "". elided: articles cut
    before an apostrophe."""

    stemmer: str = ""
    stop_words: str = ""
    elided: frozenset[str] = frozenset()


_FRENCH_ELISION = frozenset(["l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu"])
_ITALIAN_ELISION = frozenset(
    [
        "c",
        "l",
        "all",
        "dall",
        "dell",
        "nell",
        "sull",
        "coll",
        "pell",
        "gl",
        "agl",
        "dagl",
        "degl",
        "negl",
        "sugl",
        "un",
        "m",
        "t",
        "s",
        "v",
        "d",
    ]
)
_CATALAN_ELISION = frozenset(["d", "l", "m", "n", "s", "t"])

LANGUAGES = {
    "english": Language("english", "EN"),
    "english-porter": Language("porter", "EN"),
    "arabic": Language("arabic"),
    "armenian": Language("armenian"),
    "basque": Language("basque"),
    "catalan": Language("catalan", "", _CATALAN_ELISION),
    "chinese": Language("", "EN"),
    "danish": Language("danish", "DANISH"),
    "dutch": Language("dutch", "DUTCH"),
    "estonian": Language("estonian"),
    "finnish": Language("finnish"),
    "french": Language("french", "FRENCH", _FRENCH_ELISION),
    "german": Language("german", "GERMAN"),
    "greek": Language("greek"),
    "hindi": Language("hindi"),
    "hungarian": Language("hungarian"),
    "indonesian": Language("indonesian"),
    "irish": Language("irish"),
    "italian": Language("italian", "ITALIAN", _ITALIAN_ELISION),
    "japanese": Language("", "EN"),
    "korean": Language("", "EN"),
    "lithuanian": Language("lithuanian"),
    "nepali": Language("nepali"),
    "none": Language(),
    "norwegian": Language("norwegian", "NORWEGIAN"),
    "portuguese": Language("portuguese", "PORTUGUESE"),
    "romanian": Language("romanian"),
    "russian": Language("russian", "RUSSIAN"),
    "serbian": Language("serbian"),
    "spanish": Language("spanish", "SPANISH"),
    "swedish": Language("swedish", "SWEDISH"),
    "tamil": Language("tamil"),
    "thai": Language("", "EN"),
    "turkish": Language("turkish", "TURKISH"),
    "yiddish": Language("yiddish"),
}

CODES = {
    "ar": "arabic", "hy": "armenian", "eu": "basque", "ca": "catalan", "zh": "chinese", "da": "danish", "nl": "dutch",
    "en": "english", "et": "estonian", "fi": "finnish", "fr": "french", "de": "german", "el": "greek", "hi": "hindi",
    "hu": "hungarian", "id": "indonesian", "ga": "irish", "it": "italian", "ja": "japanese", "ko": "korean",
    "lt": "lithuanian", "ne": "nepali", "no": "norwegian", "nb": "norwegian", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sr": "serbian", "es": "spanish", "sv": "swedish", "ta": "tamil", "th": "thai", "tr": "turkish",
    "yi": "yiddish",
}  # fmt: skip


def language_name(name: str) -> str:
    """The full name for a name or ISO 639-1 code. Raises ConfigError with what there is.

    >>> language_name("DE"), language_name("english")
    ('german', 'english')
    """
    key = name.strip().lower()
    full = CODES.get(key, key)
    if full not in LANGUAGES:
        raise ConfigError(
            f"no analysis for language {name!r}; known: {', '.join(sorted(LANGUAGES))} and their two-letter codes "
            f"({', '.join(sorted(CODES))}); 'none' keeps words as they are, in lower case"
        )
    return full


class TermMaker(dict[str, str]):
    """Word to term, the empty string for a stop word. Remembers every word it has made a term of."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._language = name, LANGUAGES[name]
        self._stop = _stop_words(self._language.stop_words)
        self._stemmer = _stemmer(self._language.stemmer)

    def __missing__(self, word: str) -> str:
        term = self[word] = self._make(word)
        return term

    def _make(self, word: str) -> str:
        if self._name.startswith("english") and word.endswith(POSSESSIVE):
            word = word[:-2]
        word = self._without_article(self._lower(word))
        if word in self._stop:
            return ""
        return str(self._stemmer.stemWord(word)) if self._stemmer else word

    def _lower(self, word: str) -> str:
        if self._name != "turkish":
            return word.lower()
        # The dotless i is a letter of its own, and what follows an apostrophe is a suffix (Lucene's ApostropheFilter).
        return word.replace("I", "ı").replace("İ", "i").lower().replace("’", "'").partition("'")[0]

    def _without_article(self, word: str) -> str:
        head, mark, tail = word.replace("’", "'").partition("'")
        return tail if mark and tail and head in self._language.elided else word


def _stop_words(name: str) -> frozenset[str]:
    if not name:
        return frozenset()
    return frozenset(getattr(importlib.import_module("bm25s.stopwords"), f"STOPWORDS_{name}"))


def _stemmer(algorithm: str) -> Any:
    if not algorithm:
        return None
    import Stemmer

    return Stemmer.Stemmer(algorithm, 0)  # no cache of its own: TermMaker keeps one
