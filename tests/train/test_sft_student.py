"""Answers as training targets: written as the method reads them, masked to the token, learned by heart, read back."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shortlist import Ranking, load
from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Completion
from shortlist.core.types import Call
from shortlist.readouts import Pick, TaggedAnswer
from shortlist.train import Grouping, Objective, Settings
from shortlist.train.generated import first_stage
from shortlist.train.students import SFT
from shortlist.train.students._answers import graded, parts_of, written
from shortlist.train.students._prompts import answer_targets
from shortlist.train.trainer import train

LISTS = ["rankgpt", "rankvicuna", "rankzephyr", "lrl", "apeer", "reasonrank", "rearank", "insertrank", "lit5-distill",
         "listt5", "grouprank", "tdpart"]  # fmt: skip
SINGLE = ["erank"]
PICKS = ["rank-r1", "setwise"]
PARAMS = {"setwise": {"readout": "generation"}, "erank": {"weight": "none"}}


@pytest.mark.parametrize("method", LISTS + SINGLE + PICKS)
def test_what_is_written_is_read_back_without_a_repair(method: str) -> None:
    template, readout = parts_of(method, PARAMS.get(method, {}))
    chance = random.Random(0)
    for n in (1,) if method in SINGLE else (2, 3, 5):
        targets = [float(chance.randint(0, 10)) for _ in range(n)] if n == 1 else chance.sample(range(11), n)
        text = written(template, readout, targets)
        reading = readout.read(Completion(text), n)
        assert reading.repairs == ()
        order = sorted(range(n), key=lambda i: -targets[i])
        if method in PICKS:
            assert reading.scores == tuple(float(i == order[0]) for i in range(n))
        elif method in (*SINGLE, "grouprank"):
            assert reading.scores == tuple(targets)
        else:
            assert sorted(range(n), key=lambda i: -reading.scores[i]) == order


def test_the_words_are_the_prompts() -> None:
    assert written(*parts_of("listt5", {}), [1.0, 3.0, 2.0]) == "1 3 2"  # worst first
    assert written(*parts_of("lit5-distill", {}), [1.0, 3.0, 2.0]) == "[2] > [3] > [1]"
    assert written(*parts_of("reasonrank", {}), [1.0, 3.0, 2.0]) == "<answer>[2] > [3] > [1]</answer>"
    assert written(*parts_of("rank-r1", {}), [1.0, 3.0, 2.0]) == "<answer>[2]</answer>"
    assert written(*parts_of("erank", {}), [7.0]) == "<answer>7</answer>"
    assert written(*parts_of("rank1", {}), [1.0]) == " true"
    _, readout = parts_of("erank", {})
    assert graded(readout, [1.0, 1.0]) == [10.0, 10.0]
    assert graded(readout, [-1.0, 1.0, 0.0]) == [0.0, 10.0, 5.0]
    assert isinstance(parts_of("rank-r1", {})[1], TaggedAnswer)
    assert Pick().read(Completion("[2]"), 3).scores == (0.0, 1.0, 0.0)
    with pytest.raises(ConfigError, match="nobody writes"):
        written(*parts_of("first", {}), [1.0, 2.0])


def thinking(folder: Path, models: dict[str, Path]) -> Path:
    """The tiny chat model with control tokens around thoughts, as Qwen3 has them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(models["causal"])
    tokenizer.add_special_tokens({"extra_special_tokens": ["<think>", "</think>"]})
    model = AutoModelForCausalLM.from_pretrained(models["causal"])
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def answered(ranking: Ranking, output: str, group: tuple[str, ...] | None = None) -> Ranking:
    ids = group or tuple(c.id for c in sorted(ranking.candidates, key=lambda c: c.first_rank or 0))
    return replace(ranking, trace=(Call(ids, tuple(float(-i) for i in range(len(ids))), output),))


