"""How a training runs: steps, optimiser, schedule, precision, checkpoints. Plain numbers, from which transformers'
``TrainingArguments`` are made."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..core.errors import ConfigError, MissingExtra
from ..core.extras import need

_OF_OTHERS = {"adamw_bnb_8bit": "bitsandbytes", "schedule_free_adamw": "schedulefree"}


@dataclass(frozen=True)
class Settings:
    """batch: lists of one step on one device. accumulate: steps whose gradients are added up. epochs: passes over the
    samples, unless steps says how many updates are made. schedule, optimiser: transformers' names (``linear``,
    ``cosine``, ``constant_with_warmup``; ``adamw_torch``, ``schedule_free_adamw``). warm_up: share of the updates.
    precision: ``bf16`` computes in bfloat16 and keeps weights as they are loaded. neftune: noise on the embeddings
    (arXiv 2310.05914). checkpoint_gradients: less memory, more time. workers: processes that tokenise. log_every,
    save_every: in updates; 0 saves none but the last. keep: checkpoints on disk. device: ``auto`` or ``cpu``.
    """

    batch: int = 8
    accumulate: int = 1
    epochs: int = 1
    steps: int | None = None
    learning_rate: float = 2e-5
    schedule: str = "linear"
    warm_up: float = 0.1
    optimiser: str = "adamw_torch"
    weight_decay: float = 0.0
    clip: float = 1.0
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    neftune: float | None = None
    checkpoint_gradients: bool = False
    workers: int = 0
    seed: int = 0
    log_every: int = 10
    save_every: int = 500
    keep: int = 2
    device: Literal["auto", "cpu"] = "auto"

    def __post_init__(self) -> None:
        for name in ("batch", "accumulate", "epochs", "log_every", "keep"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}: expected 1 or more")
        if self.steps is not None and self.steps < 1:
            raise ConfigError(f"steps={self.steps}: expected 1 or more, or none to train for whole epochs")
        if self.learning_rate <= 0 or not 0 <= self.warm_up < 1 or self.save_every < 0 or self.workers < 0:
            raise ConfigError(
                f"learning_rate={self.learning_rate}, warm_up={self.warm_up}, save_every={self.save_every}, "
                f"workers={self.workers}: expected above 0, 0 to 1, 0 or more, 0 or more"
            )
        if self.precision not in ("fp32", "bf16", "fp16"):
            raise ConfigError(f"precision={self.precision!r}: expected fp32, bf16 or fp16")

    def arguments(self, folder: Path, updates: int, kind: Any = None, **more: Any) -> Any:
        """``TrainingArguments`` that train for so many updates and report to nobody.

        kind, more: a class derived from ``TrainingArguments``, and the arguments that it has beside theirs.
        """
        transformers = need("transformers>=4.48", extra="train")
        need("accelerate>=1.1", extra="train")
        torch = need("torch>=2.4", extra="train")
        pinned = self.device != "cpu" and bool(torch.cuda.is_available())
        alone = int(os.environ.get("WORLD_SIZE", "1")) == 1  # several processes on CPUs are asked for by device='cpu'
        on_cpu = self.device == "cpu" or (alone and not torch.accelerator.is_available())
        if self.precision == "fp16" and not pinned:
            raise ConfigError("precision='fp16' needs a GPU; without one use fp32 (--set settings.precision=fp32)")
        package = _OF_OTHERS.get(self.optimiser)
        if package is not None and importlib.util.find_spec(package) is None:
            raise MissingExtra(
                f"optimiser={self.optimiser!r} comes with the package {package}: pip install {package}, or take "
                "another (--set settings.optimiser=adamw_torch)"
            )
        made = _made(
            kind or transformers.TrainingArguments,
            output_dir=str(folder), max_steps=updates, per_device_train_batch_size=self.batch,
            gradient_accumulation_steps=self.accumulate, learning_rate=self.learning_rate, optim=self.optimiser,
            lr_scheduler_type=self.schedule, warmup_steps=round(self.warm_up * updates), weight_decay=self.weight_decay,
            max_grad_norm=self.clip, bf16=self.precision == "bf16", fp16=self.precision == "fp16",
            neftune_noise_alpha=self.neftune, dataloader_num_workers=self.workers,
            seed=self.seed, logging_steps=self.log_every, logging_first_step=True, logging_nan_inf_filter=False,
            save_strategy="steps" if self.save_every else "no", save_steps=self.save_every or updates,
            save_total_limit=self.keep, remove_unused_columns=False, disable_tqdm=True, report_to=[],
            use_cpu=on_cpu, dataloader_pin_memory=pinned, eval_strategy="no",
            label_names=[], ddp_find_unused_parameters=True, **more,
        )  # fmt: skip
        made._n_gpu = min(1, made.n_gpu)  # several devices are torchrun's business: DataParallel would split lists
        return made


def _made(kind: Any, **given: Any) -> Any:
    try:
        return kind(**given)
    except ValueError as error:  # bf16 without a GPU that knows it, schedules and optimisers that nobody knows
        raise ConfigError(
            f"transformers refuses these settings on this machine: {error} (to train on the CPU: "
            "--set settings.device=cpu; in full precision: --set settings.precision=fp32)"
        ) from error
