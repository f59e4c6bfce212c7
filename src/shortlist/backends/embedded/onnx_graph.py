"""Write an ONNX graph with nothing but the standard library and numpy.

ONNX Runtime reads a protocol-buffer message; the dozen fields that an encoder needs are written here by hand, so that
neither the `onnx` package nor torch is needed to run a model. Field numbers are those of `onnx.proto` (ONNX 1.12, IR
version 8).

Does not check the graph: ONNX Runtime does when it loads it. Messages are limited to 2 GB by protocol buffers.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from shortlist.core.errors import ConfigError

MICROSOFT = "com.microsoft"
"""Domain of ONNX Runtime's own operators (fused attention, dynamic quantisation)."""
LIMIT = 2**31 - 1
_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}
_FLOAT, _INT, _STRING, _INTS = 1, 2, 3, 7

Attribute = float | int | str | Sequence[int]


class Graph:
    """Nodes and constants of one graph, in the order in which they are added (which is the order of execution)."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []

    def input(self, name: str, dtype: str, shape: Sequence[str]) -> str:
        """A graph input; ``shape`` names its (dynamic) dimensions."""
        self._inputs.append(_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, dtype: str, shape: Sequence[str]) -> None:
        """Publish ``value`` under ``name``."""
        self._node("Identity", [value], [name], "", {})
        self._outputs.append(_value_info(name, dtype, shape))

    def constant(self, array: np.ndarray[Any, Any]) -> str:
        """A constant of the graph; returns its name."""
        name = f"c{len(self._constants)}"
        self._constants.append(_tensor(name, np.ascontiguousarray(array)))
        return name

    def ints(self, *values: int) -> str:
        """A one-dimensional int64 constant, the form in which ONNX takes axes, sizes and bounds."""
        return self.constant(np.array(values, np.int64))

    def op(self, kind: str, inputs: Sequence[str], *, domain: str = "", **attributes: Attribute) -> str:
        """A node with one output; returns the output's name. An empty input name leaves an optional input out."""
        return self.ops(kind, inputs, 1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, inputs: Sequence[str], outputs: int, *, domain: str = "", **attributes: Attribute
    ) -> list[str]:
        """A node with several outputs."""
        names = [f"v{len(self._nodes)}_{i}" for i in range(outputs)]
        self._node(kind, inputs, names, domain, attributes)
        return names

    def serialise(self) -> bytes:
        """The model as ONNX Runtime reads it. Raises ConfigError above 2 GB, the limit of the format."""
        graph = [_bytes(1, n) for n in self._nodes] + [_bytes(2, b"encoder")]
        graph += [_bytes(5, c) for c in self._constants]
        graph += [_bytes(11, i) for i in self._inputs] + [_bytes(12, o) for o in self._outputs]
        body = b"".join(graph)
        if len(body) > LIMIT:
            raise ConfigError(f"the graph has {len(body):,} bytes and ONNX allows {LIMIT:,}; use runtime='torch'")
        opsets = b"".join(_bytes(8, _bytes(1, d.encode()) + _int(2, v)) for d, v in (("", 17), (MICROSOFT, 1)))
        return _int(1, 8) + _bytes(2, b"shortlist") + _bytes(7, body) + opsets

    def _node(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], domain: str, attributes: dict[str, Attribute]
    ) -> None:
        parts = [_bytes(1, name.encode()) for name in inputs] + [_bytes(2, name.encode()) for name in outputs]
        parts += [_bytes(3, f"n{len(self._nodes)}".encode()), _bytes(4, kind.encode())]
        parts += [_bytes(5, _attribute(name, value)) for name, value in attributes.items()]
        if domain:
            parts.append(_bytes(7, domain.encode()))
        self._nodes.append(b"".join(parts))


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _int(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _tensor(name: str, array: np.ndarray[Any, Any]) -> bytes:
    dims = b"".join(_int(1, size) for size in array.shape)
    return dims + _int(2, _TYPES[array.dtype.name]) + _bytes(8, name.encode()) + _bytes(9, array.tobytes())


def _value_info(name: str, dtype: str, shape: Sequence[str]) -> bytes:
    dims = b"".join(_bytes(1, _bytes(2, size.encode())) for size in shape)
    kind = _bytes(1, _int(1, _TYPES[dtype]) + _bytes(2, dims))
    return _bytes(1, name.encode()) + _bytes(2, kind)


def _attribute(name: str, value: Attribute) -> bytes:
    head = _bytes(1, name.encode())
    if isinstance(value, float):
        return head + _varint(2 << 3 | 5) + struct.pack("<f", value) + _int(20, _FLOAT)
    if isinstance(value, int):
        return head + _int(3, value) + _int(20, _INT)
    if isinstance(value, str):
        return head + _bytes(4, value.encode()) + _int(20, _STRING)
    return head + b"".join(_int(8, item) for item in value) + _int(20, _INTS)
