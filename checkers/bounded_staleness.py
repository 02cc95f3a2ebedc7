"""Bounded staleness: how old is what was read? Δ-atomicity and k-atomicity (Golab, Li & Shah, PODC 2011).

A history is Δ-atomic when it would be linearizable had every read been invoked Δ earlier: each read then returns a
value that was current at most Δ before it began. The smallest such t is found exactly, by bisection over nanoseconds,
since a longer stretch only loosens. A history is k-atomic when some order that respects real time has every read
return one of the last k versions. k is exact when it is 1 (linearizable) or 2, which a search decides; above, a lower
bound counts the versions that certainly lie in between, an upper bound those of one order. What only observes counts
as a read.
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from checkers import zones
from checkers.budget import Budget
from checkers.history import READS, History, Operation, show
from checkers.model import ILLEGAL, Illegal, Model, State, freeze
from checkers.models.register import Register, written
from checkers.parts import NEVER, Columns
from checkers.search import Search
from checkers.verdict import Verdict, invalid, unknown, valid

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "bounded-staleness"
_STEPS = 100_000  # that searches may take unless told otherwise, for one t or for k
_UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000}


def judge(
    history: History, model: Model, budget: Budget, *, t: str | int | None = None, k: str | int | None = None
) -> Verdict:
    """The verdict. ``t`` ("50ms", or nanoseconds) and ``k`` are what is allowed; without them any finite staleness is.

    ``details`` hold the smallest ``t`` in nanoseconds (None: no t is enough, or there are no times) and ``k`` as a
    pair of bounds, equal where k is exact (the upper one None where there is none). O(n log n) for each of at most 63
    steps of the bisection, where every value has one writer: growth 1 in n operations. Raises `ValueError` for a
    ``t`` or ``k`` that makes no sense.
    """
    age, versions = allowed(t, k)
    columns = Columns(history, model)
    if not zones.applies(model):
        return unknown(NAME, f"staleness is judged for registers; the model is {model.name}")
    assert isinstance(model, Register)
    if not _named(columns, READS).any():
        return unknown(NAME, "nothing was read: there is nothing to judge")
    ages = _Ages(columns, model, budget)
    details: dict[str, Any] = {"model": model.name, "operations": len(columns)}
    try:
        why = ages.conflict(0)
        if why is None:
            return valid(NAME, "the smallest t is 0 ns, k is 1", **details, t=0, k=[1, 1])
        # Where a read may have begun at any time before and still makes no sense, no k is enough either.
        never = ages.conflict(None)
        if never is not None:
            witness = _operations(history, never)
            return invalid(NAME, f"no t is enough: {never.reason}", witness, **details, t=None, k=[2, None])
        smallest, why = ages.smallest(why)
    except _Undecided as undecided:
        return unknown(NAME, str(undecided), reproducible=undecided.reproducible, **details, t=None, k=[1, None])
    low, high = _versions(columns, model, budget)
    details |= {"t": smallest, "k": [low, high]}
    among = f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
    figures = f"k is {among}; there are no times"
    if smallest is not None:
        figures = f"the smallest t is {_text(smallest)}, k is {among}"
    because, witness = f"; with less, {why.reason}", _operations(history, why)
    if age is not None and smallest is not None and smallest > age:
        return invalid(NAME, f"{figures}, but t is {_text(age)}{because}", witness, **details)
    if versions is not None and low > versions:
        return invalid(NAME, f"{figures}, but {versions} was allowed{because}", witness, **details)
    if age is not None and smallest is None:
        return unknown(NAME, "the history has no times, so no t can be judged", **details)
    if versions is not None and (high is None or high > versions):
        return unknown(NAME, f"{figures}, so {versions} is not decided", **details)
    return valid(NAME, figures + because, **details)


def allowed(t: str | int | None = None, k: str | int | None = None) -> tuple[int | None, int | None]:
    """The parameters in nanoseconds and versions. Raises `ValueError` for those that make no sense."""
    return None if t is None else nanoseconds(t), None if k is None else counted(k)


def nanoseconds(text: str | int) -> int:
    """A stretch of time: "50ms", "1.5s", or nanoseconds. Raises `ValueError` for anything else."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    found = re.fullmatch(r"(\d+)(?:\.(\d+))?\s*(ns|us|µs|ms|s|m)", str(text).strip())
    if not found:
        raise ValueError(f't is a stretch of time such as "50ms" or "1.5s", not {text!r}')
    whole, part, unit = found.groups()
    value = int(whole + (part or "")) * _UNITS[unit]
    return -(-value // int("1" + "0" * len(part or "")))


def counted(versions: str | int) -> int:
    """A number of versions, from 1: 2 or "2". Raises `ValueError` for anything else."""
    if isinstance(versions, str) and re.fullmatch(r"[0-9]{1,9}", versions.strip()):
        versions = int(versions)
    if isinstance(versions, (str, bool)) or versions < 1:
        raise ValueError(f"k counts versions: it must be a whole number of at least 1, not {versions!r}")
    return versions


def _text(time: int) -> str:
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)):
        if time >= size:
            return f"{time // size}.{time % size:0{len(str(size)) - 1}}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{time} ns"


