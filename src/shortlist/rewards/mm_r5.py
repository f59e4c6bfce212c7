"""MM-R5: how early the relevant documents stand, by the cube of their rank, plus how much of a list was written.

Source: Xu et al. 2025, arXiv 2506.12364, and the authors' ``rerank_reward`` and ``format_rerank_reward``. It was made
for page images; text documents are ranked the same way. That the two parts count alike is the default of the trainer
that the authors give them to; whether the paper weights them is not known to us.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..core.errors import InputError
from .values import Record, Reward, Rollout, summed

_LIST = re.compile(r"<answer>\s*\[([0-9,\s]*)\]\s*</answer>", re.ASCII)
_FORM = re.compile(r"<think>.*?</think>\s*<answer>\s*\[([0-9,\s]*)\]\s*</answer>", re.DOTALL | re.ASCII)
_THEIR_LIST = re.compile(r"<answer>\[(.*?)\]</answer>")
_THEIR_FORM = re.compile(r"<think>.*?</think>\s*<answer>\[([0-9]+(?:,\s*[0-9]+)*)\]</answer>", re.DOTALL)
_LEADING_ZERO = re.compile(r"0+[1-9]")
_LONGEST = 9  # digits: no list is that long, and Python refuses to read very long numbers


def mm_r5(rollouts: Sequence[Rollout], record: Record, *, strict: bool = False) -> list[Reward]:
    """What the order in ``<think>...</think> <answer>[3, 1, 2]</answer>`` is worth, from 0 to 2.

    ``rank``: the sum of 1 / rank^3 over the relevant documents that are named, divided by that of the best order.
    ``form``: for N documents and n numbers, (N - |n - N|) / N times the share of numbers from 1 to N; below 0 for more
    than 2 N numbers, and 0 without a thought before the answer. Gate ``no_list``: nothing like ``[3, 1]`` in answer
    tags; both are 0. Numbers written again are dropped first, as the paper says.

    strict: the authors' code to the letter. Repeated numbers count there, so that ``[1, 1, 1]`` has the whole form and,
    where the first document is the relevant one, the whole rank; a list of one number, ``08`` and blanks inside the
    brackets have no form, and a line break in the list or blanks around the brackets make it unreadable.

    Relevance is binary and asks only for the documents shown. Raises InputError for a record without a relevant one.

    >>> record = Record(("a", "b", "c"), {"a": 1})
    >>> mm_r5([Rollout("<think>x</think><answer>[2, 1, 3]</answer>")], record)[0].terms
    {'rank': 0.125, 'form': 1.0}
    """
    relevant = [i + 1 for i in range(len(record.documents)) if record.grade(i) > 0]
    if not relevant:
        raise InputError(f"no document of {record.documents[:5]} ... is relevant, so no order is better; leave it out")
    read = _read_as_they_do if strict else _read
    return [_one(*read(rollout.text), relevant, len(record.documents)) for rollout in rollouts]


def _one(named: list[int] | None, formed: list[int], relevant: list[int], n: int) -> Reward:
    """named: the numbers whose ranks count; None without a list. formed: those of a well-formed answer."""
    inside = sum(1 <= number <= n for number in formed) / max(1, len(formed))
    form = (n - abs(len(formed) - n)) / n * inside if formed else 0.0
    reached = sum(1 / (named.index(number) + 1) ** 3 for number in relevant if number in named) if named else 0.0
    rank = reached / sum(1 / place**3 for place in range(1, len(relevant) + 1))
    if named is None:
        return Reward(0.0, {"rank": 0.0, "form": 0.0}, "no_list")
    return summed({"rank": rank, "form": form})


def _read(text: str) -> tuple[list[int] | None, list[int]]:
    formed = _FORM.search(text)
    listed = formed or _LIST.search(text)  # a list that is tried out in the thought is not the answer
    named = None if listed is None else _numbers(listed[1])
    return named or None, (_numbers(formed[1]) if formed else [])


def _numbers(text: str) -> list[int]:
    """Each number once; a number too long to be one of a list is -1."""
    found = (int(part) if len(part) <= _LONGEST else -1 for part in re.findall("[0-9]+", text))
    return list(dict.fromkeys(found))


def _read_as_they_do(text: str) -> tuple[list[int] | None, list[int]]:
    listed, formed = _THEIR_LIST.search(text), _THEIR_FORM.search(text)
    try:
        named = None if listed is None else [int(part) for part in listed[1].strip().split(",") if part.strip()]
    except ValueError:
        named = None
    return named, _literal(formed[1]) if formed else []


def _literal(text: str) -> list[int]:
    """The numbers of a Python tuple of two or more, read without running it; empty where Python refuses."""
    parts = [part.strip(" \t\f") for part in text.split(",")]
    plain = all(part.isdecimal() and not _LEADING_ZERO.match(part) for part in parts)
    return [int(part) for part in parts] if plain and len(parts) > 1 else []
