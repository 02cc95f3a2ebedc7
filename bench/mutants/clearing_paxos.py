"""Paxos whose acceptors forget their vote when they promise (against §2.2: a promise names the highest vote cast).

Found in a tutorial's listing of Paxos, where a prepare request resets the acceptor's status: the next proposer learns
nothing of what may have been chosen.
"""

from __future__ import annotations

from bench.node import Outbox
from bench.protocols.paxos import PROTOCOL as PAXOS
from bench.protocols.paxos import Paxos


class ClearingPaxos(Paxos):
    """Every prepare request is a fresh start."""

    def _promise(self, instance: int, ballot: int, out: Outbox) -> None:
        super()._promise(instance, ballot, out)
        self.votes.pop(instance, None)


PROTOCOL = PAXOS.mutant("paxos/log", ClearingPaxos, "a promise clears the vote that was cast before")
