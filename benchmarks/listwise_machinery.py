"""What everything around the model costs a listwise method: prompts, fitting, tokenising, parsing; no model.

``python benchmarks/listwise_machinery.py [--rank-llm SOURCES]``: RankZephyr's prompt, windows of 20 over 100 passages
of about 100 tokens, an answer made up at once. CPU microseconds per document and window, median of rounds, contestants
in turn. SOURCES is the folder ``src`` of a copy of rank_llm, which also needs ftfy and dacite.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from machine import describe_machine, write_results
from random_model import make_tokenizer, rankings

from shortlist import Ranking, load
from shortlist.backends.transformers import CausalLM
from shortlist.core.exchange import Completion, Request

WINDOWS = 9  # of 20 over 100 with stride 10
TEMPLATE = "rank_llm/rerank/prompt_templates/rank_zephyr_template.yaml"


def answer(random: Random, size: int) -> str:
    """A full ranking in random order."""
    return " > ".join(f"[{i + 1}]" for i in random.sample(range(size), size))


class Unasked(CausalLM):
    """The backend for local models with all its tokenising, and made-up answers in place of the model."""

    @cached_property
    def loaded(self) -> Any:
        config = SimpleNamespace(max_position_embeddings=4096)
        return SimpleNamespace(tokenizer=make_tokenizer(), window=4096, config=config, digest="none")

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        self.encoded = [self.encode(request) for request in requests]
        return [Completion(answer(Random(0), len(request.group[1]))) for request in requests if request.group]


def ours(given: Sequence[Ranking]) -> Callable[[], int]:
    method = load("rankzephyr", backend=Unasked("none"))

    def once() -> int:
        return sum(len(call.group) for ranking in method(given) for call in ranking.trace)

    return once


def rank_llm(sources: Path, given: Sequence[Ranking]) -> Callable[[], int]:
    """rank_llm's prompts, token counts and parsing in its own window loop; it tokenises again inside vLLM, which is
    left out here."""
    sys.path.insert(0, str(sources))
    from rank_llm.data import Candidate, Query, Request
    from rank_llm.rerank.listwise.listwise_rankllm import ListwiseRankLLM
    from rank_llm.rerank.listwise.rank_listwise_os_llm import RankListwiseOSLLM

    class Unasked(RankListwiseOSLLM):
        def __init__(self) -> None:
            ListwiseRankLLM.__init__(
                self, model="none", context_size=4096, prompt_template_path=str(sources / TEMPLATE), device="cpu"
            )
            self._tokenizer, self._base_url, self._is_thinking = make_tokenizer(), None, False
            self._output_token_estimate = None

        def run_llm(self, prompt: Any, current_window_size: int | None = None) -> tuple[str, int]:
            return answer(Random(0), current_window_size or 20), 100

    with contextlib.redirect_stdout(io.StringIO()):
        peer = Unasked()
    asked = [
        Request(
            Query(ranking.query.text, ranking.query.id),
            [Candidate(c.id, c.score or 0.0, {"text": c.document.text}) for c in ranking.candidates],
        )
        for ranking in given
    ]

    def once() -> int:
        for request in asked:
            peer.sliding_windows(request, 0, 100, 100)
        return len(asked) * WINDOWS * 20

    return once


def measured(contestants: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Microseconds of CPU time per document and window, per round; the first round warms up and is left out."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, once in contestants.items():
            began = time.process_time()
            shown = once()
            if turn:
                times[name].append((time.process_time() - began) / shown * 1e6)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rank-llm", type=Path, default=os.environ.get("RANK_LLM_SOURCES"))
    parser.add_argument("--queries", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=100, help="tokens of a passage")
    args = parser.parse_args()
    given = rankings(args.queries, 100, args.tokens, make_tokenizer())
    contestants = {"shortlist": ours(given)}
    if args.rank_llm:
        contestants["rank_llm"] = rank_llm(Path(args.rank_llm), given)
    else:
        print("rank_llm is left out: give --rank-llm SOURCES", file=sys.stderr)
    times = measured(contestants, args.rounds)
    fastest = statistics.median(times["shortlist"])
    rows = [
        {
            "tool": name,
            "us per document and window": statistics.median(taken),
            "least": min(taken),
            "us per document of the query": statistics.median(taken) * WINDOWS * 20 / 100,
            "ratio to shortlist": statistics.median(taken) / fastest,
        }
        for name, taken in times.items()
    ]
    versions = {name: metadata.version(name) for name in ("tokenizers", "transformers")}
    write_results(
        "listwise_machinery",
        __doc__ or "",
        rows,
        {"machine": describe_machine(), **versions, "queries": args.queries, "rounds": args.rounds},
    )


if __name__ == "__main__":
    main()
