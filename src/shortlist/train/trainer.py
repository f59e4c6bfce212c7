"""Training a student: transformers' ``Trainer`` with our data, our scores and our losses.

Optimiser, schedule, accumulation, precision, checkpoints and several processes (torchrun, accelerate launch) are
transformers'. Ours is the order of the data, which depends on the seed alone, so that a killed job continues to the
result it would have had, and the record: one line of ``metrics.jsonl`` per report. Nothing is sent anywhere.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..core.extras import need
from ..core.types import Ranking
from .batches import Grouping, Groups
from .collate import BESIDE, Collate
from .objective import Objective
from .settings import Settings
from .students import Student
from .students._open import quiet

WEIGHTS, STATE, METRICS = "trained.safetensors", "trainer_state.json", "metrics.jsonl"
Progress = Callable[[int, int], None]
"""Called after every update with the number of updates that are done, and of all."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training did. module: the trained weights. resumed: updates that an earlier, killed run had done.
    seen: groups per update, all processes together. left_out: reason -> samples that could not be trained on."""

    module: Any
    updates: int
    resumed: int
    samples: int
    seen: int
    loss: float
    left_out: dict[str, int]
    main_process: bool


def check(student: Student, objective: Objective, grouping: Grouping) -> None:
    """Raises ConfigError for parts that do not fit together."""
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
) -> Trained:
    """Train and keep checkpoints in ``folder``; the model itself is saved by ``student.save(trained.module, ...)``.

    resume: continue from the last whole checkpoint there, with the same settings and number of processes. Raises
    ConfigError when parts do not fit or checkpoints are in the way, InputError when nothing can be trained on.
    """
    check(student, objective, grouping)
    groups = Groups(rankings, grouping, settings.seed)
    last = last_checkpoint(folder)
    if last is not None and not resume:
        raise ConfigError(f"{folder} holds checkpoints of an earlier training; resume it, or give another folder")
    transformers = need("transformers>=4.48", extra="train")
    quiet()
    folder.mkdir(parents=True, exist_ok=True)
    world = int(settings.arguments(folder, 1).world_size)
    if world == 1 and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("several processes were started, but there is no GPU for them; on CPUs use device='cpu'")
    per_update = settings.batch * settings.accumulate * world
    updates = settings.steps or max(1, math.ceil(groups.samples * settings.epochs / per_update))
    groups.length = updates * per_update
    arguments = settings.arguments(folder, updates)
    transformers.set_seed(settings.seed)
    module = student.module()
    module.wanted = objective.wanted
    if settings.checkpoint_gradients:
        module.save_memory()
    trainer = trainer_class()(
        model=module, args=arguments, train_dataset=groups,
        data_collator=Collate(student, across=objective.contrast is not None),
    )  # fmt: skip
    trainer.objective = objective
    trainer.remove_callback(transformers.PrinterCallback)
    done = 0 if last is None else int(last.name.rpartition("-")[2])
    trainer.add_callback(_recorder(folder / METRICS, done, progress, rewrite=arguments.process_index == 0))
    result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if callable(getattr(trainer.optimizer, "eval", None)):  # schedule-free ones keep the averaged weights apart
        trainer.optimizer.eval()
    main = bool(arguments.process_index == 0)
    loss = float(result.training_loss)
    return Trained(module, updates, done, groups.samples, per_update, loss, groups.left_out, main)


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
                logs |= {f"loss_{name}": total / batches for name, total in self.sums.items()}
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


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end: its state, the last file, is whole."""
    found = [(int(p.name.rpartition("-")[2]), p) for p in folder.glob("checkpoint-*") if re.search(r"-\d+$", p.name)]
    for _, path in sorted(found, reverse=True):
        try:
            json.loads((path / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return path
    return None


def _recorder(path: Path, done: int, progress: Progress, *, rewrite: bool) -> Any:
    """Writes reports as lines, dropping those behind the checkpoint that is continued."""
    transformers = need("transformers>=4.48", extra="train")
    if rewrite and path.exists():
        kept = [line for line in path.read_text(encoding="utf-8").splitlines(True) if _step(line) <= done]
        path.write_text("".join(kept) if done else "", encoding="utf-8")

    class Recorder(transformers.TrainerCallback):  # type: ignore[misc, name-defined]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if state.is_world_process_zero and logs and "loss" in logs:
                row = {"step": state.global_step, **{k: float(v) for k, v in logs.items() if k != "epoch"}}
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress(state.global_step, state.max_steps)

    return Recorder()


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return math.inf  # torn by the kill
