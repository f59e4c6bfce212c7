"""Texts to padded tokens and to token states, for students that read queries and documents apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from ...backends.transformers.local import Task
from ..batches import Group
from ._base import Student, padded, slots


@dataclass(frozen=True)
class ReadApart(Student):
    """query_prefix, document_prefix: put before the texts, here and at inference. max_length: tokens of one text."""

    _: KW_ONLY
    query_prefix: str = ""
    document_prefix: str = ""
    max_length: int = 256

    task: ClassVar[Task] = "embedding"

    def features(self, groups: Sequence[Group]) -> dict[str, Any]:
        prefixes = {"query_prefix": self.query_prefix, "document_prefix": self.document_prefix}
        return read_apart(self, groups, **prefixes, room=self.window(self.max_length))

    def settings(self) -> dict[str, Any]:
        dim, window = int(self.loaded.config.hidden_size), self.window(self.max_length)
        return sentence_transformers_files(self.query_prefix, self.document_prefix, dim, window)


def read_apart(
    student: Student, groups: Sequence[Group], *, query_prefix: str, document_prefix: str, room: int
) -> dict[str, Any]:
    """Tokens of the queries and of all documents. room: tokens of one text, special ones included."""
    _, places = slots(groups)
    before, after = student.texts.around
    left = room - len(before) - len(after)

    def row(prefix: str, text: str) -> list[int]:
        return [*before, *student.texts.plain(prefix + text)[:left], *after]

    queries = padded([row(query_prefix, group.query.text) for group in groups], student.pad())
    documents = padded(
        [row(document_prefix, groups[i].candidates[d].document.full_text) for i, d in places], student.pad()
    )
    return {
        "query_ids": queries[0],
        "query_mask": queries[1],
        "ids": documents[0],
        "attention": documents[1],
        "places": student.loaded.torch.tensor(places),
    }


def states(module: Any, ids: Any, mask: Any) -> Any:
    """Token states (rows, tokens, dim), float32."""
    return module.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()


def query_and_document_states(module: Any, features: Mapping[str, Any]) -> tuple[Any, Any]:
    """States of the queries and of the documents: one encoder, two passes."""
    queries = states(module, features["query_ids"], features["query_mask"])
    return queries, states(module, features["ids"], features["attention"])


def mean_pooled(rows: Any, mask: Any) -> Any:
    """The mean of the states of real tokens (rows, dim)."""
    weights = mask.unsqueeze(-1).to(rows.dtype)
    return (rows * weights).sum(1) / weights.sum(1).clamp(min=1)


def sentence_transformers_files(query_prefix: str, document_prefix: str, dim: int, window: int) -> dict[str, Any]:
    """The settings from which a folder's pooling, prompts and window are read, here and by sentence-transformers."""
    return {
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": dim, "pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": window},
        "config_sentence_transformers.json": {"prompts": {"query": query_prefix, "document": document_prefix}},
    }
