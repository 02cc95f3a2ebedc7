"""Linearizability (Herlihy & Wing 1990): one total order of the operations that respects real time and the model.

It is local: a history is linearizable exactly when each independent part of the object is, so parts are judged one by
one. A register whose values are written once each is judged in nearly linear time (`checkers.zones`); everything else is
searched (`checkers.search`), all parts in turn with growing budgets, so that a part that is easily refuted is found
before a hard one has eaten the time.
"""

from __future__ import annotations

from checkers.budget import Budget
from checkers.history import History
from checkers.model import Model
from checkers.parts import Columns
from checkers.search import Search
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "linearizable"
_FIRST = 1_000  # steps for each part in the first turn
_GROWTH = 8


def judge(history: History, model: Model, budget: Budget) -> Verdict:
    columns = Columns(history, model)
    if not columns.completed:
        return unknown(NAME, "no operation was answered")
    parts, table = columns.parts(model)
    searches = [Search(part, table) for part in parts]
    pending = searches
    quota = _FIRST
    while pending:
        for search in pending:
            search.run(quota)
            if search.outcome is False:
                return invalid(NAME, "TODO", longest=[search.part.numbers[i] for i in search.longest])
        pending = [s for s in pending if s.outcome is None]
        quota *= _GROWTH
    return valid(NAME, f"{len(columns)} operations")
