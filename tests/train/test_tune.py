"""A mixture tuned from Python and from the command line: folder, verdicts, card, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from shortlist import load
from shortlist.cli import main
from shortlist.core.errors import ConfigError
from shortlist.core.types import Ranking
from shortlist.data.dataset import load_dataset
from shortlist.evaluate import evaluate
from shortlist.formats import read, write
from shortlist.formats.graded import grades, with_grades
from shortlist.retrieve.bm25 import BM25
from shortlist.train.gate import held_out
from shortlist.train.generated import generated
from shortlist.train.tune import tune

DEMO = Path(__file__).parents[2] / "src" / "shortlist" / "demo"


@pytest.fixture(scope="module")
def demo() -> Path:
    """The demo collection: 24 judged questions."""
    return DEMO


@pytest.fixture(scope="module")
def judged(demo: Path) -> list[Ranking]:
    dataset = load_dataset(demo)
    found = BM25(documents=dataset.corpus).retrieve(list(dataset.judged().values()), k=20)
    return list(with_grades(found, grades(dataset.qrels())))


@pytest.fixture(scope="module")
def tuned(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command makes of the demo collection."""
    folder = tmp_path_factory.mktemp("tuned") / "mixture"
    assert main(["tune", "--data", str(demo), "--depth", "20", "-o", str(folder), "--licence", "CC0", "--quiet"]) in (
        0,
        4,
    )
    return folder


def test_the_command_leaves_a_mixture_that_opens(tuned: Path, judged: list[Ranking]) -> None:
    stage = load("mixture", model=tuned)
    done = stage.apply(judged)
    assert [sorted(r.ids) for r in done] == [sorted(r.ids) for r in judged]
    written = json.loads((tuned / "mixture.json").read_text())
    assert written["stages"] == ["late-interaction"]
    assert set(written["weights"]) == {
        "late-interaction", "late-interaction.cosine", "late-interaction.maxsim", "late-interaction.reverse-maxsim",
        "late-interaction.feedback", "first-stage",
    }  # fmt: skip
    assert all(weight >= 0 for weight in written["weights"].values())


def test_the_command_and_python_give_the_same(tuned: Path, demo: Path, judged: list[Ranking], tmp_path: Path) -> None:
    found = tune(["late-interaction"], judged, grades(load_dataset(demo).qrels()), tmp_path / "again")
    assert json.loads((tuned / "mixture.json").read_text())["weights"] == dict(found.fit.weights)
    assert found.held is None and found.accepted == found.own.accepted
    said = json.loads((tuned / "training/gate.json").read_text())["own"]
    assert said["accepted"] == found.own.accepted and said["rows"][0]["mean"] == found.own.rows[0][1].mean


def test_what_it_was_made_of_stands_beside_it(tuned: Path) -> None:
    record = json.loads((tuned / "training/manifest.json").read_text())
    assert (record["queries"], record["folds"], record["strength"], record["licence"]) == (24, 5, 3.0, "CC0")
    assert set(record["inputs"]) == {"corpus.jsonl", "queries.jsonl", "qrels/test.tsv"}
    before, after = record["cross_entropy"]
    assert after < before
    card = (tuned / "README.md").read_text()
    assert "24 judged queries; licence: CC0." in card and "| late-interaction.maxsim |" in card
    assert "each query by weights learned from the others (5 folds)" in card
    assert (tuned / "training/first-stage.trec").exists()


def test_the_baseline_is_the_first_method_alone(judged: list[Ranking], demo: Path, tmp_path: Path) -> None:
    judgements = grades(load_dataset(demo).qrels())
    found = tune(["late-interaction"], judged, judgements, tmp_path / "m")
    alone = evaluate(load("late-interaction").apply(judged), judgements, "nDCG@10").means
    assert found.own.rows[0][1].baseline_mean == pytest.approx(next(iter(alone.values())))


