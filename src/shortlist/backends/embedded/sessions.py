"""Open the session that a choice asks for."""

from __future__ import annotations

from shortlist.core.errors import ConfigError
from shortlist.core.extras import need

from .batches import Session
from .choice import AnyPrecision, AnyRuntime, Choice, choose
from .folder import ModelFolder
from .ort_graph import Output


def settle(model: ModelFolder, runtime: AnyRuntime, precision: AnyPrecision) -> Choice:
    """The choice for this model: an ONNX file runs in ONNX Runtime with the numbers that are in it."""
    if model.onnx_file is None:
        if runtime == "auto" and not model.direct:  # safetensors of a family that only transformers knows
            need("torch>=2.4", extra="local")
            return choose("torch", precision)
        return choose(runtime, precision)
    if runtime not in ("auto", "onnxruntime") or precision not in ("auto", "fp32"):
        raise ConfigError(f"{model.onnx_file} runs with runtime='onnxruntime' and in its own precision; "
                          "for another, give a folder with safetensors")  # fmt: skip
    return Choice("onnxruntime", "fp32", "an ONNX file runs as it is")


def open_model(model: ModelFolder, choice: Choice, output: Output, *, threads: int) -> Session:
    """Load the weights into a runtime that will be called by ``threads`` threads."""
    if choice.runtime == "torch":
        from .torch_session import TorchSession

        return TorchSession(model.folder, precision=choice.precision, output=output)
    if model.onnx_file is not None:
        from .ort_session import OnnxFileSession

        return OnnxFileSession(model.onnx_file, output)
    if choice.runtime == "openvino":
        from .openvino_session import OpenVinoSession

        return OpenVinoSession(
            model.architecture, model.weights, precision=choice.precision, output=output, threads=threads
        )
    from .ort_session import OrtSession

    return OrtSession(model.architecture, model.weights, int8=choice.precision == "int8", output=output)
