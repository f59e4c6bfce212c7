"""Long documents in passages: the best passage counts, nothing is cut, everything is paid for once and said."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from shortlist import Candidate, Document, Query, Ranking, load
from shortlist.backends.fake import Oracle
from shortlist.backends.fake.endpoint import FakeEndpoint
from shortlist.core.errors import ConfigError
from shortlist.core.types import MISSING
from shortlist.prompts import load_prompt
from shortlist.prompts.tokens import estimated_tokens, split
from shortlist.readouts import Permutation, RawLogit
from shortlist.scorers import Chunked, Prompted, chunked

NUMBERS = " ".join(str(n) for n in (3, 9, 1, 7))  # a passage's relevance is the number that it begins with


def words(text: str) -> list[tuple[int, int]]:
    spans, at = [], 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        spans.append((start, at))
    return spans


def pointwise(backend: Oracle | None = None) -> Prompted:
    return Prompted(load_prompt("rankt5"), RawLogit(), backend or Oracle())


def group(*texts: str) -> list[tuple[Query, tuple[Candidate, ...]]]:
    return [(Query("q", "x"), (Candidate(Document(f"d{i}", text, title="T")),)) for i, text in enumerate(texts)]


def test_the_best_or_mean_or_first_passage_counts() -> None:
    for how, expected in (("max", 9.0), ("mean", 5.0), ("first", 3.0)):
        scorer = Chunked(pointwise(), tokens=1, overlap=0, aggregate=how, tokenizer=words)  # type: ignore[arg-type]
        long, short = scorer.score(group(NUMBERS, "4"))
        assert (long.scores, short.scores) == ((expected,), (4.0,))
        assert (long.group, short.group) == (("d0",), ("d1",))
        assert long.usage.calls == 4 and short.usage.calls == 1
        assert [(r.kind, r.count) for r in long.repairs] == [("split_into_passages", 4)] and not short.repairs


def test_a_passage_without_a_score_does_not_count() -> None:
    @dataclass(frozen=True)
    class Silent(Oracle):
        def generate(self, requests):  # type: ignore[no-untyped-def]
            answers = super().generate(requests)
            return [a if "9" not in r.texts[0] else type(a)("", {}) for a, r in zip(answers, requests, strict=True)]

    (call,) = Chunked(pointwise(Silent()), tokens=1, overlap=0, tokenizer=words).score(group(NUMBERS))
    assert call.scores == (7.0,)
    (call,) = Chunked(pointwise(Silent()), tokens=9, tokenizer=words).score(group("9"))
    assert call.scores == (MISSING,)


def test_it_is_an_option_of_pointwise_methods_and_refused_by_others() -> None:
    texts = [f"{n} " + "word " * 300 + f"{n + 1}" for n in range(4)]
    ranking = Ranking(Query("q", "x"), tuple(Candidate(Document(f"d{i}", t), 1.0) for i, t in enumerate(texts)))
    (done,) = load("rankt5", backend=Oracle(), options={"chunk": 100}).rerank([ranking])
    assert done.ids == ("d3", "d2", "d1", "d0") and done.repairs["split_into_passages"] > 8
    with pytest.raises(ConfigError, match="only be compared by a pointwise scorer"):
        load("rankgpt", backend=Oracle(), options={"chunk": 100})
    with pytest.raises(ConfigError, match="only be compared by a pointwise scorer"):
        Chunked(Prompted(load_prompt("rankgpt"), Permutation(), Oracle()))


def test_an_endpoint_is_asked_side_by_side() -> None:
    with FakeEndpoint() as endpoint:
        scorer = load("yes-no", model=f"{endpoint.url}/v1", options={"model": "fake", "chunk": 50}).scorer
    assert scorer.concurrency == 8 and type(scorer) is type(chunked(scorer.scorer))


@pytest.mark.parametrize("text", ["", "word", "one two three four five six seven", "東京の天気は晴れです" * 3])
def test_splitting_loses_nothing(text: str) -> None:
    for tokenizer in (words, lambda t: len(t.split())):
        parts = split(text, 3, tokenizer, 0)
        assert " ".join(parts).split() == text.split()
    joined = "".join(split(text, 3, overlap=0, tokenizer=estimated_tokens))
    assert joined.replace(" ", "") == text.replace(" ", "")
