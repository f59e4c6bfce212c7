"""Runs plans against scorers: the only place where groups meet scorers."""

from .budget import Budget
from .fallback import Fallback
from .limits import budgeted, innermost, limited, outage
from .mixture import Mixture
from .scheduled import Scheduled

__all__ = ["Budget", "Fallback", "Mixture", "Scheduled", "budgeted", "innermost", "limited", "outage"]
