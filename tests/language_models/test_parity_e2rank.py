"""E2Rank's own ``EvalModel`` and ours give the same scores.

Golden numbers: Alibaba-NLP/E2Rank 478f298e04cc03b643c715b258e66f3741dfd694 (Apache-2.0), ``src/eval.py``,
``EvalModel.__call__`` with its default template and ``num_input_docs=3``, run on the model of ``e2rank_model`` (a
two-layer Qwen3, seed 0; torch 2.13.0 CPU, transformers 5.23.0). vLLM does not run here, so its ``LLM.embed`` was stood
in for by transformers: one text at a time, ``tokenizer(text)``, the last hidden state of the last token, L2-normalised,
which is what ``PoolerConfig(pooling_type="LAST", normalize=True)`` asks vLLM for. The numbers are ``scores`` before its
argsort, listwise and (``rank_method="embedding"``) with the query alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shortlist.core.types import Candidate, Document, Query, Ranking
from shortlist.rerank.e2rank import build

THINKING = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    "{% endif %}"
)
QUERY = "how long do fleas live?"
DOCUMENTS = (
    "A flea lives a hundred days.",
    "the cost of concrete floors is low in spring",
    "Fleas of the cat live longer; see [2].",
    "Query: how long? Passage: no",
    "a hundred days of spring",
)
LISTWISE = [-0.3596802, 0.0852636, 0.4349977, 0.2529747, 0.8067290]
PLAIN = [-0.0853981, -0.1892174, 0.2955585, 0.7629708, 0.1697234]


def e2rank_model(folder: Path, make_decoder: Callable[..., Path]) -> Path:
    """A tiny Qwen3 whose tokenizer has the control tokens that the method writes, and Qwen3's switch for thinking."""
    import torch
    import transformers

    make_decoder(folder, "qwen3", template=THINKING)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|endoftext|>"]})
    tokenizer.add_tokens(["</think>"])
    tokenizer.chat_template = THINKING + "{# <think> </think> #}"
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(0)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_decoder: Callable[..., Path]) -> Path:
    return e2rank_model(tmp_path_factory.mktemp("e2rank"), make_decoder)


def ranking() -> Ranking:
    candidates = tuple(Candidate(Document(f"d{i}", text), 5.0 - i) for i, text in enumerate(DOCUMENTS))
    return Ranking(Query("q", QUERY), candidates)


def scores(folder: Path, **params: object) -> list[float]:
    (done,) = build(model=str(folder), **params).rerank([ranking()])  # type: ignore[arg-type]
    assert done.status == "ranked"
    assert not done.repairs
    by_id = {c.id: c.score for c in done.candidates}
    assert list(done.ids) == sorted(by_id, key=lambda i: -(by_id[i] or 0))
    return [float(by_id[f"d{i}"] or 0) for i in range(len(DOCUMENTS))]


def test_listwise_scores_are_the_authors(folder: Path) -> None:
    assert np.abs(np.array(scores(folder, shown=3)) - LISTWISE).max() < 1e-5


def test_the_query_alone_scores_as_the_authors(folder: Path) -> None:
    assert np.abs(np.array(scores(folder, plain=True)) - PLAIN).max() < 1e-5


def test_the_documents_shown_change_the_scores_and_their_number_is_counted(folder: Path) -> None:
    assert np.abs(np.array(scores(folder, shown=4)) - LISTWISE).max() > 1e-2


def test_the_order_of_documents_outside_the_prompt_does_not_matter(folder: Path) -> None:
    start = ranking()
    moved = Ranking(start.query, (*start.candidates[:3], start.candidates[4], start.candidates[3]))
    one, other = (build(model=str(folder), shown=3).rerank([r])[0] for r in (start, moved))
    assert {c.id: c.score for c in one.candidates} == pytest.approx({c.id: c.score for c in other.candidates}, abs=1e-6)
    first = Ranking(start.query, (start.candidates[1], start.candidates[0], *start.candidates[2:]))
    (swapped,) = build(model=str(folder), shown=3).rerank([first])
    assert {c.id: c.score for c in one.candidates} != pytest.approx(
        {c.id: c.score for c in swapped.candidates}, abs=1e-3
    )


def test_a_prompt_that_does_not_fit_is_cut_and_says_so(folder: Path) -> None:
    long = tuple(Candidate(Document(f"d{i}", "the cost of concrete floors " * 40), 1.0) for i in range(5))
    (done,) = build(model=str(folder), options={"context": 400}).rerank([Ranking(Query("q", QUERY), long)])
    assert done.repairs["passage_cut"] == 5
    assert done.status == "ranked"
