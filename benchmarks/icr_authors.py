"""The ICR authors' code on the CPU, for ``icr.py``: run by an interpreter with transformers 4.44.1, not by ours.

``PYTHON benchmarks/icr_authors.py SOURCES FOLDER sdpa|eager < job.json > result.json``. SOURCES is a copy of
OSU-NLP-Group/In-Context-Reranking (9117e9f). It asks for CUDA, float16 and FlashAttention-2; what of that the machine
lacks is replaced when the source is read: ``cuda:0`` by ``cpu``, float16 by float32, and with ``sdpa`` FlashAttention's
function by torch's own with the same causal mask. ``eager`` is the only path of theirs that a CPU runs as released; its
scores are NaN (their issue 1).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import time
import types
from pathlib import Path
from typing import Any

import torch


def load(sources: Path, attention: str) -> Any:
    """Their class ``InContextReranker``."""
    sys.path.insert(0, str(sources))
    llama = importlib.import_module("src.custom.custom_modeling_llama")
    path = sources / "src" / "in_context_reranker.py"
    text = path.read_text("utf-8").replace("'cuda:0'", "'cpu'").replace("torch.float16", "torch.float32")
    if attention == "sdpa":
        llama._flash_attention_forward = attend
        llama.LLAMA_ATTENTION_CLASSES["eager"] = llama.LlamaFlashAttention2
        text = text.replace('"flash_attention_2"', '"eager"')
    module = types.ModuleType("src.in_context_reranker")
    module.__package__ = "src"
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module.InContextReranker


def attend(query: Any, key: Any, value: Any, mask: Any, length: int, **_: Any) -> Any:
    """Causal attention as FlashAttention-2 computes it; (batch, positions, heads, d)."""
    query, key, value = (x.transpose(1, 2) for x in (query, key, value))
    new, all_keys = query.shape[2], key.shape[2]
    seen = None if new == all_keys else torch.ones(new, all_keys, dtype=torch.bool).tril(all_keys - new)
    out = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=seen, is_causal=seen is None, enable_gqa=True
    )
    return out.transpose(1, 2)


def main(sources: str, folder: str, attention: str) -> None:
    job = json.load(sys.stdin)
    torch.set_num_threads(job["threads"])
    with contextlib.redirect_stdout(sys.stderr):
        made = load(Path(sources), attention)
        ranker = made(
            folder, scoring_strategy="masked_NA_calibration", use_fa2=attention == "sdpa", retrieval_type="IE",
            sliding_window_size=-1, reverse_doc_order=True,
        )  # fmt: skip
        if attention == "sdpa":  # no mask of tokens x tokens, as with FlashAttention-2
            ranker.llm.config._attn_implementation = ranker.llm.model.config._attn_implementation = "flash_attention_2"
        computed = []
        forward = ranker.llm.forward

        def counted(*args: Any, **options: Any) -> Any:
            computed.append(options["input_ids"].shape[1])
            return forward(*args, **options)

        ranker.llm.forward = counted
        ranker.rerank("warm up", ["one passage", "and another"])
        computed.clear()
        ranker.sliding_window_size = -1  # theirs is overwritten with the length of the first list
        began = time.process_time()
        (order, scores), _ = ranker.rerank(job["query"], job["documents"])
        cpu = time.process_time() - began
    by_document = dict(zip(order, scores, strict=True))
    found = {"cpu": cpu, "computed": computed, "scores": [by_document[i] for i in range(len(order))]}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
