"""Paxos whose proposers adopt the first vote that they hear of, not the one of the highest ballot (against §2.2, P2c).

With two ballots it often does no harm; with a third one a value that only a minority had accepted, long ago, comes back
and replaces what was chosen since. A tutorial's formula takes the largest value, with the same effect.
"""

from __future__ import annotations

from bench.protocols.paxos import PROTOCOL as PAXOS
from bench.protocols.paxos import Paxos, Value, Vote


class FirstVotePaxos(Paxos):
    """A vote is a vote."""

    def _choose_value(self, votes: list[Vote]) -> Value:
        return super()._choose_value(votes[:1])


PROTOCOL = PAXOS.mutant("paxos/log", FirstVotePaxos, "proposers adopt the first vote, whatever its ballot")
