"""What every student has: a base model, a tokenizer, and a form in which it is saved.

A student is a description: its constructor stores parameters, ``module`` makes the weights, ``features`` turns groups
into tensors, ``forward`` turns these into scores, ``save`` writes a folder that the package's own runtime opens.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from ...backends.transformers.local import Loaded, Task
from ...backends.transformers.texts import Texts
from ...core.errors import ConfigError
from ...core.extras import need
from ..batches import Group
from ..objective import Given
from ._open import LoRA, open_base, quiet
from ._quantised import onto


@dataclass(frozen=True)
class Student:
    """base: a folder, a hub name or the shipped model's name. lora: train deltas only. dtype: of the weights in memory;
    bfloat16 makes sense for frozen ones under LoRA, otherwise ``Settings.precision`` is the place. dropout: of all the
    model's dropout layers (``torch.nn.Dropout``, as in BERT, T5 and their kin), None as the base says; 0 where a
    teacher's aims are exact. It is of the training only: what is saved says what the base said."""

    base: str | Path
    _: KW_ONLY
    lora: LoRA | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    dropout: float | None = None

    task: ClassVar[Task]
    gives: ClassVar[frozenset[Given]]
    listwise: ClassVar[bool] = False
    """Several documents in one prompt, so that the order in which they are shown matters."""

    def features(self, groups: Sequence[Group]) -> dict[str, Any]:
        """Tensors for ``forward``, whatever the student needs; their first axis is the lists."""
        raise NotImplementedError

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        """What is ``wanted`` of ``gives``, with gradients; padding has any value. module: what ``module`` made."""
        raise NotImplementedError

    @cached_property
    def loaded(self) -> Loaded:
        """Base model and tokenizer, read once."""
        quantise = None if self.lora is None else self.lora.quantise
        return open_base(self.base, self.task, dtype=self.dtype, labels=self.labels, quantise=quantise)

    def check(self) -> None:
        """Raises ConfigError for dropout that is no probability, and for all weights in 16 bits: a step below half of
        what they can tell apart is no step, and at usual learning rates nearly all are."""
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout={self.dropout}: expected from 0 to below 1, or none for the base's own")
        if self.lora is None and self.dtype != "float32":
            raise ConfigError(
                f"dtype={self.dtype!r} without lora: such weights do not take steps as small as training makes; use "
                " dtype='float32' and settings.precision='bf16', which computes in bfloat16, or lora"
            )

    @property
    def labels(self) -> int | None:
        """Outputs of a classification head."""
        return None

    @cached_property
    def texts(self) -> Texts:
        """The tokenizer with this package's rule for control tokens."""
        return Texts(self.loaded.tokenizer)

    def module(self) -> Any:
        """The weights to be trained, as a torch module whose ``forward(**features)`` gives what was ``wanted``."""
        torch, student = self.loaded.torch, self
        if self.dropout is not None:
            _set_dropout(torch, self.loaded.model, self.dropout)
        model = self.loaded.model if self.lora is None else self.lora.put_on(self.loaded.model, self.task)

        class Scoring(torch.nn.Module):  # type: ignore[misc, name-defined]
            """The model, and the student's way to score with it, as one module, so that DDP wraps both."""

            def __init__(self) -> None:
                super().__init__()
                self.model = model
                self.wanted: frozenset[Given] = frozenset({"scores"})
                self.gather = False
                """``across`` is over the documents of all processes."""
                for name, value in student.extra().items():
                    self.register_parameter(name, torch.nn.Parameter(torch.tensor(value)))

            def forward(self, **features: Any) -> dict[Given, Any]:
                return student.forward(self, features, self.wanted)

            def get_input_embeddings(self) -> Any:
                return self.model.get_input_embeddings()

            def save_memory(self) -> None:
                """Compute activations again in the backward pass instead of keeping them."""
                model, options = self.model, {"use_reentrant": False}
                if hasattr(model, "activation_checkpointing_enable"):  # its name from transformers 5.20 on
                    model.activation_checkpointing_enable(activation_checkpointing_kwargs=options)
                else:
                    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)
                if student.lora is not None:
                    model.enable_input_require_grads()

        return Scoring()

    def extra(self) -> dict[str, float]:
        """Trainable numbers beside the model: name -> first value."""
        return {}

    def save(self, module: Any, folder: Path) -> None:
        """Write a folder that ``runs_with`` opens: weights, configuration, tokenizer and settings."""
        quiet()
        folder.mkdir(parents=True, exist_ok=True)
        model = module.model
        if self.lora is not None and self.lora.merge:
            if self.lora.quantise is None:
                model = copy.deepcopy(model).merge_and_unload()
            else:
                model = onto(open_base(self.base, self.task, dtype=self.dtype, labels=self.labels).model, model)
        if self.lora is None or self.lora.merge:
            self._plain(model)
        model.save_pretrained(folder)
        self.loaded.tokenizer.save_pretrained(folder)
        for name, content in self.settings().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def _plain(self, model: Any) -> None:
        """Called before saving, for what must stand in the configuration."""

    def settings(self) -> dict[str, Any]:
        """Further JSON files of the folder: relative name -> content."""
        return {}

    def opens_with(self, folder: str) -> dict[str, Any]:
        """``{"method": ..., **parameters}``: how the saved folder is run (``load(method, **parameters)``)."""
        raise NotImplementedError

    def runs_with(self, folder: str) -> dict[str, Any]:
        """``opens_with``, also for an adapter that was not merged: the base with ``folder`` as its adapter.

        Raises ConfigError for methods whose runtime puts no adapter on a model.
        """
        opened = self.opens_with(folder)
        if self.lora is None or self.lora.merge:
            return opened
        if opened["method"] in ("cross-encoder", "bi-encoder", "late-interaction", "mvp"):
            raise ConfigError(f"{opened['method']} opens whole models only; use lora with merge=true")
        extra = {"num_labels": self.labels} if self.labels else {}
        return {**opened, "model": str(self.base), "options": {**opened["options"], "adapter": folder, **extra}}

    def smoke_changes(self, folder: Path) -> dict[str, Any]:
        """Parameters beside ``base`` that a smoke run changes. folder: the tiny model's."""
        return {}

    def window(self, max_length: int | None) -> int:
        """Tokens of one text: the model's own limit, or fewer."""
        own = self.loaded.window
        positions = None if own is None else own - _taken_positions(self.loaded)
        limits = [limit for limit in (positions, max_length) if limit is not None]
        window = min(limits, default=2**31)
        if window < 8:
            raise ConfigError(f"max_length={max_length}: expected 8 or more")
        return window

    def pad(self) -> int:
        """A token for padding; the mask hides it."""
        return int(self.loaded.tokenizer.pad_token_id or 0)


