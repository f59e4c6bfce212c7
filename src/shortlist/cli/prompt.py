"""Show the prompts of language-model rerankers: list them, show one, or render exactly what will be sent."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core.exchange import Request
    from ..core.types import Candidate
    from ..prompts import Template


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|show|render")
    listing = verbs.add_parser("list", help="all templates: paradigm, layout, where the wording comes from")
    show = verbs.add_parser("show", help="a template as its TOML text, with its digest")
    render = verbs.add_parser("render", help="what a model is sent for a query and passages")
    for verb in (listing, show, render):
        verb.add_argument("--json", action="store_true", help="machine output")
    for verb in (show, render):
        verb.add_argument("name", metavar="NAME", help="a template's name, or the path of a TOML file")
    render.add_argument("--query", required=True)
    render.add_argument("--instruction", help="what counts as relevant, for templates that have a place for it")
    render.add_argument("--passage", action="append", required=True, help="repeat for each passage, in order")
    render.add_argument("--title", action="append", default=[], help="of the passages, in the same order; '' for none")
    render.add_argument("--score", action="append", default=[], type=float, help="first-stage scores, likewise")
    render.add_argument("--context", type=int, help="cut passages to fit this many (estimated) tokens, answer included")


def run(args: argparse.Namespace) -> int:
    return {"list": _list, "show": _show, "render": _render}[args.verb](args)


def _list(args: argparse.Namespace) -> int:
    from ..prompts import available_prompts, load_prompt

    templates = [load_prompt(name) for name in available_prompts()]
    if args.json:
        print(json.dumps([_summary(template) for template in templates], indent=2, ensure_ascii=False))
        return 0
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("name", "paradigm", "layout", "wording", "what it is")
    for t in templates:
        wording = f"{t.source.wording} [{t.source.evidence}]"
        about = f"{escape(t.summary)}\n[dim]{escape(t.source.paper)}[/dim]"
        table.add_row(t.name, t.paradigm, t.layout, escape(wording), about)
    Console().print(table)
    return 0


def _show(args: argparse.Namespace) -> int:
    from ..prompts import load_prompt
    from ..prompts.read import prompt_text

    template = load_prompt(args.name)
    if args.json:
        print(json.dumps(_summary(template) | {"toml": prompt_text(args.name)}, indent=2, ensure_ascii=False))
    else:
        print(f"# {template.name}, digest {template.digest}\n{prompt_text(args.name)}", end="")
    return 0


def _render(args: argparse.Namespace) -> int:
    from ..core.types import Query
    from ..prompts import Fitted, load_prompt, transcript

    template = load_prompt(args.name)
    prompt = template if args.context is None else Fitted(template, args.context)
    query = Query("query", args.query, args.instruction)
    request = prompt.render(query, _candidates(args), labels=())
    if args.json:
        print(json.dumps(_sent(template, request), indent=2, ensure_ascii=False))
        return 0
    print(transcript(request))
    target = template.target_of(query)
    if target:
        print(f"--- likelihood of\n{target}")
    for repair in request.repairs:
        print(f"--- {repair.kind}: {repair.detail}")
    return 0


def _candidates(args: argparse.Namespace) -> list[Candidate]:
    from ..core.errors import InputError
    from ..core.types import Candidate, Document

    for option in ("title", "score"):
        given = getattr(args, option)
        if given and len(given) != len(args.passage):
            raise InputError(f"{len(given)} times --{option}, {len(args.passage)} times --passage; give one for each")
    titles = args.title or [None] * len(args.passage)
    scores = args.score or [None] * len(args.passage)
    rows = zip(args.passage, titles, scores, strict=True)
    return [
        Candidate(Document(f"passage-{i}", text, title or None), first_score=score)
        for i, (text, title, score) in enumerate(rows, start=1)
    ]


def _summary(template: Template) -> dict[str, Any]:
    from ..core.params import describe

    source = describe(template.source)
    del source["type"]
    named = ("name", "summary", "paradigm", "layout", "answer", "fewest", "most", "digest")
    identifiers = template.identifiers if isinstance(template.identifiers, str) else list(template.identifiers)
    return {key: getattr(template, key) for key in named} | {"identifiers": identifiers, "source": source}


def _sent(template: Template, request: Request) -> dict[str, Any]:
    return {
        "template": template.name,
        "digest": template.digest,
        "layout": template.layout,
        "prompt": _plain(request),
        "prefill": request.prefill,
        "max_tokens": request.max_tokens,
        "stop": list(request.stop),
        "repairs": [{"kind": r.kind, "count": r.count, "detail": r.detail} for r in request.repairs],
    }


def _plain(request: Request) -> str | list[str] | list[dict[str, str]]:
    """The prompt as JSON: one string, a string per segment, or a role and a content per turn."""
    prompt = request.prompt
    if isinstance(prompt, tuple):
        return [{"role": turn.role, "content": turn.content} for turn in prompt]
    return prompt if isinstance(prompt, str) else list(prompt.texts)
