"""The trained tiny model over HTTP says what it says in process: texts, labels, rankings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shortlist import Ranking, load
from shortlist.backends.http import EndpointError, OpenAICompatible
from shortlist.backends.transformers import CausalLM
from shortlist.backends.transformers.sampled import Sampled, Shown
from shortlist.check import examine_backend
from shortlist.core.exchange import Message, Request
from shortlist.serve import LanguageModelServer

pytest.importorskip("torch", reason="torch is not installed (extra `local`)")
pytest.importorskip("transformers", reason="transformers is not installed (extra `local`)")
pytest.importorskip("httpx2", reason="the http extra is not installed")
TESTS = Path(__file__).parents[1]
TRAINED = TESTS / "fixtures" / "tiny-ranker"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def local() -> CausalLM:
    return CausalLM(TRAINED)


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageModelServer]:
    with LanguageModelServer(CausalLM(TRAINED), port=0) as started:
        yield started


@pytest.fixture
def remote(server: LanguageModelServer) -> Iterator[OpenAICompatible]:
    backend = connected(server)
    yield backend
    backend.close()


def connected(server: LanguageModelServer, **params: Any) -> OpenAICompatible:
    return OpenAICompatible(server.url, server.name, **{"prefill": "continue", "concurrency": 32, **params})


@pytest.fixture(scope="module")
def generated(script: Callable[[str], ModuleType]) -> ModuleType:
    """The generator of queries that the model can rank."""
    return script("tools/build_tiny_models")


def chat(text: str, **more: Any) -> Request:
    return Request((Message("user", text),), **more)


@pytest.mark.parametrize("method", ["rankgpt", "rankzephyr", "first", "yes-no"])
def test_methods_rank_over_http_as_in_process(
    local: CausalLM, remote: OpenAICompatible, generated: ModuleType, method: str
) -> None:
    rankings = [Ranking(row.query, row.candidates) for row in generated.queries(5, 8, seed=99)]
    here, there = (load(method, backend=backend).rerank(rankings) for backend in (local, remote))
    for a, b in zip(here, there, strict=True):
        assert a.status == b.status == "ranked" and a.ids == b.ids
        assert [c.score for c in b.candidates] == pytest.approx([c.score for c in a.candidates], abs=1e-4)
        assert [call.group for call in a.trace] == [call.group for call in b.trace]
        if method.startswith("rank"):
            assert [call.output for call in a.trace] == [call.output for call in b.trace]
        assert a.usage.prompt_tokens == b.usage.prompt_tokens > 0
        assert not b.repairs.get("request_retried")


def test_labels_are_those_of_the_model_as_far_as_they_are_shown(
    local: CausalLM, server: LanguageModelServer, generated: ModuleType
) -> None:
    (row,) = generated.queries(1, 8, seed=99)
    requests = [
        chat(f"{row.query.text} {c.document.text}", labels=("Yes", "No", "A", "B"), prefill=prefill)
        for c in row.candidates
        for prefill in ("", "[")
    ]
    here = local.generate(requests)
    for shown in (20, 3):
        remote = connected(server, top_logprobs=shown)
        seen = 0
        for a, b in zip(here, remote.generate(requests), strict=True):
            assert set(b.labels or {}) <= set(a.labels or {})
            for label, value in (b.labels or {}).items():
                seen += 1
                assert value == pytest.approx((a.labels or {})[label], abs=1e-4)
        assert seen > len(requests)
        remote.close()


def test_texts_tokens_and_stops_are_the_same(local: CausalLM, remote: OpenAICompatible) -> None:
    texts = ("hello", "Is it so? " * 9, "\u8df3\u86a4 \U0001f41c", "<|im_end|> is text", "")
    requests = [chat(text, max_tokens=7, logprobs=True, prefill=prefill) for text in texts for prefill in ("", "[")]
    requests += [Request(text, max_tokens=5, logprobs=True) for text in texts if text]
    requests += [chat(text, max_tokens=9, stop=("o", "]")) for text in texts]
    for asked, a, b in zip(requests, local.generate(requests), remote.generate(requests), strict=True):
        assert (a.text, a.finished) == (b.text, b.finished)
        assert a.usage.completion_tokens == b.usage.completion_tokens
        if asked.logprobs:
            ended = len(b.tokens) - len(a.tokens)
            assert ended in (0, 1) and [t.text for t in b.tokens][: len(a.tokens)] == [t.text for t in a.tokens]
            said = [t.logprob for t in b.tokens][: len(a.tokens)]
            assert said == pytest.approx([t.logprob for t in a.tokens], abs=1e-4)


def test_the_likeliest_tokens_are_the_models_own(local: CausalLM) -> None:
    asked = Sampled((Message("user", "hello"),), max_tokens=3, logprobs=True, top=5)
    (shown,) = local.generate([asked])
    assert isinstance(shown, Shown) and len(shown.places) >= 1
    torch = local.loaded.torch
    ids = local.encode(asked)
    for place, token in zip(shown.places, local._texts.plain(shown.text), strict=False):
        with torch.no_grad():
            row = torch.log_softmax(local.loaded.model(input_ids=torch.tensor([ids])).logits[0, -1].float(), -1)
        best = row.topk(5)
        assert [t.logprob for t in place.top] == pytest.approx(best.values.tolist(), abs=1e-4)
        assert place.token == place.top[0] and int(best.indices[0]) == token
        ids = [*ids, token]


def test_thirty_two_clients_share_calls_and_prefixes(local: CausalLM, generated: ModuleType) -> None:
    head = "Which of the passages is about the query? " * 8
    requests = [chat(f"{head}{row.query.text}", max_tokens=4) for row in generated.queries(32, 1, seed=5)]
    with LanguageModelServer(CausalLM(TRAINED), port=0, gather=0.05) as server:
        remote = connected(server)
        there = remote.generate(requests)
        remote.close()
        counts = server.counts
        computed = server.backend.counts
    assert [c.text for c in there] == [c.text for c in local.generate(requests)]
    assert counts["answered"] == 32 and counts["batches"] <= 8
    assert computed["tokens_cached"] > 20 * 40, "the shared beginning was computed a few times, not 32 times"
    assert sum(c.usage.cached_tokens for c in there) == computed["tokens_cached"]


def test_temperature_and_seed_are_of_the_request(server: LanguageModelServer) -> None:
    def said(**params: Any) -> list[str]:
        backend = connected(server, **params)
        found = [c.text for c in backend.generate([chat(f"say {i}", max_tokens=8) for i in range(6)])]
        backend.close()
        return found

    plain = said()
    assert said() == plain
    hot = said(temperature=1.5, seed=1)
    assert hot == said(temperature=1.5, seed=1)
    assert len({tuple(plain), tuple(hot), tuple(said(temperature=1.5, seed=2))}) == 3


def test_a_prompt_that_is_too_long_is_refused_with_what_to_do(remote: OpenAICompatible) -> None:
    with pytest.raises(EndpointError, match="the prompt does not fit the model") as caught:
        remote.generate([chat("word " * 5000)])
    assert caught.value.status == 400 and caught.value.attempts == 1
    assert remote.generate([chat("word")])[0].usage.prompt_tokens > 0


@pytest.mark.slow
def test_the_served_model_passes_the_checks_of_a_backend(remote: OpenAICompatible) -> None:
    outcomes = list(examine_backend(remote))
    assert [o for o in outcomes if o.state != "ok"] == []
    assert len(outcomes) > 25
