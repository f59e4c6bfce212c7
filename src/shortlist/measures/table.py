"""The table of measures that are computed here: name, formula, parameters with their defaults, cutoff.

Names, parameters and defaults are ir-measures'. Two cases are settled here because ir-measures leaves them open:
``RBP`` without ``rel`` is binary at 1, and no parameter asks for the graded form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from . import binary, gains

REL: Mapping[str, Any] = {"rel": 1}
REL_AND_POOL: Mapping[str, Any] = {"rel": 1, "judged_only": False}


@dataclass(frozen=True, slots=True)
class Formula:
    """How one measure is computed.

    compute: called with a Graded and the parameters by name. parameters: name -> default.
    cutoff: whether ``@k`` may or must be there. at: the parameter that ``@`` sets.
    summed: True where the figure for a run is the sum over queries rather than the mean.
    """

    compute: Callable[..., float]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cutoff: Literal["none", "optional", "required"] = "none"
    at: str = "cutoff"
    summed: bool = False


FORMULAS: Mapping[str, Formula] = {
    "nDCG": Formula(gains.ndcg, {"dcg": "log2", "gains": None, "judged_only": False}, "optional"),
    "ERR": Formula(gains.err, {}, "optional"),
    "RBP": Formula(gains.rbp, {"p": 0.8, "rel": 1}, "optional"),
    "AP": Formula(binary.average_precision, REL_AND_POOL, "optional"),
    "RR": Formula(binary.reciprocal_rank, REL_AND_POOL, "optional"),
    "P": Formula(binary.precision, REL_AND_POOL, "required"),
    "R": Formula(binary.recall, REL_AND_POOL, "required"),
    "Success": Formula(binary.success, REL_AND_POOL, "required"),
    "Judged": Formula(binary.judged, {}, "optional"),
    "Rprec": Formula(binary.r_precision, REL_AND_POOL),
    "Bpref": Formula(binary.bpref, REL),
    "infAP": Formula(binary.inferred_ap, REL),
    "IPrec": Formula(binary.interpolated_precision, REL_AND_POOL, "required", at="recall"),
    "SetP": Formula(binary.set_precision, {"rel": 1, "relative": False, "judged_only": False}),
    "SetR": Formula(binary.set_recall, REL),
    "SetF": Formula(binary.set_f, {"rel": 1, "beta": 1.0, "judged_only": False}),
    "SetAP": Formula(binary.set_ap, REL_AND_POOL),
    "NumRet": Formula(binary.number_retrieved, {"rel": None}, summed=True),
    "NumRel": Formula(binary.number_relevant, REL, summed=True),
    "NumQ": Formula(binary.number_of_queries, {}, summed=True),
}

ALIASES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "NDCG": ("nDCG", {}),
    "MAP": ("AP", {}),
    "MRR": ("RR", {}),
    "Precision": ("P", {}),
    "Recall": ("R", {}),
    "RPrec": ("Rprec", {}),
    "BPref": ("Bpref", {}),
    "NumRelRet": ("NumRet", {"rel": 1}),
    "SetRelP": ("SetP", {"relative": True}),
}
CHOICES: Mapping[str, tuple[str, ...]] = {"dcg": ("log2", "exp-log2")}
