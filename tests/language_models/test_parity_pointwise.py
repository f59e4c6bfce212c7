"""Pointwise methods and duoT5 against their authors' code, on tiny checkpoints that ``tiny.py`` writes.

The numbers below were printed by that code, run on the same checkpoints, queries and documents with torch 2.13 (CPU,
float32, one thread), transformers 5.23 and tokenizers 0.23. Commits: castorini/pygaggle 08339dd (``MonoT5``,
``DuoT5``), castorini/rank_llm 1b3cabb (``run_llm_batched`` of both), ielab/llm-rankers b36517b (``PointwiseLlmRanker``,
qlm), mixedbread-ai/mxbai-rerank 8e709dc (``MxbaiRerankV2``, max_length 700), texttron/tevatron dd06310
(``format_pair``, ``RerankerInferenceCollator``, ``RerankerModel``), and the sum of ``upr.py`` in
DevSinghSachan/unsupervised-passage-reranking a05d296. Shims for transformers 5: ``batch_encode_plus`` is ``__call__``;
``prepare_for_model`` joins both id lists and cuts the second; modules that are not used (pyserini, spacy, tiktoken ...)
are empty. Where nothing runs, the published formula is computed here on the plain model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from shortlist import Candidate, Document, Query, Ranking
from shortlist.backends.transformers import CausalLM, Seq2SeqLM, SequenceClassifier
from shortlist.core.exchange import Message, Request
from shortlist.prompts import load_prompt
from shortlist.readouts import YesNo
from shortlist.rerank import (
    duot5,
    monot5,
    prorank,
    query_likelihood,
    qwen3_reranker,
    rank1,
    rankllama,
    rankt5,
    sequence_classifier,
    upr,
)
from shortlist.scorers.reasoned import Reasoned, whole_sentences

from . import tiny

QUERY = Query("q", "how long do fleas live")
TEXTS = (
    "the fleas live long",
    "concrete floor cost",
    "how do fleas live of a concrete floor cost the passage " * 3 + "long",
    "a",
    "fleas (1) & cats: 100 days.",
)
TITLES = ("fleas-long", "-", "", "A long title", "floor")


def documents(titles: Sequence[str | None] = (None,) * 5) -> tuple[Candidate, ...]:
    pairs = enumerate(zip(TEXTS, titles, strict=True))
    return tuple(Candidate(Document(str(i), text, title)) for i, (text, title) in pairs)


def scores_of(method: Any, query: Query = QUERY, titles: Sequence[str | None] = (None,) * 5) -> list[float]:
    """The score of each document, in the order of TEXTS."""
    (done,) = method.rerank([Ranking(query, documents(titles))])
    assert not done.repairs
    found = {c.id: c.score for c in done.candidates}
    return [found[str(i)] for i in range(5)]


def checksums(backend: Any, prompt: str, query: Query = QUERY) -> list[int]:
    template = load_prompt(prompt)
    return [tiny.checksum(backend.encode(template.render(query, [c]))) for c in documents()]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.t5(tmp_path_factory.mktemp("parity-t5"))


@pytest.fixture(scope="module")
def qwen2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.decoder(tmp_path_factory.mktemp("parity-qwen2"), "Qwen2")


@pytest.fixture(scope="module")
def llama_head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parity-llama")
    return tiny.decoder(folder, "Llama", "SequenceClassification", bos=True, num_labels=1)


PYGAGGLE_MONO = [-0.6849305033683777, -0.5681164860725403, -0.5934635996818542, -0.7538186311721802, -0.885581374168396]
RANK_LLM_MONO = [0.5041252560820837, 0.5665916156354754, 0.552410646688025, 0.4705662160724678, 0.41247431868088086]
MONO_IDS = [4027858306, 1270627916, 872518118, 1840881831, 1197534291]


def test_monot5_equals_pygaggle_and_rank_llm(t5: Path) -> None:
    found = scores_of(monot5.build(model=str(t5)))
    assert [math.log(sigmoid(s)) for s in found] == pytest.approx(PYGAGGLE_MONO, abs=1e-5)
    assert [sigmoid(s) for s in found] == pytest.approx(RANK_LLM_MONO, abs=1e-5)
    assert checksums(Seq2SeqLM(t5), "monot5") == MONO_IDS


PYGAGGLE_DUO = [4.138255476951599, 3.9019512236118317, 4.024878829717636, 3.9977619647979736, 3.9371525049209595]
RANK_LLM_DUO = {
    "01": 0.5338667367387341, "02": 0.5008142918599767, "03": 0.5687464088510025, "04": 0.49989418685594217,
    "12": 0.5058004302736798, "13": 0.4612228409404121, "14": 0.3605161212824338,
    "23": 0.5060386701645401, "24": 0.4752053238723224, "34": 0.3201800674216232,
}  # fmt: skip


def test_duot5_equals_pygaggle_over_all_ordered_pairs_and_rank_llm_on_each(t5: Path) -> None:
    (done,) = duot5.build(model=str(t5)).rerank([Ranking(QUERY, documents())])
    found = {c.id: c.score for c in done.candidates}
    assert [found[str(i)] for i in range(5)] == pytest.approx(PYGAGGLE_DUO, abs=1e-5)
    asked = {"".join(call.group): call.scores[0] for call in done.trace}
    assert len(asked) == 20
    assert [asked[pair] for pair in RANK_LLM_DUO] == pytest.approx(list(RANK_LLM_DUO.values()), abs=1e-5)


def test_monot5_takes_the_words_of_multilingual_checkpoints() -> None:
    words = monot5.words_of
    assert words("unicamp-dl/mt5-base-mmarco-v2") == ("yes", "no") == words("/models/mt5-base-mmarco-v2/")
    assert words("unicamp-dl/ptt5-base-pt-msmarco-100k-v2") == ("sim", "n\u00e3o")
    assert words("unicamp-dl/mt5-13b-mmarco-100k") == ("true", "\u2581")
    assert words(None) == words("castorini/monot5-3b-msmarco-10k") == words("mt5-base") == ("true", "false")
    assert len(monot5.WORDS) == 13  # of pygaggle's 20; the others say true and false
    lazy = monot5.build(model="http://localhost:9/v1/mt5-base-mmarco-v2", options={"model": "x"})
    assert lazy.scorer.readout == YesNo("yes", "no")  # type: ignore[attr-defined]
    given = monot5.build(model="http://localhost:9/v1/mt5-base-mmarco-v2", options={"model": "x"}, yes="ja", no="nein")
    assert given.scorer.readout == YesNo("ja", "nein")  # type: ignore[attr-defined]


def test_a_label_may_be_a_piece_of_the_vocabulary(t5: Path) -> None:
    """mT5's largest checkpoints say the mark of a word's begin for not relevant."""
    backend, torch = Seq2SeqLM(t5), pytest.importorskip("torch")
    mark = backend.loaded.tokenizer.convert_tokens_to_ids("\u2581")
    request = load_prompt("monot5").render(QUERY, [documents()[0]], labels=("true", "\u2581"))
    labels = backend.generate([request])[0].labels
    ids = torch.tensor([backend.encode(request)])
    with torch.no_grad():
        row = backend.loaded.model(input_ids=ids, decoder_input_ids=torch.tensor([[0]])).logits[0, -1].log_softmax(-1)
    assert labels is not None
    assert [labels["true"], labels["\u2581"]] == pytest.approx([float(row[tiny.TRUE]), float(row[mark])], abs=1e-5)


def test_rankt5_is_the_raw_logit_of_the_tenth_extra_id(t5: Path) -> None:
    torch, backend = pytest.importorskip("torch"), Seq2SeqLM(t5)
    assert backend.loaded.tokenizer.convert_tokens_to_ids("<extra_id_10>") == tiny.EXTRA_10
    expected = []
    for text in TEXTS:
        ids = backend.loaded.tokenizer(f"Query: {QUERY.text} Document: {text}", return_tensors="pt").input_ids
        with torch.no_grad():
            out = backend.loaded.model(input_ids=ids, decoder_input_ids=torch.tensor([[0]]))
        expected.append(float(out.logits[0, 0, tiny.EXTRA_10]))
    assert scores_of(rankt5.build(model=str(t5))) == pytest.approx(expected, abs=1e-5)


IELAB_QLM = [-53.02183532714844, -52.91912841796875, -52.72993850708008, -53.20714569091797, -53.31609344482422]


def test_query_likelihood_is_ielabs_without_the_second_start_token(t5: Path) -> None:
    """Theirs is the same numbers with one more start token, and a term for predicting it."""
    backend, template = Seq2SeqLM(t5), load_prompt("query-likelihood")
    torch = backend.loaded.torch
    requests = [template.render(QUERY, [c]) for c in documents()]
    twice = backend.nll([(Request(r.prompt, prefill="<pad>"), QUERY.text) for r in requests])
    first = [c.labels["<pad>"] for c in backend.generate([Request(r.prompt, ("<pad>",)) for r in requests]) if c.labels]
    assert [t.value + f for t, f in zip(twice, first, strict=True)] == pytest.approx(IELAB_QLM, abs=2e-5)
    target = backend.loaded.tokenizer(QUERY.text, add_special_tokens=False, return_tensors="pt").input_ids
    expected = []
    for request in requests:
        with torch.no_grad():
            logits = backend.loaded.model(input_ids=torch.tensor([backend.encode(request)]), labels=target).logits
        expected.append(float(logits[0].log_softmax(-1).gather(-1, target[0][:, None]).sum()))
    assert scores_of(query_likelihood.build(model=str(t5))) == pytest.approx(expected, abs=2e-5)
    means = scores_of(query_likelihood.build(model=str(t5), output="mean"))
    assert means == pytest.approx([e / target.shape[1] for e in expected], abs=1e-5)


UPR = [-138.8857421875, -139.96136474609375, -138.61810302734375, -139.5778350830078, -138.1343536376953]


def test_upr_equals_the_authors_sum_with_the_end_token(t5: Path) -> None:
    assert scores_of(upr.build(model=str(t5))) == pytest.approx(UPR, rel=1e-6)
    without = scores_of(upr.build(model=str(t5), eos=False))
    assert all(a > b + 0.1 for a, b in zip(without, UPR, strict=True))


def test_likelihoods_of_a_decoder_only_model_are_those_behind_the_prompt(qwen2: Path) -> None:
    backend = CausalLM(qwen2)
    torch, tokenizer = backend.loaded.torch, backend.loaded.tokenizer
    expected = []
    for text in TEXTS:
        prompt = tokenizer(f"Passage: {text}\nPlease write a question based on this passage.")["input_ids"]
        query = tokenizer(QUERY.text)["input_ids"]
        with torch.no_grad():
            rows = backend.loaded.model(input_ids=torch.tensor([prompt + query])).logits[0].log_softmax(-1)
        expected.append(sum(float(rows[len(prompt) + k - 1, t]) for k, t in enumerate(query)))
    method = query_likelihood.build(model=str(qwen2))
    assert scores_of(method) == pytest.approx(expected, abs=5e-5)
    (done,) = method.rerank([Ranking(QUERY, documents())])
    prompts = [len(backend.encode(load_prompt("query-likelihood").render(QUERY, [c]))) for c in documents()]
    assert done.usage.prompt_tokens == sum(prompts)
    assert done.usage.completion_tokens == 5 * len(tokenizer(QUERY.text)["input_ids"])


def test_cut_passages_of_a_likelihood_are_recorded(qwen2: Path) -> None:
    method = query_likelihood.build(model=str(qwen2), options={"context": 110})
    (done,) = method.rerank([Ranking(QUERY, documents())])
    assert done.repairs == {"passage_cut": 1}
    assert max(call.usage.tokens for call in done.trace) <= 110


MXBAI = [1.5292503833770752, 1.6898672580718994, 2.3822712898254395, 2.1248104572296143, 2.227285385131836]
MXBAI_IDS = [1497019653, 3182109731, 231656809, 2088090528, 1239972394]
MXBAI_TOLD = [2.0491671562194824, 2.152240753173828, 2.1492233276367188, 2.2070205211639404, 2.102078437805176]
MXBAI_TOLD_IDS = [1359354596, 3165081803, 317693504, 1921846331, 504650511]


@pytest.mark.parametrize(
    ("instruction", "scores", "ids"), [(None, MXBAI, MXBAI_IDS), ("how long", MXBAI_TOLD, MXBAI_TOLD_IDS)]
)
def test_prorank_equals_mxbai_rerank_v2(
    qwen2: Path, instruction: str | None, scores: list[float], ids: list[int]
) -> None:
    query = Query("q", QUERY.text, instruction)
    assert scores_of(prorank.build(model=str(qwen2)), query) == pytest.approx(scores, abs=1e-5)
    assert checksums(CausalLM(qwen2), "prorank", query) == ids


def test_qwen3_reranker_is_yes_against_no_behind_an_empty_thought(tmp_path: Path) -> None:
    """The model card's formula: exp(yes) / (exp(yes) + exp(no)) of the log-softmax at the last position."""
    folder = tiny.decoder(tmp_path, "Qwen3")
    backend = CausalLM(folder)
    torch, tokenizer = backend.loaded.torch, backend.loaded.tokenizer
    system = (
        "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
        'Note that the answer can only be "yes" or "no".'
    )
    expected = []
    for text in TEXTS:
        prompt = (
            f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n<Instruct>: how long\n<Query>: {QUERY.text}\n"
            f"<Document>: {text}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        )
        with torch.no_grad():
            row = backend.loaded.model(input_ids=tokenizer(prompt, return_tensors="pt").input_ids).logits[0, -1]
        pair = torch.stack([row[tokenizer.convert_tokens_to_ids(w)] for w in ("no", "yes")])
        expected.append(float(pair.log_softmax(0)[1].exp()))
    query = Query("q", QUERY.text, "how long")
    found = scores_of(qwen3_reranker.build(model=str(folder)), query)
    assert [sigmoid(s) for s in found] == pytest.approx(expected, abs=1e-5)


TEVATRON = {
    False: [1.010738492012024, 0.5981696248054504, 0.6480735540390015, -0.3723016679286957, -0.21309006214141846],
    True: [0.012705117464065552, -0.6685734391212463, 0.27791038155555725, 0.33722633123397827, -0.21535930037498474],
}
TEVATRON_IDS = {
    False: [1176430205, 2969460181, 163649750, 2295495803, 1438480661],
    True: [3480379701, 4112501552, 3632567507, 2314367525, 48635372],
}


@pytest.mark.parametrize("eos", [False, True])
def test_rankllama_equals_tevatron(llama_head: Path, eos: bool) -> None:
    method = rankllama.build(model=str(llama_head), append_eos=eos)
    assert scores_of(method, titles=TITLES) == pytest.approx(TEVATRON[eos], abs=1e-5)
    backend = SequenceClassifier(
        llama_head, query="query: {text}", document="document: {text}", join="text", append_eos=eos
    )
    shown = ["fleas long " + TEXTS[0], " " + TEXTS[1], " " + TEXTS[2], "A long title " + TEXTS[3], "floor " + TEXTS[4]]
    assert [tiny.checksum(backend._encoded(QUERY.text, text)[0]) for text in shown] == TEVATRON_IDS[eos]


def test_any_classifier_with_its_own_forms(llama_head: Path) -> None:
    forms = {"query": "query: {text}", "document": "document: {text}", "join": "text"}
    general = scores_of(sequence_classifier.build(model=str(llama_head), **forms), titles=("long",) * 5)
    assert general == pytest.approx(scores_of(rankllama.build(model=str(llama_head)), titles=("long",) * 5), abs=1e-6)
    pairs = scores_of(sequence_classifier.build(model=str(llama_head)))
    assert pairs == pytest.approx(SequenceClassifier(llama_head).pair_scores([(QUERY.text, t) for t in TEXTS]))
    assert pairs != pytest.approx(scores_of(rankllama.build(model=str(llama_head))), abs=1e-3)


def _probability(backend: CausalLM, prompt: str) -> float:
    """p(true) against false at the next token of a raw prompt, by the plain model."""
    torch, tokenizer = backend.loaded.torch, backend.loaded.tokenizer
    with torch.no_grad():
        row = backend.loaded.model(input_ids=tokenizer(prompt, return_tensors="pt").input_ids).logits[0, -1]
    true, false = (row[tokenizer(word)["input_ids"][0]] for word in (" true", " false"))
    return float(torch.stack([true, false]).softmax(0)[0])


def test_rank1_is_true_against_false_behind_the_thought(qwen2: Path) -> None:
    """rank1.py of orionw/rank1 30585c2 needs vllm; what it asks is written out here for the plain model."""
    backend = CausalLM(qwen2)
    prompts = [
        "Determine if the following passage is relevant to the query. Answer only with 'true' or 'false'.\n"
        f"Query: {QUERY.text}\nPassage: {text}\n<think>"
        for text in TEXTS
    ]
    thoughts = backend.generate([Request(p, max_tokens=24) for p in prompts])
    forced = [not thought.finished for thought in thoughts]  # this model also ends some by itself
    closed = [f"\n{whole_sentences(t.text)}\n" if cut else t.text for t, cut in zip(thoughts, forced, strict=True)]
    expected = [_probability(backend, f"{p}{t}</think>") for p, t in zip(prompts, closed, strict=True)]
    (done,) = rank1.build(model=str(qwen2), max_tokens=32).rerank([Ranking(QUERY, documents())])
    found = {c.id: c.score for c in done.candidates}
    assert [found[str(i)] for i in range(5)] == pytest.approx(expected, abs=1e-5)
    assert done.repairs == {"forced_close": sum(forced)} and 0 < sum(forced) < 5
    assert done.usage.calls == 10
    assert done.usage.completion_tokens == sum(t.usage.completion_tokens for t in thoughts)

    close = thoughts[0].text[10:12]  # something that this model does say
    scorer = Reasoned(load_prompt("rank1"), YesNo(" true", " false", "probability"), backend, close=close)
    (call,) = scorer.score([(QUERY, documents()[:1])])
    said = thoughts[0].text.partition(close)[0]
    assert call.scores[0] == pytest.approx(_probability(backend, f"{prompts[0]}{said}{close}"), abs=1e-5)
    assert call.repairs == () and call.output == f"<think>{said}{close}"


def test_the_message_form_of_a_prompt_is_the_authors_text(qwen2: Path) -> None:
    backend = CausalLM(qwen2)
    request = load_prompt("prorank").render(QUERY, [documents()[0]])
    assert isinstance(request.prompt, tuple) and isinstance(request.prompt[0], Message)
    text = backend.loaded.tokenizer.decode(backend.encode(request))
    assert text.startswith("<|im_start|>system\nYou are Qwen, created by Alibaba Cloud.")
    assert text.endswith("1 for relevant).\nRelevance:<|im_end|>\n<|im_start|>assistant\n")