def _set_dropout(torch: Any, model: Any, probability: float) -> None:
    layers = [part for part in model.modules() if isinstance(part, torch.nn.Dropout)]
    if not layers and probability:
        raise ConfigError(f"dropout={probability}: {type(model).__name__} has no dropout layers; leave it out")
    for layer in layers:
        layer.p = probability


def _taken_positions(loaded: Loaded) -> int:
    """Positions that RoBERTa's family keeps for padding."""
    kind = getattr(loaded.config, "model_type", "")
    return int(loaded.config.pad_token_id) + 1 if kind in ("roberta", "xlm-roberta", "camembert") else 0


def padded(rows: Sequence[Sequence[int]], pad: int, *, left: bool = False) -> tuple[Any, Any]:
    """(ids, mask) of shape (rows, longest), both int64; padding on the right, or on the left."""
    torch = need("torch>=2.4", extra="train")
    width = max((len(row) for row in rows), default=1) or 1
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        ids[i, place] = torch.tensor(row, dtype=torch.long)
        mask[i, place] = 1
    return ids, mask


def slots(groups: Sequence[Group]) -> tuple[int, list[tuple[int, int]]]:
    """The most documents of a group, and (list, document) of every document."""
    width = max(len(group.candidates) for group in groups)
    return width, [(i, d) for i, group in enumerate(groups) for d in range(len(group.candidates))]


def laid_out(values: Any, places: Any, shape: tuple[int, ...]) -> Any:
    """``values`` (documents, ...) put at their (list, document) places; zeros elsewhere, so that nothing is NaN."""
    torch = need("torch>=2.4", extra="train")
    out = torch.zeros((*shape, *values.shape[1:]), dtype=values.dtype, device=values.device)
    return out.index_put((places[:, 0], places[:, 1]), values)
