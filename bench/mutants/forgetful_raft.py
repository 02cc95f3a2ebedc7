"""Raft whose servers keep in memory for whom they have voted (against Figure 2: votedFor is persistent).

Found in akka-raft (issue 62) and cornerstone (issue 65): a server that votes, restarts within the election and votes
again, for another candidate of the same term, elects two leaders.
"""

from __future__ import annotations

from bench.node import Outbox
from bench.protocols.raft import PROTOCOL as RAFT
from bench.protocols.raft import Raft


class ForgetfulRaft(Raft):
    """Remembers its term, and not its vote."""

    def _save_vote(self, out: Outbox) -> None:
        out.save("term and vote", (self.term, None))


PROTOCOL = RAFT.mutant("raft/log", ForgetfulRaft, "votes do not survive a restart (against Figure 2)")
