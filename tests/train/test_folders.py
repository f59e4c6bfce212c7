"""Model folders without torch: averages, the int8 form, fewer layers, fewer words; each with its exact check."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from shortlist.backends.embedded import Encoder, PairScorer
from shortlist.backends.embedded.folder import DEFAULT, SHIPPED
from shortlist.core.errors import ConfigError
from shortlist.train.export import export
from shortlist.train.folders import weights_of
from shortlist.train.generated import generated, lexicon
from shortlist.train.merge import merge
from shortlist.train.surgery import keep_layers, keep_words


@pytest.fixture(scope="module")
def cross_encoders(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two cross-encoders with different weights."""
    import torch

    from shortlist.train.students import CrossEncoder

    folders = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        student = CrossEncoder(models["encoder"])
        module = student.module()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        folders.append(tmp_path_factory.mktemp("cross"))
        student.save(module, folders[-1])
    return folders


PAIRS = [(r.query.text, c.document.text) for r in generated(3, 4) for c in r.candidates]


def test_an_average_is_the_average(cross_encoders: list[Path], tmp_path: Path) -> None:
    merge(cross_encoders, tmp_path / "equal")
    merge(cross_encoders, tmp_path / "weighted", [3, 1])
    one, two = (weights_of(folder) for folder in cross_encoders)
    equal, weighted = weights_of(tmp_path / "equal"), weights_of(tmp_path / "weighted")
    assert set(equal) == set(one)
    for name in one:
        assert np.allclose(equal.floats(name), (one.floats(name) + two.floats(name)) / 2, atol=1e-7)
        assert np.allclose(weighted.floats(name), 0.75 * one.floats(name) + 0.25 * two.floats(name), atol=1e-7)
    assert np.isfinite(PairScorer(tmp_path / "equal").pair_scores(PAIRS)).all()
    made = json.loads((tmp_path / "equal" / "training" / "merged.json").read_text())["average_of"]
    assert [row["weight"] for row in made] == [0.5, 0.5]


def test_an_average_with_itself_is_itself(cross_encoders: list[Path], tmp_path: Path) -> None:
    merge([cross_encoders[0]] * 2, tmp_path / "same")
    own, same = (PairScorer(f, precision="fp32").pair_scores(PAIRS) for f in (cross_encoders[0], tmp_path / "same"))
    assert own == same


def test_rounded_weights_count_as_the_floats_they_stand_for(cross_encoders: list[Path], tmp_path: Path) -> None:
    """A student starts from these floats when its base is an int8 folder such as the shipped one."""
    export(cross_encoders[0], tmp_path / "int8")
    merge([tmp_path / "int8", cross_encoders[1]], tmp_path / "mixed", [0.25, 0.75])
    start, other, mixed = (weights_of(f) for f in (tmp_path / "int8", cross_encoders[1], tmp_path / "mixed"))
    assert set(mixed) == set(other)
    for name in other:
        assert np.allclose(mixed.floats(name), 0.25 * start.floats(name) + 0.75 * other.floats(name), atol=1e-7)


