"""Which runtime and which precision to run with, and the reason, as `doctor` prints it.

Measured on 100 MS MARCO passages with a query (mean 80 tokens), six layers of 384, CPU-seconds of one core: AMD Zen 4
(AVX-512 VNNI and BF16, no AMX): ONNX Runtime float32 1.9, int8 0.77; OpenVINO float32 1.85, bf16 1.0, int8 0.74; torch
2.3. Intel with AMX: OpenVINO bf16 0.62, ONNX Runtime int8 1.4, torch 2.4. So: bf16 through OpenVINO where there is AMX
and the `openvino` extra, else int8 in ONNX Runtime where there is VNNI, else float32. ONNX Runtime is the one in the
base install: 68 MB against 180 MB, and as fast here.

Not measured: CPUs with AVX2 only, and ARM.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal, get_args

from shortlist.core.errors import ConfigError

from .cpu import Cpu, Precision, probe

Runtime = Literal["onnxruntime", "openvino", "torch"]
AnyRuntime = Runtime | Literal["auto"]
AnyPrecision = Precision | Literal["auto"]
_CAN: dict[Runtime, tuple[Precision, ...]] = {
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "torch": ("fp32", "bf16"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A runtime, a precision, and why."""

    runtime: Runtime
    precision: Precision
    reason: str


def choose(runtime: AnyRuntime = "auto", precision: AnyPrecision = "auto", *, cpu: Cpu | None = None) -> Choice:
    """Settle what is ``auto``. Raises ConfigError for a combination that does not exist.

    >>> choose(precision="fp32", runtime="onnxruntime").precision
    'fp32'
    """
    cpu = cpu or probe()
    if runtime not in ("auto", *_CAN) or precision not in ("auto", *get_args(Precision)):
        raise ConfigError(f"runtime {runtime!r} with precision {precision!r}; runtimes: auto, {', '.join(_CAN)}; "
                          f"precisions: auto, {', '.join(get_args(Precision))}")  # fmt: skip
    has_openvino = importlib.util.find_spec("openvino") is not None
    if runtime == "auto":
        amx = "amx_bf16" in cpu.flags
        runtime = "openvino" if precision == "bf16" or (precision == "auto" and amx and has_openvino) else "onnxruntime"
    if precision == "auto":
        precision, reason = _automatic(runtime, cpu)
    else:
        reason = "as asked"
        if precision == "int8" and not cpu.fast_int8:
            reason += ", though this CPU has no 8-bit dot product: slow, and sums may overflow"
    if precision not in _CAN[runtime]:
        raise ConfigError(f"{runtime} runs {', '.join(_CAN[runtime])} and not {precision}")
    return Choice(runtime, precision, reason)


def _automatic(runtime: Runtime, cpu: Cpu) -> tuple[Precision, str]:
    if runtime == "openvino" and "amx_bf16" in cpu.flags:
        return "bf16", "the CPU multiplies bf16 matrices (AMX)"
    if runtime != "torch" and cpu.fast_int8:
        return "int8", "the CPU has 8-bit dot products (VNNI or ARM's), the fastest without AMX"
    if runtime != "onnxruntime" and cpu.fast_bf16:
        return "bf16", "the CPU has bf16 dot products"
    return "fp32", "the CPU has no 8-bit dot product, without which int8 would be neither faster nor exact"


def describe() -> dict[str, str]:
    """What was found on this machine and what follows, for `doctor`."""
    cpu = probe()
    choice = choose()
    interesting = cpu.flags & {
        "avx2",
        "avx512f",
        "avx_vnni",
        "avx512_vnni",
        "avx512_bf16",
        "amx_bf16",
        "amx_int8",
        "asimddp",
        "i8mm",
    }
    installed = [name for name in _CAN if importlib.util.find_spec(name) is not None]
    return {
        "cpu": cpu.model,
        "instructions": ", ".join(sorted(interesting)) or "unknown",
        "runtimes": ", ".join(installed),
        "runtime": choice.runtime,
        "precision": choice.precision,
        "reason": choice.reason,
    }
