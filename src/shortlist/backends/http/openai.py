"""Any OpenAI-compatible endpoint by its base URL: vLLM, SGLang, llama.cpp server, Ollama, hosted services.

Source: OpenAI's API reference (chat completions, completions) and the servers' documentation of what they add to it.
It does not know vendors: what an endpoint offers beyond the common part is said by parameters.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Literal

from ...core.errors import ConfigError
from ...core.exchange import Completion, Message, Request, Segments
from ...core.params import digest
from ...core.protocols import Capability
from ...core.waiting import gathered
from .address import Address, checked
from .answers import Said, read_answer
from .exchange import Limits
from .link import Link
from .loop import blocking, elsewhere
from .patience import Clock, Patience, SystemClock
from .structured import Structured

logger = logging.getLogger(__name__)

_ROUTES = ("/chat/completions", "/completions", "/responses", "/embeddings")


@dataclass(frozen=True)
class OpenAICompatible:
    """A model behind an HTTP endpoint. Asynchronous: with ``Prompted``, use ``prompted()``.

    base_url: what comes before ``/chat/completions``, mostly ending in ``/v1``. api_key_env: the environment variable
    that holds the key; unset or None sends no key. api_key_header: a name other than Authorization gets the bare key.
    headers: sent with every request; they stand in ``repr`` and manifests, so no secrets here.

    temperature, top_p, seed: None is not sent. retry_temperature: the least temperature when a malformed answer is
    asked for again (attempt > 0; ``seed`` is raised by the attempt too), because the same question at temperature 0
    brings the same answer; None repeats as it was.

    top_logprobs: how many tokens the endpoint shows per position; most refuse more than 20 (OpenAI's completions route
    more than 5), so of more labels some are out of sight: absent in ``Completion.labels`` and counted by the
    readout. 0 says that the endpoint has none, which takes the capabilities LABEL_LOGITS and TOKEN_LOGPROBS away.
    Variants of a label (" A", "A") count by the larger. Generated tokens whose log-probabilities a server does not
    state are not guessed: ``Completion.tokens`` stays empty, ``counts["token_logprobs_absent"]`` rises.

    prefill: how the endpoint continues a text that the answer must begin with. ``message``: a last assistant message
    (llama.cpp, Anthropic's and many gateways); ``continue``: the same with ``continue_final_message`` (vLLM, SGLang);
    ``prefix``: with ``prefix: true`` (Mistral, DeepSeek); ``none``: not at all, then nothing is sent; labels are looked
    up behind the text when the model writes it by itself, and ``counts["prefill_not_sent"]`` says how often. The text
    of a completion includes its prefill. A request's ``stop`` is sent together with one in ``extra``; most services
    take four strings at most.

    raw: where prompts that are one string go, ``completions`` or, as one user message, ``chat``. structured: the form
    of generated answers. extra: fields for every request body; they win over all others.

    concurrency, timeout (seconds per attempt), connect_timeout, read_timeout (of silence; None is ``timeout``),
    max_attempts (per request, the first included), max_outage (seconds that requests wait for an endpoint that answered
    before and is down) and patience say how the endpoint is treated; they do not change the digest. Reasoning that the
    server keeps apart is not part of the text. Token counts are the server's; where it states none they stay 0,
    ``counts["usage_absent"]`` rises and a warning is logged once.
    """

    base_url: str
    model: str
    _: KW_ONLY
    api_key_env: str | None = None
    api_key_header: str = "Authorization"
    headers: Mapping[str, str] = field(default_factory=dict)
    temperature: float | None = 0.0
    top_p: float | None = None
    seed: int | None = None
    retry_temperature: float | None = 0.5
    top_logprobs: int = 20
    prefill: Literal["none", "message", "continue", "prefix"] = "none"
    structured: Structured | None = None
    raw: Literal["completions", "chat"] = "completions"
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    extra: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 8
    timeout: float = 120.0
    connect_timeout: float = 10.0
    read_timeout: float | None = None
    max_attempts: int = 4
    max_outage: float = 600.0
    patience: Patience = Patience()  # noqa: RUF009
    clock: Clock = field(default=SystemClock(), repr=False, compare=False)
    _link: Link = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checked("base_url", self.base_url)
        for route in _ROUTES:
            if self.base_url.rstrip("/").endswith(route):
                raise ConfigError(f"base_url={self.base_url!r} names a route; give what comes before {route}")
        if not self.model:
            raise ConfigError("model is empty; name the model as the endpoint lists it (GET /models)")
        if self.top_logprobs < 0:
            raise ConfigError(f"top_logprobs={self.top_logprobs}: expected 0 or more; most endpoints allow up to 20")
        for name, known in (("prefill", ("none", "message", "continue", "prefix")), ("raw", ("completions", "chat"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(known)}")
        address = Address(self.base_url, self.api_key_env, self.api_key_header, self.headers)
        limits = Limits(
            self.concurrency, self.timeout, self.read_timeout, self.connect_timeout, self.max_attempts, self.max_outage
        )
        object.__setattr__(self, "_link", Link(address, limits, self.patience, self.clock))

    @property
    def capabilities(self) -> frozenset[Capability]:
        shown = {Capability.LABEL_LOGITS, Capability.TOKEN_LOGPROBS} if self.top_logprobs else set()
        return frozenset({Capability.GENERATE} | shown)

    @property
    def digest(self) -> str:
        """Identifies address, model and everything that is sent; not the weights, which only the server knows."""
        decisive = ("base_url", "model", "temperature", "top_p", "seed", "retry_temperature", "top_logprobs")
        sent = ("prefill", "structured", "raw", "max_tokens_field", "extra", "headers")
        return f"{self.model}-{digest({name: getattr(self, name) for name in decisive + sent})}"

    @property
    def counts(self) -> Counter[str]:
        """What happened so far: requests, attempts, answered, failed, ``retried_*``, usage_absent ..."""
        return self._link.counts

    @property
    def outage(self) -> str:
        """Why the endpoint answers nobody any more; empty while it answers."""
        return self._link.outage

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion per request, ``concurrency`` at a time; the first failure cancels the others."""
        return blocking(gathered([self._complete(request) for request in requests]))

    async def agenerate(self, request: Request) -> Completion:
        """One completion. Raises EndpointError (a BackendError) with status, server message and attempts."""
        return await elsewhere(self._complete(request))

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._link.close()

    async def _complete(self, request: Request) -> Completion:
        if isinstance(request.prompt, Segments):
            raise ConfigError("an endpoint takes one text or a chat; segments need a local encoder-decoder model")
        if request.labels and not self.top_logprobs:
            raise ConfigError("the request asks for label logits; top_logprobs=0 says that the endpoint has none")
        chat = self.raw == "chat" or not isinstance(request.prompt, str)
        sent = bool(request.begin) and (not chat or self.prefill != "none")
        if request.begin and not sent and self._link.count("prefill_not_sent") == 1:
            logger.warning("%s: the prefill %r is not sent (prefill='none')", self.model, request.begin)
        prefix, awaited = (request.begin, "") if sent else ("", request.begin)
        body = self._common(request, chat, awaited) | (self._chat(request) if chat else self._plain(request))
        stop = [*_listed(self.extra.get("stop")), *body.get("stop", ())]
        body |= {**self.extra, "stop": list(dict.fromkeys(stop))} if stop else self.extra

        def read(data: Any) -> Said:
            return read_answer(data, request, prefix=prefix, awaited=awaited)

        path = "/chat/completions" if chat else "/completions"
        answer = await self._link.post(self._link.address.route(path), body, read)
        said, completion = answer.value, answer.value.completion
        if sent and self.prefill == "prefix" and completion.text.startswith(request.begin * 2):
            completion = replace(completion, text=completion.text[len(request.begin) :])  # Mistral repeats it
        if said.reasoning:
            self._link.count("reasoning_separated")
        if request.logprobs and not request.labels and not completion.tokens:
            self._link.count("token_logprobs_absent")
        if not said.reported and self._link.count("usage_absent") == 1:
            logger.warning("%s states no token usage; its token counts stay 0", self.base_url)
        usage = replace(completion.usage, seconds=round(answer.seconds, 3))
        return replace(completion, usage=usage, repairs=answer.repairs, reasoning=said.reasoning)

    def _common(self, request: Request, chat: bool, awaited: str) -> dict[str, Any]:
        temperature = self.temperature
        if request.attempt and temperature is not None and self.retry_temperature is not None:
            temperature = max(temperature, self.retry_temperature)
        tokens = request.max_tokens
        if request.labels:  # characters are an upper limit of tokens; some models begin with a space
            tokens = len(awaited) + 2 if awaited else 1
        optional = {
            "temperature": temperature,
            "top_p": self.top_p,
            "seed": None if self.seed is None else self.seed + request.attempt,
        }
        body: dict[str, Any] = {"model": self.model, (self.max_tokens_field if chat else "max_tokens"): tokens}
        body |= {name: value for name, value in optional.items() if value is not None}
        if request.labels:
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs} if chat else {"logprobs": self.top_logprobs}
            return body
        body |= self.structured.fields() if self.structured is not None else {}
        body |= {"stop": list(request.stop)} if request.stop else {}
        if request.logprobs and self.top_logprobs:
            body["logprobs"] = True if chat else 1
        return body

    def _chat(self, request: Request) -> dict[str, Any]:
        turns = request.prompt if isinstance(request.prompt, tuple) else (Message("user", str(request.prompt)),)
        messages: list[dict[str, Any]] = [{"role": turn.role, "content": turn.content} for turn in turns]
        body: dict[str, Any] = {"messages": messages}
        if request.begin and self.prefill != "none":
            begun: dict[str, Any] = {"role": "assistant", "content": request.begin}
            messages.append(begun | {"prefix": True} if self.prefill == "prefix" else begun)
            if self.prefill == "continue":
                body |= {"add_generation_prompt": False, "continue_final_message": True}
        return body

    def _plain(self, request: Request) -> dict[str, Any]:
        return {"prompt": f"{request.prompt}{request.begin}"}


def _listed(stop: Any) -> list[str]:
    """A ``stop`` as services take it: one string, or several."""
    return [stop] if isinstance(stop, str) else [*(stop or ())]
