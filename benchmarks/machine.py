"""What the benchmarks say about the machine, and how they write their results."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from shortlist.backends.embedded.cpu import probe

RESULTS = Path(__file__).parent / "results"
_TOLD = {"avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimddp", "i8mm"}


def describe_machine() -> dict[str, Any]:
    """CPU, instruction sets, cores and Python; no names of hosts."""
    cpu = probe()
    family = [line for line in _cpuinfo() if line.startswith(("cpu family", "model\t"))][:2]
    return {
        "cpu": cpu.model,
        "family and model": " ".join(line.split(":")[1].strip() for line in family),
        "instructions": sorted(cpu.flags & _TOLD),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text("utf-8").splitlines() if path.is_file() else []


def write_results(name: str, title: str, rows: list[dict[str, Any]], notes: dict[str, Any]) -> None:
    """Write ``results/name.json`` and ``results/name.md``, and print the table."""
    RESULTS.mkdir(exist_ok=True)
    table = {"benchmark": name, **notes, "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", "utf-8")
    heads = list(rows[0])
    lines = [
        f"# {name}",
        "",
        " ".join(title.split("\n\n")[0].split()),
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
    ]
    lines += ["| " + " | ".join(_cell(row[head]) for head in heads) + " |" for row in rows]
    lines += ["", *(f"- {key}: {value}" for key, value in notes.items())]
    (RESULTS / f"{name}.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


def _cell(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
