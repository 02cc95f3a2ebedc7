"""Sets that only grow and lists that are only appended to, judged in nearly linear time by the versions that were read.

Where every element is added once and a read returns all of them, reads tell the history of the object (so does Elle
find the order of versions: Kingsbury & Alvaro, VLDB 2020): each is a part of the next, or no order explains them. That
ranks all operations of the object: an addition comes before the first version that shows it and after the one before,
what nobody saw after all of them; a list also ranks the additions between two versions. An order explains the reads
exactly when it respects the ranks, so that linearizability asks only whether anything of a higher rank was over before
something of a lower one began, and sequential consistency whether sessions and ranks together make a circle. An
addition that was never answered and that nobody saw has not happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from checkers.history import Operation, show
from checkers.model import PLAIN, Keyed, Model, freeze, thaw
from checkers.models.list import AppendList
from checkers.models.set import ElementSet
from checkers.parts import NEVER, Columns, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BASES = 40  # operations from which a shortest circle is looked for
_UNRANKED = -2  # the operation does not count: never answered and never seen, or of an object that is not judged here


class Contradiction:
    """Why no order explains some operations: sentences, the rows that these speak of, and the one that is due first."""

    def __init__(self, reasons: list[str], rows: Iterable[int], due: int) -> None:
        self.reasons = reasons
        self.rows = sorted(set(rows))
        self.due = due


class Refutation:
    """Operations that no order explains, as numbers of the history, closed under reads-from and none smaller; and why.

    ``longest`` is an order in real time of some that can come first, and ``stuck`` what can then not come next: both
    are of linearizability, and else empty.
    """

    def __init__(self, reasons: list[str], numbers: list[int], longest: list[int], stuck: list[int]) -> None:
        self.reasons = reasons
        self.numbers = numbers
        self.longest = longest
        self.stuck = stuck


def applies(model: Model) -> bool:
    """Whether the model is the set or the list, unchanged."""
    kind = type(model)
    return kind.partition is Keyed.partition and kind.step in (ElementSet.step, AppendList.step)


def linearizable(columns: Columns, model: Model) -> tuple[Refutation | None, NDArray[Any]]:
    """A refutation, or the rows of the objects on which versions cannot decide, where a search must.

    These are the sets from which something was removed, and objects to which an element was added twice.
    """
    versions = Versions(columns, model)
    found, undecided = versions.against_real_time(), np.flatnonzero(versions.undecided)
    if found is None:
        return None, undecided
    return _refutation(versions, found, Versions.against_real_time, until_the_end=True), undecided


def sequential(
    columns: Columns, model: Model, sessions: Mapping[int, int], *, real_time: bool
) -> tuple[Refutation | None, bool]:
    """A refutation, if there is one, and whether that decides it; ``real_time`` is that of additions, for osc(u).

    ``sessions`` are those of the operations, by their numbers in the history.
    """

    def judge(versions: Versions) -> Contradiction | None:
        return versions.against_sessions(sessions, real_time=real_time)

    versions = Versions(columns, model)
    if versions.undecided.any():
        return None, False
    found = judge(versions)
    return None if found is None else _refutation(versions, found, judge, until_the_end=False), True


def _refutation(
    versions: Versions,
    found: Contradiction,
    judge: Callable[[Versions], Contradiction | None],
    *,
    until_the_end: bool,
) -> Refutation:
    """As few operations as contradict each other; ``until_the_end``: in real time, where a read rests on nothing that
    began after it. If each of those named is needed, so is what they saw.
    """
    while True:
        for row in reversed(found.rows):
            rest = versions.without(versions.closed(found.rows, until_the_end=until_the_end), row)
            smaller = Versions(versions.columns.rows(np.array(rest, np.int64)), versions.model)
            again = judge(smaller)
            if again is not None:
                versions, found = smaller, again
                break
        else:
            break
    rows = versions.closed(found.rows, until_the_end=until_the_end)
    numbers = versions.columns.numbers
    longest, stuck = versions.longest(found) if until_the_end else ([], [])
    return Refutation(found.reasons, numbers[rows].tolist(), numbers[longest].tolist(), numbers[stuck].tolist())


class Versions:
    """The ranks of all operations; or a contradiction between what reads of one object returned."""

    def __init__(self, columns: Columns, model: Model) -> None:
        self.columns = columns
        self.model = model
        self.ordered = type(model).step is AppendList.step
        n = len(columns)
        self.rank: NDArray[np.int64] = np.full(n, _UNRANKED, np.int64)
        self.undecided = np.zeros(n, np.bool_)  # rows of objects that need a search
        self.contradiction: Contradiction | None = None
        self.key: list[int] = [0] * n if columns.key is None else columns.key.tolist()
        self.is_read: list[bool] = np.array([name == "read" for name in columns.history.f.table], np.bool_)[
            columns.f
        ].tolist()
        self._refused: list[bool] = columns.refused.tolist()
        self._seen: dict[int, list[Hashable]] = {}  # by the code of a read's value, frozen
        of: dict[int, list[int]] = {}
        for row, key in enumerate(self.key):
            of.setdefault(key, []).append(row)
        self._rows = of
        self.adder: dict[int, dict[Hashable, int]] = {}  # by key and element
        for key, rows in of.items():
            if self._additions(key, rows):
                found = self._ranked(key, rows)
                self.contradiction = self.contradiction or found
            else:
                self.undecided[rows] = True

    # ---- what the operations did

    def seen(self, row: int) -> list[Hashable]:
        """What a read returned, frozen: a set each element once, in the order in which it was told."""
        code = int(self.columns.value[row])
        found = self._seen.get(code)
        if found is None:
            refuse(self.model, self.op(row))
            value = self.columns.history.values.table[code] or ()
            frozen = list(value if PLAIN.issuperset(map(type, value)) else map(freeze, value))
            if not self.ordered and len(set(frozen)) < len(frozen):
                frozen = list(dict.fromkeys(frozen))
            found = self._seen[code] = frozen
        return found

    def op(self, row: int) -> Operation:
        return self.columns.history.operation(int(self.columns.numbers[row]))

    def _additions(self, key: int, rows: list[int]) -> bool:
        """Whether every element was added by one operation at most and nothing was removed."""
        columns = self.columns
        history = columns.history
        names, table = history.f.table, history.values.table
        adder: dict[Hashable, int] = {}
        for row in rows:
            if self.is_read[row]:
                continue
            element = freeze(table[columns.value[row]])
            if names[columns.f[row]] == "remove" or self._refused[row] or element in adder:
                return False
            adder[element] = row
        self.adder[key] = adder
        return True

    def _ranked(self, key: int, rows: list[int]) -> Contradiction | None:
        """Rank the operations on one object: a read of n elements 2 n - 1, additions in between."""
        adder, rank, reads = self.adder[key], self.rank, [row for row in rows if self.is_read[row]]
        reads.sort(key=lambda row: (len(self.seen(row)), row))
        before: list[Hashable] = []
        known: set[Hashable] = set()
        last = -1
        for row in reads:
            now = self.seen(row)
            rank[row] = 2 * len(now) - 1
            if now is before:
                continue
            everything = set(now)
            if len(everything) < len(now):
                twice = next(element for element, count in Counter(now).items() if count > 1)
                return Contradiction([f"{self.op(row)} saw {_text(twice)} twice, which was added once"], [row], row)
            if (now[: len(before)] != before) if self.ordered else not known <= everything:
                return self._apart(last, row)
            new = now[len(before) :] if self.ordered else everything - known
            if not adder.keys() >= set(new):
                strange = next(element for element in now if element not in adder)
                return Contradiction([self._too_early(row, strange)], [row], row)
            for place, element in enumerate(new, len(before)):
                rank[adder[element]] = 2 * place if self.ordered else 2 * len(now) - 2
            known = everything
            before, last = now, row
        for element, row in adder.items():
            if element not in known and not self.columns.info[row]:
                rank[row] = 2 * len(before)
        return None

    def _apart(self, one: int, other: int) -> Contradiction:
        """Two reads neither of which returned a part of the other."""
        if self.ordered:
            a, b = self.seen(one), self.seen(other)
            place = next(place for place, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1])
            reason = (
                f"as element {place + 1} {self.op(one)} saw {_text(a[place])}, but {self.op(other)} saw "
                f"{_text(b[place])}"
            )
            return Contradiction([reason], [one, other], other)
        x, y = _text(self._extra(other, one)), _text(self._extra(one, other))
        reason = (
            f"{self.op(one)} saw {x} and not {y}, {self.op(other)} saw {y} and not {x}: neither can have come first"
        )
        return Contradiction([reason], [one, other], other)

    def closed(self, rows: Iterable[int], *, until_the_end: bool) -> list[int]:
        """Rows with what their answers rest on, additions of what a read saw; or those of them that began in time."""
        found = set(rows)
        for row in list(found):
            if self.is_read[row]:
                adder = self.adder[self.key[row]]
                for element in self.seen(row):
                    added = adder.get(element)
                    if added is not None and (not until_the_end or self.columns.begins[added] < self.columns.ends[row]):
                        found.add(added)
        return sorted(found)

    def without(self, rows: Iterable[int], gone: int) -> list[int]:
        """These rows without one of them and the reads that saw what it added."""
        if self.is_read[gone]:
            return [row for row in rows if row != gone]
        element = freeze(self.op(gone).value)
        return [
            row for row in rows if row != gone and not (
                self.is_read[row] and self.key[row] == self.key[gone] and element in self.seen(row)
            )
        ]  # fmt: skip

    # ---- linearizability

    def against_real_time(self) -> Contradiction | None:
        """Two operations of one object of which the one of higher rank was over before the other began; or what reads
        of it contradict each other in.
        """
        if self.contradiction is not None:
            return self.contradiction
        columns = self.columns
        rows = np.flatnonzero(self.rank != _UNRANKED)
        if not len(rows):
            return None
        key = np.zeros(len(rows), np.int64) if columns.key is None else columns.key[rows].astype(np.int64)
        by_rank = np.lexsort((columns.begins[rows], self.rank[rows], key))
        rows, key = rows[by_rank], key[by_rank]
        rank, begins = self.rank[rows], columns.begins[rows]
        horizon = len(columns.history)
        first = np.concatenate((rank[1:] != rank[:-1], [True]))  # that the key is another makes no difference below
        higher = np.minimum.accumulate(np.where(first, np.arange(1, len(rows) + 1), len(rows))[::-1])[::-1]
        # Below all ends of larger keys, so that the lowest from each on is one of the same key if there is any.
        over = key * horizon + np.minimum(columns.ends[rows], horizon)
        soonest = np.append(np.minimum.accumulate(over[::-1])[::-1], np.iinfo(np.int64).max)[higher]
        bad = np.flatnonzero(soonest < key * horizon + begins)
        if not len(bad):
            return None
        low = int(bad[np.argmin(begins[bad])])
        return self._late(int(rows[low]), int(rows[np.flatnonzero(over == soonest[low])[0]]))

    def _late(self, low: int, high: int) -> Contradiction:
        """``low`` began when ``high``, which can only come after it, was over."""
        begins, ends = self.columns.begins, self.columns.ends
        if not self.is_read[low]:
            # A read that saw an addition before it began is enough: without the addition it is no better.
            early = [row for row in self._reads_above(low) if ends[row] < begins[low]]
            if early:
                read = min(early, key=ends.__getitem__)
                return Contradiction([self._too_early(read, freeze(self.op(low).value))], [read], low)
        a, b, rows = self.op(low), self.op(high), [low, high]
        if self.is_read[low]:
            extra = self._extra(low, high) if self.is_read[high] else freeze(b.value)
            seen = " had seen it and" if self.is_read[high] else ""
            reason = f"{a} did not see {_text(extra)}, though {b}{seen} was over before it was invoked"
        else:
            told, witness = self._tells_apart(low, high)
            reason, rows = f"{told}, though {b} was over before {a} was invoked", [*rows, witness]
        return Contradiction([reason], rows, low)

    def _too_early(self, read: int, element: Hashable) -> str:
        return f"{self.op(read)} saw {_text(element)}, which nobody had added"

    def longest(self, found: Contradiction) -> tuple[list[int], list[int]]:
        """An order of what can come first, in real time, and what is then due but cannot come next."""
        begins, ends = self.columns.begins, self.columns.ends
        if found is self.contradiction:
            order = [row for row in found.rows if row != found.due]
            for read in order or [found.due]:  # which is one, as at most two contradict each other
                known = self.adder[self.key[read]]
                order = [*(known[element] for element in dict.fromkeys(self.seen(read)) if element in known), *order]
            over = [ends[row] for row in order]
            earlier = np.minimum.accumulate(over[::-1])[::-1]  # the first to be over of those from each on
            in_time = all(begins[row] < end for row, end in zip(order, earlier, strict=True))
            return order if in_time else [], [found.due]
        key = self.key[found.due]
        rows = np.array([row for row in self._rows[key] if self.rank[row] != _UNRANKED], np.int64)
        rows = rows[np.lexsort((begins[rows], self.rank[rows]))]
        reads = np.array(self.is_read, np.bool_)[rows]
        due, cut = found.due, int(self.rank[rows].max()) + 1
        until = int(begins[due])
        while True:
            here = (self.rank[rows] < cut) & (begins[rows] < until)
            # A read has to wait for an addition that has yet to begin, and all above that one wait with it.
            highest = max(self.rank[rows[here & reads]], default=-1)
            missing = rows[(self.rank[rows] < highest) & ~reads & (begins[rows] >= until)]
            if not len(missing):
                return rows[here].tolist(), [due]
            cut = int(self.rank[missing].min()) + 1
            waiting = rows[self.rank[rows] >= cut]
            next_over = int(waiting[np.argmin(ends[waiting])])
            if ends[next_over] < until:
                due, until = next_over, int(ends[next_over])

    def because(self, low: int, high: int) -> tuple[str, list[int]]:
        """Why an operation of lower rank comes before one of higher rank of the same object, and who says so."""
        a, b = self.op(low), self.op(high)
        if self.is_read[low]:
            if self.is_read[high]:
                return f"{b} saw {_text(self._extra(low, high))}, {a} did not", []
            return f"{a} did not see what {b} added", []
        if self.is_read[high]:
            return f"{b} saw what {a} added", []
        told, witness = self._tells_apart(low, high)
        return f"{told}, so {a} came before {b}", [witness]

    def _extra(self, fewer: int, more: int) -> Hashable:
        """An element that one read saw and the other did not."""
        known = set(self.seen(fewer))
        return next(element for element in self.seen(more) if element not in known)

    def _reads_above(self, row: int) -> list[int]:
        """The reads of the object with a higher rank: if the row is an addition, those that saw it."""
        return [read for read in self._rows[self.key[row]] if self.is_read[read] and self.rank[read] > self.rank[row]]

    def _tells_apart(self, low: int, high: int) -> tuple[str, int]:
        """What the shortest read that tells two additions apart saw of them."""
        witness = min(self._reads_above(low), key=lambda row: (self.rank[row], row))
        x, y = (_text(freeze(self.op(row).value)) for row in (low, high))
        how = "and not" if self.rank[witness] < self.rank[high] else "before"
        return f"{self.op(witness)} saw {x} {how} {y}", witness

    # ---- sequential consistency

    def against_sessions(self, sessions: Mapping[int, int], *, real_time: bool) -> Contradiction | None:
        """A circle of session order and ranks and, with ``real_time``, of the real time of additions; or what reads of
        one object contradict each other in. Decides only where no row is undecided.
        """
        if self.contradiction is not None:
            return self.contradiction
        graph = _Graph(self, [sessions[number] for number in self.columns.numbers.tolist()], real_time=real_time)
        circle = graph.circle()
        reasons: list[str] = []
        rows = list(circle)
        for a, b in zip(circle, (*circle[1:], *circle[:1]), strict=True):
            if graph.follows(a, b):
                reasons.append(f"{self.op(b)} follows {self.op(a)} in session {show(self.op(b).session)}")
            elif self.key[a] == self.key[b] and self.rank[a] < self.rank[b]:
                sentence, more = self.because(a, b)
                reasons.append(sentence)
                rows += more
            else:
                reasons.append(f"{self.op(a)} was answered before {self.op(b)} was invoked")
        return Contradiction(reasons, rows, rows[0]) if circle else None


class _Graph:
    """What comes before what: rows, then a node for every boundary between two ranks and for every moment."""

    def __init__(self, versions: Versions, chain: Sequence[int], *, real_time: bool) -> None:
        columns = versions.columns
        self._chain = chain
        self._begins: list[int] = columns.begins.tolist()
        self._ends: list[int] = columns.ends.tolist()
        self._rows: list[int] = np.flatnonzero(versions.rank != _UNRANKED).tolist()
        self._out: list[list[int]] = [[] for _ in self._begins]
        self._sessions()
        self._boundaries(versions)
        if real_time:
            self._moments([row for row in self._rows if not versions.is_read[row]])

    def follows(self, a: int, b: int) -> bool:
        """Whether ``b`` comes later in the session of ``a``."""
        return self._chain[a] == self._chain[b] and self._ends[a] < self._begins[b]

    def _node(self, before: int) -> int:
        """A new node, after another one (-1: none)."""
        self._out.append([])
        if before >= 0:
            self._out[before].append(len(self._out) - 1)
        return len(self._out) - 1

    def _sessions(self) -> None:
        last: dict[int, int] = {}  # of each session, what was answered last
        for row in self._rows:
            before = last.get(self._chain[row])
            if before is not None:
                self._out[before].append(row)
            if self._ends[row] != NEVER:
                last[self._chain[row]] = row

    def _boundaries(self, versions: Versions) -> None:
        key, rank = versions.key, versions.rank.tolist()
        boundary = lower = -1
        group: list[int] = []
        place = (-1, -1)
        for row in sorted(self._rows, key=lambda row: (key[row], rank[row])):
            if place != (key[row], rank[row]):
                boundary = -1
                if place[0] == key[row]:
                    boundary = self._node(lower)
                    for before in group:
                        self._out[before].append(boundary)
                place, group, lower = (key[row], rank[row]), [], boundary
            group.append(row)
            if boundary >= 0:
                self._out[boundary].append(row)

    def _moments(self, updates: list[int]) -> None:
        ended = sorted((row for row in updates if self._ends[row] != NEVER), key=self._ends.__getitem__)
        moment, past = -1, 0
        for row in updates:
            while past < len(ended) and self._ends[ended[past]] < self._begins[row]:
                moment = self._node(moment)
                self._out[ended[past]].append(moment)
                past += 1
            if moment >= 0:
                self._out[moment].append(row)

    def circle(self) -> list[int]:
        """Rows of a short circle, each to come before the next; none if there is none."""
        left = self._on_circles()
        best: list[int] = []
        for base in [row for row in self._rows if left[row]][:_BASES]:
            best = self._back_to(base, left, len(best)) or best
        # What is in one session is so from its first to its last.
        return [
            row
            for row, before, after in zip(best, (*best[-1:], *best[:-1]), (*best[1:], *best[:1]), strict=True)
            if not (self.follows(before, row) and self.follows(row, after))
        ]

    def _on_circles(self) -> list[bool]:
        """The nodes that are left when those that nothing leads to, or that lead to nothing, are taken away in turn."""
        left = [True] * len(self._out)
        into: list[list[int]] = [[] for _ in self._out]
        for node, after in enumerate(self._out):
            for other in after:
                into[other].append(node)
        for ahead, behind in ((self._out, into), (into, self._out)):
            waits = [sum(left[other] for other in others) for others in behind]
            todo = [node for node, count in enumerate(waits) if not count and left[node]]
            while todo:
                node = todo.pop()
                left[node] = False
                for other in ahead[node]:
                    waits[other] -= 1
                    if not waits[other]:
                        todo.append(other)
        return left

    def _back_to(self, base: int, left: Sequence[bool], fewer: int) -> list[int]:
        """The fewest rows that lead from one back to it; nothing if these are not fewer than ``fewer`` (0: any)."""
        rows = len(self._begins)
        came = {base: -1}
        ring = [base]
        length = 1
        while ring and length != fewer:
            after: list[int] = []
            todo = ring
            while todo:
                node = todo.pop()
                for other in self._out[node]:
                    if other == base:
                        path = [node]
                        while came[path[-1]] >= 0:
                            path.append(came[path[-1]])
                        return [row for row in reversed(path) if row < rows]
                    if left[other] and other not in came:
                        came[other] = node
                        (after if other < rows else todo).append(other)
            ring, length = after, length + 1
        return []


def _text(element: Hashable) -> str:
    return show(thaw(element))