def test_held_out_questions_are_not_learned_from_and_decide(tmp_path: Path) -> None:
    rankings = generated(40, 8, seed=3)
    sets = [held_out("same", rankings[30:]), held_out("others", generated(30, 8, seed=4, name="o"))]
    judgements = {r.query.id: {c.id: int(c.document.metadata["grade"]) for c in r.candidates} for r in rankings}
    found = tune([{"method": "late-interaction", "first_stage": 0.0}], rankings, judgements, tmp_path / "m", sets=sets)
    assert found.leaks.found == {"same": 10} and found.fit.queries == 30
    assert found.held is not None and [name for name, _ in found.held.rows] == ["same", "others", "all queries"]
    assert found.accepted == found.held.accepted
    assert "On held-out sets:" in (tmp_path / "m/README.md").read_text()
    assert "late-interaction" in found.held.baseline


def test_several_methods_and_a_file_with_grades(
    judged: list[Ranking], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(judged, tmp_path / "judged.jsonl")
    shutil.copytree(DEMO.parent / "models" / "shortlist-fast-en", tmp_path / "fast")
    second = f'{{method = "bi-encoder", model = "{tmp_path}/fast", name = "small"}}'
    status = main([
        "tune", str(tmp_path / "judged.jsonl"), "--with", "bi-encoder", "--with", second, "-o", str(tmp_path / "m"),
    ])  # fmt: skip
    said = capsys.readouterr().err
    assert status in (0, 4) and "weights of 24 queries: bi-encoder " in said
    written = json.loads((tmp_path / "m/mixture.json").read_text())
    assert set(written["weights"]) == {"bi-encoder", "small", "first-stage"} and written["stages"][1]["name"] == "small"
    assert "24 queries decide little" in said and f"--with mixture --model {tmp_path}/m" in said
    output = tmp_path / "out.jsonl"
    assert main(["rerank", str(tmp_path / "judged.jsonl"), "--with", "mixture", "--model", str(tmp_path / "m"),
                 "-o", str(output), "--quiet"]) == 0  # fmt: skip
    assert [sorted(r.ids) for r in read(output)] == [sorted(r.ids) for r in judged]


def test_a_model_in_a_folder_is_found_from_anywhere(
    judged: list[Ranking], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(DEMO.parent / "models" / "shortlist-fast-en", tmp_path / "here/fast")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    judgements = {r.query.id: {r.ids[0]: 1} for r in judged}
    tune([{"method": "bi-encoder", "model": "fast"}], list(with_grades(judged, judgements)), judgements, Path("m"))
    monkeypatch.chdir(tmp_path / "there")
    assert load("mixture", model=tmp_path / "here/m").apply(judged[:1])[0].status == "ranked"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--with", "{method = }"], "no TOML table"),
        (["--with", "late-interactoin"], "late-interaction"),
        (["--folds", "1"], "folds=1"),
        (["--with", "bi-encoder", "--with", "bi-encoder"], "`name`"),
    ],
)
def test_what_cannot_be_tuned_is_said_and_leaves_nothing(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    assert main(["tune", "--data", str(demo), "--depth", "5", "-o", str(tmp_path / "m"), "--quiet", *args]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m/mixture.json").exists()


def test_a_file_without_judgements_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stripped = [
        replace(r, candidates=tuple(replace(c, document=replace(c.document, metadata={})) for c in r.candidates))
        for r in generated(2, 4)
    ]
    write(stripped, tmp_path / "bare.jsonl")
    assert main(["tune", str(tmp_path / "bare.jsonl"), "-o", str(tmp_path / "m"), "--quiet"]) == 2
    assert "no query is judged; give --qrels FILE" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_a_mixture_is_not_overwritten(tuned: Path, demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "--data", str(demo), "-o", str(tuned), "--quiet"]) == 2
    assert "holds a mixture already" in capsys.readouterr().err


def test_a_folder_that_holds_none_or_a_broken_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no mixture.json; `shortlist tune"):
        load("mixture", model=tmp_path)
    (tmp_path / "mixture.json").write_text('{"stages": ["late-interaction"]}')
    with pytest.raises(ConfigError, match=r"mixture.json: expected .*'weights'"):
        load("mixture", model=tmp_path)
    with pytest.raises(ConfigError, match="not both"):
        load("mixture", model=tmp_path, stages=["late-interaction"])
    with pytest.raises(ConfigError, match="expected a list"):
        load("mixture")
    with pytest.raises(ConfigError, match="depth: a mixture gives every stage the whole list"):
        load("mixture", stages=[{"method": "late-interaction", "depth": 3}])
