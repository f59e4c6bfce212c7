"""Rerank services: every dialect by its recorded exchange, results by index, troubles said."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import Candidate, Document, Query, Ranking, Scale
from shortlist.backends.fake.troubles import CONTENT, Troubles
from shortlist.backends.http import EndpointError, RerankEndpoint
from shortlist.backends.http.dialects import DIALECTS, named
from shortlist.backends.http.refusals import Malformed
from shortlist.backends.http.results import read_results
from shortlist.check import make_ranking
from shortlist.check.data import true_order
from shortlist.core.errors import ConfigError, UnknownName
from shortlist.core.protocols import AsyncScorer
from shortlist.core.types import MISSING
from shortlist.drive import Scheduled
from shortlist.schedules import Map, Once
from shortlist.scorers import Pairs
from shortlist.scorers.remote import RemoteRerank

EXCHANGES = json.loads(Path(__file__).with_name("rerank_dialects.json").read_text(encoding="utf-8"))
ABC = Ranking(Query("1", "q"), tuple(Candidate(Document(t * 2, t)) for t in "abc"))


def test_every_dialect_has_a_recorded_exchange() -> None:
    assert set(EXCHANGES) == set(DIALECTS)


@pytest.mark.parametrize("dialect", sorted(EXCHANGES))
def test_a_dialect_is_spoken_and_understood(
    can: Any, reply: Any, rerank_at: Callable[..., RerankEndpoint], monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    recorded = EXCHANGES[dialect]
    monkeypatch.setenv("SOME_KEY", "k")
    server = can(reply(recorded["response"]))
    endpoint = rerank_at(server.url, dialect=dialect, model="m", api_key_env="SOME_KEY")
    (done,) = Scheduled(RemoteRerank(endpoint), Once()).rerank([ABC])
    assert server.paths == [recorded["route"]] and server.bodies == [recorded["request"]]
    assert server.headers[0].get("api-key" if dialect == "pinecone" else "authorization", "")[-1:] == "k"
    scores = tuple(MISSING if s is None else s for s in recorded["scores"])
    assert done.trace[0].scores == scores
    assert done.ids == tuple("abc"[i] * 2 for i in sorted(range(3), key=lambda i: -scores[i]))
    assert done.status == "ranked" and done.scale is Scale.API
    assert done.usage.prompt_tokens == recorded["tokens"] and done.usage.calls == 1
    assert done.repairs == Counter(recorded.get("repairs", {}))


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("https://api.cohere.com", "cohere-v2"),
        ("https://api.jina.ai/v1/rerank", "jina"),
        ("http://localhost:1/v2/rerank", "cohere-v2"),
        ("http://localhost:1/v1/rerank/", "jina"),
        ("http://localhost:1/v1/reranking", "mixedbread"),
        ("http://localhost:1/score", "vllm-score"),
        ("http://localhost:1", "vllm"),
    ],
)
def test_auto_goes_by_host_and_route(url: str, dialect: str) -> None:
    assert named("auto", url)[0] == dialect


@pytest.mark.parametrize(
    "refusal",
    [
        (422, "Failed to deserialize the JSON body into the target type: missing field `texts` at line 1 column 38"),
        (400, "missing field `texts`"),
    ],
)
def test_auto_learns_that_a_server_speaks_teis_dialect(
    can: Any, reply: Any, rerank_at: Callable[..., RerankEndpoint], refusal: tuple[int, str]
) -> None:
    ranked = reply([{"index": 0, "score": 0.1}, {"index": 1, "score": 0.3}])
    server = can(reply(refusal[1].encode(), refusal[0], {"Content-Type": "text/plain"}), ranked)
    endpoint = rerank_at(server.url)
    for _ in range(2):
        assert endpoint.pair_scores([("q", "a"), ("q", "b")]) == [0.1, 0.3]
    assert [sorted(body) for body in server.bodies] == [["documents", "query"], ["query", "texts"], ["query", "texts"]]
    strict = rerank_at(can(reply(refusal[1].encode(), refusal[0])).url, dialect="vllm")
    with pytest.raises(EndpointError, match="texts"):
        strict.pair_scores([("q", "a")])


@pytest.mark.parametrize("kind", ["results", "data"])
def test_a_list_that_lacks_repeats_invents_or_voids_results(kind: str) -> None:
    items = [
        {"index": 3, "relevance_score": 0.7},
        {"index": 3, "relevance_score": 0.9},
        {"index": 9, "relevance_score": 1.0},
        {"index": -1, "relevance_score": 1.0},
        {"index": True, "relevance_score": 1.0},
        {"relevance_score": 1.0},
        {"index": 0, "relevance_score": None},
        {"index": 1, "relevance_score": math.nan},
        {"index": 4, "relevance_score": "0.5"},
    ]
    reading, _ = read_results({kind: items}, 6)
    assert reading.scores == (MISSING, MISSING, MISSING, 0.7, MISSING, MISSING) and reading.valid
    assert {r.kind: r.count for r in reading.repairs} == {
        "missing_result": 2, "repeated_index": 1, "unknown_index": 4, "no_score": 3,
    }  # fmt: skip


def test_results_without_any_index_are_never_mapped_by_position() -> None:
    with pytest.raises(Malformed, match="without an index"):
        read_results({"results": [{"relevance_score": 0.1}, {"relevance_score": 0.9}]}, 2)
    with pytest.raises(Malformed, match=r"no list of results.*'scoring'"):
        read_results({"scoring": []}, 2)
    with pytest.raises(Malformed, match="no list of results"):
        read_results([0.1, 0.9], 2)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["results", "data", "index", "score", "relevance_score", "meta"]), inner)
        ),
        max_leaves=12,
    ),
    st.integers(0, 5),
)
def test_any_json_is_scores_or_malformed(data: Any, n: int) -> None:
    try:
        reading, usage = read_results(data, n)
    except Malformed:
        return
    assert len(reading.scores) == n and usage.calls == 1
    assert all(s == MISSING or math.isfinite(s) for s in reading.scores)


@given(st.permutations(range(12)))
def test_the_order_of_the_results_does_not_matter(order: list[int]) -> None:
    results = [{"index": i, "relevance_score": i / 10} for i in order]
    assert read_results({"results": results}, 12)[0].scores == tuple(i / 10 for i in range(12))


def test_lists_longer_than_a_request_are_sent_in_parts_and_pooled(
    serve: Any, rerank_at: Callable[..., RerankEndpoint]
) -> None:
    endpoint = serve()
    backend = rerank_at(endpoint.url, dialect="tei")
    (done,) = Scheduled(RemoteRerank(backend), Once()).rerank([make_ranking(70)])
    assert done.ids == true_order(70) and len(done.trace) == 1 and done.usage.calls == 3
    assert sorted(len(seen.body["texts"]) for seen in endpoint.seen) == [6, 32, 32]
    listwise = RemoteRerank(backend, comparable="within")
    with pytest.raises(ConfigError, match="takes at most 32"):
        Scheduled(listwise, Once()).rerank([make_ranking(33)])
    with pytest.raises(ConfigError, match="within one call"):
        Scheduled(listwise, Map())


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3])
def test_queries_end_ranked_or_unscored_over_a_troubled_service(
    serve: Any, rerank_at: Callable[..., RerankEndpoint], rate: float
) -> None:
    endpoint = serve(troubles=Troubles(rate, ("unavailable", "drop", "half_json", *CONTENT), seed=2))
    backend = rerank_at(f"{endpoint.url}/v1/rerank", timeout=1.0, max_attempts=2)
    before = [make_ranking(n, seed=n, query_id=f"q{n}", text=f"query {n}") for n in range(0, 60, 2)]
    done = Scheduled(RemoteRerank(backend), Once(), on_error="unscored").rerank(before)
    for start, end in zip(before, done, strict=True):
        assert sorted(end.ids) == sorted(start.ids)
        assert (end.status == "unscored") == bool(end.reason)
        if end.status == "ranked" and not set(end.repairs) - {"request_retried"}:
            assert end.ids == true_order(len(start.ids))
    troubles = Counter(seen.trouble for seen in endpoint.seen)
    found = Counter(kind for r in done for kind in r.repairs)
    assert found["missing_result"] == troubles["truncate"] and found["repeated_index"] == troubles["duplicate"]
    retried = sum(n for name, n in backend.counts.items() if name.startswith("retried_"))
    assert found["request_retried"] == retried - backend.counts["failed"], "of the failed ones no call is left"
    assert backend.counts["attempts"] == len(endpoint.seen) <= 2 * len(before)
    if rate == 0.3:
        assert found["missing_result"] and found["repeated_index"], "the seed draws each at least once"
        assert {r.status for r in done} == {"ranked", "unscored"}


def test_a_list_without_any_score_leaves_the_query_unscored(
    serve: Any, rerank_at: Callable[..., RerankEndpoint]
) -> None:
    backend = rerank_at(f"{serve(troubles=Troubles(1.0, ('refuse',))).url}/v1/rerank")
    (done,) = Scheduled(RemoteRerank(backend), Once()).rerank([make_ranking(5)])
    assert done.status == "unscored" and "no usable output" in done.reason and done.ids == make_ranking(5).ids


def test_documents_without_text_are_not_sent(serve: Any, rerank_at: Callable[..., RerankEndpoint]) -> None:
    endpoint = serve()
    texts = ["3 x", "", "5 y", " \n"]
    ranking = Ranking(Query("q", "q"), tuple(Candidate(Document(str(i), t), 1.0) for i, t in enumerate(texts)))
    (done,) = Scheduled(RemoteRerank(rerank_at(f"{endpoint.url}/v1/rerank")), Once()).rerank([ranking])
    assert endpoint.seen[0].body["documents"] == ["3 x", "5 y"]
    assert done.ids == ("2", "0", "1", "3") and done.repairs == {"empty_document": 2}
    assert [c.score for c in done.candidates] == [5.0, 3.0, None, None]
    nothing = Ranking(Query("q", "q"), (Candidate(Document("a", ""), 1.0),))
    (done,) = Scheduled(RemoteRerank(rerank_at(f"{endpoint.url}/v1/rerank")), Once()).rerank([nothing])
    assert done.status == "unscored" and len(endpoint.seen) == 1


def test_titles_are_sent_with_the_texts(serve: Any, rerank_at: Callable[..., RerankEndpoint]) -> None:
    endpoint = serve()
    ranking = Ranking(Query("q", "q"), (Candidate(Document("a", "is a city.", title="Paris")),))
    Scheduled(RemoteRerank(rerank_at(f"{endpoint.url}/v1/rerank")), Once()).rerank([ranking])
    assert endpoint.seen[0].body["documents"] == ["Paris is a city."]


def test_it_also_serves_as_a_pair_backend(serve: Any, rerank_at: Callable[..., RerankEndpoint]) -> None:
    endpoint = serve()
    backend = rerank_at(f"{endpoint.url}/v1/rerank")
    (done,) = Scheduled(Pairs(backend), Map()).rerank([make_ranking(9)])
    assert done.ids == true_order(9) and done.scale is Scale.API
    assert len(endpoint.seen) == 1, "the pairs of one query go together"
    assert backend.pair_scores([]) == []


def test_the_synchronous_call_is_that_of_the_asynchronous(serve: Any, rerank_at: Callable[..., RerankEndpoint]) -> None:
    scorer = RemoteRerank(rerank_at(f"{serve().url}/v1/rerank"))
    assert isinstance(scorer, AsyncScorer) and scorer.concurrency == 8
    groups = [(r.query, r.candidates) for r in (make_ranking(3), make_ranking(4))]
    calls = scorer.score(groups)
    ranked = Scheduled(scorer, Once()).rerank([make_ranking(3), make_ranking(4)])
    assert list(calls) == [r.trace[0] for r in ranked]


def test_wrong_parameters_are_refused_when_built() -> None:
    with pytest.raises(UnknownName, match="no rerank dialect named 'cohere'; did you mean 'cohere-v"):
        RerankEndpoint("http://h", dialect="cohere")
    with pytest.raises(ConfigError, match="batch=0"):
        RerankEndpoint("http://h", batch=0)
    with pytest.raises(ConfigError, match="url='h'"):
        RerankEndpoint("h")
    with pytest.raises(ConfigError, match="comparable='both'"):
        RemoteRerank(RerankEndpoint("http://h"), comparable="both")  # type: ignore[arg-type]
    assert RerankEndpoint("http://h").digest != RerankEndpoint("http://h", dialect="tei").digest
    assert RerankEndpoint("http://h").digest == RerankEndpoint("http://h", timeout=1.0).digest
