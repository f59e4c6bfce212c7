"""How a teacher says what it knows: the truth, stretched, shifted, squashed and blurred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.errors import ConfigError
from ..core.extras import need


@dataclass(frozen=True)
class Teacher:
    """scale * (truth - centre) + noise + offset, of a truth in [-1, 1]; through a sigmoid if it squashes.

    scale: what the range is multiplied by. centre: the truth that becomes 0. noise: deviation of an error of each
    document. offset: deviation of an error of each query, the same for all of its documents, so that it says nothing
    about their order. squash: through a sigmoid, to (0, 1), where many stand at either end.
    """

    scale: float = 10.0
    centre: float = 0.6
    noise: float = 0.0
    offset: float = 0.0
    squash: bool = False

    def __post_init__(self) -> None:
        if self.scale <= 0 or self.noise < 0 or self.offset < 0:
            raise ConfigError(
                f"scale={self.scale}, noise={self.noise}, offset={self.offset}: expected above 0, 0 or more, 0 or more"
            )

    def says(self, truth: Any, chance: Any) -> Any:
        """truth: (lists, documents). chance: a torch.Generator, which all parameters draw the same numbers from."""
        torch = need("torch>=2.4", extra="local")
        noise = self.noise * torch.randn(truth.shape, generator=chance)
        offset = self.offset * torch.randn(len(truth), 1, generator=chance)
        scores = self.scale * (truth - self.centre) + noise + offset
        return scores.sigmoid() if self.squash else scores
