"""The four session guarantees (Terry et al. 1994; Viotti & Vukolić 2016, section 3.4), as clients can observe them.

Clients see values, not replicas, so "the replica had not received w" has to show: a read shows it by returning a value
that is older than w. Of two values of a key, one is known to be older when it is the initial value, or when both were
written in one session and it was written first. With this,

- read-your-writes: no read returns a value older than a write that its session made before;
- monotonic-reads: no read returns a value older than one that its session read before, nor one that its session has
  already seen replaced by another;
- monotonic-writes: once a session has read w2, its later reads find every w1 that the session of w2 wrote before w2:
  none returns a value older than w1, or w1 itself if w2 is on the same key;
- writes-follow-reads: the same for every w1 that the session of w2 had read before it wrote w2.

A violation is a read together with the two to four operations that say why it is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from checkers.history import History
from checkers.model import Model
from checkers.session_order import INITIAL, SessionOrder, counted
from checkers.verdict import Verdict, invalid, unknown, valid

# The read that is too old, what it should have found, and the sentence's end.
Violation = tuple[list[int], str]


def judge_guarantee(name: str, history: History, model: Model) -> Verdict:
    """The verdict on one guarantee, by its name."""
    order = SessionOrder(history, model)
    if not order.completed:
        return unknown(name, "no operation was answered: there is nothing to judge")
    details: dict[str, Any] = {"model": model.name, "operations": order.operations, "sessions": len(order.sessions)}
    if order.outside is not None:
        return unknown(name, order.outside[1], **details)
    if order.nowhere:
        op = history.operation(order.nowhere[0])
        return invalid(name, f"{op} saw a value that nobody wrote", [op], pattern="thin-air read", **details)
    find = {
        "read-your-writes": _own_writes,
        "monotonic-reads": _own_reads,
        "monotonic-writes": _others_writes,
        "writes-follow-reads": _others_reads,
    }[name]
    for nodes, reason in find(order):
        return invalid(name, reason, order.witness(nodes), session=order.operation(nodes[0]).session, **details)
    if order.left_out is not None:
        number, why = order.left_out
        return unknown(
            name, f"no violation among the rest, but {history.operation(number)} cannot be judged: {why}", **details
        )
    what = f"{counted(sum(order.reads), 'read')} in {counted(len(order.sessions), 'session')}"
    return valid(name, what, **details)


def older(order: SessionOrder, source: int, write: int) -> bool:
    """Whether what a read saw is known to be older than ``write``, a write on the same key."""
    return source == INITIAL or order.before(source, write)


def _saw(order: SessionOrder, read: int, write: int) -> str:
    what = "the initial value" if order.source[read] == INITIAL else f"what {order.call(order.source[read])} wrote"
    return f"{order.call(read)} of session {order.name(read)} returned {what}, older than {order.call(write)}"


def _own_writes(order: SessionOrder) -> Iterator[Violation]:
    for nodes in order.sessions:
        newest: dict[int, int] = {}
        for node in nodes:
            key = order.key[node]
            if not order.reads[node]:
                newest[key] = node
            elif key in newest and older(order, order.source[node], newest[key]):
                yield [node, newest[key]], f"{_saw(order, node, newest[key])}, which the session had made before"


def _own_reads(order: SessionOrder) -> Iterator[Violation]:
    for nodes in order.sessions:
        last: dict[int, int] = {}  # the last read of each key
        newest: dict[tuple[int, int], int] = {}  # per key and session of the writer: the read of its newest write
        replaced: dict[int, tuple[int, int]] = {}  # a write, the last read that saw it and the next that did not
        for node in nodes:
            if not order.reads[node]:
                continue
            key, source = order.key[node], order.source[node]
            if source == INITIAL:
                if key in last:
                    yield _went_back(order, node, last[key])
                continue
            place = (key, order.session[source])
            before = newest.get(place)
            if before is not None and older(order, source, order.source[before]):
                yield _went_back(order, node, before)
            if source in replaced:
                first, then = replaced[source]
                yield (
                    [node, then, first],
                    f"{order.call(node)} of session {order.name(node)} returned what {order.call(source)} wrote, "
                    f"which the session had read in {order.call(first)} and seen replaced in {order.call(then)}",
                )
            if key in last and order.source[last[key]] != source:
                replaced[order.source[last[key]]] = (last[key], node)
            last[key] = node
            if before is None or order.rank[order.source[before]] < order.rank[source]:
                newest[place] = node


def _went_back(order: SessionOrder, read: int, before: int) -> Violation:
    return [
        read,
        before,
    ], f"{_saw(order, read, order.source[before])}, which the session had read in {order.call(before)}"


class _Known:
    """What one session has to find from now on, and why: each entry is [w1, w2, the read of w2, perhaps the read of
    w1].
    """

    def __init__(self, order: SessionOrder) -> None:
        self.order = order
        self.any: dict[int, list[int]] = {}  # by key: a w1, so that the initial value is too old
        self.newest: dict[
            tuple[int, int], list[int]
        ] = {}  # by key and session of the writer: nothing older than its first
        self.replaced: dict[int, list[int]] = {}  # a w1 on the key of its w2

    def add(self, w1: int, *why: int) -> None:
        """From now on nothing older than ``w1``."""
        self.any.setdefault(self.order.key[w1], [w1, *why])
        self.at_least(w1, w1, *why)

    def at_least(self, write: int, *why: int) -> None:
        place = (self.order.key[write], self.order.session[write])
        old = self.newest.get(place)
        if old is None or self.order.rank[old[0]] < self.order.rank[write]:
            self.newest[place] = [write, *why]

    def missed(self, read: int) -> tuple[int, list[int]] | None:
        """The write that a read should have found, and why."""
        order = self.order
        source = order.source[read]
        if source == INITIAL:
            entry = self.any.get(order.key[read])
            return None if entry is None else (entry[0], entry)
        if source in self.replaced:
            return self.replaced[source][1], self.replaced[source]
        entry = self.newest.get((order.key[read], order.session[source]))
        if entry is not None and order.before(source, entry[0]):
            return entry[0], entry[1:]
        return None


def _others_writes(order: SessionOrder) -> Iterator[Violation]:
    for nodes in order.sessions:
        known = _Known(order)
        upto: dict[int, int] = {}  # per session: how many of its nodes have been looked at
        for node in nodes:
            if not order.reads[node]:
                continue
            found = known.missed(node)
            if found is not None:
                w1, w2, read = found[1]
                w1 = order.source[node] if w1 == INITIAL else w1
                yield (
                    [node, found[0], w1, w2, read],
                    f"{_saw(order, node, found[0])}, although it had read {order.call(w2)} in {order.call(read)}, "
                    f"which session {order.name(w2)} wrote after {order.call(w1)}",
                )
            w2 = order.source[node]
            if w2 == INITIAL:
                continue
            session = order.session[w2]
            at = upto.get(session, 0)
            theirs = order.sessions[session]
            while at < len(theirs) and order.before(theirs[at], w2):
                if not order.reads[theirs[at]]:
                    known.add(theirs[at], w2, node)
                at += 1
            upto[session] = at
            # On the key of w2 itself, whatever came before it in its session is too old: the read's own source is w1.
            known.at_least(w2, INITIAL, w2, node)


def _others_reads(order: SessionOrder) -> Iterator[Violation]:
    readings: dict[tuple[int, int], list[int]] = {}  # by session and key: its reads that saw a write
    for session, nodes in enumerate(order.sessions):
        for node in nodes:
            if order.reads[node] and order.source[node] != INITIAL:
                readings.setdefault((session, order.key[node]), []).append(node)
    for nodes in order.sessions:
        known = _Known(order)
        upto: dict[int, int] = {}
        looked: dict[tuple[int, int], int] = {}
        later: dict[tuple[int, int], list[int]] = {}
        for node in nodes:
            if not order.reads[node]:
                continue
            found = known.missed(node)
            if found is not None:
                w1, w2, read, seen = found[1]
                yield (
                    [node, found[0], w1, w2, read, seen],
                    f"{_saw_after(order, node, found[0], w1)}, "
                    f"although it had read {order.call(w2)} in {order.call(read)}, "
                    f"which session {order.name(w2)} wrote after it had read {order.call(w1)} in {order.call(seen)}",
                )
            w2 = order.source[node]
            if w2 == INITIAL:
                continue
            session, key = order.session[w2], order.key[w2]
            theirs = order.sessions[session]
            at, rank = upto.get(session, 0), order.rank[w2]
            while at < len(theirs) and order.rank[theirs[at]] < rank:
                w1 = order.source[theirs[at]]
                if order.reads[theirs[at]] and w1 != INITIAL:
                    known.add(w1, w2, node, theirs[at])
                at += 1
            upto[session] = at
            theirs = readings.get((session, key), [])
            at = looked.get((session, key), 0)
            while at < len(theirs) and order.rank[theirs[at]] < rank:
                # Who read what it only wrote later has not replaced it with that write, but with a later one.
                later.setdefault((session, key), []).append(theirs[at])
                at += 1
            for seen in later.get((session, key), ()):
                w1 = order.source[seen]
                if w1 != w2 and order.rank[seen] < rank:
                    known.replaced.setdefault(w1, [w1, w2, node, seen])
            later[session, key] = [
                seen for seen in later.get((session, key), ()) if order.source[seen] not in known.replaced
            ]
            looked[session, key] = at


def _saw_after(order: SessionOrder, read: int, missed: int, w1: int) -> str:
    if order.source[read] == w1:
        reader = f"{order.call(read)} of session {order.name(read)}"
        return f"{reader} returned what {order.call(w1)} wrote, older than {order.call(missed)}"
    return _saw(order, read, missed)
