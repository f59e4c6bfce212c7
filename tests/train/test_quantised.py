"""LoRA on a base in 4 bits: what transformers is told, what is said when it cannot be, and a training on the CPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from shortlist import Ranking, load
from shortlist.core.errors import ConfigError, MissingExtra
from shortlist.losses import BinaryCrossEntropy
from shortlist.train import Grouping, Objective, Settings
from shortlist.train.generated import first_stage
from shortlist.train.students import CrossEncoder, LoRA, Student, YesNo
from shortlist.train.trainer import train

needs_bitsandbytes = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
pytestmark = pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing:FutureWarning", "ignore::DeprecationWarning:bitsandbytes"
)
QLORA = LoRA(rank=4, alpha=8, quantise="nf4")
FORMS = {"query": "query: {text}", "document": "document: {text}", "join": "text", "append_eos": True}


def test_other_forms_are_refused() -> None:
    with pytest.raises(ConfigError, match="nf4"):
        LoRA(quantise="fp4")  # type: ignore[arg-type]


@pytest.mark.skipif(find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed")
def test_without_bitsandbytes_it_is_said_what_to_install(models: dict[str, Path]) -> None:
    with pytest.raises(MissingExtra, match="pip install 'bitsandbytes") as raised:
        YesNo(models["causal"], lora=QLORA).module()
    assert "quantise='nf4'" in str(raised.value)


def test_int8_folders_are_refused(models: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="int8 rows"):
        CrossEncoder("all-MiniLM-L6-v2", lora=QLORA).module()


@needs_bitsandbytes
def test_transformers_is_told_nf4_twice_quantised_with_the_students_dtype() -> None:
    import torch

    from shortlist.train.students._quantised import configuration

    made = configuration("bfloat16", "causal")
    assert made.load_in_4bit
    assert made.bnb_4bit_quant_type == "nf4"
    assert made.bnb_4bit_use_double_quant
    assert made.bnb_4bit_compute_dtype == torch.bfloat16
    assert made.llm_int8_skip_modules is None
    assert "score" in configuration("float32", "classification").llm_int8_skip_modules


@needs_bitsandbytes
@pytest.mark.parametrize("name", ["yes-no", "cross-encoder", "rankllama"])
@pytest.mark.parametrize("merge", [True, False])
def test_deltas_are_trained_on_four_bits_and_saved_for_the_whole_base(
    name: str, merge: bool, samples: list[Ranking], tmp_path: Path, models: dict[str, Path]
) -> None:
    import torch

    from shortlist.train.students._open import open_base
    from shortlist.train.tiny import tiny_model

    if name == "cross-encoder" and not merge:
        pytest.skip("the runtime of cross-encoder opens whole models only")
    wide = {"hidden_size": 64, "intermediate_size": 128}  # a block of NF4 is 64 numbers
    decoder = name != "cross-encoder"
    base = tiny_model(tmp_path / "base", "causal" if decoder else "embedding", decoder=decoder, **wide)
    lora = LoRA(rank=4, alpha=8, quantise="nf4", merge=merge)
    student: Student = YesNo(base, lora=lora)
    if decoder and name != "yes-no":
        student = CrossEncoder(base, **FORMS, titled="tevatron", lora=lora)  # type: ignore[arg-type]
    elif not decoder:
        student = CrossEncoder(base, lora=lora)
    settings = Settings(batch=4, steps=8, learning_rate=5e-3, save_every=4, device="cpu")
    done = train(student, samples, Objective(BinaryCrossEntropy()), Grouping("binary"), settings, tmp_path / "t")
    kinds = {type(part).__name__ for part in done.module.modules()}
    assert "Linear4bit" in kinds
    trained = {n for n, p in done.module.named_parameters() if p.requires_grad}
    assert trained
    assert all("lora_" in n or "modules_to_save" in n for n in trained)
    student.save(done.module, tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").exists() == merge
    if merge:
        saved = open_base(tmp_path / "model", student.task, labels=student.labels).model
        whole = open_base(base, student.task, labels=student.labels).model
        own = {n: p for n, p in saved.named_parameters() if "layers.0.self_attn.q_proj" in n or "query" in n}
        for key, value in own.items():  # the base as published plus a little, not its 4-bit form
            far = (value - dict(whole.named_parameters())[key]).abs().max()
            assert value.dtype == torch.float32
            assert 0 < far < 0.3 or "bias" in key, (key, far)
    opened = student.runs_with(str(tmp_path / "model"))
    asked = first_stage(samples[:3])
    results = load(opened.pop("method"), **opened)(asked)
    assert all(r.status == "ranked" for r in results)


@needs_bitsandbytes
def test_merged_weights_are_the_base_and_the_deltas_exactly(
    samples: list[Ranking], tmp_path: Path, models: dict[str, Path]
) -> None:
    import torch

    from shortlist.train.students._open import open_base
    from shortlist.train.tiny import tiny_model

    base = tiny_model(tmp_path / "base", "causal", decoder=True, hidden_size=64, intermediate_size=128)
    student = YesNo(base, lora=QLORA)
    settings = Settings(batch=4, steps=4, learning_rate=5e-3, save_every=0, device="cpu")
    done = train(student, samples, Objective(BinaryCrossEntropy()), Grouping("binary"), settings, tmp_path / "t")
    student.save(done.module, tmp_path / "model")
    parts = dict(done.module.named_parameters())
    stem = "model.base_model.model.model.layers.0.self_attn.q_proj"
    delta = parts[f"{stem}.lora_B.default.weight"] @ parts[f"{stem}.lora_A.default.weight"] * (8 / 4)
    name = "model.layers.0.self_attn.q_proj.weight"
    before, after = (dict(open_base(f, "causal").model.named_parameters())[name] for f in (base, tmp_path / "model"))
    assert delta.abs().max() > 1e-4
    torch.testing.assert_close(after, before + delta, atol=1e-6, rtol=1e-5)
