"""The command line: one file per command. A command parses, calls the library and prints; it holds no logic.

A command module has a docstring (first line: its help), ``add_arguments(parser)`` and ``run(args) -> int``, the exit
status. Only the module of the command that was asked for is imported.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from ..core.errors import ShortlistError, UnknownName, nearest

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def commands() -> list[str]:
    """Names of all commands: the files of this folder that do not begin with ``_``."""
    return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Errors made on purpose are one line on standard error and exit status 2."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(argv)
    except ShortlistError as error:
        print(f"shortlist: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("shortlist: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away (head, less): not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview())
        return 0
    if argv[0] in ("-V", "--version"):
        from .. import __version__

        print(f"shortlist {__version__}")
        return 0
    name = argv[0]
    if name not in commands():
        raise UnknownName("command", name, commands())
    module = _module(name)
    parser = _Parser(prog=f"shortlist {name}", description=_help(module), formatter_class=_WithDefaults)
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(argv[1:])) or 0)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f".{name.replace('-', '_')}", __name__)


def _help(module: ModuleType) -> str:
    return (inspect.getdoc(module) or "").partition("\n")[0]


def _overview() -> str:
    lines = ["usage: shortlist COMMAND [OPTIONS]", "", "commands:"]
    lines += [f"  {name:10s} {_help(_module(name))}" for name in commands()]
    return "\n".join([*lines, "", "shortlist COMMAND --help tells the options of a command."])


class _Parser(argparse.ArgumentParser):
    """Says which option comes nearest to one that it does not know."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ") if "unrecognized" in message else ""
        name = unknown.partition(" ")[0].partition("=")[0]
        near = nearest(name, self._option_string_actions) if name.startswith("--") else ""
        super().error(f"{message}; {near}".rstrip("; "))


class _WithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, but only where there is one and the help does not tell it already."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        told = action.default in (None, False, [], "") or "default" in (action.help or "")
        return action.help if told else super()._get_help_string(action)
