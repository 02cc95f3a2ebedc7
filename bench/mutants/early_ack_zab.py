"""Zab whose followers acknowledge NEWLEADER before the history is on disk (against step f.2.1).

After ZOOKEEPER-3911 and ZOOKEEPER-4646: what a follower takes over from its leader stays in memory until UPTODATE
arrives. The leader commits it on the strength of the acknowledgement, and a crash loses it.
"""

from __future__ import annotations

from bench.node import NodeId, Outbox
from bench.protocols.zab import PROTOCOL as ZAB
from bench.protocols.zab import Parameters, Phase, Role, Transaction, Zab, Zxid


class EarlyAckZab(Zab):
    """Writes what it has taken over when it is told of the first commit."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        super().__init__(me, members, parameters)
        self.unwritten: tuple[Transaction, ...] = ()

    def _append(self, transactions: tuple[Transaction, ...], out: Outbox) -> None:
        if self.unwritten or (self.role is Role.FOLLOWING and self.phase is Phase.SYNCHRONISATION):
            self.log.extend(transactions)
            self.unwritten += transactions
        else:
            super()._append(transactions, out)

    def _on_commit(self, zxid: Zxid, out: Outbox) -> None:
        self._write(out)
        super()._on_commit(zxid, out)

    def _look(self, out: Outbox) -> None:
        self._write(out)
        super()._look(out)

    def _write(self, out: Outbox) -> None:
        if self.unwritten:
            out.append(self.unwritten)
            self.log.announce_append(self.log.last - len(self.unwritten) + 1, out)
            self.unwritten = ()


PROTOCOL = ZAB.mutant("zab/log", EarlyAckZab, "NEWLEADER is acknowledged before its history is on disk (step f.2.1)")
