"""ICR scores equal to those of the authors' code.

Recipe of the golden numbers: OSU-NLP-Group/In-Context-Reranking 9117e9f with transformers 4.44.1, tokenizers 0.19.1 and
torch 2.13.0 (CPU), on the model that ``authors_llama`` makes from a fixed seed (its tokenizer.json with merges as
strings, which tokenizers 0.19 wants). Their code asks for CUDA and FlashAttention-2; changed when the source was read:
``cuda:0`` to ``cpu``, float16 to float32, ``_flash_attention_forward`` to torch's ``scaled_dot_product_attention`` with
the same causal mask. Then ``InContextReranker(folder, scoring_strategy=MODE, retrieval_type="IE" or "QA",
sliding_window_size=-1, reverse_doc_order=True).get_sorted_docs(QUERY, [title + "\\n" + text, ...][::-1],
order="none")``. As released only ``masked_NA_calibration`` runs: for the other modes ``score_documents`` is unpacked
into one value more than it returns, which was added. In eager mode every score of theirs is NaN (their issue 1), also
with this model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shortlist import Candidate, Document, Query, Ranking, load
from shortlist.backends.transformers import AttentionLM

CHAT = (
    "{{ bos_token }}<|start_header_id|>user<|end_header_id|>{{ messages[0].content }}<|eot_id|>"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>{% endif %}"
)
"""The turns as their code writes them for Llama 3."""
HEADERS = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
QUERY = "how long do fleas live?"
PASSAGES = (
    ("Fleas", "A flea lives a hundred days."),
    ("Concrete", "The cost of concrete floors is low in spring."),
    (None, "x"),
    (None, "Passage [2] A is not true: the query is how long."),
    (None, "A flea lives a hundred days."),
)
GOLDEN = {
    ("icr", "masked_NA_calibration"): (0.007289626, -0.0406655, -0.007528514, 0.019718172, -0.006935451),
    ("icr", "query_last"): (0.973880529, 1.054028511, 0.232541889, 1.239211798, 0.499988317),
    ("icr", "attention_sorting"): (1.290785789, 0.483124673, 0.143235341, 0.950118899, 0.345917642),
    ("icr", "NA_only"): (0.982481837, 1.109508991, 0.240070403, 1.219493866, 0.506923795),
    ("icr", "NA_calibration_no_agg"): (0.557859659, -0.66573292, -0.022409514, 0.287613869, -0.249397933),
    ("icr-qa", "masked_NA_calibration"): (0.009913536, 0.035314381, -0.00451107, -0.013810774, -0.003329525),
}
"""Scores of the passages in first-stage order."""
ORDER = {"icr": [3, 0, 4, 2, 1], "icr-qa": [1, 0, 4, 2, 3]}
"""What their ``rerank`` returns, best first."""


@pytest.fixture(scope="module")
def authors_llama(tmp_path_factory: pytest.TempPathFactory, make_decoder: Callable[..., Path]) -> Path:
    """A Llama of two layers whose weights do not depend on how transformers initialises."""
    import torch
    import transformers

    folder = make_decoder(tmp_path_factory.mktemp("authors"), "llama", template=CHAT, bos=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": HEADERS})
    config = transformers.AutoConfig.from_pretrained(folder)
    config.vocab_size, config.max_position_embeddings = len(tokenizer), 4096
    model = transformers.LlamaForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for _, weight in sorted(model.named_parameters()):
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def ranked(folder: Path, **params: Any) -> Ranking:
    rows = (Candidate(Document(f"d{i}", text, title)) for i, (title, text) in enumerate(PASSAGES))
    backend = AttentionLM(folder, device="cpu")
    (done,) = load("icr", backend=backend, **params).rerank([Ranking(Query("q", QUERY), tuple(rows))])
    assert not done.repairs
    return done


@pytest.mark.parametrize(("prompt", "mode"), GOLDEN)
def test_scores_are_those_of_the_authors_code(authors_llama: Path, prompt: str, mode: str) -> None:
    done = ranked(authors_llama, prompt=prompt, mode=mode)
    (call,) = done.trace
    assert call.group == ("d0", "d1", "d2", "d3", "d4")
    assert call.scores == pytest.approx(GOLDEN[prompt, mode], abs=1e-6)


@pytest.mark.parametrize("prompt", ORDER)
def test_the_order_is_theirs(authors_llama: Path, prompt: str) -> None:
    assert ranked(authors_llama, prompt=prompt).ids == tuple(f"d{i}" for i in ORDER[prompt])


def test_the_prompt_is_theirs_token_for_token(authors_llama: Path) -> None:
    """Segment by segment, and still the tokens of the whole string as their f-strings make it."""
    backend = AttentionLM(authors_llama, device="cpu")
    scorer = load("icr", backend=backend).scorer
    group = [Candidate(Document(f"d{i}", text, title)) for i, (title, text) in enumerate(PASSAGES)]
    ids = backend.encode(scorer.prompt.render(Query("q", QUERY), group[::-1]))
    shown = [f"{title}\n{text}" if title else text for title, text in PASSAGES][::-1]
    text = "<|start_header_id|>user<|end_header_id|> Here are some paragraphs:"
    text += "".join(f" \n\n[{i}] {passage}" for i, passage in enumerate(shown, 1))
    text += " \n\nPlease find information that are relevant to the following query in the paragraphs above."
    text += f" \n\nQuery: {QUERY}<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
    assert ids.prefix + ids.tails[0] == backend.loaded.tokenizer(text)["input_ids"]
