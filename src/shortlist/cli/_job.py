"""What ``rerank`` and ``audit`` share: where candidates come from, which method, and its budget."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError
from ._params import parse_params

if TYPE_CHECKING:
    from ..jobs.source import Source
    from ..pipeline import Stage

METHOD, DEPTH = "late-interaction", 100


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """INPUT, --data or --run with its texts."""
    add = parser.add_argument
    add("input", nargs="?", metavar="INPUT", help="a file that holds queries, candidates and texts")
    add("--format", metavar="NAME", help="of INPUT, when it is not to be guessed")
    add("--data", metavar="FOLDER", help="BEIR folder; BM25 finds the candidates")
    add("--split", metavar="NAME", help="with --data: rerank the queries judged in qrels/NAME")
    add("--language", default="english", metavar="NAME", help="with --data: of the texts")
    add("--run", metavar="FILE", help="first-stage run (TREC, .gz, - for standard input)")
    add("--corpus", metavar="FILE", help="with --run: the documents")
    add("--queries", metavar="FILE", help="with --run: the queries")


def add_method(parser: argparse.ArgumentParser) -> None:
    """The reranker with its parameters, model and options."""
    add = parser.add_argument
    add("--with", dest="method", metavar="METHOD", help=f"reranker (see `shortlist methods`; default {METHOD})")
    add("--param", action="append", default=[], metavar="NAME=VALUE", help="of the method; may be repeated")
    add("--model", metavar="MODEL", help="the method's model: an endpoint's address, a folder, a hub name or a shipped "
        "one")  # fmt: skip
    add(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the model, such as model=NAME, context=8192",
    )


def add_budget(parser: argparse.ArgumentParser) -> None:
    """Limits per query; in a cascade or a fallback chain they hold for each stage."""
    add = parser.add_argument
    add("--max-calls", type=int, metavar="N", help="per query and stage; then the best order so far is kept")
    add("--max-tokens", type=int, metavar="N", help="per query")
    add("--max-seconds", type=float, metavar="S", help="per query")
    add("--on-error", choices=("unscored", "raise"), default="unscored", help="what a failing query does")


def method_of(args: argparse.Namespace, config: dict[str, Any]) -> str:
    """The method's name: the option, the configuration, or the default, which reads English only."""
    from ..rerank.mixture import FILE
    from ..retrieve._analysis import language_name
    from ..retrieve.bm25 import ENGLISH

    named: str | None = args.method or config.get("method")
    model = getattr(args, "model", None)
    if named is None and model is not None and (Path(model) / FILE).is_file():
        raise ConfigError(f"{model} holds a mixture; add --with mixture")
    if named is None and args.data is not None and language_name(args.language) not in ENGLISH:
        raise ConfigError(
            f"the built-in reranker reads English, not {args.language}, and would make the order worse; name a method "
            f"with --with METHOD (--with {METHOD} if you mean it)"
        )
    return named or METHOD


def params_of(args: argparse.Namespace, config: dict[str, Any]) -> dict[str, Any]:
    """The method's parameters: the configuration's, then those of the command line."""
    params = {**config.get("params", {}), **parse_params(args.param)}
    options = {**params.pop("options", {}), **parse_params(args.option, "--option")}
    if args.model is not None:
        params["model"] = args.model
    return {**params, "options": options} if options else params


def stage_of(args: argparse.Namespace, method: str, params: dict[str, Any]) -> Stage:
    """The method, with the budget and ``on_error`` on every stage inside it that has them."""
    from .. import load
    from ..drive import Budget, budgeted, limited

    stage = load(method, **params)
    limits = (args.max_calls, args.max_tokens, args.max_seconds)
    if limits != (None, None, None) and not budgeted(stage):
        raise ConfigError(f"{method} has no schedule, so --max-calls, --max-tokens and --max-seconds do not apply")
    return limited(stage, budget=Budget(*limits), on_error=args.on_error)


def source_of(args: argparse.Namespace, *, first_stage: Path, depth: int, bad: Any) -> Source:
    """The rankings of the one input that was given. first_stage: where BM25's run is written, with --data."""
    from ..jobs import source

    given = [name for name in ("input", "data", "run") if getattr(args, name) is not None]
    if len(given) != 1:
        raise ConfigError(f"give one of INPUT, --data FOLDER or --run FILE; given: {', '.join(given) or 'none'}")
    if args.data is not None:
        return source.from_folder(
            Path(args.data), first_stage=first_stage, depth=depth, split=args.split, language=args.language
        )
    if args.run is not None:
        return source.from_run(args.run, corpus=args.corpus, queries=args.queries, depth=depth, bad=bad)
    return source.from_file(args.input, format=args.format, bad=bad)


def judgements_of(args: argparse.Namespace) -> Path | None:
    """The file with judgements (--qrels, or --data's of --split), where there is one."""
    from ..data.dataset import load_dataset

    if args.qrels is not None:
        return Path(args.qrels)
    if args.data is not None and load_dataset(args.data).splits:
        return load_dataset(args.data).qrels_path(args.split)
    return None
