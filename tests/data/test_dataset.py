"""Folders in BEIR's layout and its relatives, and the real evaluation sets."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from shortlist.core.errors import InputError, UnknownName
from shortlist.core.types import Qrel, Query
from shortlist.data import load_dataset
from shortlist.formats.lines import Bad


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d1", "title": "T", "text": "one"}\n{"_id": "d2", "text": "two"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "which"}\n{"_id": "q2", "text": "unjudged"}\n')
    (tmp_path / "qrels").mkdir()
    for split, grade in ("test", 2), ("train", 1), ("raw_codes", 7):
        (tmp_path / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\nq1\td1\t{grade}\n")
    (tmp_path / "bm25.trec").write_text("q1 Q0 d2 1 3.5 bm25\nq1 Q0 d1 2 1.5 bm25\n")
    (tmp_path / "candidates.trec").write_text("q1 Q0 d1 1 2 g\n")
    return tmp_path


def test_a_beir_folder(folder: Path) -> None:
    data = load_dataset(folder)
    assert len(data.corpus) == 2
    assert list(data.queries) == ["q1", "q2"]
    assert list(data.judged()) == ["q1"]
    assert (data.splits, data.split) == (("test", "train"), "test")
    assert data.qrels() == [Qrel("q1", "d1", 2)]
    assert data.qrels("train") == [Qrel("q1", "d1", 1)]
    assert data.first_stages == ("bm25", "candidates")
    (ranking,) = data.rankings()
    assert ranking.query == Query("q1", "which")
    assert [d.full_text for d in ranking.documents] == ["two", "T one"]
    assert [r.ids for r in data.rankings("candidates", depth=5)] == [("d1",)]


def test_what_a_reranker_left_beside_its_input_is_no_first_stage(folder: Path) -> None:
    (folder / "a-reranker.trec").write_text("q1 Q0 d2 1 9.0 x\n")
    (folder / "a-reranker.trec.manifest.json").write_text("{}")
    (folder / "a-run.trec").write_text("q1 Q0 d1 1 9.0 x\n")
    data = load_dataset(folder)
    assert data.first_stages == ("bm25", "candidates", "a-run")
    assert [r.ids for r in data.rankings("a-reranker")] == [("d2",)]  # by its name it can be read


def test_packed_files_and_flag_embedding_names(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl.xz").write_bytes(lzma.compress(b'{"id": "d1", "title": "", "text": "one"}\n'))
    (tmp_path / "dev_queries.jsonl").write_text('{"id": "q1", "text": "which"}\n')
    (tmp_path / "dev_qrels.jsonl").write_text('{"qid": "q1", "docid": "d1", "relevance": 1}\n')
    data = load_dataset(tmp_path, cache=tmp_path / "cache")
    assert data.corpus["d1"].text == "one"
    assert data.queries["q1"].text == "which"
    assert data.split == "dev"
    assert data.qrels() == [Qrel("q1", "d1", 1)]


def test_what_is_absent_is_an_error_only_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "which"}\n')
    data = load_dataset(tmp_path)
    assert (data.splits, data.first_stages) == ((), ())
    with pytest.raises(InputError, match=r"holds no corpus\.jsonl"):
        data.corpus  # noqa: B018
    with pytest.raises(InputError, match="holds no judgements"):
        data.qrels()
    with pytest.raises(InputError, match="holds no first stage"):
        data.rankings()


def test_unknown_names_and_folders(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(UnknownName, match=r"'tset'; did you mean 'test'"):
        load_dataset(folder).qrels("tset")
    with pytest.raises(UnknownName, match=r"known: bm25, candidates"):
        load_dataset(folder).run_path("dense")
    with pytest.raises(InputError, match="no such folder"):
        load_dataset(folder / "absent")
    with pytest.raises(InputError, match="is no data set"):
        load_dataset(tmp_path_factory.mktemp("empty"))


EXPECTED = {
    "dl19-bm25": (4297, 43, 4300),
    "trecdl-passages": (5000, 43, 4300),
    "scifact": (5183, 300, 29966),
    "noveleval": (420, 21, 2077),
    "vaswani-npl": (11429, 93, 9300),
    "cranfield": (1400, 225, 22500),
    "xquadr-ru": (1219, 1190, 72036),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_sets_are_read_whole(shared_data: Path, tmp_path: Path, name: str) -> None:
    data, bad = load_dataset(shared_data / name, cache=tmp_path), Bad()
    found = list(data.rankings(bad=bad))
    assert (len(data.corpus), len(data.judged()), sum(len(r.candidates) for r in found)) == EXPECTED[name]
    assert bad.count == 0
    relevant = [q for q in data.qrels() if q.grade > 0]
    assert sum(q.doc_id in data.corpus for q in relevant) > len(relevant) / 3  # some sets hold only what was retrieved


def test_noveleval_has_two_first_stages(shared_data: Path) -> None:
    data = load_dataset(shared_data / "noveleval")
    assert data.first_stages == ("bm25", "candidates")
    assert {len(r.candidates) for r in data.rankings("candidates")} == {20}


@pytest.mark.slow
def test_a_large_packed_collection(shared_data: Path, tmp_path: Path) -> None:
    data = load_dataset(shared_data / "train" / "english-pool", cache=tmp_path)
    assert len(data.corpus) == 133_827
    assert data.corpus["openstax-1"].text.startswith("American Government 3e")
    assert len(data.queries) == 78_831
