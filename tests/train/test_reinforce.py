"""GRPO on TRL: a tiny model's reward rises, what TRL is told is the recipe, and a killed training continues the same.

The model writes one of twelve tokens; it is to write 1 for a passage that is the query's word, and 0 for others.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from shortlist import Candidate, Document, Query, Ranking, load
from shortlist.core.errors import ConfigError
from shortlist.formats.features import GRADE
from shortlist.rewards import Record, Reward, Rollout
from shortlist.train import Grouping, Settings
from shortlist.train.recipe import available_recipes, read_recipe
from shortlist.train.reinforce import Reinforce, kinds, reinforce
from shortlist.train.reinforce.trainer import configured

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("trl") is None, reason="trl is not installed (extra `rl`)"),
]

WORDS = ("ba", "de", "fi", "go")
PROMPT = """
summary = "Is the passage the word that is asked for?"
paradigm = "pointwise"
layout = "chat"
identifiers = "none"
answer = "yes_no"
max_tokens = 1
body = "{query} {passage}"

[source]
paper = "none"
evidence = "C"
wording = "own"
"""
CHAT = (
    "{% for m in messages %}<|im_start|> {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant{% endif %}"
)


@pytest.fixture(scope="module")
def answerer(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with a vocabulary of twelve words, and its prompt beside it."""
    return tiny_answerer(tmp_path_factory.mktemp("answerer") / "0", 0)


def tiny_answerer(folder: Path, seed: int) -> Path:
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    pieces = ["<|pad|>", "<|im_start|>", "<|im_end|>", "?", "0", "1", "user", "assistant", *WORDS]
    made = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens(pieces[:3])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|im_end|>", unk_token="?",
        additional_special_tokens=["<|im_start|>"],
    )  # fmt: skip
    tokenizer.chat_template = CHAT
    torch.manual_seed(seed)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    ids = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": 2, "vocab_size": len(pieces)}
    config = transformers.LlamaConfig(
        **shape, **ids, num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.1
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "word.toml").write_text(PROMPT)
    return folder


def words(count: int, seed: int = 0) -> list[Ranking]:
    """Queries of one word, and all words as documents; the teacher grades the right one 9 and others 1."""
    chance, made = random.Random(seed), []
    for number in range(count):
        asked, shown = chance.choice(WORDS), chance.sample(WORDS, len(WORDS))
        documents = [Document(f"q{number}-{w}", w, metadata={GRADE: int(w == asked)}) for w in shown]
        found = [Candidate(d, 9.0 if d.text == asked else 1.0, float(-i), i) for i, d in enumerate(documents)]
        made.append(Ranking(Query(f"q{number}", asked), tuple(found), "ranked"))
    return made


def student_of(base: Path, **changes: Any) -> Any:
    from shortlist.train.students import SFT

    return SFT(base, method="prorank", prompt=str(base / "word.toml"), **changes)


GROUPS = Grouping("scores", smallest=4, largest=4, positives=1)
WANTED = Reinforce("prorank", prompts=16, rollouts=8, updates=2, max_new_tokens=1)
SHORT = Settings(batch=64, steps=8, learning_rate=3e-3, schedule="constant", warm_up=0.0, log_every=1, save_every=0,
                 device="cpu")  # fmt: skip


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_mean_reward_rises(seed: int, models: dict[str, Path], tmp_path: Path) -> None:
    """From the rare luck of a random model to more than what always saying the same earns for the form alone; with the
    advantage's sign turned round it falls to 0 instead."""
    base = tiny_answerer(tmp_path / "base", seed)
    settings = replace(SHORT, steps=60, seed=seed)
    reinforce(student_of(base), words(24, seed), WANTED, GROUPS, settings, tmp_path / "run")
    rewards = [line["reward"] for line in lines(tmp_path / "run") if "reward" in line]
    assert len(rewards) == 30
    first, last = sum(rewards[:2]) / 2, sum(rewards[-5:]) / 5
    assert first < 0.3
    assert last > 0.65
    assert last > first + 0.4


def test_the_record_has_each_term_and_they_add_up(answerer: Path, tmp_path: Path) -> None:
    settings = replace(SHORT, steps=4)
    done = reinforce(student_of(answerer), words(8), replace(WANTED, beta=0.05), GROUPS, settings, tmp_path)
    assert (done.updates, done.samples, done.seen, done.left_out) == (4, 8, 64, {})
    found = lines(tmp_path)
    assert [line["step"] for line in found] == [1, 2, 3, 4]
    for line in found:
        assert line.keys() >= {"loss", "kl", "entropy", "learning_rate", "grad_norm"}
    for line in found[::2]:  # the answers of a generation are used for two updates
        assert line["reward"] == pytest.approx(line["reward_label"] + line["reward_gates"], abs=1e-6)
        assert 0 < line["gate_not_a_label"] <= 1
        assert line["answer_tokens"] == 1
    assert found[-1]["kl"] > found[0]["kl"] == pytest.approx(0.0, abs=1e-6)


