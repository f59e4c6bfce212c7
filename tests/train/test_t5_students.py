"""Students on encoder-decoders: what the runtime says of the saved folder is what the student was trained to say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shortlist import Ranking, load
from shortlist.core.errors import ConfigError
from shortlist.losses import BinaryCrossEntropy, SoftmaxCrossEntropy
from shortlist.prompts import load_prompt
from shortlist.train import Group, Grouping, Objective, Settings
from shortlist.train.generated import first_stage
from shortlist.train.students import FiD, MonoT5, RankT5, Student
from shortlist.train.tiny import tiny_model
from shortlist.train.trainer import train

SETTINGS = Settings(batch=4, steps=20, learning_rate=1e-3, save_every=0, device="cpu")


def asked_of(rankings: list[Ranking]) -> list[Group]:
    return [Group(r.query, r.candidates, (0.0,) * len(r.candidates), (0.0,) * len(r.candidates)) for r in rankings]


@pytest.mark.parametrize("name", ["monot5", "monot5-text", "rankt5"])
def test_pointwise_scores_are_the_runtimes(
    name: str, models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    import torch

    student: Student = RankT5(models["t5"])
    if name != "rankt5":
        yes, no = _words(student)[:2]
        student = MonoT5(models["t5"], yes=yes, no=no)
    objective = {
        "monot5": Objective(BinaryCrossEntropy()),
        "monot5-text": Objective(text_weight=1.0),
        "rankt5": Objective(SoftmaxCrossEntropy()),
    }[name]
    trained = train(student, samples, objective, Grouping("binary"), SETTINGS, tmp_path / "training")
    student.save(trained.module, tmp_path / "model")
    asked = [first_stage(samples)[i].top(n) for i, n in enumerate((8, 5, 2))]
    module = trained.module.eval()
    with torch.no_grad():
        own = student.forward(module, student.features(asked_of(asked)), frozenset({"scores"}))["scores"].tolist()
    opened = student.runs_with(str(tmp_path / "model"))
    results = load(opened.pop("method"), **opened)(asked)
    for ranking, row, result in zip(asked, own, results, strict=True):
        expected = dict(zip(ranking.ids, row, strict=False))
        assert {c.id: c.score for c in result.candidates} == pytest.approx(expected, abs=1e-4)
        assert len({round(score, 4) for score in expected.values()}) > 1


def _words(student: Student) -> list[str]:
    """Words that are one piece of the tiny vocabulary."""
    vocabulary = student.loaded.tokenizer.get_vocab()
    return sorted(piece.removeprefix("▁") for piece in vocabulary if piece.startswith("▁") and len(piece) == 5)


def test_the_pair_loss_is_the_cross_entropy_of_two_words_and_the_text_loss_that_of_all(
    models: dict[str, Path], samples: list[Ranking]
) -> None:
    import torch

    tried = MonoT5(models["t5"])
    yes, no = _words(tried)[:2]
    student = MonoT5(models["t5"], yes=yes, no=no)
    (group,) = [Grouping("binary", 5, 5).group(samples[0], 0, 0)]
    features, module = student.features([group]), student.module().eval()
    with torch.no_grad():
        given = student.forward(module, features, frozenset({"scores", "text"}))
        whole = module.model(
            input_ids=features["ids"], attention_mask=features["attention"], decoder_input_ids=features["started"]
        ).logits[:, 0]
    good = torch.tensor([int(grade > 0) for grade in group.grades])
    assert good.tolist() == [int(target) for target in group.targets]
    ids = torch.tensor([student.loaded.tokenizer.convert_tokens_to_ids(f"▁{w}") for w in (no, yes)])
    text = torch.nn.functional.cross_entropy(whole, ids[good])
    pair = torch.nn.functional.cross_entropy(whole[:, ids], good)
    binary = BinaryCrossEntropy()(given["scores"], good[None].float(), torch.ones(1, len(good), dtype=torch.bool))
    assert given["text"].item() == pytest.approx(text.item(), abs=1e-5)
    assert binary.item() == pytest.approx(pair.item(), abs=1e-5)


CASES = {"lit5-distill": (4, 150), "listt5": (3, 256)}  # documents, of which ListT5 writes six tokens; tokens of a text


@pytest.mark.parametrize("method", CASES)
def test_the_order_is_written_in_the_methods_form_and_learned(
    method: str, models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    size, tokens = CASES[method]
    base = tiny_model(tmp_path / "base", "seq2seq", dropout_rate=0.0)
    student = FiD(base, method=method, text_tokens=tokens)
    ranks = [[c.first_rank or 0 for c in one.top(size).candidates] for one in samples]
    sample = next(one.top(size) for one, rank in zip(samples, ranks, strict=True) if rank != sorted(rank))
    grouping = Grouping("order", size, size, shown="first-stage")
    group = grouping.group(sample, 0, 0)
    order = sorted(range(size), key=lambda i: -group.targets[i])
    text = student.loaded.tokenizer.decode(student.answer(group), skip_special_tokens=True)
    if method == "listt5":
        assert text == " ".join(str(i + 1) for i in reversed(order))
    else:
        assert text == " > ".join(f"[{i + 1}]" for i in order)
    settings = replace(SETTINGS, batch=1, steps=150, learning_rate=5e-3)
    trained = train(student, [sample], Objective(text_weight=1.0), grouping, settings, tmp_path / "training")
    student.save(trained.module, tmp_path / "model")
    opened = student.runs_with(str(tmp_path / "model"))
    (result,) = load(opened.pop("method"), **opened)([first_stage([sample])[0]])
    assert result.trace[0].output == text  # one list is soon known by heart
    if method == "lit5-distill":
        assert result.ids == sample.ids
        assert not result.repairs


@pytest.mark.parametrize("method", CASES)
def test_text_loss_is_the_likelihood_of_what_the_runtime_writes(
    method: str, models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    """The runtime's greedy answers, token by token with their probabilities, against the student's forward pass."""
    import torch

    from shortlist.backends.transformers import FusionInDecoder

    _, tokens = CASES[method]
    student = FiD(models["t5"], method=method, text_tokens=tokens)
    rankings = [first_stage(samples)[i].top(n) for i, n in enumerate((5, 3))]
    template = load_prompt(method)
    requests = [replace(template.render(r.query, r.candidates), logprobs=True, max_tokens=7) for r in rankings]
    answers = FusionInDecoder(models["t5"], text_tokens=tokens).generate(requests)
    expected = [[token.logprob for token in answer.tokens] for answer in answers]
    groups = asked_of(rankings)
    features, module = student.features(groups), student.module().eval()
    with torch.no_grad():
        found = _greedy(student, module, features, 7)
    for row, wanted in zip(found, expected, strict=True):
        assert row[: len(wanted)] == pytest.approx(wanted, abs=1e-4)


def _greedy(student: FiD, module: Any, features: dict[str, Any], steps: int) -> list[list[float]]:
    """Log-probabilities of the likeliest token, step after step, by the student's own states."""
    import torch

    from shortlist.train.students._segments import side_by_side

    states = module.model.get_encoder()(input_ids=features["ids"], attention_mask=features["attention"])
    joined, mask = side_by_side(states.last_hidden_state, features["attention"], features["places"])
    ids = torch.full((len(joined), 1), student.start)
    values = []
    for _ in range(steps):
        out = module.model(encoder_outputs=(joined,), attention_mask=mask, decoder_input_ids=ids, use_cache=False)
        best = out.logits[:, -1].log_softmax(-1).max(-1)
        values.append(best.values)
        ids = torch.cat([ids, best.indices[:, None]], 1)
    return torch.stack(values, 1).tolist()


def test_padding_and_longer_lists_do_not_change_a_lists_loss(models: dict[str, Path], samples: list[Ranking]) -> None:
    import torch

    student = FiD(models["t5"])
    groups = [Grouping("order", n, n, shown="shuffled").group(samples[i], 0, 0) for i, n in enumerate((3, 6))]
    module = student.module().eval()
    with torch.no_grad():
        alone = [student.forward(module, student.features([g]), frozenset({"text"}))["text"].item() for g in groups]
        both = student.forward(module, student.features(groups), frozenset({"text"}))["text"].item()
    sizes = [len(student.answer(group)) for group in groups]
    assert both == pytest.approx(sum(a * n for a, n in zip(alone, sizes, strict=True)) / sum(sizes), abs=1e-5)


def test_methods_of_another_kind_are_refused(models: dict[str, Path], samples: list[Ranking]) -> None:
    group = Grouping("order", 3, 3, shown="shuffled").group(samples[0], 0, 0)
    with pytest.raises(ConfigError, match="one by one"):
        FiD(models["t5"], method="rankgpt").features([group])
    with pytest.raises(ConfigError, match="no language model"):
        FiD(models["t5"], method="cross-encoder", params={}).features([group])
