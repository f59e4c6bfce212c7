"""What makes a template usable; every message begins with the key that is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from .alphabet import LETTERS
from .slots import names

if TYPE_CHECKING:
    from .template import Template

_SHARED = frozenset({"num", "pick", "instruction", "example", "ids"})
SLOTS: dict[str, frozenset[str]] = {
    "system": _SHARED,
    "prefix": _SHARED | {"query"},
    "suffix": _SHARED | {"query"},
    "tail": _SHARED | {"query"},
    "body": frozenset({"id", "passage", "title", "score", "query", "num", "instruction"}),
    "prefix_reply": frozenset({"num", "query"}),
    "reply": frozenset({"id", "num"}),
    "target": frozenset({"query"}),
    "mention": frozenset({"id"}),
    "titled": frozenset({"title", "passage"}),
    "instruction_form": frozenset({"instruction"}),
}
"""Which placeholders each text may have."""
CHOICES: dict[str, tuple[str, ...]] = {
    "paradigm": ("pointwise", "pairwise", "setwise", "listwise"),
    "layout": ("chat", "turns", "text", "encoder_decoder", "segments"),
    "answer": (
        "permutation", "pick", "verdict", "labels", "yes_no", "logit", "rating", "json_scores",
        "likelihood", "head", "embedding", "attention",
    ),
    "whitespace": ("keep", "strip", "collapse"),
    "answer_tokens": ("fixed", "ranking"),
}  # fmt: skip
_SOURCE_CHOICES = {"evidence": ("C", "P", "R", "N", "M"), "wording": ("as released", "as described", "own")}
_CONTROL = re.compile(r"<\|[^|\s]*\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|<pad>|<unk>|<(?:bos|eos)>")


def check(template: Template) -> None:
    """Raise ConfigError, ``key: what is wrong``, for the first thing that is."""
    _choices(template)
    _placeholders(template)
    _identifiers(template)
    _layout(template)
    _numbers(template)


def _choices(template: Template) -> None:
    for holder, place, choices in ((template, "", CHOICES), (template.source, "source.", _SOURCE_CHOICES)):
        for key, allowed in choices.items():
            value = getattr(holder, key)
            if value not in allowed:
                raise ConfigError(f"{place}{key}: {value!r}; expected one of {', '.join(allowed)}")


def _placeholders(template: Template) -> None:
    used: set[str] = set()
    for key, allowed in SLOTS.items():
        text = getattr(template, key)
        try:
            found = names(text)
        except ConfigError as error:
            raise ConfigError(f"{key}: {error}") from error
        unknown = sorted(found - allowed)
        if unknown:
            known = " ".join(f"{{{name}}}" for name in sorted(allowed))
            raise ConfigError(f"{key}: unknown placeholder {{{unknown[0]}}}; known here: {known}")
        control = _CONTROL.search(text)
        if control:
            raise ConfigError(
                f"{key}: control token {control[0]!r}; these come from the model's chat template (layout 'chat'), or "
                "stand in the prefill"
            )
        used |= found
    for key, needed in (("body", "passage"), ("titled", "passage"), ("instruction_form", "instruction")):
        if needed not in names(getattr(template, key)):
            raise ConfigError(f"{key}: has no {{{needed}}}")
    if "query" not in used:
        raise ConfigError("prefix: neither prefix, body, suffix, tail nor target has {query}")


def _identifiers(template: Template) -> None:
    value = template.identifiers
    if isinstance(value, str) and value not in ("numbers", "letters", "none"):
        raise ConfigError(f"identifiers: {value!r}; expected 'numbers', 'letters', 'none' or a list of identifiers")
    if isinstance(value, tuple) and (not value or len({v.casefold() for v in value}) != len(value) or "" in value):
        raise ConfigError(f"identifiers: {list(value)} must be distinct, ignoring case, and not empty")
    if value == "none":
        for key in ("body", "reply"):
            if "id" in names(getattr(template, key)):
                raise ConfigError(f"{key}: has {{id}}, but identifiers is 'none'")
        for key in ("system", "prefix", "suffix", "tail"):
            if names(getattr(template, key)) & {"example", "ids"}:
                raise ConfigError(f"{key}: names passages, but identifiers is 'none'")
    elif "id" not in names(template.body):
        raise ConfigError("body: has no {id}; say identifiers = 'none' when passages are not named")


def _layout(template: Template) -> None:
    if (template.reply or template.prefix_reply) and template.layout != "turns":
        raise ConfigError(f"reply: belongs to layout 'turns', this is {template.layout!r}")
    if template.prefix_reply and not template.prefix:
        raise ConfigError("prefix_reply: answers the prefix, and there is none")
    if template.examples and template.layout not in ("chat", "turns"):
        raise ConfigError(f"examples: are turns of a chat, and the layout is {template.layout!r}; write them in prefix")
    if template.tail and template.layout not in ("chat", "text"):
        raise ConfigError(f"tail: belongs to layout 'chat' or 'text', this is {template.layout!r}")
    if template.blank and "query" not in names(template.tail):
        raise ConfigError("blank: replaces the query of the tail, and the tail has no {query}")
    if template.layout == "segments" and template.separator:
        raise ConfigError("separator: segments are encoded one by one, nothing stands between them")


def _numbers(template: Template) -> None:
    most = template.most
    if template.fewest < 0 or (most is not None and most < max(1, template.fewest)):
        raise ConfigError(f"most: passages from {template.fewest} to {most}; expected 0 <= fewest <= most")
    if template.identifiers == "letters" and (most or 0) > len(LETTERS):
        raise ConfigError(f"most: {most} passages, but there are {len(LETTERS)} letters")
    for key in ("passage_tokens", "query_tokens", "pick"):
        value = getattr(template, key)
        if value is not None and value < 1:
            raise ConfigError(f"{key}: {value}; expected 1 or more")
    if template.max_tokens < 0 or (template.max_tokens == 0 and template.answer_tokens == "fixed"):
        raise ConfigError(f"max_tokens: {template.max_tokens}; expected 1 or more")
    try:
        format(1.5, template.score_format)
    except ValueError as error:
        raise ConfigError(f"score_format: {template.score_format!r} does not format a number: {error}") from error
