"""A chat model as a listwise student: the order is in the logits of the passages' letters, and in the text it writes.

Source: Gangi Reddy et al. 2024, arXiv 2406.15657 (FIRST): L = L_LM + 10 L_rank, weighted RankNet on the letters'
logits right behind the opening bracket. Without ranking loss it is RankZephyr's fine-tuning (arXiv 2312.02724); without
text loss it is listwise distillation into one token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from ...core.errors import ConfigError
from ...core.exchange import Request
from ...core.types import MISSING
from ...readouts import FirstToken, Permutation
from ..batches import Group
from ..objective import Given
from ._base import padded
from ._prompts import Prompted, answer_loss, end_token, last_logits


@dataclass(frozen=True)
class First(Prompted):
    """Opened by ``first`` with the same prompt; groups have at most 26 documents, or what the prompt takes.

    ``text`` is the mean cross-entropy of the tokens of the target order and the end token, over all lists.
    """

    _: KW_ONLY
    prompt: str = "first"

    gives: ClassVar[frozenset[Given]] = frozenset({"scores", "text"})
    listwise: ClassVar[bool] = True

    def features(self, groups: Sequence[Group]) -> dict[str, Any]:
        torch = self.loaded.torch
        width = max(len(group.candidates) for group in groups)
        rows, letters, written = [], torch.zeros(len(groups), width, dtype=torch.long), []
        for i, group in enumerate(groups):
            labels = FirstToken().labels(len(group.candidates))
            if len(labels) < len(group.candidates):
                raise ConfigError(f"groups of {len(group.candidates)} documents, {len(labels)} letters: use fewer")
            request = self.request(group.query, group.candidates, labels)
            prompt, tokens = self.asked(request)
            answer = self._answer(request, group, len(prompt))
            rows.append([*prompt, *answer])
            written.append(len(answer))
            letters[i, : len(tokens)] = torch.tensor(tokens)
        ids, mask = padded(rows, self.pad(), left=True)
        return {"ids": ids, "attention": mask, "letters": letters, "written": torch.tensor(written)}

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        torch = self.loaded.torch
        ids, written, letters = features["ids"], features["written"], features["letters"]
        longest = int(written.max())
        logits = last_logits(module.model, ids, features["attention"], longest + 1)
        first = logits[torch.arange(len(ids), device=ids.device), longest - written]
        given: dict[Given, Any] = {"scores": first.gather(1, letters)}
        if "text" in wanted:
            given["text"] = answer_loss(torch, logits, ids, written)
        return given

    def opens_with(self, folder: str) -> dict[str, Any]:
        return {"method": "first", "model": folder, "prompt": self.prompt, "options": self.options}

    def _answer(self, request: Request, group: Group, prompt: int) -> list[int]:
        """The tokens behind the prompt (of that many tokens) in which the target order is written, and the end."""
        floor = min((t for t in group.targets if t != MISSING), default=0.0) - 1
        wanted = [floor if t == MISSING else t for t in group.targets]
        text = Permutation("letters").write(wanted).text.removeprefix(request.prefill)
        return [*self.ids(request, text)[prompt:], end_token(self.loaded)]
