"""A decoder-only language model in process by vLLM (extra ``vllm``): for GPUs, many queries at once.

Source: vLLM's documentation of offline inference (``LLM.generate`` on token ids, ``SamplingParams``). Prompts become
tokens by the same code as in ``backends.transformers``, so one template renders to the same ids on both.

It was never run on a real vLLM: no machine of ours has a GPU that vLLM supports. The tests replace vLLM by a stand-in
with its documented interface over a tiny transformers model. A server is the tested way: ``vllm serve MODEL``, and
``backends.http.OpenAICompatible``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, InputError
from ..core.exchange import Completion, Request, Token
from ..core.extras import need
from ..core.params import digest
from ..core.protocols import Capability
from ..core.types import Usage
from .transformers.chat import Chat
from .transformers.hashes import files_digest
from .transformers.labels import Labels
from .transformers.results import shared_seconds
from .transformers.texts import Texts

REQUIREMENT = "vllm>=0.10.2"  # the first with logprobs_mode


@dataclass(frozen=True)
class VLLM:
    """A causal model that vLLM runs; loaded on first use, with prefix caching on.

    path, revision: folder or hub name. adapter: a LoRA folder, applied to every request. max_length: window in tokens;
    None is the model's own. temperature, seed, retry_temperature, stop, chat_template, template_options: as in
    ``CausalLM``. engine: further arguments of ``vllm.LLM`` (``tensor_parallel_size``, ``quantization``,
    ``gpu_memory_utilization`` ...).

    Label values are log-probabilities among the asked labels alone (their shares sum to 1): the order, differences and
    softmax over labels are those of the model; a readout of one raw logit is not served.
    """

    path: str | Path
    _: KW_ONLY
    revision: str | None = None
    adapter: str | Path | None = None
    max_length: int | None = None
    temperature: float = 0.0
    seed: int = 0
    retry_temperature: float | None = 0.5
    stop: tuple[str, ...] = ()
    chat_template: str | None = None
    template_options: Mapping[str, Any] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.GENERATE, Capability.LABEL_LOGITS, Capability.TOKEN_LOGPROBS})

    @cached_property
    def digest(self) -> str:
        """Identifies the weights (by a folder's contents, else name and revision) and what changes answers."""
        places = [str(p) if p is None or not Path(p).is_dir() else files_digest(p) for p in (self.path, self.adapter)]
        names = ("revision", "max_length", "temperature", "seed", "retry_temperature", "stop", "chat_template")
        return f"vllm-{digest([*places, *(getattr(self, n) for n in names), self.template_options, self.engine])}"

    @cached_property
    def loaded(self) -> Any:
        """The ``vllm.LLM``, for what this class does not offer."""
        given = dict(self.engine)
        if self.adapter is not None:
            given.setdefault("enable_lora", True)
        return need(REQUIREMENT, extra="vllm").LLM(
            model=str(self.path), revision=self.revision, max_model_len=self.max_length, seed=self.seed,
            enable_prefix_caching=True, max_logprobs=64, logprobs_mode="processed_logprobs", **given,
        )  # fmt: skip

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together."""
        return int(self.loaded.llm_engine.model_config.max_model_len)

    def encode(self, request: Request) -> list[int]:
        """The tokens that the model is given: chat template, prompt, prefill; one BOS at most."""
        ids = self._texts.encode(self._chat.pieces(request))
        return [*self._texts.around[0], *ids] if isinstance(request.prompt, str) else ids

    def measure(self, request: Request) -> int:
        """Tokens of the request's prompt, for ``Fitted``."""
        return len(self.encode(request))

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Where each token of a text begins and ends: the tokenizer for ``Fitted``."""
        return self._texts.offsets(text)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion per request, in order; vLLM forms the batches.

        Raises InputError for a prompt that does not fit the window, ConfigError for labels that are not one token.
        """
        if not requests:
            return []
        vllm, started = need(REQUIREMENT, extra="vllm"), time.perf_counter()
        prompts, params, wanted = [], [], []
        for request in requests:
            ids, labels = self._asked(request)
            prompts.append({"prompt_token_ids": ids})
            wanted.append(labels)
            params.append(vllm.SamplingParams(**self._sampling(request, labels, self.context - len(ids))))
        lora = self._lora()
        outputs = self.loaded.generate(prompts, params, use_tqdm=False, **({"lora_request": lora} if lora else {}))
        sizes = [len(o.prompt_token_ids) + len(o.outputs[0].token_ids) for o in outputs]
        seconds = shared_seconds(time.perf_counter() - started, sizes)
        answers = zip(requests, wanted, outputs, seconds, strict=True)
        return [self._completion(request, labels, *answer) for request, labels, *answer in answers]

    def _asked(self, request: Request) -> tuple[list[int], tuple[int, ...]]:
        """The prompt's tokens, and those of the labels."""
        ids = self.encode(request)
        labels: tuple[int, ...] = ()
        if request.labels:
            found = self._labels.ids(self._chat.pieces(request), request.labels)
            ids, labels = ids[: len(ids) - found.merged], found.ids
        if not ids or len(ids) + 1 > self.context:
            raise InputError(
                f"a prompt has {len(ids)} tokens, the window is {self.context} with at least one for the answer; "
                "shorten passages, or use a smaller window of passages"
            )
        return ids, labels

    def _sampling(self, request: Request, labels: Sequence[int], room: int) -> dict[str, Any]:
        if labels:
            return {"temperature": 0.0, "max_tokens": 1, "logprobs": len(labels), "allowed_token_ids": list(labels)}
        temperature = self.temperature
        if request.attempt and self.retry_temperature is not None:
            temperature = max(temperature, self.retry_temperature)
        given: dict[str, Any] = {"temperature": temperature, "max_tokens": min(request.max_tokens, room)}
        given |= {"seed": self.seed + request.attempt, "stop": [*self.stop, *request.stop]}
        return given | ({"logprobs": 0} if request.logprobs else {})

    def _completion(self, request: Request, labels: Sequence[int], output: Any, seconds: float) -> Completion:
        said = output.outputs[0]
        cached = int(getattr(output, "num_cached_tokens", 0) or 0)
        written = 0 if labels else len(said.token_ids)
        usage = Usage(1, len(output.prompt_token_ids), written, cached, seconds)
        if labels:
            (shown,) = said.logprobs
            named = zip(request.labels, labels, strict=True)
            return Completion(labels={label: float(shown[i].logprob) for label, i in named if i in shown}, usage=usage)
        tokens: tuple[Token, ...] = ()
        if request.logprobs:
            pairs = zip(said.token_ids, said.logprobs, strict=True)
            tokens = tuple(Token(shown[i].decoded_token or "", float(shown[i].logprob)) for i, shown in pairs)
        finished = said.finish_reason != "length"
        return Completion(request.begin + said.text, None, finished, usage, tokens=tokens)

    def _lora(self) -> Any:
        if self.adapter is None:
            return None
        if not Path(self.adapter).is_dir():
            raise ConfigError(f"adapter={str(self.adapter)!r}: vLLM takes a folder; download the adapter first")
        lora = need(REQUIREMENT, extra="vllm", module="vllm.lora.request")
        return lora.LoRARequest(Path(self.adapter).name, 1, str(self.adapter))

    @cached_property
    def _texts(self) -> Texts:
        return Texts(self.loaded.get_tokenizer(), self.chat_template)

    @cached_property
    def _chat(self) -> Chat:
        return Chat(self._texts.tokenizer, self.template_options)

    @cached_property
    def _labels(self) -> Labels:
        return Labels(self._texts)