def test_a_student_of_the_shipped_model_can_be_averaged_with_it(tmp_path: Path) -> None:
    """Its configuration states defaults that the shipped one leaves out, and it holds a pooler that nobody reads."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from shortlist.train.students import LateInteraction

    student = LateInteraction(DEFAULT)
    module = student.module()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.1)
    student.save(module, tmp_path / "student")
    merge([SHIPPED / DEFAULT, tmp_path / "student"], tmp_path / "mixed")
    start, mixed = weights_of(SHIPPED / DEFAULT), weights_of(tmp_path / "mixed")
    name = "encoder.layer.3.output.dense.weight"
    assert np.allclose(mixed.floats(name), 1.05 * start.floats(name), rtol=1e-5)
    assert export(tmp_path / "mixed", tmp_path / "int8") == pytest.approx(22.9e6, rel=0.01)


def test_a_pooler_that_only_one_encoder_has_is_not_averaged(models: dict[str, Path], tmp_path: Path) -> None:
    export(models["encoder"], tmp_path / "without", "fp32")
    merge([models["encoder"], tmp_path / "without"], tmp_path / "mixed")
    held = set(weights_of(models["encoder"])), set(weights_of(tmp_path / "mixed"))
    assert held[0] ^ held[1] == {"pooler.dense.bias", "pooler.dense.weight"}
    own, same = (Encoder(f, precision="fp32").embed(["one text"]) for f in (models["encoder"], tmp_path / "mixed"))
    assert np.array_equal(own, same)


def test_what_cannot_be_averaged_is_refused(
    cross_encoders: list[Path], models: dict[str, Path], tmp_path: Path
) -> None:
    first = cross_encoders[0]
    other = tmp_path / "tokenizer"
    shutil.copytree(first, other)
    text = (other / "tokenizer.json").read_text()
    (other / "tokenizer.json").write_text(text.replace(f'"{lexicon(1)[0]}"', '"zzzz"'))
    wide = tmp_path / "config"
    shutil.copytree(first, wide)
    (wide / "config.json").write_text(
        (wide / "config.json").read_text().replace('"num_attention_heads": 4', '"num_attention_heads": 2')
    )
    for folders, weights, said in (
        ([first, other], None, "tokenizers"),
        ([first, wide], None, "num_attention_heads"),
        ([first, models["encoder"]], None, "different tensors"),
        ([first, models["causal"]], None, "different tensors"),
        ([first], None, "two or more"),
        ([first, first], [1.0], "a weight"),
        ([first, first], [-1.0, 2.0], "a weight"),
        ([SHIPPED / DEFAULT] * 2, None, "int8 folders"),
    ):
        with pytest.raises(ConfigError, match=said):
            merge(folders, tmp_path / "out", weights)
    assert not (tmp_path / "out").exists()


def test_the_int8_form_scores_nearly_as_the_runtime_does_at_int8(cross_encoders: list[Path], tmp_path: Path) -> None:
    size = export(cross_encoders[0], tmp_path / "int8")
    assert size < 0.4 * (cross_encoders[0] / "model.safetensors").stat().st_size
    own, packed = (PairScorer(f, precision="int8").pair_scores(PAIRS) for f in (cross_encoders[0], tmp_path / "int8"))
    assert np.corrcoef(own, packed)[0, 1] > 0.99  # the tables of positions and types are rounded in addition
    exact = PairScorer(cross_encoders[0], precision="fp32").pair_scores(PAIRS)
    assert np.corrcoef(exact, packed)[0, 1] > 0.95
    again = export(tmp_path / "int8", tmp_path / "again")
    assert again == size
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (
        tmp_path / "int8" / "model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("from_int8", [False, True])
def test_words_in_four_bits_are_opened_everywhere(from_int8: bool, models: dict[str, Path], tmp_path: Path) -> None:
    """The reading side: floats, int8 rows, trained from, cut, averaged and written again."""
    folder = SHIPPED / DEFAULT
    texts = ["How long do adult fleas live?", "The adult flea lives for up to a year on its host."]
    if not from_int8:
        export(folder, tmp_path / "floats", "fp32")
        folder = tmp_path / "floats"
    size = export(folder, tmp_path / "int4", "int4")
    assert size < 17.3e6  # 30,522 rows of 384: 6.2 MB instead of 11.8 in int8
    name = "embeddings.word_embeddings.weight"
    before, after = weights_of(SHIPPED / DEFAULT), weights_of(tmp_path / "int4")
    assert after.packed(name) and after.shape(name) == before.shape(name) == (30522, 384)
    rows, wide = before.floats(name), after.floats(name)
    assert 0.08 < np.sqrt(((rows - wide) ** 2).sum() / (rows**2).sum()) < 0.1
    whole, packed = Encoder(precision="fp32"), Encoder(tmp_path / "int4", precision="fp32")
    cosine = (whole.embed(texts) * packed.embed(texts)).sum(1)
    assert (cosine > 0.97).all(), cosine
    exact, rounded = (
        Encoder(tmp_path / "int4", precision=form, runtime="onnxruntime").embed(texts) for form in ("fp32", "int8")
    )
    assert ((exact * rounded).sum(1) > 0.98).all()
    again = export(tmp_path / "int4", tmp_path / "again", "int4")
    assert again == size
    keep_words(tmp_path / "int4", tmp_path / "cut", texts)
    assert np.array_equal(Encoder(tmp_path / "cut", precision="fp32").embed(texts), packed.embed(texts))


def test_rows_too_short_for_four_bits_stay_int8(cross_encoders: list[Path], tmp_path: Path) -> None:
    sizes = [export(cross_encoders[0], tmp_path / form, form) for form in ("int8", "int4")]  # type: ignore[arg-type]
    width = weights_of(tmp_path / "int4").shape("bert.embeddings.word_embeddings.weight")[1]
    assert (sizes[0] == sizes[1]) == (width % 16 != 0)


def test_half_precision_is_rounded_to_the_nearest(cross_encoders: list[Path], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    export(cross_encoders[0], tmp_path / "bf16", "bf16")
    before, after = weights_of(cross_encoders[0]), weights_of(tmp_path / "bf16")
    name = "bert.encoder.layer.0.attention.self.query.weight"
    wanted = torch.tensor(before.floats(name)).bfloat16().float().numpy()
    assert np.array_equal(after.floats(name), wanted)
    with pytest.raises(ConfigError, match="already"):
        export(cross_encoders[0], tmp_path / "bf16")


def test_the_shipped_model_is_exported_to_itself(tmp_path: Path) -> None:
    export(SHIPPED / DEFAULT, tmp_path / "same")
    texts = ["how long do fleas live"]
    assert np.array_equal(Encoder(tmp_path / "same").embed(texts), Encoder().embed(texts))


def test_the_first_layers_give_the_whole_models_inner_states(models: dict[str, Path], tmp_path: Path) -> None:
    import torch
    import transformers

    keep_layers(models["encoder"], tmp_path / "one", [0])
    whole = transformers.AutoModel.from_pretrained(models["encoder"]).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(models["encoder"])
    text = generated(1)[0].candidates[0].document.text
    with torch.no_grad():
        states = whole(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states[1][0].numpy()
    assert Encoder(tmp_path / "one", precision="fp32").token_states([text])[0] == pytest.approx(states, abs=1e-5)
    keep_layers(models["causal"], tmp_path / "decoder", [1])
    cut = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "decoder")
    kept = transformers.AutoModelForCausalLM.from_pretrained(models["causal"]).model.layers[1].state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in cut.model.layers[0].state_dict().items())
    for wrong in ([], [1, 0], [0, 2], [-1]):
        with pytest.raises(ConfigError):
            keep_layers(models["encoder"], tmp_path / "wrong", wrong)


@pytest.mark.parametrize("which", ["tiny", "shipped"])
def test_fewer_words_leave_the_states_as_they_were(which: str, models: dict[str, Path], tmp_path: Path) -> None:
    folder = models["encoder"] if which == "tiny" else SHIPPED / DEFAULT
    texts = [c.document.text for c in generated(2)[0].candidates] if which == "tiny" else ["How long do fleas live?"]
    before, after = keep_words(folder, tmp_path / "cut", texts)
    assert after < before
    assert json.loads((tmp_path / "cut" / "config.json").read_text())["vocab_size"] == after
    whole, cut = Encoder(folder, precision="fp32"), Encoder(tmp_path / "cut", precision="fp32")
    assert np.array_equal(whole.token_states(texts)[0], cut.token_states(texts)[0])
    pieces = "q z 7"  # single characters stay
    assert np.array_equal(whole.embed([pieces]), cut.embed([pieces]))
    size = (tmp_path / "cut" / "model.safetensors").stat().st_size
    assert size < (folder / "model.safetensors").stat().st_size


def test_the_most_frequent_words_stay(tmp_path: Path) -> None:
    texts = ["coffee coffee water", "coffee water filter", "grinder"]
    alone, few = (
        keep_words(SHIPPED / DEFAULT, tmp_path / name, texts, most)[1] for name, most in (("all", None), ("few", 4))
    )
    held = json.loads((tmp_path / "few" / "tokenizer.json").read_text())["model"]["vocab"]
    assert few < alone and {"coffee", "water"} < set(held) and not {"filter", "grinder"} <= set(held)
    with pytest.raises(ConfigError, match="most=0"):
        keep_words(SHIPPED / DEFAULT, tmp_path / "x", texts, 0)


def test_the_first_words_of_the_vocabulary_stay_whatever_the_texts_hold(tmp_path: Path) -> None:
    texts = ["coffee coffee grinder"]
    keep_words(SHIPPED / DEFAULT, tmp_path / "both", texts, 41, 40)
    whole = json.loads((SHIPPED / DEFAULT / "tokenizer.json").read_text())["model"]["vocab"]
    held = json.loads((tmp_path / "both" / "tokenizer.json").read_text())["model"]["vocab"]
    first = [piece for piece in whole if len(piece.removeprefix("##")) > 1 and not piece.startswith("[")][:40]
    assert first[:3] == ["the", "of", "and"]
    assert {piece for piece in held if len(piece.removeprefix("##")) > 1 and piece[0] != "["} == {*first, "coffee"}
    with pytest.raises(ConfigError, match="first=5"):
        keep_words(SHIPPED / DEFAULT, tmp_path / "x", texts, 4, 5)


def test_a_vocabulary_that_is_not_wordpiece_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="WordPiece"):
        keep_words(models["causal"], tmp_path / "x", ["a"])
