"""Causal convergence: all agree on one order of the writes, and a read returns the last one that it knows of.

Judged by `checkers.causal`, which also says what is forbidden.
"""

from __future__ import annotations

from checkers.budget import Budget
from checkers.causal import judge_causal
from checkers.history import History
from checkers.model import Model
from checkers.verdict import Verdict

NAME = "ccv"


def judge(history: History, model: Model, budget: Budget) -> Verdict:
    """The verdict; an invalid one names the pattern and gives a reason for every step.

    With s sessions, O(n s) for the clocks of n operations and O(n log n) for sorting: growth 1 in n. A violation is
    told by a short circle, looked for from one operation after another: at worst from n of them, and growth 2.
    """
    return judge_causal(NAME, history, model, budget)
