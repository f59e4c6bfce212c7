"""A killed job continues, and its output is that of an undisturbed one, byte for byte."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from shortlist import Ranking
from shortlist.backends.fake import Failing, Noisy
from shortlist.check import make_ranking
from shortlist.core.errors import BackendError, ConfigError, InputError
from shortlist.drive import Scheduled
from shortlist.formats.atomic import atomic_text
from shortlist.jobs import Stopped, rerank_file
from shortlist.pipeline import Stage
from shortlist.schedules import Map
from shortlist.scorers import Pairs


def plain_writer(rankings: Iterable[Ranking], path: Path) -> None:
    with atomic_text(path) as file:
        for ranking in rankings:
            for rank, c in enumerate(ranking.candidates, 1):
                file.write(f"{ranking.query.id} {c.id} {rank} {c.score} {c.first_rank} {ranking.status}\n")


def rankings(n: int = 40) -> list[Ranking]:
    return [make_ranking(10, seed=i, query_id=f"q{i}") for i in range(n)]


def stage(sigma: float = 2.0) -> Scheduled:
    return Scheduled(Pairs(Noisy(sigma=sigma)), Map())


def run(output: Path, **options: object) -> object:
    given = {"rankings": rankings(), "stage": stage(), "writer": plain_writer, "batch": 4, "k": 5, **options}
    return rerank_file(output=output, **given)  # type: ignore[arg-type]


def interrupted_after(n: int) -> Iterable[Ranking]:
    yield from rankings()[:n]
    raise KeyboardInterrupt


def test_an_interrupted_job_continues_with_whole_batches(tmp_path: Path) -> None:
    run(tmp_path / "undisturbed")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", rankings=interrupted_after(22))
    assert not (tmp_path / "killed").exists(), "an unfinished job must not leave an output"
    report = run(tmp_path / "killed")
    assert report.resumed == 20 and report.queries == 40  # type: ignore[attr-defined]
    assert (tmp_path / "killed").read_bytes() == (tmp_path / "undisturbed").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "killed", "killed.manifest.json", "undisturbed", "undisturbed.manifest.json"
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [1, 5, 40, 300])
def test_a_torn_record_is_dropped(tmp_path: Path, cut: int) -> None:
    run(tmp_path / "undisturbed")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", rankings=interrupted_after(22))
    journal = tmp_path / "killed.journal"
    journal.write_bytes(journal.read_bytes()[:-cut])
    run(tmp_path / "killed")
    assert (tmp_path / "killed").read_bytes() == (tmp_path / "undisturbed").read_bytes()


def test_a_journal_of_another_configuration_is_refused_and_restart_throws_it_away(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", rankings=interrupted_after(22))
    with pytest.raises(ConfigError, match=r"differs in stage.*--restart"):
        run(tmp_path / "out", stage=stage(sigma=3.0))
    with pytest.raises(ConfigError, match="differs in k"):
        run(tmp_path / "out", k=6)
    assert run(tmp_path / "out", stage=stage(sigma=3.0), restart=True).resumed == 0  # type: ignore[attr-defined]


def test_a_changed_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", rankings=interrupted_after(22))
    changed = [*rankings()[:6], make_ranking(10, seed=99, query_id="q6"), *rankings()[7:]]
    with pytest.raises(InputError, match="batch 2"):
        run(tmp_path / "out", rankings=changed)


def test_two_processes_do_not_work_on_one_output(tmp_path: Path) -> None:
    def second() -> Iterable[Ranking]:
        with pytest.raises(ConfigError, match="another process is writing"):
            run(tmp_path / "out")
        yield from rankings()

    assert run(tmp_path / "out", rankings=second()).queries == 40  # type: ignore[attr-defined]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "out.manifest.json"]


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out.journal").write_text("my notes")
    with pytest.raises(ConfigError, match="no journal of this program"):
        run(tmp_path / "out")
    assert (tmp_path / "out.journal").read_text() == "my notes"


def test_an_upgrade_in_the_middle_of_a_job_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", rankings=interrupted_after(22))
    monkeypatch.setattr("shortlist.jobs.rerank.versions", lambda: {"numpy": "999"})
    with pytest.raises(ConfigError, match="differs in versions"):
        run(tmp_path / "out")


def test_a_query_that_comes_twice_is_refused_before_it_is_computed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'q1' comes twice"):
        run(tmp_path / "out", rankings=[*rankings(3), rankings(2)[1]])


def test_what_changes_a_result_changes_the_fingerprint() -> None:
    from shortlist.jobs.codec import fingerprint

    one = make_ranking(3)
    first = replace(one.candidates[0], first_score=7.0)
    changed = [
        replace(one, query=replace(one.query, instruction="only recent")),
        replace(one, candidates=(first, *one.candidates[1:])),
        replace(one, candidates=one.candidates[::-1]),
    ]
    assert len({fingerprint([r]) for r in [one, *changed]}) == 4


def test_the_manifest_tells_how_to_repeat_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("x")
    run(tmp_path / "out", inputs={"run": data}, facts=lambda: {"seed": 7}, depth=8)
    manifest = json.loads((tmp_path / "out.manifest.json").read_text())
    assert manifest["stage"]["scorer"]["backend"]["digest"] == Noisy(sigma=2.0).digest
    assert manifest["inputs"]["run"]["sha256"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert (manifest["k"], manifest["depth"], manifest["seed"]) == (5, 8, 7)
    assert manifest["report"]["statuses"] == {"ranked": 40} and manifest["report"]["usage"]["calls"] == 320
    assert "python" in manifest["versions"] and "numpy" in manifest["versions"]


def test_failures_are_counted_with_their_reasons(tmp_path: Path) -> None:
    bad = make_ranking(3, query_id="bad", text="fail here")
    failing = Scheduled(Pairs(Failing()), Map(), on_error="unscored")
    report = run(tmp_path / "out", rankings=[*rankings(3), bad], stage=failing)
    assert report.statuses == {"ranked": 3, "unscored": 1}  # type: ignore[attr-defined]
    assert "BackendError" in report.reasons["bad"]  # type: ignore[attr-defined]
    with pytest.raises(BackendError):
        run(tmp_path / "other", rankings=[bad], stage=Scheduled(Pairs(Failing()), Map()))


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
import test_rerank_job as t
class Slowly(list):
    def __iter__(self):
        for item in super().__iter__():
            time.sleep(0.004)
            yield item
t.run(Path(sys.argv[1]), rankings=Slowly(t.rankings()))
"""


