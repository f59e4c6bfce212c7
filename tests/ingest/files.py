"""Small files of every kind, made without other packages."""

from __future__ import annotations

import io
from pathlib import Path


def pdf(pages: list[str], *, title: str = "", password: str | None = None) -> bytes:
    """A PDF with one line of text per page (an empty string: a page without text)."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(width=300, height=200)
        if text:
            font = DictionaryObject({
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            })  # fmt: skip
            fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
            page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
            stream = DecodedStreamObject()
            stream.set_data(f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode("latin-1"))
            page[NameObject("/Contents")] = writer._add_object(stream)
    if title:
        writer.add_metadata({"/Title": title})
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def folder_of_everything(root: Path) -> Path:
    """A folder with good and bad files of every kind."""
    (root / "deep" / "er").mkdir(parents=True)
    (root / "plain.txt").write_text("Fleas live long.\n\nThey bite.", encoding="utf-8")
    (root / "guide.md").write_text("# Guide\n\nIntro.\n\n## Install\n\nUse pip.\n", encoding="utf-8")
    page = "<html><head><title>Floors</title><style>p{}</style></head><body><nav>Home</nav><h1>Concrete</h1>"
    (root / "deep" / "page.html").write_text(page + "<p>It is <b>hard</b>.</p><script>no()</script></body></html>")
    (root / "deep" / "er" / "paper.pdf").write_bytes(pdf(["First page text.", "Second page."], title="A paper"))
    (root / "list.jsonl").write_text('{"_id": "x1", "title": "T", "text": "json text"}\nnot json\n{"_id": "x2"}\n')
    (root / "table.csv").write_text('id,title,text,year\n7,Seven,"a, quoted\nfield",1999\n8,Eight,plain,2000\n')
    (root / "cp1252.txt").write_bytes("naïve café".encode("cp1252"))
    (root / "utf16.txt").write_bytes("sixteen bits".encode("utf-16"))
    (root / "empty.txt").write_bytes(b"")
    (root / "blank.md").write_text(" \n\n\t\n")
    (root / "binary.txt").write_bytes(b"\x7fELF\0\0\1")
    (root / "locked.pdf").write_bytes(pdf(["secret"], password="pw"))
    (root / "scan.pdf").write_bytes(pdf(["", ""]))
    (root / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing more")
    (root / "photo.png").write_bytes(b"\x89PNG")
    (root / ".hidden.txt").write_text("hidden")
    (root / ".git").mkdir()
    (root / ".git" / "config.txt").write_text("hidden too")
    return root
