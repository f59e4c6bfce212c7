"""The packaged documents for searching a folder: every kind of file opens and holds readable prose."""

from __future__ import annotations

from collections import Counter
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import PurePath

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

DOCUMENTS: Traversable = files("shortlist").joinpath("demo", "documents")
NAMES = sorted(entry.name for entry in DOCUMENTS.iterdir())


def prose(name: str) -> str:
    entry = DOCUMENTS.joinpath(name)
    if name.endswith(".pdf"):
        with as_file(entry) as path:
            return "\n".join(page.extract_text() for page in PdfReader(path, strict=True).pages)
    text = entry.read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser").body.get_text(" ") if name.endswith(".html") else text


def test_the_kinds_of_file_are_the_promised_ones():
    assert Counter(PurePath(name).suffix for name in NAMES) == {".md": 2, ".txt": 2, ".html": 1, ".pdf": 1}


@pytest.mark.parametrize("name", NAMES)
def test_each_document_holds_300_to_900_words(name):
    assert 300 <= len(prose(name).split()) <= 900


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("espresso-at-home.md", "Each jet marks a weak spot in the puck"),
        ("pour-over.md", "too much dust in it"),
        ("processing.html", "the fruit must be removed from the seed"),
        ("storing-coffee.txt", "At minus 18 degrees the aroma is practically at rest"),
        ("water-for-coffee.txt", "how much acid the water can neutralise"),
    ],
)
def test_known_phrases_are_found(name, phrase):
    assert phrase in " ".join(prose(name).split())


def test_pdf_places_its_text_on_two_pages():
    with as_file(DOCUMENTS.joinpath("machine-care.pdf")) as path:
        first, second = (" ".join(page.extract_text().split()) for page in PdfReader(path, strict=True).pages)
    assert first.startswith("Care of coffee machines: a calendar")
    assert "the handle then goes further to the right than it used to" in first
    assert second.startswith("Removing lime")
    assert "Never rinse steel burrs with water." in second


def test_no_document_repeats_a_passage_of_the_corpus():
    corpus = files("shortlist").joinpath("demo", "corpus.jsonl").read_text(encoding="utf-8")
    for name in NAMES:
        lines = [line.strip() for line in prose(name).splitlines() if len(line.split()) > 12]
        assert [line for line in lines if line in corpus] == [], name
