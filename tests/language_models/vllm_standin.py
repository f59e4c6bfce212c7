"""A stand-in for vLLM with its documented interface of offline inference, over a transformers model, one token at a
time. It shows that requests and answers are mapped rightly, not that a real vLLM works."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import transformers


@dataclass
class SamplingParams:
    temperature: float = 1.0
    max_tokens: int = 16
    logprobs: int | None = None
    allowed_token_ids: list[int] | None = None
    stop: list[str] = field(default_factory=list)
    seed: int | None = None


@dataclass
class Logprob:
    logprob: float
    decoded_token: str


@dataclass
class CompletionOutput:
    text: str
    token_ids: list[int]
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str


@dataclass
class RequestOutput:
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]
    num_cached_tokens: int = 0


class LLM:
    def __init__(self, model: str, *, logprobs_mode: str, max_logprobs: int, max_model_len: int | None, **given: Any):
        assert logprobs_mode == "processed_logprobs"
        assert given.pop("enable_prefix_caching") is True
        self._most, self._given = max_logprobs, given
        self._model = transformers.AutoModelForCausalLM.from_pretrained(model).eval()
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        length = max_model_len or self._model.config.max_position_embeddings
        config = type("ModelConfig", (), {"max_model_len": length})
        self.llm_engine = type("Engine", (), {"model_config": config})

    def get_tokenizer(self) -> Any:
        return self._tokenizer

    def generate(self, prompts: list[dict[str, list[int]]], params: list[SamplingParams], *, use_tqdm: bool) -> Any:
        assert not use_tqdm
        return [self._answer(p["prompt_token_ids"], q) for p, q in zip(prompts, params, strict=True)]

    @torch.inference_mode()
    def _answer(self, prompt: list[int], params: SamplingParams) -> RequestOutput:
        assert params.temperature == 0.0
        assert (params.logprobs or 0) <= self._most
        written: list[int] = []
        shown: list[dict[int, Logprob]] = []
        text, reason = "", "length"
        while len(written) < params.max_tokens:
            logits = self._model(torch.tensor([[*prompt, *written]])).logits[0, -1].float()
            if params.allowed_token_ids is not None:
                hidden = torch.full_like(logits, float("-inf"))
                hidden[params.allowed_token_ids] = logits[params.allowed_token_ids]
                logits = hidden
            logprobs = logits.log_softmax(-1)
            token = int(logprobs.argmax())
            if token == self._tokenizer.eos_token_id:
                reason = "stop"
                break
            written.append(token)
            best = logprobs.topk(params.logprobs or 1).indices.tolist() if params.logprobs else []
            shown.append({i: Logprob(float(logprobs[i]), self._tokenizer.decode([i])) for i in {token, *best}})
            text = self._tokenizer.decode(written, skip_special_tokens=True)
            found = [text.find(stop) for stop in params.stop if stop in text]
            if found:
                text, reason = text[: min(found)], "stop"
                break
        listed = None if params.logprobs is None else shown
        return RequestOutput(prompt, [CompletionOutput(text, written, listed, reason)])
