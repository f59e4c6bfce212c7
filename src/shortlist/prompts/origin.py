"""What stands beside a template's texts: where its wording comes from, and worked examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Source:
    """Where a template comes from, and how sure its wording is.

    evidence: C read in the authors' code, P in the paper, R on a README or model card, N in a third party's
    transcription, M from memory. wording: ``as released`` (character by character, as checkpoints were trained with
    it), ``as described`` (a text that the source states in full), ``own`` (our words in the described form).
    """

    paper: str = ""
    repository: str = ""
    commit: str = ""
    path: str = ""
    licence: str = ""
    evidence: Literal["C", "P", "R", "N", "M"] = "M"
    wording: Literal["as released", "as described", "own"] = "own"
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example, sent as turns between the system text and the question; its texts have no placeholders."""

    user: str
    assistant: str
