"""A collection of documents on disk, by id: nothing is held in memory but the places of the records.

A compressed file, standard input or a JSON array is first written out once as plain JSONL; a file under 4 MiB gets no
index file, since scanning it is as fast as opening one.
"""

from __future__ import annotations

import difflib
import logging
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from ..core.errors import FormatError, InputError, MissingDocument
from ..core.types import Document
from ..formats.documents import JsonLayout, Layout, guess_layout, iter_documents, iter_placed
from ..formats.lines import Source
from . import offsets, spooled

logger = logging.getLogger(__name__)

INDEX_FROM = 1 << 22


@dataclass(frozen=True)
class Collection:
    """Documents of one file by id; a ``Corpus``. Iterating gives the documents in file order.

    cache: folder for the index (and the decompressed copy); default beside the file, or the user's cache folder where
    that is read-only. columns: names of the ``id``, ``text`` and ``title`` fields where guessing is not wanted.
    Nothing is read before the first use. Raises FormatError for a malformed record and for an id that comes twice.
    """

    path: str | PathLike[str]
    cache: str | PathLike[str] | None = None
    columns: Mapping[str, str] | None = None

    def __getitem__(self, doc_id: str) -> Document:
        document = self._find(doc_id)
        if document is None:
            raise MissingDocument(f"no document {doc_id!r} in {self.path} ({len(self)} documents){self._near(doc_id)}")
        return document

    def __contains__(self, doc_id: object) -> bool:
        return isinstance(doc_id, str) and self._find(doc_id) is not None

    def __len__(self) -> int:
        return len(self._index)

    def __iter__(self) -> Iterator[Document]:
        return iter_documents(self._file, layout=self._layout)

    def ids(self) -> Iterator[str]:
        """The ids in file order."""
        return (document.id for document in self)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "cache": self.cache, "columns": self.columns}  # maps and open files stay behind

    @cached_property
    def _file(self) -> Path:
        return spooled.plain_file(Source(self.path), self.cache, self.columns)

    @cached_property
    def _layout(self) -> Layout:
        source = Source(self._file)
        return JsonLayout() if self._file != Path(self.path) else guess_layout(source, self.columns)

    @cached_property
    def _index(self) -> offsets.Offsets:
        if self._file.stat().st_size < INDEX_FROM:
            return self._scan()
        made_from = offsets.fingerprint(self._file, self._layout)
        sidecar = spooled.place(self._file, ".offsets", self.cache)
        index = offsets.load(sidecar, made_from)
        if index is None:
            logger.info("indexing the places of the documents of %s", self.path)
            index = self._scan()
            offsets.save(index, sidecar, made_from)
        return index

    @cached_property
    def _bytes(self) -> mmap.mmap:
        with self._file.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)

    def _scan(self) -> offsets.Offsets:
        placed = iter_placed(Source(self._file), self._layout)
        index = offsets.build(((p.line, p.offset, p.length, p.document.id) for p in placed), str(self.path))
        if len(index) > 1:
            self._check_unique(index)
        return index

    def _check_unique(self, index: offsets.Offsets) -> None:
        equal = (index.hashes[1:] == index.hashes[:-1]).nonzero()[0]
        for at in equal:
            first, second = (self._at(int(index.offsets[i]), int(index.lengths[i]), "") for i in (at, at + 1))
            if first.id == second.id:
                raise self._twice(first.id)

    def _twice(self, doc_id: str) -> FormatError:
        lines = [p.line for p in iter_placed(Source(self._file), self._layout) if p.document.id == doc_id]
        return FormatError(str(self.path), lines[1], f"document id {doc_id!r} comes twice, first at line {lines[0]}")

    def _find(self, doc_id: str) -> Document | None:
        for offset, length in self._index.find(doc_id):
            document = self._at(offset, length, doc_id)
            if document.id == doc_id:
                return document
        return None

    def _at(self, offset: int, length: int, doc_id: str) -> Document:
        try:
            return self._layout.document(self._bytes[offset : offset + length].decode(), doc_id)
        except ValueError as error:
            raise InputError(f"{self.path} changed while it was in use; open it again ({error})") from error

    def _near(self, doc_id: str) -> str:
        if len(self) > 100_000:  # a scan for a hint would take longer than reading the message
            return ""
        near = difflib.get_close_matches(doc_id, list(self.ids()), n=1, cutoff=0.8)
        return f"; the nearest id is {near[0]!r}" if near else ""
