"""Everything this library raises on purpose, as one tree.

    ShortlistError
    ├── ConfigError (ValueError)        a parameter, a combination of parts or a configuration file is wrong
    │   └── UnknownName (LookupError)   no such method, measure, format ...; the message lists what there is
    ├── InputError (ValueError)         data given by the user is wrong
    │   ├── FormatError                 a malformed line: path, line number and the offending text
    │   ├── RankingError                a ranking breaks its invariant: lost, repeated or unknown document
    │   └── MissingDocument (LookupError)  a run names a document or query that the collection does not hold
    ├── ScoreError (ValueError)         a scorer returned the wrong number of scores, or NaN
    ├── OutputError (ValueError)        a model's output could not be read and the policy was to raise
    ├── BackendError (RuntimeError)     a model or an endpoint failed
    │   └── EndpointError               an HTTP endpoint, with status, server message and attempts (backends.http)
    └── MissingExtra (ImportError)      an optional package is needed; the message is the pip line

Each class also inherits the builtin that a caller would have caught. ``except ShortlistError`` catches all.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """A question for a message about an unknown name, with a space behind it; empty when nothing is like it.

    >>> nearest("windw", ["window", "stride"])
    "did you mean 'window'? "
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}? " if near else ""


def listed(known: Iterable[str]) -> str:
    """The known names for such a message, in their order."""
    return ", ".join(known) or "none"


class ShortlistError(Exception):
    """Base of every error that this library raises on purpose."""


class ConfigError(ShortlistError, ValueError):
    """A parameter, a combination of parts or a configuration file is wrong."""


class UnknownName(ConfigError, LookupError):
    """A name that is not registered; the message suggests the nearest and lists what is known."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        super().__init__(f"no {kind} named {name!r}; {nearest(name, self.known)}known: {listed(self.known)}")


class InputError(ShortlistError, ValueError):
    """Data given by the user is wrong."""


class FormatError(InputError):
    """A malformed line or record: where it stands, what was expected, and the offending text.

    >>> print(FormatError("run.trec", 3, "expected 6 columns, found 5", "q1 Q0 d1 1 2.0"))
    run.trec:3: expected 6 columns, found 5: 'q1 Q0 d1 1 2.0'
    """

    def __init__(self, path: str, line: int, problem: str, text: str = "") -> None:
        self.path, self.line, self.problem, self.text = path, line, problem, text
        shown = text if len(text) <= 120 else text[:117] + "..."
        super().__init__(f"{path}:{line}: {problem}" + (f": {shown!r}" if shown else ""))


class RankingError(InputError):
    """A ranking breaks its invariant: a document was lost, repeated or invented."""


class MissingDocument(InputError, LookupError):
    """A run names a document or query that the collection does not hold."""


class ScoreError(ShortlistError, ValueError):
    """A scorer returned the wrong number of scores, or a score that is not a number."""


class OutputError(ShortlistError, ValueError):
    """A model's output could not be read and the policy was ``on_malformed="raise"``."""


class BackendError(ShortlistError, RuntimeError):
    """A model or an endpoint failed."""


class MissingExtra(ShortlistError, ImportError):
    """An optional package is needed for what was asked; the message is the pip line that brings it."""
