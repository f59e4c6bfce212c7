"""How the readouts' time grows with a hostile output: CPU seconds at 250 kB and at 1 MB, and their ratio.

``python benchmarks/readouts.py``. A ratio near 4 is linear, 16 would be quadratic.
"""

from __future__ import annotations

import time

from machine import describe_machine, write_results

from shortlist.core.exchange import Completion
from shortlist.readouts import JsonScores, Permutation, Pick, Rating, TaggedAnswer, Verdict

PIECES = {
    "brackets": "[",
    "a list": "[1] > ",
    "bare letters": "A > ",
    "numbering": "1. 2\n",
    "thinking": "<think>",
    "half tags": "<",
    "circled digits": "①",
    "open objects": '{"a":',
    "half pairs": '"1":',
}
READOUTS = {
    "permutation": Permutation(),
    "letters": Permutation("letters"),
    "pick": Pick(identifiers="letters"),
    "verdict": Verdict(),
    "rating": Rating(),
    "json": JsonScores(),
    "tagged": TaggedAnswer(Permutation()),
}
SMALL, LARGE = 250_000, 1_000_000


def seconds(readout: object, text: str) -> float:
    """CPU seconds of one reading, the better of two."""
    taken = []
    for _ in range(2):
        began = time.process_time()
        readout.read(Completion(text), min(20, readout.max_group or 20))
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> None:
    rows = []
    for name, piece in PIECES.items():
        texts = [(piece * (size // len(piece) + 1))[:size] for size in (SMALL, LARGE)]
        times = {key: [seconds(readout, text) for text in texts] for key, readout in READOUTS.items()}
        slowest = max(times, key=lambda key: times[key][1])
        small, large = times[slowest]
        ratio = large / max(small, 1e-9)
        rows.append({"piece": name, "slowest": slowest, "250 kB": small, "1 MB": large, "ratio": ratio})
    write_results(
        "readouts",
        "CPU seconds of the slowest readout for one repeated piece of text: `python benchmarks/readouts.py`.",
        rows,
        {"machine": describe_machine()},
    )


if __name__ == "__main__":
    main()
