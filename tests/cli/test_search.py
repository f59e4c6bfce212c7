"""`shortlist search` end to end."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shortlist.cli import main

Captured = Any


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    root.mkdir()
    (root / "fleas.md").write_text("# Fleas\n\n## Life\n\nA flea lives about a hundred days, mostly as a pupa.\n")
    (root / "floors.txt").write_text("Concrete floors cost money.\nFleas live in cracks of floors.\n")
    (root / "cats.jsonl").write_text(
        '{"id": "c1", "title": "Cats", "text": "How long a cat lives depends on its food."}\n'
    )
    (root / "bad.bin").write_bytes(b"\0")
    return root


def records(capsys: Captured, *argv: str) -> list[dict[str, Any]]:
    assert main(["search", *argv, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_first_stage_only(docs: Path, capsys: Captured) -> None:
    assert main(["search", str(docs), "how long do fleas live", "--no-rerank"]) == 0
    out, err = capsys.readouterr()
    assert "3 files, 3 passages (3 read now, 0 unchanged" in err
    assert "left out: bad.bin: unknown kind of file .bin" in err
    assert "BM25 only, scores are lexical" in out
    assert 'fleas.md:1, "Fleas"  [fleas.md]' in out
    assert "A *flea* *lives* about a hundred days" in out
    assert "up " not in out and "down " not in out
    assert main(["search", str(docs), "fleas", "--no-rerank"]) == 0
    assert "(0 read now, 3 unchanged" in capsys.readouterr().err


def test_json_has_everything(docs: Path, capsys: Captured) -> None:
    (first, second) = records(capsys, str(docs), "cat food", "zebra", "--no-rerank", "--explain")
    (result,) = first["results"]
    expected = {
        "rank": 1,
        "id": "cats.jsonl:c1",
        "file": "cats.jsonl",
        "line": 1,
        "place": "cats.jsonl:1",
        "title": "Cats",
    }
    assert expected.items() <= result.items()
    assert result["first_rank"] is None and result["score"] > 0
    assert set(result["first_stage_terms"]) == {"cat", "food"}
    assert first["scale"] == "lexical" and first["status"] == "retrieved" and first["reranker"] is None
    assert {"index", "first_stage", "total"} <= set(first["seconds"])
    assert first["index"]["left_out"] == [{"path": "bad.bin", "line": None, "reason": "unknown kind of file .bin"}]
    assert first["index"]["digest"] == json.loads((docs / ".shortlist" / "manifest.json").read_text())["digest"]
    assert second["results"] == [] and second["query"]["text"] == "zebra"


def test_the_default_reranker(docs: Path, capsys: Captured) -> None:
    argv = (str(docs), "how long do fleas live")
    (record,) = records(capsys, *argv)
    assert record["reranker"] == "late-interaction" and record["status"] == "ranked" and record["scale"] == "relative"
    assert record["results"][0]["id"] == "fleas.md"
    assert sorted(r["first_rank"] for r in record["results"]) == [1, 2, 3]
    assert all(r["first_score"] > 0 for r in record["results"])
    assert {"load", "rerank", "encode"} <= set(record["seconds"])
    (again,) = records(capsys, *argv)
    assert [(r["id"], r["score"]) for r in again["results"]] == [(r["id"], r["score"]) for r in record["results"]]
    assert main(["search", *argv]) == 0
    out = capsys.readouterr().out
    assert "reranked by late-interaction, scores are relative" in out and "(encoding " in out
    assert any(word in out for word in ("same", "up 1 from 2"))


def test_the_built_in_reranker_is_not_used_for_other_languages(docs: Path, capsys: Captured) -> None:
    assert main(["search", str(docs), "kaffee", "--language", "german", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[0])["reranker"] is None
    assert "reads English, and this index is german" in captured.err
    assert main(["search", str(docs), "coffee", "--with", "late-interaction", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[0])["reranker"] == "late-interaction"
    assert "reads English" not in captured.err


def test_a_model_that_is_not_there_suggests_no_rerank(docs: Path, capsys: Captured, tmp_path: Path) -> None:
    assert main(["search", str(docs), "fleas", "--param", f"model={tmp_path / 'absent'}"]) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert "late-interaction" in err and "absent" in err and "--no-rerank" in err
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (broken / name).write_text("{")
    assert main(["search", str(docs), "fleas", "--param", f"model={broken}"]) == 2
    assert "--no-rerank" in capsys.readouterr().err.splitlines()[-1]


def test_the_model_of_the_reranker_is_named_like_in_other_commands(
    docs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["search", str(docs), "fleas", "--json", "--index", str(tmp_path / "index")]
    assert main([*command, "--model", "shortlist-fast-en"]) == 0
    assert len(json.loads(capsys.readouterr().out)["results"]) == 2
    for wrong in (["--model", "no-such"], ["--param", "model=no-such"]):
        assert main([*command, *wrong]) == 2
        assert "no model 'no-such': expected 'all-MiniLM-L6-v2' or 'shortlist-fast-en'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--with", "late-interactoin"], "did you mean 'late-interaction'"),
        (["--param", "nonsense"], "expected NAME=VALUE"),
        (["--param", "nonsense=1"], "takes no parameter 'nonsense'"),
        (["--top-k", "0", "--no-rerank"], "top_k=0"),
        (["--language", "klingon", "--no-rerank"], "no analysis for language 'klingon'"),
    ],
)
def test_mistakes_are_one_clear_line(docs: Path, capsys: Captured, argv: list[str], message: str) -> None:
    assert main(["search", str(docs), "fleas", *argv]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("shortlist: ") and message in last


def test_wrong_paths_are_one_clear_line(tmp_path: Path, capsys: Captured) -> None:
    assert main(["search", str(tmp_path / "none"), "x", "--no-rerank"]) == 2
    assert "no such file or folder" in capsys.readouterr().err
    assert main(["search", str(tmp_path), "x", "--no-rerank"]) == 2
    assert "nothing to index" in capsys.readouterr().err


def test_queries_from_standard_input(docs: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("fleas\n\n  concrete floors \n"))
    found = records(capsys, str(docs), "cat", "-", "--no-rerank")
    assert [r["query"]["text"] for r in found] == ["cat", "fleas", "concrete floors"]
    assert [r["query"]["id"] for r in found] == ["q1", "q2", "q3"]


def test_documents_instead_of_passages(tmp_path: Path, capsys: Captured) -> None:
    long = "\n\n".join(f"Paragraph {i} says something about fleas and their long lives in winter." for i in range(90))
    (tmp_path / "long.txt").write_text(long)
    (tmp_path / "short.txt").write_text("fleas")
    (passages,) = records(capsys, str(tmp_path), "fleas in winter", "--no-rerank")
    assert len(passages["results"]) > 4
    (record,) = records(capsys, str(tmp_path), "fleas in winter", "--no-rerank", "--by", "max")
    assert [r["id"] for r in record["results"]] == ["long.txt", "short.txt"]
    assert len(record["results"][0]["ranked_passages"]) == len(passages["results"]) - 1


def test_another_index_folder_language_and_rebuild(docs: Path, capsys: Captured, tmp_path: Path) -> None:
    argv = (str(docs), "fleas", "--no-rerank", "--index", str(tmp_path / "i"))
    (record,) = records(capsys, *argv, "--language", "de")
    assert record["index"]["folder"] == str(tmp_path / "i") and record["index"]["language"] == "german"
    assert not (docs / ".shortlist").exists()
    assert records(capsys, *argv)[0]["index"]["unchanged"] == 3
    rebuilt = records(capsys, *argv, "--rebuild")[0]["index"]
    assert len(rebuilt["read"]) == 3 and rebuilt["language"] == "english"


def test_a_narrow_encoding_and_a_closed_pipe_are_no_errors(docs: Path) -> None:
    (docs / "thai.txt").write_text("fleas ภาษาไทย 東京", encoding="utf-8")
    run = [sys.executable, "-m", "shortlist", "search", str(docs), "fleas", "--no-rerank"]
    out = subprocess.run(run, capture_output=True, env={"PYTHONIOENCODING": "ascii", "PATH": ""}, check=True).stdout
    assert b"\\u0e20" in out
    process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait()


def test_heavy_packages_are_not_imported_without_need(docs: Path) -> None:
    code = (
        "import sys; from shortlist.cli import main; main(['search', sys.argv[1], 'fleas', '--no-rerank']);"
        "heavy = ('onnxruntime', 'openvino', 'torch', 'tokenizers', 'rich', 'pypdf', 'bs4');"
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code, str(docs)], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
