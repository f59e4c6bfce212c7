"""From the JSON of a completion to a ``Completion``. Pure; whatever is not as promised raises ``Malformed``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.exchange import Completion, Request
from ...core.types import Usage
from .labels import after, chat_positions, completion_positions, label_logprobs, spoken
from .refusals import Malformed

_CUT = frozenset({"length", "max_tokens", "model_length"})


@dataclass(frozen=True)
class Said:
    """What an answer held. reasoning: thoughts that the server keeps apart; reported: did it state its usage?"""

    completion: Completion
    reasoning: str
    reported: bool


def read_answer(data: Any, request: Request, *, prefix: str, awaited: str) -> Said:
    """Read a chat completion or a plain one.

    prefix: what the text is to begin with when it does not (a prefill that the server continued). awaited: what must
    have been generated before the position at which the labels are looked up.
    """
    choice = _choice(data)
    message = choice.get("message")
    if isinstance(message, Mapping):
        text, reasoning = _content(message), _thoughts(message)
        positions = chat_positions(choice.get("logprobs"))
    elif isinstance(choice.get("text"), str):
        text, reasoning = choice["text"], ""
        positions = completion_positions(choice.get("logprobs"))
    else:
        raise Malformed("answered a choice without a message")
    labels = None
    if request.labels:
        if positions is None:
            raise Malformed(
                "answered without logprobs, though they were asked for: the endpoint does not offer label logits "
                "(say so with top_logprobs=0, and use a readout of generated text)",
                retry=False,
            )
        place = after(positions, awaited)
        labels = {} if place is None else label_logprobs(place.shown, request.labels)
    usage, reported = _usage(data.get("usage"))
    stopped = min((at for at in map(text.find, request.stop) if at >= 0), default=None)  # some servers leave it in
    finished = choice.get("finish_reason") not in _CUT or bool(request.labels) or stopped is not None
    tokens = spoken(positions) if request.logprobs and not request.labels else ()
    return Said(Completion(prefix + text[:stopped], labels, finished, usage, tokens=tokens), reasoning, reported)


def _choice(data: Any) -> Mapping[str, Any]:
    choices = data.get("choices") if isinstance(data, Mapping) else None
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        return choices[0]
    error = data.get("error") if isinstance(data, Mapping) else None
    reason = error.get("message") if isinstance(error, Mapping) else error
    # gateways wrap an upstream failure in a 200
    raise Malformed("answered no choices" + (f" ({str(reason)[:300]})" if reason else ""))


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        return "".join(part for part in parts if isinstance(part, str))
    if isinstance(content, str):
        return content
    refusal = message.get("refusal")
    return refusal if isinstance(refusal, str) else ""


def _thoughts(message: Mapping[str, Any]) -> str:
    for key in ("reasoning_content", "reasoning"):  # vLLM (old), SGLang, DeepSeek; vLLM (new), OpenRouter, Ollama
        if isinstance(message.get(key), str):
            return str(message[key])
    return ""


def _usage(usage: Any) -> tuple[Usage, bool]:
    if not isinstance(usage, Mapping):
        return Usage(calls=1), False
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else usage.get("prompt_cache_hit_tokens")
    spent = Usage(1, _tokens(usage.get("prompt_tokens")), _tokens(usage.get("completion_tokens")), _tokens(cached))
    return spent, True


def _tokens(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e15 else 0
