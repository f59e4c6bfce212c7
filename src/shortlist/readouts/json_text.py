"""JSON as models write it: fenced, inside prose, with single quotes and trailing commas, or cut off in the middle.

``parse`` is total and looks at a text a bounded number of times. It does not know what the values mean.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice

from .text import last_match, to_float

_TRAILING_COMMA = re.compile(r",(?=\s*+[}\]])")
_SINGLE_QUOTED = re.compile(r"(?<=[{\[,:\s])'([^'\"\n]{0,200}+)'(?=\s{0,8}[:,}\]])")
_FLAT = re.compile(r"\{[^{}]*+\}")
_FLAT_LIST = re.compile(r"\[[^\[\]]*+\]")
_LIST_OF_OBJECTS = re.compile(r"\[\s{0,8}\{")
_SCALAR = r"\"[^\"\n]{0,60}+\"|'[^'\n]{0,60}+'|[-+\w.]{1,60}+"
_PAIR = re.compile(
    r"(?:\"(?P<double>[^\"\n]{1,60}+)\"|'(?P<single>[^'\n]{1,60}+)'|(?P<bracket>\[[^\[\]\n]{1,40}+\])"
    r"|(?<![\w.])(?P<bare>\d{1,9}+|[A-Za-z](?!\w)))"
    rf"\s{{0,8}}[:=]\s{{0,8}}(?P<value>{_SCALAR}|\{{[^{{}}]*+\}})(?P<after>\s{{0,8}}[,;}}\]\n])?+"
)
_CUT_LIST = re.compile(rf"\s*+\[((?:\s*+(?:{_SCALAR})\s*+,)++)")
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Object:
    """A JSON object as the pairs that were written, repeated keys included."""

    items: tuple[tuple[str, object], ...]

    def first(self, keys: tuple[str, ...]) -> object:
        """The value of the first of ``keys`` that is there (ignoring case), or None."""
        given = {key.strip().casefold(): value for key, value in self.items}
        return next((given[key] for key in keys if key in given), None)


@dataclass(frozen=True, slots=True)
class Parsed:
    """value: objects as ``Object``, arrays as lists, None when there was nothing. open_end: the text breaks off."""

    value: object = None
    repairs: tuple[str, ...] = ()
    open_end: bool = False


def parse(text: str, *, finished: bool = True, closed: bool = False) -> Parsed:
    """The JSON value in ``text``, strictly if possible, else with the named repairs that made it readable.

    finished: False when the text was cut by a length limit, so that a number at its very end cannot be trusted.
    closed: something stood behind the text (a closing tag), so that it can; a closed fence says the same.

    >>> parse("Scores: {'a': 1,}").repairs
    ('stripped_prose', 'single_quotes', 'trailing_comma')
    """
    body, repairs = text.strip(), []
    fenced = _fenced(body)
    if fenced is not None:
        body, repairs, closed = fenced[0], ["stripped_fence"], closed or fenced[1]
    for part in _candidates(body):
        around = [] if part == body else ["stripped_prose"]
        for mended, how in ((part, []), _mend(part)):
            value = _strict(mended)
            if isinstance(value, (Object, list)):
                return Parsed(value, (*repairs, *around, *how))
    return _recover(body, tuple(repairs), finished, closed)


def _fenced(body: str) -> tuple[str, bool] | None:
    """The inside of the last code block with something like JSON in it, and whether it is closed; an open block
    reaches to the end."""
    if "```" not in body:
        return None
    parts = body.split("```")
    inside = [i for i in range(1, len(parts), 2) if "{" in parts[i] or "[" in parts[i]]
    if not inside:
        return None
    block = re.sub(r"\A\s{0,8}(?i:json5?|jsonc)?\s*+", "", parts[inside[-1]]).strip()
    return block, inside[-1] + 1 < len(parts)


def _candidates(body: str) -> list[str]:
    """Parts of ``body`` that may be the JSON value, likeliest first; a handful at most."""
    brace, end = body.find("{"), body.rfind("}")
    bracket, close = body.find("["), body.rfind("]")
    parts = [body]
    if 0 <= bracket < close and (brace < 0 or (bracket < brace and close > end)):
        parts.append(body[bracket : close + 1])
    cut_list = close < end and _LIST_OF_OBJECTS.search(body) is not None
    if 0 <= brace < end and body.rfind("{") < end and not cut_list:
        parts.append(body[brace : end + 1])
    return parts


def _mend(part: str) -> tuple[str, list[str]]:
    how = []
    mended, count = _SINGLE_QUOTED.subn(r'"\1"', part)
    if count:
        how.append("single_quotes")
    mended, count = _TRAILING_COMMA.subn("", mended)
    if count:
        how.append("trailing_comma")
    return mended, how


def _strict(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=to_float, parse_float=to_float)
    except (ValueError, RecursionError):  # nested deeper than the interpreter's stack is no answer either
        return None


def _object(pairs: list[tuple[str, object]]) -> Object:
    return Object(tuple(pairs))


def _recover(body: str, repairs: tuple[str, ...], finished: bool, closed: bool) -> Parsed:
    """What can be read off a text that is not JSON as a whole: complete objects of a list, key-value pairs, a list."""
    open_end = body.rfind("{") > body.rfind("}") or body.rfind("[") > body.rfind("]")
    kinds = (*repairs, "recovered_pairs", *(("truncated_json",) if open_end else ()))
    entries = islice(_FLAT.finditer(body), _MOST) if _LIST_OF_OBJECTS.search(body) else ()
    values = [_strict(_mend(m[0])[0]) for m in entries]
    objects: list[object] = [v for v in values if isinstance(v, Object) and len(v.items) > 1]
    if objects:
        return Parsed(objects, kinds, open_end)
    items = []
    for match in islice(_PAIR.finditer(body), _MOST):
        whole = closed or match["after"] is not None or match.end() < len(body) or (finished and not open_end)
        if whole or not match["value"][-1:].isalnum():
            key = match["double"] or match["single"] or match["bracket"] or match["bare"]
            items.append((key, _scalar(match["value"])))
    if items:
        return Parsed(Object(tuple(items)), kinds, open_end)
    cut = _CUT_LIST.match(body, max(0, body.rfind("[")))
    if open_end and cut is not None:
        return Parsed([_scalar(v.strip()) for v in cut[1].split(",")[:-1]], (*repairs, "truncated_json"), True)
    # one number in brackets is an identifier in prose, not a list of scores
    flat = last_match(_FLAT_LIST, body) if "{" not in body else None
    value = None if flat is None or "," not in flat[0] else _strict(flat[0])
    return Parsed(value, (*repairs, *(("stripped_prose",) if value is not None else ())))


def _scalar(text: str) -> object:
    if text.startswith("{"):
        return _strict(_mend(text)[0])
    if text[:1] in ("'", '"'):
        return text[1:-1]
    value = _strict(text)
    return text if value is None and text != "null" else value
