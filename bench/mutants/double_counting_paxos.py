"""Paxos that counts answers, not those who gave them (against §2.2: a majority of the acceptors).

Found for Raft's votes in akka-raft (issue 46); the network may deliver an answer twice.
"""

from __future__ import annotations

from bench.node import NodeId, Outbox
from bench.protocols.paxos import PROTOCOL as PAXOS
from bench.protocols.paxos import Accepted, Paxos, Promise


class DoubleCountingPaxos(Paxos):
    """Numbers the answers."""

    def _on_promise(self, acceptor: NodeId, m: Promise, out: Outbox) -> None:
        super()._on_promise(f"{acceptor}, answer {len(self.promises)}", m, out)

    def _on_accepted(self, acceptor: NodeId, m: Accepted, out: Outbox) -> None:
        super()._on_accepted(f"{acceptor}, answer {len(self.acceptors)}", m, out)


PROTOCOL = PAXOS.mutant("paxos/log", DoubleCountingPaxos, "an acceptor that answers twice is counted twice")
