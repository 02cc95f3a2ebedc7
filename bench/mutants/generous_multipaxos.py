"""Multi-Paxos whose leader counts its lease from the acknowledgement (against "Paxos Made Live", §5.2).

An acknowledgement can be late, above all when it has waited for a process that was paused: then the acceptors' leases
are long over, and others have led and written.
"""

from __future__ import annotations

from bench.node import NodeId
from bench.protocols.multipaxos import PROTOCOL as MULTIPAXOS
from bench.protocols.multipaxos import Granted, LeaseMultiPaxos


class GenerousMultiPaxos(LeaseMultiPaxos):
    """Takes every acknowledgement for a new one."""

    def _on_granted(self, acceptor: NodeId, m: Granted) -> None:
        super()._on_granted(acceptor, Granted(m.ballot, self.now))


PROTOCOL = MULTIPAXOS.mutant("multipaxos/lease", GenerousMultiPaxos, "a lease is counted from when it is heard of")
