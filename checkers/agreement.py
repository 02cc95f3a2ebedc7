"""Agreement: no two replicas ever learn different commands for one slot (Lamport 1998, "The Part-Time Parliament").

Judged by what replicas announce when they apply a command, so it sees a split that no client has noticed yet.
"""

from __future__ import annotations

from checkers.observations import Observation, Observations
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "agreement"


def check(observations: Observations) -> Verdict:
    """Judge the ``decide`` observations of a run."""
    first: dict[int | None, Observation] = {}
    for decision in observations.of("decide"):
        learned = first.setdefault(decision.slot, decision)
        if learned.digest != decision.digest:
            reason = (
                f"slot {decision.slot} was decided twice: {learned.node} learned “{learned.digest}”, "
                f"{decision.node} learned “{decision.digest}”"
            )
            return invalid(NAME, reason, (learned, decision), slot=decision.slot)
    if not first:
        return unknown(NAME, "nothing was ever decided")
    return valid(NAME, f"{len(first):,} slots", slots=len(first))
