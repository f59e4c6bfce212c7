"""Runtimes and precisions of the embedded encoder: time to start, time per passage, nearness to float32, size on disk.

    pip install -e ".[openvino,local]"
    python benchmarks/runtime.py [--rounds 5]

100 BM25 candidates of one TREC DL 2019 query (SHORTLIST_DATA), encoded alone, one core; runtimes in turn, the median of
the rounds. start: CPU seconds of a process of its own from nothing to the first passage encoded (imports
included).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
from pathlib import Path

import numpy as np
from cross_encoder import load_pairs, one_core
from encoding import seconds_in_turn, start
from machine import describe_machine, write_results

from shortlist.backends.embedded import Encoder
from shortlist.backends.embedded.cpu import probe

CASES = [
    ("onnxruntime", "fp32"),
    ("onnxruntime", "int8"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    one_core()
    cases = [case for case in CASES if importlib.util.find_spec(case[0]) and (case[1] != "bf16" or probe().fast_bf16)]
    passages = load_pairs(4)[3][1]
    encoders = {case: Encoder(runtime=case[0], precision=case[1], threads=1) for case in cases}  # type: ignore[arg-type]
    states = {case: encoder.token_states(passages) for case, encoder in encoders.items()}
    seconds = seconds_in_turn(encoders, passages, options.rounds)
    exact = states[cases[0]]
    rows = []
    for case in cases:
        rows.append(
            {
                "runtime": case[0],
                "precision": case[1],
                "start, CPU s": start(runtime=case[0], precision=case[1]),
                "CPU s per 100": round(seconds[case], 3),
                "passages per CPU s": round(len(passages) / seconds[case], 1),
                "cosine of token states with fp32": round(nearness(states[case], exact), 5),
                "padding": round(encoders[case].stats.padding, 3),
                "installed MB": installed(case[0]),
            }
        )
    tokens = encoders[cases[0]].stats.tokens / encoders[cases[0]].stats.texts
    versions = {
        name: importlib.metadata.version(name) for name in sorted({case[0] for case in cases} | {"numpy", "tokenizers"})
    }
    notes = {"tokens per passage": round(tokens, 1), "rounds": options.rounds, "versions": versions}
    write_results("runtime", __doc__ or "", rows, notes | {"machine": describe_machine()})


def nearness(states: list[np.ndarray], exact: list[np.ndarray]) -> float:
    """Mean cosine of each token's state with its float32 state."""
    pairs = zip(states, exact, strict=True)
    cosines = [(a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1) for a, b in pairs]
    return float(np.concatenate(cosines).mean())


def installed(package: str) -> int:
    """Size of the package's folder in MB."""
    spec = importlib.util.find_spec(package)
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    total = sum((Path(place) / name).stat().st_size for place, _, names in os.walk(folder) for name in names)
    return round(total / 2**20)


if __name__ == "__main__":
    main()
