"""What a training writes while it runs: one line of ``metrics.jsonl`` per report of its trainer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.extras import need

Progress = Callable[[int, int], None]
"""Called after every update with the number of updates that are done, and of all."""
Row = Callable[[int, Mapping[str, Any]], dict[str, float]]
"""From the number of updates and a trainer's report to a line."""


def plain(step: int, logs: Mapping[str, Any]) -> dict[str, float]:
    """Everything that was reported, under its own names."""
    return {"step": step, **{name: float(value) for name, value in logs.items() if name != "epoch"}}


def recorder(path: Path, done: int, progress: Progress, *, rewrite: bool, row: Row = plain) -> Any:
    """A callback for transformers' ``Trainer``. done: updates of the checkpoint that is continued; lines behind it are
    dropped when ``rewrite`` is set."""
    transformers = need("transformers>=4.48", extra="train")
    if rewrite and path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(True) if done else []
        path.write_text("".join(line for line in lines if _step(line) <= done), encoding="utf-8")

    class Recorder(transformers.TrainerCallback):  # type: ignore[misc, name-defined]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if state.is_world_process_zero and logs and "loss" in logs:
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row(state.global_step, logs)) + "\n")

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress(state.global_step, state.max_steps)

    return Recorder()


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return math.inf  # torn by the kill
