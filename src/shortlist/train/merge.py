"""The weighted average of checkpoints of one architecture, in float32.

Sources: model soups, Wortsman et al. 2022, arXiv 2203.05482; JaColBERTv2.5 (arXiv 2407.20750) averages the checkpoints
before and after its last training. An average keeps part of what each knows; it makes sense only for checkpoints that
were trained from one initialisation, which cannot be seen from the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.embedded.architecture import count_labels, read_json
from ..backends.embedded.weights import SCALE, Weights
from ..core.errors import ConfigError
from ..jobs import file_digest
from .folders import Tensor, as_stored, copy_beside, floats, unused, weights_of, write_json, write_tensors

_FLOATS = ("F64", "F32", "F16", "BF16")
_INCIDENTAL = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache")


def merge(folders: Sequence[Path], output: Path, weights: Sequence[float] | None = None) -> None:
    """Write the average of ``folders`` to ``output``; configuration and tokenizer are the first one's.

    weights: one per folder, scaled to a sum of 1; equal by default. A folder of int8 rows counts as the floats that
    they stand for, from which training starts too; the result is in floats. Raises ConfigError for other architectures,
    shapes or tokenizers, and when all folders are int8, whose roundings would be averaged.
    """
    shares = np.array([1.0] * len(folders) if weights is None else weights, np.float64)
    if len(folders) < 2 or len(shares) != len(folders) or not (shares >= 0).all() or shares.sum() <= 0:
        raise ConfigError(
            f"{len(folders)} folders, weights {weights}: expected two or more, a weight from 0 up for each"
        )
    shares = shares / shares.sum()
    opened = [weights_of(folder) for folder in folders]
    if all(one.rounded for one in opened):
        raise ConfigError("int8 folders cannot be averaged; merge the float checkpoints and export the result")
    for folder, other in zip(folders[1:], opened[1:], strict=True):
        _fits(folders[0], opened[0], folder, other)
    copy_beside(folders[0], output)
    names = _compared(folders[0], opened[0])
    write_tensors(output / "model.safetensors", {name: _mean(opened, name, shares) for name in names})
    made = [
        {"folder": str(f), "sha256": file_digest(f), "weight": float(w)} for f, w in zip(folders, shares, strict=True)
    ]
    (output / "training").mkdir(exist_ok=True)
    write_json(output / "training" / "merged.json", {"average_of": made})


def _mean(opened: Sequence[Weights], name: str, shares: NDArray[np.float64]) -> Tensor:
    if not _numbers(opened[0], name):
        return as_stored(opened[0], name)
    shape = opened[0].shape(name)

    def values() -> NDArray[np.float32]:
        total = np.zeros(shape, np.float32)
        for one, share in zip(opened, shares, strict=True):
            total += np.float32(share) * one.floats(name)
        return total

    return floats(values, shape)


def _compared(folder: Path, weights: Weights) -> list[str]:
    """The tensors that are averaged: all that are read."""
    labels = count_labels(read_json(folder / "config.json"))
    return [name for name in weights.matrices() if not unused(name, labels)]


def _numbers(weights: Weights, name: str) -> bool:
    """Whether a tensor is one of floats, as it is or packed."""
    return weights.stored(name)[1] in _FLOATS or name + SCALE in weights


def _fits(first: Path, own: Weights, folder: Path, other: Weights) -> None:
    names = [_compared(place, weights) for place, weights in ((first, own), (folder, other))]
    different = sorted(set(names[0]) ^ set(names[1]))
    if different:
        raise ConfigError(f"{first} and {folder} hold different tensors, such as {different[0]!r}")
    for name in names[0]:
        shapes = own.shape(name), other.shape(name)
        if shapes[0] != shapes[1]:
            raise ConfigError(f"{name!r} has the shape {shapes[0]} in {first} and {shapes[1]} in {folder}")
        if not _numbers(own, name) and not np.array_equal(own.stored(name)[0], other.stored(name)[0]):
            raise ConfigError(f"{name!r}, which is no float, differs between {first} and {folder}")
    configs = [_essential(read_json(place / "config.json")) for place in (first, folder)]
    # an entry that one of them leaves out has its default there, which transformers writes out when it saves
    differing = sorted(k for k in configs[0].keys() & configs[1].keys() if configs[0][k] != configs[1][k])
    if differing:
        raise ConfigError(f"{first} and {folder} differ in {', '.join(differing)} of config.json")
    if _tokenizer(first) != _tokenizer(folder):
        raise ConfigError(f"{first} and {folder} have different tokenizers; their weights do not mean the same")


def _essential(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in _INCIDENTAL}


def _tokenizer(folder: Path) -> dict[str, Any]:
    read = read_json(folder / "tokenizer.json")
    return {name: value for name, value in read.items() if name not in ("truncation", "padding")}
