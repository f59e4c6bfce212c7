"""The models inside the package, in turn: bytes, time to start, passages per CPU second, nearness to the default.

    SHORTLIST_DATA=... python benchmarks/shipped_models.py [--rounds 5]

100 BM25 candidates of one TREC DL 2019 query, encoded alone, one core, automatic runtime and precision; the median of
the rounds. ratio: speed relative to the default model in the same run. How well they rank: `late_interaction.py`.
"""

from __future__ import annotations

import argparse

from cross_encoder import load_pairs, one_core
from encoding import seconds_in_turn, start
from machine import describe_machine, write_results

from shortlist.backends.embedded import Encoder
from shortlist.backends.embedded.folder import DEFAULT, SHIPPED, shipped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    one_core()
    passages = load_pairs(4)[3][1]
    encoders = {name: Encoder(name, threads=1) for name in sorted(shipped(), key=lambda name: name != DEFAULT)}
    for encoder in encoders.values():
        encoder.token_states(passages)
    seconds = seconds_in_turn(encoders, passages, options.rounds)
    exact = encoders[DEFAULT].embed(passages)
    rows = [
        {
            "model": name,
            "runtime": f"{encoder.choice.runtime} {encoder.choice.precision}",
            "MB": round(sum(path.stat().st_size for path in (SHIPPED / name).iterdir()) / 1e6, 1),
            "start, CPU s": start(path=name),
            "CPU s per 100": round(seconds[name], 3),
            "passages per CPU s": round(len(passages) / seconds[name], 1),
            "ratio": round(seconds[DEFAULT] / seconds[name], 2),
            "cosine of vectors with the default's": round(float((encoder.embed(passages) * exact).sum(1).mean()), 4),
        }
        for name, encoder in encoders.items()
    ]
    notes = {
        "tokens per passage": round(encoders[DEFAULT].stats.tokens / encoders[DEFAULT].stats.texts, 1),
        "rounds": options.rounds,
        "machine": describe_machine(),
    }
    write_results("shipped_models", __doc__ or "", rows, notes)


if __name__ == "__main__":
    main()
