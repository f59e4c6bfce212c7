"""Backends without a model, for tests, teaching and cost estimates. They are part of the public API.

Each holds a relevance function ``(query text, document text) -> float``; the default reads the number that a
document's text begins with. ``Oracle`` is always right, in whatever form it is asked; the others are wrong in one way
each.
"""

from .oracle import Oracle, leading_number
from .troubled import Broken, Failing, Noisy, PositionBiased, Slow

__all__ = ["Broken", "Failing", "Noisy", "Oracle", "PositionBiased", "Slow", "leading_number"]
