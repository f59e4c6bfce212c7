"""A frozen base model in 4 bits, for LoRA on top: QLoRA.

Source: Dettmers et al. 2023, arXiv 2305.14314: NormalFloat 4 with double quantisation; sums are taken in the student's
``dtype``. bitsandbytes quantises while a model is loaded, on the GPU where there is one, and on the CPU, which is slow.
What is saved belongs to the base as it is published, not to its 4-bit form; the two differ a little, so what a merged
model scores is not exactly what was trained.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

from ...backends.transformers.hashes import files_digest
from ...backends.transformers.local import Loaded, Task
from ...core.errors import BackendError, MissingExtra
from ...core.extras import need

PACKAGE = "bitsandbytes>=0.46.1"  # transformers' own bound
HEADS = ("classifier", "score")
"""Heads are trained as a whole, so they are not quantised; transformers would leave out only those it finds last."""


def configuration(dtype: str, task: Task) -> Any:
    """What transformers is told. Raises MissingExtra without bitsandbytes."""
    torch, transformers = need("torch>=2.4", extra="train"), need("transformers>=4.48", extra="train")
    try:
        need(PACKAGE, extra="train")
    except MissingExtra as error:
        raise MissingExtra(
            f"quantise='nf4' needs {PACKAGE} ({error.__cause__ or error}): pip install '{PACKAGE}', best on a machine "
            "with an NVIDIA GPU; or leave quantise out, which needs memory for the whole base"
        ) from error
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
        llm_int8_skip_modules=list(HEADS) if task == "classification" else None,
    )  # fmt: skip


def open_quantised(name: str, task: Task, auto: str, *, dtype: str, labels: int | None) -> Loaded:
    """Model and tokenizer, as ``open_base``. auto: the class of transformers that loads it.

    Raises MissingExtra without bitsandbytes, BackendError when this machine cannot do it.
    """
    torch, transformers = need("torch>=2.4", extra="train"), need("transformers>=4.48", extra="train")
    wanted = configuration(dtype, task)
    gpu = bool(torch.cuda.is_available())
    place = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if gpu else "cpu"
    sized = {} if labels is None else {"num_labels": labels}
    key = "dtype" if _new(transformers.__version__) else "torch_dtype"
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        model = getattr(transformers, auto).from_pretrained(
            name, quantization_config=wanted, device_map={"": place}, **{key: getattr(torch, dtype)}, **sized
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, NotImplementedError) as error:
        said = " ".join(str(error).split())[:300]
        remedy = "" if gpu else "; there is no GPU here, so use a machine with one, or leave quantise out"
        raise BackendError(f"{name} cannot be opened in 4 bits as a {task} model: {said}{remedy}") from error
    digest = files_digest(name) if Path(name).is_dir() else f"{name}@{getattr(model.config, '_commit_hash', None)}"
    return Loaded(torch, model, tokenizer, place, f"{digest}-nf4")


def onto(whole: Any, adapted: Any) -> Any:
    """``whole``, an unquantised base, with the deltas (and head) of a model that was trained on its 4-bit form."""
    peft = need("peft>=0.12", extra="train")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        adapted.save_pretrained(folder)
        return peft.PeftModel.from_pretrained(whole, folder).merge_and_unload()


def _new(version: str) -> bool:
    """transformers calls it dtype from 4.56 on."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return (major, minor) >= (4, 56)
