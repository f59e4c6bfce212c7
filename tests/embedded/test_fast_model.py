"""The fast model inside the package: that it is the file that was measured, and how near it is to the default."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from shortlist.backends.embedded import Encoder
from shortlist.backends.embedded.folder import DEFAULT, SHIPPED
from shortlist.backends.similarity import combine, match

FAST = "shortlist-fast-en"
SHA256 = "462a8be031a67515310c87326883e5638325628a6105b9621a5d460ef26ad89b"
QUERY = "how long is the life cycle of a flea"
PASSAGES = [
    "A flea lives about a hundred days; its life cycle has four stages.",
    "Concrete floors cost three to twelve dollars per square foot.",
    "Dogs should be washed with a mild shampoo.",
]


def test_the_file_is_the_one_that_was_measured() -> None:
    assert hashlib.sha256((SHIPPED / FAST / "model.safetensors").read_bytes()).hexdigest() == SHA256
    assert sum(path.stat().st_size for path in (SHIPPED / FAST).iterdir()) <= 13 * 10**6


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_it_ranks_the_answer_first(precision: str) -> None:
    encoder = Encoder(FAST, precision=precision)  # type: ignore[arg-type]
    query = encoder.token_states([QUERY], kind="query")[0]
    assert int(combine(match(query, encoder.token_states(PASSAGES))).argmax()) == 0
    assert encoder.window == 256


def test_its_token_states_are_near_those_of_the_default() -> None:
    """Words that both vocabularies hold whole; its four layers before training have a mean cosine of 0.76 here."""
    before, after = (Encoder(name, precision="fp32").token_states([QUERY, *PASSAGES]) for name in (DEFAULT, FAST))
    cosines = [(a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
               for a, b in zip(before, after, strict=True)]  # fmt: skip
    assert np.concatenate(cosines).mean() > 0.9  # 0.924
