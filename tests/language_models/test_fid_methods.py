"""ListT5, LiT5 and MVP: equal to the authors' code on one tiny model, and steady in what they promise.

Recorded numbers: the random T5 of ``conftest`` with its weights drawn anew (``drawn`` below, seed 2), texts cut at 60
tokens, transformers 4.46.3 (the references do not run on 5.23), torch 2.13 CPU, one thread, float32, and

- LiT5: rank_llm 1b3cabb, ``RankFiDScore._run_llm_by_length_unified`` with both queries in one batch (``normswoquery``),
  and ``RankFiDDistill._run_llm_by_length_unified`` with answers of 24 tokens, the start token included;
- ListT5: ``FiDT5.generate`` of soyoung97/ListT5 6838938 with max_length 7;
- MVP: ``MVP.forward`` of PirateEra/MVP 8679104 with 4 special tokens, logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import Candidate, Document, Query, Ranking
from shortlist.backends.fake import Broken, Oracle
from shortlist.backends.transformers import FusionInDecoder, Seq2SeqLM
from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Completion
from shortlist.core.registry import RERANKERS
from shortlist.prompts import load_prompt
from shortlist.readouts import Permutation
from shortlist.scorers import MultiView

QUERIES = ("how long do fleas live", "the cost of concrete floors")
PASSAGES = (
    "A flea lives a hundred days.",
    "the cost of concrete floors is low in spring",
    "fleas",
    "true false yes no " * 30,
)
SCORES = (  # LiT5-Score
    (0.04176660254597664, 0.03334508463740349, 0.021504992619156837, 0.01802186295390129),
    (0.1869644671678543, 0.0417538583278656, 0.011444787494838238, 0.04634253680706024),
)
LOGITS = (  # MVP
    (0.5753861665725708, 0.8193435668945312, 3.249701499938965, -0.32498037815093994),
    (2.6145031452178955, 0.7343226075172424, 0.2382529079914093, 3.4330241680145264),
)
DISTILLED = ("doT [C]< [C]lW do: .~ [C]", "T$NNNNNNNNNN concretes~ [C]c~NNNNN")
LISTED = ("THTlHX", "::::::")


@pytest.fixture(scope="module")
def drawn(t5: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer of ``t5``, and weights from a generator, parameter by parameter in the order of their names."""
    import torch
    import transformers

    model = transformers.T5ForConditionalGeneration.from_pretrained(t5)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for _, weight in sorted(model.named_parameters()):
            weight.copy_(torch.randn(weight.shape, generator=generator) * (0.3 if weight.dim() > 1 else 1.0))
    folder = tmp_path_factory.mktemp("drawn")
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(t5).save_pretrained(folder)
    return folder


def ranking(query: str, passages: Sequence[str] = PASSAGES) -> Ranking:
    return Ranking(Query(query, query), tuple(Candidate(Document(f"d{i}", t)) for i, t in enumerate(passages)))


def scores(method: Any, *rankings: Ranking) -> list[tuple[float, ...]]:
    """The scores of each query's one call, in the order of its candidates."""
    return [done.trace[0].scores for done in method.rerank(list(rankings))]


def test_lit5_score_equals_rank_llm(drawn: Path) -> None:
    method = RERANKERS.load("lit5-score", model=str(drawn), text_tokens=60)
    done = method.rerank([ranking(q) for q in QUERIES])
    for result, expected in zip(done, SCORES, strict=True):
        assert result.trace[0].scores == pytest.approx(expected, rel=1e-5)
        assert result.repairs == {"segment_cut": 1}
    assert [r.usage.completion_tokens for r in done] == [18, 19]  # one answer ends, the other is cut by the limit
    assert done[0].ids == ("d0", "d1", "d2", "d3")


def test_lit5_distill_writes_what_rank_llm_writes(drawn: Path) -> None:
    template, backend = load_prompt("lit5-distill"), FusionInDecoder(drawn, text_tokens=60)
    requests = [template.render(r.query, r.candidates) for r in map(ranking, QUERIES)]
    assert tuple(c.text for c in backend.generate([replace(r, max_tokens=23) for r in requests])) == DISTILLED


def test_listt5_writes_what_the_authors_code_writes(drawn: Path) -> None:
    done = RERANKERS.load("listt5", model=str(drawn), text_tokens=60).rerank([ranking(q) for q in QUERIES])
    assert tuple(r.trace[0].output for r in done) == LISTED


def test_mvp_equals_the_authors_forward(drawn: Path) -> None:
    found = scores(RERANKERS.load("mvp", model=str(drawn), text_tokens=60), *map(ranking, QUERIES))
    for got, expected in zip(found, LOGITS, strict=True):
        assert got == pytest.approx(expected, abs=2e-5)


def test_mvp_does_not_depend_on_the_order_of_passages(drawn: Path) -> None:
    method = RERANKERS.load("mvp", model=str(drawn))
    passages = [f"{PASSAGES[i % 4]} number {i}" for i in range(23)]
    (first,) = scores(method, ranking(QUERIES[0], passages))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(23)
        (moved,) = scores(method, ranking(QUERIES[0], [passages[i] for i in order]))
        assert np.abs(np.array(moved) - np.array(first)[order]).max() <= 1e-5 * max(1.0, np.abs(first).max())
    assert len({round(s, 4) for s in first}) == 23


