"""Requirements: what a protocol demands of itself (`bench.node.require`); a broken one ends the run and is quoted."""

from __future__ import annotations

from checkers.observations import Observations
from checkers.verdict import Verdict, invalid, valid

NAME = "requirements"


def check(observations: Observations) -> Verdict:
    """Judge the ``violated`` observations of a run; no observation at all says that every requirement held."""
    for broken in observations.of("violated"):
        return invalid(NAME, f"{broken.node} broke a requirement: {broken.digest}", (broken,), node=broken.node)
    return valid(NAME, "no requirement broken")
