"""Paxos whose learners take the first acceptance for the choice (against §2.3: a majority has to accept).

The acceptor may be alone with it, and the next ballot, which need not hear of it, chooses something else.
"""

from __future__ import annotations

from bench.node import Outbox
from bench.protocols.paxos import PROTOCOL as PAXOS
from bench.protocols.paxos import Paxos


class EarlyPaxos(Paxos):
    """One is enough."""

    def _learn_if_chosen(self, out: Outbox) -> None:
        self.acceptors.update(self.members)
        super()._learn_if_chosen(out)


PROTOCOL = PAXOS.mutant("paxos/log", EarlyPaxos, "a value counts as chosen once one acceptor has accepted it")
