"""Structured output: how each kind of server is told what form an answer must have.

Sources: OpenAI (``response_format``; vLLM, SGLang, llama.cpp and Ollama take it too), vLLM (``structured_outputs``; its
older releases ``guided_*``), SGLang (``regex``, ``ebnf``). Whether a server obeys is checked by the readout, not here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...core.errors import ConfigError

Form = Literal["json_schema", "regex", "choice", "grammar"]
Dialect = Literal["openai", "vllm", "vllm-guided", "sglang"]
_FIELDS: dict[str, dict[str, str]] = {
    "vllm": {"json_schema": "json", "regex": "regex", "choice": "choice", "grammar": "grammar"},
    "vllm-guided": {
        "json_schema": "guided_json",
        "regex": "guided_regex",
        "choice": "guided_choice",
        "grammar": "guided_grammar",
    },
    "sglang": {"json_schema": "json_schema", "regex": "regex", "grammar": "ebnf"},
}


@dataclass(frozen=True)
class Structured:
    """The form of a generated answer. value: a JSON schema, a regular expression, the choices, or a grammar.

    >>> Structured("regex", r"\\[\\d\\]", "vllm").fields()
    {'structured_outputs': {'regex': '\\\\[\\\\d\\\\]'}}
    """

    form: Form
    value: str | Mapping[str, Any] | tuple[str, ...]
    dialect: Dialect = "openai"

    def __post_init__(self) -> None:
        offered = ("json_schema",) if self.dialect == "openai" else tuple(_FIELDS.get(self.dialect, ()))
        if self.form not in offered:
            raise ConfigError(
                f"structured output {self.form!r} is not offered by the dialect {self.dialect!r}; it has: "
                f"{', '.join(offered) or 'nothing (dialects: openai, ' + ', '.join(_FIELDS) + ')'}"
            )
        wanted = {"json_schema": Mapping, "choice": (list, tuple)}.get(self.form, str)
        if not isinstance(self.value, wanted):  # type: ignore[arg-type]
            raise ConfigError(f"structured output {self.form!r} with {type(self.value).__name__}: wrong kind of value")

    def fields(self) -> dict[str, Any]:
        """The fields of the request body."""
        value = list(self.value) if self.form == "choice" else self.value
        if self.dialect == "openai":
            schema = {"name": "answer", "schema": value, "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        field = _FIELDS[self.dialect][self.form]
        if self.dialect == "vllm":
            return {"structured_outputs": {field: value}}
        if self.dialect == "sglang" and self.form == "json_schema":
            return {field: json.dumps(value, sort_keys=True)}
        return {field: value}
