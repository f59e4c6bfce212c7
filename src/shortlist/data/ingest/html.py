"""HTML pages: what a reader sees, as paragraphs; title and headings. Scripts, styles and navigation are left out.

Does not run scripts, and keeps the text of headers, footers and asides: what is boilerplate there, only a reader can
say.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

from .decode import clean, encoding_of
from .quiet import quiet
from .types import Extract, Heading, Unreadable

_LEFT_OUT = frozenset(
    ["script", "style", "nav", "noscript", "template", "svg", "iframe", "object", "head", "button", "select", "math"]
)
_BLOCKS = frozenset([
    "address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "dialog", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html",
    "legend", "li", "main", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "title", "tr",
    "ul",
])  # fmt: skip
_CELLS = frozenset(["td", "th"])
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SPACE = re.compile(r"\s+")


def read_html(data: bytes) -> tuple[Extract, list[str]]:
    """The page's text with one blank line between blocks. Raises Unreadable for binary content."""
    import bs4

    encoding = encoding_of(data)
    with warnings.catch_warnings(), quiet("bs4.dammit"):
        warnings.simplefilter("ignore", bs4.XMLParsedAsHTMLWarning)
        warnings.simplefilter("ignore", bs4.MarkupResemblesLocatorWarning)
        try:
            soup = bs4.BeautifulSoup(data, "html.parser", from_encoding=None if encoding == "utf-8" else encoding)
        except (bs4.exceptions.ParserRejectedMarkup, AssertionError) as error:
            raise Unreadable(f"not parsable as HTML ({error})") from error
    notes = ["some characters could not be decoded"] if soup.contains_replacement_characters else []
    page = _Page()
    page.walk(soup)
    title = _SPACE.sub(" ", soup.title.get_text()).strip() if soup.title else ""
    first = next((h.text for h in page.headings if h.level == 1), None)
    return Extract(page.text(), title=clean(title) or first, headings=tuple(page.headings)), notes


class _Page:
    """Collects blocks of text; ``length`` is the offset at which the next block begins."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self._blocks: list[str] = []
        self._inline: list[str] = []
        self._length = 0

    def text(self) -> str:
        self._end_block()
        return "\n\n".join(self._blocks)

    def walk(self, root: Any) -> None:
        """Depth first with a stack of its own: pages nest deeper than Python recurses."""
        import bs4

        stack: list[tuple[Any, bool]] = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            if isinstance(node, bs4.element.Tag):
                if leaving:
                    self._leave(node)
                elif node.name not in _LEFT_OUT:
                    self._enter(node)
                    stack.append((node, True))
                    stack.extend((child, False) for child in reversed(node.contents))
            elif type(node) is bs4.element.NavigableString:  # its subclasses are comments, doctypes and the like
                self._inline.append(str(node))

    def _enter(self, tag: Any) -> None:
        if tag.name in _BLOCKS:
            self._end_block()
        elif tag.name == "br":
            self._inline.append("\n")
        elif tag.name in _CELLS:
            self._inline.append(" ")

    def _leave(self, tag: Any) -> None:
        if tag.name in _BLOCKS:
            start = self._length + (2 if self._blocks else 0)
            text = self._end_block(keep_lines=tag.name == "pre")
            if text and tag.name in _HEADINGS:
                self.headings.append(Heading(start, _HEADINGS[tag.name], text))

    def _end_block(self, *, keep_lines: bool = False) -> str:
        raw = clean("".join(self._inline))
        text = raw.strip("\n").rstrip() if keep_lines else _SPACE.sub(" ", raw).strip()
        self._inline = []
        if text:
            self._length += len(text) + (2 if self._blocks else 0)
            self._blocks.append(text)
        return text
