"""Why not: the smallest set of operations that has no order, and a sentence that a person can check by hand.

A witness proves that the whole history is invalid, so nothing may be left out that an answer rests on: it is closed
under reads-from, and to drop an operation means to drop what rests on it as well. Of such sets none is smaller:
dropping any one operation with what rests on it leaves a set that has an order. The work is bounded in steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from checkers import versions, zones
from checkers.history import History, Operation
from checkers.model import Model
from checkers.models.register import Register
from checkers.parts import NEVER, Columns, Part, Steps
from checkers.search import Search
from checkers.verdict import Verdict, invalid

if TYPE_CHECKING:
    from checkers.compiled import CompiledSearch

AnySearch: TypeAlias = "Search | CompiledSearch"

_STEPS = 200_000  # configurations that minimising may look at
_PLAIN = 10_000  # the same, where it may not look ahead
_PAIRS = 4_000_000  # questions that it may ask about who rests on whom
_DRAWN = 20_000  # operations of a key up to which its longest order is looked for


def conflict(name: str, columns: Columns, model: Register, found: zones.Conflict, details: dict[str, Any]) -> Verdict:
    """The verdict on a conflict of zones."""
    history = columns.history
    if columns.key is not None:
        columns = columns.rows(np.flatnonzero(columns.key == found.key))
    core = columns.rows(np.flatnonzero(np.isin(columns.numbers, found.numbers)))
    (part,), table = core.parts(model)
    small = _Smaller(part, table)
    places = small.run(list(range(len(part))))
    reason = found.reason
    if not {part.numbers[i] for i in places}.issuperset(found.told):
        reason = _told(columns, model, part, places, table)
    # The longest order of all that was invoked before the conflict was complete, if that is not too much to look for.
    closed = max(end for end in part.ends if end != NEVER)
    before = columns.rows(np.flatnonzero(columns.begins < closed))
    search = None
    if len(before) <= _DRAWN:
        (whole,), whole_table = before.parts(model)
        search = Search(whole, whole_table)
        search.run(_STEPS, 4 * _STEPS)
    if search is None or search.outcome is not False:
        search = Search(part, table)
        search.run(_STEPS)
    return _verdict(name, history, reason, part, places, search, small.minimal, details)


def contradiction(name: str, columns: Columns, found: versions.Refutation, details: dict[str, Any]) -> Verdict:
    """The verdict on what versions refute."""
    history = columns.history
    witness = [history.operation(number) for number in found.numbers]
    key = witness[0].key
    reason = "; ".join(found.reasons)
    return _invalid(name, history, reason, witness, key, found.longest, found.stuck, {**details, "minimal": True})


def refuted(name: str, columns: Columns, model: Model, search: AnySearch, details: dict[str, Any]) -> Verdict:
    """The verdict on a part that has no order."""
    part = search.part
    prefix = part.only(_closed_prefix(part, search))
    small = _Smaller(prefix, search.table)
    places = small.run(small.start(search.limit))
    reason = _told(columns, model, prefix, places, search.table)
    if search.foreseen:
        # For the longest order it must not look ahead; if that takes too long, the one on hand will do.
        plain = Search(prefix, search.table, ahead=False)
        plain.run(_PLAIN)
        if plain.outcome is False:
            return _verdict(name, columns.history, reason, prefix, places, plain, small.minimal, details)
    return _verdict(name, columns.history, reason, prefix, places, search, small.minimal, details)


def _told(columns: Columns, model: Model, part: Part, places: list[int], table: Steps) -> str:
    """What zones say of these operations alone, or else how far an order of them goes."""
    if zones.applies(model):
        numbers = [part.numbers[i] for i in places]
        found, _ = zones.judge(columns.rows(np.flatnonzero(np.isin(columns.numbers, numbers))), model)
        if found is not None:
            return found.reason
    return _sentence(columns.history, part.only(places), table)


def _closed_prefix(part: Part, search: AnySearch) -> list[int]:
    """All that began before the return that no order satisfies, and what those still open then came to rest on.

    What began later cannot help, so this has no order either, and it is closed under reads-from.
    """
    limit = search.limit
    found = [i for i in range(len(part)) if part.begins[i] < limit]
    later = range(len(found), len(part))
    unanswered = [i for i in found if part.ends[i] == NEVER]
    todo = [i for i in found if limit < part.ends[i] != NEVER]
    rests = _Smaller(part, search.table)._rests
    added: set[int] = set(todo)
    while todo:
        i = todo.pop()
        # One that was never answered needs its causes only if somebody who came back later rests on it.
        for on in (*later, *unanswered):
            if on not in added and rests(i, on):
                added.add(on)
                todo.append(on)
    return sorted(added.union(found))


def _verdict(
    name: str,
    history: History,
    reason: str,
    part: Part,
    places: list[int],
    search: AnySearch,
    minimal: bool,
    details: dict[str, Any],
) -> Verdict:
    witness = [history.operation(part.numbers[i]) for i in places]
    numbers = search.part.numbers
    longest, stuck = [numbers[i] for i in search.longest], [numbers[i] for i in search.stuck]
    return _invalid(name, history, reason, witness, part.name, longest, stuck, {**details, "minimal": minimal})


def _invalid(
    name: str,
    history: History,
    reason: str,
    witness: list[Operation],
    key: Any,
    longest: list[int],
    stuck: list[int],
    details: dict[str, Any],
) -> Verdict:
    more = {
        "key": key if isinstance(key, (str, int, type(None))) else str(key),
        "longest": [int(history.indices[history.invocations[number]]) for number in longest],
        "stuck": [int(history.indices[history.invocations[number]]) for number in stuck],
    }
    return invalid(name, reason, witness, **details, **more)


class _Smaller:
    """Makes a part that has no order as small as it can be."""

    def __init__(self, part: Part, table: Steps) -> None:
        self.part = part
        self.table = table
        self.steps = _STEPS
        self.pairs = _PAIRS
        self.minimal = True
        self.later = [sample.f in table.model.rest_on_later for sample in table.samples]
        self._known: dict[tuple[int, int], bool] = {}

    def start(self, limit: int) -> list[int]:
        """A set to begin with: the last operations with all that they rest on, as few as have no order."""
        n = len(self.part)
        begins, ends = self.part.begins, self.part.ends
        by_end = sorted(range(n), key=lambda i: (min(ends[i], limit), begins[i]))
        count = 8
        while count < n and self.pairs > 0:
            places = self._closed(by_end[-count:])
            if len(places) == n:
                break
            if self._impossible(places):
                return places
            count *= 2
        return list(range(n))

    def run(self, places: list[int]) -> list[int]:
        """Drop whatever can go: in pieces that halve, then one by one, latest first."""
        observes, classes = self.table.observes, self.part.classes
        # Nothing rests on an operation that only observes, so these go first and cheaply.
        for only_observers in (True, False):
            size = max(len(places) // 2, 1)
            while True:
                at = len(places)
                while at > 0:
                    piece = places[max(at - size, 0) : at]
                    at -= size
                    if only_observers:
                        piece = [i for i in piece if observes[classes[i]]]
                    if not piece:
                        continue
                    if self.steps <= 0 or self.pairs <= 0:
                        self.minimal = False
                        return places
                    rest = self._without(places, piece)
                    if self._impossible(rest):
                        places = rest
                        at = min(at, len(places))
                if size == 1:
                    break
                size = max(size // 2, 1)
        return places

    def _impossible(self, places: list[int]) -> bool:
        search = Search(self.part.only(places), self.table)
        search.run(max(self.steps, 0))
        self.steps -= search.steps + 1
        return search.outcome is False

    def _rests(self, i: int, on: int) -> bool:
        """Whether ``i`` may rest on ``on``; nothing rests on an observer, little on what began after it had ended."""
        kind, other = self.part.classes[i], self.part.classes[on]
        if self.table.observes[other]:
            return False
        if self.part.begins[on] >= self.part.ends[i] and not self.later[kind]:
            return False
        pair = (kind, other)
        known = self._known.get(pair)
        if known is None:
            samples = self.table.samples
            known = self._known[pair] = self.table.model.rests_on(samples[pair[0]], samples[pair[1]])
        return known

    def _closed(self, places: list[int]) -> list[int]:
        found, todo = set(places), list(places)
        everything = range(len(self.part))
        while todo:
            i = todo.pop()
            self.pairs -= len(everything)
            for on in everything:
                if on not in found and self._rests(i, on):
                    found.add(on)
                    todo.append(on)
        return sorted(found)

    def _without(self, places: list[int], gone: list[int]) -> list[int]:
        dropped, todo = set(gone), list(gone)
        observes, classes = self.table.observes, self.part.classes
        while todo:
            on = todo.pop()
            if observes[classes[on]]:
                continue
            self.pairs -= len(places)
            for i in places:
                if i not in dropped and self._rests(i, on):
                    dropped.add(i)
                    todo.append(i)
        return [i for i in places if i not in dropped]


def _sentence(history: History, part: Part, table: Steps) -> str:
    search = Search(part, table, ahead=False)
    search.run(_PLAIN)
    ops = [history.operation(number) for number in part.numbers]
    order, state = search.longest, table.model.initial
    for i in order:
        state = table.model.step(state, table.samples[part.classes[i]])
    described = table.model.describe(state)
    due, *others = [ops[i] for i in search.stuck]  # in order of return
    first = ", ".join(ops[i].call for i in order)
    begin = (
        f"{first} can come first and leave {described}"
        if first
        else f"nothing can come first; the state is {described}"
    )
    nor = f", and {_listed(others)}, open at that moment, cannot make it possible" if others else ""
    count = len(ops)
    opening = "this operation fits no order" if count == 1 else f"these {count} operations have no order"
    if search.outcome is None:
        return f"{opening}; in the longest one found, {begin}, and {due} could not come next"
    return f"{opening}: at best {begin}; then {due} has to take effect before it returns, but cannot{nor}"


def _listed(ops: list[Operation]) -> str:
    calls = [op.call for op in ops]
    return calls[0] if len(calls) == 1 else ", ".join(calls[:-1]) + " and " + calls[-1]
