"""The encoder in OpenVINO (the `openvino` extra): bf16 on CPUs with AMX, or float32 and int8.

OpenVINO computes in bf16 by default where the CPU can; the precision is always set here, so float32 means float32. int8
is weights as int8 rows and activations quantised per token, which OpenVINO does inside its matrix products.

Every new input shape costs OpenVINO a preparation, so lengths are rounded up to a multiple of eight and the rest is
masked.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.extras import need

from .architecture import Architecture
from .cpu import Precision
from .ort_graph import Output
from .tokens import Ids
from .weights import Weights

_MASKED = -1e4  # exp(-1e4) is exactly 0 in float32 and bf16


class OpenVinoSession:
    """A compiled encoder; each thread has its own request and each request one core."""

    multiple = 8
    max_rows = None

    def __init__(
        self, architecture: Architecture, weights: Weights, *, precision: Precision, output: Output, threads: int
    ) -> None:
        self._ov = need("openvino>=2024.6", extra="openvino")
        model = _Builder(architecture, weights, precision == "int8").build(output)
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": str(threads),
            "NUM_STREAMS": str(threads),
            # 384: one scale per token for layers of 384; measured faster than 32 (1.35 x) and 128 (1.07 x)
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(architecture.hidden) if precision == "int8" else "0",
        }
        self._compiled = self._ov.Core().compile_model(model, "CPU", settings)
        self._types = architecture.token_types > 1
        self._requests = threading.local()

    def run(self, ids: Ids, types: Ids, lengths: Ids) -> NDArray[np.float32]:
        if not hasattr(self._requests, "request"):
            self._requests.request = self._compiled.create_infer_request()
        mask = np.where(np.arange(ids.shape[1])[None, :] < lengths[:, None], 0, _MASKED).astype(np.float32)
        inputs = [ids, mask[:, None, None, :], *([types] if self._types else [])]
        result: NDArray[np.float32] = self._requests.request.infer(inputs, share_inputs=True)[0].copy()
        return result


class _Builder:
    def __init__(self, architecture: Architecture, weights: Weights, int8: bool) -> None:
        self.op: Any = need("openvino", extra="openvino", module="openvino.opset13")
        self.ov: Any = need("openvino", extra="openvino")
        self.arch, self.weights, self.int8 = architecture, weights, int8
        prefix = architecture.names.prefix
        self.prefix = prefix if f"{prefix}embeddings.word_embeddings.weight" in weights else ""

    def build(self, output: Output) -> Any:
        op = self.op
        ids, types = (op.parameter([-1, -1], np.int32, name) for name in ("ids", "types"))
        mask = op.parameter([-1, 1, 1, -1], np.float32, "mask")
        states = self.embed(ids, types)
        for layer in range(self.arch.layers):
            states = self.layer(layer, states, mask, output == "logits" and layer == self.arch.layers - 1)
        if output == "logits":
            states = self.classify(states)
        parameters = [ids, mask, *([types] if self.arch.token_types > 1 else [])]
        return self.ov.Model([op.result(states)], parameters, "encoder")

    def embed(self, ids: Any, types: Any) -> Any:
        op, base = self.op, f"{self.prefix}embeddings."
        first = self.constant(np.int32(0))
        states = op.gather(self.matrix(f"{base}word_embeddings"), ids, first)
        if self.arch.token_types == 1:  # RoBERTa: one row for every token
            states = op.add(states, self.floats(f"{base}token_type_embeddings.weight"))
        elif self.arch.token_types:
            states = op.add(states, op.gather(self.floats(f"{base}token_type_embeddings.weight"), types, first))
        length = op.gather(op.shape_of(ids, "i32"), self.ints(1), first)
        offset = self.arch.position_offset
        table = self.constant(self.weights.floats(f"{base}position_embeddings.weight")[offset:])
        places = op.slice(table, self.ints(0), length, self.ints(1), self.ints(0))
        return self.norm(op.add(states, places), f"{base}LayerNorm")

    def layer(self, index: int, states: Any, mask: Any, first_only: bool) -> Any:
        op, size = self.op, self.arch.hidden // self.arch.heads
        base = f"{self.prefix}{self.arch.names.layers}.{index}."
        part = {role: base + name for role, name in self.arch.names.parts.items()}
        keys, values = (self.heads(self.linear(states, part[role]), size) for role in ("key", "value"))
        if first_only:
            states = op.slice(states, self.ints(0), self.ints(1), self.ints(1), self.ints(1))
        queries = self.heads(self.linear(states, part["query"]), size)
        mixed = op.transpose(op.scaled_dot_product_attention(queries, keys, values, mask), self.ints(0, 2, 1, 3))
        mixed = op.reshape(mixed, self.ints(0, 0, self.arch.hidden), True)
        states = self.norm(op.add(self.linear(mixed, part["attended"]), states), part["attention_norm"])
        inner = self.linear(states, part["up"])
        inner = op.relu(inner) if self.arch.activation == "relu" else op.gelu(inner, self.gelu_kind)
        return self.norm(op.add(self.linear(inner, part["down"]), states), part["output_norm"])

    @property
    def gelu_kind(self) -> str:
        return "erf" if self.arch.activation == "gelu" else "tanh"

    def heads(self, states: Any, size: int) -> Any:
        split = self.op.reshape(states, self.ints(0, 0, self.arch.heads, size), True)
        return self.op.transpose(split, self.ints(0, 2, 1, 3))

    def classify(self, states: Any) -> Any:
        dense, activation, output = self.arch.names.head
        pooled = self.linear(self.op.squeeze(states, self.ints(1)), dense, exact=True)
        apply = {"Tanh": self.op.tanh, "Relu": self.op.relu, "Gelu": lambda x: self.op.gelu(x, "erf")}[activation]
        return self.linear(apply(pooled), output, exact=True)

    def linear(self, states: Any, name: str, *, exact: bool = False) -> Any:
        matrix = self.floats(f"{name}.weight") if exact else self.matrix(name)
        return self.op.add(self.op.matmul(states, matrix, False, True), self.floats(f"{name}.bias"))

    def matrix(self, name: str) -> Any:
        if not self.int8:
            return self.floats(f"{name}.weight")
        quantised, scale = self.weights.int8_rows(f"{name}.weight")
        return self.op.multiply(self.op.convert(self.constant(quantised), "f32"), self.constant(scale[:, None]))

    def norm(self, states: Any, name: str) -> Any:
        op = self.op
        even = op.mvn(states, self.ints(-1), True, self.arch.epsilon, "inside_sqrt")
        return op.add(op.multiply(even, self.floats(f"{name}.weight")), self.floats(f"{name}.bias"))

    def floats(self, name: str) -> Any:
        return self.constant(self.weights.floats(name))

    def ints(self, *values: int) -> Any:
        return self.constant(np.array(values, np.int32))

    def constant(self, array: Any) -> Any:
        return self.op.constant(np.ascontiguousarray(array))
