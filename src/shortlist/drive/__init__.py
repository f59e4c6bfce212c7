"""Runs plans against scorers: the only place where groups meet scorers."""

from .budget import Budget
from .scheduled import Scheduled

__all__ = ["Budget", "Scheduled"]
