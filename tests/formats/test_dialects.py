"""Every format of rankings: what it says it holds comes back, its files are recognised, malformed ones are named."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.core.errors import ConfigError, FormatError, InputError, UnknownName
from shortlist.core.types import Candidate, Document, Query, Ranking, Scale
from shortlist.formats import detect, names, read, write
from shortlist.formats.features import GRADE, of_ranking
from shortlist.formats.lines import Bad
from shortlist.formats.reading import dialect

RANKINGS = names("rankings")
JSON = [n for n in RANKINGS if n not in ("trec-run", "msmarco-run", "tevatron-run", "lightning-ir", "msmarco-top1000")]
MADE_IDS = [n for n in RANKINGS if "document ids" not in dialect(n).holds]


def _example(grades: bool = True) -> list[Ranking]:
    def candidate(doc_id: str, text: str, title: str | None, score: float, grade: int) -> Candidate:
        return Candidate(Document(doc_id, text, title, metadata={GRADE: grade} if grades else {}), score)

    first = (
        candidate("d1", "Fleas live a year.", "Fleas", 3.5, 1),
        candidate("d2", "the same text", None, 2.25, 1),
        candidate("d3", "the same text", None, 1.125, 0),
    )
    second = (candidate("d1", "Fleas live a year.", "Fleas", -0.5, 1), candidate("d9", "", None, -1.5, 0))
    return [Ranking(Query("q1", "how long do fleas live"), first), Ranking(Query("2", "a second question"), second)]


def _held(ranking: Ranking, name: str, ordinal: int) -> Ranking:
    """What is left of a ranking in a format, by what the format says that it holds."""
    holds = dialect(name).holds
    query_id = ranking.query.id if "query ids" in holds else str(ordinal)
    kept = []
    for position, c in enumerate(ranking.candidates):
        doc_id = c.id if "document ids" in holds else f"{query_id}-{position + 1}"
        title = c.document.title if "titles" in holds else None
        text = (
            "" if "texts" not in holds else c.document.text if title or not c.document.title else c.document.full_text
        )
        metadata = {k: v for k, v in c.document.metadata.items() if k == GRADE and "grades" in holds}
        kept.append(Candidate(Document(doc_id, text, title, metadata=metadata), c.score if "scores" in holds else None))
    query = Query(query_id, ranking.query.text if "query texts" in holds else "")
    return Ranking(query, tuple(kept))


def _grades(rankings: list[Ranking]) -> list[list[object]]:
    return [[d.metadata.get(GRADE) for d in r.documents] for r in rankings]


@pytest.mark.parametrize("name", RANKINGS)
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_what_a_format_holds_comes_back_and_is_recognised(tmp_path: Path, name: str, packed: str) -> None:
    path = tmp_path / f"file{packed}"
    expected = [_held(r, name, i) for i, r in enumerate(_example(), 1)]
    write(_example(), path, name)
    assert detect(path) == name
    back = list(read(path))
    assert back == expected
    assert _grades(back) == _grades(expected)


@pytest.mark.parametrize("name", RANKINGS)
def test_writing_what_was_read_gives_the_same_file(tmp_path: Path, name: str) -> None:
    write(_example(), tmp_path / "a", name)
    write(read(tmp_path / "a", name), tmp_path / "b", name)
    if name not in MADE_IDS:
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert [r.query.text for r in read(tmp_path / "a", name)] == [r.query.text for r in read(tmp_path / "b", name)]


@pytest.mark.parametrize("name", RANKINGS)
def test_crlf_and_byte_order_mark(tmp_path: Path, name: str) -> None:
    write(_example(), tmp_path / "a", name)
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "b").write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n").rstrip(b"\r\n"))
    assert list(read(tmp_path / "b")) == list(read(tmp_path / "a"))


words = st.text(max_size=20)
ids = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r"), min_size=1, max_size=6).filter(
    lambda s: s == s.strip()
)
scores = st.lists(st.floats(-1000, 1000, width=32).filter(bool), max_size=4, unique=True).map(
    lambda values: sorted(values, reverse=True)
)


@st.composite
def rankings(draw: Callable[..., Any]) -> Ranking:
    found = draw(scores)
    doc_ids = draw(st.lists(ids, min_size=len(found), max_size=len(found), unique=True))
    documents = [
        Document(i, draw(words), draw(st.none() | words.filter(bool)), metadata={GRADE: int(n == 0)})
        for n, i in enumerate(doc_ids)
    ]
    return Ranking(Query(draw(ids), draw(words)), tuple(map(Candidate, documents, found)))


@pytest.mark.parametrize("name", JSON)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(rankings(), max_size=3, unique_by=lambda r: r.query.id))
def test_json_formats_keep_any_text_and_id(tmp_path: Path, name: str, items: list[Ranking]) -> None:
    items = items if name not in ("tevatron-rerank", *MADE_IDS) else [r for r in items if r.candidates]
    path = tmp_path / "file.json"
    write(items, path, name)
    back = list(read(path, name))
    assert back == [_held(r, name, i) for i, r in enumerate(items, 1)]


@pytest.mark.parametrize("name", ["lightning-ir", "msmarco-run", "tevatron-run", "msmarco-top1000"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(rankings(), min_size=1, max_size=3, unique_by=lambda r: r.query.id))
def test_tables_keep_any_id_without_tab(tmp_path: Path, name: str, items: list[Ranking]) -> None:
    items = [r for r in items if r.candidates]
    write(items, tmp_path / "file", name)
    assert [(r.query.id, r.ids) for r in read(tmp_path / "file", name)] == [(r.query.id, r.ids) for r in items]


@pytest.mark.parametrize("name", RANKINGS)
def test_an_empty_file_and_no_rankings(tmp_path: Path, name: str) -> None:
    write([], tmp_path / "none", name)
    assert list(read(tmp_path / "none", name)) == []
    (tmp_path / "empty").write_bytes(b"")
    if name not in ("mteb-predictions", "lightning-ir"):  # these need a frame around nothing
        assert list(read(tmp_path / "empty", name)) == []
    with pytest.raises(InputError, match=r"the file is empty; name its format with --from"):
        detect(tmp_path / "empty")


@pytest.mark.parametrize("name", JSON)
def test_a_record_without_its_fields_names_file_and_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "f").write_text('{"_id": "x", "unrelated": 1}\n' if name != "mteb-predictions" else '{"a": 1}')
    with pytest.raises(FormatError, match=r"f:1: "):
        list(read(tmp_path / "f", name))


@pytest.mark.parametrize("name", [n for n in RANKINGS if n not in ("mteb-predictions", *MADE_IDS)])
def test_a_document_twice_in_one_ranking_is_an_error(tmp_path: Path, name: str) -> None:
    write([_example()[0]], tmp_path / "f", name)
    text = (tmp_path / "f").read_text()
    (tmp_path / "f").write_text(text.replace("d2", "d1"))
    with pytest.raises(FormatError, match=r"twice"):
        list(read(tmp_path / "f", name))


def test_equal_texts_under_two_ids_survive_everywhere(tmp_path: Path) -> None:
    for name in RANKINGS:
        write(_example(), tmp_path / name, name)
        assert len(next(read(tmp_path / name, name)).candidates) == 3


TEVATRON = {"query_id": "1", "query": "q", "positive_document_ids": ["p"], "negative_document_ids": [3]}
FOREIGN: list[tuple[str, object, list[tuple[str, str, float | None]]]] = [
    (
        "rank-llm",
        {"query": "q text", "candidates": ["one", {"text": "two", "docid": 7, "score": 0.5}]},
        [("1-1", "one", None), ("7", "two", 0.5)],
    ),
    (
        "rank-llm",
        {"query": {"text": "q", "qid": 5}, "candidates": [{"docid": "d", "score": 1, "doc": {"contents": "c"}}]},
        [("d", "c", 1.0)],
    ),
    (
        "rankify",
        {"question": "q", "answers": ["a"], "ctxs": [{"id": "w:1", "score": "81.5", "has_answer": True, "text": "t"}]},
        [("w:1", "t", 81.5)],
    ),
    (
        "rank-gpt",
        {"query": "q", "hits": [{"content": "c", "qid": 1, "docid": 2, "rank": 1, "score": 9}]},
        [("2", "c", 9.0)],
    ),
    (
        "flag-embedding-train",
        {"query": "q", "pos": ["p"], "neg": ["n", "n"]},
        [("1-1", "p", None), ("1-2", "n", None), ("1-3", "n", None)],
    ),
    (
        "sentence-transformers-eval",
        {"query": "q", "positive": ["b"], "documents": ["a", "b"]},
        [("1-1", "a", None), ("1-2", "b", None)],
    ),
    ("tevatron-train", TEVATRON, [("p", "", None), ("3", "", None)]),
    (
        "mteb-predictions",
        {"mteb_model_meta": {}, "default": {"test": {"q": {"a": 1, "b": 2.5}}}},
        [("b", "", 2.5), ("a", "", 1.0)],
    ),
]


@pytest.mark.parametrize(("name", "record", "expected"), FOREIGN)
def test_files_of_other_projects(tmp_path: Path, name: str, record: object, expected: list[Any]) -> None:
    path = tmp_path / "f"
    path.write_text(json.dumps(record) + "\n")
    assert detect(path) == name
    (ranking,) = read(path)
    assert [(c.id, c.document.text, c.score) for c in ranking.candidates] == expected


def test_rankify_keeps_the_first_stage_and_counts_answers(tmp_path: Path) -> None:
    first, _ = _example(grades=False)
    reranked = first.reorder((2, 0, 1), (1.0, 2.0, 9.0), scale=Scale.LOGIT)
    write([reranked], tmp_path / "r.json", "rankify")
    (back,) = read(tmp_path / "r.json")
    assert back.candidates == reranked.candidates
    (record,) = json.loads((tmp_path / "r.json").read_text())
    assert [c["id"] for c in record["ctxs"]] == ["d1", "d2", "d3"]
    (tmp_path / "a.json").write_text(json.dumps([{**record, "answers": ["a year"]}]))
    bad = Bad()
    list(read(tmp_path / "a.json", bad=bad))
    assert bad.noticed == {"query field 'answers' not read": 1}


def test_a_teacher_and_an_instruction_in_flag_embedding(tmp_path: Path) -> None:
    record = {"query": "q", "pos": ["p"], "neg": ["n"], "pos_scores": [2], "neg_scores": [0.5], "prompt": "find"}
    (tmp_path / "f").write_text(json.dumps(record))
    (ranking,) = read(tmp_path / "f")
    assert [c.score for c in ranking.candidates] == [2.0, 0.5]
    assert ranking.query.instruction == "find"
    write([ranking], tmp_path / "g", "flag-embedding-train")
    assert json.loads((tmp_path / "g").read_text()) == record
    (tmp_path / "f").write_text(json.dumps({**record, "neg_scores": [1, 2]}))
    with pytest.raises(FormatError, match="2 neg_scores for 1 texts"):
        list(read(tmp_path / "f"))


def test_training_files_need_judgements_and_note_the_unjudged(tmp_path: Path) -> None:
    ungraded = _example(grades=False)
    for name in "tevatron-train", "flag-embedding-train", "sentence-transformers-eval":
        with pytest.raises(InputError, match=r"query 'q1': none of its 3 documents has a grade.*--qrels"):
            write(ungraded, tmp_path / "f", name)
        assert not (tmp_path / "f").exists()
    first = _example()[0]
    partly = replace(first, candidates=(*first.candidates, Candidate(Document("d4", "unjudged"))))
    assert write([partly], tmp_path / "f", "tevatron-train")["unjudged documents written as negatives"] == 1
    notes = write(ungraded, tmp_path / "f", "sentence-transformers")
    assert notes["rankings without grades: their scores are the labels"] == 2


def test_missing_scores_are_made_from_the_rank_and_noted(tmp_path: Path) -> None:
    bare = [replace(r, candidates=tuple(replace(c, score=None) for c in r.candidates)) for r in _example()]
    for name in "rank-llm", "rankify", "rank-gpt", "tevatron-rerank", "trec-run", "tevatron-run", "mteb-predictions":
        notes = write(bare, tmp_path / "f", name)
        assert sum(notes.values()) == 2
        assert [c.score for c in next(read(tmp_path / "f", name)).candidates] == [3.0, 2.0, 1.0]


def test_wrong_guess_says_what_was_guessed_and_how_to_name_another(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("q Q0 d 1 2.5 t\nq Q0 e 2 1.5\n")
    with pytest.raises(FormatError, match=r"f:2: .*read as trec-run, which was guessed; name the format with --from"):
        list(read(tmp_path / "f"))
    with pytest.raises(FormatError) as caught:
        list(read(tmp_path / "f", "trec-run"))
    assert "guessed" not in str(caught.value)


def test_unknown_ambiguous_and_unsuitable_formats_are_named(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text('{"_id": "1", "text": "document or query?"}\n')
    with pytest.raises(InputError, match=r"could be beir-corpus or beir-queries; say which with --from"):
        detect(path)
    assert detect(path, kind="queries") == "beir-queries"
    path.write_text("free text, nothing else\n")
    with pytest.raises(InputError, match=r"in no known format"):
        detect(path)
    with pytest.raises(UnknownName, match=r"did you mean 'trec-run'"):
        read(path, "trec-rum")
    with pytest.raises(ConfigError, match=r"holds qrels, not rankings"):
        read(path, "trec-qrels")
    with pytest.raises(ConfigError, match=r"does not say which format to write"):
        write([], tmp_path / "out.parquet")
    with pytest.raises(ConfigError, match=r"standard output does not say"):
        write([], "-")


def test_the_ending_chooses_what_is_written(tmp_path: Path) -> None:
    for ending, name in (".trec", "trec-run"), (".run.gz", "trec-run"), (".jsonl.xz", "shortlist"):
        write(_example(), tmp_path / f"out{ending}")
        assert detect(tmp_path / f"out{ending}") == name


def test_depth_and_counts() -> None:
    counts = of_ranking(_example()[0])
    assert (
        counts
        == Counter(
            {
                "query ids": 1,
                "query texts": 1,
                "document ids": 3,
                "texts": 3,
                "titles": 1,
                "scores": 3,
                "grades": 3,
                "order": 1,
            }
        )
        | Counter()
    )


def test_ungrouped_and_depth_by_format(tmp_path: Path) -> None:
    (tmp_path / "f").write_text(
        "1\ta\tquery one\tpassage a x\n2\tb\tquery two\tpassage b\n1\tc\tquery one\tpassage c\n"
    )
    assert [r.ids for r in read(tmp_path / "f", grouped=False)] == [("a", "c"), ("b",)]
    write(_example(), tmp_path / "g.jsonl")
    assert [len(r.candidates) for r in read(tmp_path / "g.jsonl", depth=1)] == [1, 1]