def _operations(history: History, why: zones.Conflict) -> list[Operation]:
    return [history.operation(number) for number in why.numbers]


def _named(columns: Columns, names: Iterable[str]) -> NDArray[np.bool_]:
    """Which operations have one of these names."""
    found: NDArray[np.bool_] = np.isin(columns.f, [columns.history.f.code(name) for name in names])
    return found


def _to_itself(pair: object) -> bool:
    """Whether a cas of this pair changes nothing when it matches."""
    return isinstance(pair, (list, tuple)) and len(pair) == 2 and freeze(pair[0]) == freeze(pair[1])


class _Undecided(Exception):
    """A budget ended a search; says how far it got."""

    def __init__(self, text: str, *, reproducible: bool) -> None:
        super().__init__(text)
        self.reproducible = reproducible


class _Ages:
    """Finds the smallest t."""

    def __init__(self, columns: Columns, model: Register, budget: Budget) -> None:
        self.history, self.columns, self.model, self.budget = columns.history, columns, model, budget
        self.times = self.history.times
        pairs = [code for code, value in enumerate(self.history.values.table) if _to_itself(value)]
        same = _named(columns, ["cas"]) & np.isin(columns.value, pairs)
        self.reads = _named(columns, READS) | columns.refused | same

    def smallest(self, why: zones.Conflict) -> tuple[int | None, zones.Conflict]:
        """The smallest t where 0 is too small for this reason and some t is enough (None: there are no times), and
        what a smaller one does not explain.
        """
        if int(self.times.min()) < 0 or not bool((self.times[1:] >= self.times[:-1]).all()):
            return None, why
        low, high = 0, int(self.times[-1] - self.times[0]) or 1
        while high - low > 1:
            middle = (low + high) // 2
            found = self.conflict(middle)
            if found is None:
                high = middle
            else:
                low, why = middle, found
        return high, why

    def conflict(self, t: int | None) -> zones.Conflict | None:
        """Why the history is not linearizable although reads begin ``t`` earlier (None: before everything else)."""
        begins = self.columns.begins
        if t != 0:
            early = 0 if t is None else np.searchsorted(self.times, self.times[begins] - t)
            begins = np.where(self.reads, early, begins)
        order = np.argsort(begins, kind="stable")
        moved = self.columns.rows(order)
        moved.begins = begins[order]
        conflict, rows = zones.judge(moved, self.model)
        if conflict is not None:
            return conflict
        rest = moved.rows(rows)
        # A read that was moved to an event begins before it: what ends there ends after that.
        rest.ends = np.where(rest.ends == NEVER, NEVER, rest.ends + 1)
        return self._search(rest)

    def _search(self, columns: Columns) -> zones.Conflict | None:
        parts, table = columns.parts(self.model)
        left = _STEPS if self.budget.steps_max is None else self.budget.steps_max
        for part in parts:
            search = Search(part, table)
            search.run(left)
            left -= search.steps
            if search.outcome is None:
                text = f"undecided after {search.steps:,} steps on key {show(part.name)}"
                raise _Undecided(text, reproducible=True)
            if self.budget.late():
                raise _Undecided(f"time is up ({self.budget.timeout:g} s)", reproducible=False)
            if search.outcome is False:
                numbers = [part.numbers[i] for i in search.stuck]
                ops = ", ".join(str(self.history.operation(number)) for number in numbers)
                return zones.Conflict(0, f"none of these fits what came before: {ops}", numbers)
        return None