@pytest.mark.slow
def test_kill_nine_at_ten_random_moments_changes_nothing(tmp_path: Path) -> None:
    run(tmp_path / "undisturbed")
    child = [sys.executable, "-c", CHILD.format(folder=str(Path(__file__).parent)), str(tmp_path / "killed")]
    rng = random.Random(0)
    kills = 0
    while kills < 10:
        process = subprocess.Popen(child)
        journal = tmp_path / "killed.journal"
        while not journal.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.12))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        if (tmp_path / "killed").exists():
            assert (tmp_path / "killed").read_bytes() == (tmp_path / "undisturbed").read_bytes()
            (tmp_path / "killed").unlink()
    subprocess.run(child, check=True)
    assert (tmp_path / "killed").read_bytes() == (tmp_path / "undisturbed").read_bytes()


def test_a_job_that_was_refused_before_it_computed_anything_does_not_block_its_output(tmp_path: Path) -> None:
    class Refusing(Stage):
        def rerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
            raise ConfigError("the model has no chat template")

    with pytest.raises(ConfigError, match="no chat template"):
        run(tmp_path / "out", stage=Refusing())
    report = run(tmp_path / "out")
    assert report.queries == 40 and report.resumed == 0  # type: ignore[attr-defined]


def test_a_file_that_keeps_the_trace_holds_repairs_and_usage_of_every_query(tmp_path: Path) -> None:
    from shortlist.backends.fake import Broken
    from shortlist.formats.jsonl import read_jsonl, write_jsonl
    from shortlist.prompts import load_prompt
    from shortlist.readouts import Permutation
    from shortlist.schedules import SlidingWindow
    from shortlist.scorers import Prompted

    scorer = Prompted(load_prompt("rankgpt"), Permutation(), Broken(rate=0.5, seed=6))
    listwise = Scheduled(scorer, SlidingWindow(size=5, stride=2), on_error="unscored")
    output = tmp_path / "out.jsonl"
    report = run(output, stage=listwise, writer=write_jsonl, texts=True, trace=True, k=None)
    before = rankings()
    there, back = listwise.rerank(before), list(read_jsonl(output))
    assert back == there and [r.repairs for r in back] == [r.repairs for r in there] and any(r.repairs for r in back)
    assert [[replace(c, usage=replace(c.usage, seconds=0)) for c in r.trace] for r in back] == [
        [replace(c, usage=replace(c.usage, seconds=0)) for c in r.trace] for r in there
    ]
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line.get("repairs", {}) for line in lines] == [dict(r.repairs) for r in there]
    assert [line["usage"]["calls"] for line in lines] == [r.usage.calls for r in there]
    again = run(tmp_path / "again.jsonl", rankings=back, stage=listwise, writer=write_jsonl, texts=True, trace=True)
    assert again.usage.calls == report.usage.calls, "what the first job spent is not counted again"  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Dying(Noisy):
    """A backend that answers nobody while the file is there."""

    gone: Path = Path()

    @property
    def outage(self) -> str:
        return "the server is away" if self.gone.exists() else ""

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        if self.gone.exists():
            raise BackendError("refused")
        return super().pair_scores(pairs)


def test_an_outage_in_the_middle_stops_the_job_and_a_later_run_continues_it(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    dying = Scheduled(Pairs(Dying(sigma=2.0, gone=gone)), Map(), on_error="unscored")

    def until_it_dies() -> Iterable[Ranking]:
        for number, ranking in enumerate(rankings()):
            if number == 24:
                gone.touch()
            yield ranking

    with pytest.raises(Stopped, match=r"the server is away; 20 queries are done") as stopped:
        run(tmp_path / "out", stage=dying, rankings=until_it_dies(), batch=5)
    assert stopped.value.done == 20 and not (tmp_path / "out").exists()
    gone.unlink()
    report = run(tmp_path / "out", stage=dying, batch=5)
    assert report.resumed == 20 and report.statuses == {"ranked": 40}  # type: ignore[attr-defined]
    gone.touch()
    report = run(tmp_path / "all", stage=dying, on_outage="unscored")
    assert report.statuses == {"unscored": 40}  # type: ignore[attr-defined]
