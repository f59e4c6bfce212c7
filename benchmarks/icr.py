"""ICR beside its authors' code and beside two full eager passes: tokens computed and time per list.

``python benchmarks/icr.py [--authors SOURCES --python PYTHON] [--sizes 20 50 100]``: a random Llama of 110 million
parameters in float32, passages of about 100 tokens, one thread each, CPU seconds; one list per size after a warm-up.
SOURCES is a copy of OSU-NLP-Group/In-Context-Reranking and PYTHON an interpreter with transformers 4.44.1 (or
SHORTLIST_ICR and SHORTLIST_ICR_PYTHON); without them their rows are left out. See ``icr_authors.py`` for what is
changed so that their code runs on a CPU. All contestants get the same tokens; the largest difference is that of the
scores from ours. The rows with bfloat16 and with eager attention are not like for like: they show what a dtype buys,
and what the attention maps cost.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from machine import describe_machine, write_results
from random_model import make_llama, make_tokenizer, rankings

from shortlist import Ranking
from shortlist.backends.transformers import AttentionLM
from shortlist.core.exchange import Request
from shortlist.prompts import load_prompt
from shortlist.scorers.attention import InContext, passage_score

CHAT = (
    "<s><|start_header_id|>user<|end_header_id|>{{ messages[0].content }}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>"
)
"""The turns as the authors write them; their header strings are plain text to this tokenizer."""
EAGER_LIMIT = 5e9  # bytes of attention maps that are held at once; more is not tried
Found = tuple[float, list[int], Sequence[float]]
"""CPU seconds, tokens computed by each pass, and the scores in first-stage order."""


def make_model(folder: Path) -> None:
    """The random Llama, with a tokenizer that begins texts with a BOS and knows 16384 positions."""
    from tokenizers import Tokenizer, processors

    make_llama(folder, hidden=768, layers=12, heads=12)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 16384}), "utf-8")


def older(folder: Path, target: Path) -> Path:
    """The same files as transformers 4.44 reads them."""
    shutil.copytree(folder, target)
    tokenizer = json.loads((target / "tokenizer.json").read_text("utf-8"))
    tokenizer["model"]["merges"] = [" ".join(pair) for pair in tokenizer["model"]["merges"]]
    (target / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    kept = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "<|im_end|>"}
    (target / "tokenizer_config.json").write_text(json.dumps(kept), "utf-8")
    return target


def timed(work: Any) -> tuple[float, Any]:
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def ours(backend: AttentionLM, given: Ranking) -> Found:
    scorer = InContext(load_prompt("icr"), backend)
    scorer.score([(given.query, given.candidates[:2])])
    before = backend.counts["tokens_computed"]
    cpu, (call,) = timed(lambda: scorer.score([(given.query, given.candidates)]))
    computed = backend.counts["tokens_computed"] - before
    second = len(backend.encode(request_of(given)).tails[1])
    return cpu, [computed - second, second], call.scores


def request_of(given: Ranking) -> Request:
    return load_prompt("icr").render(given.query, given.candidates[::-1])


def eager(folder: Path, backend: AttentionLM, given: Ranking) -> Found | None:
    """Two full passes that return all attention maps; None when these do not fit."""
    from transformers import AutoModelForCausalLM

    ids = backend.encode(request_of(given))
    config = backend.loaded.config
    if config.num_hidden_layers * config.num_attention_heads * ids.longest**2 * 4 > EAGER_LIMIT:
        return None
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()

    def look(tail: list[int]) -> list[Any]:
        with torch.inference_mode():
            maps = model(torch.tensor([ids.prefix + tail]), output_attentions=True).attentions
        mass = sum(layer[0, :, -len(tail) :].mean(1).sum(0) for layer in maps).numpy()
        return [mass[start:end] for start, end in ids.spans]

    cpu, looks = timed(lambda: [look(tail) for tail in ids.tails])
    scores = [passage_score(*pair, masked=True) for pair in zip(*looks, strict=True)]
    return cpu, [len(ids.prefix) + len(tail) for tail in ids.tails], scores[::-1]


def authors(python: str, sources: str, folder: Path, attention: str, given: Ranking) -> Found:
    job = {"threads": 1, "query": given.query.text, "documents": [c.document.text for c in given.candidates]}
    script = Path(__file__).with_name("icr_authors.py")
    command = [python, str(script), sources, str(folder), attention]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the authors' code stopped:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    return found["cpu"], found["computed"], found["scores"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--authors", default=os.environ.get("SHORTLIST_ICR"))
    parser.add_argument("--python", default=os.environ.get("SHORTLIST_ICR_PYTHON", sys.executable))
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 50, 100])
    options = parser.parse_args()
    if not options.authors:
        print("no copy of the authors' code (--authors or SHORTLIST_ICR): their rows are left out", file=sys.stderr)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "random"
        make_model(folder)
        theirs = older(folder, Path(root) / "llama-3-random")
        backend, half = (AttentionLM(folder, chat_template=CHAT, dtype=kind) for kind in ("float32", "bfloat16"))
        rows = []
        for size in options.sizes:
            (given,) = rankings(1, size, 85, make_tokenizer())
            found: dict[str, Found | None] = {
                "shortlist": ours(backend, given),
                "shortlist, bfloat16": ours(half, given),
            }
            if options.authors:
                found["authors, sdpa"] = authors(options.python, options.authors, theirs, "sdpa", given)
            found["two eager passes"] = eager(folder, backend, given)
            if options.authors and found["two eager passes"]:
                found["authors, eager"] = authors(options.python, options.authors, theirs, "eager", given)
            rows += table(size, backend.encode(request_of(given)).longest, found)
    notes = {name: metadata.version(name) for name in ("torch", "transformers")}
    write_results("icr", __doc__ or "", rows, {**notes, "machine": describe_machine()})


def table(size: int, length: int, found: dict[str, Found | None]) -> list[dict[str, Any]]:
    cpu, _, right = found["shortlist"]  # type: ignore[misc]
    rows = []
    for name, one in found.items():
        row: dict[str, Any] = {"passages": size, "tokens of the list": length, "contestant": name}
        if one is None:
            absent = ("tokens computed", "CPU s", "x ours", "difference")
            rows.append(row | dict.fromkeys(absent, "too large"))
            continue
        difference = max(abs(a - b) for a, b in zip(one[2], right, strict=True))
        rows.append(
            row
            | {"tokens computed": " + ".join(map(str, one[1])), "CPU s": one[0], "x ours": one[0] / cpu}
            | {"difference": "not a number" if math.isnan(difference) else difference}
        )
    return rows


if __name__ == "__main__":
    main()
