"""What is done at a look while a student is trained: it is recorded, the best weights are kept, patience is counted.

A callback for transformers' ``Trainer``. What it knows goes into every checkpoint, and weights are deleted only when a
checkpoint no longer needs them, so that a killed training continues to the same choice. It does not know how a look
is made (``dev``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..core.extras import need
from ..formats.atomic import atomic_bytes
from .dev import Looks

METRICS = "metrics.jsonl"


def best_file(folder: Path, step: int) -> Path:
    """Where the weights of the best look are kept."""
    return folder / f"best-{step}.safetensors"


def drop_best(folder: Path, unwanted: Callable[[int], bool]) -> None:
    """Delete kept weights by their update."""
    for path in folder.glob("best-*.safetensors"):
        step = path.stem.rpartition("-")[2]
        if step.isdigit() and unwanted(int(step)):
            path.unlink(missing_ok=True)


def put_back(module: Any, path: Path) -> None:
    """Load kept weights. Raises ConfigError when they are gone."""
    torch = need("torch>=2.4", extra="train")
    safetensors = need("safetensors", extra="train", module="safetensors.torch")
    if not path.is_file():
        raise ConfigError(f"{path}, the weights of the best look, is missing; train anew in another folder")
    own = dict(module.named_parameters())
    with torch.no_grad():
        for name, value in safetensors.load_file(str(path)).items():
            own[name].copy_(value)


def watcher(
    module: Any, look: Callable[[], dict[str, float]], looks: Looks, folder: Path, every: int, *, keep_best: bool
) -> Any:
    """A callback for transformers' ``Trainer`` and what is derived from it.

    look: gives the columns of a line of ``metrics.jsonl`` in ``folder``; the first one is what decides. looks: of an
    earlier, killed run; filled. every: updates between two looks; the last update is always looked at.
    """
    transformers, torch = need("transformers>=4.48", extra="train"), need("torch>=2.4", extra="train")
    safetensors = need("safetensors", extra="train", module="safetensors.torch")
    base = transformers.trainer_callback

    class Watch(base.TrainerCallback, base.ExportableState):  # type: ignore[misc, name-defined]
        def state(self) -> dict[str, Any]:
            return {"args": {}, "attributes": {"history": looks.history}}

        def on_step_end(self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any) -> None:
            step = int(state.global_step)
            if step % every and step < state.max_steps:
                return
            with _averaged(optimizer):
                value = _of_first(torch, self.measured(step) if state.is_world_process_zero else 0.0)
                better = looks.add(step, value)
                if better and keep_best and state.is_world_process_zero:
                    self.keep(step, args.save_strategy == "no")
            if looks.exhausted:
                control.should_training_stop = True
                control.should_save = False  # a run that is resumed here would go on; from before, it ends here again

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero and looks.history:  # a continued run needs no older best than this
                drop_best(folder, lambda step: step != looks.best[0])

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero and looks.history:
                drop_best(folder, lambda step: step != looks.best[0])

        def measured(self, step: int) -> float:
            found = look()
            with (folder / METRICS).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **found}) + "\n")
            return next(iter(found.values()))

        def keep(self, step: int, at_once: bool) -> None:
            kept = {n: p.detach().cpu().contiguous() for n, p in module.named_parameters() if p.requires_grad}
            with atomic_bytes(best_file(folder, step)) as file:
                file.write(safetensors.save(kept))
            if at_once:  # without checkpoints a killed run begins anew
                drop_best(folder, lambda other: other != step)

    return Watch()


@contextmanager
def _averaged(optimizer: Any) -> Iterator[None]:
    """Schedule-free optimisers keep the averaged weights apart, and show them on request."""
    if not callable(getattr(optimizer, "eval", None)):
        yield
        return
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()


def _of_first(torch: Any, value: float) -> float:
    """The first process's value, in all."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    told = [value]
    torch.distributed.broadcast_object_list(told, src=0)
    return float(told[0])
