"""Eventual consistency (Vogels 2009) as convergence (Shapiro et al. 2011): once it is quiet, all replicas agree.

After the quiescent point the final reads of each key, one per replica, return the same; which of the values ever
written wins is left open. Without such a point, or with a replica that was not read, nothing is known.
"""

from __future__ import annotations

from typing import Any

from checkers.budget import Budget
from checkers.final_reads import FinalReads, content, happened, replica
from checkers.history import READS, History, Operation, show
from checkers.model import Model, freeze
from checkers.models.register import written
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "eventual"


def judge(history: History, model: Model, budget: Budget) -> Verdict:
    """The verdict; ``details`` say how long after its last update each key still had reads of something else (ns).

    Growth 1 in n operations.
    """
    finals = FinalReads(history, model)
    if finals.problem is not None:
        return unknown(NAME, finals.problem)
    shape = finals.shape
    assert shape is not None  # or there would be a problem
    details: dict[str, Any] = {
        "model": model.name,
        "keys": len(finals.reads),
        "replicas": len({replica(op) for ops in finals.reads.values() for op in ops}),
    }
    for key, reads in finals.reads.items():
        where = "" if key is None else f" on key {show(key)}"
        for other in reads[1:]:
            if content(shape, other) != content(shape, reads[0]):
                reason = f"replicas disagree{where}: {_difference(shape, reads[0], other)}"
                named = {} if key is None else {"key": key}
                return invalid(NAME, reason, [reads[0], other], **details, **named)
        strange = _unwritten(finals, model, shape, key, reads[0])
        if strange is not None:
            return invalid(NAME, f"{strange}{where} was never written, but {_who(reads[0])}", [reads[0]], **details)
    missing = finals.missing()
    if missing is not None:
        return unknown(NAME, missing, **details)
    details["converged"] = _converged(finals, shape)
    count = sum(map(len, finals.reads.values()))
    return valid(
        NAME, f"{count:,} final reads of {len(finals.reads):,} key{'s' * (len(finals.reads) != 1)} agree", **details
    )


def _difference(shape: str, one: Operation, other: Operation) -> str:
    """What one replica returned and the other did not."""
    if shape == "set":
        lacks = []
        for a, b in ((one, other), (other, one)):
            held = {freeze(item) for item in b.value or ()}
            extra = [show(item) for item in a.value or () if freeze(item) not in held]
            if extra:
                more = ", …" * (len(extra) > 6)
                lacks.append(f"{_name(b)} returned no {', '.join(extra[:6])}{more}, as {_name(a)} did")
        return f"{'; '.join(lacks)} (events {one.return_index}, {other.return_index})"
    return f"{_who(one)}, {_who(other)}"


def _name(op: Operation) -> str:
    return op.node if op.node is not None else f"session {show(op.session)}"


def _who(op: Operation) -> str:
    return f"{_name(op)} returned {show(op.value)} (event {op.return_index})"


def _unwritten(finals: FinalReads, model: Model, shape: str, key: Any, read: Operation) -> str | None:
    """What a final read holds although nobody wrote it."""
    updates = [op for op in finals.updates if op.key == key and happened(op)]
    if shape == "counter":
        return None
    if shape in ("register", "decision"):
        value = freeze(read.value)
        return None if value == model.initial or any(written(op) == value for op in updates) else show(read.value)
    added = {freeze(op.value) for op in updates if op.f in ("add", "append")}
    return next((show(item) for item in read.value or () if freeze(item) not in added), None)


def _converged(finals: FinalReads, shape: str) -> dict[str, int | None]:
    """Per key the time from its last answered update to the last answer that was not yet the final one; None without
    times.
    """
    after: dict[str, int | None] = {}
    for key, reads in finals.reads.items():
        agreed = content(shape, reads[0])
        mine = [op for op in finals.operations if op.key == key and op.type == "ok"]
        timed = [(op, op.return_time) for op in mine if op.return_time is not None]
        last = max((time for op, time in timed if op.f not in READS), default=None)
        stale = max((time for op, time in timed if op.f in READS and content(shape, op) != agreed), default=None)
        name = "" if key is None else str(key)
        after[name] = None if last is None else 0 if stale is None else max(stale - last, 0)
    return after