def test_labels_are_the_answers_tokens_and_nothing_else(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    from shortlist.backends.transformers import CausalLM

    student = SFT(thinking(tmp_path / "m", models), method="rankgpt")
    said = ["<think>one <|im_end|> or two?</think>[1] > [2] > [3]", "[3] > [1] > [2]"]
    rankings = [answered(samples[i].top(3), text) for i, text in enumerate(said)]
    groups = [Grouping(answered=True).group(ranking, 0, 0) for ranking in rankings]
    features = student.features(groups)
    targets = answer_targets(student.loaded.torch, features["ids"], features["written"])
    vocabulary, end = student.loaded.tokenizer.get_vocab(), student.loaded.tokenizer.eos_token_id
    for row, (ranking, text) in enumerate(zip(rankings, said, strict=True)):
        kept = [t for t in targets[row].tolist() if t != -100]
        assert kept[-1] == end
        assert end not in kept[:-1], "a control token that a teacher wrote as text stays text"
        assert student.loaded.tokenizer.decode(kept[:-1]) == text
        assert (vocabulary["<think>"] in kept) == (vocabulary["</think>"] in kept) == text.startswith("<think>")
        everything = features["ids"][row][features["attention"][row] == 1].tolist()
        asked = load("rankgpt", backend=CausalLM(tmp_path / "m")).scorer
        shown = [c for i in ranking.trace[0].group for c in ranking.candidates if c.id == i]
        request = asked.prompt.render(ranking.query, shown, labels=())
        prompt = CausalLM(tmp_path / "m").encode(request)
        assert everything == [*prompt, *kept]
        masked = targets[row].tolist()[: len(targets[row]) - len(kept)]
        assert set(masked) <= {-100}


def test_text_loss_is_the_runtimes_likelihood(models: dict[str, Path], samples: list[Ranking]) -> None:
    import torch

    from shortlist.backends.transformers import CausalLM

    student = SFT(models["causal"], method="rankgpt")
    groups = [Grouping("order", n, n, shown="shuffled").group(samples[i], 0, 0) for i, n in enumerate((3, 5))]
    module = student.module().eval()
    with torch.no_grad():
        text = student.forward(module, student.features(groups), frozenset({"text"}))["text"].item()
    pairs = [(student.request(g.query, g.candidates), written(*student._parts, g.targets)) for g in groups]
    found = CausalLM(models["causal"]).nll(pairs, eos=True)
    assert text == pytest.approx(-sum(f.value for f in found) / sum(f.tokens for f in found), abs=1e-4)


def test_a_recorded_answer_counts_only_for_the_documents_and_the_order_that_were_shown(
    models: dict[str, Path], samples: list[Ranking]
) -> None:
    student = SFT(models["causal"], method="rankgpt")
    recorded = answered(samples[0].top(3), "so be it: [1] > [2] > [3]")

    def text(grouping: Grouping, ranking: Ranking) -> str:
        group = grouping.group(ranking, 0, 0)
        _, answer = student.row(group, group.candidates, group.targets)
        return str(student.loaded.tokenizer.decode(answer[:-1]))

    assert text(Grouping(answered=True), recorded).startswith("so be it")
    assert text(Grouping(smallest=3, largest=3, shown="first-stage"), recorded).startswith("so be it")
    assert "so be it" not in text(Grouping(smallest=2, largest=2, shown="first-stage"), recorded)
    turned = answered(samples[0].top(3), "so be it", samples[0].top(3).ids[::-1])
    if turned.trace[0].group != recorded.trace[0].group:
        assert "so be it" not in text(Grouping(smallest=3, largest=3, shown="first-stage"), turned)
    assert Grouping(answered=True).lacks(samples[0])
    assert not Grouping(answered=True).lacks(recorded)
    away = replace(recorded, candidates=recorded.candidates[:2])
    assert Grouping(answered=True).lacks(away)


def short_prompt(name: str, folder: Path, tokens: int = 24) -> Path:
    from shortlist.prompts.read import prompt_text
    from shortlist.train.students.sft import _LENGTH

    path = folder / "short.toml"
    path.write_text(_LENGTH.sub(f"max_tokens = {tokens}", prompt_text(name)), encoding="utf-8")
    return path


@pytest.mark.parametrize("method", ["reasonrank", "rank-r1", "grouprank", "erank"])
def test_an_answer_known_by_heart_is_what_the_runtime_writes_and_reads(
    method: str, models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    prompt = short_prompt(method, tmp_path, 90)
    sample = samples[0].top(3)
    shown = [c.id for c in sorted(sample.candidates, key=lambda c: c.first_rank or 0)]
    said = {
        "reasonrank": ["<think>dimi</think><answer>[3] > [1] > [2]</answer>"],
        "rank-r1": ["<think>dimi</think><answer>[2]</answer>"],
        "grouprank": ['<reason>dimi</reason><answer>```json\n{"[1]": 2, "[2]": 9, "[3]": 4}\n```</answer>'],
        "erank": ["<think>dimi</think><answer>4</answer>"] * 3,
    }[method]
    groups = [(i,) for i in shown] if method == "erank" else [tuple(shown)]
    trace = tuple(Call(g, (0.0,) * len(g), text) for g, text in zip(groups, said, strict=True))
    student = SFT(models["causal"], method=method, prompt=str(prompt))
    settings = Settings(batch=1, steps=80, learning_rate=1e-2, schedule="constant", save_every=0, device="cpu")
    grouping = Grouping(answered=True, shown="first-stage")
    known = [replace(sample, trace=trace)]
    trained = train(student, known, Objective(text_weight=1.0), grouping, settings, tmp_path / "t")
    student.save(trained.module, tmp_path / "model")
    opened: dict[str, Any] = student.runs_with(str(tmp_path / "model"))
    scorer = load(opened.pop("method"), **opened).scorer
    by_id = {c.id: c for c in first_stage([sample])[0].candidates}
    calls = scorer.score([(sample.query, [by_id[i] for i in group]) for group in groups])
    assert [call.output for call in calls] == said
    assert all(not call.repairs for call in calls)
    if method == "grouprank":
        assert calls[0].scores == (2.0, 9.0, 4.0)


def test_longer_answers_lose_their_end(models: dict[str, Path], samples: list[Ranking]) -> None:
    ranking = answered(samples[0].top(3), "[1] > [2] > [3]")
    group = Grouping(answered=True).group(ranking, 0, 0)
    whole = SFT(models["causal"], method="rankgpt").row(group, group.candidates, group.targets)
    cut = SFT(models["causal"], method="rankgpt", answer_tokens=4).row(group, group.candidates, group.targets)
    assert cut == (whole[0], whole[1][:4])
    with pytest.raises(ConfigError, match="answer"):
        SFT(models["causal"], form="nothing")


def test_dears_second_stage_opens_alone_and_behind_a_first_stage(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    from shortlist.train.students import CrossEncoder

    prompt = short_prompt("dear-listwise", tmp_path)
    student = SFT(models["causal"], method="rankgpt", prompt=str(prompt))
    student.save(student.module(), tmp_path / "second")
    first = CrossEncoder(models["causal"], query="query: {text}", document="document: {text}", titled="tevatron")
    first.save(first.module(), tmp_path / "first")
    opened = student.runs_with(str(tmp_path / "second"))
    asked = first_stage(samples[:1])
    (alone,) = load(opened.pop("method"), **opened)(asked)
    places = {"model": str(tmp_path / "second"), "pointwise": str(tmp_path / "first")}
    (both,) = load("dear", **places, prompt=str(prompt))(asked)
    assert len(alone.trace) == 1
    assert len(both.trace) == 1 + len(both.ids)
    assert parts_of("dear", {"prompt": str(prompt)})[0] == student.template


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so
@pytest.mark.parametrize("kind", ["sft", "fid", "monot5"])
def test_low_rank_deltas_are_learned_and_merged(
    kind: str, models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    pytest.importorskip("peft", reason="peft is not installed (extra `train`)")
    from shortlist.train.students import FiD, LoRA, MonoT5, Student

    lora = LoRA(rank=4, alpha=8)
    made: dict[str, Student] = {
        "sft": SFT(models["causal"], method="rankgpt", prompt=str(short_prompt("rankgpt", tmp_path)), lora=lora),
        "fid": FiD(models["t5"], method="listt5", lora=lora),
        "monot5": MonoT5(models["t5"], lora=lora),
    }
    student = made[kind]
    settings = Settings(batch=2, steps=3, learning_rate=1e-2, save_every=0, checkpoint_gradients=True, device="cpu")
    grouping = Grouping("order", 3, 3, shown="shuffled")
    trained = train(student, samples, Objective(text_weight=1.0), grouping, settings, tmp_path / "training")
    learned = [name for name, p in trained.module.named_parameters() if p.requires_grad]
    assert learned
    assert all("lora_" in name for name in learned)
    student.save(trained.module, tmp_path / "model")
    opened = student.runs_with(str(tmp_path / "model"))
    (result,) = load(opened.pop("method"), **opened)([first_stage(samples)[0].top(3)])
    assert result.trace