def test_one_seed_gives_one_result_and_another_gives_another(answerer: Path, tmp_path: Path) -> None:
    import torch

    runs = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        student = student_of(answerer)
        done = reinforce(student, words(8), WANTED, GROUPS, replace(SHORT, seed=seed), tmp_path / name)
        runs.append(dict(done.module.named_parameters()))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert any(not torch.equal(runs[0][name], runs[2][name]) for name in runs[0])
    assert lines(tmp_path / "a") == lines(tmp_path / "b") != lines(tmp_path / "c")


@pytest.mark.parametrize("lora", [False, True])
def test_a_training_continues_from_its_checkpoint_to_the_same_weights(
    lora: bool, answerer: Path, tmp_path: Path
) -> None:
    import torch

    from shortlist.train.students import LoRA

    if lora:
        pytest.importorskip("peft", reason="peft is not installed (extra `train`)")
    changes: dict[str, Any] = {"lora": LoRA(rank=4, dropout=0.1)} if lora else {}
    settings = replace(SHORT, save_every=4, keep=3)
    case = (words(8), replace(WANTED, beta=0.05, iterations=2), GROUPS, settings, tmp_path)
    found, records = [], []
    for again in (False, True):
        done = reinforce(student_of(answerer, **changes), *case, resume=again)
        found.append({n: p.detach() for n, p in done.module.named_parameters() if p.requires_grad})
        records.append(lines(tmp_path))
        assert done.resumed == (4 if again else 0)
        shutil.rmtree(tmp_path / "checkpoint-8")
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert records[0] == records[1]
    assert not list(tmp_path.glob("**/README.md")) or lora  # TRL's own card is not written; PEFT's adapters have one
    with pytest.raises(ConfigError, match="resume it"):
        reinforce(student_of(answerer, **changes), *case)


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # PEFT asks under a name of the past
@pytest.mark.parametrize("merge", [True, False])
def test_deltas_are_trained_and_the_folder_opens(merge: bool, answerer: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="peft is not installed (extra `train`)")
    from shortlist.train.students import LoRA

    student = student_of(answerer, lora=LoRA(rank=4, merge=merge))
    settings = replace(SHORT, learning_rate=3e-2)
    done = reinforce(student, words(8), replace(WANTED, beta=0.01), GROUPS, settings, tmp_path / "run")
    trained = {name for name, p in done.module.named_parameters() if p.requires_grad}
    assert trained and all("lora_" in name for name in trained)
    student.save(done.module, tmp_path / "model")
    scores = []
    for opened in (student.runs_with(str(tmp_path / "model")), student_of(answerer).opens_with(str(answerer))):
        stage = load(opened.pop("method"), **opened)
        (ranked,) = stage([Ranking(r.query, tuple(Candidate(c.document) for c in r.candidates)) for r in words(1)])
        scores.append(sorted((c.id, c.score) for c in ranked.candidates))
    assert scores[0] != scores[1]


