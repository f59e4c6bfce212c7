"""The other runtimes and precisions against float32 in ONNX Runtime; the choice between them; ONNX files."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from shortlist.backends.embedded import Encoder, PairScorer, choose, describe
from shortlist.backends.embedded.batches import plan, pool
from shortlist.backends.embedded.cpu import Cpu, parse_cpuinfo, probe, usable_threads
from shortlist.backends.embedded.onnx_graph import Graph
from shortlist.core.errors import BackendError, ConfigError, MissingExtra

TEXTS = ["how long is the life cycle of a flea", "", "a flea", "concrete " * 30, "日本"]
OTHERS = [("openvino", "fp32", 1e-4), ("openvino", "bf16", 0.15), ("openvino", "int8", 0.4), ("torch", "fp32", 1e-4)]


def skip_without(runtime: str, precision: str = "fp32") -> None:
    if importlib.util.find_spec(runtime) is None:
        pytest.skip(f"{runtime} is not installed")
    if precision == "bf16" and not probe().fast_bf16:
        pytest.skip("this CPU has no bf16 products")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("runtime", "precision", "tolerance"), OTHERS)
def test_runtimes_agree(tiny: Path, runtime: str, precision: str, tolerance: float) -> None:
    skip_without(runtime, precision)
    exact = Encoder(tiny, precision="fp32").token_states(TEXTS)
    other = Encoder(tiny, runtime=runtime, precision=precision, threads=2)  # type: ignore[arg-type]
    for a, b in zip(exact, other.token_states(TEXTS), strict=True):
        assert np.abs(a - b).max() < tolerance
    pairs = [(TEXTS[0], text) for text in TEXTS]
    a = PairScorer(tiny, precision="fp32").pair_scores(pairs)
    b = PairScorer(tiny, runtime=runtime, precision=precision).pair_scores(pairs)  # type: ignore[arg-type]
    np.testing.assert_allclose(a, b, atol=tolerance)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("runtime", "precision", "tolerance"), OTHERS)
def test_padding_changes_nothing(tiny: Path, runtime: str, precision: str, tolerance: float) -> None:
    """These runtimes pad to a multiple of eight and mask; ONNX Runtime's graph never pads (test_encoder)."""
    skip_without(runtime, precision)
    encoder = Encoder(tiny, runtime=runtime, precision=precision, threads=1)  # type: ignore[arg-type]
    for text, states in zip(TEXTS, encoder.token_states(TEXTS), strict=True):
        np.testing.assert_allclose(states, encoder.token_states([text])[0], atol=1e-5)
    assert encoder.stats.slots % 8 == 0


