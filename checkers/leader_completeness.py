"""Leader completeness: what was committed in one term is in the log of the leader of every later term.

Ongaro & Ousterhout 2014, Figure 3 and §5.4; ZooKeeper's TLA+ specification calls it LeaderLogCompleteness. An entry is
committed in the term of the leader by whose word a replica first counts it as committed, even if that replica says so
only later; the logs are those that the replicas have announced (`logs.py`), as of the moment at which a leader has won.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from checkers.logs import WORDS, Logs, testimony
from checkers.observations import Observation, Observations
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "leader-completeness"


def check(observations: Observations) -> Verdict:
    """Judge the ``lead`` observations of a run by what was committed in earlier terms."""
    decided = _entries(observations)
    entries = [0 if decision is None else decision.term or 0 for decision in decided]
    reached: dict[int, int] = {}  # by term: the last slot that was committed in it
    for commit in observations.of("commit"):
        if commit.term is not None and (commit.slot or 0) > reached.get(commit.term, 0):
            reached[commit.term] = commit.slot or 0
    committing = sorted(reached)
    upto = list(accumulate((reached[term] for term in committing), max))
    logs = Logs()
    leaders = sum(1 for _ in observations.of("lead"))
    ever = {lead.node for lead in observations.of("lead")}
    left = leaders
    for said in observations.of("lead", *WORDS):
        if said.what != "lead":
            if said.node in ever:  # of the others, and after the last election, nobody asks
                logs.take(said)
            continue
        left -= 1
        earlier = bisect_left(committing, said.term or 0)
        length = min(upto[earlier - 1] if earlier else 0, len(entries))
        log = logs.of(said.node)
        if log[:length] == entries[:length]:
            if not left:
                break
            continue
        for slot in range(1, length + 1):
            decision = decided[slot - 1]
            if decision is not None and (slot > len(log) or log[slot - 1] != entries[slot - 1]):
                return _broken(observations, said, decision, log)
    if not leaders:
        return unknown(NAME, "nobody was ever elected")
    if not entries:
        return unknown(NAME, "nothing was ever decided")
    return valid(NAME, f"{leaders:,} leaders, each with all that was committed before", leaders=leaders)


def _entries(observations: Observations) -> list[Observation | None]:
    """Slot by slot the first decision of it, None where there is none."""
    decided: list[Observation | None] = []
    for decision in observations.of("decide"):
        slot = decision.slot or 0
        if slot > len(decided):
            decided += [None] * (slot - 1 - len(decided))
            decided.append(decision)
        elif slot and decided[slot - 1] is None:
            decided[slot - 1] = decision
    return decided


def _broken(observations: Observations, lead: Observation, decision: Observation, log: list[int]) -> Verdict:
    slot = decision.slot or 0
    commit = next(
        said
        for said in observations.of("commit")
        if said.term is not None and said.term < (lead.term or 0) and (said.slot or 0) >= slot
    )
    has = f"its log ends with slot {len(log)}" if slot > len(log) else f"it has an entry of term {log[slot - 1]} there"
    reason = (
        f"{lead.node} leads term {lead.term} without slot {slot} of term {decision.term}, "
        f"which {commit.node} knew to be committed in term {commit.term}: {has}"
    )
    about = [said for said in testimony(observations, slot, lead) if said.node == lead.node]
    proof = {id(said) for said in (commit, decision, lead, *about)}
    witness = [said for said in observations if id(said) in proof]
    return invalid(NAME, reason, witness, slot=slot, term=lead.term)
