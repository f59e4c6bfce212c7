"""A listwise or setwise reranker with its passages called by letters instead of numbers, or the other way round."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal

from ..core.protocols import Capability
from ..drive import Scheduled
from ..prompts import Fitted, Template, available_prompts, load_prompt
from ..readouts.identifiers import LETTERS
from ..scorers import Prompted

_TEXTS = ("system", "prefix", "prefix_reply", "body", "reply", "suffix")
_KINDS = {
    "letters": (r"\b(?:(a|A) )?(?:numerical|number) identifier", "n", "alphabetical identifier"),
    "numbers": (r"\b(?:(a|A)n? )?(?:alphabetical|letter) identifier", "", "numerical identifier"),
}


def relabelled(reranker: object) -> tuple[Scheduled, str] | str:
    """The same reranker with the other kind of identifiers and its prompt's name, or why there is none.

    A released prompt of that kind is taken where there is one (``rankzephyr-alpha``); else the identifiers that the
    prompt's own sentences mention are translated, too.
    """
    if not isinstance(reranker, Scheduled) or not isinstance(reranker.scorer, Prompted):
        return "no single prompt"
    prompt: Any = reranker.scorer.prompt
    readout: Any = reranker.scorer.readout
    template = prompt.template if isinstance(prompt, Fitted) else prompt
    held = getattr(readout, "inner", readout)  # TaggedAnswer keeps the readout that knows identifiers inside
    named = getattr(held, "identifiers", None)
    if not isinstance(template, Template) or template.identifiers != named or named not in ("numbers", "letters"):
        return "its prompt does not call passages by numbers or letters, or cannot be rewritten"
    kind: Literal["numbers", "letters"] = "letters" if named == "numbers" else "numbers"
    size = reranker.schedule.group_size
    if kind == "letters" and (size is None or size > len(LETTERS)):
        return f"groups may be larger than {len(LETTERS)}, the number of letters"
    if kind == "numbers" and Capability.LABEL_LOGITS in readout.requires:
        return "numbers from 10 up are not one token, and the readout looks at one"
    other = _translated(template, kind)
    fitted = replace(prompt, template=other) if isinstance(prompt, Fitted) else other
    changed = replace(held, identifiers=kind)
    read = changed if held is readout else replace(readout, inner=changed)
    return replace(reranker, scorer=replace(reranker.scorer, prompt=fitted, readout=read)), other.name


def _translated(template: Template, kind: Literal["numbers", "letters"]) -> Template:
    released = f"{template.name}-alpha" if kind == "letters" else template.name.removesuffix("-alpha")
    if released != template.name and released in available_prompts():
        found = load_prompt(released)
        if found.identifiers == kind:
            return found
    texts: dict[str, Any] = {name: _said(getattr(template, name), kind) for name in (*_TEXTS, "mention")}
    most = len(LETTERS) if kind == "letters" and template.most is None else template.most
    return replace(template, name=f"{template.name}-{kind}", identifiers=kind, most=most, **texts)


def _said(text: str, kind: str) -> str:
    """``text`` with the identifiers and their description translated.

    >>> _said("a number identifier [], e.g., [1] > [2]", "letters")
    'an alphabetical identifier [], e.g., [A] > [B]'
    """
    pattern, n, new = _KINDS[kind]
    text = re.sub(pattern, lambda m: f"{m[1]}{n} {new}" if m[1] else new, text)
    if kind == "letters":
        return re.sub(r"\[(\d{1,2})\]", lambda m: f"[{_letter(int(m[1]))}]", text)
    return re.sub(r"\[([A-Z])\]", lambda m: f"[{LETTERS.index(m[1]) + 1}]", text)


def _letter(number: int) -> str:
    return LETTERS[number - 1] if 1 <= number <= len(LETTERS) else str(number)
