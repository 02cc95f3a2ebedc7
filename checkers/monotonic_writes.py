"""Monotonic writes: who has seen a write of a session has seen what that session wrote before it.

One of the session guarantees of Terry et al. 1994; the definition is in `checkers.session_guarantees`.
"""

from __future__ import annotations

from checkers.budget import Budget
from checkers.history import History
from checkers.model import Model
from checkers.session_guarantees import judge_guarantee
from checkers.verdict import Verdict

NAME = "monotonic-writes"


def judge(history: History, model: Model, budget: Budget) -> Verdict:
    """The verdict; an invalid one names the read and the operations that make it too old. Growth 1 in n operations."""
    return judge_guarantee(NAME, history, model)
