"""Election Safety: at most one leader can be elected in a term (Ongaro & Ousterhout 2014, Figure 3).

The same holds of a ballot in Multi-Paxos and an epoch in ZAB. Two nodes may both believe to lead, in different terms.
"""

from __future__ import annotations

from checkers.observations import Observation, Observations
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "leadership"


def check(observations: Observations) -> Verdict:
    """Judge the ``lead`` observations of a run."""
    leaders: dict[int | None, Observation] = {}
    for lead in observations.of("lead"):
        first = leaders.setdefault(lead.term, lead)
        if first.node != lead.node:
            reason = f"term {lead.term} has two leaders: {first.node} and then {lead.node}"
            return invalid(NAME, reason, (first, lead), term=lead.term)
    elected = f"{len(leaders):,} term{'s' * (len(leaders) != 1)} with one leader each"
    return valid(NAME, elected, terms=len(leaders)) if leaders else unknown(NAME, "nobody was ever elected")
