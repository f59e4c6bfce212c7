"""A prompt template: what is written around a query and its passages, where the wording comes from, and its digest.

It does not know files (``read``), budgets (``fit``), models or how answers are read; ``answer`` only names the kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

from ..core.errors import InputError
from ..core.exchange import Asked, Message, Parts, Request, Segments
from ..core.params import digest
from ..core.types import Candidate, Query, Repair
from .alphabet import Identifiers, identifiers_of, neutralise
from .checks import check
from .origin import Example, Source
from .slots import fill, names
from .tokens import Tokenizer, count_tokens, estimated_tokens

Paradigm = Literal["pointwise", "pairwise", "setwise", "listwise"]
Layout = Literal["chat", "turns", "text", "encoder_decoder", "segments"]
Answer = Literal[
    "permutation", "pick", "verdict", "labels", "yes_no", "logit", "rating", "json_scores",
    "likelihood", "head", "embedding", "attention",
]  # fmt: skip


@dataclass(frozen=True)
class Template:
    """Renders a query and passages as a request.

    layout: ``chat`` is one system and one user message; ``turns`` is a message per passage, each answered by ``reply``;
    ``text`` is a raw prompt; ``encoder_decoder`` is raw text for the encoder, with the prefill beginning the decoder;
    ``segments`` are texts that are encoded one by one: the prefix, if any, then each passage (fusion-in-decoder, pairs
    of texts).

    Texts, with their placeholders. system {num} {pick} {instruction} {example} {ids}; prefix, suffix: these, {query};
    body: {id} {passage} {title} {score} {query} {num} {instruction}; prefix_reply {num} {query}; reply {id} {num};
    target {query}: the text whose likelihood is asked for. tail {query} {num} {instruction}: what stands behind the
    suffix and is read apart from it (the attention of its tokens); blank: what the query is replaced by in a second
    tail. mention: how an answer names a passage; {example} is the
    second and the first passage so named, {ids} all of them, joined by ``joint``. titled: passage of a document with a
    title, unless the body has {title}. instruction: when the query has none; instruction_form is written around it
    when there is one. score is the first stage's, which travels with the document. whitespace: ``strip`` cuts a
    passage's outer blanks, ``collapse`` also joins its words with single ones. neutralise: bracketed identifiers in
    passages and queries become round brackets (no repair: it changes no content).

    fewest, most: passages that one request may hold. pick: what {pick} says, for prompts that ask for the best few.
    max_tokens, answer_tokens: how long an answer may be; with ``ranking``, the tokens of a complete ranking are added.
    stop: strings that end the answer. passage_tokens, query_tokens: the source's limits, applied by ``Fitted``.

    >>> from shortlist.core.types import Document
    >>> template = Template("t", body="{passage}", prefix="Q: {query} P: ", layout="text", identifiers="none")
    >>> template.render(Query("q", "why"), [Candidate(Document("d", "because"))]).prompt
    'Q: why P: because'
    """

    name: str
    body: str
    summary: str = ""
    source: Source = Source()  # noqa: RUF009 - frozen
    paradigm: Paradigm = "listwise"
    layout: Layout = "chat"
    identifiers: Identifiers = "numbers"
    answer: Answer = "permutation"
    mention: str = "[{id}]"
    joint: str = " > "
    system: str = ""
    prefix: str = ""
    prefix_reply: str = ""
    reply: str = ""
    separator: str = ""
    suffix: str = ""
    tail: str = ""
    blank: str = ""
    prefill: str = ""
    target: str = ""
    titled: str = "{title} {passage}"
    instruction: str = ""
    instruction_form: str = "{instruction}"
    score_format: str = ".3f"
    whitespace: Literal["keep", "strip", "collapse"] = "keep"
    neutralise: bool = False
    fewest: int = 1
    most: int | None = None
    pick: int = 1
    max_tokens: int = 256
    answer_tokens: Literal["fixed", "ranking"] = "fixed"
    stop: tuple[str, ...] = ()
    passage_tokens: int | None = None
    query_tokens: int | None = None
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        check(self)

    @cached_property
    def digest(self) -> str:
        """A hash of all that decides what is sent; name, summary and source do not."""
        ignored = ("name", "summary", "source")
        return digest({f.name: getattr(self, f.name) for f in fields(self) if f.name not in ignored})

    def render(self, query: Query, candidates: Sequence[Candidate], *, labels: tuple[str, ...] = ()) -> Request:
        """The request for these passages in this order. Raises InputError when their number does not suit the
        template, or when it shows scores and a candidate has none."""
        return self.render_passages(query, candidates, [self.passage_of(c) for c in candidates], labels=labels)

    def passage_of(self, candidate: Candidate) -> str:
        """The text that stands for {passage}, not yet neutralised."""
        document = candidate.document
        text = document.text
        if document.title and not self._shows_title:
            text = fill(self.titled, {"title": document.title, "passage": text})
        if self.whitespace == "collapse":
            return " ".join(text.split())
        return text.strip() if self.whitespace == "strip" else text

    def render_passages(
        self,
        query: Query,
        candidates: Sequence[Candidate],
        passages: Sequence[str],
        *,
        labels: tuple[str, ...] = (),
        tokenizer: Tokenizer = estimated_tokens,
    ) -> Request:
        """As ``render`` with the text of each passage given; ``tokenizer`` counts the length of the answer."""
        shown = self._check_size(query, len(candidates))
        values = self._values(query, shown)
        bodies = [self._body(*row, values) for row in zip(shown, candidates, passages, strict=True)]
        return Request(
            self._prompt(values, shown, bodies),
            labels,
            self.prefill,
            self.max_tokens_for(len(shown), tokenizer),
            stop=self.stop,
            repairs=self._ignored(query),
            parts=self._parts(values, bodies) if self.tail else None,
        )

    def _ignored(self, query: Query) -> tuple[Repair, ...]:
        """The record that a query's instruction has no place in this template."""
        if not query.instruction or self._shows_instruction:
            return ()
        return (Repair("instruction_ignored", detail=query.instruction[:80]),)

    def target_of(self, query: Query) -> str:
        """The text whose likelihood is asked for; empty for templates that ask for none."""
        return fill(self.target, {"query": query.text})

    def max_tokens_for(self, n: int, tokenizer: Tokenizer = estimated_tokens) -> int:
        """How long the answer about ``n`` passages may be, in tokens."""
        if self.answer_tokens == "fixed":
            return self.max_tokens
        ranking = self.joint.join(fill(self.mention, {"id": i}) for i in identifiers_of(self.identifiers, n))
        return self.max_tokens + count_tokens(ranking, tokenizer)

    @cached_property
    def _body_names(self) -> frozenset[str]:
        return names(self.body)

    @cached_property
    def _shows_instruction(self) -> bool:
        texts = (self.system, self.prefix, self.body, self.suffix, self.tail)
        return any("instruction" in names(text) for text in texts)

    @cached_property
    def shows_candidate(self) -> bool:
        """Whether more of a candidate is shown than its passage: its title or its score."""
        return self._shows_title or self._shows_score

    @cached_property
    def _shows_title(self) -> bool:
        return "title" in self._body_names

    @cached_property
    def _shows_score(self) -> bool:
        return "score" in self._body_names

    def _check_size(self, query: Query, n: int) -> tuple[str, ...]:
        if n < self.fewest or (self.most is not None and n > self.most):
            span = str(self.fewest) if self.fewest == self.most else f"{self.fewest} to {self.most or 'any number of'}"
            raise InputError(f"query {query.id!r}: prompt {self.name!r} takes {span} passages at a time, given {n}")
        return identifiers_of(self.identifiers, n)

    def _clean(self, text: str) -> str:
        return neutralise(text, self.identifiers) if self.neutralise else text

    def _values(self, query: Query, shown: Sequence[str]) -> dict[str, str]:
        instruction = query.instruction or self.instruction
        called = [fill(self.mention, {"id": i}) for i in shown]
        two = identifiers_of(self.identifiers, 2) if self.identifiers != "none" else ()
        return {
            "query": self._clean(query.text),
            "num": str(len(shown)),
            "pick": str(min(self.pick, len(shown))),
            "instruction": fill(self.instruction_form, {"instruction": instruction}) if instruction else "",
            "example": self.joint.join(fill(self.mention, {"id": i}) for i in reversed(two)),
            "ids": self.joint.join(called),
        }

    def _body(self, identifier: str, candidate: Candidate, passage: str, values: dict[str, str]) -> str:
        own = {"id": identifier, "passage": self._clean(passage)}
        if self._shows_title:
            own["title"] = self._clean(candidate.document.title or "")
        if self._shows_score:
            own["score"] = self._score(candidate)
        return fill(self.body, own if self._body_names <= own.keys() else values | own)

    def _score(self, candidate: Candidate) -> str:
        score = candidate.came_with
        if score is None:
            raise InputError(
                f"document {candidate.id!r} has no first-stage score, and the prompt {self.name!r} shows it; "
                "rerank a retrieved ranking, or use a prompt without {score}"
            )
        return format(score, self.score_format)

    def _prompt(self, values: dict[str, str], shown: Sequence[str], bodies: list[str]) -> Asked:
        prefix, suffix = fill(self.prefix, values), fill(self.suffix, values)
        text = f"{prefix}{self.separator.join(bodies)}{suffix}{fill(self.tail, values)}"
        if self.layout in ("text", "encoder_decoder"):
            return fill(self.system, values) + text
        if self.layout == "segments":
            return Segments((*([prefix] if prefix else []), *bodies, *([suffix] if suffix else [])))
        messages = [Message("system", fill(self.system, values))] if self.system else []
        for example in self.examples:
            messages += [Message("user", example.user), Message("assistant", example.assistant)]
        if self.layout == "chat":
            return (*messages, Message("user", text))
        if self.prefix:
            messages.append(Message("user", prefix))
            messages += [Message("assistant", fill(self.prefix_reply, values))] if self.prefix_reply else []
        for identifier, body in zip(shown, bodies, strict=True):
            messages.append(Message("user", body))
            if self.reply:
                messages.append(Message("assistant", fill(self.reply, values | {"id": identifier})))
        return (*messages, Message("user", suffix)) if self.suffix else tuple(messages)

    def _parts(self, values: dict[str, str], bodies: list[str]) -> Parts:
        prefix, suffix = fill(self.prefix, values), fill(self.suffix, values)
        if self.layout == "text":
            prefix = fill(self.system, values) + prefix
        asked = [values, values | {"query": self.blank}] if self.blank else [values]
        return Parts(prefix, tuple(bodies), tuple(fill(self.tail, v) for v in asked), self.separator, suffix)
