"""The encoder as an ONNX graph: fused attention, float32 or int8 matrix products, only the first token in a
classifier's last layer.

int8: weights are int8 rows with a scale; activations are quantised when they are known (unsigned 8 bits, one scale per
product). The inputs of the two feed-forward products have a few very large rows, so each row is first divided by its
largest magnitude: cosine with float32 states rises from .992 to .998 on MS MARCO passages for 7 % of time; doing the
same for the attention products brings nothing.

There is no attention mask: a batch holds texts of one length only, so nothing is padded. In int8 a batch is one text,
because the scale of an activation spans the batch and a text's numbers must not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .architecture import Architecture
from .onnx_graph import MICROSOFT, Graph
from .weights import Weights

Output = Literal["states", "logits"]
Even = Literal["signed", "activated"]
_LOWEST_GELU = -0.17  # no activation used here has a lower value (gelu: -0.16997, its tanh form: -0.17004, relu: 0)


def build_graph(architecture: Architecture, weights: Weights, *, int8: bool, output: Output) -> bytes:
    """A serialised model with inputs ``ids`` and (where it tells them apart) ``types``, both int32 (batch, tokens).

    output: ``states`` (batch, tokens, hidden) or ``logits`` (batch, labels), float32.
    """
    return _Builder(architecture, weights, int8).build(output)


class _Builder:
    def __init__(self, architecture: Architecture, weights: Weights, int8: bool) -> None:
        self.arch, self.weights, self.int8 = architecture, weights, int8
        self.graph = Graph()
        prefix = architecture.names.prefix
        self.prefix = prefix if f"{prefix}embeddings.word_embeddings.weight" in weights else ""

    def build(self, output: Output) -> bytes:
        states = self.embed()
        for layer in range(self.arch.layers):
            last = layer == self.arch.layers - 1
            states = self.layer(layer, states, first_only=last and output == "logits")
        if output == "states":
            self.graph.output(states, "states", "float32", ["batch", "tokens", "hidden"])
        else:
            self.graph.output(self.classify(states), "logits", "float32", ["batch", "labels"])
        return self.graph.serialise()

    def embed(self) -> str:
        graph, base = self.graph, f"{self.prefix}embeddings."
        ids = graph.input("ids", "int32", ["batch", "tokens"])
        states = self.rows(f"{base}word_embeddings.weight", ids)
        if self.arch.token_types == 1:  # RoBERTa: one row for every token
            states = graph.op(
                "Add", [states, graph.constant(self.weights.floats(f"{base}token_type_embeddings.weight"))]
            )
        elif self.arch.token_types:
            types = graph.input("types", "int32", ["batch", "tokens"])
            table = graph.constant(self.weights.floats(f"{base}token_type_embeddings.weight"))
            states = graph.op("Add", [states, graph.op("Gather", [table, types])])
        length = graph.op("Gather", [graph.op("Shape", [ids]), graph.ints(1)])
        offset = self.arch.position_offset
        table = graph.constant(self.weights.floats(f"{base}position_embeddings.weight")[offset:])
        places = graph.op("Slice", [table, graph.ints(0), length, graph.ints(0)])
        return self.norm(graph.op("Add", [states, places]), f"{base}LayerNorm")

    def rows(self, name: str, ids: str) -> str:
        graph = self.graph
        if not self.int8:
            return graph.op("Gather", [graph.constant(self.weights.floats(name)), ids])
        quantised, scale = self.weights.int8_rows(name)
        numbers = graph.op("Cast", [graph.op("Gather", [graph.constant(quantised), ids])], to=1)
        return graph.op("Mul", [numbers, graph.op("Gather", [graph.constant(scale[:, None]), ids])])

    def layer(self, index: int, states: str, *, first_only: bool) -> str:
        graph, hidden = self.graph, self.arch.hidden
        base = f"{self.prefix}{self.arch.names.layers}.{index}."
        part = {role: base + name for role, name in self.arch.names.parts.items()}
        if first_only:
            joint = self.linear(states, part["key"], part["value"])
            keys, values = graph.ops("Split", [joint, graph.ints(hidden, hidden)], 2, axis=2)
            states = graph.op("Slice", [states, graph.ints(0), graph.ints(1), graph.ints(1)])
            queries = self.linear(states, part["query"])
        else:
            joint = self.linear(states, part["query"], part["key"], part["value"])
            queries, keys, values = graph.ops("Split", [joint, graph.ints(hidden, hidden, hidden)], 3, axis=2)
        mixed = graph.op("MultiHeadAttention", [queries, keys, values], domain=MICROSOFT, num_heads=self.arch.heads)
        # Add and LayerNormalization, not SkipLayerNormalization: on CPU the fused operator takes 5 x as long
        states = self.norm(graph.op("Add", [self.linear(mixed, part["attended"]), states]), part["attention_norm"])
        inner = self.activate(self.linear(states, part["up"], even="signed", bias=False), f"{part['up']}.bias")
        return self.norm(
            graph.op("Add", [self.linear(inner, part["down"], even="activated"), states]), part["output_norm"]
        )

    def linear(self, states: str, *names: str, even: Even | None = None, bias: bool = True) -> str:
        """The products with one or more matrices, side by side. even: quantise each row by its own largest value."""
        offset = np.concatenate([self.weights.floats(f"{name}.bias") for name in names]) if bias else None
        if self.int8:
            return self.product_int8(states, *self.stack_int8(names), offset, even)
        matrix = np.concatenate([self.weights.floats(f"{name}.weight") for name in names])
        product = self.graph.op("MatMul", [states, self.graph.constant(matrix.T)])
        return product if offset is None else self.graph.op("Add", [product, self.graph.constant(offset)])

    def stack_int8(self, names: Sequence[str]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        parts = [self.weights.int8_rows(f"{name}.weight") for name in names]
        return np.concatenate([matrix for matrix, _ in parts]), np.concatenate([scale for _, scale in parts])

    def product_int8(
        self,
        states: str,
        matrix: NDArray[np.int8],
        scale: NDArray[np.float32],
        offset: NDArray[np.float32] | None,
        even: Even | None,
    ) -> str:
        graph = self.graph
        largest = ""
        if even:
            # a row of zeros must not divide by zero; after an activation the floor also bounds the negative values
            floor = np.float32(1e-30 if even == "signed" else -_LOWEST_GELU)
            sizes = graph.op("Abs", [states]) if even == "signed" else states
            largest = graph.op("ReduceMax", [sizes], axes=[-1], keepdims=1)
            largest = graph.op("Max", [largest, graph.constant(np.array(floor))])
            states = graph.op("Div", [states, largest])
        zero = np.zeros(len(scale), np.int8)
        inputs = [states, *(graph.constant(array) for array in (matrix.T, scale, zero))]
        if offset is not None and not even:
            inputs.append(graph.constant(offset))
        product = graph.op("DynamicQuantizeMatMul", inputs, domain=MICROSOFT)
        if not even:
            return product
        product = graph.op("Mul", [product, largest])
        return product if offset is None else graph.op("Add", [product, graph.constant(offset)])

    def activate(self, states: str, bias: str) -> str:
        offset = self.graph.constant(self.weights.floats(bias))
        if self.arch.activation == "gelu":
            return self.graph.op("BiasGelu", [states, offset], domain=MICROSOFT)
        if self.arch.activation == "gelu_tanh":
            return self.graph.op("FastGelu", [states, offset], domain=MICROSOFT)
        return self.graph.op("Relu", [self.graph.op("Add", [states, offset])])

    def norm(self, states: str, name: str) -> str:
        inputs = [states, *(self.graph.constant(self.weights.floats(f"{name}.{end}")) for end in ("weight", "bias"))]
        return self.graph.op("LayerNormalization", inputs, axis=-1, epsilon=self.arch.epsilon)

    def classify(self, states: str) -> str:
        """The head on the first token's state; small, so always in float32."""
        graph = self.graph
        dense, activation, output = self.arch.names.head
        first = graph.op("Squeeze", [states, graph.ints(1)])
        pooled = self.exact(first, dense)
        domain = MICROSOFT if activation == "Gelu" else ""
        return self.exact(graph.op(activation, [pooled], domain=domain), output)

    def exact(self, states: str, name: str) -> str:
        matrix = self.graph.constant(self.weights.floats(f"{name}.weight").T)
        return self.graph.op(
            "Add", [self.graph.op("MatMul", [states, matrix]), self.graph.constant(self.weights.floats(f"{name}.bias"))]
        )
