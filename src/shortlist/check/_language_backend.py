"""What holds for backends that generate text, give label log-probabilities, token log-probabilities or likelihoods."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

from ..core.errors import ConfigError, ShortlistError
from ._probe import TEXTS, NotChecked, Probe, refuses
from .rerankers import _require

_PREFILL = "["
_CONTINUED = (" a flea lives", " a hundred days")


def takes_an_empty_prompt(probe: Probe) -> None:
    """An empty prompt is answered or refused as bad input; never anything else."""
    for text in ("", " "):
        try:
            (completion,) = probe.generate([probe.bare(text)])
        except ShortlistError as error:
            _require(refuses(error), f"the prompt {text!r}: {type(error).__name__}: {error}")
        else:
            _require(isinstance(completion.text, str), f"the prompt {text!r}: the text is {completion.text!r}")


def puts_the_prefill_in_front(probe: Probe) -> None:
    """The text begins with the request's prefill, or the backend counts that it cannot send one."""
    before = _not_sent(probe)
    for completion in probe.generate([probe.written(text, prefill=_PREFILL) for text in TEXTS]):
        sent = _not_sent(probe) == before
        began = completion.text.startswith(_PREFILL)
        _require(began or not sent, f"the prefill is {_PREFILL!r}, the text {completion.text[:40]!r}")


def keeps_to_the_length(probe: Probe) -> None:
    """``max_tokens`` holds, and a text that it cut is not called finished."""
    long = probe.generate([probe.written(text, max_tokens=12) for text in TEXTS])
    short = probe.generate([probe.written(text, max_tokens=2) for text in TEXTS])
    for most, completions in ((12, long), (2, short)):
        over = [c.usage.completion_tokens for c in completions if c.usage.completion_tokens > most]
        if not probe.is_fake:
            _require(not over, f"max_tokens is {most}, {over} tokens were written")
    for whole, cut in zip(long, short, strict=True):
        if cut.text != whole.text and not probe.is_fake:
            _require(not cut.finished, f"{cut.text!r} goes on as {whole.text!r}, and is called finished")


def ends_at_a_stop(probe: Probe) -> None:
    """A stop string ends the text, stands not in it, and the text is finished."""
    whole = probe.generate([probe.written(text, max_tokens=24) for text in TEXTS])
    tried = 0
    for text, completion in zip(TEXTS, whole, strict=True):
        stop = _stop_in(completion.text)
        if not stop:
            continue
        tried += 1
        (ended,) = probe.generate([probe.written(text, max_tokens=24, stop=(stop,))])
        expected = completion.text[: completion.text.index(stop)]
        _require(ended.text == expected, f"stop {stop!r} in {completion.text!r}: the text is {ended.text!r}")
        _require(ended.finished, f"stop {stop!r}: the text {ended.text!r} is called unfinished")
    if not tried:
        raise NotChecked("no answer is long enough to be stopped inside")


def names_only_the_labels(probe: Probe) -> None:
    """Finite values for labels that were asked for, and no others; one at least."""
    seen: set[str] = set()
    for completion in probe.generate([probe.labelled(text) for text in TEXTS]):
        labels = completion.labels
        if labels is None:
            _require(False, f"labels were asked for, none came but the text {completion.text[:40]!r}")
            return
        others = sorted(set(labels) - set(probe.words))
        _require(not others, f"{probe.words} were asked for, {others} came too")
        odd = {name: value for name, value in labels.items() if not math.isfinite(value)}
        _require(not odd, f"a label that is not known is left out; this came: {odd}")
        seen |= set(labels)
    if not seen:
        raise NotChecked(f"none of {probe.words} was among the tokens that the backend shows")


def does_not_depend_on_the_order_of_labels(probe: Probe) -> None:
    """A label has the same value whichever stands first in the request."""
    forth = probe.generate([probe.labelled(text) for text in TEXTS])
    back = probe.generate([probe.labelled(text, probe.words[::-1]) for text in TEXTS])
    if not any(completion.labels for completion in (*forth, *back)):
        raise NotChecked(f"none of {probe.words} was among the tokens that the backend shows")
    for a, b in zip(forth, back, strict=True):
        first, second = dict(a.labels or {}), dict(b.labels or {})
        _require(first.keys() == second.keys(), f"{sorted(first)} became {sorted(second)}")
        apart = max((abs(first[name] - second[name]) for name in first), default=0.0)
        _require(apart <= probe.within, f"values change by {apart:.3g} with the order of the labels")


def hears_the_prefill(probe: Probe) -> None:
    """Labels are looked up behind the prefill: another prefill, other values."""
    plain = probe.generate([probe.labelled(text) for text in TEXTS])
    try:
        begun = probe.generate([probe.labelled(text, prefill="The answer is") for text in TEXTS])
    except ConfigError as error:
        raise NotChecked(f"the labels are not one token behind another prefill: {error}") from error
    pairs = [(dict(a.labels or {}), dict(b.labels or {})) for a, b in zip(plain, begun, strict=True)]
    if not any(a or b for a, b in pairs):
        raise NotChecked(f"none of {probe.words} was among the tokens that the backend shows")
    _require(any(a != b for a, b in pairs), "labels have the same values with and without a prefill")


