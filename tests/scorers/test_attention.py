"""In-context scores from attention: the formula, the modes, and that every score lands on its own document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import Candidate, Document, Query, load
from shortlist.backends.fake import Noisy, Oracle
from shortlist.check import make_ranking
from shortlist.check.data import true_order
from shortlist.core.errors import ConfigError
from shortlist.core.exchange import AttentionMass, Request
from shortlist.core.protocols import Capability
from shortlist.core.types import Scale
from shortlist.prompts import load_prompt
from shortlist.schedules import Map
from shortlist.scorers import InContext
from shortlist.scorers.attention import MODES, passage_score

QUERY = Query("q", "why?")
GROUP = tuple(Candidate(Document(f"d{i}", f"{i} text")) for i in range(4))


@dataclass
class Looking:
    """Looks at the passage that begins with n with n per token, a tenth of it for the last row; "N/A" gets 1 each."""

    asked: list[tuple[Request, str]] = field(default_factory=list)

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.ATTENTION_ROWS})

    @property
    def digest(self) -> str:
        return "looking"

    def attention(self, requests: Sequence[Request], *, rows: Literal["mean", "last"] = "mean") -> list[AttentionMass]:
        self.asked += [(request, rows) for request in requests]
        share = 1.0 if rows == "mean" else 0.1
        return [self._one(request, share) for request in requests]

    def _one(self, request: Request, share: float) -> AttentionMass:
        assert request.parts is not None
        numbers = [int(p.split()[1]) for p in request.parts.passages]
        looks = [
            tuple([share * (1 if tail.endswith("N/A") else n)] * (n + 2) for n in numbers)
            for tail in request.parts.tails
        ]
        return AttentionMass(tuple(looks))


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=30))
def test_masked_calibration_is_its_formula(pairs: list[tuple[float, float]]) -> None:
    import statistics

    change = [a - b for a, b in pairs]
    spread = statistics.stdev(change)
    kept = [c for c in change if spread < 1e-12 or c > statistics.mean(change) - 2 * spread + 1e-12]
    border = [c for c in change if abs(c - (statistics.mean(change) - 2 * spread)) <= 1e-12]
    found = passage_score([a for a, _ in pairs], [b for _, b in pairs], masked=True)
    assert min(abs(found - sum(kept)), abs(found - sum(kept) - sum(border))) < 1e-9


def test_a_token_far_below_the_others_is_left_out() -> None:
    looks, blank = [0.5] * 9 + [0.0], [0.25] * 9 + [4.0]
    assert passage_score(looks, blank, masked=True) == pytest.approx(9 * 0.25)
    assert passage_score(looks, blank) == pytest.approx(9 * 0.25 - 4.0)


@pytest.mark.parametrize("tokens", [0, 1, 2, 5])
def test_few_and_equal_tokens_are_kept(tokens: int) -> None:
    assert passage_score([0.5] * tokens, [0.25] * tokens, masked=True) == 0.25 * tokens


@pytest.mark.parametrize(
    ("mode", "scores", "rows"),
    [
        ("masked_NA_calibration", (-2, 0, 4, 10), "mean"),
        ("NA_calibration_no_agg", (-0.2, 0, 0.4, 1.0), "last"),
        ("query_last", (0, 3, 8, 15), "mean"),
        ("attention_sorting", (0, 0.3, 0.8, 1.5), "last"),
        ("NA_only", (2, 3, 4, 5), "mean"),
    ],
)
@pytest.mark.parametrize("reverse", [True, False])
def test_modes_and_their_rows(mode: Any, scores: tuple[float, ...], rows: str, reverse: bool) -> None:
    backend = Looking()
    (call,) = InContext(load_prompt("icr"), backend, mode, reverse).score([(QUERY, GROUP)])
    assert call.group == ("d0", "d1", "d2", "d3")
    assert call.scores == pytest.approx(scores)
    ((request, read),) = backend.asked
    assert read == rows
    assert request.parts is not None
    blanks = [tail.endswith("N/A") for tail in request.parts.tails]
    assert blanks == {"query": [False], "blank": [True], "difference": [False, True]}[MODES[mode].of]


def test_the_list_is_shown_from_its_end() -> None:
    backend = Looking()
    InContext(load_prompt("icr"), backend).score([(QUERY, GROUP)])
    InContext(load_prompt("icr"), backend, reverse=False).score([(QUERY, GROUP)])
    shown = [request.parts.passages for request, _ in backend.asked if request.parts]
    assert shown[0] == ("[1] 3 text", "[2] 2 text", "[3] 1 text", "[4] 0 text")
    assert shown[1] == ("[1] 0 text", "[2] 1 text", "[3] 2 text", "[4] 3 text")


@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("window", [None, 20])
def test_scores_land_on_their_documents(reverse: bool, window: int | None) -> None:
    start = make_ranking(41, seed=3)
    method = load("icr", backend=Oracle(), reverse=reverse, window=window)
    (done,) = method.rerank([start])
    assert done.ids[:10] == true_order(41)[:10]
    assert done.scale == (Scale.RELATIVE if window is None else Scale.RANK)
    noisy = load("icr", backend=Noisy(sigma=3.0), reverse=reverse, window=window)
    assert noisy.rerank([start]) == noisy.rerank([start])


def test_one_call_per_list_and_nine_windows_of_a_hundred() -> None:
    assert len(load("icr", backend=Oracle()).rerank([make_ranking(100)])[0].trace) == 1
    assert len(load("icr", backend=Oracle(), window=20).rerank([make_ranking(100)])[0].trace) == 9


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="mode='masked': expected one of masked_NA_calibration"):
        InContext(load_prompt("icr"), Oracle(), "masked")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="prompt 'rankgpt' has no tail"):
        load("icr", backend=Oracle(), prompt="rankgpt")
    one_tail = replace(load_prompt("icr"), blank="")
    with pytest.raises(ConfigError, match="has no blank"):
        InContext(one_tail, Oracle())
    assert InContext(one_tail, Looking(), "query_last").score([(QUERY, GROUP)])[0].scores == (0, 3, 8, 15)
    with pytest.raises(ConfigError, match="InContext needs the capability attention_rows"):
        InContext(load_prompt("icr"), load("late-interaction").scorer.backend)
    with pytest.raises(ConfigError, match="mean something only within one call"):
        type(load("icr", backend=Oracle()))(InContext(load_prompt("icr"), Oracle()), Map())


def test_shares_are_numbers_of_numpy_or_lists() -> None:
    assert passage_score(np.array([0.5], np.float32), [0.25], masked=True) == 0.25
