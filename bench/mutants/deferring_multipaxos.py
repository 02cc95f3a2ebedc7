"""Multi-Paxos whose acceptors grant a lease without a promise (against "Paxos Made Live", §5.2).

What they have promised is then not what they have granted: a late request of a deposed leader is granted, too, takes
the place of its successor's lease, and lets the old leader be elected again while the successor reads from memory.
"""

from __future__ import annotations

from bench.node import NodeId, Outbox
from bench.protocols.multipaxos import PROTOCOL as MULTIPAXOS
from bench.protocols.multipaxos import Granted, LeaseMultiPaxos, Renew


class DeferringMultiPaxos(LeaseMultiPaxos):
    """Grants whoever leads in what it has promised, or above, and goes on promising what it has."""

    def _on_renew(self, leader: NodeId, m: Renew, out: Outbox) -> None:
        if m.ballot >= self.promised:
            self._grant(leader)
            out.send(leader, Granted(m.ballot, m.asked))


PROTOCOL = MULTIPAXOS.mutant("multipaxos/lease", DeferringMultiPaxos, "a lease is granted without a promise")
