"""Primary order: changes are delivered in the order of their primaries, and each primary's in the order it made them.

Junqueira, Reed & Serafini, "Zab: High-performance broadcast for primary-backup systems", DSN 2011. Local primary order:
when a primary broadcasts a before b, whoever delivers b has delivered a before. Global primary order: when an earlier
primary broadcasts a and a later one b, whoever delivers both delivers a first. A primary is known by its term (epoch),
and numbers what it broadcasts 1, 2, 3, … (the counter of a zxid), or, where decisions name no such numbers, by the
consecutive slots of its log. Their third property, primary integrity, is not judged: Raft does not have it.
"""

from __future__ import annotations

from checkers.observations import Observation, Observations, order
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "primary-order"


def check(observations: Observations) -> Verdict:
    """Judge the ``decide`` observations of each life of each replica, which name the terms of their entries."""
    newest: dict[str, tuple[int, int, Observation]] = {}  # by node: the term and number that it delivered last
    numbers: dict[str | None, tuple[int, int] | None] = {}
    fresh: set[str] = set()  # nodes that begin with the very first change there is
    primaries: set[int] = set()
    for said in observations.of("start", "install", "decide"):
        node = said.node
        if said.what != "decide":
            newest.pop(node, None)
            (fresh.discard if said.what == "install" else fresh.add)(node)
            continue
        if said.digest in numbers:
            counted = numbers[said.digest]
        else:
            counted = numbers[said.digest] = order(said.digest or "")
        if counted is not None:
            term, number = counted
        elif said.term is not None:
            term, number = said.term, said.slot or 0
        else:
            continue
        before = newest.get(node)
        if before is None:
            if counted is not None and number != 1 and node in fresh:
                return _gap(said, term, number, None)
        elif term < before[0]:
            reason = f"{node} delivered a change of term {term} after one of {before[0]}, against global primary order"
            return invalid(NAME, reason, (before[2], said), term=term)
        elif term == before[0]:
            if number != before[1] + 1:
                return _gap(said, term, number, before)
        elif counted is not None and number != 1:
            return _gap(said, term, number, before)
        newest[node] = (term, number, said)
        primaries.add(term)
    if not primaries:
        return unknown(NAME, "no change was ever delivered")
    return valid(NAME, f"the changes of {len(primaries):,} primaries, in their order", primaries=len(primaries))


def _gap(said: Observation, term: int, number: int, before: tuple[int, int, Observation] | None) -> Verdict:
    """The primary's change before this one was not delivered right before it."""
    behind = "first of all" if before is None else f"right after number {before[1]} of term {before[0]}"
    reason = f"{said.node} delivered number {number} of term {term} {behind}, against local primary order"
    return invalid(NAME, reason, (said,) if before is None else (before[2], said), term=term)
