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
    allowed = None if t is None else nanoseconds(t)
    versions = None if k is None else counted(k)
    columns = Columns(history, model)
    if not zones.applies(model):
        return unknown(NAME, f"staleness is judged for registers; the model is {model.name}")
    assert isinstance(model, Register)
    if not bool(
        (np.isin(columns.f, [code for code, f in enumerate(history.f.table) if f in READS]) & ~columns.info).any()
    ):
        return unknown(NAME, "nothing was read: there is nothing to judge")
    ages = _Ages(history, columns, model, budget)
    smallest, why = ages.smallest()
    low, high = (1, 1) if smallest == 0 else _versions(columns, model, budget)
    details: dict[str, Any] = {"model": model.name, "operations": len(columns), "t": smallest, "k": [low, high]}
    if ages.late:
        return unknown(NAME, ages.late, reproducible=ages.reproducible, **details)
    among = f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
    if smallest is None and ages.timed:
        op = "" if why is None else f": {why.reason}"
        return invalid(NAME, f"no t is enough{op}", _operations(history, why), **details)
    because = "" if why is None else f"; with less, {why.reason}"
    figures = (
        f"the smallest t is {_text(smallest)}, k is {among}"
        if smallest is not None
        else f"k is {among}; there are no times"
    )
    if allowed is not None:
        if smallest is None:
            return unknown(NAME, "the history has no times, so no t can be judged", **details)
        if smallest > allowed:
            return invalid(NAME, f"{figures}, but t is {_text(allowed)}{because}", _operations(history, why), **details)
    if versions is not None:
        if low > versions:
            return invalid(
                NAME, f"{figures}, but {versions} was allowed{because}", _operations(history, why), **details
            )
        if high is None or high > versions:
            return unknown(NAME, f"{figures}, so {versions} is not decided", **details)
    return valid(NAME, figures + because, **details)


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


def _text(time: int | None) -> str:
    if time is None:
        return "unknown"
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)):
        if time >= size:
            return (
                f"{time / size:.9f}".rstrip("0").rstrip(".") + f" {unit}" if time % size else f"{time // size} {unit}"
            )
    return f"{time} ns"


def _to_itself(pair: object) -> bool:
    """Whether a cas of this pair changes nothing when it matches."""
    return isinstance(pair, (list, tuple)) and len(pair) == 2 and freeze(pair[0]) == freeze(pair[1])


def _operations(history: History, why: zones.Conflict | None) -> list[Operation]:
    return [] if why is None else [history.operation(number) for number in why.numbers]


class _Ages:
    """Finds the smallest t; ``late`` says why it was not found."""

    def __init__(self, history: History, columns: Columns, model: Register, budget: Budget) -> None:
        self.history, self.columns, self.model, self.budget = history, columns, model, budget
        self.times = history.times
        self.timed = (
            bool(len(self.times)) and int(self.times.min()) >= 0 and bool((self.times[1:] >= self.times[:-1]).all())
        )
        self.late = ""
        self.reproducible = True
        reads = np.isin(columns.f, [code for code, f in enumerate(history.f.table) if f in READS])
        if columns.result is not None and history.results is not None:
            reads |= (columns.result == history.results.code(False)) & ~columns.info
        pairs = [code for code, value in enumerate(history.values.table) if _to_itself(value)]
        reads |= (columns.f == history.f.code("cas")) & np.isin(columns.value, pairs) & ~columns.info
        self.reads = reads

    def smallest(self) -> tuple[int | None, zones.Conflict | None]:
        """The smallest t, and what a smaller one does not explain."""
        conflict, fits = self.holds(0)
        if fits or self.late or not self.timed:
            return (0 if fits else None), conflict
        low, high = 0, int(self.times[-1] - self.times[0]) + 1
        why, fits = self.holds(high)
        if not fits:
            return None, why
        while high - low > 1 and not self.late:
            middle = (low + high) // 2
            found, fits = self.holds(middle)
            if fits:
                high = middle
            else:
                low, conflict = middle, found
        return high, conflict

    def holds(self, t: int) -> tuple[zones.Conflict | None, bool]:
        """Whether the history is linearizable once reads begin ``t`` earlier."""
        begins = self.columns.begins
        if t:
            early = np.searchsorted(self.times, self.times[begins] - t)
            begins = np.where(self.reads, np.minimum(begins, early), begins)
        moved = self.columns.rows(np.argsort(begins, kind="stable"))
        moved.begins = begins[np.argsort(begins, kind="stable")]
        conflict, rows = zones.judge(moved, self.model)
        if conflict is not None:
            return conflict, False
        if not len(rows):
            return None, True
        rest = moved.rows(rows)
        # Here a read that was moved to an event begins before it, and two events never fall together.
        shifted = self.reads[np.searchsorted(self.columns.numbers, rest.numbers)] & (t > 0)
        rest.begins = 2 * rest.begins - shifted
        rest.ends = np.where(rest.ends == NEVER, NEVER, 2 * rest.ends)
        again = np.argsort(rest.begins, kind="stable")
        return self._search(rest.rows(again))

    def _search(self, columns: Columns) -> tuple[zones.Conflict | None, bool]:
        parts, table = columns.parts(self.model)
        left = _STEPS if self.budget.steps_max is None else self.budget.steps_max
        for part in parts:
            search = Search(part, table)
            search.run(left)
            left -= search.steps
            if search.outcome is None:
                self.late = f"undecided after {search.steps:,} steps on key {show(part.name)}"
                return None, False
            if self.budget.late():
                self.late, self.reproducible = f"time is up ({self.budget.timeout:g} s)", False
                return None, False
            if search.outcome is False:
                numbers = [part.numbers[i] for i in search.stuck]
                ops = ", ".join(str(self.history.operation(number)) for number in numbers)
                return zones.Conflict(0, f"none of these fits what came before: {ops}", numbers), False
        return None, True


