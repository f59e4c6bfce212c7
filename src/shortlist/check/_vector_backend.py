"""What holds for backends that give vectors: unit rows of one length, token states of one width."""

from __future__ import annotations

import numpy as np

from ._probe import TEXTS, Probe
from .rerankers import _require


def gives_unit_rows(probe: Probe) -> None:
    """An array (texts, dim) of floats whose rows have length 1, for queries and documents; (0, dim) for no texts."""
    for kind in ("query", "document"):
        rows = np.asarray(probe.backend.embed(list(TEXTS), kind=kind))
        _require(rows.ndim == 2 and len(rows) == len(TEXTS), f"{kind}: {len(TEXTS)} texts gave the shape {rows.shape}")
        _require(np.issubdtype(rows.dtype, np.floating), f"{kind}: the numbers are {rows.dtype}")
        worst = float(np.abs(np.linalg.norm(rows, axis=1) - 1).max())
        _require(worst <= 1e-3, f"{kind}: a row's length is {worst:.3g} away from 1")
        none = np.asarray(probe.backend.embed([], kind=kind))
        _require(none.shape == (0, rows.shape[1]), f"{kind}: no texts gave the shape {none.shape}")


def gives_a_row_per_token(probe: Probe) -> None:
    """Per text an array (tokens, dim), dim the same for all; more text, more tokens."""
    for kind in ("query", "document"):
        states = [np.asarray(rows) for rows in probe.backend.token_states(list(TEXTS), kind=kind)]
        flat = [rows.shape for rows in states if rows.ndim != 2 or not len(rows)]
        _require(not flat, f"{kind}: expected (tokens, dim), got {flat[:1]}")
        widths = {rows.shape[1] for rows in states}
        _require(len(widths) == 1, f"{kind}: states of {sorted(widths)} numbers in one call")
        if not probe.is_fake:
            short, long = len(states[0]), len(states[2])
            _require(long > short, f"{kind}: a short text has {short} tokens, a long one {long}")
