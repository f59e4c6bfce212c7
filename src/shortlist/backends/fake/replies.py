"""The bodies of a scripted endpoint: completions and rerank results, over a fake backend that reads the prompt."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...core.errors import BackendError
from ...core.exchange import Completion, Request, Token
from ...core.protocols import Readout
from ...core.types import Candidate, Document, Query
from .oracle import Oracle
from .troubles import Kind

_PASSAGE = re.compile(r"^\[(?:\d+|[A-Z])\][ \t]+(.*)$", re.M)
REFUSAL = "I'm sorry, but I cannot help with that."
EACH_TOKEN = -0.1  # the log-probability of tokens that the fake backend states none for
MOST_LOGPROBS = 20  # what hosted services allow; more is refused with 400


class Refused(Exception):
    """A request that the endpoint does not take: status and message."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


def passages(prompt: str) -> list[str]:
    """The texts of the lines ``[1] text`` or ``[A] text``; without any, the whole prompt is one passage.

    >>> passages("Rank:\\n[1] 3 apples\\n[2] 5 pears\\nby relevance to: fruit")
    ['3 apples', '5 pears']
    """
    return _PASSAGE.findall(prompt) or [prompt]


def completion(body: Mapping[str, Any], fake: Oracle, readout: Readout, trouble: Kind | None, usage: bool) -> bytes:
    """A chat completion, or a plain one when the body has a ``prompt``. Raises Refused.

    With ``logprobs`` and a readout that has labels, one token: the likeliest label, among its alternatives. Otherwise
    text, each token with its log-probability when they are asked for, which ends before the first of ``stop``.
    """
    chat = "messages" in body
    turns = body.get("messages") if chat else [{"content": body.get("prompt")}]
    if not isinstance(turns, list) or not all(map(_is_turn, turns)):
        raise Refused(400, "messages: expected a list of role and content")
    prompt = "\n".join(turn["content"] for turn in turns)
    begun = turns[-1]["content"] if chat and turns[-1].get("role") == "assistant" else ""
    wanted = _wanted_logprobs(body, chat)
    said = _said(prompt, fake, readout, bool(wanted))
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "logprobs": None}
    if wanted and said.labels is not None:
        choice["logprobs"], text = _label_logprobs(said.labels, wanted, chat)
    else:
        text, choice["finish_reason"] = _spoiled(said.text.removeprefix(begun), trouble)
        tokens = said.tokens if text == said.text and said.tokens else _tokens(text)
        text, stopped = _stopped(text, body.get("stop"))
        choice["finish_reason"] = "stop" if stopped else choice["finish_reason"]
        if body.get("logprobs"):
            choice["logprobs"] = _token_logprobs(_until(tokens, len(text)), chat)
    choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    reply = {"id": "fake", "object": "chat.completion", "model": body.get("model"), "choices": [choice]}
    if usage:
        shown, written = len(prompt.split()), len(text.split())
        reply["usage"] = {"prompt_tokens": shown, "completion_tokens": written, "total_tokens": shown + written}
    return json.dumps(reply).encode()


def reranking(body: Mapping[str, Any], fake: Oracle, trouble: Kind | None) -> bytes:
    """Scores of a rerank request, in the dialect that its fields tell, best first. Raises Refused."""
    texts = body.get("texts", body.get("documents"))
    query = body.get("query")
    if not isinstance(texts, list) or not isinstance(query, str):
        raise Refused(422, "expected query, and documents or texts")
    scores = fake.judge(query, [t["text"] if isinstance(t, Mapping) else t for t in texts])
    name = "score" if "texts" in body else "relevance_score"
    ranked = sorted(range(len(scores)), key=lambda i: -scores[i])
    items = [{"index": i, name: scores[i]} for i in ranked]
    if trouble == "refuse":
        items = [{**item, name: None} for item in items]  # type: ignore[dict-item]
    elif trouble == "truncate":
        items = items[: len(items) // 2]
    elif trouble == "duplicate":
        items = items * 2
    if "texts" in body:
        return json.dumps(items).encode()
    shown = sum(len(str(t).split()) for t in texts)
    return json.dumps({"id": "fake", "results": items, "usage": {"total_tokens": shown}}).encode()


def _said(prompt: str, fake: Oracle, readout: Readout, labels: bool) -> Completion:
    shown = tuple(Candidate(Document(str(i), text)) for i, text in enumerate(passages(prompt)))
    wanted = readout.labels(len(shown)) if labels else ()
    query = Query("q", prompt.partition("\n")[0])  # fakes judge documents; the query only makes noise differ
    try:
        said = fake.generate([Request(prompt, wanted, group=(query, shown), answer=readout.write)])[0]
        return said if not wanted or said.labels is not None else replace(said, labels={})
    except BackendError as error:
        raise Refused(500, str(error)) from error


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, Mapping) and isinstance(turn.get("content"), str)


def _wanted_logprobs(body: Mapping[str, Any], chat: bool) -> int:
    wanted = body.get("top_logprobs", 0) if chat else body.get("logprobs", 0)
    number = wanted if isinstance(wanted, int) else 0
    if number > MOST_LOGPROBS:
        raise Refused(400, f"top_logprobs: {number} is more than {MOST_LOGPROBS}")
    return number


def _tokens(text: str) -> tuple[Token, ...]:
    """Words with the blanks before them, each as probable as the next."""
    return tuple(Token(word, EACH_TOKEN) for word in re.findall(r"\s*\S+|\s+$", text))


def _stopped(text: str, stop: Any) -> tuple[str, bool]:
    """The text up to the first stop string, and whether there was one."""
    listed = [stop] if isinstance(stop, str) else stop or []
    found = [at for at in map(text.find, listed) if at >= 0]
    return (text[: min(found)], True) if found else (text, False)


def _until(tokens: Sequence[Token], end: int) -> list[Token]:
    """The tokens of the first ``end`` characters; one that goes beyond them is cut."""
    kept, at = [], 0
    for token in tokens:
        if at < end:
            kept.append(replace(token, text=token.text[: end - at]))
        at += len(token.text)
    return kept


def _token_logprobs(tokens: Sequence[Token], chat: bool) -> Mapping[str, Any]:
    if not chat:
        return {"tokens": [t.text for t in tokens], "token_logprobs": [t.logprob for t in tokens]}
    return {"content": [{"token": t.text, "logprob": t.logprob} for t in tokens]}


def _label_logprobs(labels: Mapping[str, float], most: int, chat: bool) -> tuple[Mapping[str, Any], str]:
    """The likeliest labels as the first token's alternatives, and the likeliest as the text."""
    top = max(labels.values(), default=0.0)
    total = math.log(math.fsum(math.exp(v - top) for v in labels.values()) or 1.0) + top
    shown = sorted(((label, value - total) for label, value in labels.items()), key=lambda e: -e[1])[:most]
    first, value = shown[0] if shown else ("?", -1.0)
    if not chat:
        return {"tokens": [first], "token_logprobs": [value], "top_logprobs": [dict(shown)]}, first
    listed = [{"token": token, "logprob": logprob} for token, logprob in shown]
    return {"content": [{"token": first, "logprob": value, "top_logprobs": listed}]}, first


def _spoiled(text: str, trouble: Kind | None) -> tuple[str, str]:
    if trouble == "refuse":
        return REFUSAL, "stop"
    if trouble == "truncate":
        return text[: len(text) // 2], "length"
    return (f"{text} > {text}" if trouble == "duplicate" else text), "stop"


def error_body(message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "fake", "code": None}}).encode()
