"""Model folders and weight files: what is read, and what is said about those that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shortlist.backends.embedded import Encoder
from shortlist.backends.embedded.folder import find_model
from shortlist.backends.embedded.int8_rows import quantise_rows
from shortlist.backends.embedded.onnx_graph import Graph
from shortlist.backends.embedded.weights import Weights
from shortlist.core.errors import ConfigError, InputError


@given(arrays(np.float32, (3, 8), elements=st.floats(-1e6, 1e6, width=32)))
def test_the_error_of_a_quantised_row_is_at_most_half_a_step(matrix: np.ndarray) -> None:
    rows, scale = quantise_rows(matrix)
    assert rows.dtype == np.int8
    assert (np.abs(rows * scale[:, None] - matrix) <= scale[:, None] * 0.5001 + 1e-30).all()


def write(path: Path, dtype: str, shape: list[int], data: bytes) -> Path:
    header = json.dumps(
        {"x": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}, "__metadata__": {}}
    ).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


def test_float_types_are_read_as_float32(tmp_path: Path) -> None:
    values = np.array([1.0, -2.5, 0.0], np.float32)
    half = Weights((write(tmp_path / "a", "F16", [3], values.astype("<f2").tobytes()),))
    upper = Weights((write(tmp_path / "b", "BF16", [3], (values.view(np.uint32) >> 16).astype("<u2").tobytes()),))
    for weights in (half, upper):
        assert weights.floats("x").tolist() == values.tolist()
        assert weights.floats("x").dtype == np.float32
    assert half.digest() != upper.digest()


@pytest.mark.parametrize("content", [b"", b"\x05\0\0\0\0\0\0\0hello", b"\xff" * 40])
def test_a_broken_weight_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors: not a safetensors file, or cut short"):
        Weights((path,))


def test_a_file_cut_short_is_named(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes((tiny / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(InputError, match="header names bytes up to"):
        Weights((path,))


def test_a_missing_tensor_is_named(tiny: Path) -> None:
    with pytest.raises(InputError, match="no tensor 'pooler'"):
        Weights((tiny / "model.safetensors",)).floats("pooler")


def test_a_name_that_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected 'all-MiniLM-L6-v2' or 'shortlist-fast-en', a model folder"):
        find_model("no-such-model")


def test_a_hub_name_without_network_says_what_was_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="no folder 'nobody/nothing' here, and the hub could not be asked"):
        find_model("nobody/nothing")


def test_a_hub_name_that_is_in_the_cache(monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub, "snapshot_download", lambda name, **options: str(tiny))
    assert Encoder("some/model", precision="fp32").token_states(["a"])[0].shape == (3, 32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "deberta-v2"}, "model_type 'deberta-v2' is not one that is run directly"),
        ({"hidden_act": "swish"}, "gelu or relu"),
        ({"position_embedding_type": "relative_key"}, "absolute positions"),
    ],
)
def test_a_model_of_another_kind_is_refused(make_model: object, change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Encoder(make_model(**change), runtime="onnxruntime").token_states(["a"])  # type: ignore[operator]


def test_modules_that_are_not_known_are_refused(make_model: object) -> None:
    folder = make_model()  # type: ignore[operator]
    (folder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Dense"}]))
    with pytest.raises(ConfigError, match=r"\['Dense'\] are not supported"):
        Encoder(folder).token_states(["a"])


def test_a_folder_without_weights_or_configuration(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((tiny / "tokenizer.json").read_bytes())
    with pytest.raises(ConfigError, match=r"config\.json: not found"):
        Encoder(tmp_path).token_states(["a"])
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="not JSON"):
        Encoder(tmp_path).token_states(["a"])
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    with pytest.raises(ConfigError, match="pickled weights"):
        Encoder(tmp_path).token_states(["a"])


def test_weights_in_several_files(tiny: Path, tmp_path: Path, build_tool: ModuleType) -> None:
    weights = Weights((tiny / "model.safetensors",))
    names = sorted(weights)
    for part, chosen in enumerate((names[::2], names[1::2])):
        data = build_tool.serialise({name: weights.floats(name) for name in chosen})
        (tmp_path / f"model-{part + 1}-of-2.safetensors").write_bytes(data)
    for name in ("tokenizer.json", "config.json"):
        (tmp_path / name).write_bytes((tiny / name).read_bytes())
    one, two = (Encoder(folder, precision="fp32").embed(["a flea"]) for folder in (tiny, tmp_path))
    np.testing.assert_array_equal(one, two)


def test_a_graph_above_the_format_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.backends.embedded.onnx_graph.LIMIT", 100)
    graph = Graph()
    graph.constant(np.zeros(100, np.float32))
    with pytest.raises(ConfigError, match="ONNX allows 100"):
        graph.serialise()
