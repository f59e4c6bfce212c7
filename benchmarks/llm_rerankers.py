"""What language-model methods cost on one model: tokens computed and CPU seconds per query of 100 candidates.

``python benchmarks/llm_rerankers.py [--llm-rankers SOURCES]``: a Llama with random weights in float32 on one thread,
passages of about 100 tokens, contestants in turn in every round.

A random model does not end its answers, so each method's answers are as long as a trained model's: rankgpt, tdpart and
their peers write a full ranking and the token that ends it, setwise one label, grouprank GRADES tokens per passage
(the grades as JSON, without the reasons that the prompt asks for). The orders mean nothing. SOURCES is a copy of
llm-rankers. rank_llm runs language models in vLLM only, so a plain loop of ``model.generate`` over the same windows
stands for it; "as on the model card" is the code by which Qwen3-Reranker's card scores pairs, padded batches of 8.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from machine import describe_machine, write_results
from random_model import make_llama, rankings

from shortlist import Ranking, available, load
from shortlist.backends.transformers import AttentionLM, CausalLM
from shortlist.core.exchange import Message, Request
from shortlist.core.plans import Round
from shortlist.drive import Scheduled

GRADES = 8  # tokens of `"[12]": 7, `
Run = Callable[[Ranking], int]
"""Reranks one query; returns the tokens that went through the model, prompts and answers, padding left out."""


@dataclass(frozen=True)
class Contestant:
    """A row of the table: name, how it reranks one query, what it does."""

    name: str
    run: Run
    note: str = ""


def method(name: str, backend: CausalLM | AttentionLM, answer: int | None = None, **parameters: Any) -> Run:
    """A registered method; ``answer`` replaces the template's ``max_tokens``."""
    built = load(name, backend=backend, **parameters)
    if answer is not None:
        template = replace(built.scorer.prompt.template, max_tokens=answer)
        built = replace(built, scorer=replace(built.scorer, prompt=replace(built.scorer.prompt, template=template)))

    def run(ranking: Ranking) -> int:
        before = backend.counts["tokens_computed"]
        built([ranking])
        return backend.counts["tokens_computed"] - before

    return run


def prompts_of(name: str, backend: CausalLM, ranking: Ranking) -> list[Request]:
    """The requests of a method whose windows do not depend on answers that keep the order."""
    built: Scheduled = load(name, backend=backend)
    requests: list[Request] = []
    plan = built.schedule.plan(len(ranking.candidates))
    asked: Round = next(plan)
    with contextlib.suppress(StopIteration):
        while True:
            groups = [tuple(ranking.candidates[i] for i in group) for group in asked.groups]
            labels = built.scorer.readout.labels
            prompt = built.scorer.prompt
            requests += [prompt.render(ranking.query, group, labels=labels(len(group))) for group in groups]
            asked = plan.send([tuple(-float(i) for i in group) for group in asked.groups])
    return requests


def plain_generate(backend: CausalLM, answer: int) -> Run:
    """``model.generate`` once per window, as a script would, on the prompts of rankgpt."""
    loaded = backend.loaded
    torch = loaded.torch

    def run(ranking: Ranking) -> int:
        total = 0
        for request in prompts_of("rankgpt", backend, ranking):
            turns = [{"role": m.role, "content": m.content} for m in request.prompt if isinstance(m, Message)]
            text = loaded.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            given = loaded.tokenizer(text, return_tensors="pt", add_special_tokens=False)
            length = answer + _ranking_tokens(loaded.tokenizer, 20)
            with torch.no_grad():
                out = loaded.model.generate(
                    input_ids=given.input_ids, attention_mask=given.attention_mask, max_new_tokens=length,
                    do_sample=False, pad_token_id=0,
                )  # fmt: skip
            total += out.shape[1]
        return total

    return run


def plain_first(backend: CausalLM) -> Run:
    """One forward pass per window on the prompts of first, logits of all positions, as a script would."""
    loaded = backend.loaded

    def run(ranking: Ranking) -> int:
        total = 0
        for request in prompts_of("first", backend, ranking):
            ids = loaded.torch.tensor([backend.encode(request)])
            with loaded.torch.no_grad():
                loaded.model(input_ids=ids).logits[0, -1].softmax(-1)
            total += ids.shape[1]
        return total

    return run


def plain_pairs(backend: CausalLM, batch: int = 8) -> Run:
    """Left-padded batches in the order of the list, as Qwen3-Reranker's model card does it."""
    loaded = backend.loaded
    torch = loaded.torch

    def run(ranking: Ranking) -> int:
        rows = [backend.encode(request) for request in prompts_of("qwen3-reranker", backend, ranking)]
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            width = max(map(len, part))
            ids = torch.tensor([[0] * (width - len(row)) + row for row in part])
            mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in part])
            with torch.no_grad():
                loaded.model(input_ids=ids, attention_mask=mask).logits[:, -1].log_softmax(-1)
        return sum(map(len, rows))

    return run


