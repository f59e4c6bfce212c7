"""Every student: train a few steps, save, open with the package's own runtime, and get the student's scores."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from shortlist import Ranking, load
from shortlist.core.errors import ConfigError
from shortlist.losses import (
    KL,
    BinaryCrossEntropy,
    InfoNCE,
    ListMLE,
    MarginMSE,
    Normalised,
    RankNet,
    Scaled,
    SoftmaxCrossEntropy,
    WeightedDirection,
)
from shortlist.train import Group, Grouping, Objective, Settings
from shortlist.train.generated import first_stage
from shortlist.train.loop import Trained
from shortlist.train.recipe import changed
from shortlist.train.students import (
    MVP,
    SFT,
    BiEncoder,
    CrossEncoder,
    E2Rank,
    First,
    Imitation,
    LateInteraction,
    LoRA,
    Student,
    YesNo,
)
from shortlist.train.trainer import train

SETTINGS = Settings(batch=4, steps=30, learning_rate=1e-3, save_every=0, device="cpu")
FORMS = {"query": "query: {text}", "document": "document: {text}"}


def cases(models: dict[str, Path]) -> dict[str, tuple[Student, Objective, Grouping]]:
    encoder, causal, embedder = models["encoder"], models["causal"], models["embedder"]
    shuffled = Grouping(shown="shuffled")
    listwise = Objective(ranking=RankNet("ranks"), ranking_weight=10.0, text_weight=1.0)
    e2rank = Objective(Normalised(RankNet(), student=Scaled(10.0)), InfoNCE(0.03), ranking_weight=2.0)
    return {
        "cross-encoder": (CrossEncoder(encoder), Objective(MarginMSE()), Grouping()),
        "rankllama": (
            CrossEncoder(causal, **FORMS, join="text", append_eos=True, titled="tevatron"),
            Objective(MarginMSE()),
            Grouping(),
        ),
        "bi-encoder": (
            BiEncoder(encoder, scale=4.0, learn_scale=True, query_prefix="bo "),
            Objective(KL(), InfoNCE()),
            Grouping(smallest=4, largest=8),
        ),
        "late-interaction": (LateInteraction(encoder, score="sum"), Objective(ListMLE()), Grouping()),
        "yes-no": (YesNo(causal), Objective(BinaryCrossEntropy()), Grouping("binary")),
        "first": (First(causal), listwise, shuffled),
        "e2rank": (E2Rank(embedder), e2rank, shuffled),
        "mvp": (MVP(models["t5"]), Objective(SoftmaxCrossEntropy("softmax"), apart_weight=1.0), Grouping()),
    }  # fmt: skip


NAMES = ["cross-encoder", "rankllama", "bi-encoder", "late-interaction", "yes-no", "first", "e2rank", "mvp"]


def trained_by(case: tuple[Student, Objective, Grouping], samples: list[Ranking], folder: Path) -> Trained:
    student, objective, grouping = case
    return train(student, samples, objective, grouping, SETTINGS, folder / "training")


def scored(student: Student, module: Any, rankings: list[Ranking]) -> list[dict[str, float]]:
    """The student's own scores by document."""
    import torch

    groups = [Group(r.query, r.candidates, (0.0,) * len(r.candidates), (0.0,) * len(r.candidates)) for r in rankings]
    module.eval()
    with torch.no_grad():
        table = student.forward(module, student.features(groups), frozenset({"scores"}))["scores"]
    if isinstance(student, BiEncoder):
        table = table / (module.log_scale.exp() if student.learn_scale else student.scale)
    return [dict(zip(r.ids, table[i].tolist(), strict=False)) for i, r in enumerate(rankings)]


def run(student: Student, folder: Path, rankings: list[Ranking], **options: Any) -> list[Ranking]:
    """What the runtime makes of the saved folder."""
    opened = {**student.runs_with(str(folder)), **options}
    method = opened.pop("method")
    if method in ("cross-encoder", "bi-encoder", "late-interaction"):
        opened |= {"precision": "fp32"}
    opened |= {"first_stage": 0.0, "cache": "off"} if method == "late-interaction" else {}
    return load(method, **opened)(rankings)


@pytest.mark.parametrize("student", [YesNo("base", context=77), First("base", context=77), SFT("base", context=77)])
def test_passages_are_cut_at_inference_where_they_were_cut_in_training(student: Student) -> None:
    assert student.runs_with("folder")["options"]["context"] == 77
    assert "context" not in changed(student, context=None).runs_with("folder")["options"]


