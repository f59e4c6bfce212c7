"""From the JSON body of a request to what a backend is asked. Pure; everything that cannot be done raises ``Refused``.

Source: OpenAI's API reference for chat completions and completions; ``continue_final_message`` is vLLM's, ``prefix``
Mistral's and DeepSeek's. Fields that would change the answer and are not offered here are refused unless they have the
value that changes nothing; fields that nobody knows are passed over. ``null`` is as good as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..backends.transformers.sampled import Sampled
from ..core.errors import ConfigError
from ..core.exchange import Message
from .refusals import wrong

Body = Mapping[str, Any]
_ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_CHANGES_NOTHING: dict[str, tuple[Any, ...]] = {
    "stream": (False,),
    "n": (1,),
    "best_of": (1,),
    "top_p": (1,),
    "top_k": (0, -1),
    "min_p": (0,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "repetition_penalty": (1,),
    "logit_bias": ({},),
    "echo": (False,),
    "suffix": ("",),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "structured_outputs": ({},),
    "guided_json": (),
    "guided_regex": (),
    "guided_choice": (),
    "guided_grammar": (),
}
_ANSWER = 16  # tokens of a plain completion that states no max_tokens, as OpenAI has it


@dataclass(frozen=True, slots=True)
class Limits:
    """What is accepted. body: bytes. max_tokens: of one answer. top_logprobs: tokens shown per place. prompts: of one
    plain request. stops: strings. queue: prompts that wait; more are refused with 429."""

    body: int = 10_000_000
    max_tokens: int = 16_384  # the longest answer that a method's prompt asks for by itself is 8,192
    top_logprobs: int = 20  # OpenAI's
    prompts: int = 128
    stops: int = 16
    queue: int = 256

    def __post_init__(self) -> None:
        for name in ("body", "max_tokens", "prompts", "stops", "queue"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}: expected 1 or more")
        if self.top_logprobs < 0:
            raise ConfigError(f"top_logprobs={self.top_logprobs}: expected 0 or more")


@dataclass(frozen=True, slots=True)
class Asked:
    """Prompts to be answered, and how the answers are written. whole: ``max_tokens`` was stated, so the window must
    have room for all of it."""

    requests: tuple[Sampled, ...]
    chat: bool
    whole: bool


def read_chat(body: Body, limits: Limits) -> Asked:
    """A chat completion. A last assistant message is the beginning of the answer, unless it is said to be closed."""
    _no_more_than_offered(body)
    turns = _turns(body.get("messages"))
    prefill = ""
    closed = body.get("continue_final_message") is False
    if turns[-1].role == "assistant" and not closed:
        prefill, turns = turns[-1].content, turns[:-1]
    elif body.get("continue_final_message"):
        raise wrong("continue_final_message", "the last message is not the assistant's, so nothing can be continued")
    if not turns:
        raise wrong("messages", "a message stands before the begin of the answer")
    tokens = _whole(body, "max_completion_tokens", 1, limits.max_tokens)
    tokens = _whole(body, "max_tokens", 1, limits.max_tokens) if tokens is None else tokens
    shown = _whole(body, "top_logprobs", 0, limits.top_logprobs)
    logprobs = _flag(body, "logprobs")
    if shown is not None and shown and not logprobs:
        raise wrong("top_logprobs", "it needs logprobs: true")
    request = replace(
        _common(body, limits),
        prompt=turns,
        prefill=prefill,
        max_tokens=limits.max_tokens if tokens is None else tokens,
        logprobs=logprobs,
        top=shown or 0,
    )
    return Asked((request,), chat=True, whole=tokens is not None)


def read_completion(body: Body, limits: Limits) -> Asked:
    """A plain completion of one prompt or several. Control tokens that a prompt spells out are text here."""
    _no_more_than_offered(body)
    given = body.get("prompt")
    prompts = [given] if isinstance(given, str) else given
    if not isinstance(prompts, list) or not prompts or not all(isinstance(prompt, str) for prompt in prompts):
        raise wrong("prompt", "expected a text, or a list of texts (tokens are not taken)")
    if len(prompts) > limits.prompts:
        raise wrong("prompt", f"{len(prompts)} prompts; one request may hold {limits.prompts}")
    tokens = _whole(body, "max_tokens", 1, limits.max_tokens)
    shown = None if body.get("logprobs") is False else _whole(body, "logprobs", 0, limits.top_logprobs)
    asked = replace(_common(body, limits), max_tokens=tokens or _ANSWER, logprobs=shown is not None, top=shown or 0)
    return Asked(tuple(replace(asked, prompt=prompt) for prompt in prompts), chat=False, whole=tokens is not None)


def _common(body: Body, limits: Limits) -> Sampled:
    """A request with what both routes have; the prompt is still to come."""
    temperature = body.get("temperature")
    if temperature is not None:
        if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or not 0 <= temperature <= 2:
            raise wrong("temperature", "expected a number from 0 to 2")
        temperature = float(temperature)
    seed = body.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise wrong("seed", "expected a whole number")
    return Sampled("", temperature=temperature, seed=seed, stop=_stops(body.get("stop"), limits))


def _stops(given: Any, limits: Limits) -> tuple[str, ...]:
    stops = [given] if isinstance(given, str) else ([] if given is None else given)
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise wrong("stop", "expected a text, or a list of texts, none of them empty")
    if len(stops) > limits.stops:
        raise wrong("stop", f"{len(stops)} strings; at most {limits.stops} are taken")
    return tuple(stops)


def _turns(messages: Any) -> tuple[Message, ...]:
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "expected a list of at least one message")
    return tuple(_turn(message, f"messages[{number}]") for number, message in enumerate(messages))


def _turn(message: Any, where: str) -> Message:
    if not isinstance(message, Mapping):
        raise wrong(where, "expected an object with role and content")
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise wrong(f"{where}.role", f"expected one of {', '.join(_ROLES)}")
    content = message.get("content")
    if isinstance(content, list):
        parts = [
            part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in content
        ]
        if not all(isinstance(part, str) for part in parts):
            raise wrong(f"{where}.content", "only parts of type text are taken")
        content = "".join(part for part in parts if part)
    if content is None and role == "assistant":
        content = ""
    if not isinstance(content, str):
        raise wrong(f"{where}.content", "expected a text")
    return Message(_ROLES[role], content)


def _whole(body: Body, name: str, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise wrong(name, f"expected a whole number from {least} to {most}")
    return value


def _flag(body: Body, name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(name, "expected true or false")
    return bool(value)


def _no_more_than_offered(body: Body) -> None:
    for name, same in _CHANGES_NOTHING.items():
        value = body.get(name)
        if value is not None and value not in same:
            raise wrong(name, "this server does not offer it; leave it out", code="unsupported_parameter")
