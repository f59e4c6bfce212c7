"""Cross-encoder scores against numpy, and families of models against transformers where torch is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from shortlist.backends.embedded import Encoder, Length, PairScorer
from shortlist.core.errors import ConfigError
from shortlist.core.protocols import Capability
from shortlist.core.types import Candidate, Document, Query, Scale
from shortlist.scorers import Pairs

QUERY = "how long is the life of a flea"
PAIRS = [
    (QUERY, "a flea lives about a hundred days"),
    (QUERY, ""),
    ("", "concrete floor"),
    (QUERY, "日本 cost of interior concrete, \U0001f600 " * 3),
    (QUERY, "a flea lives about a hundred days"),
]
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")


def test_logits_are_those_of_the_forward_pass_in_numpy(tiny: Path, oracle: type) -> None:
    expected = [oracle().logits(*pair)[0] for pair in PAIRS]
    scorer = PairScorer(tiny, precision="fp32")
    np.testing.assert_allclose(scorer.pair_scores(PAIRS), expected, atol=2e-5)
    assert scorer.stats.padding == 1.0
    assert scorer.scale is Scale.LOGIT
    assert scorer.capabilities == {Capability.PAIR_SCORES}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_pair_has_the_same_score_alone_and_in_any_company(tiny: Path, precision: str) -> None:
    scorer = PairScorer(tiny, precision=precision)  # type: ignore[arg-type]
    together = scorer.pair_scores(PAIRS * 4)
    for i, pair in enumerate(PAIRS):
        assert set(together[i :: len(PAIRS)]) == set(scorer.pair_scores([pair]))


def test_int8_stays_near_fp32(tiny: Path) -> None:
    exact, rounded = (np.array(PairScorer(tiny, precision=p).pair_scores(PAIRS)) for p in ("fp32", "int8"))
    assert np.abs(exact - rounded).max() < 0.1


def test_two_and_more_outputs(make_model: object, oracle: type) -> None:
    two = make_model(labels=2)  # type: ignore[operator]
    expected = np.array([oracle(labels=2).logits(*pair) for pair in PAIRS])
    scorer = PairScorer(two, precision="fp32")
    np.testing.assert_allclose(scorer.logits(PAIRS), expected, atol=2e-5)
    np.testing.assert_allclose(scorer.pair_scores(PAIRS), expected[:, 1] - expected[:, 0], atol=4e-5)
    three = make_model(labels=3)  # type: ignore[operator]
    with pytest.raises(ConfigError, match="3 outputs; say with label="):
        PairScorer(three).pair_scores(PAIRS)
    assert len(PairScorer(three, label=2, precision="fp32").pair_scores(PAIRS)) == 5
    with pytest.raises(ConfigError, match="label is 3"):
        PairScorer(three, label=3).pair_scores(PAIRS)


def test_no_pairs(tiny: Path) -> None:
    assert PairScorer(tiny).pair_scores([]) == []
    assert PairScorer(tiny).logits([]).shape == (0, 1)


def test_a_long_document_is_cut_at_its_end_and_counted(tiny: Path, oracle: type) -> None:
    scorer = PairScorer(tiny, precision="fp32", max_length=24)
    pair = (QUERY, "flea " * 100)
    kept = 24 - 3 - 8
    np.testing.assert_allclose(scorer.pair_scores([pair]), oracle().logits(QUERY, "flea " * kept), atol=2e-5)
    assert scorer.stats.cut == 1
    assert scorer.lengths([pair, ("a", "b")]) == [Length(111, 24), Length(5, 5)]


def test_a_query_longer_than_the_window_leaves_room_for_the_document(tiny: Path, oracle: type) -> None:
    scorer = PairScorer(tiny, precision="fp32", max_length=23)
    expected = oracle().logits("how " * 15, "flea " * 5)
    np.testing.assert_allclose(scorer.pair_scores([("how " * 90, "flea " * 90)]), expected, atol=2e-5)


def test_a_cut_query_is_the_same_beside_every_document_and_is_recorded(tiny: Path, oracle: type) -> None:
    scorer = PairScorer(tiny, precision="fp32", max_length=23)
    query = "how " * 18  # would fit beside one word
    np.testing.assert_allclose(scorer.pair_scores([(query, "flea")]), oracle().logits("how " * 15, "flea"), atol=2e-5)
    assert scorer.stats.cut == 1
    assert scorer.lengths([query, "how"], kind="query") == [Length(18, 15), Length(1, 1)]
    candidates = tuple(Candidate(Document(str(i), text)) for i, text in enumerate(["flea", "concrete"]))
    (call,) = Pairs(scorer).score([(Query("q", query), candidates)])
    assert [(r.kind, r.detail) for r in call.repairs] == [("query_cut", "15 of 18 tokens")]
    assert Pairs(scorer).score([(Query("q", "how"), candidates)])[0].repairs == ()


def test_passages_of_a_split_fit_beside_the_query(tiny: Path) -> None:
    scorer = PairScorer(tiny, max_length=32)
    for query in (QUERY, "how " * 200):
        passages = scorer.split_document("concrete floors cost a hundred. " * 20, query=query)
        scorer.pair_scores([(query, passage) for passage in passages])
        assert len(passages) > 3
    assert scorer.stats.cut == len(passages)  # the long query's own cut, once a passage; never a passage's


def test_an_encoder_without_a_head_is_no_cross_encoder(make_model: object) -> None:
    with pytest.raises(ConfigError, match="no sequence-classification head"):
        PairScorer(make_model(head=False)).pair_scores(PAIRS)  # type: ignore[operator]


def families() -> list[tuple[str, dict[str, object]]]:
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return [
        ("Bert", {**shape, "num_labels": 2}),
        ("Bert", {**shape, "num_labels": 1, "hidden_act": "gelu_new"}),
        ("Bert", {**shape, "num_labels": 1, "hidden_act": "relu"}),
        ("Roberta", {**shape, "num_labels": 1, "type_vocab_size": 1}),
        ("XLMRoberta", {**shape, "num_labels": 1, "type_vocab_size": 1}),
        ("Camembert", {**shape, "num_labels": 3, "type_vocab_size": 1}),
        ("Electra", {**shape, "num_labels": 1, "embedding_size": 32}),
        ("DistilBert", {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "num_labels": 1}),
    ]


@needs_torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "settings"), families())
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "torch"])
def test_families_equal_transformers(
    tmp_path: Path, tiny: Path, family: str, settings: dict[str, object], runtime: str
) -> None:
    if importlib.util.find_spec(runtime) is None:
        pytest.skip(f"{runtime} is not installed")
    import torch
    import transformers

    torch.manual_seed(1)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=150, max_position_embeddings=66, pad_token_id=0, **settings
    )
    model = getattr(transformers, f"{family}ForSequenceClassification")(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((tiny / "tokenizer.json").read_bytes())
    scorer = PairScorer(tmp_path, precision="fp32", runtime=runtime)  # type: ignore[arg-type]
    logits, states = scorer.logits(PAIRS), Encoder(tmp_path, precision="fp32", runtime=runtime).token_states([QUERY])  # type: ignore[arg-type]
    typed = getattr(config, "type_vocab_size", 1) > 1 and family != "DistilBert"
    for (query, text), ours in zip(PAIRS, logits, strict=True):
        encoded = scorer._loaded.model.tokens.tokenizer.encode(query, text)
        types = {"token_type_ids": torch.tensor([encoded.type_ids])} if typed else {}
        with torch.inference_mode():
            theirs = model(input_ids=torch.tensor([encoded.ids]), **types).logits[0].numpy()
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    encoded = scorer._loaded.model.tokens.tokenizer.encode(QUERY)
    with torch.inference_mode():
        theirs = model.base_model(input_ids=torch.tensor([encoded.ids])).last_hidden_state[0].numpy()
    np.testing.assert_allclose(states[0], theirs, atol=1e-4)


@needs_torch
@pytest.mark.filterwarnings("ignore")
def test_a_family_that_is_not_built_here_runs_in_torch(tmp_path: Path, tiny: Path) -> None:
    import torch
    import transformers

    torch.manual_seed(1)
    config = transformers.DebertaV2Config(
        vocab_size=150, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, num_labels=1
    )
    model = transformers.DebertaV2ForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((tiny / "tokenizer.json").read_bytes())
    scorer = PairScorer(tmp_path, precision="fp32")
    assert scorer.choice.runtime == "torch"
    for pair, score in zip(PAIRS, scorer.pair_scores(PAIRS), strict=True):
        ids = scorer._loaded.model.tokens.tokenizer.encode(*pair).ids
        with torch.inference_mode():
            assert score == pytest.approx(float(model(input_ids=torch.tensor([ids])).logits), abs=1e-4)


@needs_torch
@pytest.mark.filterwarnings("ignore")
def test_scores_equal_sentence_transformers(tmp_path: Path, tiny: Path) -> None:
    if importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("sentence-transformers is not installed")
    import torch
    from sentence_transformers import CrossEncoder
    from transformers import AutoModelForSequenceClassification, BertTokenizerFast

    tokenizer = BertTokenizerFast(tokenizer_file=str(tiny / "tokenizer.json"))
    AutoModelForSequenceClassification.from_pretrained(tiny).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    pairs = [*PAIRS, ("how long", "flea " * 100)]
    theirs = CrossEncoder(str(tmp_path), device="cpu", max_length=64).predict(pairs, activation_fn=torch.nn.Identity())
    np.testing.assert_allclose(PairScorer(tiny, precision="fp32").pair_scores(pairs), theirs, atol=1e-4)
