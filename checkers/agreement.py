"""Agreement: no two replicas ever learn different commands for one slot (Lamport 1998, "The Part-Time Parliament").

Judged by what replicas announce when they apply a command, so it sees a split that no client has noticed yet. Replicas
that announce their state, too, when they keep it or take it over from another, must agree on it: the same commands
lead to the same state (Schneider 1990, "Implementing Fault-Tolerant Services Using the State Machine Approach").
"""

from __future__ import annotations

from checkers.observations import Observation, Observations
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "agreement"


def check(observations: Observations) -> Verdict:
    """Judge the ``decide`` observations of a run, and the digests of states in ``snapshot`` and ``install``."""
    first: dict[int | None, Observation] = {}
    for decision in observations.of("decide"):
        learned = first.setdefault(decision.slot, decision)
        if learned.digest != decision.digest:
            reason = (
                f"slot {decision.slot} was decided twice: {learned.node} learned “{learned.digest}”, "
                f"{decision.node} learned “{decision.digest}”"
            )
            return invalid(NAME, reason, (learned, decision), slot=decision.slot)
    states: dict[int | None, Observation] = {}
    for state in observations.of("snapshot", "install"):
        other = states.setdefault(state.slot, state)
        if other.digest != state.digest:
            reason = f"after slot {state.slot} {other.node} is in state {other.digest}, {state.node} in {state.digest}"
            return invalid(NAME, reason, (other, state), slot=state.slot)
    if not first:
        return unknown(NAME, "nothing was ever decided")
    return valid(NAME, f"{len(first):,} slots", slots=len(first))
