"""Load a model and its tokenizer: from a folder without any network, or by hub name; device, dtype, LoRA adapter.

Source: transformers' and PEFT's documentation. It does not know tasks beyond which Auto class loads them, nor several
devices for one model.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

from ...core.errors import BackendError, ConfigError
from ...core.extras import need
from ..kinds import expect, refuse
from .hashes import files_digest

logger = logging.getLogger(__name__)

Task = Literal["causal", "seq2seq", "classification", "embedding"]
_CLASSES: dict[Task, str] = {
    "causal": "AutoModelForCausalLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "classification": "AutoModelForSequenceClassification",
    "embedding": "AutoModel",
}
_DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Loaded:
    """A model in eval mode on its device, its tokenizer, and what identifies the weights."""

    torch: ModuleType
    model: Any
    tokenizer: Any
    device: str
    digest: str

    @property
    def config(self) -> Any:
        return self.model.config.get_text_config()

    @property
    def window(self) -> int | None:
        """Most tokens of one sequence; ``None`` when the model states no limit (T5)."""
        limit = getattr(self.config, "max_position_embeddings", None)
        return int(limit) if isinstance(limit, int) and limit > 0 else None

    def limit(self, max_length: int | None) -> int | None:
        """The smaller of the model's window and ``max_length``; ``None`` when neither sets a limit."""
        return min((limit for limit in (self.window, max_length) if limit is not None), default=None)


class Placed(Protocol):
    """A backend with the parameters that say where its model is and how it runs, under ``load_local``'s names."""

    @property
    def path(self) -> str | Path: ...
    @property
    def device(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def adapter(self) -> str | Path | None: ...
    @property
    def threads(self) -> int | None: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def trust_remote_code(self) -> bool: ...


def load_for(
    backend: Placed, task: Task, *, num_labels: int | None = None, renamed: Mapping[str, str] | None = None
) -> Loaded:
    """The model that a backend's own parameters name, with a warning where it was hardly meant for the task; else as
    ``load_local``."""
    expect(backend.path, task)
    return load_local(
        backend.path, task, device=backend.device, dtype=backend.dtype, adapter=backend.adapter,
        threads=backend.threads, revision=backend.revision, trust_remote_code=backend.trust_remote_code,
        num_labels=num_labels, renamed=renamed,
    )  # fmt: skip


def load_local(
    path: str | Path,
    task: Task,
    *,
    device: str = "auto",
    dtype: str = "auto",
    adapter: str | Path | None = None,
    threads: int | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    num_labels: int | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Loaded:
    """The model for ``task``.

    path: a folder in transformers' layout, or a hub name, which is looked up in the cache and then, unless offline, on
    the hub. device: ``auto`` is cuda, else mps, else cpu. dtype: ``auto`` is the checkpoint's own on a GPU and float32
    on the CPU. adapter: a PEFT folder or hub name, merged into the weights. threads: torch's, for the whole process.
    renamed: patterns in the names of saved weights, and what the model's class calls them.

    Raises BackendError when files are missing or do not suit the task, ConfigError for a wrong device or dtype and for
    a model of another kind.
    """
    torch, transformers = need("torch>=2.4", extra="local"), need("transformers>=4.48", extra="local")
    name = place_of(path)
    refuse(name, task)
    where = device_of(torch, device)
    if dtype not in _DTYPES:
        raise ConfigError(f"dtype={dtype!r}: expected one of {', '.join(_DTYPES)}")
    if threads is not None:
        torch.set_num_threads(threads)
    exact = "float32" if dtype == "auto" and where == "cpu" else dtype
    major, minor = (int(part) for part in transformers.__version__.split(".")[:2])
    key = "dtype" if (major, minor) >= (4, 56) else "torch_dtype"
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": trust_remote_code}
    sized: dict[str, Any] = {} if num_labels is None else {"num_labels": num_labels}
    if renamed is not None and (major, minor) >= (4, 51):
        sized["key_mapping"] = dict(renamed)
    wanted = exact if exact == "auto" else getattr(torch, exact)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
        with no_progress_bar(transformers):
            model, info = getattr(transformers, _CLASSES[task]).from_pretrained(
                name, output_loading_info=True, **options, **sized, **{key: wanted}
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise BackendError(_why_not(name, task, error)) from error
    _complete(name, task, info, adapter)
    commit = getattr(model.config, "_commit_hash", None)
    if adapter is not None:
        model = _adapted(model, adapter)
    digest = files_digest(name) if Path(name).is_dir() else f"{name}@{commit or revision or 'unknown'}"
    if adapter is not None:
        digest += "+" + (files_digest(adapter) if Path(adapter).is_dir() else str(adapter))
    kind = str(model.dtype).removeprefix("torch.")
    return Loaded(torch, model.to(where).eval(), tokenizer, where, f"{digest}-{kind}")


@contextmanager
def no_progress_bar(transformers: ModuleType) -> Iterator[None]:
    """transformers draws a bar on stderr while it loads; progress is the command line's business."""
    log = transformers.utils.logging
    shown = log.is_progress_bar_enabled()
    log.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            log.enable_progress_bar()


def place_of(path: str | Path) -> str:
    """The folder, checked, or the hub name."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            held = ", ".join(sorted(p.name for p in folder.iterdir())[:6]) or "nothing"
            raise BackendError(
                f"{folder} is no model folder: config.json is missing (it holds {held}); give the folder that "
                "save_pretrained or `hf download` wrote, and a LoRA folder as adapter="
            )
        return str(folder)
    looks_like_path = isinstance(path, Path) or str(path).startswith((".", "/", "~")) or str(path).count("/") > 1
    if looks_like_path or not str(path):
        raise BackendError(f"no folder {str(folder)!r} (from {Path.cwd()}); give an existing folder or a hub name")
    return str(path)


def device_of(torch: ModuleType, device: str) -> str:
    if device != "auto":
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f"device={device!r} is not usable here: {str(error).splitlines()[0]}") from error
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _why_not(name: str, task: Task, error: BaseException) -> str:
    said = " ".join(str(error).split())[:300]
    if Path(name).is_dir():
        return f"the folder {name} cannot be loaded as a {task} model: {said}"
    offline = need("huggingface_hub", extra="local").constants.HF_HUB_OFFLINE
    tried = f"tried the folder {name!r} (absent), the hub's cache on this machine"
    tried += ", not the hub itself (HF_HUB_OFFLINE is set)" if offline else " and the hub"
    remedy = f"run `hf download {name}` where there is a network, or give a local folder"
    return f"the model {name!r} cannot be loaded as a {task} model; {tried}; {remedy}. Reason: {said}"


def _complete(name: str, task: Task, info: Any, adapter: str | Path | None) -> None:
    """Refuse weights that transformers would make up at random (only a log line there)."""
    missing = sorted(key for key in info["missing_keys"] if task != "embedding" or "pooler" not in key)
    if adapter is not None and task == "classification":  # the adapter brings the head
        missing = [key for key in missing if key.split(".")[0] not in ("score", "classifier")]
    if missing:
        raise BackendError(
            f"{name} has no weights for {', '.join(missing[:4])}: it is no {task} model, and its scores would be random"
        )


def _adapted(model: Any, adapter: str | Path) -> Any:
    peft = need("peft", extra="local")
    try:
        return peft.PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        said = " ".join(str(error).split())[:300]
        raise BackendError(f"the adapter {adapter} cannot be put on {type(model).__name__}: {said}") from error
