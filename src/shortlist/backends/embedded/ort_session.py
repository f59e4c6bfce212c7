"""Run an encoder with ONNX Runtime: our own graph, or an ONNX file of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import BackendError, ConfigError

from .architecture import Architecture
from .ort_graph import Output, build_graph
from .tokens import Ids
from .weights import Weights


class OrtSession:
    """Our graph of one encoder; no padding, and one text per run in int8 (see ``ort_graph``)."""

    multiple = 1

    def __init__(self, architecture: Architecture, weights: Weights, *, int8: bool, output: Output) -> None:
        self.max_rows: int | None = 1 if int8 else None
        self._types = architecture.token_types > 1
        # the graph is written in its final form, so the optimiser would only cost start-up time
        self._session = open_session(build_graph(architecture, weights, int8=int8, output=output), optimise=False)

    def run(self, ids: Ids, types: Ids, lengths: Ids) -> NDArray[np.float32]:
        feed = {"ids": ids, "types": types} if self._types else {"ids": ids}
        result: NDArray[np.float32] = run_session(self._session, None, feed)
        return result


class OnnxFileSession:
    """An ONNX export with Hugging Face's input names; ``logits`` or token states are picked by name and dimensions."""

    multiple = 1
    max_rows = None

    def __init__(self, path: Path, output: Output) -> None:
        self._session = open_session(path, optimise=True)
        self._wanted = {item.name: item.type for item in self._session.get_inputs()}
        unknown = set(self._wanted) - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown:
            raise ConfigError(f"{path}: inputs {sorted(unknown)} are not those of an encoder "
                              "(input_ids, attention_mask, token_type_ids)")  # fmt: skip
        rank = 2 if output == "logits" else 3
        fitting = [item.name for item in self._session.get_outputs() if len(item.shape) == rank]
        if not fitting:
            raise ConfigError(f"{path}: no output with {rank} dimensions, so it does not give {output}")
        self._output = next(
            (name for name in ("logits", "last_hidden_state", "token_embeddings") if name in fitting), fitting[0]
        )

    def run(self, ids: Ids, types: Ids, lengths: Ids) -> NDArray[np.float32]:
        values = {"input_ids": ids, "token_type_ids": types, "attention_mask": np.ones_like(ids)}
        feed = {name: values[name].astype(_numpy_type(kind)) for name, kind in self._wanted.items()}
        result: NDArray[np.float32] = np.asarray(run_session(self._session, [self._output], feed), np.float32)
        return result


def open_session(model: bytes | Path, *, optimise: bool) -> Any:
    """A single-threaded session (threads run side by side on different texts)."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # patterns are kept per input shape, and every length is a shape
    options.log_severity_level = 3
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model
    try:
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except _ort_errors() as error:
        name = model if isinstance(model, Path) else "the encoder's graph"
        raise BackendError(f"ONNX Runtime {ort.__version__} cannot load {name}: {error}") from error


def run_session(session: Any, outputs: list[str] | None, feed: Mapping[str, Any]) -> Any:
    """The first output; raises BackendError where ONNX Runtime raises an exception of its own."""
    try:
        return session.run(outputs, feed)[0]
    except _ort_errors() as error:
        raise BackendError(
            f"ONNX Runtime could not compute a batch of {len(next(iter(feed.values())))}: {error}"
        ) from error


def _ort_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
        state.InvalidArgument,
        state.RuntimeException,
    )


def _numpy_type(kind: str) -> type[np.generic]:
    types: Mapping[str, type[np.generic]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
    return types.get(kind, np.int64)
