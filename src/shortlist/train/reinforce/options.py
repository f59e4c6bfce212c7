"""How answers are drawn and what their rewards do: GRPO as plain numbers, from which TRL's ``GRPOConfig`` is made.

Source: Shao et al. 2024, arXiv 2402.03300 (GRPO), as TRL 1.16 computes it. TRL's own defaults have changed between its
versions (beta was 0.04 and is 0.0, loss_type was grpo and is dapo), so every one that decides a result is set here.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ...core.errors import ConfigError, UnknownName
from .kinds import KINDS, Kind

SMOKE_DOCUMENTS = 4  # of a query, in prompts about single documents

LossType = Literal["grpo", "dapo", "dr_grpo", "bnpo"]


@dataclass(frozen=True)
class Reinforce:
    """reward: its name, such as ``rank-r1``; parameters: its own, such as ``{"penalty": -2.0}``.

    prompts: of one generation, all processes together. rollouts: answers to each prompt, whose mean reward is the
    baseline. updates: into how many updates the answers of a generation are split. iterations: how often each is used.
    The batch of ``Settings`` is answers of one step on one device; its accumulation follows from these numbers.

    temperature, top_p, top_k (0 is all), max_new_tokens: of the answers. beta: weight of the divergence from the base
    model (k3, of each token); 0 computes none. loss_type: the mean over the tokens of each answer and then over answers
    (``grpo``), over all tokens of an update (``dapo``), of a step on a device (``bnpo``), or the sum over
    max_new_tokens (``dr_grpo``). scale_rewards: advantages are divided by the standard deviation of the ``group`` (a
    prompt's answers), of the ``batch``, or by nothing. epsilon, epsilon_high: how far the probability ratio may go
    below and above 1; None is the same. level: of that ratio. mask_cut: answers that did not end do not count.
    vllm: draw answers with vLLM inside the training processes (GPUs only).
    """

    reward: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    prompts: int = 16
    rollouts: int = 8
    updates: int = 1
    iterations: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int = 1024
    beta: float = 0.0
    loss_type: LossType = "grpo"
    scale_rewards: Literal["group", "batch", "none"] = "group"
    epsilon: float = 0.2
    epsilon_high: float | None = None
    level: Literal["token", "sequence"] = "token"
    mask_cut: bool = False
    vllm: bool = False

    def __post_init__(self) -> None:
        if self.reward not in KINDS:
            raise UnknownName("reward", self.reward, KINDS)
        known = [p.name for p in inspect.signature(self.kind.reward).parameters.values() if p.kind is p.KEYWORD_ONLY]
        for name in self.parameters:
            if name not in known:
                raise ConfigError(f"the reward {self.reward} has no parameter {name!r}; known: {', '.join(known)}")
        for name in ("prompts", "updates", "iterations", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}: expected 1 or more")
        if self.rollouts < 2:
            raise ConfigError(f"rollouts={self.rollouts}: expected 2 or more; an answer is compared with the others")
        if self.prompts * self.rollouts % self.updates:
            raise ConfigError(f"{self.prompts} prompts x {self.rollouts} answers in {self.updates} updates: not whole")
        if self.temperature <= 0 or self.beta < 0 or self.epsilon <= 0 or not 0 < self.top_p <= 1 or self.top_k < 0:
            raise ConfigError(
                f"temperature={self.temperature}, beta={self.beta}, epsilon={self.epsilon}, top_p={self.top_p}, "
                f"top_k={self.top_k}: expected above 0, 0 or more, above 0, 0 to 1, 0 or more"
            )
        choices = {
            "loss_type": ("grpo", "dapo", "dr_grpo", "bnpo"),
            "scale_rewards": ("group", "batch", "none"),
            "level": ("token", "sequence"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(allowed)}")

    @property
    def kind(self) -> Kind:
        """The reward and what it needs."""
        return KINDS[self.reward]

    @property
    def answers(self) -> int:
        """Of one generation."""
        return self.prompts * self.rollouts

    @property
    def uses(self) -> int:
        """Updates that are made with the answers of one generation."""
        return self.updates * self.iterations

    def accumulate(self, batch: int, processes: int) -> int:
        """Steps whose gradients are added up. Raises ConfigError when that is not whole."""
        update = self.answers // self.updates
        share = f"an update is of {update} answers ({self.prompts} prompts x {self.rollouts} / {self.updates})"
        if update % processes:
            raise ConfigError(f"{share}, which {processes} processes cannot share equally")
        own = update // processes
        if own % batch:
            fit = max(n for n in range(1, own + 1) if own % n == 0 and n <= batch)
            raise ConfigError(
                f"{share}, {own} of each process, in steps of {batch}: not whole; use settings.batch={fit}"
            )
        return own // batch

    def small(self) -> Reinforce:
        """As it is for a smoke run: the same rules, few and short answers."""
        return replace(
            self, prompts=SMOKE_DOCUMENTS, rollouts=4, updates=min(self.updates, 2), vllm=False,
            max_new_tokens=min(self.max_new_tokens, 16),
        )  # fmt: skip

    def trl(self) -> dict[str, Any]:
        """The arguments of ``GRPOConfig`` beside those of ``TrainingArguments``."""
        return {
            "num_generations": self.rollouts,
            "generation_batch_size": self.answers,
            "steps_per_generation": None,
            "num_iterations": self.iterations,
            "shuffle_dataset": False,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "min_p": None,
            "repetition_penalty": 1.0,
            "generation_kwargs": None,
            "max_completion_length": self.max_new_tokens,
            "pad_to_multiple_of": None,
            "beta": self.beta,
            "loss_type": self.loss_type,
            "scale_rewards": self.scale_rewards,
            "epsilon": self.epsilon,
            "epsilon_high": self.epsilon if self.epsilon_high is None else self.epsilon_high,
            "delta": None,
            "importance_sampling_level": self.level,
            "multi_objective_aggregation": "sum_then_normalize",
            "reward_weights": None,
            "mask_truncated_completions": self.mask_cut,
            "top_entropy_quantile": 1.0,
            "entropy_coef": 0.0,
            "use_adaptive_entropy": False,
            "off_policy_mask_threshold": None,
            "use_bias_correction_kl": False,
            "sync_ref_model": False,
            "disable_dropout": False,
            "cast_lm_head_to_fp32": False,
            "router_aux_loss_coef": 0.0,
            "use_vllm": self.vllm,
            "vllm_mode": "colocate",
            "vllm_importance_sampling_correction": True,
            "vllm_importance_sampling_mode": "token_truncate",
            "vllm_importance_sampling_clip_max": 2.0,
            "vllm_importance_sampling_clip_min": None,
            "use_transformers_continuous_batching": False,
            "log_completions": False,
        }
