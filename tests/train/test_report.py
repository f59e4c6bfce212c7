"""The report of a training: curves whatever was recorded, a page that is whole and accessible, pictures if possible."""

from __future__ import annotations

import json
import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from shortlist.train.curves import Curve, Panel, panels, read_record, thinned
from shortlist.train.drawing import png, svg, ticks
from shortlist.train.gate import Unchanged, gate, held_out
from shortlist.train.generated import generated
from shortlist.train.report import html, write_report

NAN = float("nan")


class Page(HTMLParser):
    """Collects tags and ids, and sees that what is opened is closed."""

    VOID = frozenset({"meta", "line", "rect", "circle", "polyline"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def written(folder: Path, *lines: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text)
    return folder


STEPS = [
    {"step": i, "loss": 1 / i, "loss_ranking": 0.6 / i, "loss_text": 0.4 / i, "grad_norm": 2.0, "learning_rate": 1e-5,
     "reward": i / 9, "rewards/format/mean": 0.5, "kl": 0.01}
    for i in range(1, 6)
]  # fmt: skip
LOOKS = [{"step": 2, "dev_nDCG@10": 0.4, "dev_nDCG@10 a": 0.3}, {"step": 4, "dev_nDCG@10": 0.5, "dev_nDCG@10 a": 0.6}]


def test_columns_are_grouped_and_none_is_lost(tmp_path: Path) -> None:
    found = panels(read_record(written(tmp_path, *STEPS[:2], LOOKS[0], *STEPS[2:], LOOKS[1]) / "metrics.jsonl"))
    assert {p.name: [c.name for c in p.curves] for p in found} == {
        "loss": ["loss", "loss_ranking", "loss_text"],
        "reward": ["reward", "rewards/format/mean"],
        "dev": ["dev_nDCG@10", "dev_nDCG@10 a"],
        "learning_rate": ["learning_rate"],
        "grad_norm": ["grad_norm"],
        "kl": ["kl"],
    }
    dev = next(p for p in found if p.name == "dev")
    assert dev.curves[0].points == ((2, 0.4), (4, 0.5))


def test_records_that_are_torn_or_strange_are_read(tmp_path: Path) -> None:
    lines = ['{"step": 1, "loss": NaN}', '{"step": 2, "loss": 0.5, "note": "text", "flag": true}', "[1]", '{"loss": 3}',
             '{"step": 3, "lo']  # fmt: skip
    rows = read_record(written(tmp_path, *lines) / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2]
    assert math.isnan(rows[0]["loss"])
    assert set(rows[1]) == {"step", "loss"}
    assert read_record(tmp_path / "nothing") == []


CASES = {
    "empty": (),
    "one point": ((1, 0.5),),
    "all nan": ((1, NAN), (2, NAN)),
    "nan between": ((1, 0.5), (2, NAN), (3, 0.25), (4, 0.2)),
    "infinite": ((1, 0.5), (2, math.inf), (3, -math.inf)),
    "huge": ((1, 1e308), (2, -1e308), (3, 1.0)),
    "constant": ((1, 0.0), (2, 0.0), (3, 0.0)),
    "tiny": ((1, 1e-320), (2, 2e-320)),
    "close": ((1, 1.0), (2, 1.0 + 1e-15)),
    "far": ((10_000_000, 0.5), (10_000_001, 0.6)),
    "many": tuple((i, math.sin(i)) for i in range(5000)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_curve_is_drawn_without_what_is_no_number(case: str, tmp_path: Path) -> None:
    panel = Panel("loss", "A <loss> & more", "loss", (Curve("loss", CASES[case]),))
    drawn = svg(panel, "p")
    page = Page(drawn)
    places = re.findall(r' (?:points|x|y|x1|x2|y1|y2|cx|cy)="([^"]*)"', drawn)
    numbers = [float(n) for place in places for n in re.split("[ ,]", place)]
    assert all(-1 <= n <= 721 for n in numbers)
    assert "nan" not in " ".join(places).lower()
    assert any(tag == "title" for tag, _ in page.tags)
    assert ("nothing to draw" in drawn) == (case in ("empty", "all nan"))
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plots`)")
    png(panel, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_gap_is_left_where_a_value_is_missing() -> None:
    drawn = svg(Panel("loss", "t", "u", (Curve("loss", CASES["nan between"]),)), "p")
    assert [len(p.split()) for p in re.findall(r' points="([^"]*)"', drawn)] == [1, 2]


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0.13, 0.87) == [0.2, 0.4, 0.6, 0.8]
    assert ticks(0, 1e-5)[-1] == pytest.approx(1e-5)
    assert ticks(5.0, 5.0) == [5.0]
    for low, high in ((1, 14), (-3.3, 1e6), (1e-9, 2e-9), (0, 300_000)):
        made = ticks(low, high)
        assert 2 <= len(made) <= 12
        assert low - 1e-9 <= made[0] <= made[-1] <= high * (1 + 1e-9)


def test_thinning_keeps_the_ends_and_the_extremes() -> None:
    points = tuple((float(i), 5.0 if i == 777 else -5.0 if i == 778 else 0.0) for i in range(2000))
    kept = thinned(points, 50)
    assert len(kept) <= 52
    assert {points[0], points[-1], points[777], points[778]} <= set(kept)


def test_the_page_is_whole_says_everything_in_words_and_escapes() -> None:
    sets = [held_out("a<b>", generated(6, 4, seed=1, name="a")), held_out("b", generated(3, 4, seed=2, name="b"))]
    verdict = json.loads(json.dumps(gate(Unchanged(), Unchanged(), sets).to_dict()))
    manifest = {
        "recipe": {"name": "n & <m>", "summary": "s", "source": "x"}, "base": {"name": "/home/x/base", "digest": "d"},
        "data": [{"path": "t.jsonl", "samples": 3, "licence": ""}], "left_out": {"it is unscored": 2},
        "trained": {"updates": 5, "seen": 8, "resumed": 3, "loss": 0.5, "kept": 4, "looks": [[4, 0.5]]},
        "student": {"type": "shortlist.train.students.first:First", "base": "b"}, "objective": {}, "grouping": {},
        "settings": {"type": "a:Settings", "seed": 0}, "opens_with": {"method": "first"}, "versions": {"python": "3"},
    }  # fmt: skip
    shown = panels(STEPS + LOOKS)
    text = html(shown, manifest, verdict)
    page = Page(text)
    assert not re.search(r"(src=|href|url\(|://)", text)
    assert "<script" not in text
    assert dict(page.tags)["html"] == {"lang": "en"}
    pictures = [attrs for tag, attrs in page.tags if tag == "svg" and "role" in attrs]
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(pictures) == len(shown)
    assert len(set(ids)) == len(ids)
    for attrs in pictures:
        assert attrs["role"] == "img"
        assert all(ident in ids for ident in str(attrs["aria-labelledby"]).split())
    assert "loss: 5 points, from 1 at update 1 to 0.2 at update 5" in text
    assert "a&lt;b&gt;" in text
    assert "n &amp; &lt;m&gt;" in text
    for said in ("95% interval", "tokens per query", "ms per query", "wins", "/home/x"):
        assert (said in text) == (said != "/home/x"), said
    assert "3 of them by an earlier run" in text
    heads = [attrs.get("scope") for tag, attrs in page.tags if tag == "th"]
    assert set(heads) == {"col", "row"}
    assert "not put through" in html(shown, {}, {})
    assert "has not ended" in html([], {}, {})


def test_a_report_is_made_of_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "none").mkdir()
    assert "nothing to draw" in write_report(tmp_path / "none").page.read_text()
    records = written(tmp_path / "a", *STEPS, *LOOKS)
    (records / "gate.json").write_text('{"torn')
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        patch.setattr("shortlist.train.report.find_spec", lambda name: None)
        report = write_report(records)
    assert report.pictures == ()
    assert 'pip install "shortlist[plots]"' in report.note
    assert "<svg" in report.page.read_text()
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plots`)")
    report = write_report(records)
    assert [path.name for path in report.pictures] == ["loss.png", "reward.png", "dev.png"]
    assert report.note == ""
    (records / "loss.png").unlink()
    (records / "loss.png").mkdir()  # a picture that cannot be written is no reason to fail
    assert "missing" in write_report(records).note


def test_the_command_writes_the_report_of_a_running_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from shortlist.cli import main

    assert main(["report", str(tmp_path)]) == 2
    assert "metrics.jsonl" in capsys.readouterr().err
    written(tmp_path / "training", *STEPS, '{"step": 6, "lo')
    assert main(["report", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == str(tmp_path / "training" / "report.html")
    assert "training has not ended" in (tmp_path / "training" / "report.html").read_text()


def test_a_training_ends_with_its_report(models: dict[str, Path], tmp_path: Path) -> None:
    from shortlist.train.recipe import read_recipe
    from shortlist.train.run import run_recipe

    result = run_recipe(read_recipe("distil-bi-encoder"), tmp_path / "model", smoke=True)
    assert result.report is not None
    text = result.report.page.read_text()
    Page(text)
    assert "dev_nDCG@10" in text  # a smoke run is looked at too
    assert "smoke" not in result.report.note
    assert text.count("<figure>") == 4
    assert "generated" in text
