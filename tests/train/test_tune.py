"""A mixture tuned from Python and from the command line: folder, verdicts, card, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from shortlist import load
from shortlist.backends.fake import Failing
from shortlist.cli import main
from shortlist.core.errors import ConfigError
from shortlist.core.types import Ranking
from shortlist.data.dataset import load_dataset
from shortlist.evaluate import evaluate
from shortlist.formats import read, write
from shortlist.formats.graded import graded, grades, with_grades
from shortlist.retrieve.bm25 import BM25
from shortlist.train.gate import held_out
from shortlist.train.generated import generated
from shortlist.train.tune import tune
from shortlist.train.tuned import placed

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


def test_a_mixture_without_its_method_is_recognised(
    tuned: Path, demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rerank", "--data", str(demo), "--model", str(tuned), "-o", str(tmp_path / "r.trec")]) == 2
    assert "holds a mixture; add --with mixture" in capsys.readouterr().err


def test_what_it_was_made_of_stands_beside_it(tuned: Path) -> None:
    record = json.loads((tuned / "training/manifest.json").read_text())
    assert (record["queries"], record["folds"], record["strength"], record["licence"]) == (24, 20, 3.0, "CC0")
    assert set(record["inputs"]) == {"corpus.jsonl", "queries.jsonl", "qrels/test.tsv"}
    before, after = record["cross_entropy"]
    assert after < before
    card = (tuned / "README.md").read_text()
    assert (
        "24 judged queries with up to 20 candidates; strength of the penalty 3; licence: CC0." in card
        and "| late-interaction.maxsim |" in card
    )
    assert "each query by weights learned from the others (20 folds)" in card
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
    assert found.left_out == {"query of same": 10} and found.fit.queries == 30
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
    assert (
        "24 queries decide little" in said
        and "judgements are those of the candidates" in said
        and f"--with mixture --model {tmp_path}/m" in said
    )
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


def test_a_grade_of_a_document_that_is_no_judgement_is_not_learned(
    judged: list[Ranking], demo: Path, tmp_path: Path
) -> None:
    judgements = grades(load_dataset(demo).qrels())
    school = [
        replace(r, candidates=tuple(replace(c, document=graded(c.document, i % 7)) for i, c in enumerate(r.candidates)))
        for r in judged
    ]
    found, plain = (tune(["bi-encoder"], r, judgements, tmp_path / n) for r, n in ((school, "a"), (judged, "b")))
    assert found.fit == plain.fit


def test_a_grade_that_is_not_whole_is_refused(
    judged: list[Ranking], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = judged[0].candidates[0]
    half = replace(judged[0], candidates=(replace(first, document=graded(first.document, 0.5)),))
    write([half, *judged[1:]], tmp_path / "in.jsonl")
    assert main(["tune", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "m"), "--quiet"]) == 2
    assert "grade 0.5 is not whole" in capsys.readouterr().err


def test_queries_that_failed_or_are_asked_twice_are_left_out_and_counted(
    judged: list[Ranking], demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A baseline that fails counts as 0 elsewhere; here it would make any mixture look good."""
    again = replace(judged[3], query=replace(judged[3].query, id="again", text=f"{judged[3].query.text.upper()} ?"))
    judgements = {**grades(load_dataset(demo).qrels()), "again": {judged[3].ids[0]: 1}}
    stages = [{"method": "yes-no", "backend": Failing(needle=judged[5].query.text)}]
    monkeypatch.setattr("shortlist.train.tune.write_tuned", lambda *given: None)  # a backend of a test is no JSON
    found = tune(stages, [*judged, again], judgements, tmp_path / "m")
    assert sorted(found.left_out.values()) == [1, 1] and found.left_out["asked twice"] == 1
    assert any("not scored by yes-no" in why and "BackendError" in why for why in found.left_out)
    assert found.fit.queries <= 23 and sum(w.wins + w.ties + w.losses for _, w in found.own.rows[:1]) == 23


def test_the_held_out_sets_decide_where_there_are_some(judged: list[Ranking], demo: Path, tmp_path: Path) -> None:
    found = tune(["bi-encoder"], judged, grades(load_dataset(demo).qrels()), tmp_path / "m")
    refused, passed = replace(found.own, accepted=False), replace(found.own, accepted=True)
    assert [replace(found, own=a, held=b).accepted for a in (refused, passed) for b in (refused, passed, None)] == [
        False, True, False, False, True, True,
    ]  # fmt: skip


