"""Sequence classification of several architectures: the last real token, padding, forms of pairs, cuts."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shortlist.backends.transformers import SequenceClassifier
from shortlist.core.errors import BackendError, ConfigError
from shortlist.core.protocols import Capability
from shortlist.core.types import Candidate, Document, Query, Scale
from shortlist.scorers.pairs import Pairs

PAIRS = [
    ("how long do fleas live?", "A flea lives a hundred days."),
    ("cost of concrete", "the cost of concrete floors is low in spring " * 4),
    ("flea", "no"),
]


def plain(backend: SequenceClassifier, ids: list[int]) -> list[float]:
    """One row through the model alone."""
    torch = backend.loaded.torch
    with torch.no_grad():
        logits: list[float] = backend.loaded.model(input_ids=torch.tensor([ids])).logits[0].tolist()
    return logits


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "gpt2"])
def test_batched_scores_equal_single_ones(tmp_path: Path, make_decoder: Callable[..., Path], family: str) -> None:
    folder = make_decoder(tmp_path, family, head="SequenceClassification", num_labels=1)
    backend = SequenceClassifier(folder, join="text")
    tokenizer = backend.loaded.tokenizer
    expected = [plain(backend, tokenizer(f"{q} {d}")["input_ids"])[0] for q, d in PAIRS]
    assert backend.pair_scores(PAIRS) == pytest.approx(expected, abs=1e-5)
    assert [backend.pair_scores([p])[0] for p in PAIRS] == pytest.approx(expected, abs=1e-5)
    assert len(set(expected)) == 3
    assert backend.pair_scores([]) == []


def test_rankllama_pairs_have_two_bos_and_their_forms(tmp_path: Path, make_decoder: Callable[..., Path]) -> None:
    folder = make_decoder(tmp_path, "llama", head="SequenceClassification", num_labels=1, bos=True)
    backend = SequenceClassifier(folder, query="query: {text}", document="document: {text}")
    ids = backend.loaded.tokenizer("query: how long", "document: a flea")["input_ids"]
    assert ids.count(3) == 2
    assert backend.pair_scores([("how long", "a flea")]) == pytest.approx(plain(backend, ids)[:1], abs=1e-6)


def test_a_text_may_end_with_the_padding_token(tmp_path: Path, make_decoder: Callable[..., Path]) -> None:
    """With pad = eos and an eos at the end, transformers' own search finds the wrong last token."""
    folder = make_decoder(tmp_path, "llama", head="SequenceClassification", num_labels=1)
    backend = SequenceClassifier(folder, join="text", append_eos=True)
    tokenizer, torch = backend.loaded.tokenizer, backend.loaded.torch
    tokenizer.pad_token = tokenizer.eos_token
    backend.loaded.config.pad_token_id = tokenizer.eos_token_id
    head = backend.loaded.model.score
    expected = []
    for q, d in PAIRS:
        ids = [*tokenizer(f"{q} {d}")["input_ids"], tokenizer.eos_token_id]
        with torch.no_grad():
            expected.append(float(head(backend.loaded.model.model(torch.tensor([ids])).last_hidden_state[0, -1])[0]))
    assert backend.pair_scores(PAIRS) == pytest.approx(expected, abs=1e-5)


def test_long_documents_lose_their_end_and_are_counted(tmp_path: Path, make_decoder: Callable[..., Path]) -> None:
    folder = make_decoder(tmp_path, "llama", head="SequenceClassification", num_labels=1)
    backend = SequenceClassifier(folder, max_length=24)
    long = "the cost of concrete floors is low in spring " * 6
    assert backend.pair_scores([("flea", long)]) == backend.pair_scores([("flea", long + " and more")])
    assert backend.counts["cut"] == 2
    passages = backend.split_document(long, query="flea")
    assert len(passages) > 3
    backend.counts.clear()
    backend.pair_scores([("flea", passage) for passage in passages])
    assert backend.counts["cut"] == 0
    assert "".join(passages).count("spring") >= long.count("spring")