def llm_rankers(sources: Path, folder: Path, answer: int) -> dict[str, Run]:
    """ielab's classes for Llama models: listwise generation and setwise heap sort, with the repairs that transformers 5
    needs and the answer's length set, which the code leaves at 20 tokens."""
    sys.path.insert(0, str(sources))
    import transformers

    class Plain(transformers.PreTrainedTokenizerFast):
        def apply_chat_template(self, *args: Any, **options: Any) -> Any:
            return super().apply_chat_template(*args, **{"return_dict": False, **options})

    from llmrankers import listwise, setwise
    from llmrankers.rankers import SearchResult

    for module in (listwise, setwise):
        module.AutoTokenizer = Plain
        module.AutoModelForCausalLM = _OnCpu
    windows = listwise.ListwiseLlmRanker(str(folder), None, "cpu", window_size=20, step_size=10)
    windows.llm.generation_config.max_new_tokens = answer + _ranking_tokens(windows.tokenizer, 20)
    heap = setwise.SetwiseLlmRanker(str(folder), None, "cpu", num_child=3, k=10)

    def run_of(peer: Any, generated: bool) -> Run:
        def run(ranking: Ranking) -> int:
            found = [SearchResult(c.id, c.score or 0.0, c.document.text) for c in ranking.candidates]
            with contextlib.redirect_stdout(io.StringIO()):
                peer.rerank(ranking.query.text, found)
            return peer.total_completion_tokens  # of the prompt and the answer: the code adds up whole sequences

        return run

    return {"listwise": run_of(windows, True), "setwise": run_of(heap, False)}


class _OnCpu:
    """AutoModelForCausalLM without ``device_map``, which needs another package."""

    @staticmethod
    def from_pretrained(path: str, *, device_map: str, torch_dtype: Any, **options: Any) -> Any:
        import transformers

        return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch_dtype, **options)


def _ranking_tokens(tokenizer: Any, n: int) -> int:
    return len(tokenizer.encode(" > ".join(f"[{i + 1}]" for i in range(n)), add_special_tokens=False))


def contestants(folder: Path, sources: Path | None) -> list[Contestant]:
    """All of them, ours first."""
    backend = CausalLM(folder, dtype="float32", threads=1)
    alone = CausalLM(folder, dtype="float32", threads=1, share_prefixes=False)
    object.__setattr__(alone, "__dict__", {**vars(alone), "loaded": backend.loaded})
    made = [
        Contestant("rankgpt", method("rankgpt", backend, answer=1), "9 rankings written"),
        Contestant("first", method("first", backend), "9 windows, one position read"),
        Contestant("tdpart", method("tdpart", backend, answer=1), "rankings written, blocks in parallel"),
        Contestant("grouprank", method("grouprank", backend, answer=20 * GRADES), "10 groups, grades written"),
        Contestant(
            "setwise", method("setwise", backend, answer=1), "heap of 4, one label written; calls depend on answers"
        ),
        Contestant("yes-no", method("yes-no", backend), "passage before query: little is shared"),
        Contestant("qwen3-reranker", method("qwen3-reranker", backend), "query before passage: prefix reused"),
        Contestant("qwen3-reranker, no reuse", method("qwen3-reranker", alone), "share_prefixes=False"),
    ]
    if "icr" in available():
        reader = AttentionLM(folder, dtype="float32", threads=1)
        made.append(Contestant("icr", method("icr", reader), "whole list, attention read, two passes"))
    made += [
        Contestant("plain generate loop", plain_generate(backend, 1), "rankgpt's windows; stands for rank_llm"),
        Contestant("plain forward loop", plain_first(backend), "first's windows; logits everywhere"),
        Contestant("plain padded batches", plain_pairs(backend), "qwen3-reranker as on its model card"),
    ]
    if sources is None:
        print("llm-rankers is left out: give --llm-rankers SOURCES", file=sys.stderr)
        return made
    peers = llm_rankers(sources, folder, 1)
    return [
        *made,
        Contestant("llm-rankers listwise", peers["listwise"], "generation, 9 windows"),
        Contestant("llm-rankers setwise", peers["setwise"], "generation, heap of 4; calls depend on answers"),
    ]


def measured(
    entered: Sequence[Contestant], given: Sequence[Ranking], rounds: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """CPU seconds per query and round, and tokens per query, by contestant; every round takes another query."""
    seconds: dict[str, list[float]] = {one.name: [] for one in entered}
    tokens: dict[str, int] = {}
    for turn in range(rounds):
        for one in entered:
            began = time.process_time()
            tokens[one.name] = one.run(given[turn % len(given)])
            seconds[one.name].append(time.process_time() - began)
            print(f"round {turn + 1}: {one.name} {seconds[one.name][-1]:.1f} s", file=sys.stderr, flush=True)
    return seconds, tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--llm-rankers", type=Path, default=os.environ.get("LLM_RANKERS_SOURCES"))
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=90, help="tokens of a passage, at least")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of contestants")
    parser.add_argument("--name", default="llm_rerankers", help="of the result files")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        size = make_llama(folder, hidden=args.hidden, layers=args.layers, heads=args.hidden // 64)
        sources = Path(args.llm_rankers) if args.llm_rankers else None
        entered = [one for one in contestants(folder, sources) if not args.only or one.name in args.only]
        tokenizer = CausalLM(folder).loaded.tokenizer
        given = rankings(args.rounds, args.candidates, args.tokens, tokenizer)
        mean = statistics.mean(len(tokenizer.encode(c.document.text)) for r in given for c in r.candidates)
        seconds, tokens = measured(entered, given, args.rounds)
    base = statistics.median(seconds.get("rankgpt", [1.0]))
    rows = [
        {
            "method": one.name,
            "tokens computed": tokens[one.name],
            "CPU seconds": statistics.median(seconds[one.name]),
            "rankgpt takes x times as long": base / statistics.median(seconds[one.name]),
            "what": one.note,
        }
        for one in entered
    ]
    notes = {
        "machine": describe_machine(),
        "model": f"Llama, {args.layers} layers of {args.hidden}, {size / 1e6:.0f}M parameters, random, float32",
        "threads": 1,
        "tokens per passage": round(mean, 1),
        "candidates": args.candidates,
        "rounds": args.rounds,
        **{name: metadata.version(name) for name in ("torch", "transformers")},
    }
    write_results(args.name, __doc__ or "", rows, notes)


if __name__ == "__main__":
    main()
