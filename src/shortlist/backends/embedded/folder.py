"""A model on disk: the shipped one, a folder of the user's, or a folder of a Hugging Face hub repository.

A folder holds `tokenizer.json`, `config.json` and either safetensors (preferred: every precision, fastest) or an ONNX
file (run as it is).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from shortlist.core.errors import ConfigError
from shortlist.core.extras import need

from .architecture import (
    FAMILIES,
    Architecture,
    count_labels,
    count_positions,
    read_architecture,
    read_json,
    read_pooling,
)
from .tokens import TextTokens
from .weights import Weights

DEFAULT = "all-MiniLM-L6-v2"
"""Name of the model that is used when none is given."""
SHIPPED = Path(__file__).parents[2] / "models"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_ONNX_PLACES = ("model.onnx", "onnx/model.onnx")


@dataclass
class ModelFolder:
    """What is in a model folder, read when asked for. ``onnx``: a file to run instead of the folder's weights."""

    folder: Path
    onnx: Path | None = None

    @cached_property
    def tokens(self) -> TextTokens:
        return TextTokens(self.folder / "tokenizer.json")

    @cached_property
    def architecture(self) -> Architecture:
        return read_architecture(self.folder)

    @cached_property
    def direct(self) -> bool:
        """Whether the folder's family is one that is built here."""
        return read_json(self.folder / "config.json").get("model_type", "bert") in FAMILIES

    @cached_property
    def weight_files(self) -> tuple[Path, ...]:
        return tuple(sorted(self.folder.glob("*.safetensors")))

    @cached_property
    def weights(self) -> Weights:
        if not self.weight_files:
            raise ConfigError(f"{self.folder}: no *.safetensors file and no ONNX file (model.onnx, onnx/model.onnx); "
                              "pickled weights (pytorch_model.bin) are not read, save them as safetensors")  # fmt: skip
        return Weights(self.weight_files)

    @cached_property
    def onnx_file(self) -> Path | None:
        """The ONNX file to run: the one given, or the folder's when its weights cannot be run directly."""
        if self.onnx is not None:
            return self.onnx
        found = [path for place in _ONNX_PLACES if (path := self.folder / place).is_file()]
        return found[0] if found and not (self.weight_files and self.direct) else None

    @cached_property
    def labels(self) -> int:
        """Outputs of the classification head; 0 without one."""
        return count_labels(read_json(self.folder / "config.json"))

    @cached_property
    def pooling(self) -> str:
        return read_pooling(self.folder)

    @cached_property
    def prompts(self) -> dict[str, str]:
        """What a sentence-transformers folder puts before a query and before a document."""
        path = self.folder / "config_sentence_transformers.json"
        prompts = read_json(path).get("prompts", {}) if path.is_file() else {}
        document = prompts.get("document", prompts.get("passage", ""))
        return {"query": prompts.get("query", ""), "document": document}

    def window(self, asked: int | None) -> int:
        """The window in tokens: ``asked``, or the model's own. Raises ConfigError above what the model can read."""
        longest = count_positions(read_json(self.folder / "config.json"))
        settings = self.folder / "sentence_bert_config.json"
        own = read_json(settings).get("max_seq_length") if settings.is_file() else None
        window = asked if asked is not None else min(int(own or longest), longest)
        if not 8 <= window <= longest:
            raise ConfigError(
                f"max_length is {window}; {self.folder.name} reads at most {longest} tokens and 8 is the least"
            )
        return window

    @cached_property
    def digest(self) -> str:
        """Hash of the weights, the configuration and the tokenizer."""
        total = hashlib.sha256()
        onnx = self.onnx_file
        files = [onnx] if onnx else list(self.weight_files)
        extra = ("config.json", "tokenizer.json", "1_Pooling/config.json")
        for path in [*files, *(self.folder / name for name in extra)]:
            if path.is_file():
                with path.open("rb") as file:
                    total.update(hashlib.file_digest(file, "sha256").digest())
        return total.hexdigest()


def shipped() -> list[str]:
    """Names of the models inside this package."""
    return sorted(folder.name for folder in SHIPPED.iterdir() if (folder / "config.json").is_file())


def find_model(path: str | Path) -> ModelFolder:
    """The model called ``path``: a shipped name, a folder, an ``.onnx`` file, or ``owner/name`` on the hub.

    A hub name is looked up in the local hub cache and then fetched, weights in safetensors or ONNX only.
    Raises ConfigError when there is nothing of that name.
    """
    if str(path) in shipped():
        return ModelFolder(SHIPPED / path)
    place = Path(path).expanduser()
    if place.is_file() and place.suffix == ".onnx":
        near = [folder for folder in (place.parent, place.parent.parent) if (folder / "tokenizer.json").is_file()]
        if not near:
            raise ConfigError(f"{place}: no tokenizer.json beside the file or one folder up")
        return ModelFolder(near[0], place)
    if place.is_dir():
        return ModelFolder(place)
    if isinstance(path, str) and _HUB_NAME.fullmatch(path):
        return ModelFolder(_from_hub(path))
    raise ConfigError(
        f"no model {str(path)!r}: expected {' or '.join(map(repr, shipped()))}, a model folder, an .onnx file or a hub "
        "name (owner/name)"
    )


def _from_hub(name: str) -> Path:
    hub = need("huggingface-hub", extra="local")
    errors = need("huggingface-hub", extra="local", module="huggingface_hub.errors")
    patterns = ["*.json", "*.safetensors", "1_Pooling/*", "onnx/model.onnx"]
    try:
        return Path(hub.snapshot_download(name, allow_patterns=patterns, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        pass  # not in the local cache: the next line asks the hub
    try:
        return Path(hub.snapshot_download(name, allow_patterns=patterns))
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        raise ConfigError(f"no folder {name!r} here, and the hub could not be asked for it: {error}") from error
