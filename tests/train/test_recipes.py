"""Recipes: read, changed, written and read again; every one of the package runs on a tiny model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shortlist import load
from shortlist.core.errors import ConfigError, UnknownName
from shortlist.core.params import from_toml, to_toml
from shortlist.formats import write
from shortlist.train.card import card
from shortlist.train.generated import first_stage, generated
from shortlist.train.recipe import Data, available_recipes, changed, read_recipe
from shortlist.train.reinforce.trainer import check as check_rewards
from shortlist.train.trainer import check


@pytest.mark.parametrize("name", available_recipes())
def test_every_recipe_is_whole_and_survives_toml(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.source
    if recipe.objective is not None:
        check(recipe.student, recipe.objective, recipe.grouping)
    else:
        assert recipe.reinforce is not None
        check_rewards(recipe.student, recipe.reinforce, recipe.grouping, recipe.settings)
    assert from_toml(to_toml(recipe)) == recipe


def test_changes_reach_the_parts() -> None:
    recipe = read_recipe("gmr", {"settings.steps": 3, "objective.direction.weight": "contrastive", "student.base": "x"})
    assert recipe.settings.steps == 3
    assert recipe.objective.direction is not None
    assert recipe.objective.direction.weight == "contrastive"
    assert recipe.student.base == "x"


def test_what_is_wrong_in_a_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="margin-mse"):
        read_recipe("margin-mze")
    good = 'name = "n"\nsummary = "s"\n[student]\ntype = "BiEncoder"\nbase = "b"\n[objective.ranking]\ntype = "KL"\n'
    path = tmp_path / "r.toml"
    for text, said in (
        (good.replace("BiEncoder", "TriEncoder"), "TriEncoder"),
        (good.replace('base = "b"', "bass = 1"), "bass"),
        (good + "[settinks]\nsteps = 1\n", "settinks"),
        (good.replace("[objective.ranking]", "[other]"), "other"),
        (good + "[settings]\nsteps = 0\n", "steps=0"),
        (good + "]", "TOML"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=said):
            read_recipe(path)
    path.write_text(good)
    assert read_recipe(path).name == "n"


SLOW = [name for name in available_recipes() if name not in ("distil-bi-encoder", "first")]


@pytest.mark.parametrize(
    "name", ["distil-bi-encoder", "first", *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)]
)
def test_a_smoke_run_leaves_a_model_that_opens(name: str, models: dict[str, Path], tmp_path: Path) -> None:
    from shortlist.train.run import run_recipe

    if read_recipe(name).reinforce is not None:
        pytest.importorskip("trl", reason="trl is not installed (extra `rl`)")
    output = tmp_path / "model"
    result = run_recipe(read_recipe(name), output, smoke=True)
    assert result.verdict is not None
    opened = dict(result.opens_with)
    stage = load(opened.pop("method"), **opened)
    (ranked,) = stage(first_stage(generated(1, 5)))
    # after a few updates a model that writes its answer writes nothing that names a passage
    assert ranked.status == ("ranked" if "scores" in read_recipe(name).student.gives else ranked.status)
    record = json.loads((output / "training" / "manifest.json").read_text())
    assert record["trained"]["updates"] == 6
    assert record["recipe"]["name"] == name
    assert record["versions"]["accelerate"]
    card = (output / "README.md").read_text()
    assert "smoke run" in card
    assert read_recipe(name).source in card
    assert (output / "training" / "gate.md").read_text().startswith("# Evaluation gate")
    assert from_toml((output / "training" / "recipe.toml").read_text()).student.base == record["base"]["name"]


def test_training_files_their_licences_and_leaks(models: dict[str, Path], tmp_path: Path) -> None:
    from shortlist.train.run import run_recipe

    samples = generated(12, 6, seed=4)
    write(samples, tmp_path / "samples.jsonl")
    folder = tmp_path / "held"  # a BEIR folder that asks two of the training queries
    (folder / "qrels").mkdir(parents=True)
    asked = samples[:2]
    documents = [c.document for ranking in asked for c in ranking.candidates]
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"_id": d.id, "text": d.text}) + "\n" for d in documents))
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": r.query.id, "text": r.query.text}) + "\n" for r in asked)
    )
    lines = [f"{r.query.id}\t{c.id}\t{c.document.metadata['grade']}\n" for r in asked for c in r.candidates]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    recipe = read_recipe("distil-cross-encoder", {"student.base": str(models["encoder"]), "settings.device": "cpu"})
    recipe = replace(recipe, data=(Data(str(tmp_path / "samples.jsonl"), "CC0-1.0"),))
    recipe = replace(recipe, gate=replace(recipe.gate, sets=(str(folder),)))
    result = run_recipe(recipe, tmp_path / "model")
    assert result.leaks.count == 2
    assert result.trained.samples == 10
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Before: first-stage, of the first 100 candidates of each query." in card
    assert "first-stage, of the first 100" in (tmp_path / "model" / "training" / "report.html").read_text()
    assert "licence: CC0-1.0" in card
    assert "base model" in card
    assert "licence: not stated" in card  # the base's
    with pytest.raises(ConfigError, match="differs"):
        run_recipe(replace(recipe, name="other"), tmp_path / "model", resume=True)
    with pytest.raises(ConfigError, match="no training file"):
        run_recipe(replace(recipe, data=()), tmp_path / "empty")


def test_another_base_does_not_inherit_the_licence_of_the_recipes_own() -> None:
    assert read_recipe("early-first").base_licence == "Apache-2.0"
    assert read_recipe("early-first", {"settings.steps": 3}).base_licence == "Apache-2.0"
    assert read_recipe("early-first", {"student.base": "meta-llama/Llama-3.1-8B"}).base_licence == ""
    given = {"student.base": "meta-llama/Llama-3.1-8B", "base_licence": "Llama 3.1"}
    assert read_recipe("early-first", given).base_licence == "Llama 3.1"


@pytest.mark.parametrize("name", ["first", "rank-r1"])
def test_weights_that_cannot_take_small_steps_are_refused(name: str) -> None:
    recipe = read_recipe(name)
    recipe = replace(recipe, student=changed(recipe.student, dtype="bfloat16", lora=None))
    with pytest.raises(ConfigError, match="without lora"):
        if recipe.objective is not None:
            check(recipe.student, recipe.objective, recipe.grouping)
        else:
            assert recipe.reinforce is not None
            check_rewards(recipe.student, recipe.reinforce, recipe.grouping, recipe.settings)


def test_a_training_is_not_continued_with_other_data(models: dict[str, Path], tmp_path: Path) -> None:
    from shortlist.train.run import run_recipe

    path = tmp_path / "samples.jsonl"
    write(generated(6, 6, seed=4), path)
    short = {"settings.device": "cpu", "settings.steps": 1, "settings.batch": 2, "student.base": str(models["encoder"])}
    recipe = replace(read_recipe("distil-bi-encoder", short), data=(Data(str(path)),))
    run_recipe(recipe, tmp_path / "model")
    assert run_recipe(recipe, tmp_path / "model", resume=True).trained.resumed == 1
    write(generated(6, 6, seed=5), path)
    with pytest.raises(ConfigError, match="is not what it was"):
        run_recipe(recipe, tmp_path / "model", resume=True)


def test_the_card_says_how_an_adapter_is_opened_wherever_it_lies() -> None:
    recipe = {"name": "n", "summary": "s", "source": "", "teacher": "", "base_licence": "", "limits": []}
    manifest = {
        "recipe": recipe, "base": {"name": "org/base", "digest": "d"}, "data": [], "settings": {"seed": 0},
        "trained": {"updates": 1, "seen": 8}, "versions": {}, "reinforce": {"type": "a:Reinforce"},
    }  # fmt: skip
    whole = card({**manifest, "opens_with": {"method": "yes-no", "model": "/home/me/out", "options": {}}})
    assert "stage = load('yes-no', model=FOLDER, options={})" in whole
    options = {"template_options": {"a": 1}, "adapter": "/home/me/out"}
    delta = card({**manifest, "opens_with": {"method": "yes-no", "model": "org/base", "options": options}})
    assert "load('yes-no', model='org/base', options={'adapter': FOLDER, 'template_options': {'a': 1}})" in delta
    assert "/home/me" not in whole + delta


def test_a_gate_that_cannot_be_is_refused_before_the_training(models: dict[str, Path], tmp_path: Path) -> None:
    from shortlist.train.run import run_recipe

    for wrong in ({"gate.measure": "nDCG@10 RR"}, {"gate.margin": -0.1}, {"gate.depth": 0}):
        with pytest.raises(ConfigError):
            read_recipe("distil-bi-encoder", wrong)
    for name, wrong_one in (("gate.baseline", "cross-encodr"), ("gate.measure", "nDGC@10"), ("dev.measure", "nDGC@10")):
        with pytest.raises(UnknownName, match=wrong_one.partition("@")[0]):
            run_recipe(read_recipe("distil-bi-encoder", {name: wrong_one}), tmp_path / "model", smoke=True)
    assert not (tmp_path / "model" / "training" / "metrics.jsonl").exists()
