"""Ordered sequential consistency of updates, osc(u) (Lev-Ari, Bortnikov, Keidar & Shraer 2017): what ZooKeeper
promises.

One total order of all operations that respects the order of each session, and real time among updates: an update that
was answered before another was invoked comes first. Reads may lag. An operation whose answer says that it changed
nothing (a cas that did not match) is no update.
"""

from __future__ import annotations

from checkers.budget import Budget
from checkers.history import History
from checkers.model import Model
from checkers.sequential import judge_order
from checkers.verdict import Verdict

NAME = "osc(u)"


def judge(history: History, model: Model, budget: Budget) -> Verdict:
    """The verdict; ``steps`` bounds the configurations looked at. Time grows as in `checkers.sequential`."""
    return judge_order(NAME, history, model, budget, real_time=True)
