"""Raft whose voters do not look at the candidate's log (against §5.4.1).

A server that has missed committed entries can become the leader, and overwrites them on the others.
"""

from __future__ import annotations

from bench.protocols.raft import PROTOCOL as RAFT
from bench.protocols.raft import Raft


class CarelessVoterRaft(Raft):
    """Votes for whoever asks first."""

    def _is_up_to_date(self, last_index: int, last_term: int) -> bool:
        return True


PROTOCOL = RAFT.mutant("raft/log", CarelessVoterRaft, "votes without comparing logs (against §5.4.1)")
