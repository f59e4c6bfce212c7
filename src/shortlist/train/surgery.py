"""Smaller models from larger ones before they are trained: some of the layers, some of the vocabulary.

Sources: DistilBERT (Sanh et al. 2019, arXiv 1910.01108: layers copied from the teacher); BiStil (Ansell et al. 2023,
arXiv 2306.01709: layers and vocabulary). Nothing is computed: tensors are copied as they are stored, int8 included. It
knows encoders of BERT's family and WordPiece vocabularies for ``keep_words``; layers also of decoder models.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backends.embedded.architecture import read_json
from ..backends.embedded.tokens import TextTokens
from ..core.errors import ConfigError
from ..formats.atomic import atomic_text
from .folders import as_stored, copy_beside, weights_of, write_json, write_tensors

_LAYER = re.compile(r"(^|\.)(encoder\.layer|transformer\.layer|layers|h)\.(\d+)\.")
_UNUSED = re.compile(r"\[unused\d+\]")
_DEPTHS = ("num_hidden_layers", "n_layers", "n_layer")
_BY_WORD = ("word_embeddings.weight", "word_embeddings.weight.scale", "predictions.decoder.weight",
            "predictions.decoder.bias", "predictions.bias", "lm_head.decoder.weight", "lm_head.bias")  # fmt: skip
_IDS = ("pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id")


def keep_layers(folder: Path, output: Path, layers: Sequence[int]) -> None:
    """A model of the given layers (positions from 0, rising) with everything else as it was.

    With the first n layers its token states are those of the whole model after its n-th layer.
    """
    config, weights = read_json(folder / "config.json"), weights_of(folder)
    named = next((name for name in _DEPTHS if name in config), None)
    if named is None:
        raise ConfigError(f"{folder}/config.json does not say how many layers there are")
    depth = int(config[named])
    if not layers or sorted(set(layers)) != list(layers) or layers[0] < 0 or layers[-1] >= depth:
        raise ConfigError(f"layers {list(layers)}: expected rising positions from 0 to {depth - 1}")
    place = {old: new for new, old in enumerate(layers)}
    tensors = {}
    for name in weights:
        found = _LAYER.search(name)
        if found is None:
            tensors[name] = as_stored(weights, name)
        elif int(found[3]) in place:
            start, end = found.span(3)
            tensors[f"{name[:start]}{place[int(found[3])]}{name[end:]}"] = as_stored(weights, name)
    changes: dict[str, Any] = {named: len(layers)}
    if isinstance(config.get("layer_types"), list):
        changes["layer_types"] = [config["layer_types"][i] for i in layers]
    copy_beside(folder, output, **changes)
    write_tensors(output / "model.safetensors", tensors)


def keep_words(
    folder: Path, output: Path, texts: Iterable[str], most: int | None = None, first: int = 0
) -> tuple[int, int]:
    """A model whose vocabulary holds the tokens of the texts, single characters and special tokens only.

    most: of these tokens only so many, the most frequent ones. first: so many words from the start of the vocabulary
    are kept whatever the texts hold, and count towards ``most``: BERT's begins with what is frequent in general, so
    that texts of one domain do not decide alone. Every text whose tokens are all kept is tokenised as before and has
    the same states, bit by bit; other words become smaller pieces. Returns how many tokens there were, and are. Raises
    ConfigError for a tokenizer that is not WordPiece.
    """
    if first < 0 or (most is not None and most < max(first, 1)):
        raise ConfigError(f"most={most}, first={first}: expected 1 or more tokens (or None) and from 0 to most")
    tokenizer = read_json(folder / "tokenizer.json")
    if tokenizer["model"].get("type") != "WordPiece":
        raise ConfigError(f"{folder}: only WordPiece vocabularies can be cut; this is {tokenizer['model'].get('type')}")
    before, kept = len(tokenizer["model"]["vocab"]), _kept(tokenizer, _used(folder, texts), most, first)
    new = {old: i for i, old in enumerate(kept)}
    weights, config = weights_of(folder), read_json(folder / "config.json")
    rows = np.array(kept)
    tensors = {n: as_stored(weights, n, rows if n.endswith(_BY_WORD) else None) for n in weights}
    ids = {name: new[config[name]] for name in _IDS if config.get(name) is not None}
    copy_beside(folder, output, vocab_size=len(kept), **ids)
    write_tensors(output / "model.safetensors", tensors)
    _write_tokenizer(output, tokenizer, new)
    return before, len(kept)


def _kept(tokenizer: dict[str, Any], found: Counter[int], most: int | None, first: int) -> list[int]:
    """The ids that stay, rising."""
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    prefix = tokenizer["model"]["continuing_subword_prefix"]
    always = {i for piece, i in vocabulary.items() if len(piece.removeprefix(prefix)) == 1}
    always |= {entry["id"] for entry in tokenizer["added_tokens"]} | {vocabulary[tokenizer["model"]["unk_token"]]}
    general = sorted(i for piece, i in vocabulary.items() if i not in always and not _UNUSED.fullmatch(piece))
    words = dict.fromkeys([*general[:first], *(i for i, _ in found.most_common())])
    return sorted({*list(words)[:most], *always})


def _used(folder: Path, texts: Iterable[str]) -> Counter[int]:
    """How often each token stands in the texts."""
    tokens = TextTokens(folder / "tokenizer.json", cache_size=1)
    used: Counter[int] = Counter()
    for text in texts:
        used.update(tokens.ids(text).tolist())
    return used


def _write_tokenizer(output: Path, tokenizer: dict[str, Any], new: dict[int, int]) -> None:
    model = tokenizer["model"]
    model["vocab"] = {piece: new[i] for piece, i in sorted(model["vocab"].items(), key=lambda p: p[1]) if i in new}
    for entry in tokenizer["added_tokens"]:
        entry["id"] = new[entry["id"]]
    after = tokenizer.get("post_processor") or {}
    for entry in after.get("special_tokens", {}).values():
        entry["ids"] = [new[i] for i in entry["ids"]]
    for side in ("sep", "cls"):
        if side in after:
            after[side] = [after[side][0], new[after[side][1]]]
    if tokenizer.get("padding"):
        tokenizer["padding"]["pad_id"] = new[tokenizer["padding"]["pad_id"]]
    with atomic_text(output / "tokenizer.json") as out:
        out.write(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")))
    if (output / "vocab.txt").is_file():
        (output / "vocab.txt").write_text("\n".join(model["vocab"]) + "\n", encoding="utf-8")
    settings = output / "tokenizer_config.json"
    if settings.is_file():
        held = json.loads(settings.read_text(encoding="utf-8"))
        if "added_tokens_decoder" in held:
            held["added_tokens_decoder"] = {str(new[int(i)]): v for i, v in held["added_tokens_decoder"].items()}
        write_json(settings, held)
