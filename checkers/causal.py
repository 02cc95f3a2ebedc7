"""The causal models by their bad patterns (Bouajjani, Enea, Guerraoui & Hamza, POPL 2017, sections 3 to 5), and PRAM.

Causal order is what sessions did in turn and who read whose write. With values that are written once, a history breaks
a model exactly when it contains one of a few patterns: a circle in an order that the model forces, or a read that is
older than what it knows. An order is kept as vector clocks: each session is a chain, and a clock says how much of
every chain comes before a node. A forced order is closed by rounds: clocks, then the pairs that they force, until
nothing is new.

- cc: CyclicCO, WriteCOInitRead, ThinAirRead, WriteCORead;
- ccv: these, and CyclicCF: a write that a read knew of, but did not return, comes before the one it returned;
- cm: those of cc, and WriteHBInitRead and CyclicHB: the same for one session at a time, and each such pair may force
  more;
- pram (Lipton & Sandberg 1988): as cm, but of other sessions' reads nothing follows (Wei et al. 2013).

A cas that matched is a read and a write in one: its session saw the old value and, with nothing in between, left the
new one; everybody else sees its write. It is two nodes of its chain, and what has to come before the write has to come
before the read. That is all: in a view that is built by taking what each of the session's own operations needs, and
then that operation, nothing comes between the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from checkers.budget import Budget
from checkers.history import History
from checkers.model import Model
from checkers.session_order import INITIAL, SessionOrder, counted
from checkers.verdict import Verdict, invalid, unknown, valid

if TYPE_CHECKING:
    from numpy.typing import NDArray

REAL_TIME, _SESSION, _READS_FROM = -3, -2, -1  # why one node comes before another; a number is the read that forces it
_COMPILE = 1_000  # nodes from which on it is worth importing a compiler
_BASES = 40  # nodes from which a shortest circle is looked for


def judge_causal(name: str, history: History, model: Model, budget: Budget) -> Verdict:
    """The verdict on "cc", "ccv", "cm" or "pram"; an invalid one names the pattern and gives reasons."""
    order = SessionOrder(history, model)
    if not order.completed:
        return unknown(name, "no operation was answered: there is nothing to judge")
    details: dict[str, Any] = {"model": model.name, "operations": order.operations, "sessions": len(order.sessions)}
    if order.outside is not None:
        number, why = order.outside
        return unknown(name, f"only reads and writes are judged, but {why}: {history.operation(number)}", **details)
    if order.nowhere:
        op = history.operation(order.nowhere[0])
        return invalid(name, f"ThinAirRead: {op} saw a value that nobody wrote", [op], pattern="ThinAirRead", **details)
    found = Patterns(order, budget).first(name)
    if found is not None:
        lines = found.reasons
        reason = f"{found.pattern}: " + "; ".join(lines)
        return invalid(name, reason, order.witness(found.nodes), pattern=found.pattern, reasons=lines, **details)
    if budget.late():
        return unknown(name, f"time is up ({budget.timeout:g} s)", reproducible=False, **details)
    uncertain = order.left_out or order.partly
    if uncertain is not None:
        number, why = uncertain
        return unknown(
            name, f"no violation among the rest, but {history.operation(number)} cannot be judged: {why}", **details
        )
    what = f"{counted(order.operations, 'operation')} in {counted(len(order.sessions), 'session')}"
    return valid(name, what, **details)


class Found:
    """A bad pattern: its name in the paper, a reason for every step, and the nodes that these speak of."""

    def __init__(self, pattern: str, reasons: list[str], nodes: list[int]) -> None:
        self.pattern = pattern
        self.reasons = reasons
        self.nodes = nodes


class Edges:
    """Who comes before whom, and why; those added later rest on those added before."""

    def __init__(self, source: NDArray[np.int64], target: NDArray[np.int64], why: NDArray[np.int64]) -> None:
        self.source, self.target, self.why = source, target, why

    def plus(self, source: NDArray[np.int64], target: NDArray[np.int64], why: NDArray[np.int64]) -> Edges:
        return Edges(
            np.concatenate((self.source, source)),
            np.concatenate((self.target, target)),
            np.concatenate((self.why, why)),
        )


class Chains:
    """A session order as chains with clocks. What was never answered is a chain of its own, with nothing after it."""

    def __init__(self, order: SessionOrder) -> None:
        self.order = order
        n = len(order)
        self.chain = np.zeros(n, np.int64)
        self.place = np.zeros(n, np.int64)
        self.reads = np.array(order.reads, np.bool_)
        self.key = np.array(order.key, np.int64)
        self.source = np.array(order.source, np.int64)
        number = np.array(order.number, np.int64)
        self.first = np.arange(n)  # where an operation begins: the read of a cas, for its write
        self.first[1:] -= number[1:] == number[:-1]
        before: list[int] = []
        after: list[int] = []
        count = len(order.sessions)
        for session, nodes in enumerate(order.sessions):
            self.chain[nodes] = session
            self.place[nodes] = np.arange(len(nodes))
            before += nodes[:-1]
            after += nodes[1:]
        for node in range(n):
            if not order.answered[node]:
                self.chain[node] = count
                count += 1
                earlier = [
                    other for other in order.sessions[order.session[node]] if order.rank[other] < order.rank[node]
                ]
                if earlier:
                    before.append(earlier[-1])
                    after.append(node)
        self.count = count
        self.long = n + 1
        self.session_edges = Edges(
            np.array(before, np.int64), np.array(after, np.int64), np.full(len(before), _SESSION)
        )
        writes = np.flatnonzero(~self.reads)
        spot = self.spot(self.key[writes], self.chain[writes], self.place[writes])
        by_spot = np.argsort(spot, kind="stable")
        self._writes, self._spots = writes[by_spot], np.append(spot[by_spot], np.iinfo(np.int64).max)

    def spot(self, key: Any, chain: Any, place: Any) -> Any:
        return (key * self.count + chain) * self.long + place

    def reads_from(self, reads: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        reads = reads[self.source[reads] != INITIAL]
        return self.source[reads], reads, np.full(len(reads), _READS_FROM)

    def close(self, edges: Edges, lengths: NDArray[Any] | None = None) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Clocks of all nodes, and which of them come before or on no circle. With ``lengths`` of chains: counted
        backwards.
        """
        n = len(self.chain)
        by_source = np.argsort(edges.source, kind="stable")
        starts = np.zeros(n + 1, np.int64)
        np.cumsum(np.bincount(edges.source, minlength=n), out=starts[1:])
        clocks = np.zeros((n, self.count), np.int32)
        done = np.zeros(n, np.bool_)
        waits = np.bincount(edges.target, minlength=n)
        place = self.place if lengths is None else lengths[self.chain] - 1 - self.place
        _kernel(n)(starts, edges.target[by_source], waits, self.chain, place, clocks, done)
        return clocks, done

    def known(self, reads: NDArray[np.int64], clocks: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each read and chain the last write on the read's key before it: the pairs (write, read) that exist."""
        chain = np.arange(self.count)
        block = self.spot(self.key[reads][:, None], chain[None, :], 0)
        at = np.searchsorted(self._spots, block + clocks[reads]) - 1
        there = (at >= 0) & (self._spots[at] >= block)
        rows, _ = np.nonzero(there)
        return self._writes[at[there]], reads[rows]

    def after(self, reads: NDArray[np.int64], firsts: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each read and chain the first write on the read's key from a place on: the pairs (write, read) that
        exist.
        """
        block = self.spot(self.key[reads][:, None], np.arange(self.count)[None, :], 0)
        at = np.searchsorted(self._spots, block + firsts)
        there = self._spots[at] < block + self.long
        rows, _ = np.nonzero(there)
        return self._writes[at[there]], reads[rows]

    def precedes(self, a: NDArray[np.int64], b: NDArray[np.int64], clocks: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether each ``a`` comes before its ``b``."""
        return clocks[b, self.chain[a]] > self.place[a]


def _kernel(n: int) -> Any:
    if n >= _COMPILE:
        try:
            from checkers.compiled_clocks import run
        except ImportError:
            return advance
        return run
    return advance


def advance(starts: Any, targets: Any, waits: Any, chain: Any, place: Any, clocks: Any, done: Any) -> None:
    """Clocks in topological order; `checkers.compiled_clocks` compiles this function as it stands."""
    n, width = clocks.shape
    todo = np.zeros(n, np.int64)
    count = 0
    for v in range(n):
        if waits[v] == 0:
            todo[count] = v
            count += 1
    at = 0
    while at < count:
        u = todo[at]
        at += 1
        done[u] = True
        for e in range(starts[u], starts[u + 1]):
            v = targets[e]
            for c in range(width):
                if clocks[u, c] > clocks[v, c]:
                    clocks[v, c] = clocks[u, c]
            if place[u] >= clocks[v, chain[u]]:
                clocks[v, chain[u]] = place[u] + 1
            waits[v] -= 1
            if waits[v] == 0:
                todo[count] = v
                count += 1


class Patterns:
    """Looks for the patterns of a model, cheapest first."""

    def __init__(self, order: SessionOrder, budget: Budget) -> None:
        self.order = order
        self.budget = budget
        self.chains = Chains(order)

    def first(self, name: str) -> Found | None:
        chains = self.chains
        reads = np.flatnonzero(chains.reads)
        if name == "pram":
            return self._by_session(chains.session_edges, own_reads=True)
        causal = chains.session_edges.plus(*chains.reads_from(reads))
        clocks, done = chains.close(causal)
        if not done.all():
            return explain_circle(self.order, causal, done, None, "CyclicCO")
        written, read = chains.known(reads, clocks)
        stale = chains.source[read] == INITIAL
        if stale.any():
            at = int(np.flatnonzero(stale)[0])
            return explain_too_old(self.order, causal, int(written[at]), int(read[at]), None, "WriteCOInitRead")
        stale = chains.precedes(chains.source[read], written, clocks)
        if stale.any():
            at = int(np.flatnonzero(stale)[0])
            return explain_too_old(self.order, causal, int(written[at]), int(read[at]), None, "WriteCORead")
        if name == "cm":
            return self._by_session(causal, own_reads=False)
        if name == "ccv":
            new = (written != chains.source[read]) & ~chains.precedes(written, chains.source[read], clocks)
            forced = causal.plus(written[new], chains.source[read[new]], read[new])
            _, done = chains.close(forced)
            if not done.all():
                return explain_circle(self.order, forced, done, None, "CyclicCF")
        return None

    def _by_session(self, base: Edges, *, own_reads: bool) -> Found | None:
        """Close the order that each session's reads force on the writes (HB of the paper), session by session."""
        chains = self.chains
        for session, nodes in enumerate(self.order.sessions):
            reads = np.array([node for node in nodes if self.order.reads[node]], np.int64)
            if not len(reads):
                continue
            if self.budget.late():
                return None
            edges = base.plus(*chains.reads_from(reads)) if own_reads else base
            while True:
                clocks, done = chains.close(edges)
                if not done.all():
                    return explain_circle(self.order, edges, done, session, "CyclicHB")
                written, read = chains.known(reads, clocks)
                stale = np.flatnonzero(chains.source[read] == INITIAL)
                if len(stale):
                    return explain_too_old(
                        self.order, edges, int(written[stale[0]]), int(read[stale[0]]), session, "WriteHBInitRead"
                    )
                new = (written != chains.source[read]) & ~chains.precedes(written, chains.source[read], clocks)
                if not new.any():
                    break
                edges = edges.plus(written[new], chains.first[chains.source[read[new]]], read[new])
        return None


def explain_too_old(
    order: SessionOrder, edges: Edges, write: int, read: int, session: int | None = None, pattern: str = ""
) -> Found:
    """A read that should have found a write, or something newer."""
    story = _Story(order, edges, session)
    source = order.source[read]
    if source == INITIAL:
        story.say(
            f"{order.call(read)} returned the initial value, but {order.call(write)} comes before it", [read, write]
        )
    else:
        story.say(
            f"{order.call(read)} returned what {order.call(source)} wrote, but {order.call(write)} comes in between",
            [read, write, source],
        )
        story.tell(story.path(source, write, len(edges.why)))
    story.tell(story.path(write, read, len(edges.why)))
    return Found(pattern, story.lines, story.nodes)


def explain_circle(
    order: SessionOrder, edges: Edges, done: NDArray[np.bool_], session: int | None = None, pattern: str = ""
) -> Found:
    """Steps that lead back to where they began; ``done`` are the nodes that are on no circle."""
    story = _Story(order, edges, session)
    story.tell(story.circle(done))
    return Found(pattern, story.lines, story.nodes)


class _Story:
    """Reasons for steps, each told once; a step that a read forced is followed by why that read knew of the write."""

    def __init__(self, order: SessionOrder, edges: Edges, session: int | None) -> None:
        self.order = order
        self.lines: list[str] = []
        self.nodes: list[int] = []
        self._source, self._target, self._why = edges.source.tolist(), edges.target.tolist(), edges.why.tolist()
        self._out: dict[int, list[int]] = {}
        for e, source in enumerate(self._source):
            self._out.setdefault(source, []).append(e)
        self._told: set[str] = set()
        self._session = session

    def say(self, line: str, nodes: Iterable[int]) -> None:
        if line not in self._told:
            self._told.add(line)
            self.lines.append(line)
        self.nodes += nodes

    def path(self, a: int, b: int, limit: int, allowed: Any = None, within: int | None = None) -> list[int]:
        """The fewest edges from ``a`` to ``b`` among the first ``limit``; none if more than ``within`` are needed."""
        came: dict[int, int] = {}
        ring, steps = [a], 0
        while ring and steps != within:
            ring, last, steps = [], ring, steps + 1
            for u in last:
                for e in self._out.get(u, ()):
                    v = self._target[e]
                    if e >= limit or v in came or (allowed is not None and allowed[v]):
                        continue
                    came[v] = e
                    if v == b:
                        found = [e]
                        while self._source[found[-1]] != a:
                            found.append(came[self._source[found[-1]]])
                        return found[::-1]
                    ring.append(v)
        return []

    def circle(self, done: NDArray[np.bool_]) -> list[int]:
        """A short circle among the nodes that are not done."""
        best: list[int] = []
        bases: set[int] = set()
        finished = self._led_back(done)
        for e in range(len(self._why)):
            u = self._target[e]
            # A circle leaves a session somewhere: by a read, or by a step that was forced.
            if self._why[e] == _SESSION or finished[u] or u in bases:
                continue
            bases.add(u)
            best = self.path(u, u, len(self._why), finished, len(best) - 1 if best else None) or best
            if len(best) == 2 or (len(bases) >= _BASES and best):
                break
        return best

    def _led_back(self, done: NDArray[np.bool_]) -> list[bool]:
        """``done``, and what only follows from circles: nothing leads from there back to one."""
        finished: list[bool] = done.tolist()
        left = [0] * len(finished)  # edges out of each node to nodes that are not finished
        into: dict[int, list[int]] = {}
        for source, target in zip(self._source, self._target, strict=True):
            if not finished[target]:
                left[source] += 1
                into.setdefault(target, []).append(source)
        ends = [node for node, count in enumerate(left) if not count]
        while ends:
            node = ends.pop()
            finished[node] = True
            for source in into.get(node, ()):
                left[source] -= 1
                if not left[source]:
                    ends.append(source)
        return finished

    def tell(self, steps: list[int]) -> None:
        order = self.order
        later: list[tuple[int, int, int]] = []
        at = 0
        while at < len(steps):
            e = steps[at]
            first, why = self._source[e], self._why[e]
            if why == _SESSION:
                while at + 1 < len(steps) and self._why[steps[at + 1]] == _SESSION:
                    at += 1
            last = self._target[steps[at]]
            at += 1
            if why == _SESSION:
                if order.number[first] != order.number[last]:
                    self.say(
                        f"{order.call(last)} follows {order.call(first)} in session {order.name(first)}", [first, last]
                    )
            elif why == _READS_FROM:
                self.say(f"{order.call(last)} read what {order.call(first)} wrote", [first, last])
            elif why == REAL_TIME:
                self.say(f"{order.call(first)} was answered before {order.call(last)} was invoked", [first, last])
            elif why == first:
                source = order.source[first]
                if source == INITIAL:
                    self.say(
                        f"{order.call(first)} returned the initial value, so it comes before {order.call(last)}",
                        [first, last],
                    )
                else:
                    self.say(
                        f"{order.call(first)} comes before {order.call(last)}, "
                        f"because the latter follows {order.call(source)}, whose value it returned",
                        [first, last, source],
                    )
                    later.append((source, last, e))
            else:
                whose = "" if self._session is None else f", in the view of session {order.name(why)}"
                self.say(
                    f"{order.call(first)} comes before {order.call(last)}{whose}, "
                    f"because {order.call(why)} follows it and returned what the latter wrote",
                    [first, last, why],
                )
                later.append((first, why, e))
        for write, read, e in later:
            # What was forced in one round rests on the rounds before; edges are in the order in which they were found.
            self.tell(self.path(write, read, e))
