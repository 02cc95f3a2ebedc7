"""Linearizability (Herlihy & Wing 1990): one total order of the operations that respects real time and the model.

It is local: a history is linearizable exactly when each independent part of the object is, so parts are judged one
by one. Registers whose values are written once each are judged in nearly linear time (`checkers.zones`), and so are
sets that only grow and lists that are only appended to (`checkers.versions`); everything else is searched
(`checkers.search`), all parts in turn with growing budgets, so that a part that is easily refuted is found before a
hard one has eaten the time. What is refuted is explained (`checkers.explain`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

from checkers import explain, versions, zones
from checkers.budget import Budget
from checkers.history import History
from checkers.model import Model
from checkers.parts import Columns, Part, Steps
from checkers.search import Search
from checkers.verdict import Verdict, unknown, valid

if TYPE_CHECKING:
    from checkers.compiled import CompiledSearch

NAME = "linearizable"
_FIRST = 1_000  # steps for each part in the first turn
_GROWTH = 8
_SLICE = 20_000  # returns visited between two looks at the clock
_SHORT = 1_000  # operations
_LONG = 150  # operations from which a search is faster compiled, if that costs no import
_FEW_PARTS = 64  # so many searches at a time may have compiled tables, of 200 kB and more
_FEW_CLASSES = 256  # of operations; beyond, the model is asked about too many pairs of state and class for it to pay
_COMPILE = 64_000  # a part still undecided when its turn reaches this many steps is worth importing a compiler for


def judge(history: History, model: Model, budget: Budget) -> Verdict:
    """The verdict; its ``details`` name the method, the steps and, if invalid, what a drawing needs."""
    columns = Columns(history, model)
    total = len(columns)
    if not columns.completed:
        return unknown(NAME, "no operation was answered: there is nothing to judge")
    keys = 0 if columns.key is None else len(set(columns.key.tolist()))
    what = f"{total:,} operation{'s' * (total != 1)}" + (f" on {keys:,} key{'s' * (keys != 1)}" if keys else "")
    details: dict[str, Any] = {"model": model.name, "operations": total, "method": "zones", "steps": 0}
    rows = None
    if zones.applies(model) and not _repeats(columns):
        conflict, rows = zones.judge(columns, model)
        if conflict is not None:
            return explain.conflict(NAME, columns, model, conflict, details)
    elif versions.applies(model):
        details["method"] = "versions"
        refutation, rows = versions.linearizable(columns, model)
        if refutation is not None:
            return explain.contradiction(NAME, columns, refutation, details)
    if rows is not None:
        if not len(rows):
            return valid(NAME, what, **details)
        columns = columns.rows(rows)
    parts, table = columns.parts(model)
    turns = _Turns(parts, table, budget)
    refuted = turns.run()
    details["method"], details["steps"] = "search", turns.steps
    if refuted is not None:
        return explain.refuted(NAME, columns, model, refuted, details)
    if turns.hard is not None:
        hard = turns.hard
        where = f"key {hard.name}" if hard.name is not None else "the history"
        reason = f"{turns.stopped} while searching {where}, {len(hard):,} operations ({what} in all)"
        return unknown(NAME, reason, reproducible=turns.reproducible, **details)
    return valid(NAME, what, **details)


def _repeats(columns: Columns) -> bool:
    """Whether a short history without keys writes a value twice: then it is as good as certain to need a search."""
    if columns.key is not None or len(columns) > _SHORT:
        return False
    writes = columns.f == columns.history.f.code("write")
    written = columns.value[writes].tolist()
    return len(set(written)) < len(written)


AnySearch: TypeAlias = "Search | CompiledSearch"


class _Turns:
    """All parts in turn, with budgets that grow; the schedule counts steps and nothing else, so it is deterministic."""

    def __init__(self, parts: list[Part], table: Steps, budget: Budget) -> None:
        self.table = table
        self.budget = budget
        self.pending: list[AnySearch] = self._begun(parts, table)
        self.steps = 0
        self.stopped = ""
        self.hard: Part | None = None  # what was being searched then
        self.reproducible = True

    @staticmethod
    def _begun(parts: list[Part], table: Steps) -> list[AnySearch]:
        """Searches in plain Python, but where the compiler is loaded already, long parts of small models compiled."""
        compiled = sys.modules.get("checkers.compiled")
        if compiled is None or len(parts) > _FEW_PARTS or len(table.samples) > _FEW_CLASSES:
            return [Search(part, table) for part in parts]
        return [compiled.CompiledSearch(part, table) if len(part) >= _LONG else Search(part, table) for part in parts]

    def run(self) -> AnySearch | None:
        """The first search that refutes its part; None if all parts are valid or, with ``stopped``, it is too much."""
        quota = _FIRST
        while self.pending:
            later: list[AnySearch] = []
            for search in self.pending:
                if quota >= _COMPILE:
                    search = self._compiled(search)
                if not self._turn(search, quota):
                    self.hard = search.part
                    return None
                if search.outcome is False:
                    return search
                if search.outcome is None:
                    later.append(search)
            self.pending = later
            quota *= _GROWTH
        return None

    def _turn(self, search: AnySearch, quota: int) -> bool:
        """Whether the budget still allows more."""
        before = search.counted
        limit = quota
        if self.budget.steps_max is not None:
            limit = min(quota, before + self.budget.steps_max - self.steps)
        while not search.run(limit, _SLICE):
            if self.budget.late():
                return self._stop(f"time is up ({self.budget.timeout:g} s)")
            if search.memory > self.budget.memory_max:
                return self._stop(f"the search needs more than {self.budget.memory_max >> 20} MiB")
        self.steps += search.steps - before
        search.counted = search.steps
        if search.outcome is None and limit < quota:
            self.stopped = f"undecided after {self.steps:,} steps"
            return False
        return True

    def _stop(self, why: str) -> bool:
        self.stopped, self.reproducible = why, False
        return False

    def _compiled(self, search: AnySearch) -> AnySearch:
        """The same search compiled, from the beginning, if there is a compiler."""
        if not isinstance(search, Search):
            return search
        try:
            from checkers.compiled import CompiledSearch
        except ImportError:
            return search
        again = CompiledSearch(search.part, search.table)
        again.counted = search.counted
        return again
