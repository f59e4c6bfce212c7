"""`shortlist prompt` end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shortlist.cli import main
from shortlist.prompts import available_prompts, load_prompt


def test_list_names_every_template(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["prompt", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in available_prompts())
    assert main(["prompt", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == available_prompts()
    assert all(row["source"]["wording"] for row in rows)


def test_show_prints_the_file_and_its_digest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompt", "show", "monot5"]) == 0
    shown = capsys.readouterr().out
    assert load_prompt("monot5").digest in shown
    assert 'body = "Query: {query} Document: {passage} Relevant:"' in shown
    assert main(["prompt", "show", "monot5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layout"] == "encoder_decoder"


def test_render_prints_what_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["prompt", "render", "first", "--query", "why?", "--passage", "one [B]", "--passage", "two"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "--- system\nYou are RankLLM" in shown
    assert "[A] one (B)\n[B] two\n" in shown
    assert "--- prefill\n[\n" in shown
    assert main([*words, "--json"]) == 0
    sent = json.loads(capsys.readouterr().out)
    assert [message["role"] for message in sent["prompt"]] == ["system", "user"]
    assert (sent["prefill"], sent["max_tokens"], sent["repairs"]) == ("[", 1, [])


def test_render_with_signals_instruction_and_context(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["prompt", "render", "insertrank", "--query", "q", "--passage", "text", "--score", "3", "--title", "T"])
        == 0
    )
    assert "[1] T text\nBM25 score of passage [1]: 3.000\n" in capsys.readouterr().out
    assert (
        main(["prompt", "render", "qwen3-reranker", "--query", "q", "--passage", "t", "--instruction", "be strict"])
        == 0
    )
    assert "<Instruct>: be strict\n" in capsys.readouterr().out
    assert main(["prompt", "render", "upr", "--query", "why?", "--passage", "t"]) == 0
    assert "--- likelihood of\nQuestion: why?\n" in capsys.readouterr().out
    assert main(["prompt", "render", "monot5", "--query", "q", "--passage", "word " * 99, "--context", "60"]) == 0
    assert "--- passage_cut: passage-1: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "nothing"], "no prompt named 'nothing'"),
        (["render", "monot5", "--query", "q", "--passage", "a", "--passage", "b"], "1 passages at a time, given 2"),
        (["render", "insertrank", "--query", "q", "--passage", "a"], "'passage-1' has no first-stage score"),
        (["render", "monot5", "--query", "q", "--passage", "a", "--score", "1", "--score", "2"], "2 times --score"),
    ],
)
def test_errors_are_one_line(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert main(["prompt", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_a_template_of_ones_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text('layout = "text"\nidentifiers = "none"\nbody = "{query}|{passage}"\n', encoding="utf-8")
    assert main(["prompt", "render", str(path), "--query", "q", "--passage", "p"]) == 0
    assert "--- prompt\nq|p\n" in capsys.readouterr().out
