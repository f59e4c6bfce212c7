"""What prefix reuse saves, exactly, in tokens: what prompts begin with in common is computed once per query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from random import Random

import pytest

from shortlist import Candidate, Document, Query, Ranking, load
from shortlist.backends.transformers import CausalLM
from shortlist.core.exchange import Request
from shortlist.drive import Scheduled
from shortlist.prompts import Fitted, Template
from shortlist.readouts import Permutation
from shortlist.schedules import Once
from shortlist.scorers import Prompted

WORDS = ["flea", "lives", "cost", "concrete", "floors", "low", "spring", "days", "long", "true", "bird", "stone"]
QUERIES = ("how long do fleas live on a cat without any food", "what does a concrete floor cost in the spring")


def common(prompts: Iterable[list[int]]) -> int:
    """How many tokens all prompts begin with."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False)))


def rankings(*, passages: int = 100) -> list[Ranking]:
    random = Random(0)
    return [
        Ranking(
            Query(f"q{q}", text),
            tuple(
                Candidate(Document(f"d{q}-{i}", f"{i} {' '.join(random.choices(WORDS, k=9))}")) for i in range(passages)
            ),
        )
        for q, text in enumerate(QUERIES)
    ]


def asked(backend: CausalLM, method: str, given: Sequence[Ranking]) -> list[list[list[int]]]:
    """The tokens of every prompt, by query."""
    prompt = load(method, backend=backend).scorer.prompt
    requests: list[list[Request]] = [
        [prompt.render(ranking.query, [c], labels=("yes", "no")) for c in ranking.candidates] for ranking in given
    ]
    return [[backend.encode(request) for request in row] for row in requests]


def spent(backend: CausalLM, method: str, given: list[Ranking]) -> tuple[Counter[str], list[Ranking]]:
    before = backend.counts
    done = load(method, backend=backend)(given)
    counts = backend.counts
    counts.subtract(before)
    return counts, done


@pytest.fixture(scope="module")
def reusing(decoders: dict[str, Path]) -> CausalLM:
    return CausalLM(decoders["llama"])


@pytest.fixture(scope="module")
def separate(decoders: dict[str, Path]) -> CausalLM:
    return CausalLM(decoders["llama"], share_prefixes=False)


@pytest.mark.parametrize("method", ["qwen3-reranker", "prorank"])
def test_each_shared_token_of_a_query_is_computed_once(method: str, reusing: CausalLM, separate: CausalLM) -> None:
    given = rankings()[:1]
    (prompts,) = asked(reusing, method, given)
    shared = common(prompts)
    assert shared > 20, "instruction and query stand before the passage"
    own = sum(len(prompt) - shared for prompt in prompts)
    counts, done = spent(reusing, method, given)
    assert counts["requests"] == 100
    assert counts["tokens_computed"] == shared + own
    assert counts["tokens_cached"] == 99 * shared
    without, same = spent(separate, method, given)
    assert without["tokens_computed"] == 100 * shared + own
    assert without["tokens_cached"] == 0
    assert [c.score for c in done[0].candidates] == pytest.approx([c.score for c in same[0].candidates], abs=1e-4)


def test_two_queries_share_the_instruction_and_each_its_own_query(reusing: CausalLM) -> None:
    given = rankings(passages=50)
    by_query = asked(reusing, "qwen3-reranker", given)
    instruction = common([prompt for prompts in by_query for prompt in prompts])
    shared = [common(prompts) for prompts in by_query]
    own = sum(len(prompt) - n for prompts, n in zip(by_query, shared, strict=True) for prompt in prompts)
    counts, _ = spent(reusing, "qwen3-reranker", given)
    assert counts["tokens_computed"] == instruction + sum(n - instruction for n in shared) + own


def test_what_the_usage_says_adds_up_to_what_was_computed(reusing: CausalLM) -> None:
    counts, done = spent(reusing, "qwen3-reranker", rankings(passages=30))
    usages = [call.usage for ranking in done for call in ranking.trace]
    assert sum(usage.prompt_tokens for usage in usages) == counts["tokens_computed"] + counts["tokens_cached"]
    assert sum(usage.cached_tokens for usage in usages) == counts["tokens_cached"]


def test_a_written_ranking_is_counted_token_by_token(reusing: CausalLM) -> None:
    (ranking, _) = rankings(passages=4)
    template = Template("t", "[{id}] {passage}\n", prefix="{query}\n", max_tokens=1, answer_tokens="ranking")
    scorer = Prompted(Fitted(template, 512, reusing.offsets, measure=reusing.measure), Permutation(), reusing)
    request = scorer.prompt.render(ranking.query, ranking.candidates)
    before = reusing.counts
    (done,) = Scheduled(scorer, Once())([ranking])
    (call,) = done.trace
    counts = reusing.counts
    counts.subtract(before)
    assert call.usage.prompt_tokens == len(reusing.encode(request))
    assert 0 < call.usage.completion_tokens <= request.max_tokens
    # the last token that is written is not put in again
    assert counts["tokens_computed"] == call.usage.prompt_tokens + call.usage.completion_tokens - 1
