"""No lost writes: what was acknowledged is still there when it is quiet, on every replica (Jepsen's set-full).

A set or a list holds every acknowledged element in every final read, unless it was removed; a counter counts every
acknowledged change. A register holds one value, so a write is lost only when it was certainly not overwritten: the
final value's write was over before it began. A decision that a proposal was answered with is the final one. What was
never answered may or may not be there. Where one session reads for all, it speaks of the system, not of a replica.

Of elements the details tell more, as set-full means it: ``lost`` (known to be there, and absent from a final read),
``never-read``, ``stale`` (absent from a read that began after it was known, but there in the end), ``worst-stale`` (how
long after it was known it was last absent, in ns), ``resurrected`` (removed for good, and there in the end) and
``duplicated`` (more than once in one read).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

from checkers.budget import Budget
from checkers.final_reads import FinalReads, happened, replica
from checkers.history import READS, History, Operation, show
from checkers.model import Model, freeze, thaw
from checkers.models.register import written
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "no-lost-writes"
_SUMS = 100_000  # sums that the unanswered changes of a counter may have, up to which each is told apart


def judge(history: History, model: Model, budget: Budget) -> Verdict:
    """The verdict; invalid as soon as one final read lacks what was acknowledged. Growth 1 in n operations."""
    finals = FinalReads(history, model)
    if finals.problem is not None:
        return unknown(NAME, finals.problem)
    details: dict[str, Any] = {
        "model": model.name,
        "acknowledged": sum(op.type == "ok" and happened(op) for op in finals.updates),
    }
    assert finals.shape is not None  # or there would be a problem
    if finals.shape in ("set", "list"):
        details |= _elements(finals)
    lost = {"register": _register, "set": _set, "list": _list, "counter": _counter, "decision": _decision}[finals.shape]
    updates: dict[Any, list[Operation]] = {}
    for op in finals.updates:
        if happened(op):
            updates.setdefault(op.key, []).append(op)
    for key, reads in finals.reads.items():
        for read in reads:
            found = lost(read, updates.get(key, []), model)
            if found is not None:
                where = {} if key is None else {"key": key}
                return invalid(NAME, found[0] + _further(details), [*found[1], read], **details, **where)
    missing = finals.unasked()
    if missing is not None:
        return unknown(NAME, missing, **details)
    if not details["acknowledged"]:
        return unknown(NAME, "no write was acknowledged: there is nothing to lose", **details)
    return valid(NAME, f"{details['acknowledged']:,} acknowledged updates, none lost", **details)


_Lost = tuple[str, list[Operation]]


def _further(details: dict[str, Any]) -> str:
    """How many elements are lost in all, and which, if there is more than one."""
    lost = details.get("lost", [])
    if len(lost) < 2:
        return ""
    names = [" ".join(map(show, item)) if isinstance(item, list) else show(item) for item in lost[:6]]
    return f"; {len(lost):,} elements are lost: {', '.join(names)}{', …' * (len(lost) > 6)}"


def _where(read: Operation) -> str:
    return f"replica {read.node}" if read.node is not None else f"session {show(read.session)}"


def _register(read: Operation, updates: list[Operation], model: Model) -> _Lost | None:
    acknowledged = [op for op in updates if op.type == "ok"]
    if not acknowledged:
        return None
    value = freeze(read.value)
    writers = [op for op in updates if written(op) == value]
    last = max(acknowledged, key=lambda op: op.index)
    if not writers:
        what = "the initial value" if value == model.initial else f"{show(read.value)}, which nobody wrote"
        return f"{last} was acknowledged, but {_where(read)} ended with {what}", [last]
    latest = max(writers, key=lambda op: op.end)
    if latest.end >= last.index:
        return None
    return (
        f"{last} was acknowledged and began after {latest.call} (event {latest.index}) was over, "
        f"but {_where(read)} ended with {show(read.value)}",
        [latest, last],
    )


def _set(read: Operation, updates: list[Operation], model: Model) -> _Lost | None:
    there = {freeze(item) for item in read.value or ()}
    removes: dict[Hashable, list[Operation]] = {}
    for op in updates:
        if op.f == "remove":
            removes.setdefault(freeze(op.value), []).append(op)
    for op in updates:
        element = freeze(op.value)
        # A remove that was not over when the add began may be the later of the two.
        gone = any(other.end > op.index for other in removes.get(element, ()))
        if op.f == "add" and op.type == "ok" and element not in there and not gone:
            return f"{op} was acknowledged, but {_where(read)} ended without {show(op.value)}", [op]
    return None


def _list(read: Operation, updates: list[Operation], model: Model) -> _Lost | None:
    there = Counter(freeze(item) for item in read.value or ())
    for op in updates:
        if op.type == "ok":
            there[freeze(op.value)] -= 1
            if there[freeze(op.value)] < 0:
                return f"{op} was acknowledged, but {_where(read)} ended without it", [op]
    return None


def _counter(read: Operation, updates: list[Operation], model: Model) -> _Lost | None:
    def change(op: Operation) -> int:
        by = 1 if op.value is None else int(op.value)
        return -by if op.f == "decrement" else by

    certain = model.initial + sum(change(op) for op in updates if op.type == "ok")
    open_ended = [change(op) for op in updates if op.type == "info"]
    value = read.value or 0
    low, high = certain + sum(min(by, 0) for by in open_ended), certain + sum(max(by, 0) for by in open_ended)
    possible = low <= value <= high
    sums = {certain}
    for by in open_ended:
        sums |= {total + by for total in sums}
        if len(sums) > _SUMS:
            break
    else:
        possible = value in sums
    if possible:
        return None
    of_key = "" if read.key is None else f" of {show(read.key)}"
    among = f"{certain}" if low == high else f"between {low} and {high}"
    return (
        f"acknowledged changes{of_key} add up to {certain}, the final value can be {among}; "
        f"but {_where(read)} ended with {value}",
        [],
    )


def _decision(read: Operation, updates: list[Operation], model: Model) -> _Lost | None:
    for op in updates:
        if op.result is not None and freeze(op.result) != freeze(read.value):
            return f"{op} was acknowledged, but {_where(read)} ended with {show(read.value)}", [op]
    return None


def _elements(finals: FinalReads) -> dict[str, Any]:
    """What became of each element, over all reads: the figures of set-full."""
    known: dict[tuple[Any, Hashable], Operation] = {}  # what first proved that an element is there: its add, or a read
    added: dict[tuple[Any, Hashable], list[Operation]] = {}
    removed: dict[tuple[Any, Hashable], list[Operation]] = {}
    reads = [op for op in finals.operations if op.f in READS and op.type == "ok"]
    for op in finals.updates:
        if happened(op):
            (removed if op.f == "remove" else added).setdefault((op.key, freeze(op.value)), []).append(op)
    contents = [Counter(freeze(item) for item in op.value or ()) for op in reads]
    duplicated: set[tuple[Any, Hashable]] = set()
    for place, adds in added.items():
        answered = [op for op in adds if op.type == "ok"]
        if answered:
            known[place] = min(answered, key=lambda op: op.end)
    seen: set[tuple[Any, Hashable]] = set()
    for op, content in zip(reads, contents, strict=True):
        for element, count in content.items():
            place = (op.key, element)
            seen.add(place)
            if count > max(len(added.get(place, ())) if finals.shape == "list" else 1, 1):
                duplicated.add(place)
            if place not in known or op.end < known[place].end:
                known[place] = op
    by_key: dict[Any, list[tuple[Operation, Counter[Hashable]]]] = {}
    for op, content in zip(reads, contents, strict=True):
        by_key.setdefault(op.key, []).append((op, content))
    final_places: dict[Any, list[Counter[Hashable]]] = {
        key: [c for op, c in rows if op.final] for key, rows in by_key.items()
    }
    lost, stale, never, resurrected, worst = [], [], [], [], 0
    for place, adds in added.items():
        key, element = place
        gone = removed.get(place, [])
        if place not in seen:
            never.append(place)
        ends = final_places.get(key, [])
        somewhere = any(element in content for content in ends)
        last_add = max(op.end for op in adds)
        if any(op.type == "ok" and op.index > last_add for op in gone) and somewhere:
            resurrected.append(place)
        if gone or place not in known:
            continue
        proof = known[place]
        if any(element not in content for content in ends):
            lost.append(place)
            continue
        absent = [op for op, content in by_key.get(key, ()) if op.index > proof.end and element not in content]
        if absent:
            stale.append(place)
            times = [op.time - proof.return_time for op in absent if proof.return_time is not None]
            worst = max([worst, *times])

    def names(places: Any) -> list[Any]:
        listed = sorted(places, key=lambda place: (str(place[0]), repr(place[1])))
        return [thaw(element) if key is None else [key, thaw(element)] for key, element in listed]

    return {
        "lost": names(lost),
        "never-read": names(never),
        "stale": names(stale),
        "worst-stale": worst,
        "resurrected": names(resurrected),
        "duplicated": names(duplicated),
        "replicas": len({replica(op) for ops in finals.reads.values() for op in ops}),
    }
