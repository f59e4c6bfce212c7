"""A base model for training: from a transformers folder, a hub name, or a folder in this package's int8 form.

Unlike at inference a classification head may be missing: it is then made anew. LoRA (Hu et al. 2022, arXiv 2106.09685)
comes from PEFT. It does not know students.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...backends.embedded.folder import SHIPPED, shipped
from ...backends.embedded.weights import Weights
from ...backends.transformers.hashes import files_digest
from ...backends.transformers.local import Loaded, Task, load_local
from ...core.errors import BackendError, ConfigError
from ...core.extras import need
from ._quantised import open_quantised

_CLASSES = {
    "causal": "AutoModelForCausalLM",
    "classification": "AutoModelForSequenceClassification",
    "embedding": "AutoModel",
    "seq2seq": "AutoModelForSeq2SeqLM",
}
_PEFT_TASKS = {"causal": "CAUSAL_LM", "classification": "SEQ_CLS", "embedding": "FEATURE_EXTRACTION",
               "seq2seq": "SEQ_2_SEQ_LM"}  # fmt: skip


@dataclass(frozen=True)
class LoRA:
    """Low-rank deltas instead of all weights.

    targets: names of the layers, or ``all-linear``. merge: add the deltas to the base's weights when the model is
    saved; otherwise the adapter alone is written, which the backends open with ``adapter=FOLDER`` beside the base.
    quantise: ``nf4`` keeps the frozen base in 4 bits while it is trained on (QLoRA, ``_quantised``); what is saved is
    for the base as it is.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: str | tuple[str, ...] = "all-linear"
    merge: bool = True
    quantise: Literal["nf4"] | None = None

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1:
            raise ConfigError(f"rank={self.rank}, alpha={self.alpha}, dropout={self.dropout}: expected 1, above 0, 0-1")
        if self.quantise not in (None, "nf4"):
            raise ConfigError(f"quantise={self.quantise!r}: expected 'nf4', or none for the weights as they are")

    def config(self, task: Task) -> Any:
        """PEFT's description of the deltas."""
        targets = self.targets if isinstance(self.targets, str) else list(self.targets)
        return need("peft>=0.12", extra="train").LoraConfig(
            task_type=_PEFT_TASKS[task], r=self.rank, lora_alpha=self.alpha, lora_dropout=self.dropout,
            target_modules=targets,
        )  # fmt: skip

    def put_on(self, model: Any, task: Task) -> Any:
        """The model with trainable deltas; everything else is frozen."""
        peft = need("peft>=0.12", extra="train")
        if self.quantise is not None:
            model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
            return peft.get_peft_model(model, self.config(task))  # which asks transformers under a name of the past


def open_base(
    base: str | Path, task: Task, *, dtype: str = "float32", labels: int | None = None, quantise: str | None = None
) -> Loaded:
    """Model and tokenizer on the CPU, or with ``quantise`` (as in ``LoRA``) where they will be trained. labels: outputs
    of a classification head, made at random where it is missing.

    Raises BackendError when files are missing or do not suit.
    """
    torch, transformers = need("torch>=2.4", extra="train"), need("transformers>=4.48", extra="train")
    folder = SHIPPED / base if str(base) in shipped() else Path(base).expanduser()
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise BackendError(f"{folder} is no model folder: config.json is missing")
    packed = _int8(folder)
    if quantise is not None:
        if packed is not None:
            raise ConfigError(f"{base} holds int8 rows; quantise={quantise!r} needs the model as transformers saves it")
        name = str(folder if folder.is_dir() else base)
        return open_quantised(name, task, _CLASSES[task], dtype=dtype, labels=labels)
    if packed is None and task != "classification":
        return load_local(base, task, device="cpu", dtype=dtype)
    name = str(folder if folder.is_dir() else base)
    sized = {} if labels is None else {"num_labels": labels}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        auto = getattr(transformers, _CLASSES[task])
        if packed is None:
            model = auto.from_pretrained(name, **sized)
        else:
            model = auto.from_config(transformers.AutoConfig.from_pretrained(name, **sized))
            _fill(torch, model, packed)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        said = " ".join(str(error).split())[:300]
        raise BackendError(f"{base} cannot be opened as a {task} model to be trained: {said}") from error
    digest = files_digest(name) if folder.is_dir() else f"{name}@{getattr(model.config, '_commit_hash', None)}"
    return Loaded(torch, model.to(getattr(torch, dtype)), tokenizer, "cpu", digest)


def quiet() -> None:
    """No bars and no notes on standard error: progress is the command line's business."""
    log = need("transformers>=4.48", extra="train").utils.logging
    log.set_verbosity_error()
    log.disable_progress_bar()


def _int8(folder: Path) -> Weights | None:
    """The folder's weights when they are int8 rows with scales."""
    files = tuple(sorted(folder.glob("*.safetensors"))) if folder.is_dir() else ()
    weights = Weights(files) if files else None
    return weights if weights is not None and weights.rounded else None


def _fill(torch: Any, model: Any, packed: Weights) -> None:
    """The packed weights as floats in the model; the names may lack or have the encoder's prefix."""
    prefix = f"{model.base_model_prefix}."
    state = {name: torch.from_numpy(packed.floats(name).copy()) for name in packed.matrices()}
    own = set(model.state_dict())
    renamed = {}
    for name, value in state.items():
        forms = (name, name.removeprefix(prefix), prefix + name)
        renamed[next((form for form in forms if form in own), name)] = value
    _, unexpected = model.load_state_dict(renamed, strict=False)
    if unexpected:
        raise KeyError(f"no place for {unexpected[:3]}")
