"""Pipelined RAM (Lipton & Sandberg 1988): each session sees the writes of every session in the order they were made.

Judged by `checkers.causal`, which also says what is forbidden.
"""

from __future__ import annotations

from checkers.budget import Budget
from checkers.causal import judge_causal
from checkers.history import History
from checkers.model import Model
from checkers.verdict import Verdict

NAME = "pram"


def judge(history: History, model: Model, budget: Budget) -> Verdict:
    """The verdict; an invalid one names the pattern and gives a reason for every step.

    With s sessions, O(n s) for each round of clocks of n operations, and rounds for each session until nothing new is
    forced: growth 1 in n where a few rounds do, at worst n of them and growth 2.
    """
    return judge_causal(NAME, history, model, budget)
