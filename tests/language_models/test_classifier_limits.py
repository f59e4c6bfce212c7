"""Limits of query and document in a pair classifier: what is cut is cut as said, and is on the ranking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from shortlist.backends.transformers import SequenceClassifier
from shortlist.core.errors import ConfigError, InputError
from shortlist.core.types import Candidate, Document, Length, Query, Ranking
from shortlist.rerank import dear, rankllama

LONG_QUERY = "the cost of concrete floors is low in spring " * 12
DOCUMENTS = ("A flea lives a hundred days.", "how long do fleas live?")
LONG = "the cost of concrete floors is low in spring " * 12
Join = Literal["pair", "text"]


def ranking(query: str, documents: tuple[str, ...] = DOCUMENTS) -> Ranking:
    return Ranking(Query("q", query), tuple(Candidate(Document(f"d{i}", text)) for i, text in enumerate(documents)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_decoder: Callable[..., Path]) -> Path:
    return make_decoder(
        tmp_path_factory.mktemp("limits"), "llama", head="SequenceClassification", num_labels=1, bos=True
    )


@pytest.mark.parametrize("join", ["pair", "text"])
@pytest.mark.parametrize("query_tokens", [None, 32])
def test_a_query_longer_than_the_window_is_cut_and_said(folder: Path, join: Join, query_tokens: int | None) -> None:
    method = rankllama.build(model=str(folder), join=join, query_tokens=query_tokens, options={"max_length": 64})
    (done,) = method.rerank([ranking(LONG_QUERY)])
    assert len({c.score for c in done.candidates}) == 2
    assert done.repairs["query_cut"] == 2
    detail = done.trace[0].repairs[0].detail
    room = 64 - (2 if join == "pair" else 1)
    assert detail.startswith(f"{32 if query_tokens else room * 3 // 4} of ")
    (short,) = method.rerank([ranking("how long")])
    assert not short.repairs


@pytest.mark.parametrize("join", ["pair", "text"])
def test_cut_queries_are_counted_and_the_document_is_read(folder: Path, join: Join) -> None:
    backend = SequenceClassifier(folder, join=join, max_length=64)
    backend.pair_scores([(LONG_QUERY, DOCUMENTS[0])])
    assert backend.counts["cut"] == 1
    ids, _ = backend._encoded(LONG_QUERY, DOCUMENTS[0])
    expected = backend.loaded.tokenizer(DOCUMENTS[0], add_special_tokens=False)["input_ids"]
    assert ids[-4:] == expected[: len(ids)][-4:] and len(ids) <= 64
    (length,) = backend.lengths([LONG_QUERY], kind="query")
    assert length == Length(
        len(backend.loaded.tokenizer(LONG_QUERY, add_special_tokens=False)["input_ids"]), length.kept
    )
    assert length.kept < 48 and length.cut


@pytest.mark.parametrize("join", ["pair", "text"])
def test_passages_beside_a_long_query_hold_the_whole_document(folder: Path, join: Join) -> None:
    backend = SequenceClassifier(folder, query="query: {text}", document="document: {text}", join=join, max_length=64)
    passages = backend.split_document(LONG, query=LONG_QUERY)
    for passage in passages:
        ids, _ = backend._encoded(LONG_QUERY, passage)
        assert len(ids) <= 64
        assert backend.loaded.tokenizer.decode(ids).endswith(f"document: {passage}")
    assert passages[-1].split()[-1] == "spring"


def test_limits_are_those_of_the_first_training_code(folder: Path) -> None:
    """``[bos] + query[:32]`` and ``[bos] + document[:164]``, each in its form."""
    backend = SequenceClassifier(
        folder, query="query: {text}", document="document: {text}", query_tokens=32, document_tokens=164
    )
    tokenizer = backend.loaded.tokenizer
    forms = (f"query: {LONG_QUERY}", f"document: {LONG * 3}")
    query, text = (tokenizer(form, add_special_tokens=False)["input_ids"] for form in forms)
    assert len(query) > 32 and len(text) > 164
    ids, _ = backend._encoded(LONG_QUERY, LONG * 3)
    assert ids == [3, *query[:32], 3, *text[:164]]
    assert backend.counts["cut"] == 1
    long, short = backend.lengths([LONG * 3, "a"], kind="document")
    assert long == Length(len(text), 164) and not short.cut


@pytest.mark.parametrize("join", ["pair", "text"])
def test_documents_are_split_unless_a_limit_is_given(folder: Path, join: Join) -> None:
    options = {"max_length": 64}
    whole = rankllama.build(model=str(folder), join=join, options=options)
    (done,) = whole.rerank([ranking("how long", (LONG, "a"))])
    assert "passage_cut" not in done.repairs and done.repairs["split_into_passages"] > 2
    cutting = rankllama.build(model=str(folder), join=join, document_tokens=20, options=options)
    (done,) = cutting.rerank([ranking("how long", (LONG, "a"))])
    assert done.repairs == {"passage_cut": 1}
    (repair,) = [r for call in done.trace for r in call.repairs]
    assert repair.detail.startswith("d0: 20 of ")


@pytest.mark.parametrize("join", ["pair", "text"])
def test_a_window_without_room_for_documents_is_an_error(folder: Path, join: Join) -> None:
    form = "a document that may be about how long fleas live: {text}"
    backend = SequenceClassifier(folder, document=form, join=join, max_length=16)
    with pytest.raises(InputError, match="nothing of a document; use a larger max_length"):
        backend.pair_scores([(LONG_QUERY, "flea"), (LONG_QUERY, "floor")])
    with pytest.raises(InputError, match="nothing of a document"):
        backend.split_document("flea", query=LONG_QUERY)


def test_limits_are_checked_and_in_the_digest(folder: Path) -> None:
    with pytest.raises(ConfigError, match="query_tokens=0: expected 1 or more"):
        SequenceClassifier(folder, query_tokens=0)
    digests = {
        SequenceClassifier(folder, **limits).digest for limits in ({}, {"query_tokens": 8}, {"document_tokens": 8})
    }
    assert len(digests) == 3


@pytest.mark.parametrize("join", ["pair", "text"])
def test_tokens_read_are_the_usage(folder: Path, join: Join) -> None:
    method = rankllama.build(model=str(folder), join=join)
    (done,) = method.rerank([ranking("how long")])
    backend = method.scorer.backend  # type: ignore[attr-defined]
    assert done.usage.prompt_tokens == backend.counts["tokens_computed"] > 0
    assert done.usage.calls == 2


def test_dear_reads_32_tokens_of_the_query_and_says_so(folder: Path, decoders: dict[str, Path]) -> None:
    cascade = dear.build(model=str(decoders["llama"]), pointwise=str(folder))
    (done,) = cascade.stages[0].apply([ranking(LONG_QUERY)])
    details = [r.detail for call in done.trace for r in call.repairs if r.kind == "query_cut"]
    assert len(details) == 2 and details[0].startswith("32 of ")


def test_dear_without_its_first_model_names_the_parameter(decoders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"give pointwise=\.\.\. \(the folder or hub name of stage 1\)"):
        dear.build(model=str(decoders["llama"]))
