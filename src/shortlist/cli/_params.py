"""``--param name=value`` and ``--config file.toml``: parameters of a method from the command line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, listed, nearest

CONFIG_KEYS = ("method", "depth", "top_k", "batch", "params")


def parse_params(given: Sequence[str], flag: str = "--param") -> dict[str, Any]:
    """``["window=10", "model=path"]`` as parameters; values are TOML or JSON where they can be, else text.

    >>> parse_params(["window=10", "stride=5.5", "model=a/b", "flag=true"])
    {'window': 10, 'stride': 5.5, 'model': 'a/b', 'flag': True}
    """
    params: dict[str, Any] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"{flag} {item!r}: expected NAME=VALUE, for example {flag} window=10")
        try:
            params[name] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            params[name] = _json(f"{flag} {name}", text) if text.startswith(("[", "{")) else text
    return params


def _json(what: str, text: str) -> Any:
    """A list or table that is no TOML. Raises ConfigError when it is no JSON either."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(
            f"{what}={text}: neither TOML nor JSON ({error}); for example "
            '\'stages=["yes-no", {method = "rankgpt", depth = 30}]\''
        ) from error


def read_config(path: str | None) -> dict[str, Any]:
    """A configuration file: ``method``, ``depth``, ``top_k``, ``batch`` and a table ``[params]``. None gives no
    entries."""
    if path is None:
        return {}
    try:
        config = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"--config {path}: there is no such file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config {path}: {error}") from error
    unknown = sorted(set(config) - set(CONFIG_KEYS))
    if unknown:
        near = nearest(unknown[0], CONFIG_KEYS)
        raise ConfigError(f"--config {path}: unknown entry {unknown[0]!r}; {near}known: {listed(CONFIG_KEYS)}")
    return config
