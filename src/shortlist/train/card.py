"""The model card, written from the manifest of a training: what it was made of, how, and what it can be trusted for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NO_GATE = "The model was not put through the evaluation gate; nothing is known about its quality."


def card(manifest: Mapping[str, Any], *, gate: str = "") -> str:
    """A README for the model's folder. gate: its page as markdown, put in one level down.

    A data set without a stated licence is shown as ``not stated``, never left out.
    """
    recipe = manifest["recipe"]
    opened = manifest["opens_with"]
    params = ", ".join(f"{k}={v}" for k, v in _call(opened).items())
    lines = [
        f"# {recipe['name']}", "",
        f"{recipe['summary'].rstrip('.')}. Trained with `shortlist train`; nobody has read this page but the program "
        "that wrote it.", "",
        "## Use", "",
        "```python", "from shortlist import load", "",
        f"stage = load({opened['method']!r}, {params})", "```", "",
        "## Made of", "",
        f"- base model: `{named(manifest['base']['name'])}` ({manifest['base']['digest']}), licence: "
        f"{recipe['base_licence'] or 'not stated'}",
        *_data(manifest["data"]), "",
        "## How", "",
        f"- source: {recipe['source'] or 'no published recipe'}",
        f"- teacher there: {recipe['teacher'] or 'none named'}",
        f"- {manifest['trained']['updates']} updates of {manifest['trained']['seen']} {unit(manifest)}, seed "
        f"{manifest['settings']['seed']}",
        *_looks(manifest),
        *(
            f"- {name}: `{short(manifest[name])}`"
            for name in ("student", "objective", "reinforce", "grouping", "settings")
            if manifest.get(name) is not None
        ),
        f"- versions: {', '.join(f'{k} {v}' for k, v in manifest['versions'].items())}", "",
        "## Measured", "", _down(gate) if gate else _NO_GATE, "",
        "## Limits", "",
        *(f"- {limit}" for limit in (*recipe["limits"], "Figures hold for the sets named above, and for no other.")),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _looks(manifest: Mapping[str, Any]) -> list[str]:
    """How the dev set was used; nothing without one."""
    looks, kept = manifest["trained"].get("looks"), manifest["trained"].get("kept")
    if not looks:
        return []
    dev = manifest["dev"]
    sets = ", ".join(named(str(folder)) for folder in dev["sets"]) or "generated questions"
    value = dict(looks).get(kept)
    shown = "not looked at" if value is None else f"{dev['measure']} {value:.4f} there"
    chosen = "the best of" if dev["keep_best"] else "the last ones;"
    return [
        f"- weights: of update {kept} ({shown}), {chosen} {len(looks)} looks at the dev set ({sets})"
        + ("; that figure is too kind, since the weights were chosen by it" if dev["keep_best"] else "")
    ]


def _call(opened: Mapping[str, Any]) -> dict[str, str]:
    """The arguments of ``load`` as they are written; FOLDER is this model's, wherever it lies then."""
    given = {name: repr(value) for name, value in opened.items() if name != "method"}
    options = opened.get("options") or {}
    if "adapter" not in options:  # the folder is the model; otherwise what is put on its base
        return {**given, "model": "FOLDER"}
    rest = "".join(f", {name!r}: {value!r}" for name, value in options.items() if name != "adapter")
    return {**given, "model": repr(named(str(opened["model"]))), "options": f"{{'adapter': FOLDER{rest}}}"}


def unit(manifest: Mapping[str, Any]) -> str:
    """What an update is of."""
    return "lists" if manifest.get("reinforce") is None else "rewarded answers"


def _data(data: list[Mapping[str, Any]]) -> list[str]:
    return [
        f"- data: {named(row['path'])} ({row['samples']} samples, sha256 {str(row['sha256'])[:16]}), licence: "
        f"{row['licence'] or 'not stated'}, scored by: {row['teacher'] or 'not stated'}"
        for row in data
    ] or ["- data: generated"]


def named(place: str) -> str:
    """A hub name as it is; of a path on this machine, which says nothing elsewhere, the last part."""
    return Path(place).name if Path(place).is_absolute() or place.startswith((".", "~")) else place


def short(value: Any) -> str:
    """A description on one line: names of types without their modules, no empty entries."""
    if isinstance(value, Mapping):
        kind = str(value.get("type", "")).rpartition(":")[2]
        inner = ", ".join(f"{k}={short(v)}" for k, v in value.items() if k != "type" and v is not None)
        return f"{kind}({inner})"
    if isinstance(value, list):
        return "[" + ", ".join(map(short, value)) + "]"
    return named(value) if isinstance(value, str) and value.startswith("/") else str(value)


def _down(page: str) -> str:
    """A page's headings two levels down."""
    return "\n".join(f"##{line}" if line.startswith("#") else line for line in page.strip().splitlines())
