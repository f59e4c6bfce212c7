"""What this CPU can do, how many threads we may use, and which precision follows from it.

Reads `/proc/cpuinfo` on Linux and `sysctl` names through `platform` elsewhere; on a system that tells nothing the
answer is the safe one: float32. int8 needs VNNI (or ARM's dot product): without it unsigned-by-signed products saturate
in 16 bits and scores go wrong.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

Precision = Literal["fp32", "bf16", "int8"]
_INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "asimddp", "i8mm"})
_BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})


@dataclass(frozen=True, slots=True)
class Cpu:
    """Model name and the instruction sets that matter here (Linux names)."""

    model: str
    flags: frozenset[str]

    @property
    def fast_int8(self) -> bool:
        return bool(self.flags & _INT8_FLAGS)

    @property
    def fast_bf16(self) -> bool:
        return bool(self.flags & _BF16_FLAGS)


@lru_cache(maxsize=1)
def probe() -> Cpu:
    """This machine's CPU. Unknown flags are an empty set, which means float32."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        return parse_cpuinfo(info.read_text("utf-8", errors="replace"))
    machine = platform.machine().lower()
    if platform.system() == "Darwin" and machine == "arm64":  # every Apple M chip has the dot product
        return Cpu("Apple silicon", frozenset({"asimddp"}))
    return Cpu(platform.processor() or machine, frozenset())


def parse_cpuinfo(text: str) -> Cpu:
    """The first processor of a ``/proc/cpuinfo``.

    >>> parse_cpuinfo("model name : X 1\\nflags : avx2 avx512_vnni\\n").fast_int8
    True
    """
    model, flags = "", frozenset[str]()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Processor") and not model:
            model = value.strip()
        elif key.strip() in ("flags", "Features") and not flags:
            flags = frozenset(value.split())
    return Cpu(model or platform.machine(), flags)


def usable_threads() -> int:
    """Cores this process may use: the affinity mask, cut by the control group's quota (containers)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _quota() or cores))


def _quota() -> int | None:
    limit = Path("/sys/fs/cgroup/cpu.max")
    if not limit.is_file():
        return None
    quota, _, period = limit.read_text("ascii").partition(" ")
    if quota == "max" or not quota.isdigit():
        return None
    return max(1, round(int(quota) / int(period or 100_000)))
