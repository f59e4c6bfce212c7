"""The public checks of a backend hold for the embedded ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shortlist.backends.embedded import Encoder, PairScorer
from shortlist.check import backend_checks, check_backend


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_the_shipped_encoder(precision: str) -> None:
    encoder = Encoder(precision=precision)  # type: ignore[arg-type]
    assert len(backend_checks(encoder)) == 18
    check_backend(encoder)


def test_a_cross_encoder(make_model: Callable[..., Path]) -> None:
    scorer = PairScorer(make_model(), precision="fp32")
    assert len(backend_checks(scorer)) == 8
    check_backend(scorer)
