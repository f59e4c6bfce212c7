"""Ranking losses: what a student's scores should be told about a teacher's scores or about labels.

Every loss over lists is called alike, ``loss(scores, targets, mask=None)``, with torch tensors of shape (lists,
documents): scores of the student, targets where higher is better (grades, a teacher's scores, negative ranks), and a
mask that is True where there is a document. It returns a scalar. Padding never counts, and neither does a document
whose target is -inf ("the teacher said nothing"). Sums are taken in float32 whatever the scores' type is.

How scores are brought to a common scale is not a loss's business: ``Normalised(loss, student, teacher)`` does that.
``Sum`` adds losses up. Losses of other shapes say so: ``InfoNCE`` (all queries against all documents),
``WeightedDirection`` (two logits per document), ``Unlikelihood`` (tokens), ``Orthogonality`` (vectors), ``Margin``.
Needs torch (extra ``local``) when called.
"""

from ._lists import ListLoss
from .adr_mse import ADRMSE
from .approx_ndcg import ApproxNDCG
from .binary import BinaryCrossEntropy, Focal
from .hardest import Hardest
from .info_nce import InfoNCE
from .kl import KL
from .lambda_loss import LambdaLoss
from .list_mle import ListMLE
from .margin_mse import MSE, MarginMSE
from .normalise import MinMax, Normalised, Ranks, Scaled, ZScore
from .offset_margin import OffsetMargin
from .orthogonality import Orthogonality
from .plackett_luce import PlackettLuce
from .rank_net import RankNet
from .softmax import SoftmaxCrossEntropy
from .sums import Sum
from .tokens import Unlikelihood
from .weight_direction import WeightedDirection

__all__ = [
    "ADRMSE",
    "KL",
    "MSE",
    "ApproxNDCG",
    "BinaryCrossEntropy",
    "Focal",
    "Hardest",
    "InfoNCE",
    "LambdaLoss",
    "ListLoss",
    "ListMLE",
    "MarginMSE",
    "MinMax",
    "Normalised",
    "OffsetMargin",
    "Orthogonality",
    "PlackettLuce",
    "RankNet",
    "Ranks",
    "Scaled",
    "SoftmaxCrossEntropy",
    "Sum",
    "Unlikelihood",
    "WeightedDirection",
    "ZScore",
]
