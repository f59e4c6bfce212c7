"""Training a student: transformers' ``Trainer`` with our data, our scores and our losses.

Optimiser, schedule, accumulation, precision, checkpoints and several processes (torchrun, accelerate launch) are
transformers'. Ours is the order of the data, which depends on the seed alone, so that a killed job continues to the
result it would have had, and the record: one line of ``metrics.jsonl`` per report. Nothing is sent anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..core.extras import need
from ..core.types import Ranking
from .batches import Grouping, Groups
from .collate import BESIDE, Collate
from .dev import Dev
from .gate import HeldOut
from .gathered import mean_of_all
from .loop import Looking, Trained, run, start
from .objective import Objective
from .record import Progress, plain
from .settings import Settings
from .students import Student
from .students._open import quiet

WEIGHTS = "trained.safetensors"


def check(student: Student, objective: Objective, grouping: Grouping) -> None:
    """Raises ConfigError for parts that do not fit together."""
    student.check()
    lacking = objective.wanted - student.gives
    name = type(student).__name__
    if lacking:
        raise ConfigError(f"{name} gives {', '.join(sorted(student.gives))}; the objective needs {sorted(lacking)[0]}")
    if student.listwise and grouping.shown == "positives-first":
        raise ConfigError(
            f"{name} sees the order in which documents are shown; with shown='positives-first' it would learn that the "
            "first place is relevant; use shown='shuffled' or 'first-stage'"
        )
    if objective.direction is not None and grouping.positives != 1:
        raise ConfigError("weight and direction are defined for one positive per list; use positives=1")


def train(
    student: Student,
    rankings: Sequence[Ranking],
    objective: Objective,
    grouping: Grouping,
    settings: Settings,
    folder: Path,
    *,
    resume: bool = False,
    progress: Progress = lambda done, total: None,
    dev: Dev | None = None,
    dev_sets: Sequence[HeldOut] = (),
) -> Trained:
    """Train and keep checkpoints in ``folder``; the model itself is saved by ``student.save(trained.module, ...)``.

    resume: continue from the last whole checkpoint there, with the same settings and number of processes. dev: how
    ``dev_sets`` are looked at meanwhile. Raises ConfigError when parts do not fit or checkpoints are in the way,
    InputError when nothing can be trained on.
    """
    check(student, objective, grouping)
    groups = Groups(rankings, grouping, settings.seed, judged=objective.labelled)
    transformers = need("transformers>=4.48", extra="train")
    quiet()
    begun = start(folder, settings, resume=resume)
    per_update = settings.batch * settings.accumulate * begun.world
    updates = settings.steps or max(1, math.ceil(groups.samples * settings.epochs / per_update))
    groups.length = updates * per_update
    transformers.set_seed(settings.seed)
    module = student.module()
    module.wanted, module.gather = objective.wanted, objective.gather
    if settings.checkpoint_gradients:
        module.save_memory()
    trainer = trainer_class()(
        model=module, args=settings.arguments(folder, updates), train_dataset=groups,
        data_collator=Collate(student, across=objective.contrast is not None, gather=objective.gather),
    )  # fmt: skip
    trainer.objective = objective
    trainer.remove_callback(transformers.PrinterCallback)
    return run(
        trainer, module, begun, Looking(student, dev, dev_sets), samples=groups.samples, seen=per_update,
        left_out=groups.left_out, progress=progress, row=plain,
    )  # fmt: skip


def trainer_class() -> type:
    """The ``Trainer`` that scores groups and saves what is trained."""
    transformers, torch = need("transformers>=4.48", extra="train"), need("torch>=2.4", extra="train")
    safetensors = need("safetensors", extra="train", module="safetensors.torch")

    class RankingTrainer(transformers.Trainer):  # type: ignore[misc, name-defined]
        objective: Objective

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.model_accepts_loss_kwargs = False  # losses are means over the batch
            self.sums: dict[str, float] = {}

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            beside = {name: inputs[name] for name in BESIDE if name in inputs}
            given = model(**{name: value for name, value in inputs.items() if name not in BESIDE})
            terms = self.objective.terms(given, beside)
            for name, value in terms.items():
                self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
            self.sums["batches"] = self.sums.get("batches", 0) + 1
            loss = sum(terms.values())
            return (loss, given) if return_outputs else loss

        def log(self, logs: dict[str, float], *given: Any, **named: Any) -> None:
            batches = self.sums.pop("batches", 0)
            if batches and len(self.sums) > 1:
                means = mean_of_all([total / batches for total in self.sums.values()], self.args.device)
                logs |= {f"loss_{name}": mean for name, mean in zip(self.sums, means, strict=True)}
            self.sums.clear()
            super().log(logs, *given, **named)

        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)  # the data set is in order already

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            target = Path(output_dir or self.args.output_dir)
            target.mkdir(parents=True, exist_ok=True)
            trained = {name for name, parameter in self.model.named_parameters() if parameter.requires_grad}
            state = state_dict if state_dict is not None else self.model.state_dict()
            kept = {name: value.detach().cpu().contiguous() for name, value in state.items() if name in trained}
            safetensors.save_file(kept, str(target / WEIGHTS))

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            state = safetensors.load_file(str(Path(resume_from_checkpoint) / WEIGHTS))
            target = self.model if model is None else model
            trained = {name for name, parameter in target.named_parameters() if parameter.requires_grad}
            if trained != set(state):
                raise ConfigError(f"{resume_from_checkpoint} holds other weights than this recipe trains")
            target.load_state_dict(state, strict=False)

    return RankingTrainer
