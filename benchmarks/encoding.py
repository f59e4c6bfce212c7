"""What benchmarks of the embedded encoder share: passages encoded in turn, and the time to start."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, TypeVar

from shortlist.backends.embedded import Encoder

Case = TypeVar("Case")
START = """
import time
from shortlist.backends.embedded import Encoder
Encoder(**{parameters!r}, threads=1).embed(["a flea lives about a hundred days"])
print(time.process_time())
"""


def seconds_in_turn(encoders: Mapping[Case, Encoder], passages: list[str], rounds: int) -> dict[Case, float]:
    """Median CPU seconds of each encoder for all passages; the encoders take turns in every round."""
    times: dict[Case, list[float]] = {case: [] for case in encoders}
    for _ in range(rounds):
        for case, encoder in encoders.items():
            began = time.process_time()
            encoder.token_states(passages)
            times[case].append(time.process_time() - began)
    return {case: statistics.median(found) for case, found in times.items()}


def start(**parameters: Any) -> float:
    """CPU seconds of a process of its own from nothing to the first text encoded, the best of three. parameters: of the
    encoder."""
    script = START.format(parameters=parameters)
    found = [
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True) for _ in range(3)
    ]
    return round(min(float(run.stdout) for run in found), 2)
