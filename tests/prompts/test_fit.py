"""Shrinking to fit: budgets are kept, every cut is recorded, short passages stay whole, CJK is counted."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.backends.fake import Oracle
from shortlist.core.errors import ConfigError, InputError
from shortlist.core.exchange import Request
from shortlist.core.types import Candidate, Document, Query
from shortlist.prompts import Fitted, estimated_tokens, load_prompt
from shortlist.prompts.tokens import Tokenizer, count_tokens, cut
from shortlist.readouts import Permutation
from shortlist.scorers.prompted import Prompted

QUERY = Query("q1", "why is the sky blue?")


def words(text: str) -> int:
    return len(text.split())


def characters(text: str) -> list[tuple[int, int]]:
    return [(i, i + 1) for i in range(len(text))]


def group(*sizes: int, word: str = "word ") -> list[Candidate]:
    return [Candidate(Document(f"d{i}", word * size)) for i, size in enumerate(sizes)]


def used(request: Request, tokenizer: Tokenizer, per_message: int) -> int:
    texts = [m.content for m in request.prompt]  # type: ignore[union-attr]
    return sum(count_tokens(text, tokenizer) + per_message for text in texts) + request.max_tokens


def test_what_fits_is_not_touched() -> None:
    template = load_prompt("reasonrank")
    plain = template.render(QUERY, group(5, 50, 10))
    fitted = Fitted(template, context=100_000).render(QUERY, group(5, 50, 10), labels=("x",))
    assert (fitted.prompt, fitted.repairs, fitted.labels) == (plain.prompt, (), ("x",))


def test_the_longest_are_cut_to_one_length_and_recorded() -> None:
    prompt = Fitted(load_prompt("reasonrank"), context=3500, tokenizer=words)
    request = prompt.render(QUERY, group(5, 500, 10, 300))
    cuts = {
        r.detail.split(":")[0]: [int(n) for n in re.findall(r"\d+(?= of| tokens)", r.detail)] for r in request.repairs
    }
    assert {r.kind for r in request.repairs} == {"passage_cut"}
    assert set(cuts) == {"d1", "d3"}
    assert cuts["d1"][1] == 500 and cuts["d3"][1] == 300
    assert cuts["d1"][0] == cuts["d3"][0]
    assert 3500 - 2 <= used(request, words, 8) <= 3500


def test_limits_of_the_source_are_recorded_as_well() -> None:
    request = Fitted(load_prompt("rank-r1"), context=100_000, tokenizer=words).render(
        Query("q1", "why " * 40), group(5, 600)
    )
    assert [(r.kind, r.detail) for r in request.repairs] == [
        ("query_cut", "q1: 32 of 40 tokens"),
        ("passage_cut", "d1: 512 of 600 tokens"),
    ]


def test_the_cuts_reach_the_call() -> None:
    prompt = Fitted(load_prompt("rankzephyr"), context=400, tokenizer=words)
    long = [Candidate(Document(f"d{i}", f"{i} " + "word " * 300)) for i in range(3)]
    (call,) = Prompted(prompt, Permutation(), Oracle()).score([(QUERY, long)])
    assert [r.kind for r in call.repairs] == ["passage_cut"] * 3
    assert call.repairs[0].detail.endswith("of 301 tokens")
    assert call.scores == (1.0, 2.0, 3.0)


def test_chinese_is_not_one_long_word() -> None:
    text = "天空为什么是蓝色的？" * 100
    documents = [Candidate(Document(f"d{i}", text)) for i in range(4)]
    request = Fitted(load_prompt("reasonrank"), context=4000).render(QUERY, documents)
    assert len(request.repairs) == 4
    assert used(request, estimated_tokens, 8) <= 4000
    shown = request.prompt[-1].content  # type: ignore[union-attr]
    kept = int(request.repairs[0].detail.split()[1])
    assert f"[1] {text[:kept]}\n" in shown
    assert request.repairs[0].detail == f"d0: {kept} of 1000 tokens"


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400), min_size=1, max_size=12),
    context=st.integers(300, 3000),
    tokenizer=st.sampled_from([words, characters, estimated_tokens]),
    name=st.sampled_from(["rankzephyr", "rankgpt", "first", "setwise"]),
)
def test_whatever_comes_out_fits(sizes: list[int], context: int, tokenizer: Tokenizer, name: str) -> None:
    prompt = Fitted(load_prompt(name), context, tokenizer)
    documents = group(*sizes)
    try:
        request = prompt.render(QUERY, documents)
    except InputError:
        assert prompt.fits(QUERY, documents) < len(documents)
        return
    assert used(request, tokenizer, 8) <= context
    cut_ids = {r.detail.split(":")[0] for r in request.repairs}
    for candidate in documents:
        whole = prompt.template.passage_of(candidate)
        shown = any(whole and whole in m.content for m in request.prompt)  # type: ignore[union-attr]
        assert shown or not whole or candidate.id in cut_ids


def test_too_many_passages_are_an_error_that_says_how_many_fit() -> None:
    prompt = Fitted(load_prompt("rankzephyr"), context=300, tokenizer=words)
    documents = group(*[100] * 20)
    with pytest.raises(InputError, match=r"20 passages .* 300 tokens .* (\d+) do") as caught:
        prompt.render(QUERY, documents)
    most = prompt.fits(QUERY, documents)
    assert f"; {most} do" in str(caught.value)
    assert 0 < most < 20
    assert len(prompt.render(QUERY, documents[:most]).repairs) == most
    with pytest.raises(InputError):
        prompt.render(QUERY, documents[: most + 1])


def test_fits_keeps_what_it_is_asked_to_keep() -> None:
    prompt = Fitted(load_prompt("rankzephyr"), context=1000, tokenizer=words)
    documents = group(*[200] * 20)
    assert prompt.fits(QUERY, documents) == 20
    assert 0 < prompt.fits(QUERY, documents, tokens=200) < 5
    assert prompt.fits(QUERY, []) == 0


def test_a_query_that_leaves_no_room() -> None:
    with pytest.raises(InputError, match="0 do"):
        Fitted(load_prompt("monot5"), 50, words).render(Query("q", "why " * 100), group(30))


def test_whole_requests_may_be_measured() -> None:
    @dataclass(frozen=True)
    class Chat:
        """A chat template that adds a hundred words."""

        def __call__(self, request: Request) -> int:
            return 100 + sum(words(m.content) for m in request.prompt)  # type: ignore[union-attr]

    prompt = Fitted(load_prompt("rankzephyr"), 400, words, measure=Chat())
    request = prompt.render(QUERY, group(200, 200))
    assert Chat()(request) + request.max_tokens <= 400
    assert len(request.repairs) == 2


def test_a_template_may_repeat_the_passage() -> None:
    template = replace(load_prompt("reasonrank"), body="[{id}] {passage}\n{passage}\n")
    request = Fitted(template, 4000, words).render(QUERY, group(200, 300))
    assert used(request, words, 8) <= 4000
    assert len(request.repairs) == 2


def test_segments_are_measured_one_by_one() -> None:
    request = Fitted(load_prompt("listt5"), 100, words).render(QUERY, group(50, 50, 50, 50, 500))
    assert [r.detail.split(":")[0] for r in request.repairs] == ["d4"]
    assert max(map(words, request.texts)) + 8 == 100


def test_a_pair_of_texts_shares_the_context() -> None:
    request = Fitted(load_prompt("dear-pointwise"), 60, words).render(QUERY, group(100))
    assert sum(words(text) + 8 for text in request.texts) + request.max_tokens == 60


def test_the_answer_is_counted_with_the_tokenizer() -> None:
    prompt = Fitted(load_prompt("rankzephyr"), 10_000, characters)
    assert prompt.render(QUERY, group(1, 1, 1)).max_tokens == 4 + len("[1] > [2] > [3]")


@pytest.mark.parametrize("bad", [{"context": 0}, {"context": 9, "least": 0}, {"context": 9, "passage_tokens": 0}])
def test_wrong_numbers_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="expected 1 or more"):
        Fitted(load_prompt("monot5"), **bad)


@pytest.mark.parametrize("tokenizer", [words, characters, estimated_tokens])
@given(text=st.text(max_size=60), limit=st.integers(0, 30))
def test_cut_keeps_a_prefix_within_the_limit(tokenizer: Tokenizer, text: str, limit: int) -> None:
    kept, tokens, total = cut(text, limit, tokenizer)
    assert text.startswith(kept)
    assert tokens == count_tokens(kept, tokenizer) <= max(limit, 0) or kept == text
    assert total == count_tokens(text, tokenizer)
    assert (kept == text) or total > limit


def test_a_cut_leaves_no_blanks_at_its_end() -> None:
    assert cut("ab   cd", 4, characters) == ("ab", 2, 7)


def test_a_cut_does_not_part_an_accent_from_its_letter() -> None:
    assert cut("cafe\u0301 noir", 4, characters)[0] == "caf"


def test_a_real_tokenizer(tmp_path: object) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    prompt = Fitted(
        load_prompt("rankzephyr"), 400, lambda text: tokenizer.encode(text, add_special_tokens=False).offsets
    )
    request = prompt.render(QUERY, group(200, 20, 200))
    assert [r.detail.split(":")[0] for r in request.repairs] == ["d0", "d2"]
    assert "[2] " + "word " * 19 + "word\n" in request.prompt[-1].content  # type: ignore[union-attr]


def test_an_instruction_without_a_place_is_recorded_also_when_fitted() -> None:
    asked = Query("q", "why", instruction="Only studies of adults count.")
    for prompt in (load_prompt("monot5"), Fitted(load_prompt("monot5"), 500, words)):
        (repair,) = prompt.render(asked, group(3)).repairs
        assert (repair.kind, repair.detail) == ("instruction_ignored", "Only studies of adults count.")
    assert not load_prompt("erank").render(asked, group(3)).repairs
    assert not load_prompt("monot5").render(QUERY, group(3)).repairs


def test_a_passage_is_counted_once_and_what_surely_fits_is_not_tokenised_again() -> None:
    counted: list[str] = []
    measured: list[int] = []

    def counting(text: str) -> int:
        counted.append(text)
        return len(text.split())

    def measure(request: Request) -> int:
        measured.append(sum(len(text.split()) for text in request.texts))
        return measured[-1]

    prompt = Fitted(load_prompt("rankzephyr"), context=2000, tokenizer=counting, measure=measure)
    window = group(30, 40, 50)
    for shown in (window, window[::-1], window[1:]):
        prompt.render(QUERY, shown)
    assert sorted(map(len, filter(lambda text: text.startswith("word"), counted))) == [149, 199, 249]
    assert len(measured) == 2, "once for three passages and once for two, without the passages"
    assert max(measured) < 120, "the words of the prompt alone"


@given(st.lists(st.lists(st.sampled_from(["[12]", "[3] x", "word", "a-b"]), max_size=30), min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_what_is_not_measured_again_does_fit(passages: list[list[str]]) -> None:
    def pieces(text: str) -> list[tuple[int, int]]:
        return [found.span() for found in re.finditer(r"\w+|\[\d+\]|[^\w\s]", text)]  # [12] is one, (12) is three

    def measure(request: Request) -> int:
        return sum(len(pieces(text)) for text in request.texts)

    template = replace(load_prompt("rankzephyr"), neutralise=True)
    shown = [Candidate(Document(f"d{i}", " ".join(words))) for i, words in enumerate(passages)]
    least = measure(template.render(QUERY, shown)) + template.max_tokens_for(len(shown))
    for context in range(max(1, least - 30), least + 200, 7):
        try:
            request = Fitted(template, context, pieces, least=1, measure=measure).render(QUERY, shown)
        except InputError:
            continue
        assert measure(request) + request.max_tokens <= context
