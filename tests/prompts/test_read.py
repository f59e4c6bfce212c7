"""Reading templates: errors that name file and key, user templates, digests."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from shortlist.core.errors import ConfigError, InputError, UnknownName
from shortlist.core.params import describe, from_toml, to_toml
from shortlist.core.types import Candidate, Document, Query
from shortlist.prompts import Example, Source, Template, available_prompts, load_prompt
from shortlist.prompts.read import parse_prompt

GOOD = """
layout = "text"
identifiers = "none"
prefix = "Q: {query} "
body = "D: {passage}"
"""


def parse(text: str) -> Template:
    return parse_prompt(text, "mine", "mine.toml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            'body = "D: {passage} {colour}"',
            r"mine\.toml:body: unknown placeholder \{colour\}; known here: .*\{passage\}",
        ),
        ('body = "D:"', r"mine\.toml:body: has no \{passage\}"),
        ('body = "D: {passage.text}"', r"mine\.toml:body: '\{passage\.text\}' is no plain name"),
        ('body = "D: {passage:>9}"', r"mine\.toml:body: .*no plain name"),
        ('body = "D: {passage"', r"mine\.toml:body: .*write \{\{"),
        ('body = "[{id}] {passage}"', r"mine\.toml:body: has \{id\}, but identifiers is 'none'"),
        ('prefix = "Q"', r"mine\.toml:prefix: neither .* has \{query\}"),
        ('prefix = "<|im_start|>user {query}"', r"mine\.toml:prefix: control token '<\|im_start\|>'"),
        ('prefix = "<s>[INST] {query}"', r"mine\.toml:prefix: control token '<s>'"),
        ('layout = "chatty"', r"mine\.toml:layout: 'chatty'; expected one of chat, turns"),
        ('identifiers = "roman"', r"mine\.toml:identifiers: 'roman'"),
        ('identifiers = ["a", "A"]', r"mine\.toml:identifiers: .* must be distinct"),
        ("identifiers = 3", r"mine\.toml:identifiers: 3; expected"),
        ('identifiers = "numbers"', r"mine\.toml:body: has no \{id\}"),
        ("max_tokens = 0", r"mine\.toml:max_tokens: 0"),
        ('max_tokens = "all"', r"mine\.toml:max_tokens: 'all'; expected a value of type int"),
        ("max_tokens = true", r"mine\.toml:max_tokens: True"),
        ('stop = "x"', r"mine\.toml:stop: 'x'; expected a list of strings"),
        ("most = 0", r"mine\.toml:most"),
        ('bodyy = "x"', r"mine\.toml:bodyy: unknown key; did you mean 'body'"),
        ('name = "x"', r"mine\.toml:name: unknown key"),
        ('reply = "ok"', r"mine\.toml:reply: belongs to layout 'turns'"),
        ('score_format = "zz"', r"mine\.toml:score_format"),
        ('source = { evidence = "Z" }', r"mine\.toml:source\.evidence: 'Z'"),
        ('source = { wording = "copied" }', r"mine\.toml:source\.wording"),
        ('source = { author = "x" }', r"mine\.toml:source\.author: unknown key"),
        ('examples = [{ user = "x" }]', r"mine\.toml:examples\.assistant: is missing"),
        ('examples = [{ user = "x", assistant = "y" }]', r"mine\.toml:examples: are turns of a chat"),
        ('tail = "{passage}"', r"mine\.toml:tail: unknown placeholder \{passage\}"),
        ('blank = "N/A"', r"mine\.toml:blank: replaces the query of the tail"),
        ("= 3", r"mine\.toml: not a TOML document"),
    ],
)
def test_errors_name_the_file_and_the_key(change: str, message: str) -> None:
    key = change.split(" ")[0]
    kept = "\n".join(line for line in GOOD.splitlines() if line.split(" ")[0] != key)
    with pytest.raises(ConfigError, match=message):
        parse(f"{kept}\n{change}\n")


def test_the_base_of_the_error_cases_is_good() -> None:
    assert parse(GOOD).name == "mine"


def test_a_missing_body_is_named() -> None:
    with pytest.raises(ConfigError, match=r"mine\.toml:body: is missing"):
        parse('prefix = "{query}"')


def test_a_user_template_by_path(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text(GOOD, encoding="utf-8")
    for given in (path, str(path)):
        template = load_prompt(given)
        assert template.name == "house"
        assert template.render(Query("q", "a"), [Candidate(Document("d", "b"))]).prompt == "Q: a D: b"
    path.write_text(GOOD.replace("{passage}", "{pasage}"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"house\.toml:body: unknown placeholder \{pasage\}"):
        load_prompt(path)
    with pytest.raises(InputError, match="absent"):
        load_prompt(tmp_path / "absent.toml")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'rankzephyr'"):
        load_prompt("rankzefyr")


def test_digest_follows_everything_that_is_sent_and_nothing_else() -> None:
    base = load_prompt("rankgpt")
    assert base.digest == replace(base).digest
    other = {"name": "x", "summary": "x", "source": Source(paper="x")}
    changes = {
        "body": "[{id}] {passage} ", "paradigm": "setwise", "layout": "turns", "identifiers": "letters",
        "answer": "pick", "mention": "{id}", "joint": ", ", "system": "x", "prefix": "{query}", "prefix_reply": "x",
        "reply": "x", "separator": "x", "suffix": "x", "prefill": "x", "target": "{query}", "titled": "{passage}",
        "instruction": "x", "instruction_form": "{instruction}!", "score_format": ".1f", "whitespace": "keep",
        "neutralise": False, "fewest": 2, "most": 9, "pick": 3, "max_tokens": 1, "answer_tokens": "fixed",
        "stop": ("x",), "passage_tokens": 1, "query_tokens": 1, "examples": (Example("a", "b"),),
    }  # fmt: skip
    ended = load_prompt("icr")
    assert len({ended.digest, replace(ended, tail="{query}").digest, replace(ended, blank="").digest}) == 3
    assert set(changes) | set(other) | {"tail", "blank"} == {f.name for f in fields(Template)}
    assert all(replace(base, **{key: value}).digest == base.digest for key, value in other.items())
    same = [k for k, v in changes.items() if getattr(base, k) != v and replace(base, **{k: v}).digest == base.digest]
    assert not same


def test_digests_of_all_templates_differ() -> None:
    digests = {load_prompt(name).digest for name in available_prompts()}
    assert len(digests) == len(available_prompts())


def test_manifests_see_the_digest_and_toml_rebuilds_the_template() -> None:
    template = load_prompt("rankgpt")
    assert describe(template)["digest"] == template.digest
    again = from_toml(to_toml(template))
    assert again == replace(template, name=again.name)
    assert again.digest == template.digest
