"""An answer that must stand inside a tag, read by another readout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..core.errors import ConfigError
from ..core.exchange import Completion, Reading
from ..core.protocols import Capability, Comparable, Readout
from ..core.types import Repair, Scale
from .results import invalid
from .text import after_thinking, inside_tag, normalise


@dataclass(frozen=True)
class TaggedAnswer:
    """Gives ``inner`` only what stands inside the last complete ``<tag>``.

    on_missing: what a text without the tag is. ``inner``: read all that follows the thinking, with the repair
    ``no_tag``; ``invalid``: no answer (Rank-R1's and ReasonRank's own rule). A tag that was opened and not closed is
    read to the end, with ``unclosed_tag``. Labels' log-probabilities pass through untouched.

    >>> from shortlist.readouts import Permutation
    >>> strict = TaggedAnswer(Permutation(), on_missing="invalid")
    >>> strict.read(Completion("[2] > [1]"), 2).valid, strict.read(Completion("<answer>[2] > [1]</answer>"), 2).scores
    (False, (1.0, 2.0))
    """

    inner: Readout
    tag: str = "answer"
    on_missing: Literal["inner", "invalid"] = "inner"

    def __post_init__(self) -> None:
        if not self.tag.strip() or self.on_missing not in ("inner", "invalid"):
            raise ConfigError(
                f"tag={self.tag!r}, on_missing={self.on_missing!r}; expected a name, and 'inner' or 'invalid'"
            )

    @property
    def requires(self) -> frozenset[Capability]:
        return self.inner.requires

    @property
    def comparable(self) -> Comparable:
        return self.inner.comparable

    @property
    def max_group(self) -> int | None:
        return self.inner.max_group

    @property
    def scale(self) -> Scale:
        return self.inner.scale

    def labels(self, n: int) -> tuple[str, ...]:
        return self.inner.labels(n)

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        text = after_thinking(normalise(completion.text))
        if text is None:
            return invalid(n, "invalid_open_think")
        inside, closed = inside_tag(text, self.tag)
        if inside is None:
            if self.on_missing == "invalid":
                return invalid(n, "no_tag", detail=f"<{self.tag}>")
            return _with(self.inner.read(replace(completion, text=text), n), Repair("no_tag", detail=f"<{self.tag}>"))
        # a closed tag holds a whole answer even when the length limit cut what came after it
        reading = self.inner.read(replace(completion, text=inside, finished=completion.finished or closed), n)
        return reading if closed else _with(reading, Repair("unclosed_tag", detail=f"<{self.tag}>"))

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds ``scores`` would answer; ``inner`` must have ``write``."""
        inner: Any = self.inner
        written: Completion = inner.write(scores)
        return replace(written, text=f"<{self.tag}>{written.text}</{self.tag}>")


def _with(reading: Reading, repair: Repair) -> Reading:
    return replace(reading, repairs=(repair, *reading.repairs))
