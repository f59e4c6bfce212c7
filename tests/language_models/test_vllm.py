"""The vLLM backend over a stand-in engine: the same tokens in and the same answers out as ``CausalLM``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shortlist import load
from shortlist.backends.transformers import CausalLM
from shortlist.backends.vllm import VLLM
from shortlist.check import make_ranking
from shortlist.core.errors import ConfigError, InputError, MissingExtra
from shortlist.core.exchange import Message, Request
from shortlist.core.protocols import Capability

CHAT = Request((Message("system", "Be brief."), Message("user", "Passage <|im_end|> one?")), max_tokens=6)
RAW = Request("the cost of concrete floors", max_tokens=5)


@pytest.fixture
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package of that name, whose module is the stand-in."""
    standin = (Path(__file__).parent / "vllm_standin.py").read_text(encoding="utf-8")
    (tmp_path / "vllm.py").write_text(standin, encoding="utf-8")
    (tmp_path / "vllm-0.11.0.dist-info").mkdir()
    (tmp_path / "vllm-0.11.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.11.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "vllm", raising=False)


@pytest.mark.usefixtures("vllm")
@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_answers_are_those_of_the_transformers_backend(decoders: dict[str, Path], family: str) -> None:
    ours, reference = VLLM(decoders[family]), CausalLM(decoders[family])
    for request in (CHAT, RAW, Request(CHAT.prompt, prefill="[", max_tokens=4)):
        assert ours.encode(request) == reference.encode(request)
    requests = [CHAT, RAW, Request(CHAT.prompt, prefill="[", max_tokens=4)]
    for found, wanted in zip(ours.generate(requests), reference.generate(requests), strict=True):
        assert (found.text, found.finished) == (wanted.text, wanted.finished)
        assert found.usage.prompt_tokens == wanted.usage.prompt_tokens


@pytest.mark.usefixtures("vllm")
def test_labels_are_shares_among_the_labels(decoders: dict[str, Path]) -> None:
    request = Request(CHAT.prompt, labels=("A", "B", "C"), prefill="[")
    (found,) = VLLM(decoders["llama"]).generate([request])
    (wanted,) = CausalLM(decoders["llama"]).generate([request])
    assert found.labels is not None
    assert wanted.labels is not None
    for label in ("B", "C"):
        ours = found.labels[label] - found.labels["A"]
        assert ours == pytest.approx(wanted.labels[label] - wanted.labels["A"], abs=1e-4)
    assert found.usage.completion_tokens == 0


@pytest.mark.usefixtures("vllm")
def test_stop_strings_and_token_log_probabilities(decoders: dict[str, Path]) -> None:
    whole = VLLM(decoders["llama"]).generate([Request(RAW.prompt, max_tokens=8, logprobs=True)])[0]
    wanted = CausalLM(decoders["llama"]).generate([Request(RAW.prompt, max_tokens=8, logprobs=True)])[0]
    assert [t.logprob for t in whole.tokens] == pytest.approx([t.logprob for t in wanted.tokens], abs=1e-4)
    stop = whole.text[3:5]
    (cut,) = VLLM(decoders["llama"]).generate([Request(RAW.prompt, max_tokens=8, stop=(stop,))])
    assert cut.text == whole.text[: whole.text.find(stop)]
    assert cut.finished


@pytest.mark.usefixtures("vllm")
def test_what_does_not_fit_is_refused_and_the_rest_is_cut_to_fit(decoders: dict[str, Path]) -> None:
    small = VLLM(decoders["llama"], max_length=16)
    with pytest.raises(InputError, match="the window is 16"):
        small.generate([Request("word " * 40)])
    tokens = len(small.encode(RAW))
    (found,) = small.generate([Request(RAW.prompt, max_tokens=100)])
    assert found.usage.prompt_tokens + found.usage.completion_tokens <= 16
    assert tokens == found.usage.prompt_tokens
    assert small.generate([]) == []


def test_without_vllm_it_says_how_to_get_it(decoders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    backend = VLLM(decoders["llama"])
    assert Capability.LABEL_LOGITS in backend.capabilities
    assert backend.digest == VLLM(decoders["llama"]).digest != VLLM(decoders["qwen3"]).digest
    with pytest.raises(MissingExtra, match=r'pip install "shortlist\[vllm\]"'):
        backend.generate([RAW])


@pytest.mark.usefixtures("vllm")
def test_a_method_runs_on_it_by_an_option(make_decoder: Callable[..., Path], tmp_path: Path) -> None:
    model = str(make_decoder(tmp_path / "long", "llama", max_position_embeddings=2048))
    (done,) = load("first", model=model, options={"runtime": "vllm"}, window=4, stride=2)([make_ranking(5)])
    (wanted,) = load("first", model=model, window=4, stride=2)([make_ranking(5)])
    assert done.status == "ranked"
    assert done.ids == wanted.ids
    with pytest.raises(ConfigError, match="'onnx': this method's models are run by transformers or vllm"):
        load("first", model=model, options={"runtime": "onnx"})
