"""Files of many kinds to passages that know where they come from.

A folder of text, Markdown, HTML and PDF files, JSON lines, CSV, TSV, or a BEIR folder. What cannot be read is listed
with the reason, never dropped in silence and never the end of the folder.
"""

from .aggregate import by_document
from .files import Kind, SourceFile, find, source_file
from .passages import OVERLAP, WINDOW, estimate_tokens, split
from .place import place
from .reading import FileReport, Splitting, read_passages
from .types import Extract, Heading, Skipped, Unreadable

__all__ = [
    "OVERLAP",
    "WINDOW",
    "Extract",
    "FileReport",
    "Heading",
    "Kind",
    "Skipped",
    "SourceFile",
    "Splitting",
    "Unreadable",
    "by_document",
    "estimate_tokens",
    "find",
    "place",
    "read_passages",
    "source_file",
    "split",
]