@pytest.mark.parametrize("name", NAMES)
def test_the_runtime_gives_the_students_scores(
    name: str, models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    student, objective, grouping = cases(models)[name]
    trained = trained_by((student, objective, grouping), samples, tmp_path)
    student.save(trained.module, tmp_path / "model")
    asked = [first_stage(samples)[i].top(n) for i, n in enumerate((8, 5, 2))]  # unequal lists: padding must not leak
    own = scored(student, trained.module, asked)
    untrained = scored(student, type(student)(**_parameters(student)).module(), asked)
    assert own != untrained
    for ranking, result, scores in zip(asked, run(student, tmp_path / "model", asked), own, strict=True):
        if name == "first":  # a window's order is its result
            assert list(result.ids) == sorted(ranking.ids, key=lambda i: -scores[i])
            continue
        assert {c.id: c.score for c in result.candidates} == pytest.approx(scores, abs=1e-4)


def _parameters(student: Student) -> dict[str, Any]:
    from shortlist.core.params import params_of

    return params_of(student)


def test_first_learns_from_the_logits_that_the_runtime_reads(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    from shortlist.backends.transformers import CausalLM
    from shortlist.prompts import load_prompt

    student = First(models["causal"])
    module = student.module()
    (asked,) = first_stage(samples[:1])
    labels = tuple("ABCDEFGH")
    request = load_prompt("first").render(asked.query, asked.candidates, labels=labels)
    (answer,) = CausalLM(models["causal"], label_values="logits").generate([request])
    assert answer.labels is not None
    (own,) = scored(student, module, [asked])
    assert list(own.values()) == pytest.approx([answer.labels[letter] for letter in labels], abs=1e-4)


def test_text_loss_is_the_runtimes_likelihood(models: dict[str, Path], samples: list[Ranking]) -> None:
    import torch

    from shortlist.backends.transformers import CausalLM
    from shortlist.prompts import load_prompt

    student = First(models["causal"])
    module = student.module().eval()
    sizes = [Grouping(targets="order", smallest=n, largest=n, shown="shuffled") for n in (3, 6)]
    groups = [grouping.group(samples[i], 0, 0) for i, grouping in enumerate(sizes)]
    with torch.no_grad():
        text = student.forward(module, student.features(groups), frozenset({"text"}))["text"].item()
    asked = []
    for group in groups:
        n = len(group.candidates)
        request = load_prompt("first").render(group.query, group.candidates, labels=tuple("ABCDEF"[:n]))
        order = sorted(range(n), key=lambda i: -group.targets[i])
        asked.append((request, " > ".join(f"[{'ABCDEF'[i]}]" for i in order).removeprefix("[")))
    found = CausalLM(models["causal"]).nll(asked, eos=True)
    assert text == pytest.approx(-sum(f.value for f in found) / sum(f.tokens for f in found), abs=1e-4)


def test_weight_and_direction_train_a_yes_no_model(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    case = (YesNo(models["causal"]), Objective(direction=WeightedDirection()), Grouping("binary", positives=1))
    trained_by(case, samples, tmp_path)
    lines = (tmp_path / "training" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) >= 3


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so
@pytest.mark.parametrize("merge", [True, False])
def test_low_rank_deltas_change_the_model_and_nothing_else(
    merge: bool, models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    pytest.importorskip("peft", reason="peft is not installed (extra `train`)")
    student = YesNo(models["causal"], lora=LoRA(rank=4, alpha=8, merge=merge))
    trained = trained_by((student, Objective(BinaryCrossEntropy()), Grouping("binary")), samples, tmp_path)
    names = [name for name, p in trained.module.named_parameters() if p.requires_grad]
    assert names
    assert all("lora_" in name for name in names)
    student.save(trained.module, tmp_path / "model")
    asked = first_stage(samples[:2])
    own = scored(student, trained.module, asked)
    assert (tmp_path / "model" / "model.safetensors").exists() == merge
    results = run(student, tmp_path / "model", asked)
    for result, scores in zip(results, own, strict=True):
        assert {c.id: c.score for c in result.candidates} == pytest.approx(scores, abs=1e-4)


def test_the_shipped_form_is_opened_for_training(samples: list[Ranking]) -> None:
    pytest.importorskip("transformers")
    student = BiEncoder("all-MiniLM-L6-v2", max_length=64)
    asked = [r.top(2) for r in first_stage(samples[:1])]
    (own,) = scored(student, student.module(), asked)
    (result,) = load("bi-encoder", precision="fp32")(asked)
    assert {c.id: c.score for c in result.candidates} == pytest.approx(own, abs=1e-3)


def test_states_are_learned_from_a_teacher_that_stays_as_it_is(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    import torch

    from shortlist.backends.embedded import Encoder
    from shortlist.train.surgery import keep_layers

    keep_layers(models["encoder"], tmp_path / "one", [0])
    student = Imitation(tmp_path / "one", teacher=models["encoder"])
    before = {name: value.clone() for name, value in student.master.model.state_dict().items()}
    trained = trained_by((student, Objective(states_weight=1.0), Grouping()), samples, tmp_path)
    assert all(torch.equal(value, before[name]) for name, value in student.master.model.state_dict().items())
    assert not any("master" in name for name, _ in trained.module.named_parameters())
    student.save(trained.module, tmp_path / "model")
    text = samples[-1].candidates[0].document.text
    (aim,), (first,), (now,) = (
        Encoder(folder, precision="fp32").token_states([text])
        for folder in (models["encoder"], tmp_path / "one", tmp_path / "model")
    )
    assert ((now - aim) ** 2).mean() < 0.8 * ((first - aim) ** 2).mean()
    group = Grouping(smallest=2, largest=2).group(samples[-1], 0, 0)
    features = student.features([group])
    with torch.no_grad():
        module = trained.module.eval()
        found = student.forward(module, features, frozenset({"states"}))["states"].item()
    texts = [group.query.text, *(c.document.text for c in group.candidates)]
    far = [
        (a - b) ** 2
        for a, b in zip(
            Encoder(tmp_path / "model", precision="fp32").token_states(texts),
            Encoder(models["encoder"], precision="fp32").token_states(texts),
            strict=True,
        )
    ]
    assert found == pytest.approx(sum(f.sum() for f in far) / sum(f.size for f in far), rel=1e-4)
    with pytest.raises(ConfigError, match="numbers"):
        _ = Imitation(models["encoder"], teacher="all-MiniLM-L6-v2").master


@pytest.mark.parametrize("deltas", [None, LoRA(rank=2, dropout=0.5)])
def test_dropout_is_the_recipes_while_training_and_the_bases_when_saved(
    deltas: LoRA | None, models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    import torch

    said = json.loads((models["encoder"] / "config.json").read_text())["hidden_dropout_prob"]
    assert said > 0

    def noisy(student: Student, module: Any) -> bool:
        module.train()
        for name, value in module.named_parameters():
            if "lora_B" in name:  # zeros at the start: no noise of the deltas would be seen
                torch.nn.init.normal_(value)
        one, two = (student.forward(module, features, frozenset({"scores"}))["scores"] for _ in range(2))
        return not torch.equal(one, two)

    group = Grouping(smallest=3, largest=3).group(samples[0], 0, 0)
    made = BiEncoder(models["encoder"], lora=deltas)
    features = made.features([group])
    assert noisy(made, made.module())
    quiet = changed(made, dropout=0.0)
    module = quiet.module()
    assert noisy(quiet, module) == (deltas is not None)  # the deltas' own dropout stays
    quiet.save(module, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["hidden_dropout_prob"] == said
    with pytest.raises(ConfigError, match=r"dropout=1\.5"):
        train(changed(made, dropout=1.5), samples, Objective(SoftmaxCrossEntropy()), Grouping(), Settings(steps=1),
              tmp_path / "run")  # fmt: skip


def test_parts_that_do_not_fit_are_refused(models: dict[str, Path], samples: list[Ranking], tmp_path: Path) -> None:
    for student, objective, grouping, said in (
        (CrossEncoder(models["encoder"]), Objective(contrast=InfoNCE()), Grouping(), "across"),
        (First(models["causal"]), Objective(RankNet()), Grouping(), "shuffled"),
        (YesNo(models["causal"]), Objective(direction=WeightedDirection()), Grouping(positives=2), "positives=1"),
    ):
        with pytest.raises(ConfigError, match=said):
            train(student, samples, objective, grouping, SETTINGS, tmp_path)
    with pytest.raises(ConfigError, match="no losses"):
        Objective()


def test_an_adapter_that_stays_apart_brings_its_head(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    pytest.importorskip("peft", reason="peft is not installed (extra `train`)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers under a name of the past
        student = CrossEncoder(models["causal"], **FORMS, titled="tevatron", lora=LoRA(rank=4, merge=False))
        trained = trained_by((student, Objective(MarginMSE()), Grouping()), samples, tmp_path)
        student.save(trained.module, tmp_path / "model")
        asked = first_stage(samples[:1])
        (own,), (result,) = scored(student, trained.module, asked), run(student, tmp_path / "model", asked)
    assert {c.id: c.score for c in result.candidates} == pytest.approx(own, abs=1e-4)
    with pytest.raises(ConfigError, match="merge=true"):
        CrossEncoder(models["encoder"], lora=LoRA(merge=False)).runs_with("x")
    with pytest.raises(ConfigError, match="RankLLaMA"):
        CrossEncoder(models["causal"], titled="tevatron")