def test_it_serves_the_pairs_scorer(tmp_path: Path, make_decoder: Callable[..., Path]) -> None:
    folder = make_decoder(tmp_path, "qwen2", head="SequenceClassification", num_labels=2)
    backend = SequenceClassifier(folder)
    assert backend.capabilities == {Capability.PAIR_SCORES}
    candidates = [Candidate(Document(str(i), text)) for i, (_, text) in enumerate(PAIRS)]
    call = Pairs(backend).score([(Query("q", "how long?"), candidates)])[0]
    ids = backend.loaded.tokenizer("how long?", PAIRS[0][1])["input_ids"]
    two = plain(backend, ids)
    assert call.scores[0] == pytest.approx(two[1] - two[0], abs=1e-5)
    assert Pairs(backend).scale == Scale.LOGIT


def test_control_tokens_in_documents_stay_text(tmp_path: Path, make_decoder: Callable[..., Path]) -> None:
    folder = make_decoder(tmp_path, "llama", head="SequenceClassification", num_labels=1)
    ids, _ = SequenceClassifier(folder)._encoded("a <|im_end|> b", "<|pad|> flea <s>")
    assert not {0, 1, 2, 3} & set(ids)


def test_outputs_are_chosen_and_refused(tmp_path: Path, make_decoder: Callable[..., Path]) -> None:
    folder = make_decoder(tmp_path, "llama", head="SequenceClassification", num_labels=3)
    with pytest.raises(ConfigError, match=r"3 outputs; say with label="):
        SequenceClassifier(folder).pair_scores(PAIRS)
    with pytest.raises(ConfigError, match="label is 5"):
        SequenceClassifier(folder, label=5).pair_scores(PAIRS)
    backend = SequenceClassifier(folder, label=2, join="text")
    ids = backend.loaded.tokenizer(" ".join(PAIRS[0]))["input_ids"]
    assert backend.pair_scores(PAIRS[:1]) == pytest.approx([plain(backend, ids)[2]], abs=1e-5)
    with pytest.raises(ConfigError, match=r"expected \{text\} in it once"):
        SequenceClassifier(folder, query="query: ")


def test_a_model_without_a_head_is_refused(decoders: dict[str, Path]) -> None:
    with pytest.raises(BackendError, match=r"no weights for score.weight: it is no classification model"):
        SequenceClassifier(decoders["llama"]).pair_scores(PAIRS)


def test_a_bert_gets_its_types(tmp_path: Path, make_decoder: Callable[..., Path]) -> None:
    """An encoder: padding by the mask, token types by the tokenizer's own pair."""
    import torch
    import transformers

    make_decoder(tmp_path, "llama", bos=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        num_labels=1, pad_token_id=0,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).eval().save_pretrained(tmp_path)
    backend = SequenceClassifier(tmp_path)
    expected = [plain(backend, tokenizer(*pair)["input_ids"])[0] for pair in PAIRS]
    assert backend.pair_scores(PAIRS) == pytest.approx(expected, abs=1e-5)


@pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="peft is not installed")
@pytest.mark.filterwarnings("ignore")
def test_an_adapter_brings_head_and_weights(tmp_path: Path, make_decoder: Callable[..., Path]) -> None:
    """RankLLaMA's way: a causal base model, LoRA on it, and the head among the adapter's files."""
    import peft
    import torch
    import transformers

    base = make_decoder(tmp_path / "base", "llama")
    torch.manual_seed(5)
    model: Any = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    config = peft.LoraConfig(
        task_type="SEQ_CLS", r=4, target_modules=["q_proj", "v_proj"], modules_to_save=["score"],
        init_lora_weights=False,
    )  # fmt: skip
    tuned = peft.get_peft_model(model, config).eval()
    tuned.save_pretrained(tmp_path / "adapter")
    backend = SequenceClassifier(base, adapter=tmp_path / "adapter", num_labels=1, join="text")
    expected = []
    for q, d in PAIRS:
        with torch.no_grad():
            expected.append(
                float(tuned(torch.tensor([backend.loaded.tokenizer(f"{q} {d}")["input_ids"]])).logits[0, 0])
            )
    assert backend.pair_scores(PAIRS) == pytest.approx(expected, abs=1e-5)
    assert "+" in backend.loaded.digest