def test_models_are_placed_wherever_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fast").mkdir()
    (tmp_path / "m.onnx").touch()
    monkeypatch.chdir(tmp_path)
    inner = {"method": "cascade", "stages": ["bm25", {"method": "bi-encoder", "model": Path("fast")}]}
    found = placed([inner, {"method": "cross-encoder", "model": "m.onnx"}, {"method": "first", "model": "org/name"}])
    assert found[0]["stages"][1]["model"] == str(tmp_path / "fast")
    assert [one["model"] for one in found[1:]] == [str(tmp_path / "m.onnx"), "org/name"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--with", "{method = }"], "no TOML table"),
        (["--with", "late-interactoin"], "late-interaction"),
        (["--folds", "1"], "folds=1"),
        (["--with", "bi-encoder", "--with", "bi-encoder"], "`name`"),
        (["--depth", "0"], "--depth 0: expected a whole number from 1 up"),
        (["--strength", "-1"], "strength=-1"),
        (["--margin", "-0.1"], "margin=-0.1"),
        (["--measure", "nDCG@10 RR@10"], "expected one measure"),
        (["--language", "german"], "reads English"),
    ],
)
def test_what_cannot_be_tuned_is_said_and_leaves_nothing(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    assert main(["tune", "--data", str(demo), "--depth", "5", "-o", str(tmp_path / "m"), "--quiet", *args]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_a_file_without_judgements_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stripped = [
        replace(r, candidates=tuple(replace(c, document=replace(c.document, metadata={})) for c in r.candidates))
        for r in generated(2, 4)
    ]
    write(stripped, tmp_path / "bare.jsonl")
    assert main(["tune", str(tmp_path / "bare.jsonl"), "-o", str(tmp_path / "m"), "--quiet"]) == 2
    assert "none of 2 queries is judged; give --qrels FILE" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_nothing_is_overwritten(tuned: Path, demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in tuned.rglob("*") if path.is_file()}
    assert main(["tune", "--data", str(demo), "-o", str(tuned), "--depth", "3", "--quiet"]) == 2
    assert "exists already; give a new or an empty folder" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tuned.rglob("*") if path.is_file()} == before
    (tmp_path / "file").write_text("mine")
    assert main(["tune", "--data", str(demo), "-o", str(tmp_path / "file"), "--quiet"]) == 2
    assert (tmp_path / "file").read_text() == "mine"


def test_judgements_of_other_queries_are_shown_beside_the_queries(
    judged: list[Ranking], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nmh01\td1\t1\n")
    write(judged, tmp_path / "in.jsonl")
    command = ["tune", str(tmp_path / "in.jsonl"), "--qrels", str(tmp_path / "qrels.tsv"), "-o", str(tmp_path / "m")]
    assert main([*command, "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "none of 24 queries is judged" in said and "'q01'" in said and "'mh01'" in said


def test_only_what_has_a_weight_is_built_again(tmp_path: Path) -> None:
    (tmp_path / "mixture.json").write_text(json.dumps({
        "stages": ["late-interaction", "bi-encoder"],
        "weights": {"late-interaction.maxsim": 1.0, "bi-encoder": 0.0, "first-stage": 0.5},
    }))  # fmt: skip
    stage = load("mixture", model=tmp_path)
    assert stage.names == ("late-interaction",) and "bi-encoder" not in stage.weights  # type: ignore[attr-defined]


def test_a_folder_that_holds_none_or_a_broken_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is no folder with a mixture.json; `shortlist tune"):
        load("mixture", model=tmp_path)
    (tmp_path / "mixture.json").write_text('{"stages": ["late-interaction"]}')
    with pytest.raises(ConfigError, match=r"mixture.json: expected .*'weights'"):
        load("mixture", model=tmp_path)
    with pytest.raises(ConfigError, match="not both"):
        load("mixture", model=tmp_path, stages=["late-interaction"])
    with pytest.raises(ConfigError, match=r"is no folder with a mixture.json"):
        load("mixture", model=tmp_path / "mixture.json")
    with pytest.raises(ConfigError, match=r"needs model=FOLDER"):
        load("mixture")
    with pytest.raises(ConfigError, match="depth: a mixture gives every stage the whole list"):
        load("mixture", stages=[{"method": "late-interaction", "depth": 3}])
