"""Loading: what is refused, and whether the message helps."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shortlist.backends.transformers import CausalLM, Seq2SeqLM, load_local
from shortlist.core.errors import BackendError, ConfigError, MissingExtra


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"no folder .*/absent'.*give an existing folder or a hub name"):
        load_local(tmp_path / "absent", "causal")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(BackendError, match=r"config.json is missing \(it holds notes.txt\)"):
        load_local(tmp_path, "causal")


def test_a_folder_without_weights(tmp_path: Path, decoders: dict[str, Path]) -> None:
    folder = shutil.copytree(decoders["llama"], tmp_path / "copy")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BackendError, match="cannot be loaded as a causal model"):
        load_local(folder, "causal")


def test_a_hub_name_offline_says_what_was_tried() -> None:
    with pytest.raises(BackendError, match=r"not the hub itself \(HF_HUB_OFFLINE is set\); run `hf download"):
        load_local("nobody-at-all/nothing", "causal")


def test_a_wrong_task(decoders: dict[str, Path], t5: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a decoder-only model .* needs an encoder-decoder"):
        Seq2SeqLM(decoders["llama"]).loaded  # noqa: B018
    with pytest.raises(ConfigError, match=r"is an encoder-decoder .* needs a decoder-only language model"):
        CausalLM(t5).loaded  # noqa: B018


def test_device_and_dtype(decoders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="device='nowhere' is not usable here"):
        load_local(decoders["llama"], "causal", device="nowhere")
    with pytest.raises(ConfigError, match="expected one of auto, float32"):
        load_local(decoders["llama"], "causal", dtype="int3")
    loaded = load_local(decoders["llama"], "causal", device="cpu", dtype="bfloat16")
    assert str(loaded.model.dtype) == "torch.bfloat16"
    assert loaded.digest.endswith("-bfloat16")
    assert loaded.window == 512


def test_bfloat16_ranks_about_as_float32(decoders: dict[str, Path]) -> None:
    from shortlist.core.exchange import Request

    asked = [Request("how long do fleas live?", ("A", "B", "C"), prefill="[")]
    full = CausalLM(decoders["llama"]).generate(asked)[0].labels or {}
    half = CausalLM(decoders["llama"], dtype="bfloat16").generate(asked)[0].labels or {}
    assert list(half.values()) == pytest.approx(list(full.values()), abs=0.5)
    assert half != full


def test_an_adapter_needs_peft_or_a_folder(decoders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises((BackendError, MissingExtra), match=r"adapter .* cannot be put on|peft is not installed"):
        load_local(decoders["llama"], "causal", adapter=tmp_path)


def test_nothing_is_loaded_before_first_use(make_decoder: Callable[..., Path]) -> None:
    backend = CausalLM("some/name", threads=1)
    assert "loaded" not in vars(backend)
    assert eval(repr(backend)) == backend
