"""Runs plans against scorers: the only place where groups meet scorers."""

from .budget import Budget
from .fallback import Fallback
from .limits import budgeted, limited, outage
from .scheduled import Scheduled

__all__ = ["Budget", "Fallback", "Scheduled", "budgeted", "limited", "outage"]
