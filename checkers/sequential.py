"""Sequential consistency (Lamport 1979): one total order of all operations that respects the order of each session.

It is not local: keys that are fine one by one may have no order together, so all are searched at once. Deciding is
NP-complete, even for reads and writes, unless it is known who wrote what was read; what is cheap comes first:

- forced orders (after Gibbons & Korach 1997, section 4): if a read returns w, every other write of the key that comes
  before the read comes before w, and every one that follows w follows the read. Closed to a fixpoint, a circle refutes.
- sets that only grow and lists that are only appended to are decided by the versions that were read
  (`checkers.versions`).
- The search remembers how far each session has come. What only observes is taken as soon as it fits; a write waits
  until everybody who must read what it overwrites has done so; sessions are tried in the order of real time.

With real time among updates the same search decides osc(u): see `checkers.osc_u`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator
from typing import Any

import msgspec
import numpy as np

from checkers import versions, zones
from checkers.budget import Budget
from checkers.causal import REAL_TIME, Chains, Edges, Found, explain_circle, explain_too_old
from checkers.history import BadHistory, History, show
from checkers.model import Model
from checkers.parts import NEVER, Columns
from checkers.session_order import INITIAL, SessionOrder, counted, sessions_of
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "sequential"
_SLICE = 2_000  # steps between two looks at the clock
_SMALLER = 100_000  # steps that making a witness smaller may take
_ATTEMPT = 5_000  # steps that each of these searches may take
_WITNESS = 3_000  # operations up to which a witness is made smaller
_FORCED = 64  # operations from which on forced orders are worth their cost before any search
_BYTES = 400  # of memory for a remembered configuration, about


def judge(history: History, model: Model, budget: Budget) -> Verdict:
    """The verdict; ``steps`` bounds the configurations looked at.

    With s sessions, O(n s) for each round of forced orders and for a search that never goes back: growth 1 in n where
    a few rounds do, 2 where they are as many as operations; a search that goes back is exponential at worst.
    """
    return judge_order(NAME, history, model, budget, real_time=False)


def judge_order(name: str, history: History, model: Model, budget: Budget, *, real_time: bool) -> Verdict:
    """Sequential consistency, or with ``real_time`` osc(u): updates keep their real-time order among themselves."""
    columns = Columns(history, model)
    if not columns.completed:
        return unknown(name, "no operation was answered: there is nothing to judge")
    whole = Operations(columns, model, real_time=real_time)
    total = len(columns)
    details: dict[str, Any] = {
        "model": model.name,
        "operations": total,
        "sessions": whole.sessions,
        "method": "search",
        "steps": 0,
    }
    what = f"{counted(total, 'operation')} in {counted(whole.sessions, 'session')}"
    gates = None
    order = SessionOrder(history, model) if zones.applies(model) else None
    if order is not None and order.nowhere:
        op = history.operation(order.nowhere[0])
        more = {**details, "method": "forced", "minimal": True}
        return invalid(name, f"{op} saw a value that nobody wrote", [op], **more)
    if versions.applies(model):
        sessions = dict(zip(whole.numbers, whole.chain, strict=True))
        refutation, decided = versions.sequential(columns, model, sessions, real_time=real_time)
        if decided:
            details["method"] = "versions"
            if refutation is None:
                return valid(name, what, **details)
            return _forced(name, history, refutation.numbers, refutation.reasons, minimal=True, **details)
    search = Search(whole, range(total), None)
    if total < _FORCED:
        _run(search, budget, 64)
    if search.outcome is None and order is not None:
        forced = Forced(order, columns, whole)
        found = forced.close(budget)
        if found is not None:
            rows = {number: i for i, number in enumerate(whole.numbers)}
            places = [rows[number] for number in order.numbers(found.nodes)]
            return _refuted(name, history, model, whole, places, {**details, "method": "forced"}, found)
        gates = forced.gates(whole)
        steps = search.steps
        search = Search(whole, range(total), gates)
        search.steps = steps
    stopped, reproducible = _run(search, budget, None)
    details["steps"] = search.steps
    if search.outcome is None:
        return unknown(name, f"{stopped} while searching for one order of {what}", reproducible=reproducible, **details)
    if search.outcome:
        return valid(name, what, **details)
    return _refuted(name, history, model, whole, list(range(total)), details)


def _refuted(
    name: str,
    history: History,
    model: Model,
    whole: Operations,
    places: list[int],
    details: dict[str, Any],
    found: Found | None = None,
) -> Verdict:
    """The verdict on what has no order: as few of these operations as have none either, and why they have none.

    ``found`` is what forced orders say of ``places``, which are closed under reads-from.
    """
    smaller, minimal = _smaller(whole, places)
    numbers = [whole.numbers[i] for i in smaller]
    witness = [history.operation(number) for number in numbers]
    if found is not None and len(smaller) < len(places):
        found = _again(history, model, {op.index for op in witness}, whole.real_time)
    if found is not None:
        return _forced(name, history, numbers, found.reasons, minimal=minimal, **details)
    again = Search(whole, smaller, None, explains=True)
    again.run(_SMALLER)
    longest = ", ".join(history.operation(whole.numbers[i]).call for i in again.longest) or "nothing"
    stuck = [history.operation(whole.numbers[i]) for i in again.stuck]
    rule = "no order respects their sessions" + (" and the real time of updates" if whole.real_time else "")
    reason = f"{len(smaller)} operations: {rule}; at best {longest} can come first, and then none of " + "; ".join(
        f"{op.call} (event {op.index}, session {show(op.session)})" for op in stuck
    )
    return invalid(name, reason + " can be next", witness, minimal=minimal, **details)


def _forced(name: str, history: History, numbers: list[int], reasons: list[str], **details: Any) -> Verdict:
    """The verdict on operations of which each has to come before the next, in a circle."""
    reason = "no order is possible: " + "; ".join(reasons)
    return invalid(name, reason, [history.operation(number) for number in numbers], reasons=reasons, **details)


def _again(history: History, model: Model, kept: set[int], real_time: bool) -> Found | None:
    """What forced orders say of some operations alone."""
    alone = history.filter(lambda op: op.index in kept)
    columns = Columns(alone, model)
    forced = Forced(SessionOrder(alone, model), columns, Operations(columns, model, real_time=real_time))
    return forced.close(Budget())


def _run(search: Search, budget: Budget, limit: int | None) -> tuple[str, bool]:
    """Go on until it is decided, ``limit`` steps are done, or the budget stops it: then why, and whether that is
    reproducible.
    """
    most = budget.steps_max if limit is None else limit if budget.steps_max is None else min(limit, budget.steps_max)
    while True:
        until = search.steps + _SLICE
        search.run(until if most is None else min(until, most))
        if search.outcome is not None or search.steps == most:
            return f"undecided after {search.steps:,} steps", True
        if budget.late():
            return f"time is up ({budget.timeout:g} s)", False
        if search.remembered * _BYTES > budget.memory_max:
            return f"the search needs more than {budget.memory_max >> 20} MiB", False


class Operations:
    """What has to be put in order: columns over operations in order of invocation.

    ``chain`` is the session, ``rank`` how many answered operations of the session come before; ``source`` is the
    operation whose value was read if that is certain, -1 the initial value, -2 not known or none.
    """

    def __init__(self, columns: Columns, model: Model, *, real_time: bool) -> None:
        history = columns.history
        parts, self.table = columns.parts(model)
        n = len(columns)
        self.model = model
        self.real_time = real_time
        self.numbers: list[int] = columns.numbers.tolist()
        row = {number: i for i, number in enumerate(self.numbers)}
        self.part, self.kind = [0] * n, [0] * n
        for place, part in enumerate(parts):
            for number, kind in zip(part.numbers, part.classes, strict=True):
                self.part[row[number]], self.kind[row[number]] = place, kind
        self.parts = len(parts)
        self.begin: list[int] = columns.begins.tolist()
        self.end: list[int] = columns.ends.tolist()
        self.observes = [self.table.observes[kind] for kind in self.kind]
        of = sessions_of(history)
        ids: dict[Hashable, int] = {}
        self.chain = [ids.setdefault(of[number], len(ids)) for number in self.numbers]
        self.sessions = len(ids)
        self.rank: list[int] = []
        ends: list[list[int]] = [[] for _ in ids]
        for i in range(n):
            mine = ends[self.chain[i]]
            self.rank.append(bisect_left(mine, self.begin[i]))
            if self.end[i] != NEVER:
                if self.rank[i] < len(mine):
                    op = history.operation(self.numbers[i])
                    raise BadHistory(f"event {op.index}: session {show(op.session)} has another operation open already")
                mine.append(self.end[i])
        self.source = self._sources(model, parts) if zones.applies(model) else [-2] * n

    def _sources(self, model: Model, parts: list[Any]) -> list[int]:
        from checkers.model import freeze
        from checkers.models.register import written

        samples = self.table.samples
        leaves = [None if self.table.observes[k] else (written(op),) for k, op in enumerate(samples)]
        saw: list[tuple[Hashable] | None] = []
        for op in samples:
            if op.type == "info" or op.result is False:
                saw.append(None)
            elif op.f == "cas":
                saw.append((freeze(op.value[0]),))
            else:
                saw.append((freeze(op.value),) if op.f in ("read", "get") else None)
        writers: dict[tuple[int, Hashable], int] = {(part, model.initial): -1 for part in range(len(parts))}
        for i, kind in enumerate(self.kind):
            left = leaves[kind]
            if left is not None:
                place = (self.part[i], left[0])
                writers[place] = -2 if place in writers else i
        result = []
        for i, kind in enumerate(self.kind):
            seen = saw[kind]
            result.append(-2 if seen is None else writers.get((self.part[i], seen[0]), -2))
        return result


class _Frame(msgspec.Struct, gc=False):
    """A configuration: how long the order was, and what is left to try."""

    length: int
    choices: Iterator[int]
    mark: tuple[tuple[int, ...], tuple[int, ...]]
    used: int


class Search:
    """Depth first over configurations: how far each session is, what unanswered has been used, the object's state.

    ``only`` are the operations to put in order; ``gates`` say for each what has to come before it. A search that
    ``explains`` tries every beginning of an order, also one that overwrites what somebody has yet to read; of those
    with the most answered operations the first is in ``longest``, and in ``stuck`` what each session has next.
    """

    def __init__(
        self, whole: Operations, only: range | list[int], gates: list[list[int]] | None, *, explains: bool = False
    ) -> None:
        self.whole = whole
        self.gates = gates
        self.source = [-2] * len(whole.numbers) if explains else whole.source
        self.outcome: bool | None = None
        self.steps = 0
        self.longest: list[int] = []
        self.stuck: list[int] = []
        self._most = -1 if explains else len(whole.numbers)
        self.chains: list[list[int]] = [[] for _ in range(whole.sessions)]
        self.infos: list[tuple[int, int]] = []  # with how many of its session must come first
        for i in only:
            mine = self.chains[whole.chain[i]]
            if whole.end[i] != NEVER:
                mine.append(i)
            else:
                self.infos.append((i, sum(whole.rank[j] < whole.rank[i] for j in mine)))
        self.bit = {i: 1 << nth for nth, (i, _) in enumerate(self.infos)}
        self.position = [0] * whole.sessions
        self.total = sum(map(len, self.chains))
        self.done = 0
        self.used = 0
        self.states = [0] * whole.parts
        self.current = [-1] * whole.parts  # who wrote what is there
        self.due: dict[tuple[int, int], int] = {}  # by part and writer: how many have yet to read it
        for chain in self.chains:
            for i in chain:
                if self.source[i] != -2:
                    place = (whole.part[i], self.source[i])
                    self.due[place] = self.due.get(place, 0) + 1
        self.placed = bytearray(len(whole.numbers))
        self.trail: list[tuple[int, int, int]] = []  # an operation, the state and the writer before it
        self.until = self._until() if whole.real_time else None
        self._failed: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
        self.remembered = 0
        self._frames: list[_Frame] = []
        self._entering = True

    def _until(self) -> list[list[int]]:
        """Per session and position, when the next update ends."""
        whole, result = self.whole, []
        for chain in self.chains:
            ends = [NEVER] * (len(chain) + 1)
            for at in range(len(chain) - 1, -1, -1):
                ends[at] = ends[at + 1] if whole.observes[chain[at]] else whole.end[chain[at]]
            result.append(ends)
        return result

    def run(self, steps: int) -> None:
        """Go on until it is decided or ``self.steps`` reaches ``steps``."""
        while self.outcome is None:
            if self._entering:
                if self.steps >= steps:
                    return
                self.steps += 1
                self._entering = False
                self._observe()
                if self.done > self._most:
                    self._most = self.done
                    self.longest = [i for i, _, _ in self.trail]
                    self.stuck = [
                        chain[at] for chain, at in zip(self.chains, self.position, strict=True) if at < len(chain)
                    ]
                if self.done == self.total:
                    self.outcome = True
                    return
                mark = (tuple(self.position), tuple(self.states))
                known = self._failed.get(mark) if self._failed else None
                # What failed with less used up fails again.
                if known is None or all(used & ~self.used for used in known):
                    self._frames.append(_Frame(len(self.trail), iter(self._choices()), mark, self.used))
            if not self._frames:
                self.outcome = False
                return
            frame = self._frames[-1]
            self._undo(frame.length)
            chosen = next(frame.choices, None)
            if chosen is None:
                self._frames.pop()
                self._failed.setdefault(frame.mark, []).append(frame.used)
                self.remembered += 1
                continue
            self._place(chosen)
            self._entering = True

    def _fits(self, i: int) -> int:
        whole = self.whole
        state = self.states[whole.part[i]]
        after = whole.table.rows[state].get(whole.kind[i])
        return whole.table.fill(state, whole.kind[i]) if after is None else after

    def _open(self, i: int) -> bool:
        """Whether all that is forced before it has been placed."""
        return self.gates is None or all(self.placed[j] for j in self.gates[i])

    def _observe(self) -> None:
        """Take whatever only observes and fits.

        Gates are not asked: taking it now can spoil no order, so if something is forced before it, none is left anyway.
        """
        whole, chains, position = self.whole, self.chains, self.position
        again = True
        while again:
            again = False
            for session, chain in enumerate(chains):
                at = position[session]
                while at < len(chain) and whole.observes[chain[at]] and self._fits(chain[at]) >= 0:
                    self._place(chain[at])
                    at += 1
                    again = True

    def _choices(self) -> list[int]:
        """The updates that may come next, by real time, and then what was never answered."""
        whole = self.whole
        until = (
            NEVER if self.until is None else min(ends[at] for ends, at in zip(self.until, self.position, strict=True))
        )
        found = []
        for chain, at in zip(self.chains, self.position, strict=True):
            if at < len(chain):
                i = chain[at]
                if (
                    not whole.observes[i]
                    and whole.begin[i] <= until
                    and self._open(i)
                    and self._may_overwrite(i)
                    and self._fits(i) >= 0
                ):
                    found.append(i)
        found.sort(key=whole.end.__getitem__)
        twins: set[tuple[int, int]] = set()
        for i, first in self.infos:
            if self.used & self.bit[i] or self.position[whole.chain[i]] < first or whole.begin[i] > until:
                continue
            twin = (whole.part[i], whole.kind[i])
            if twin in twins or not self._open(i) or not self._may_overwrite(i):
                continue
            after = self._fits(i)
            if after < 0 or after == self.states[whole.part[i]]:
                continue
            twins.add(twin)
            found.append(i)
        return found

    def _may_overwrite(self, i: int) -> bool:
        whole = self.whole
        part = whole.part[i]
        current = self.current[part]
        return self.due.get((part, current), 0) == (self.source[i] == current)

    def _place(self, i: int) -> None:
        whole = self.whole
        part = whole.part[i]
        self.trail.append((i, self.states[part], self.current[part]))
        self.states[part] = self._fits(i)
        self.placed[i] = 1
        if whole.end[i] == NEVER:
            self.used |= self.bit[i]
        else:
            self.position[whole.chain[i]] += 1
            self.done += 1
            if self.source[i] != -2:
                self.due[part, self.source[i]] -= 1
        if not whole.observes[i]:
            self.current[part] = i

    def _undo(self, length: int) -> None:
        whole = self.whole
        while len(self.trail) > length:
            i, state, current = self.trail.pop()
            part = whole.part[i]
            self.states[part], self.current[part] = state, current
            self.placed[i] = 0
            if whole.end[i] == NEVER:
                self.used &= ~self.bit[i]
            else:
                self.position[whole.chain[i]] -= 1
                self.done -= 1
                if self.source[i] != -2:
                    self.due[part, self.source[i]] += 1


class Forced:
    """The orders that values force on reads and writes, all sessions at once."""

    def __init__(self, order: SessionOrder, columns: Columns, whole: Operations) -> None:
        self.order = order
        self.chains = Chains(order)
        chains = self.chains
        self.reads = np.flatnonzero(chains.reads)
        self.edges = chains.session_edges.plus(*chains.reads_from(self.reads))
        if whole.real_time:
            self.edges = self._real_time(columns, whole)
        self.lengths = np.bincount(chains.chain, minlength=chains.count)

    def _real_time(self, columns: Columns, whole: Operations) -> Edges:
        """From the last update of each session that ended before an update began.

        A cas from a value to itself is none.
        """
        order = self.order
        row = {number: i for i, number in enumerate(columns.numbers.tolist())}
        update = [not whole.observes[row[number]] for number in order.number]
        begin = {node: int(columns.begins[row[order.number[node]]]) for node in range(len(order)) if update[node]}
        first: dict[int, int] = {}
        for node in range(len(order)):
            first.setdefault(order.number[node], node)
        source, target = [], []
        for nodes in order.sessions:
            updates = [node for node in nodes if update[node]]
            ends = [int(columns.ends[row[order.number[node]]]) for node in updates]
            for node, at in begin.items():
                last = bisect_left(ends, at) - 1
                if last >= 0:
                    source.append(updates[last])
                    target.append(first[order.number[node]])
        return self.edges.plus(np.array(source, np.int64), np.array(target, np.int64), np.full(len(source), REAL_TIME))

    def close(self, budget: Budget) -> Found | None:
        """Why no order is possible, if that is found; else the clocks are ready for `gates`."""
        chains, reads = self.chains, self.reads
        sources = chains.source[reads]
        while True:
            self.clocks, done = chains.close(self.edges)
            if not done.all():
                return explain_circle(self.order, self.edges, done)
            written, read = chains.known(reads, self.clocks)
            stale = np.flatnonzero(chains.source[read] == INITIAL)
            if len(stale):
                return explain_too_old(self.order, self.edges, int(written[stale[0]]), int(read[stale[0]]))
            new = (written != chains.source[read]) & ~chains.precedes(written, chains.source[read], self.clocks)
            if budget.late():
                return None
            edges = self.edges.plus(written[new], chains.source[read[new]], read[new])
            later, _ = chains.close(Edges(self.edges.target, self.edges.source, self.edges.why), self.lengths)
            firsts = np.where((sources == INITIAL)[:, None], 0, self.lengths[None, :] - later[sources])
            next_write, next_read = chains.after(reads, firsts)
            apart = ~chains.precedes(next_read, next_write, self.clocks)
            edges = edges.plus(next_read[apart], next_write[apart], next_read[apart])
            if not new.any() and not apart.any():
                return None
            self.edges = edges

    def gates(self, whole: Operations) -> list[Any]:
        """For each operation those that must have been placed: of each chain the last that comes before."""
        order, chains = self.order, self.chains
        row = {number: i for i, number in enumerate(whole.numbers)}
        at = np.full((chains.count, int(self.lengths.max(initial=0))), -1, np.int64)
        at[chains.chain, chains.place] = [row[number] for number in order.number]
        own = at[chains.chain, chains.place].tolist()
        result: list[Any] = [[] for _ in whole.numbers]
        for node, clock in enumerate(self.clocks.tolist()):
            mine = int(chains.chain[node])
            for chain, count in enumerate(clock):
                if count and chain != mine:
                    result[own[node]].append(int(at[chain, count - 1]))
        # The read and the write of one cas are one operation.
        return [list(dict.fromkeys(gate)) for gate in result]


def _smaller(whole: Operations, places: list[int]) -> tuple[list[int], bool]:
    """Fewer of these operations that have no order either, closed under what their answers rest on.

    And whether that is minimal: without any of them, and what rests on it, there is an order.
    """
    if len(places) > _WITNESS:
        return places, False
    left = _SMALLER
    samples, rests, known = whole.table.samples, whole.model.rests_on, {}

    def without(gone: list[int]) -> list[int]:
        dropped, todo = set(gone), list(gone)
        while todo:
            on = todo.pop()
            if whole.observes[on]:
                continue
            for i in places:
                if i in dropped or whole.part[i] != whole.part[on]:
                    continue
                pair = (whole.kind[i], whole.kind[on])
                if pair not in known:
                    known[pair] = rests(samples[pair[0]], samples[pair[1]])
                if known[pair]:
                    dropped.add(i)
                    todo.append(i)
        return [i for i in places if i not in dropped]

    size = max(len(places) // 2, 1)
    while True:
        at, sure = len(places), True
        while at > 0:
            piece = places[max(at - size, 0) : at]
            at -= size
            rest = without(piece)
            if left <= 0:
                return places, False
            if rest:
                search = Search(whole, rest, None)
                search.run(min(left, _ATTEMPT))
                left -= search.steps + len(rest) // 10 + 1
                sure = sure and search.outcome is not None
                if search.outcome is False:
                    places = rest
                    at = min(at, len(places))
        # Once is enough: what cannot go from more cannot go from less.
        if size == 1:
            return places, sure
        size = max(size // 2, 1)
