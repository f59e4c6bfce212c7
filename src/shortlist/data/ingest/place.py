"""A passage's place in words."""

from __future__ import annotations

from collections.abc import Mapping


def place(metadata: Mapping[str, object]) -> str:
    """File with line, page or record, heading, and which passage of how many.

    >>> place({"file": "a.pdf", "page": 3, "passage": 2, "passages": 9})
    'a.pdf, page 3 (passage 2 of 9)'
    >>> place({"file": "guide.md", "line": 12, "heading": "Install"})
    'guide.md:12, "Install"'
    """
    parts = [str(metadata.get("file", "")) + (f":{metadata['line']}" if "line" in metadata else "")]
    if "page" in metadata:
        last = metadata.get("last_page")
        parts.append(f"page {metadata['page']}" + (f"-{last}" if last else ""))
    if metadata.get("heading"):
        parts.append(f'"{metadata["heading"]}"')
    many = f" (passage {metadata['passage']} of {metadata['passages']})" if "passage" in metadata else ""
    return ", ".join(parts) + many
