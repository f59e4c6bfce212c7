"""Imitation of what happens inside an encoder: exact on small cases, zero between equals, falling as it is learned."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from shortlist import Ranking
from shortlist.core.errors import ConfigError
from shortlist.losses import MarginMSE
from shortlist.train import Grouping, Objective, Settings
from shortlist.train.students import Imitation, PairImitation
from shortlist.train.surgery import keep_layers
from shortlist.train.tiny import tiny_model
from shortlist.train.trainer import train

INSIDE = frozenset({"states", "hidden", "relations"})


def test_a_relation_of_two_tokens_in_numbers() -> None:
    torch = pytest.importorskip("torch")
    from shortlist.train.students._inside import relation, relation_divergence

    mask = torch.ones(1, 2)
    q, k = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]), torch.tensor([[[1.0, 1.0], [0.0, 3.0]]])
    found = relation(torch, q, k, mask, heads=1)[0, 0].exp()
    root = math.sqrt(2)  # rows of q k^T: (1, 0) and (2, 6)
    first = math.exp(1 / root) / (math.exp(1 / root) + 1)
    second = 1 / (1 + math.exp(4 / root))
    assert found.tolist() == [pytest.approx([first, 1 - first]), pytest.approx([second, 1 - second])]
    flat = torch.full((1, 1, 2, 2), 0.5).log()
    rows = [sum(p * math.log(p / 0.5) for p in (share, 1 - share)) for share in (first, second)]
    teacher = relation(torch, q, k, mask, heads=1)
    assert relation_divergence(torch, flat, teacher, mask).item() == pytest.approx(sum(rows) / 2, abs=1e-6)
    by_head = relation(torch, q, k, mask, heads=2)[0].exp()  # one number per head, over the root of 1
    assert by_head[0, 0].tolist() == pytest.approx([math.e / (math.e + 1), 1 / (math.e + 1)])
    assert by_head[1, 0].tolist() == pytest.approx([0.5, 0.5])


def test_padding_neither_looks_nor_is_looked_at() -> None:
    torch = pytest.importorskip("torch")
    from shortlist.train.students._inside import relation, relation_divergence

    torch.manual_seed(0)
    own, aim = torch.randn(2, 1, 3, 8)[..., :, :]
    short = [relation(torch, x, x, torch.ones(1, 3), 2) for x in (own, aim)]
    longer = [torch.cat([x, torch.randn(1, 2, 8)], 1) for x in (own, aim)]
    mask = torch.tensor([[1, 1, 1, 0, 0]])
    padded = [relation(torch, x, x, mask, 2) for x in longer]
    expected = relation_divergence(torch, *short, torch.ones(1, 3)).item()
    assert expected > 0
    assert relation_divergence(torch, *padded, mask).item() == pytest.approx(expected, abs=1e-6)


def test_relations_of_queries_and_keys_are_the_attention(models: dict[str, Path]) -> None:
    torch = pytest.importorskip("torch")
    import transformers

    from shortlist.train.students._inside import projections, relation

    model = transformers.AutoModel.from_pretrained(models["encoder"], attn_implementation="eager").eval()
    ids, mask = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.no_grad(), projections(model, 2, "qk") as found:
        seen = model(input_ids=ids, attention_mask=mask, output_attentions=True).attentions[1]
    own = relation(torch, found["q"], found["k"], mask, seen.shape[1]).exp()
    assert torch.allclose(own, seen, atol=1e-5)


@pytest.mark.parametrize("kind", [Imitation, PairImitation])
def test_between_equals_nothing_is_to_be_learned(
    kind: type[Imitation] | type[PairImitation], models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    import torch

    other = tiny_model(tmp_path / "other", "embedding", seed=1)
    group = Grouping(smallest=3, largest=3).group(samples[0], 0, 0)
    found = {}
    for name, teacher in (("same", models["encoder"]), ("other", other)):
        student = kind(models["encoder"], teacher=teacher)
        module = student.module().eval()
        with torch.no_grad():
            found[name] = student.forward(module, student.features([group]), INSIDE)
    assert {name: value.item() for name, value in found["same"].items()} == dict.fromkeys(INSIDE, 0.0)
    assert all(value.item() > 1e-4 for value in found["other"].values())


def test_hidden_states_are_the_mean_distance_of_the_named_layers(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    import torch

    keep_layers(models["encoder"], tmp_path / "one", [0])
    student = Imitation(tmp_path / "one", teacher=models["encoder"], layers=((0, 0), (1, 2)))
    group = Grouping(smallest=2, largest=2).group(samples[0], 0, 0)
    module, features = student.module().eval(), student.features([group])
    with torch.no_grad():
        found = student.forward(module, features, frozenset({"hidden"}))["hidden"].item()
        sums, count = 0.0, 0
        for feed in student.passes(features):
            own = module.model(**feed, output_hidden_states=True).hidden_states
            aim = student.master.model(**feed, output_hidden_states=True).hidden_states
            real = feed["attention_mask"].bool()
            sums += ((own[1] - aim[2]) ** 2)[real].mean(-1).sum().item()
            assert torch.equal(own[0][real], aim[0][real])  # embeddings are copied
            count += int(real.sum())
    assert found == pytest.approx(sums / count / 2, rel=1e-4)
    assert Imitation(tmp_path / "one", teacher=models["encoder"]).layer_pairs == ((0, 0), (1, 2))


def test_a_narrower_student_learns_through_maps_that_are_not_saved(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    from safetensors import safe_open

    narrow = tiny_model(tmp_path / "narrow", "embedding", hidden_size=16, intermediate_size=24)
    with pytest.raises(ConfigError, match="project=true"):
        _ = Imitation(narrow, teacher=models["encoder"]).master
    student = Imitation(narrow, teacher=models["encoder"], project=True, relation_heads=4)
    settings = Settings(batch=4, steps=40, learning_rate=3e-3, save_every=0, log_every=1, device="cpu")
    objective = Objective(MarginMSE(), states_weight=1.0, hidden_weight=1.0, relations_weight=1.0)
    trained = train(student, samples, objective, Grouping(smallest=3, largest=3), settings, tmp_path / "t")
    rows = (tmp_path / "t" / "metrics.jsonl").read_text().splitlines()
    first, last = json.loads(rows[0]), json.loads(rows[-1])
    for name in ("loss_states", "loss_hidden"):
        assert last[name] < 0.7 * first[name]
    assert last["loss_relations"] < first["loss_relations"]
    student.save(trained.module, tmp_path / "model")
    with safe_open(tmp_path / "model" / "model.safetensors", "pt") as file:
        assert not any("maps" in name for name in file.keys())  # noqa: SIM118 - no mapping


def test_what_does_not_fit_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    three = tiny_model(tmp_path / "three", "embedding", num_hidden_layers=3)
    for student, said in (
        (Imitation(models["encoder"], teacher=three), "evenly"),
        (Imitation(models["encoder"], teacher=models["encoder"], layers=((3, 1),)), "0 to 2"),
    ):
        with pytest.raises(ConfigError, match=said):
            _ = student.layer_pairs
    with pytest.raises(ConfigError, match="divisor"):
        _ = Imitation(models["encoder"], teacher=models["encoder"], relation_heads=5).related
    with pytest.raises(ConfigError, match="qk, qq"):
        Imitation(models["encoder"], relation_kinds=("kq",))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="distance"):
        PairImitation(models["encoder"], distance="far")  # type: ignore[arg-type]
