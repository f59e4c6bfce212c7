"""Optional packages: import one when it is needed, or say which pip line brings it."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from types import ModuleType

from .errors import MissingExtra


def need(requirement: str, *, extra: str, module: str | None = None) -> ModuleType:
    """Import an optional package, or raise MissingExtra with the pip line.

    requirement: distribution with an optional lower bound (``"torch>=2.4"``). module: import name when it differs.

    >>> need("json", extra="local").__name__
    'json'
    """
    name, _, bound = requirement.partition(">=")
    pip = f'pip install "shortlist[{extra}]"'
    try:
        imported = importlib.import_module(module or name.replace("-", "_"))
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{name} is not installed ({error}); it comes with: {pip}") from error
    if bound:
        found = importlib.metadata.version(name)
        if _numbers(found) < _numbers(bound):
            raise MissingExtra(f"{name} {found} is installed, {requirement} is needed; upgrade with: {pip} --upgrade")
    return imported


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])
