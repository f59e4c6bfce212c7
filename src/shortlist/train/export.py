"""A trained encoder or cross-encoder in the form that the CPU runtime reads fastest: matrices as int8 rows with scales.

The runtime quantises the layers of float folders in the same way when it opens them; here the tables of positions and
types are rounded too, as in the shipped model. Heads stay float32. bf16 halves the size for CPUs that multiply it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..backends.embedded.architecture import FAMILIES, read_architecture
from ..backends.embedded.weights import SCALE, Weights
from ..core.errors import ConfigError
from .folders import Tensor, bfloat16, copy_beside, floats, weights_of, write_tensors

Form = Literal["int8", "bf16", "fp32"]


def export(folder: Path, output: Path, form: Form = "int8") -> int:
    """Write ``output`` and return the bytes of its weights.

    Raises ConfigError for a folder that is not of a family that the CPU runtime builds (BERT and its kin).
    """
    if form not in ("int8", "bf16", "fp32"):
        raise ConfigError(f"form={form!r}: expected int8, bf16 or fp32")
    architecture = read_architecture(folder)
    weights = weights_of(folder)
    family = FAMILIES[architecture.family]
    kept = [name for name in weights if not name.endswith(SCALE) and not _unused(name, architecture.labels)]
    tensors: dict[str, Tensor] = {}
    for name in kept:
        _, kind = weights.stored(name)
        if kind.startswith(("I", "U")) and kind != "I8":
            continue  # position_ids and the like
        inside = name.removeprefix(family.prefix).startswith((family.layers, "embeddings."))
        if form == "int8" and inside and weights.stored(name)[0].ndim == 2:
            tensors |= _rows(weights, name)
        elif form == "bf16" and weights.stored(name)[0].ndim == 2:
            tensors[name] = bfloat16(weights, name)
        else:
            shape = tuple(weights.stored(name)[0].shape)
            tensors[name] = floats(lambda name=name: weights.floats(name), shape)  # type: ignore[misc]
    copy_beside(folder, output)
    target = output / "model.safetensors"
    write_tensors(target, tensors)
    return target.stat().st_size


def _rows(weights: Weights, name: str) -> dict[str, Tensor]:
    quantised, scale = weights.int8_rows(name)
    return {
        name: Tensor("I8", tuple(quantised.shape), lambda: quantised),
        name + SCALE: Tensor("F32", tuple(scale.shape), lambda: scale),
    }


def _unused(name: str, labels: int) -> bool:
    """The pooler of an encoder without a head: mean pooling does not read it."""
    return labels == 0 and "pooler." in name