def writes_its_tokens_out(probe: Probe) -> None:
    """The tokens of an answer spell its text, and each has a log-probability of at most 0."""
    for completion in probe.generate([probe.written(text, logprobs=True) for text in TEXTS]):
        said = completion.text
        spelled = "".join(token.text for token in completion.tokens)
        _require(completion.tokens or not said, f"{said[:40]!r} came without tokens")
        _require(spelled.startswith(said), f"the tokens spell {spelled[:60]!r}, the text is {said[:60]!r}")
        odd = [t.logprob for t in completion.tokens if not (math.isfinite(t.logprob) and t.logprob <= 1e-6)]
        _require(not odd, f"log-probabilities of tokens: {odd[:3]}")


def agrees_with_its_likelihoods(probe: Probe) -> None:
    """The log-probabilities of an answer's tokens add up to the likelihood of that answer."""
    compared = 0
    for text in TEXTS:
        (said,) = probe.generate([probe.written(text, logprobs=True, max_tokens=6)])
        if not said.tokens or "\ufffd" in said.text or not said.text:
            continue
        (likelihood,) = probe.backend.nll([(probe.written(text), said.text)])
        if likelihood.tokens != len(said.tokens):
            continue  # the same text in other tokens, which a model may write
        compared += 1
        total = math.fsum(token.logprob for token in said.tokens)
        apart = abs(total - likelihood.value)
        _require(
            apart <= probe.within * 10,
            f"the tokens of {said.text!r} sum to {total}, not {likelihood.value}",
        )
    if not compared:
        raise NotChecked("no answer is tokenised again as it was written")


def agrees_with_its_labels(probe: Probe) -> None:
    """A word that the model writes has, as a label, the log-probability that it was written with."""
    compared = 0
    for text in TEXTS:
        (said,) = probe.generate([probe.labelled(text, (), logprobs=True, max_tokens=1)])
        word = said.text
        if len(said.tokens) != 1 or not word or word != word.strip() or "\ufffd" in word:
            continue  # with a blank in front it may be another token than the label
        try:
            (label,) = probe.generate([probe.labelled(text, (word,))])
        except ConfigError:
            continue
        value = (label.labels or {}).get(word)
        if value is None or getattr(probe.backend, "label_values", "") == "logits":
            continue
        compared += 1
        apart = abs(value - said.tokens[0].logprob)
        _require(apart <= probe.within, f"{word!r} is written at {said.tokens[0].logprob}, as a label it has {value}")
    if not compared:
        raise NotChecked("no word that the model writes can be asked for as a label")


def is_a_likelihood(probe: Probe) -> None:
    """At most 0, over at least one token; nothing costs nothing; ending costs something."""
    asked = [(probe.labelled(text), "".join(_CONTINUED)) for text in TEXTS]
    plain, ended = probe.backend.nll(asked), probe.backend.nll(asked, eos=True)
    for a, b in zip(plain, ended, strict=True):
        _require(math.isfinite(a.value) and a.value <= 0 < a.tokens, f"likelihood {a.value} of {a.tokens} tokens")
        _require(b.tokens == a.tokens + 1, f"with the end token {b.tokens} tokens after {a.tokens}")
        _require(b.value <= a.value + probe.within, f"with the end token {b.value} after {a.value}")
    if not probe.is_fake:
        (nothing,) = probe.backend.nll([(probe.labelled(TEXTS[0]), "")])
        _require((nothing.value, nothing.tokens) == (0.0, 0), f"an empty text has the likelihood {nothing}")


def adds_up(probe: Probe) -> None:
    """The likelihood of two parts is that of the first, plus that of the second behind the first as prefill."""
    first, second = _CONTINUED
    compared = 0
    for text in TEXTS:
        request, behind = probe.labelled(text), probe.labelled(text, prefill=first)
        whole, one = probe.backend.nll([(request, first + second), (request, first)])
        (other,) = probe.backend.nll([(behind, second)])
        if whole.tokens != one.tokens + other.tokens:
            continue
        compared += 1
        apart = abs(whole.value - one.value - other.value)
        _require(apart <= probe.within * 10, f"{whole.value} is not {one.value} + {other.value}")
    if not compared:
        raise NotChecked("the parts are tokenised otherwise than the whole")


def _not_sent(probe: Probe) -> int:
    counts = getattr(probe.backend, "counts", None)
    return int(counts.get("prefill_not_sent", 0)) if isinstance(counts, Mapping) else 0


def _stop_in(text: str) -> str:
    """Two plain characters that stand together behind the text's begin; empty when there are none."""
    pairs = ("".join(pair) for pair in itertools.pairwise(text))
    for pair in pairs:
        if pair.isascii() and pair.isprintable() and pair.strip() == pair and text.index(pair) > 0:
            return pair
    return ""