def test_mvp_scores_are_the_mean_over_views_of_vector_times_anchor(drawn: Path) -> None:
    backend = FusionInDecoder(drawn)
    scorer = MultiView(load_prompt("mvp"), backend, ("<extra_id_0>", "<extra_id_1>"))
    group = (ranking(QUERIES[0]).query, ranking(QUERIES[0]).candidates)
    (call,) = scorer.score([group])
    (views,) = backend.views([load_prompt("mvp").render(*group)], scorer.tokens)
    by_hand = [sum(float(e @ a) for e, a in zip(text, views.anchors, strict=True)) / 2 for text in views.texts]
    assert call.scores == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("name", ["listt5", "lit5-distill", "lit5-score", "mvp"])
def test_every_list_comes_back_whole_and_the_same_again(drawn: Path, name: str) -> None:
    method = RERANKERS.load(name, model=str(drawn), text_tokens=40)
    hostile = ["", "</s>", "[2] > [1]", "<extra_id_1> 5 4 3", "Index: 1, Context: flea", "\ud800", "🪳" * 40, "flea"]
    rankings = [ranking(QUERIES[0], hostile[:n]) for n in (0, 1, 2, 5, 8)]
    done = method.rerank(rankings)
    assert [sorted(r.ids) for r in done] == [sorted(r.ids) for r in rankings]
    assert done == RERANKERS.load(name, model=str(drawn), text_tokens=40).rerank(rankings)
    for one, start in zip(done, rankings, strict=True):
        (alone,) = method.rerank([start])
        assert (alone.ids, alone.repairs) == (one.ids, one.repairs)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=6), st.sampled_from([1, 2]))
def test_listt5_answers_are_read_as_the_authors_read_them(said: list[int], survivors: int) -> None:
    """They take the last r numbers of the text; where those repeat a number they go on with fewer passages."""
    last = said[-survivors:]
    if len(set(last)) < survivors:
        return
    reading = Permutation(reverse=True, tag="", form="bare").read(Completion(" ".join(map(str, said))), 5)
    best_first = sorted(range(5), key=lambda i: -reading.scores[i])
    assert best_first[:survivors] == [n - 1 for n in reversed(last)]


def test_listt5_matches_have_five_passages_and_the_first_stage_stays_when_nothing_is_said() -> None:
    start = [ranking("q", [str(i) for i in range(23)])]
    (done,) = RERANKERS.load("listt5", backend=Oracle()).rerank(start)
    assert done.ids[:10] == tuple(f"d{i}" for i in range(22, 12, -1))
    assert {len(call.group) for call in done.trace} == {5}
    (silent,) = RERANKERS.load("listt5", backend=Broken(outputs=("!!!",))).rerank(start)
    assert silent.ids == start[0].ids
    assert silent.status == "unscored"


def test_lit5_distill_reads_a_hundred_at_once_when_asked_to() -> None:
    start = [ranking("q", [str(i) for i in range(100)])]
    (done,) = RERANKERS.load("lit5-distill", backend=Oracle(), window=100).rerank(start)
    assert len(done.trace) == 1
    assert done.ids == start[0].ids[::-1]
    (windows,) = RERANKERS.load("lit5-distill", backend=Oracle()).rerank(start)
    assert [len(call.group) for call in windows.trace] == [20] * 9


@pytest.mark.parametrize("name", ["listt5", "lit5-distill", "lit5-score", "mvp"])
def test_a_context_shortens_passages_by_name_and_keeps_what_stands_around_them(drawn: Path, name: str) -> None:
    start = ranking(QUERIES[1], ("flea", "the cost of concrete floors is low in spring " * 9))
    (done,) = RERANKERS.load(name, model=str(drawn), options={"context": 60}).rerank([start])
    assert done.repairs["passage_cut"] == 1
    assert not done.repairs["segment_cut"]
    (cut,) = [repair for repair in done.trace[0].repairs if repair.kind == "passage_cut"]
    assert cut.detail.startswith("d1: ")


def test_the_wrong_kind_of_model_is_refused(t5: Path) -> None:
    with pytest.raises(ConfigError, match="Seq2SeqLM reads only one text"):
        RERANKERS.load("lit5-distill", backend=Seq2SeqLM(t5))
    with pytest.raises(ConfigError, match="CrossAttention needs the capability cross_attention"):
        RERANKERS.load("lit5-score", backend=Seq2SeqLM(t5))
    with pytest.raises(ConfigError, match="MultiView needs the capability views"):
        RERANKERS.load("mvp", backend=Seq2SeqLM(t5))
    with pytest.raises(ConfigError, match="is an endpoint, and this method looks inside the model"):
        RERANKERS.load("mvp", model="http://localhost:8000/v1")
    with pytest.raises(ConfigError, match="give a model"):
        RERANKERS.load("lit5-score")
    with pytest.raises(ConfigError, match="views=0"):
        RERANKERS.load("mvp", model=str(t5), views=0)
    with pytest.raises(ConfigError, match="no option 'txt'"):
        RERANKERS.load("listt5", model=str(t5), options={"txt": 1})