def test_all_answers_of_a_query_reach_the_reward_in_one_call(
    answerer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRL repeats and batches prompts; the reward must see every document of the query, ``rollouts`` times each."""
    calls: list[tuple[tuple[str, ...], list[int | None]]] = []

    def seen(rollouts: Sequence[Rollout], record: Record) -> list[Reward]:
        calls.append((record.documents, [rollout.document for rollout in rollouts]))
        return [Reward(float(rollout.text == "1")) for rollout in rollouts]

    monkeypatch.setitem(kinds.KINDS, "erank", replace(kinds.KINDS["erank"], reward=seen))
    wanted = Reinforce("erank", prompts=8, rollouts=3, updates=2, iterations=2, max_new_tokens=1)
    settings = replace(SHORT, batch=4, steps=8)
    reinforce(student_of(answerer), words(3), wanted, GROUPS, settings, tmp_path)
    assert len(calls) == 4  # two generations of two queries
    for documents, asked in calls:
        assert len(documents) == 4
        assert sorted(asked, key=str) == [d for d in range(4) for _ in range(3)]
    told = dict(wanted.trl(), shuffle_dataset=True)
    monkeypatch.setattr(Reinforce, "trl", lambda self: told)
    with pytest.raises(ConfigError, match="answers are here"):  # were TRL to shuffle prompts, queries would be split
        reinforce(student_of(answerer), words(3), wanted, GROUPS, settings, tmp_path / "shuffled")


REWARDED = [name for name in available_recipes() if read_recipe(name).reinforce is not None]


@pytest.mark.parametrize("name", REWARDED)
def test_what_trl_is_told_is_what_the_recipe_says(name: str, tmp_path: Path) -> None:
    import trl

    recipe = read_recipe(name)
    wanted = recipe.reinforce
    assert wanted is not None
    settings = replace(recipe.settings, device="cpu")
    told = configured(trl, wanted, settings, tmp_path, 40, 1)
    same = ("beta", "loss_type", "scale_rewards", "epsilon", "temperature", "top_p", "top_k")
    assert {n: getattr(told, n) for n in same} == {n: getattr(wanted, n) for n in same}
    assert told.epsilon_high == (wanted.epsilon if wanted.epsilon_high is None else wanted.epsilon_high)
    assert (told.num_generations, told.num_iterations) == (wanted.rollouts, wanted.iterations)
    assert told.max_completion_length == wanted.max_new_tokens
    assert told.generation_batch_size == wanted.prompts * wanted.rollouts
    update = told.per_device_train_batch_size * told.gradient_accumulation_steps
    assert update * wanted.updates == told.generation_batch_size
    assert told.steps_per_generation == told.gradient_accumulation_steps * wanted.updates
    assert (told.learning_rate, told.bf16) == (settings.learning_rate, settings.precision == "bf16")
    assert told.activation_checkpointing == settings.checkpoint_gradients
    assert told.report_to == [] and not told.log_completions and not told.use_vllm


NOT_OURS = {
    "model_init_kwargs", "trust_remote_code", "chat_template_kwargs", "max_tool_calling_iterations", "log_multimodal",
    "log_unique_prompts", "log_completions_hub_repo", "num_completions_to_print", "num_generations_eval",
    "ds3_gather_for_generation", "cache_implementation", "transformers_continuous_batching_config",
    "use_transformers_paged", "learning_rate", "remove_unused_columns", "ref_model_mixup_alpha", "ref_model_sync_steps",
}  # models and tools that are not used, logs, evaluation, and what Settings sets  # fmt: skip
OFF = ("vllm_", "sapo_", "vespo_", "entropy_")  # of what is switched off, or losses that Reinforce does not have


def test_every_knob_of_trl_that_decides_a_result_is_set() -> None:
    """A new one in a new version fails here, and is to be set in ``Reinforce.trl``."""
    import trl

    known = set(trl.GRPOConfig.__annotations__)
    assert "beta" in known
    unset = known - set(WANTED.trl()) - NOT_OURS
    assert {name for name in unset if not name.startswith(OFF)} == set()
    assert set(WANTED.trl()) <= set(trl.GRPOConfig.__dataclass_fields__)


def test_nobody_is_told(answerer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import trl
    from trl.trainer import base_trainer

    sent: list[Any] = []
    monkeypatch.setattr(base_trainer, "send_telemetry", lambda **given: sent.append(given))
    monkeypatch.delenv("CI", raising=False)
    assert callable(trl.GRPOTrainer._send_telemetry)
    reinforce(student_of(answerer), words(4), WANTED, GROUPS, replace(SHORT, steps=2), tmp_path)
    assert sent == []


def test_weights_of_the_best_look_are_kept(answerer: Path, tmp_path: Path) -> None:
    import torch

    from shortlist.train.dev import Dev
    from shortlist.train.gate import held_out

    held = held_out("words", words(6, seed=9))
    dev = Dev(every=2, keep_best=True)
    settings = replace(SHORT, steps=6, learning_rate=3e-2)
    student = student_of(answerer)
    done = reinforce(student, words(8), WANTED, GROUPS, settings, tmp_path / "a", dev=dev, dev_sets=[held])
    assert [step for step, _ in done.looks] == [2, 4, 6]
    best = max(value for _, value in done.looks)
    assert dict(done.looks)[done.kept] == best
    plain = reinforce(
        student_of(answerer), words(8), WANTED, GROUPS, replace(settings, steps=done.kept), tmp_path / "b"
    )
    found = dict(done.module.named_parameters())
    assert all(torch.equal(value, found[name]) for name, value in plain.module.named_parameters())


def test_two_processes_share_queries_and_agree(tmp_path: Path, models: dict[str, Path]) -> None:
    """One query of four documents, four answers each: half of them in either process, and paid together."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "shortlist", "train"]
    options = ["--config", "erank-rl", "--smoke", "-o", str(tmp_path / "model"), "--set", "settings.device=cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = lines(tmp_path / "model" / "training")
    assert [line["step"] for line in found if "loss" in line] == list(range(1, 7))
    assert found[0]["reward"] == pytest.approx(found[0]["reward_gates"])
    record = json.loads((tmp_path / "model" / "training" / "manifest.json").read_text())
    assert record["trained"]["seen"] == 8
    assert record["reinforce"]["reward"] == "erank"
    assert record["versions"]["trl"]
    assert "rewarded answers" in (tmp_path / "model" / "README.md").read_text()