class _Versions(Register):
    """A register whose reads may return any of the last versions."""

    def __init__(self, of: Register, k: int) -> None:
        self.k = k
        self.initial = (of.initial,)
        self.operations = of.operations  # type: ignore[misc]

    def step(self, state: State, op: Operation) -> State | Illegal:
        refused = op.result is False and op.type != "info"
        if op.f in READS:
            return state if op.type == "info" or freeze(op.value) in state else ILLEGAL
        if op.f == "delete" and refused:
            return state if None in state else ILLEGAL
        if op.f == "cas":
            old = freeze(op.value[0])
            if refused:
                return state if any(version != old for version in state) else ILLEGAL
            if old == freeze(op.value[1]) and op.type != "info":
                return state if old in state else ILLEGAL
            if state[0] != old:
                return ILLEGAL
        elif refused:
            return state
        return (written(op), *state)[: self.k]


def _versions(columns: Columns, model: Register, budget: Budget) -> tuple[int, int | None]:
    """Bounds of k for a history that is not known to be linearizable."""
    low, high = _bounds(columns, model)
    if high == 1 or low > 2:
        return low, high
    for k in (1, 2):
        if low > k:
            continue
        parts, table = columns.parts(_Versions(model, k))
        left = _STEPS if budget.steps_max is None else budget.steps_max
        fits = True
        for part in parts:
            search = Search(part, table)
            search.run(left)
            left -= search.steps
            if search.outcome is None:
                return low, high
            if search.outcome is False:
                fits = False
                break
        if fits:
            return low, k
        low = k + 1
    return low, high


def _bounds(columns: Columns, model: Register) -> tuple[int, int | None]:
    """From what is certain, and from the one order that puts writes as they were invoked."""
    history = columns.history
    names, values = history.f.table, [freeze(value) for value in history.values.table]
    keys = [0] * len(columns) if columns.key is None else columns.key.tolist()
    results = [None] * len(columns) if columns.result is None else columns.result.tolist()
    refusal = -2 if history.results is None else history.results.code(False)
    per_key: dict[int, tuple[list[Any], list[Any], bool]] = {}
    simple = True
    rows = zip(
        columns.f.tolist(),
        columns.value.tolist(),
        results,
        keys,
        columns.info.tolist(),
        columns.begins.tolist(),
        columns.ends.tolist(),
        strict=True,
    )
    for f, code, result, key, info, begin, end in rows:
        reads, writes, plain = per_key.setdefault(key, ([], [], True))
        name = names[f]
        if name in READS:
            reads.append((begin, end, values[code]))
        elif name in ("write", "put") and not (result == refusal and not info):
            writes.append((begin, end, values[code]))
        elif name in ("cas", "delete"):
            per_key[key] = (reads, writes, False)
    low, high = 1, 1
    for reads, writes, plain in per_key.values():
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
        if not plain or twice or any(value not in places for _, _, value in reads):
            simple = False
            continue
        # A read that was over before its write began fits no order at all.
        simple &= not any(end < kept[places[value]][0] for _, end, value in reads)
        a, b = _key_bounds(reads, kept, places)
        low, high = max(low, a), max(high, b)
    return low, high if simple else None


def _key_bounds(reads: list[Any], writes: list[tuple[int, int]], places: dict[Any, int]) -> tuple[int, int]:
    begins: NDArray[np.int64] = np.array([begin for begin, _ in writes])
    by_end = sorted(range(len(writes)), key=lambda w: writes[w][1])
    ends = np.array([writes[w][1] for w in by_end])
    newest = np.maximum.accumulate(np.array(by_end))
    low = high = 1
    over: list[tuple[int, int]] = []  # reads by their end, with the place in the order up to which they have come
    reached = 0
    for begin, end, value in reads:  # in order of invocation
        place = places[value]
        done = int(np.searchsorted(ends, begin))  # writes that were over before
        if writes[place][1] < begin:
            low = max(low, 1 + done - int(np.searchsorted(begins, writes[place][1], side="right")))
        while over and over[0][0] < begin:
            reached = max(reached, heapq.heappop(over)[1])
        at = max(int(newest[done - 1]), place, reached)
        heapq.heappush(over, (end, at))
        high = max(high, at - place + 1)
    return low, high
