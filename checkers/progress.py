"""Progress: once the faults are over, everybody is served again within the protocol's stated bound.

Under an unreliable network no consensus protocol can promise progress (Fischer, Lynch & Paterson 1985), so nothing is
demanded while faults last. After `heal`, every session that asks for something completes an operation within the bound
of asking, and every operation that is invoked once the bound is over completes. A refusal completes an operation of a
session that is pinned to one node; anybody else must be served.
"""

from __future__ import annotations

from collections.abc import Container

from checkers.history import History, Operation, Process
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "progress"
SHED = "shed"
"""The session of arrivals that found everybody busy: nobody invoked them, so nobody had to serve them."""


def check(
    history: History,
    *,
    heal: int,
    bound: int,
    end: int,
    pinned: Container[Process] = (),
    excused: Container[Process] = (),
) -> Verdict:
    """Judge a run whose faults ended at ``heal`` and which went on until ``end``; times are nanoseconds.

    ``pinned`` sessions may be refused; ``excused`` ones are not judged (they are cut off for good).
    """
    due = heal + bound
    if end < due:
        return unknown(NAME, f"the run ended {_length(end - heal)} after heal, before the bound of {_length(bound)}")
    later: dict[Process, list[Operation]] = {}
    for operation in history.operations():
        if operation.time >= heal and not (
            operation.final or operation.session in excused or operation.session == SHED
        ):
            later.setdefault(operation.session, []).append(operation)
    recovered = None
    for session, operations in later.items():
        served = [operation for operation in operations if _served(operation, session in pinned)]
        for operation in operations:
            if operation.time >= due and not _served(operation, session in pinned):
                reason = (
                    f"an operation was not served {_length(operation.time - heal)} after heal (bound {_length(bound)})"
                )
                return invalid(NAME, reason, (operation,))
        deadline = operations[0].time + bound
        first = min((operation.return_time or 0 for operation in served), default=end)
        if first > deadline:
            waited = _length(first - operations[0].time)
            reason = f"session {session} asked after heal, and was not served for {waited} (bound {_length(bound)})"
            return invalid(NAME, reason, operations[:3])
        if served and session not in pinned:
            recovered = first if recovered is None else min(recovered, first)
    if recovered is None:
        return unknown(NAME, "nobody asked for anything after heal")
    reason = f"first operation served {_length(recovered - heal)} after heal (bound {_length(bound)})"
    return valid(NAME, reason, recovered_after_ns=recovered - heal, bound_ns=bound)


def _served(operation: Operation, may_be_refused: bool) -> bool:
    return operation.type == "ok" or (operation.type == "fail" and may_be_refused)


def _length(time: int) -> str:
    """A length of time in words, from nanoseconds: "312 ms", "2.5 s"."""
    return f"{time / 1e6:,.0f} ms" if time < 1_000_000_000 else f"{time / 1e9:.3g} s"
