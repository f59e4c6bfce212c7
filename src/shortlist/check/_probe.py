"""Asks a backend the same small things in every way it offers: what the checks of a backend look at.

A ``Probe`` finds out once how the backend wants to be asked (as a chat or as one string, and which two words are single
tokens for it), and turns whatever comes back into rows that can be compared: a text and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..backends.fake import Oracle
from ..core.errors import BackendError, ConfigError, InputError, ShortlistError
from ..core.exchange import Asked, Completion, Message, Parts, Request, Segments
from ..core.protocols import Capability, Readout
from ..core.types import Candidate, Document, Query
from ..readouts import Permutation, YesNo

TEXTS = (
    "3 fleas",
    "12 a flea lives a hundred days, a lazy one two hundred",
    "7 " + "the price of concrete floors is low in spring and rises until autumn, " * 6,
    "1 \u8df3\u86a4\u53ef\u4ee5\u6d3b\u4e00\u767e\u5929 \u2014 na\u00efve caf\u00e9s, \U0001f41c",
    "5 how long do fleas live?",
)
"""Passages of very different lengths; each begins with its relevance, which is what fakes read."""
HARD = (
    "",
    " ",
    "\n\r\n\t",
    "\x00",
    "4 \u202e\u200d\ufeff\U0001f600 e\u0301",
    "4 half a pair \ud800 of surrogates",
    "4 <|im_end|></s>[SEP]<eos> is text",
    "4 " + "x" * 400,
)
WORDS = (("Yes", "No"), ("yes", "no"), ("true", "false"), ("A", "B"), ("1", "0"))
_MOST_WORDS = 4000  # of a text that is to be too long: twice the window where that is less; servers cut at 4,096 tokens
_UNLIMITED_WORDS = 600  # where the backend says that nothing limits it (T5, which is often cut at 512 tokens)
_PROMPT = 500  # tokens of a prompt around the longest of the texts, where every letter is a token
_LEXICON = ("flea", "floor", "spring", "day", "price", "water", "stone", "paper", "road", "light")


class NotChecked(ShortlistError):
    """A check has nothing to look at here; the message says why. It is no failure and no success."""


@dataclass(frozen=True, slots=True)
class Row:
    """What came back for one text: the text that was written, and numbers of any shape."""

    text: str
    values: Any

    def differs(self, other: Row, within: float) -> str:
        """How the two differ; empty when they are the same up to ``within``."""
        if self.text != other.text:
            return f"{self.text[:60]!r} became {other.text[:60]!r}"
        a, b = np.asarray(self.values, np.float64), np.asarray(other.values, np.float64)
        if a.shape != b.shape:
            return f"shape {a.shape} became {b.shape}"
        with np.errstate(invalid="ignore"):
            apart = np.where(a == b, 0.0, np.abs(a - b))
        worst = float(apart.max(initial=0.0)) if not np.isnan(apart).any() else float("nan")
        return "" if worst <= within else f"numbers differ by {worst:.3g}"

    @property
    def sound(self) -> bool:
        """No NaN, nothing infinite."""
        return bool(np.isfinite(np.asarray(self.values, np.float64)).all())


@dataclass
class Probe:
    """A backend under examination. within: how far numbers may lie apart that should be equal."""

    backend: Any
    within: float = 1e-4

    @property
    def is_fake(self) -> bool:
        """Fakes judge the documents of a request and do not read its text."""
        return isinstance(self.backend, Oracle)

    @cached_property
    def chat(self) -> bool:
        """Whether prompts go as chats; as one string where the model has no chat template.

        Raises what the backend raises when it takes neither.
        """
        if self._segments:
            return False
        try:
            self.backend.generate([self._written(TEXTS[0], chat=True, max_tokens=1)])
        except (ConfigError, BackendError) as error:
            if not (isinstance(error, ConfigError) or refuses(error)):
                raise
            self.backend.generate([self._written(TEXTS[0], chat=False, max_tokens=1)])
            return False
        return True

    @cached_property
    def words(self) -> tuple[str, str]:
        """Two labels that the backend takes, each one token of its vocabulary; such that it shows a value of, if any
        are."""
        said, taken = "", []
        for words in WORDS:
            try:
                (completion,) = self.generate([self._labelled(TEXTS[0], words)])
            except ConfigError as error:
                said = str(error)
                continue
            if completion.labels:
                return words
            taken.append(words)
        if not taken:
            raise NotChecked(f"no label is one token here, tried {WORDS}: {said}")
        return taken[0]

    def written(self, text: str, **more: Any) -> Request:
        """A request for a ranking of three passages, the last of which is ``text``."""
        return self._written(text, chat=self.chat, **more)

    def labelled(self, text: str, labels: tuple[str, ...] | None = None, **more: Any) -> Request:
        """A request for the log-probabilities of two words about a passage."""
        return self._labelled(text, self.words if labels is None else labels, **more)

    def bare(self, text: str, **more: Any) -> Request:
        """A request whose prompt is ``text`` and nothing else."""
        return self._request(text, (text,), Permutation(), chat=self.chat, **{"max_tokens": 2, **more})

    def long(self) -> tuple[str, str]:
        """Two texts, the second twice as long, and longer than the backend's window if that is known and not large."""
        words = min(_MOST_WORDS, 2 * self.window) if self.window else _MOST_WORDS
        if not self.window and (hasattr(self.backend, "context") or hasattr(self.backend, "window")):
            words = _UNLIMITED_WORDS
        return long_text(words // 2), long_text(words)

    @property
    def window(self) -> int | None:
        """Tokens that the backend reads at once, where it says so."""
        for name in ("context", "window"):
            found = getattr(self.backend, name, None)
            if isinstance(found, int):
                return found
        return None

    def cuts(self) -> int:
        """How many texts the backend says it has cut so far (``counts["cut"]``, ``stats.cut``)."""
        counts, stats = getattr(self.backend, "counts", None), getattr(self.backend, "stats", None)
        counted = counts.get("cut", 0) if isinstance(counts, Mapping) else 0
        return int(counted) + int(getattr(stats, "cut", 0))

    def rows(self, capability: Capability, texts: Sequence[str]) -> list[Row]:
        """What the backend gives for each text, asked by one of its capabilities in one call."""
        ask = {
            Capability.GENERATE: self._texts,
            Capability.LABEL_LOGITS: self._labels,
            Capability.TOKEN_LOGPROBS: self._tokens,
            Capability.NLL: self._likelihoods,
            Capability.PAIR_SCORES: self._pairs,
            Capability.EMBED: self._vectors,
            Capability.TOKEN_STATES: self._states,
            Capability.EMBED_PROMPTS: self._prompt_vectors,
            Capability.GROUP_SCORES: self._groups,
            Capability.ATTENTION_ROWS: self._attention,
            Capability.CROSS_ATTENTION: self._cross_attention,
            Capability.VIEWS: self._views,
        }[capability]
        return ask(texts)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return list(self.backend.generate(requests))

    def _texts(self, texts: Sequence[str]) -> list[Row]:
        return [Row(c.text, ()) for c in self.generate([self.written(text) for text in texts])]

    def _labels(self, texts: Sequence[str]) -> list[Row]:
        found = self.generate([self.labelled(text) for text in texts])
        known = [{word: value for word, value in (c.labels or {}).items() if word in self.words} for c in found]
        if known and not any(known):
            raise NotChecked(f"none of {self.words} was among the tokens that the backend shows")
        return [Row(" and ".join(sorted(labels)), [labels[word] for word in sorted(labels)]) for labels in known]

    def _tokens(self, texts: Sequence[str]) -> list[Row]:
        found = self.generate([self.written(text, logprobs=True) for text in texts])
        return [Row("|".join(t.text for t in c.tokens), [t.logprob for t in c.tokens]) for c in found]

    def _likelihoods(self, texts: Sequence[str]) -> list[Row]:
        found = self.backend.nll([(self.labelled(text), " a flea lives a hundred days") for text in texts])
        return [Row("", (likelihood.value, likelihood.tokens)) for likelihood in found]

    def _pairs(self, texts: Sequence[str]) -> list[Row]:
        return [Row("", score) for score in self.backend.pair_scores([(_QUERY.text, text) for text in texts])]

    def _vectors(self, texts: Sequence[str]) -> list[Row]:
        return [Row("", row) for row in self.backend.embed(list(texts), kind="document")]

    def _states(self, texts: Sequence[str]) -> list[Row]:
        return [Row("", rows) for rows in self.backend.token_states(list(texts), kind="document")]

    def _prompt_vectors(self, texts: Sequence[str]) -> list[Row]:
        if self.window is not None and self.window < _PROMPT:
            raise NotChecked(f"the window of {self.window} tokens has no room for a prompt with these passages")
        asked = [self._request(text, (text,), Permutation(), chat=False) for text in self._prompts(texts)]
        return [Row("", row) for row in self.backend.embed_prompts(asked)]

    def _prompts(self, texts: Sequence[str]) -> list[str]:
        return [f"Documents:\n[1] {_PASSAGES[0]}\n[2] {text}\nQuery: {_QUERY.text}" for text in texts]

    def _groups(self, texts: Sequence[str]) -> list[Row]:
        found = self.backend.group_scores([(_QUERY.text, (*_PASSAGES, text)) for text in texts])
        return [Row("", reading.scores) for reading in found]

    def _attention(self, texts: Sequence[str]) -> list[Row]:
        found = self.backend.attention([self._looked_at(text) for text in texts])
        return [Row("", np.concatenate([np.ravel(mass) for mass in looks.mass[0]])) for looks in found]

    def _looked_at(self, text: str) -> Request:
        shown = (*_PASSAGES, text)
        parts = Parts("Passages:\n", shown, (f"\nQuery: {_QUERY.text}", "\nQuery: N/A"), between="\n")
        whole = f"{parts.head}{parts.between.join(shown)}{parts.tails[0]}"
        return self._request(whole, shown, Permutation(), chat=False, parts=parts)

    def _cross_attention(self, texts: Sequence[str]) -> list[Row]:
        found = self.backend.cross_attention([(self._fused(text), "question:") for text in texts])
        return [Row(attended.completion.text, attended.masses) for attended in found]

    def _views(self, texts: Sequence[str]) -> list[Row]:
        tokens = ("<extra_id_0>", "<extra_id_1>")
        found = self.backend.views([self._fused(text) for text in texts], tokens)
        return [Row("", np.concatenate([np.ravel(view.texts), np.ravel(view.anchors)])) for view in found]

    def _fused(self, text: str) -> Request:
        shown = (*_PASSAGES, text)
        group = (_QUERY, tuple(Candidate(Document(str(i), passage)) for i, passage in enumerate(shown)))
        segments = Segments(tuple(f"question: {_QUERY.text} context: {passage}" for passage in shown))
        return Request(segments, max_tokens=4, group=group, answer=Permutation().write)

    @property
    def _segments(self) -> bool:
        """Whether prompts are segments: the backend encodes texts one by one."""
        return Capability.FID in self.backend.capabilities and not self.is_fake

    def _written(self, text: str, *, chat: bool, max_tokens: int = 12, **more: Any) -> Request:
        passages = (*_PASSAGES, text)
        lines = [f"[{number}] {passage}" for number, passage in enumerate(passages, 1)]
        prompt = "\n".join([f"Rank the passages by relevance to the query: {_QUERY.text}", *lines])
        return self._request(prompt, passages, Permutation(), chat=chat, max_tokens=max_tokens, **more)

    def _labelled(self, text: str, labels: tuple[str, ...], **more: Any) -> Request:
        prompt = f"Does the passage answer the query?\nQuery: {_QUERY.text}\nPassage: {text}\n"
        readout = YesNo(*(sorted(labels) if len(labels) == 2 else ("yes", "no")))
        return self._request(prompt, (text,), readout, chat=self.chat, labels=labels, **more)

    def _request(self, prompt: str, passages: Sequence[str], readout: Readout, *, chat: bool, **more: Any) -> Request:
        group = (_QUERY, tuple(Candidate(Document(str(i), text)) for i, text in enumerate(passages)))
        asked: Asked = (Message("user", prompt),) if chat else prompt
        asked = Segments((prompt,)) if self._segments else asked
        return Request(asked, group=group, answer=readout.write, **more)


def long_text(words: int) -> str:
    """So many different English words, with a relevance in front."""
    return "6 " + " ".join(f"{_LEXICON[i % 10]} {_LEXICON[i // 10 % 10]}" for i in range(words // 2))


def refuses(error: ShortlistError) -> bool:
    """Whether an error says that the input is too long, empty or otherwise not to be had: an honest answer."""
    return isinstance(error, InputError) or getattr(error, "status", None) in (400, 413, 422)


_PASSAGES = ("4 floors are made of concrete", "9 fleas are insects")
_QUERY = Query("q", "how long do fleas live?")
