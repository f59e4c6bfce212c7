"""The record of an index: how it was made, of which files, and what was noticed about each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ...core.errors import InputError
from ...data.ingest import OVERLAP, WINDOW, Kind
from ...formats.atomic import atomic_text
from .._analysis import VERSION as ANALYSIS
from ..bm25 import K1, B

FORMAT = 1  # of shards and manifest: raise it when either changes, and old indexes are built again
NAME = "manifest.json"


class DamagedIndex(InputError):
    """Files of the index are missing or not what was written; whoever meets it builds the index again."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the contents of an index beside the files. Changing any of them builds it again."""

    language: str = "english"
    window: int = WINDOW
    overlap: int = OVERLAP
    k1: float = K1
    b: float = B
    qualified: bool = False  # ids of records carry their file's name
    format: int = FORMAT
    analysis: int = ANALYSIS

    @property
    def shard_digest(self) -> str:
        """Of what decides the contents of a shard: everything but the parameters of the formula."""
        return _digest({k: v for k, v in asdict(self).items() if k not in ("k1", "b")})


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. shard: its name; without passages there is a reason.

    settled: False when the file changed so shortly before it was read that an equal time stamp proves nothing.
    """

    name: str
    kind: Kind
    size: int
    mtime_ns: int
    sha256: str
    settled: bool = True
    shard: str = ""
    passages: int = 0
    documents: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()
    skipped: tuple[tuple[int, str], ...] = ()
    unlisted: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """settings and files decide the digest; postings names the folder with the numbers."""

    settings: Settings
    files: Mapping[str, Entry]
    postings: str
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Equal for equal files under equal names and equal settings."""
        return _digest([asdict(self.settings), [(e.name, e.sha256) for e in self.files.values()]])

    @property
    def passages(self) -> int:
        return sum(e.passages for e in self.files.values())


def write(manifest: Manifest, folder: Path) -> None:
    """Whole or not at all."""
    record = {
        "digest": manifest.digest,
        "settings": asdict(manifest.settings),
        "postings": manifest.postings,
        "versions": dict(manifest.versions),
        "files": [_short(asdict(e)) for e in manifest.files.values()],
    }
    with atomic_text(folder / NAME) as stream:
        json.dump(record, stream, indent=1)


def read(folder: Path) -> Manifest | None:
    """``None`` when there is none; DamagedIndex when it cannot be understood."""
    try:
        text = (folder / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DamagedIndex(f"{folder / NAME}: not readable ({error})") from error
    try:
        record = json.loads(text)
        known = {f.name for f in fields(Settings)}
        settings = Settings(**{k: v for k, v in record["settings"].items() if k in known})
        entries = [_entry(e) for e in record["files"]]
        return Manifest(settings, {e.name: e for e in entries}, record["postings"], record["versions"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedIndex(f"{folder / NAME}: damaged ({error})") from error


def _short(entry: dict[str, Any]) -> dict[str, Any]:
    """Without what equals its default: most files have nothing to tell."""
    defaults = {f.name: f.default for f in fields(Entry)}
    return {k: v for k, v in entry.items() if v != defaults[k]}


def _entry(record: dict[str, Any]) -> Entry:
    record = {**record, "notes": tuple(record.get("notes", ()))}
    record["skipped"] = tuple((int(line), str(reason)) for line, reason in record.get("skipped", ()))
    return Entry(**record)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:16]
