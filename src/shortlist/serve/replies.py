"""From completions to the JSON that OpenAI's clients read."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from ..backends.transformers.sampled import Place, Sampled, Shown
from ..core.exchange import Completion, Token
from .fields import Asked

_LEAST = -9999.0  # what OpenAI writes for a token of no probability; JSON has no infinity


def reply(asked: Asked, completions: Sequence[Completion], name: str, fingerprint: str) -> dict[str, Any]:
    """The body of an answer; one choice per prompt."""
    pairs = list(zip(asked.requests, completions, strict=True))
    make = _chat_choice if asked.chat else _plain_choice
    return {
        "id": f"{'chatcmpl' if asked.chat else 'cmpl'}-{uuid.uuid4().hex}",
        "object": "chat.completion" if asked.chat else "text_completion",
        "created": int(time.time()),
        "model": name,
        "system_fingerprint": fingerprint,
        "choices": [make(number, request, completion) for number, (request, completion) in enumerate(pairs)],
        "usage": _usage(completions),
    }


def models(name: str, created: int, context: int | None) -> dict[str, Any]:
    """The list of the one model."""
    return {"object": "list", "data": [model(name, created, context)]}


def model(name: str, created: int, context: int | None) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "local", "max_model_len": context}


def _chat_choice(number: int, request: Sampled, completion: Completion) -> dict[str, Any]:
    places = completion.places if isinstance(completion, Shown) else ()
    return {
        "index": number,
        "message": {"role": "assistant", "content": _text(request, completion), "refusal": None},
        "logprobs": {"content": [_entry(place) for place in places]} if request.logprobs else None,
        "finish_reason": _reason(completion),
    }


def _plain_choice(number: int, request: Sampled, completion: Completion) -> dict[str, Any]:
    places = completion.places if isinstance(completion, Shown) else ()
    return {
        "index": number,
        "text": _text(request, completion),
        "logprobs": _listed(places) if request.logprobs else None,
        "finish_reason": _reason(completion),
    }


def _text(request: Sampled, completion: Completion) -> str:
    return completion.text[len(request.prefill) :]  # clients put what they sent in front themselves


def _reason(completion: Completion) -> str:
    return "stop" if completion.finished else "length"


def _entry(place: Place) -> dict[str, Any]:
    return _token(place.token) | {"top_logprobs": [_token(token) for token in place.top]}


def _token(token: Token) -> dict[str, Any]:
    written = token.text.encode("utf-8", "replace")
    return {"token": token.text, "logprob": max(token.logprob, _LEAST), "bytes": list(written)}


def _listed(places: Sequence[Place]) -> dict[str, Any]:
    offsets, at = [], 0
    for place in places:
        offsets.append(at)
        at += len(place.token.text)
    return {
        "tokens": [place.token.text for place in places],
        "token_logprobs": [max(place.token.logprob, _LEAST) for place in places],
        "top_logprobs": [_by_text(place.top) for place in places],
        "text_offset": offsets,
    }


def _by_text(tokens: Sequence[Token]) -> Mapping[str, float]:
    """Of tokens that read alike (parts of characters) the likeliest counts; they come best first."""
    found: dict[str, float] = {}
    for token in tokens:
        found.setdefault(token.text, max(token.logprob, _LEAST))
    return found


def _usage(completions: Sequence[Completion]) -> dict[str, Any]:
    spent = [completion.usage for completion in completions]
    shown, written = sum(u.prompt_tokens for u in spent), sum(u.completion_tokens for u in spent)
    cached = sum(u.cached_tokens for u in spent)
    return {
        "prompt_tokens": shown,
        "completion_tokens": written,
        "total_tokens": shown + written,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
