"""A model of another kind, or a prompt of another paradigm, is refused before weights are read; doubts are logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shortlist import load
from shortlist.backends.fake import Oracle
from shortlist.backends.kinds import expect, kind_of
from shortlist.backends.opening import template_text
from shortlist.core.errors import ConfigError

LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
T5 = {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "is_encoder_decoder": True}
BERT = {"architectures": ["BertModel"], "model_type": "bert"}
MASKED = {"architectures": ["RobertaForMaskedLM"], "model_type": "roberta"}
BARE = {"architectures": ["MistralModel"], "model_type": "mistral"}
NOTHING: dict[str, Any] = {}


def folder(tmp_path: Path, config: dict[str, Any], *also: str) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name in also:
        (tmp_path / name).write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("config", "wanted", "says"),
    [
        (T5, "causal", r"is an encoder-decoder \(T5ForConditionalGeneration\); this needs a decoder-only language"),
        (T5, "embedding", "is an encoder-decoder"),
        (BERT, "causal", "is an encoder, which writes no text"),
        (MASKED, "causal", "is an encoder, which writes no text"),
        (LLAMA, "seq2seq", "is a decoder-only model"),
        (BERT, "seq2seq", "is an encoder alone"),
        (LLAMA, "gliclass", "needs a GLiClass model"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, config: dict[str, Any], wanted: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        expect(folder(tmp_path, config), wanted)


@pytest.mark.parametrize(
    ("config", "also", "wanted", "says"),
    [
        (LLAMA, "modules.json", "causal", "looks like an embedding model"),
        (BARE, "", "causal", "has no language-model head"),
        (LLAMA, "", "embedding", "looks like a generative model"),
        (LLAMA, "", "encoder", "looks like a generative model"),
        (BERT, "modules.json", "embedding", "is an encoder, whose last token"),
    ],
)
def test_what_may_work_is_doubted_aloud(
    tmp_path: Path, config: dict[str, Any], also: str, wanted: Any, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    expect(folder(tmp_path, config, *filter(None, [also])), wanted)
    assert says in caplog.text


@pytest.mark.parametrize(
    ("config", "also", "wanted"),
    [
        (LLAMA, "", "causal"),
        (LLAMA, "modules.json", "embedding"),
        (BARE, "", "embedding"),
        (T5, "", "seq2seq"),
        ({"architectures": ["BertLMHeadModel"], "model_type": "bert", "is_decoder": True}, "", "causal"),
        (BERT, "", "encoder"),
        (NOTHING, "", "causal"),
        (NOTHING, "", "gliclass"),
        ({"architectures": None, "model_type": "t5"}, "", "seq2seq"),
        ({"architectures": ["MyOwnLM"], "model_type": "own"}, "", "seq2seq"),
        ({"architectures": ["GLiClassModel"], "model_type": "GLiClass"}, "", "gliclass"),
        (T5, "", "classification"),
    ],
)
def test_what_fits_or_is_unknown_passes_in_silence(
    tmp_path: Path, config: dict[str, Any], also: str, wanted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    expect(folder(tmp_path, config, *filter(None, [also])), wanted)
    assert caplog.text == ""


def test_a_hub_name_and_what_is_unreadable_are_left_to_loading(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[1")
    assert kind_of("Qwen/Qwen3-0.6B") is None and kind_of(tmp_path) is None
    (tmp_path / "config.json").write_text("[1]")
    assert kind_of(tmp_path) is None


@pytest.mark.parametrize(
    ("method", "prompt", "says"),
    [
        ("yes-no", "first", r"'first' is listwise, about several passages at a time; YesNo reads an answer about one"),
        ("rankgpt", "yes-no", r"'yes-no' is pointwise, about one passage at a time; Permutation reads"),
        ("prp", "erank", "is pointwise"),
    ],
)
def test_a_prompt_of_another_paradigm_is_refused(method: str, prompt: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(method, backend=Oracle(), prompt=prompt)


def test_a_chat_template_is_a_text_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "chat.jinja"
    path.write_text("{{ messages }}")
    assert template_text(str(path)) == template_text(path) == template_text("{{ messages }}") == "{{ messages }}"
    with pytest.raises(ConfigError, match=r"neither a template .* nor a file"):
        template_text("no-such-file.jinja")


def test_the_server_takes_the_longest_answer_that_a_method_asks_for() -> None:
    from shortlist.prompts import available_prompts, load_prompt
    from shortlist.serve import Limits

    assert max(load_prompt(name).max_tokens for name in available_prompts()) <= Limits().max_tokens
