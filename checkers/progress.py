"""Progress: once the faults are over, everybody is served again within the protocol's stated bound, by all replicas.

Under an unreliable network no consensus protocol can promise progress (Fischer, Lynch & Paterson 1985), so nothing is
demanded while faults last. After `heal`, every session that asks for something completes an operation within the bound
of asking, and every operation that is invoked once the bound is over completes. Whoever waits for an answer at `heal`
and asks again counts as asking then. A refusal completes an operation of a session that is pinned to one node, where
the node may refuse; anybody else must be served. And what is committed when the bound is over has been carried out by
every replica at the end: a majority can serve everybody while one of them stays behind for good.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from checkers.history import History, Operation, Process
from checkers.observations import Observation, Observations
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "progress"
REFUSED = "refused"
"""The error of an operation whose session is pinned to a node that does not serve it."""

SHED = "shed"
"""The session of arrivals that found everybody busy: nobody invoked them, so nobody had to serve them."""


def check(
    history: History,
    *,
    heal: int,
    bound: int,
    end: int,
    refused: Container[Process] = (),
    excused: Container[Process] = (),
    once: Container[Process] = (),
    observations: Observations | None = None,
    replicas: Iterable[str] = (),
) -> Verdict:
    """Judge a run whose faults ended at ``heal`` and which was under load until ``end``; times are nanoseconds.

    Sessions in ``refused`` may be refused, those in ``excused`` are not judged (they are cut off for good), those in
    ``once`` ask once only, so that what they asked before ``heal`` may be lost. ``observations`` are given where
    replicas announce what is committed and what they carry out; ``replicas`` are those that faults leave alone after
    ``heal``.
    """
    due = heal + bound
    if end < due:
        return unknown(NAME, f"the run ended {_length(end - heal)} after heal, before the bound of {_length(bound)}")
    later: dict[Process, list[Operation]] = {}
    waited: list[int] = []  # when those were served who were waiting at heal, and those who asked after it
    served_after: list[int] = []
    for operation in history.operations():
        session = operation.session
        if operation.final or session in excused or session == SHED:
            continue
        if operation.time >= heal:
            later.setdefault(session, []).append(operation)
        elif session not in once:
            over = operation.return_time
            if over is None or over > due:
                for_so_long = _length((end if over is None else over) - heal)
                reason = f"session {session} was not served for {for_so_long} after heal (bound {_length(bound)})"
                return invalid(NAME, reason, (operation,))
            if over > heal and operation.type == "ok":
                waited.append(over)
    for session, operations in later.items():
        served = [operation for operation in operations if _served(operation, session in refused)]
        for operation in operations:
            if operation.time >= due and not _served(operation, session in refused):
                reason = (
                    f"an operation was not served {_length(operation.time - heal)} after heal (bound {_length(bound)})"
                )
                return invalid(NAME, reason, (operation,))
        asked = operations[0].time
        first = min((operation.return_time or 0 for operation in served), default=end)
        if first > asked + bound:
            for_so_long = _length(first - asked)
            reason = (
                f"session {session} asked after heal, and was not served for {for_so_long} (bound {_length(bound)})"
            )
            return invalid(NAME, reason, operations[:3])
        if session not in refused and served:
            served_after.append(first)
    behind = _behind(observations or Observations(), due, replicas)
    if behind is not None:
        return behind
    if not served_after and not waited:
        return unknown(NAME, "nobody asked for anything after heal")
    recovered = min(served_after or waited)
    reason = f"first operation served {_length(recovered - heal)} after heal (bound {_length(bound)})"
    return valid(NAME, reason, recovered_after_ns=recovered - heal, bound_ns=bound)


def _behind(observations: Observations, due: int, replicas: Iterable[str]) -> Verdict | None:
    """A verdict on a replica that has not carried out in the end what was committed when everybody had to be served."""
    committed: Observation | None = None
    newest: dict[str, Observation] = {}
    for said in observations.of("start", "commit", "decide", "install"):
        if said.what == "commit" and said.time <= due and (said.slot or 0) > _slot(committed):
            committed = said
        if said.what != "commit":
            newest[said.node] = said  # a start is one without a slot
    for replica in replicas:
        said_last = newest.get(replica)
        if committed is not None and _slot(said_last) < _slot(committed):
            reached = f"got to slot {_slot(said_last):,}" if _slot(said_last) else "has carried out nothing"
            reason = (
                f"{replica} {reached} and no further, although slot {_slot(committed):,} was committed when everybody "
                "had to be served again"
            )
            witness: Sequence[Observation] = [said for said in (said_last, committed) if said is not None]
            return invalid(NAME, reason, witness)
    return None


def _slot(said: Observation | None) -> int:
    return 0 if said is None else said.slot or 0


def _served(operation: Operation, may_be_refused: bool) -> bool:
    return operation.type == "ok" or (may_be_refused and (operation.type == "fail" or operation.error == REFUSED))


def _length(time: int) -> str:
    """A length of time in words, from nanoseconds: "312 ms", "2.5 s"."""
    return f"{time / 1e6:,.0f} ms" if time < 1_000_000_000 else f"{time / 1e9:.3g} s"
