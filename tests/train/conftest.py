"""Tiny random models and generated samples; the tests that train are skipped without torch."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortlist import Ranking
from shortlist.train.generated import generated


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Folders of an encoder and of a decoder, with and without a language-model head. One thread, no network."""
    torch = pytest.importorskip("torch", reason="torch is not installed (extra `train`)")
    pytest.importorskip("transformers", reason="transformers is not installed (extra `train`)")
    pytest.importorskip("accelerate", reason="accelerate is not installed (extra `train`)")
    from shortlist.train.tiny import tiny_model

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    constants = importlib.import_module("huggingface_hub").constants
    root = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        yield {
            "encoder": tiny_model(root / "encoder", "embedding"),
            "causal": tiny_model(root / "causal", "causal", decoder=True),
            "t5": tiny_model(root / "t5", "seq2seq"),
            "embedder": tiny_model(root / "embedder", "embedding", decoder=True),
        }
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def samples() -> list[Ranking]:
    return generated(64, 8, seed=1)
