"""Where sentence-transformers has the same loss, the numbers are the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from shortlist.losses import (
    ADRMSE,
    LambdaLoss,
    ListMLE,
    MarginMSE,
    RankNet,
    SoftmaxCrossEntropy,
)
from shortlist.losses._lists import ListLoss

reference = pytest.importorskip(
    "sentence_transformers.cross_encoder.losses", reason="sentence-transformers is not installed"
)
encoders = pytest.importorskip("sentence_transformers.cross_encoder")
GRADES = [[3.0, 1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 2.0]]
SCORES = [[0.5, -1.0, 0.3, 2.0, 0.1], [1.5, 0.2, -0.7]]


class Table(torch.nn.Module):
    """A cross-encoder whose score of a document is what the document's text says."""

    num_labels = 1
    device = torch.device("cpu")
    activation_fn = torch.nn.Identity()

    def preprocess(self, pairs: list[tuple[str, str]], **_: Any) -> dict[str, Any]:
        return {"values": torch.tensor([[float(document)] for _, document in pairs])}

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        return {"scores": features["values"]}


def theirs(loss: Any) -> float:
    documents = [[str(score) for score in row] for row in SCORES]
    return float(loss([["q1", "q2"], documents], [torch.tensor(row) for row in GRADES]))


def ours(loss: ListLoss) -> float:
    scores, grades, mask = torch.zeros(2, 5), torch.zeros(2, 5), torch.zeros(2, 5, dtype=torch.bool)
    for i, (row, wanted) in enumerate(zip(SCORES, GRADES, strict=True)):
        scores[i, : len(row)], grades[i, : len(row)] = torch.tensor(row), torch.tensor(wanted)
        mask[i, : len(row)] = True
    return float(loss(scores, grades, mask))


@pytest.mark.parametrize(
    ("name", "params", "loss"),
    [
        ("ListNetLoss", {}, SoftmaxCrossEntropy("softmax")),
        ("ListMLELoss", {"respect_input_order": False}, ListMLE()),
        ("RankNetLoss", {"reduction_log": "natural"}, RankNet()),
        ("LambdaLoss", {}, LambdaLoss()),
        ("LambdaLoss", {"k": 2}, LambdaLoss(k=2)),
        ("LambdaLoss", {"weighting_scheme": "NDCGLoss1Scheme"}, LambdaLoss("ndcg1")),
        ("LambdaLoss", {"weighting_scheme": "NDCGLoss2Scheme"}, LambdaLoss("ndcg2")),
        ("LambdaLoss", {"weighting_scheme": "LambdaRankScheme"}, LambdaLoss("lambdarank")),
        ("LambdaLoss", {"weighting_scheme": "NoWeightingScheme"}, LambdaLoss("none")),
        ("ADRMSELoss", {}, ADRMSE()),
    ],
)
def test_listwise(name: str, params: dict[str, Any], loss: ListLoss) -> None:
    if not hasattr(reference, name):
        pytest.skip(f"this sentence-transformers has no {name}")
    scheme = params.get("weighting_scheme")
    if scheme:
        params = {**params, "weighting_scheme": getattr(reference, scheme)()}
    assert ours(loss) == pytest.approx(theirs(getattr(reference, name)(Table(), **params)), rel=1e-5)


def test_margin_mse_of_a_triple() -> None:
    class Cross(Table, encoders.CrossEncoder):  # type: ignore[name-defined,misc]
        """The table, as the class that this loss insists on."""

        def __init__(self) -> None:
            torch.nn.Module.__init__(self)

    documents = [["0.5", "1.5"], ["-1.0", "0.2"]]
    wanted = torch.tensor([2.0, -0.5])
    loss = reference.MarginMSELoss(Cross())([["q1", "q2"], *documents], wanted)
    scores = torch.tensor([[0.5, -1.0], [1.5, 0.2]])
    targets = torch.stack([wanted, torch.zeros(2)], 1)
    assert float(MarginMSE()(scores, targets)) == pytest.approx(float(loss), rel=1e-5)
