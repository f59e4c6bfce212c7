"""Every registered method, built on an oracle backend, so that the suite parametrises itself over what is installed.

A method module may hold ``CHECK``: parameters under which an oracle backend must give the exact order (for example a
first-stage weight of 0), and ``STABLE = False`` when equal documents do not keep their order by design.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..backends.fake import Oracle
from ..core.protocols import Backend
from ..core.registry import RERANKERS, Info
from .rerankers import Check, checks_for


@dataclass(frozen=True, slots=True)
class Registered:
    """A method and how to build it on a fake backend."""

    info: Info
    params: dict[str, Any]

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def checks(self) -> tuple[Check, ...]:
        paradigm = self.info.paradigm
        stable = getattr(RERANKERS.module(self.name), "STABLE", paradigm != "setwise")
        return checks_for(exact=True, pointwise=paradigm == "pointwise", stable=stable)

    def build(self, backend: Backend | None = None) -> Any:
        """The method on ``backend``; on an oracle when none is given."""
        return RERANKERS.load(self.name, backend=backend or Oracle(), **self.params)


def registered() -> Iterator[Registered]:
    """All methods that can be built on a fake backend (those with a ``backend`` parameter), by name."""
    for name in RERANKERS.names():
        info = RERANKERS.info(name)
        if "backend" in info.parameters:
            yield as_registered(info)


def as_registered(info: Info) -> Registered:
    """A method with the parameters that its module wants for checks."""
    return Registered(info, dict(getattr(RERANKERS.module(info.name), "CHECK", {})))
