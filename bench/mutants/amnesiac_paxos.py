"""Paxos whose acceptors keep their votes in memory (against §2.2: an acceptor must remember them if it restarts).

As when a vote is acknowledged before it is synced: of the majority that has chosen a value, one restarts, forgets, and
helps to choose another.
"""

from __future__ import annotations

from bench.node import Outbox
from bench.protocols.paxos import PROTOCOL as PAXOS
from bench.protocols.paxos import Paxos, Record, Vote


class AmnesiacPaxos(Paxos):
    """Writes down its promises, but not its votes."""

    def _save(self, record: Record, out: Outbox) -> None:
        if not isinstance(record, Vote):
            super()._save(record, out)


PROTOCOL = PAXOS.mutant("paxos/log", AmnesiacPaxos, "votes are not on disk when they are acknowledged")
