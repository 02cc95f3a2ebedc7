"""Zab whose leader takes ACK(NEWLEADER) for an acknowledgement of all that it has proposed since (against step l.2.2).

A joiner is sent proposals from the moment that it is sent the history, so when its acknowledgement of that history
arrives, later proposals may still be under way. The family of the open questions about nodes that join during
broadcast in the ZooKeeper specification (zookeeper-tla-spec, high-level-spec/issues.md).
"""

from __future__ import annotations

from bench.node import NodeId, Outbox
from bench.protocols.zab import PROTOCOL as ZAB
from bench.protocols.zab import Zab


class TrustingLeaderZab(Zab):
    """Counts what it has sent for what has arrived."""

    def _on_ack_ld(self, sender: NodeId, epoch: int, out: Outbox) -> None:
        self.followers[sender].initial = self.log.last
        super()._on_ack_ld(sender, epoch, out)


PROTOCOL = ZAB.mutant("zab/log", TrustingLeaderZab, "ACK(NEWLEADER) counts for later proposals (against step l.2.2)")
