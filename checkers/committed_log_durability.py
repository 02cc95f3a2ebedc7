"""Committed-log durability: what is committed is in the logs on the disks of a majority, and stays there.

From the moment at which a replica first announces that it carries an entry out, at least a majority of all replicas
have announced that the entry is in their logs, and have not announced since that it is gone: neither truncated, nor
missing when they started again. So no loss of a minority of disks can lose it. ZooKeeper's TLA+ specification states
the stronger CommittedLogDurability, that a synchronisation truncates nothing committed; for Raft it follows from Leader
Completeness and Log Matching (Ongaro & Ousterhout 2014, §5.4.3).
"""

from __future__ import annotations

from checkers.logs import Logs, testimony
from checkers.observations import Observation, Observations
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "committed-log-durability"


def check(observations: Observations, replicas: int) -> Verdict:
    """Judge the logs of so many replicas by what was decided; entries are followed by their terms (`logs.py`)."""
    majority = replicas // 2 + 1
    logs = Logs()
    decided: dict[int, Observation] = {}
    holders: dict[int, int] = {}  # by decided slot: how many logs hold its entry
    for said in observations.of("append", "decide", "truncate", "recover"):
        if said.what == "decide":
            slot = said.slot or 0
            if slot not in decided:
                decided[slot] = said
                holders[slot] = len(logs.hold(slot, said.term or 0))
                if holders[slot] < majority:
                    return _broken(observations, said, said, holders[slot], replicas)
            continue
        first, lost = logs.take(said)
        if first not in holders:  # nothing from there on is decided; slots are decided in order
            continue
        for slot, term in enumerate(logs.of(said.node)[first - 1 :], first):
            if slot in holders:
                holders[slot] += decided[slot].term == term
        for slot, term in enumerate(lost, first):
            if slot in holders:
                holders[slot] -= decided[slot].term == term
        for slot in range(first, first + len(lost)):
            if holders.get(slot, majority) < majority:
                return _broken(observations, decided[slot], said, holders[slot], replicas)
    if not decided:
        return unknown(NAME, "nothing was ever decided")
    return valid(NAME, f"{len(decided):,} slots, each on the disks of a majority", slots=len(decided))


def _broken(
    observations: Observations, decision: Observation, said: Observation, holders: int, replicas: int
) -> Verdict:
    slot = decision.slot or 0
    entry = f"slot {slot} of term {decision.term}"
    where = f"in the logs on disk of only {holders} of {replicas} replicas"
    if said is decision:
        reason = f"{decision.node} decided {entry}, which is {where}"
    else:
        reason = f"{entry}, decided by {decision.node}, is {where} now that {said.node} has lost it"
    about = testimony(observations, slot, said)
    proof = {id(each) for each in (decision, said, *about)}
    return invalid(NAME, reason, [each for each in observations if id(each) in proof], slot=slot, holders=holders)
