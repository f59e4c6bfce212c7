"""A trained encoder or cross-encoder in the form that the CPU runtime reads fastest: matrices as int8 rows with scales.

The runtime quantises the layers of float folders in the same way when it opens them; here the tables of positions and
types are rounded too, as in the shipped model. Heads stay float32. int4 is int8 with the table of words in 4 bits, for
a smaller file: it is opened as int8. bf16 halves the size for CPUs that multiply it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from ..backends.embedded.architecture import FAMILIES, read_architecture
from ..backends.embedded.four_bits import group_of, pack
from ..backends.embedded.weights import SCALE, Weights
from ..core.errors import ConfigError
from .folders import Tensor, bfloat16, copy_beside, floats, unused, weights_of, write_tensors

_WORDS = "word_embeddings.weight"
_LEAST_GROUP = 16  # below, the scales outweigh what 4 bits save
Form = Literal["int8", "int4", "bf16", "fp32"]


def export(folder: Path, output: Path, form: Form = "int8") -> int:
    """Write ``output`` and return the bytes of its weights.

    Raises ConfigError for a folder that is not of a family that the CPU runtime builds (BERT and its kin).
    """
    if form not in get_args(Form):
        raise ConfigError(f"form={form!r}: expected {', '.join(get_args(Form))}")
    architecture = read_architecture(folder)
    weights = weights_of(folder)
    family = FAMILIES[architecture.family]
    tensors: dict[str, Tensor] = {}
    for name in weights.matrices():
        _, kind = weights.stored(name)
        if unused(name, architecture.labels) or (kind.startswith(("I", "U")) and name + SCALE not in weights):
            continue  # integers without a scale: position_ids and the like
        inside, shape = name.removeprefix(family.prefix).startswith((family.layers, "embeddings.")), weights.shape(name)
        if form == "int4" and name.endswith(_WORDS) and group_of(shape[1]) >= _LEAST_GROUP:
            tensors |= _groups(weights, name)
        elif form in ("int8", "int4") and inside and len(shape) == 2:
            tensors |= _rows(weights, name)
        elif form == "bf16" and len(shape) == 2:
            tensors[name] = bfloat16(weights, name)
        else:
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


def _groups(weights: Weights, name: str) -> dict[str, Tensor]:
    packed, scale = pack(weights.floats(name))
    return {
        name: Tensor("U8", tuple(packed.shape), lambda: packed),
        name + SCALE: Tensor("F16", tuple(scale.shape), lambda: scale),
    }
