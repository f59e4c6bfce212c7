"""Training a chat model by rewards: TRL's ``GRPOTrainer`` with our prompts, our rewards and our record.

Sampling, advantages, the loss, checkpoints and several processes (torchrun, accelerate launch) are TRL's and
transformers'. Ours are the tokens of the prompts, which are those of the runtime; the order of the queries, which
depends on the seed alone; and the rewards, which see all answers of a query at once, those of other processes too.
Nothing is sent anywhere: TRL's count of its users is left out.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.errors import ConfigError
from ...core.extras import need
from ...core.types import Ranking
from ..batches import Grouping
from ..dev import Dev
from ..gate import HeldOut
from ..loop import Looking, Trained, run, start
from ..record import Progress
from ..settings import Settings
from ..students import Student
from ..students._open import quiet
from ..students._prompts import Prompted
from .judge import Judge, columns
from .options import Reinforce
from .prompts import Prompts, rewardable
from .record import row


def check(student: Student, wanted: Reinforce, grouping: Grouping, settings: Settings) -> None:
    """Raises ConfigError for parts that do not fit together."""
    if not isinstance(student, Prompted):
        raise ConfigError(
            f"{type(student).__name__} writes no text that could be rewarded; use a student with a prompt"
        )
    student.check()
    wanted.kind.check(wanted.reward, grouping)
    each = grouping.largest if wanted.kind.pointwise else 1
    if wanted.prompts % each:
        raise ConfigError(
            f"a generation is of {wanted.prompts} prompts, and each query brings {each}; all answers of a query must "
            f"be in one generation: use a multiple of {each}"
        )
    if settings.accumulate != 1:
        raise ConfigError("accumulate follows from prompts, rollouts, updates and batch here; leave it out")
    if settings.save_every % wanted.uses:
        raise ConfigError(
            f"save_every={settings.save_every}: the answers of a generation are used for {wanted.uses} updates and are "
            "not saved, so a training continues to the same result only from checkpoints at multiples of that"
        )


def reinforce(
    student: Student,
    rankings: Sequence[Ranking],
    wanted: Reinforce,
    grouping: Grouping,
    settings: Settings,
    folder: Path,
    *,
    resume: bool = False,
    progress: Progress = lambda done, total: None,
    dev: Dev | None = None,
    dev_sets: Sequence[HeldOut] = (),
) -> Trained:
    """As ``trainer.train``, by rewards instead of an objective. settings.batch: answers of one step on one device.

    Raises ConfigError when parts do not fit or checkpoints are in the way, InputError when no sample can be rewarded.
    """
    check(student, wanted, grouping, settings)
    assert isinstance(student, Prompted)
    groups, left_out = rewardable(rankings, grouping, wanted.kind, settings.seed)
    trl, transformers = need("trl>=1.16", extra="rl"), need("transformers>=4.48", extra="train")
    quiet()
    begun = start(folder, settings, resume=resume)
    prompts = Prompts(student, groups, wanted.kind)
    updates = settings.steps
    if updates is None:
        asked = groups.samples * prompts.each * settings.epochs
        updates = max(1, math.ceil(asked / wanted.prompts)) * wanted.uses
    groups.length = math.ceil(updates / wanted.uses) * wanted.prompts // prompts.each
    transformers.set_seed(settings.seed)
    judge = Judge(prompts, wanted.rollouts, wanted.parameters)
    with _old_names():
        trainer = trainer_class()(
            model=student.loaded.model, args=configured(trl, wanted, settings, folder, updates, begun.world),
            reward_funcs=[_paid(judge)], processing_class=student.texts.tokenizer,
            train_dataset=need("datasets", extra="rl").Dataset.from_dict({"prompt": list(range(prompts.rows))}),
            peft_config=None if student.lora is None else student.lora.config("causal"),
        )  # fmt: skip
    trainer.rows = prompts
    trainer.remove_callback(transformers.PrinterCallback)
    return run(
        trainer, _held(trainer.model), begun, Looking(student, dev, dev_sets), samples=groups.samples,
        seen=wanted.answers // wanted.updates, left_out=left_out, progress=progress, row=row, held=_old_names,
    )  # fmt: skip


def configured(trl: Any, wanted: Reinforce, settings: Settings, folder: Path, updates: int, world: int) -> Any:
    """TRL's ``GRPOConfig``: ours, and nothing that it would choose itself."""
    own = replace(settings, accumulate=wanted.accumulate(settings.batch, world))
    known = trl.GRPOConfig.__dataclass_fields__
    name = (
        "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"
    )  # from 5.20 on
    memory = {name: settings.checkpoint_gradients, f"{name}_kwargs": {"use_reentrant": False}}
    return own.arguments(folder, updates, trl.GRPOConfig, **wanted.trl(), **memory)


def trainer_class() -> type:
    """The ``GRPOTrainer`` that asks rows of ``Prompts`` and tells nobody."""
    trl = need("trl>=1.16", extra="rl")

    class Rewarded(trl.GRPOTrainer):  # type: ignore[misc, name-defined]
        rows: Prompts

        def _tokenize_prompts(self, prompts: list[int]) -> tuple[list[list[int]], None, dict[str, Any]]:
            """Rows to tokens; TRL's own would read control tokens in documents, and put a second BOS in front."""
            known = {row: self.rows.ids(row) for row in dict.fromkeys(prompts)}
            return [known[row] for row in prompts], None, {}

        def _send_telemetry(self) -> None:
            """Not done."""

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """Written elsewhere, when the training is over."""

    return Rewarded


def _paid(judge: Judge) -> Any:
    """The reward function that TRL calls with this process's part of a generation."""
    accelerate = need("accelerate>=1.1", extra="train")

    def reward(
        prompts: list[int], completions: list[str], completion_ids: list[list[int]], log_metric: Any, **_: Any
    ) -> list[float]:
        own = list(zip(prompts, completion_ids, strict=True))
        paid = judge.rewards(accelerate.utils.gather_object(own))
        for name, value in columns(paid).items():
            log_metric(name, value)
        first = accelerate.PartialState().process_index * len(own)
        return [one.total for one in paid[first : first + len(own)]]

    return reward


@contextmanager
def _old_names() -> Iterator[None]:
    """TRL 1.16 and PEFT ask transformers 5.20 and later for memory saving by its former name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*gradient_checkpointing", category=FutureWarning)
        yield


def _held(model: Any) -> Any:
    """The model as ``module.model``, where students expect it."""
    torch = need("torch>=2.4", extra="train")

    class Held(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

    return Held()
