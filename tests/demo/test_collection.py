"""The packaged demo collection: complete, consistent, and neither trivial nor absurd for a lexical first stage."""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest

DEMO: Traversable = files("shortlist").joinpath("demo")


def rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in DEMO.joinpath(name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def corpus() -> list[dict[str, str]]:
    return rows("corpus.jsonl")


@pytest.fixture(scope="module")
def queries() -> list[dict[str, str]]:
    return rows("queries.jsonl")


@pytest.fixture(scope="module")
def judgements() -> list[tuple[str, str, int]]:
    header, *lines = DEMO.joinpath("qrels", "test.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "query-id\tcorpus-id\tscore"
    return [(query, document, int(grade)) for query, document, grade in (line.split("\t") for line in lines)]


def test_corpus_lines_have_exactly_the_three_beir_fields(corpus):
    assert len(corpus) >= 160
    for row in corpus:
        assert list(row) == ["_id", "title", "text"], row["_id"]
        assert all(value and value == " ".join(value.split()) for value in row.values()), row["_id"]


def test_ids_titles_and_texts_are_unique(corpus, queries):
    for field in ("_id", "title", "text"):
        assert [value for value, n in Counter(row[field].lower() for row in corpus).items() if n > 1] == []
    for field in ("_id", "text"):
        assert [value for value, n in Counter(row[field].lower() for row in queries).items() if n > 1] == []


def test_no_two_passages_share_a_sentence(corpus):
    owners = defaultdict(set)
    for row in corpus:
        for sentence in re.split(r"(?<=[.!?]) ", row["text"]):
            owners[sentence].add(row["_id"])
    assert {sentence: ids for sentence, ids in owners.items() if len(ids) > 1} == {}


def test_passages_have_60_to_140_words(corpus):
    assert {row["_id"]: n for row in corpus if not 60 <= (n := len(row["text"].split())) <= 140} == {}


def test_ids_name_a_known_part_of_the_subject(corpus, queries):
    parts = {"grow", "proc", "trade", "roast", "chem", "brew", "espr", "milk", "health", "care"}
    assert {row["_id"].split("-")[0] for row in corpus} == parts
    assert all(re.fullmatch(r"[a-z]+-\d{3}", row["_id"]) for row in corpus)
    assert all(re.fullmatch(r"q\d\d", row["_id"]) for row in queries)


def test_judgements_name_known_ids_once_and_use_grades_0_to_3(corpus, queries, judgements):
    assert {query for query, _, _ in judgements} == {row["_id"] for row in queries}
    assert {document for _, document, _ in judgements} <= {row["_id"] for row in corpus}
    assert {grade for _, _, grade in judgements} == {0, 1, 2, 3}
    assert len({(query, document) for query, document, _ in judgements}) == len(judgements)


def test_every_query_has_an_answer_and_at_least_eight_judgements(queries, judgements):
    grades = defaultdict(list)
    for query, _, grade in judgements:
        grades[query].append(grade)
    assert len(queries) == 24
    for query in queries:
        assert max(grades[query["_id"]]) >= 2, query
        assert len(grades[query["_id"]]) >= 8, query
        assert 0 in grades[query["_id"]], query


def test_data_card_states_the_true_counts(corpus, queries, judgements):
    card = DEMO.joinpath("README.md").read_text(encoding="utf-8")
    words = [len(row["text"].split()) for row in corpus]
    grade = Counter(grade for _, _, grade in judgements)
    fewest = min(Counter(query for query, _, _ in judgements).values())
    assert f"{len(corpus)} passages of {min(words)} to {max(words)} words" in card
    assert f"{len(queries)} queries" in card
    counts = f"{grade[3]} of grade 3, {grade[2]} of grade 2, {grade[1]} of grade 1, {grade[0]} of grade 0"
    assert f"{len(judgements)} judgements: {counts}" in card
    assert f"at least {fewest} judgements" in card


def ndcg_at_10(ranked: list[str], grades: dict[str, int]) -> float:
    """trec_eval's ndcg_cut_10 (gain = grade), written out so that our own measures are not needed here."""
    discounted = [grades.get(document, 0) / math.log2(place + 2) for place, document in enumerate(ranked[:10])]
    ideal = sorted(grades.values(), reverse=True)[:10]
    return sum(discounted) / sum(gain / math.log2(place + 2) for place, gain in enumerate(ideal))


def test_bm25_is_neither_perfect_nor_lost(corpus, queries, judgements):
    import bm25s
    import Stemmer

    grades = defaultdict(dict)
    for query, document, grade in judgements:
        grades[query][document] = grade

    def tokens(texts):
        return bm25s.tokenize(texts, stopwords="en", stemmer=Stemmer.Stemmer("porter"), show_progress=False)

    index = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    index.index(tokens([f"{row['title']} {row['text']}" for row in corpus]), show_progress=False)
    places, _ = index.retrieve(tokens([row["text"] for row in queries]), k=10, show_progress=False)
    values = [
        ndcg_at_10([corpus[i]["_id"] for i in row], grades[query["_id"]])
        for query, row in zip(queries, places, strict=True)
    ]
    mean = sum(values) / len(values)
    stated = float(
        re.search(r"\| BM25 .*?\| (\.\d+) \|", DEMO.joinpath("README.md").read_text(encoding="utf-8")).group(1)
    )
    assert mean == pytest.approx(stated, abs=0.01)
    assert 0.5 <= mean <= 0.85
