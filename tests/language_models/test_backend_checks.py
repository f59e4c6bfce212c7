"""The public checks of a backend hold for every local backend, and find one whose padding is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shortlist.backends.http import OpenAICompatible
from shortlist.backends.transformers import (
    AttentionLM,
    CausalLM,
    Embedder,
    FusionInDecoder,
    Seq2SeqLM,
    SequenceClassifier,
)
from shortlist.backends.transformers.passes import Passes
from shortlist.check import Outcome, examine_backend
from shortlist.serve import LanguageModelServer

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gpt2")
MAY_BE_UNSEEN = {
    "generate: ends at a stop",
    "nll: agrees with its likelihoods",
    "token_logprobs: agrees with its labels",
}
"""What tiny random models do not always give an occasion for: words that are tokenised again as they were written."""


def examined(backend: Any) -> list[Outcome]:
    """All outcomes; fails unless all are ok, but for those that may have nothing to look at."""
    outcomes = list(examine_backend(backend))
    assert [o for o in outcomes if o.state == "FAILED"] == []
    assert {o.check for o in outcomes if o.state == "not checked"} <= MAY_BE_UNSEEN
    return outcomes


@pytest.mark.parametrize("family", FAMILIES)
def test_causal_models_hold_what_is_promised(decoders: dict[str, Path], family: str) -> None:
    assert len(examined(CausalLM(decoders[family]))) > 35


def test_the_trained_model_leaves_nothing_unseen(trained: Path) -> None:
    assert {o.state for o in examined(CausalLM(trained))} == {"ok"}


def test_a_model_without_a_chat_template_is_asked_by_plain_prompts(
    make_decoder: Callable[..., Path], tmp_path: Path
) -> None:
    examined(CausalLM(make_decoder(tmp_path, "llama", template=None)))


@pytest.mark.slow
def test_encoder_decoders_hold_it_in_process_and_served(t5: Path) -> None:
    assert len(examined(Seq2SeqLM(t5))) > 35
    with LanguageModelServer(Seq2SeqLM(t5, max_length=1500), port=0) as server:
        remote = OpenAICompatible(server.url, server.name)
        outcomes = list(examine_backend(remote))
        remote.close()
    assert [o for o in outcomes if o.state == "FAILED"] == []


def test_classifiers_and_embedders_hold_it(make_decoder: Callable[..., Path], tmp_path: Path) -> None:
    classifier = make_decoder(tmp_path / "a", "llama", head="SequenceClassification", num_labels=1)
    for limit in (None, 100):
        assert {o.state for o in examined(SequenceClassifier(classifier, max_length=limit))} == {"ok"}
    folder = make_decoder(tmp_path / "b", "qwen3")
    assert {o.state for o in examined(Embedder(folder))} == {"ok"}
    narrow = list(examine_backend(Embedder(folder, max_length=100)))
    assert {o.check.partition(":")[0] for o in narrow if o.state != "ok"} == {"embed_prompts"}
    assert {o.state for o in narrow} == {"ok", "not checked"}


def test_readers_of_lists_hold_it(make_decoder: Callable[..., Path], tmp_path: Path, t5: Path) -> None:
    attention = AttentionLM(make_decoder(tmp_path / "llama", "llama", max_position_embeddings=2048))
    assert {o.state for o in examined(attention)} == {"ok"}
    outcomes = examined(FusionInDecoder(t5))
    assert {"cross_attention: does not depend on the batch", "views: is repeatable"} <= {o.check for o in outcomes}


def test_padding_that_is_read_is_found(decoders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    step = Passes.step

    def unmasked(self: Passes, ids: Any, mask: Any, *rest: Any, **more: Any) -> Any:
        return step(self, ids, mask * 0 + 1, *rest, **more)

    monkeypatch.setattr(Passes, "step", unmasked)
    failed = {
        o.check for o in examine_backend(CausalLM(decoders["llama"], share_prefixes=False)) if o.state == "FAILED"
    }
    assert {"label_logits: does not depend on the batch", "nll: does not depend on the batch"} <= failed


def test_a_text_that_is_cut_in_silence_is_found(decoders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    encode = CausalLM._encoded

    def cut(self: CausalLM, request: Any) -> Any:
        ids, pieces = encode(self, request)
        return ids[-300:], pieces

    monkeypatch.setattr(CausalLM, "_encoded", cut)
    failed = {o.check for o in examine_backend(CausalLM(decoders["qwen2"])) if o.state == "FAILED"}
    ways = ("generate", "label_logits")
    assert {f"{way}: counts all of a long prompt" for way in ways} <= failed
