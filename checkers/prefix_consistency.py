"""Prefix consistency: every replica carries out slots 1, 2, 3, … without a gap, so each has a prefix of one sequence.

The total order of atomic broadcast (Junqueira, Reed & Serafini 2011; ZooKeeper's TLA+ specification calls it
PrefixConsistency), and the rule of Lamport 2001, §3: command 140 waits for command 139. With agreement on every slot,
of the sequences of any two replicas one is a prefix of the other. A new life begins with slot 1 again, or behind the
slot whose state it has announced to have installed.
"""

from __future__ import annotations

from checkers.observations import Observation, Observations
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "prefix-consistency"


def check(observations: Observations) -> Verdict:
    """Judge the ``decide`` observations of each life of each replica."""
    newest: dict[str, Observation] = {}  # by node: its last decision, or what began the sequence
    slots: dict[str, int] = {}  # by node: the slot of that
    decided = 0
    for said in observations.of("start", "install", "decide"):
        node = said.node
        if said.what == "decide":
            slot = said.slot or 0
            if slot != slots.get(node, 0) + 1:
                return _broken(newest.get(node), slots.get(node, 0), said)
            decided += 1
            slots[node] = slot
        else:
            slots[node] = said.slot or 0
        newest[node] = said
    if not decided:
        return unknown(NAME, "nothing was ever decided")
    return valid(NAME, f"{decided:,} decisions, none without the one before", decisions=decided)


def _broken(before: Observation | None, slot: int, decision: Observation) -> Verdict:
    after = "first of all" if slot == 0 else f"right after slot {slot}"
    if before is not None and before.what == "install":
        after = f"right after installing the state behind slot {slot}"
    elif before is not None and before.what == "start":
        after = "first after its start"
    reason = f"{decision.node} decided slot {decision.slot} {after}, and not slot {slot + 1}"
    return invalid(NAME, reason, (decision,) if before is None else (before, decision), slot=decision.slot)
