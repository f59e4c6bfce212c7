"""Read the weights of a model folder: safetensors, float, int8 rows with a scale or 4-bit groups with scales.

The safetensors format is eight bytes of header length, a JSON header and raw little-endian data; it is mapped, not
read, so loading costs what is used. A matrix stored as int8 (`name`) with one float scale per row (`name.scale`) is the
form of the shipped file; one stored as bytes with a table of scales beside it is in 4 bits (`four_bits`).

Does not read pickled PyTorch files (`pytorch_model.bin`): unpickling runs code of the file's author.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import InputError

from .four_bits import unpack
from .int8_rows import quantise_trained_rows

SCALE = ".scale"
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I8": "i1", "U8": "u1", "I32": "<i4", "I64": "<i8"}


@dataclass
class Weights:
    """Named arrays of one or more safetensors files."""

    files: tuple[Path, ...]
    _tensors: dict[str, tuple[NDArray[Any], str]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for path in self.files:
            self._tensors.update(_read(path))

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    @property
    def rounded(self) -> bool:
        """Whether matrices are stored with scales, as int8 rows or in 4 bits."""
        return any(name.endswith(SCALE) for name in self)

    def matrices(self) -> list[str]:
        """Names without those of the scales."""
        return [name for name in self if not (name.endswith(SCALE) and name.removesuffix(SCALE) in self)]

    def shape(self, name: str) -> tuple[int, ...]:
        """The array's shape as numbers, however they are packed."""
        array, _ = self._get(name)
        return (array.shape[0], 2 * array.shape[1]) if self.packed(name) else array.shape

    def packed(self, name: str) -> bool:
        """Whether the array is a matrix in 4 bits."""
        return self._get(name)[1] == "U8" and name + SCALE in self

    def floats(self, name: str) -> NDArray[np.float32]:
        """The array in float32, whatever it is stored as."""
        array, dtype = self._get(name)
        if self.packed(name):
            return unpack(array, self._get(name + SCALE)[0])
        if dtype == "I8":
            return array.astype(np.float32) * self.floats(name + SCALE)[:, None]
        if dtype == "BF16":  # the upper half of a float32
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array.astype(np.float32)

    def int8_rows(self, name: str) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """A matrix as int8 with one scale per row: as stored, or quantised now."""
        array, dtype = self._get(name)
        if dtype == "I8":
            return array, self.floats(name + SCALE)
        return quantise_trained_rows(self.floats(name))

    def stored(self, name: str) -> tuple[NDArray[Any], str]:
        """The array as it is stored, and the file's name of its type; BF16 comes as its 16 bits."""
        return self._get(name)

    def digest(self) -> str:
        """SHA-256 of the files' bytes."""
        total = hashlib.sha256()
        for path in self.files:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        return total.hexdigest()

    def _get(self, name: str) -> tuple[NDArray[Any], str]:
        try:
            return self._tensors[name]
        except KeyError:
            have = ", ".join(list(self._tensors)[:4])
            raise InputError(f"{self.files[0]}: no tensor {name!r}; the file has {have} ...") from None


def _read(path: Path) -> dict[str, tuple[NDArray[Any], str]]:
    data = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    try:
        start = 8 + int.from_bytes(data[:8].tobytes(), "little")
        header = json.loads(data[8:start].tobytes())
        header.pop("__metadata__", None)
        return {name: (_array(data, start, entry), entry["dtype"]) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a safetensors file, or cut short ({error}); fetch or build it again") from error


def _array(data: NDArray[np.uint8], start: int, entry: dict[str, Any]) -> NDArray[Any]:
    first, end = entry["data_offsets"]
    if start + end > len(data):
        raise ValueError(f"the header names bytes up to {start + end:,} of {len(data):,}")
    return np.asarray(data[start + first : start + end]).view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
