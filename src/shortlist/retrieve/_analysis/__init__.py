"""Text to index terms, close to Lucene's analysers: words, possessive, lower case, stop words, stemmer; n-grams where
there are no spaces.

English follows EnglishAnalyzer (see ``languages`` for the stemmer). Runs of Chinese, Japanese and Korean writing
become overlapping pairs of characters (as by CJKBigramFilter), runs of Thai, Lao, Khmer and Burmese overlapping
triples, in *every* language setting, so a mixed collection needs no setting; the language decides about the words of
alphabets. Differences from Lucene: compatibility forms are folded first (NFKC), and Thai is not cut by a dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .languages import TermMaker, language_name
from .words import Kind, normalise, runs

__all__ = ["VERSION", "Analysis", "language_name", "normalise"]

VERSION = 1  # raise when terms change: indexes made with another version are built again
CJK_GRAM, UNSPACED_GRAM = 2, 3


@dataclass(frozen=True)
class Analysis:
    """The terms of a text in one language. ``language``: a name or two-letter code; "none" keeps words in lower case.

    >>> Analysis("english").terms("The foxes' dens weren't Alice's: U.S.A. 1,000")
    ['fox', 'den', "weren't", 'alic', 'u.s.a', '1,000']
    >>> Analysis("chinese").terms("东京tower")
    ['东京', 'tower']
    """

    language: str = "english"

    def terms(self, text: str) -> list[str]:
        """Terms in the order of the text, repetitions kept: what documents and queries are both turned into."""
        return [term for term, _, _ in self.spans(normalise(text))]

    def spans(self, normalised: str) -> Iterator[tuple[str, int, int]]:
        """Terms with their place in a text that ``normalise`` gave back, for marking matches."""
        make = self._terms
        for kind, run, start, end in runs(normalised):
            if kind is Kind.WORD:
                term = make[run]
                if term:
                    yield term, start, end
            else:
                yield from _grams(run, CJK_GRAM if kind is Kind.CJK else UNSPACED_GRAM, start)

    @cached_property
    def _terms(self) -> TermMaker:
        return TermMaker(language_name(self.language))


def _grams(run: str, n: int, start: int) -> Iterator[tuple[str, int, int]]:
    """Overlapping n-grams; a run shorter than ``n`` is one term, so that a single character can be found."""
    for i in range(max(1, len(run) - n + 1)):
        gram = run[i : i + n]
        yield gram, start + i, start + i + len(gram)
