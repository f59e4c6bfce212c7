"""A judgements file read block by block: TREC's four columns, or BEIR's three with a header.

Regular files only (see ``blocks``): whole grades, no document judged twice for a query.
"""

from __future__ import annotations

from typing import BinaryIO

from .blocks import Irregular, blocks, columns

TREC = (4, 0, 2, 3)  # columns, and which are query, document, grade
BEIR = (3, 0, 1, 2)
BEIR_HEADER = (b"query-id\tcorpus-id\tscore\n", b"query-id\tcorpus-id\tscore\r\n")


def regular_qrels(stream: BinaryIO) -> dict[str, dict[str, int]]:
    """query -> document -> grade, in file order. Raises Irregular at the first thing that is not of the plain form."""
    index: dict[str, dict[str, int]] = {}
    layout, lines = TREC, 0
    for number, block in enumerate(blocks(stream)):
        if number == 0 and block.startswith(BEIR_HEADER):
            layout, block = BEIR, block[block.index(b"\n") + 1 :]
        width, query_column, doc_column, grade_column = layout
        cut = columns(block, width)
        grades = _grades(cut[grade_column])
        lines += len(grades)
        for query, doc, grade in zip(cut[query_column], cut[doc_column], grades, strict=True):
            index.setdefault(query.decode(), {})[doc.decode()] = grade
    if lines != sum(map(len, index.values())):
        raise Irregular
    return index


def _grades(written: list[bytes]) -> list[int]:
    try:
        grades = list(map(int, written))
    except ValueError as error:
        raise Irregular from error
    if b"_" in b"".join(written):
        raise Irregular
    return grades