def test_the_choice_follows_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, vnni, amx = (Cpu("x", frozenset(flags)) for flags in ((), {"avx512_vnni"}, {"amx_bf16", "avx512_vnni"}))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert [choose(cpu=cpu).precision for cpu in (plain, vnni, amx)] == ["fp32", "int8", "int8"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    chosen = [choose(cpu=cpu) for cpu in (plain, vnni, amx)]
    assert [choice.runtime for choice in chosen] == ["onnxruntime", "onnxruntime", "openvino"]
    assert [choice.precision for choice in chosen] == ["fp32", "int8", "bf16"]
    assert all(choice.reason for choice in chosen)
    assert choose("openvino", cpu=Cpu("x", frozenset({"avx512_bf16"}))).precision == "bf16"
    assert choose(precision="bf16", cpu=plain).runtime == "openvino"
    assert "may overflow" in choose(precision="int8", cpu=plain).reason


def test_describe_names_what_was_found() -> None:
    found = describe()
    assert found["cpu"]
    assert found["runtime"] in found["runtimes"]
    assert found["reason"]


def test_cpuinfo_of_other_machines() -> None:
    arm = parse_cpuinfo("processor : 0\nFeatures : fp asimd asimddp bf16\nFeatures : x\n")
    assert arm.fast_int8
    assert not arm.fast_bf16
    assert parse_cpuinfo("").flags == frozenset()
    assert 1 <= usable_threads() <= 4096


def test_a_missing_runtime_names_the_extra(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(builtins, "__import__", real)
    with pytest.raises(MissingExtra, match=r"shortlist\[openvino\]"):
        Encoder(tiny, runtime="openvino", precision="fp32").token_states(["a"])


def onnx_file(folder: Path, *, inputs: tuple[str, ...] = ("input_ids", "attention_mask"), ranks: str = "both") -> Path:
    """A one-table "encoder": states are rows of a table, the logit is the sum of all states."""
    graph = Graph()
    names = [graph.input(name, "int64", ["batch", "tokens"]) for name in inputs]
    table = np.arange(200 * 4, dtype=np.float32).reshape(200, 4)
    states = graph.op("Gather", [graph.constant(table), names[0]])
    if ranks != "logits":
        graph.output(states, "last_hidden_state", "float32", ["batch", "tokens", "hidden"])
    if ranks != "states":
        graph.output(graph.op("ReduceSum", [states, graph.ints(1, 2)], keepdims=0), "flat", "float32", ["batch"])
        wide = graph.op("ReduceSum", [states, graph.ints(1)], keepdims=0)
        graph.output(wide, "logits", "float32", ["batch", "labels"])
    path = folder / "model.onnx"
    path.write_bytes(graph.serialise())
    return path


@pytest.fixture
def onnx_folder(tiny: Path, tmp_path: Path) -> Path:
    for name in ("tokenizer.json", "config.json"):
        (tmp_path / name).write_bytes((tiny / name).read_bytes())
    return tmp_path


def test_an_onnx_file_runs_as_it_is(onnx_folder: Path) -> None:
    path = onnx_file(onnx_folder)
    for place in (path, onnx_folder):
        encoder = Encoder(place)
        ids = encoder._loaded.model.tokens.tokenizer.encode("a flea").ids
        np.testing.assert_array_equal(encoder.token_states(["a flea"])[0][:, 0], [4.0 * i for i in ids])
        assert encoder.choice.reason == "an ONNX file runs as it is"
    scores = PairScorer(onnx_folder, label=0).pair_scores([("a", "flea"), ("flea", "a")])
    assert scores[0] == scores[1]


def test_onnx_files_that_do_not_fit_are_refused(onnx_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    onnx_file(onnx_folder, ranks="logits")
    with pytest.raises(ConfigError, match="does not give states"):
        Encoder(onnx_folder).token_states(["a"])
    onnx_file(onnx_folder, inputs=("pixels",))
    with pytest.raises(ConfigError, match="pixels"):
        Encoder(onnx_folder).token_states(["a"])
    (onnx_folder / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(BackendError, match=r"cannot load .*model\.onnx"):
        Encoder(onnx_folder).token_states(["a"])
    with pytest.raises(ConfigError, match="in its own precision"):
        Encoder(onnx_folder, precision="int8").token_states(["a"])
    alone = tmp_path_factory.mktemp("alone") / "model.onnx"
    alone.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"no tokenizer\.json beside"):
        Encoder(alone).token_states(["a"])


def test_plan_puts_equal_lengths_together_under_the_budget() -> None:
    lengths = [9, 1, 9, 4, 9, 4, 30]
    batches = plan(lengths, budget=20)
    assert batches == [[6], [0, 2], [4], [3, 5], [1]]
    assert plan(lengths, budget=20, max_rows=1) == [[6], [0], [2], [4], [3], [5], [1]]
    assert plan(lengths, budget=64, multiple=8) == [[6], [0, 2, 4], [1, 3, 5]]
    assert plan([], budget=1) == []


def test_an_error_in_a_thread_reaches_the_caller(tiny: Path) -> None:
    encoder = Encoder(tiny, threads=2)

    class Broken:
        max_rows, multiple = 1, 1

        def run(self, ids: object, types: object, lengths: object) -> np.ndarray:
            raise ValueError("no such product")

    encoder._loaded._session = Broken()
    with pytest.raises(ValueError, match="no such product"):
        encoder.token_states(TEXTS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(tiny: Path) -> None:
    encoder = Encoder(tiny, threads=2, precision="fp32")
    expected = encoder.token_states(TEXTS)
    child = os.fork()
    if not child:
        signal.alarm(20)  # a child that waits for its parent's threads waits for ever
        same = all(np.array_equal(a, b) for a, b in zip(encoder.token_states(TEXTS), expected, strict=True))
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_many_callers_share_one_pool_and_load_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shortlist.backends.embedded import loaded

    opened = []
    real = loaded.open_model
    monkeypatch.setattr(loaded, "open_model", lambda *a, **k: opened.append(1) or real(*a, **k))
    encoder = Encoder(tiny, threads=2, precision="fp32")
    expected = Encoder(tiny, threads=1, precision="fp32").token_states(TEXTS)
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: encoder.token_states(TEXTS), range(16)))
    assert len(opened) == 2
    assert all(np.array_equal(a, b) for answer in answers for a, b in zip(answer, expected, strict=True))
    assert pool(2) is pool(2)
    assert sum(t.name.startswith("shortlist-encoder") for t in threading.enumerate()) <= 2 + 3


def test_a_failure_while_computing_is_a_backend_error() -> None:
    from shortlist.backends.embedded import Encoder

    encoder = Encoder(precision="fp32")
    encoder.embed(["loads the model"])
    session = encoder._loaded.session
    ids = np.full((1, 4), 10**6, np.int32)
    with pytest.raises(BackendError, match="could not compute a batch of 1"):
        session.run(ids, np.zeros_like(ids), np.array([4], np.int32))
