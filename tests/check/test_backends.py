"""The checks of a backend pass what is honest and find every broken promise: no check that cannot fail."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from shortlist.backends.fake import Broken, Noisy, Oracle
from shortlist.check import BACKEND_CHECKS, CheckFailed, backend_checks, check_backend, examine_backend
from shortlist.check._probe import NotChecked
from shortlist.core.errors import BackendError, InputError
from shortlist.core.exchange import Attended, AttentionMass, Completion, Likelihood, Reading, Request, Token, Views
from shortlist.core.protocols import Capability
from shortlist.core.types import Usage

After = Callable[[Sequence[Any], list[Any]], list[Any]]
Before = Callable[[Any], Any]


@dataclass
class Meddled:
    """A backend whose questions are changed on the way in, or whose answers on the way out."""

    inner: Any
    after: After = lambda asked, got: got
    before: Before = lambda asked: asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return self.after(requests, list(self.inner.generate([self.before(r) for r in requests])))

    def nll(self, asked: Sequence[tuple[Request, str]], *, eos: bool = False) -> list[Likelihood]:
        return self.after(asked, list(self.inner.nll([(self.before(r), text) for r, text in asked], eos=eos)))

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return self.after(pairs, list(self.inner.pair_scores([(q, self.before(text)) for q, text in pairs])))

    def embed(self, texts: Sequence[str], *, kind: str) -> Any:
        rows = self.inner.embed([self.before(text) for text in texts], kind=kind)
        changed = self.after(texts, list(rows))
        return np.array(changed) if changed else rows

    def token_states(self, texts: Sequence[str], *, kind: str) -> list[Any]:
        return self.after(texts, list(self.inner.token_states([self.before(text) for text in texts], kind=kind)))

    def embed_prompts(self, requests: Sequence[Request]) -> Any:
        rows = self.inner.embed_prompts(requests)
        changed = self.after(requests, list(rows))
        return np.array(changed) if changed else rows

    def group_scores(self, groups: Sequence[Any]) -> list[Any]:
        return self.after([(query, "".join(texts)) for query, texts in groups], self.inner.group_scores(groups))

    def attention(self, requests: Sequence[Request], *, rows: str = "mean") -> list[Any]:
        return self.after(requests, self.inner.attention(requests, rows=rows))

    def cross_attention(self, asked: Sequence[Any]) -> list[Any]:
        return self.after(asked, self.inner.cross_attention(asked))

    def views(self, requests: Sequence[Request], tokens: tuple[str, ...]) -> list[Any]:
        return self.after(requests, self.inner.views(requests, tokens))


def moved(answer: Any, by: float) -> Any:
    """The answer with other numbers, and another text."""
    if isinstance(answer, Likelihood):
        return replace(answer, value=answer.value - by)
    if isinstance(answer, Reading):
        return Reading(tuple(score - by for score in answer.scores))
    if isinstance(answer, AttentionMass):
        return AttentionMass(tuple(tuple(mass + by for mass in tail) for tail in answer.mass))
    if isinstance(answer, Attended):
        return replace(answer, masses=tuple(mass + by for mass in answer.masses))
    if isinstance(answer, Views):
        return Views(answer.texts + by, answer.anchors)
    if isinstance(answer, Completion):
        labels = None if answer.labels is None else {name: value - by for name, value in answer.labels.items()}
        tokens = tuple(replace(token, logprob=token.logprob - by) for token in answer.tokens)
        text = answer.text + (f"?{by}" if by and labels is None else "")
        return replace(answer, labels=labels, tokens=tokens, text=text)
    return answer + by


def each(change: Callable[[Any], Any]) -> After:
    return lambda asked, got: [change(answer) for answer in got]


def written(change: Callable[[Completion], Completion]) -> After:
    return each(lambda answer: change(answer) if isinstance(answer, Completion) and answer.labels is None else answer)


def labelled(change: Callable[[dict[str, float]], dict[str, float]]) -> After:
    def changed(answer: Any) -> Any:
        labels = getattr(answer, "labels", None)
        return answer if labels is None else replace(answer, labels=change(dict(labels)))

    return each(changed)


def likely(change: Callable[[Likelihood], Likelihood]) -> After:
    return each(lambda answer: change(answer) if isinstance(answer, Likelihood) else answer)


def cut(asked: Any) -> Any:
    """The first thousand letters, without a word about the rest."""
    if isinstance(asked, str):
        return asked[:1000]
    prompt = asked.prompt
    short = prompt[:1000] if isinstance(prompt, str) else tuple(replace(m, content=m.content[:1000]) for m in prompt)
    return replace(asked, prompt=short)


def counting() -> After:
    calls = itertools.count()
    return lambda asked, got: [moved(answer, 0.01 * next(calls)) for answer in got]


def text_in(asked: Any) -> str:
    """The text that an item of a call is about."""
    found = asked[0] if isinstance(asked, tuple) and isinstance(asked[0], Request) else asked
    if isinstance(found, Request):
        return "".join(found.texts)
    return found[1] if isinstance(found, tuple) else str(found)


def refuse_nothing(asked: Sequence[Any], got: list[Any]) -> list[Any]:
    return got if got else [max(got)]


def refuse_surrogates(asked: Sequence[Any], got: list[Any]) -> list[Any]:
    for item in asked:
        text_in(item).encode()
    return got


def refuse_emoji(asked: Sequence[Any], got: list[Any]) -> list[Any]:
    if any("\U0001f600" in text_in(item) for item in asked):
        raise InputError("such a text is not taken")
    return got


def once_each(asked: Sequence[Any], got: list[Any]) -> list[Any]:
    first = {text_in(item): answer for item, answer in zip(asked, got, strict=True)}
    return list(first.values())


def second_time_otherwise(asked: Sequence[Any], got: list[Any]) -> list[Any]:
    seen: set[str] = set()
    out = []
    for item, answer in zip(asked, got, strict=True):
        out.append(moved(answer, 0.01) if text_in(item) in seen else answer)
        seen.add(text_in(item))
    return out


def shorter_ones_padded(asked: Sequence[Any], got: list[Any]) -> list[Any]:
    longest = max((len(text_in(item)) for item in asked), default=0)
    return [moved(answer, 0.001 * (len(text_in(item)) < longest)) for item, answer in zip(asked, got, strict=True)]


ALL_WAYS: dict[str, tuple[After, set[str]]] = {
    "fails for an empty list": (refuse_nothing, {"answers nothing with nothing"}),
    "swaps two": (lambda asked, got: [*got[1:2], *got[:1], *got[2:]], {"answers each once in order"}),
    "sorts by length": (
        lambda asked, got: [got[i] for i in sorted(range(len(got)), key=lambda i: len(text_in(asked[i])))],
        {"answers each once in order"},
    ),
    "gives everything backwards": (lambda asked, got: got[::-1], {"does not depend on the batch"}),
    "loses the last of many": (lambda asked, got: got[:4], {"answers each once in order"}),
    "answers one thing": (lambda asked, got: got[:1] * len(got), {"answers each once in order"}),
    "pads without a mask": (shorter_ones_padded, {"does not depend on the batch"}),
    "answers equal texts once": (once_each, {"answers equal texts equally"}),
    "answers equal texts otherwise": (second_time_otherwise, {"answers equal texts equally"}),
    "is drunk": (counting(), {"is repeatable"}),
    "fails for surrogates": (refuse_surrogates, {"survives hard texts"}),
    "refuses a text": (refuse_emoji, {"survives hard texts"}),
    "gives NaN": (each(lambda answer: moved(answer, math.nan)), {"gives sound numbers"}),
    "gives infinity": (each(lambda answer: moved(answer, -math.inf)), {"gives sound numbers"}),
}


Found = Callable[[str, Any], set[str]]


@pytest.fixture(scope="module")
def found() -> Found:
    """The checks that a backend fails, each backend examined once under its name."""
    known: dict[str, set[str]] = {}

    def examined(name: str, backend: Any) -> set[str]:
        if name not in known:
            known[name] = failed(backend)
        return known[name]

    return examined


def failed(backend: Any, **how: Any) -> set[str]:
    return {outcome.check for outcome in examine_backend(backend, **how) if outcome.state == "FAILED"}


@pytest.mark.parametrize("window", [None, 150, 5000])
def test_what_is_honest_passes(letters: Any, words: Any, window: int | None) -> None:
    for backend in (letters(window and max(window, 2000)), words(window), Meddled(letters()), Meddled(words())):
        outcomes = list(examine_backend(backend))
        assert [o for o in outcomes if o.state != "ok"] == []
        assert len(outcomes) == len(backend_checks(backend)) >= 20
        check_backend(backend)


def test_an_honest_reader_of_lists_passes(lists: Any) -> None:
    for backend in (lists(), Meddled(lists())):
        outcomes = list(examine_backend(backend))
        assert [o for o in outcomes if o.state != "ok"] == []
        assert len(outcomes) == 35


@pytest.mark.parametrize("name", ALL_WAYS)
def test_a_broken_promise_is_found_in_every_way_of_asking(
    letters: Any, words: Any, lists: Any, found: Found, name: str
) -> None:
    after, titles = ALL_WAYS[name]
    for inner in (letters(), words(), lists()):
        failures = found(f"{name}, {inner.digest}", Meddled(inner, after))
        for capability in inner.capabilities:
            possible = {c.name for c in BACKEND_CHECKS if c.capability == capability}
            expected = {f"{capability}: {title}" for title in titles} & possible
            assert expected <= failures, f"{capability}: {sorted(expected - failures)}"


def written_too_long(backend: Any) -> After:
    def longer(asked: Sequence[Any], got: list[Any]) -> list[Any]:
        if asked and isinstance(asked[0], Request) and not asked[0].labels:
            return list(backend.generate([replace(r, max_tokens=r.max_tokens + 3) for r in asked]))
        return got

    return longer


def blind_to_prefill(request: Request) -> Request:
    return replace(request, prefill="")


def pasted_prefill(backend: Any) -> After:
    """The prefill in front of what the model says without it."""

    def changed(asked: Sequence[Any], got: list[Any]) -> list[Any]:
        if not asked or not isinstance(asked[0], Request):
            return got
        plain = backend.generate([replace(r, prefill="") for r in asked])
        return [replace(c, text=r.prefill + c.text) for r, c in zip(asked, plain, strict=True)]

    return changed


def kept_stop(asked: Sequence[Any], got: list[Any]) -> list[Any]:
    return [
        replace(c, text=c.text + r.stop[0]) if isinstance(r, Request) and r.stop and c.finished else c
        for r, c in zip(asked, got, strict=True)
    ]


def by_position(asked: Sequence[Any], got: list[Any]) -> list[Any]:
    """Labels that count the more the earlier they were asked for."""
    out = []
    for request, answer in zip(asked, got, strict=True):
        names = request.labels if isinstance(request, Request) else ()
        labels = {name: (answer.labels or {})[name] - 0.1 * i for i, name in enumerate(names)}
        out.append(replace(answer, labels=labels) if labels else answer)
    return out


def refuse_empty(asked: Sequence[Any], got: list[Any]) -> list[Any]:
    if any(not text_in(item).strip() for item in asked):
        raise IndexError("list index out of range")
    return got


def powered(token: Token) -> Token:
    return replace(token, logprob=math.exp(token.logprob))


def tempered(token: Token) -> Token:
    return replace(token, logprob=token.logprob / 2)


LANGUAGE: dict[str, tuple[Callable[[Any], Meddled], set[str]]] = {
    "cuts prompts": (
        lambda b: Meddled(b, before=cut),
        {f"{way}: counts all of a long prompt" for way in ("generate", "label_logits", "nll")},
    ),
    "fails for an empty prompt": (
        lambda b: Meddled(b, refuse_empty),
        {"generate: takes an empty prompt"},
    ),
    "forgets the prefill": (
        lambda b: Meddled(b, before=blind_to_prefill),
        {"generate: puts the prefill in front", "label_logits: hears the prefill", "nll: adds up"},
    ),
    "pastes the prefill": (lambda b: Meddled(b, pasted_prefill(b)), {"label_logits: hears the prefill"}),
    "writes too much": (lambda b: Meddled(b, written_too_long(b)), {"generate: keeps to the length"}),
    "calls everything finished": (
        lambda b: Meddled(b, written(lambda c: replace(c, finished=True))),
        {"generate: keeps to the length"},
    ),
    "does not hear stop": (
        lambda b: Meddled(b, before=lambda r: replace(r, stop=())),
        {"generate: ends at a stop"},
    ),
    "leaves the stop string in": (lambda b: Meddled(b, kept_stop), {"generate: ends at a stop"}),
    "calls what was stopped unfinished": (
        lambda b: Meddled(b, written(lambda c: replace(c, finished=False))),
        {"generate: ends at a stop"},
    ),
    "gives a label of its own": (
        lambda b: Meddled(b, labelled(lambda labels: labels | {"maybe": -3.0})),
        {"label_logits: names only the labels"},
    ),
    "guesses labels": (
        lambda b: Meddled(b, labelled(lambda labels: dict.fromkeys(labels, -math.inf))),
        {"label_logits: names only the labels"},
    ),
    "has no labels": (
        lambda b: Meddled(b, each(lambda a: replace(a, labels=None) if isinstance(a, Completion) else a)),
        {"label_logits: names only the labels"},
    ),
    "weighs labels by position": (
        lambda b: Meddled(b, by_position),
        {"label_logits: does not depend on the order of labels"},
    ),
    "loses tokens": (
        lambda b: Meddled(b, written(lambda c: replace(c, tokens=c.tokens[1:]))),
        {"token_logprobs: writes its tokens out"},
    ),
    "has no tokens": (
        lambda b: Meddled(b, written(lambda c: replace(c, tokens=()))),
        {"token_logprobs: writes its tokens out"},
    ),
    "gives probabilities as logs": (
        lambda b: Meddled(b, written(lambda c: replace(c, tokens=tuple(map(powered, c.tokens))))),
        {"token_logprobs: writes its tokens out"},
    ),
    "tempers log-probabilities": (
        lambda b: Meddled(b, written(lambda c: replace(c, tokens=tuple(map(tempered, c.tokens))))),
        {"token_logprobs: agrees with its labels", "nll: agrees with its likelihoods"},
    ),
    "averages likelihoods": (
        lambda b: Meddled(b, likely(lambda x: replace(x, value=x.mean))),
        {"nll: adds up", "nll: agrees with its likelihoods"},
    ),
    "gives negative log-likelihoods": (
        lambda b: Meddled(b, likely(lambda x: replace(x, value=-x.value))),
        {"nll: is a likelihood"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_language_model_that_breaks_a_promise_is_found(letters: Any, found: Found, name: str) -> None:
    meddle, expected = LANGUAGE[name]
    assert expected <= found(name, meddle(letters(context=None)))


def test_all_findings_are_in_the_error(letters: Any) -> None:
    meddle, expected = LANGUAGE["forgets the prefill"]
    backend = meddle(letters())
    with pytest.raises(CheckFailed) as caught:
        check_backend(backend)
    assert all(check in str(caught.value) for check in expected)


VECTORS: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
    "cuts texts": (
        lambda b: Meddled(b, before=cut),
        {f"{way}: never cuts in silence" for way in ("pair_scores", "embed", "token_states")},
    ),
    "gives rows of any length": (lambda b: Meddled(b, each(lambda row: row * 2.0)), {"embed: gives unit rows"}),
    "gives whole numbers": (
        lambda b: Meddled(b, each(lambda row: np.sign(row).astype(int))),
        {"embed: gives unit rows"},
    ),
    "forgets its width": (lambda b: Flat(b), {"embed: gives unit rows", "token_states: gives a row per token"}),
    "pools its states": (
        lambda b: Meddled(b, each(lambda rows: np.asarray(rows).reshape(-1, np.shape(rows)[-1])[:1])),
        {"token_states: gives a row per token"},
    ),
}


@dataclass
class Flat(Meddled):
    """Its states have no width, and no texts give no shape."""

    def embed(self, texts: Sequence[str], *, kind: str) -> Any:
        return self.inner.embed(texts, kind=kind) if len(texts) else np.zeros(0)

    def token_states(self, texts: Sequence[str], *, kind: str) -> list[Any]:
        return [rows.reshape(-1) for rows in self.inner.token_states(texts, kind=kind)]


@pytest.mark.parametrize("name", VECTORS)
def test_an_encoder_that_breaks_a_promise_is_found(words: Any, found: Found, name: str) -> None:
    meddle, expected = VECTORS[name]
    assert expected <= found(name, meddle(words(window=None)))


def test_every_check_can_fail(letters: Any, words: Any, lists: Any, found: Found) -> None:
    failures: set[str] = set()
    for name, (after, _) in ALL_WAYS.items():
        for inner in (letters(), words(), lists()):
            failures |= found(f"{name}, {inner.digest}", Meddled(inner, after))
    for name, (meddle, _) in LANGUAGE.items():
        failures |= found(name, meddle(letters(context=None)))
    for name, (meddle, _) in VECTORS.items():
        failures |= found(name, meddle(words(window=None)))
    assert {check.name for check in BACKEND_CHECKS} - failures == set()


def test_how_far_apart_is_said_by_the_caller(letters: Any) -> None:
    def together(asked: Sequence[Any], got: list[Any]) -> list[Any]:
        return [moved(a, 1e-3) if isinstance(a, Likelihood) and len(got) > 1 else a for a in got]

    backend = Meddled(letters(), together)
    assert "nll: does not depend on the batch" in failed(backend)
    assert failed(backend, within=1e-2) == set()
    checks = {check.name: check for check in backend_checks(backend)}
    checks["nll: does not depend on the batch"](backend, within=1e-2)
    with pytest.raises(CheckFailed, match=r"alone and in a batch: answer 1 of 5: numbers differ by 0\.001"):
        checks["nll: does not depend on the batch"](backend)


def test_fakes_pass_what_does_not_need_reading() -> None:
    for fake in (Oracle(), Noisy(sigma=1.0)):
        check_backend(fake)
    spared = {c.name for c in BACKEND_CHECKS} - {c.name for c in backend_checks(Oracle())}
    assert "nll: adds up" in spared and "generate: answers each once in order" not in spared
    assert failed(Broken(rate=1.0)), "a fake that is broken is found"


def test_only_what_a_backend_offers_is_checked(words: Any) -> None:
    class OnlyPairs(Meddled):
        capabilities = frozenset({Capability.PAIR_SCORES})

    assert {c.capability for c in backend_checks(OnlyPairs(words()))} == {Capability.PAIR_SCORES}
    check_backend(OnlyPairs(words()))


def test_what_cannot_be_seen_is_no_success(letters: Any) -> None:
    silent = Meddled(letters(context=None), each(lambda a: replace(a, usage=Usage(calls=1))))
    states = {o.check: o for o in examine_backend(silent)}
    assert states["generate: counts all of a long prompt"].state == "not checked"
    assert "counts no prompt tokens" in states["generate: counts all of a long prompt"].found
    check_backend(silent)
    checks = {check.name: check for check in backend_checks(silent)}
    with pytest.raises(NotChecked):
        checks["generate: counts all of a long prompt"](silent)


def test_a_model_that_cannot_be_asked_at_all_is_one_error(letters: Any) -> None:
    def down(asked: Any) -> Any:
        raise BackendError("no weights")

    with pytest.raises(BackendError, match="no weights"):
        check_backend(Meddled(letters(), before=down))


def test_a_crash_in_a_check_is_its_finding(words: Any) -> None:
    def crash(asked: Sequence[Any], got: list[Any]) -> list[Any]:
        raise KeyError("somebody's bug")

    outcomes = list(examine_backend(Meddled(words(), crash)))
    assert any(o.found == 'KeyError: "somebody\'s bug"' for o in outcomes)