class _Versions(Register):
    """A register whose reads may return any of the last versions."""

    def __init__(self, of: Register, k: int) -> None:
        self.k = k
        self.initial = (of.initial,)
        self.operations = of.operations  # type: ignore[misc]

    def step(self, state: State, op: Operation) -> State | Illegal:
        if op.f in READS:
            return state if freeze(op.value) in state else ILLEGAL
        if op.f == "delete" and op.result is False:
            return state if None in state else ILLEGAL
        if op.f == "cas":
            old = freeze(op.value[0])
            if op.result is False:
                return state if any(version != old for version in state) else ILLEGAL
            if old == freeze(op.value[1]):
                return state if old in state else ILLEGAL
            if state[0] != old:
                return ILLEGAL
        elif op.result is False:
            return state
        return (written(op), *state)[: self.k]


def _versions(columns: Columns, model: Register, budget: Budget) -> tuple[int, int | None]:
    """Bounds of k for a history that is not linearizable, where some k is enough."""
    low, high = _bounds(columns, model)
    if low == high or low > 2:
        return low, high
    parts, table = columns.parts(_Versions(model, 2))
    left = _STEPS if budget.steps_max is None else budget.steps_max
    for part in parts:
        search = Search(part, table)
        search.run(left)
        left -= search.steps
        if search.outcome is None:
            return low, high
        if search.outcome is False:
            return 3, high
    return 2, 2


def _bounds(columns: Columns, model: Register) -> tuple[int, int | None]:
    """From what is certain, and from the one order that puts writes as they were invoked."""
    values = [freeze(value) for value in columns.history.values.table]
    per_key: dict[int, tuple[list[Any], list[Any]]] = {}
    mixed: set[int] = set()  # keys with more than reads and writes
    rows = zip(
        _named(columns, READS).tolist(),
        _named(columns, ("write", "put")).tolist(),
        columns.refused.tolist(),
        columns.value.tolist(),
        [0] * len(columns) if columns.key is None else columns.key.tolist(),
        columns.begins.tolist(),
        columns.ends.tolist(),
        strict=True,
    )
    for read, write, refused, code, key, begin, end in rows:
        reads, writes = per_key.setdefault(key, ([], []))
        if read:
            reads.append((begin, end, values[code]))
        elif not write:
            mixed.add(key)
        elif not refused:
            writes.append((begin, end, values[code]))
    low = high = 2  # with one it would be linearizable
    simple = not mixed
    for key, (reads, writes) in per_key.items():
        if key in mixed:
            continue
        seen = {value for _, _, value in reads}
        places: dict[Any, int] = {model.initial: 0}
        kept: list[tuple[int, int]] = [(-1, -1)]
        twice = False
        for begin, end, value in writes:
            if end == NEVER and value not in seen:
                continue
            twice |= value in places and value in seen
            places[value] = len(kept)
            kept.append((begin, end))
        if twice:
            simple = False
            continue
        for least, most in _spans(reads, kept, places):
            low, high = max(low, least), max(high, most)
    return low, high if simple else None


def _spans(reads: list[Any], writes: list[tuple[int, int]], places: dict[Any, int]) -> Iterator[tuple[int, int]]:
    """For each read how many of the last versions it needs: at least, and in the order of invocation."""
    by_end = sorted(range(len(writes)), key=lambda w: writes[w][1], reverse=True)
    over: list[int] = []  # when the writes began that were over before, in order
    waiting: list[tuple[int, int]] = []  # reads by their end, with the place in the order up to which they have come
    reached = 0  # the place up to which all has come that was over before
    for begin, end, value in reads:  # in order of invocation
        place = places[value]
        while by_end and writes[by_end[-1]][1] < begin:
            write = by_end.pop()
            insort(over, writes[write][0])
            reached = max(reached, write)
        while waiting and waiting[0][0] < begin:
            reached = max(reached, heapq.heappop(waiting)[1])
        at = max(reached, place)
        heapq.heappush(waiting, (end, at))
        yield 1 + len(over) - bisect_right(over, writes[place][1]), 1 + at - place
