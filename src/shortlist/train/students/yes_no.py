"""A chat model as a pointwise student: the logit of yes minus that of no behind a prompt about one document.

Sources: yes/no fine-tuning as in monoT5 and its successors (arXiv 2003.06713); GMR (arXiv 2510.14824) for the two
logits taken apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from ..batches import Group
from ..objective import Given
from ._base import laid_out, padded, slots
from ._prompts import Prompted, last_logits


@dataclass(frozen=True)
class YesNo(Prompted):
    """Opened by ``yes-no`` (or any method of the same form) with the same prompt and words.

    yes, no: the words. method: the registry name that runs it. ``logits`` are no and yes, in this order.
    """

    _: KW_ONLY
    prompt: str = "yes-no"
    yes: str = "Yes"
    no: str = "No"
    method: str = "yes-no"

    gives: ClassVar[frozenset[Given]] = frozenset({"scores", "logits"})

    def features(self, groups: Sequence[Group]) -> dict[str, Any]:
        torch = self.loaded.torch
        _, places = slots(groups)
        rows = [
            self.asked(self.request(groups[i].query, [groups[i].candidates[d]], (self.no, self.yes))) for i, d in places
        ]
        ids, mask = padded([ids for ids, _ in rows], self.pad(), left=True)
        words = torch.tensor([words for _, words in rows])
        return {"ids": ids, "attention": mask, "words": words, "places": torch.tensor(places)}

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        places = features["places"]
        last = last_logits(module.model, features["ids"], features["attention"], 1)[:, -1]
        shape = (int(places[:, 0].max()) + 1, int(places[:, 1].max()) + 1)
        pairs = laid_out(last.gather(1, features["words"]), places, shape)
        return {"scores": pairs[..., 1] - pairs[..., 0], "logits": pairs}

    def opens_with(self, folder: str) -> dict[str, Any]:
        words = {"yes": self.yes, "no": self.no} if self.method == "yes-no" else {}
        return {"method": self.method, "model": folder, "prompt": self.prompt, **words, "options": self.options}
