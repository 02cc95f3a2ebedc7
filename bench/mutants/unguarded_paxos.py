"""Paxos whose acceptors accept in any ballot, promise or not (against §2.2, P1a).

A late accept request of a low ballot then replaces what a higher one has got chosen.
"""

from __future__ import annotations

from bench.protocols.paxos import PROTOCOL as PAXOS
from bench.protocols.paxos import Accept, Paxos


class UnguardedPaxos(Paxos):
    """Never refuses."""

    def _may_accept(self, m: Accept) -> bool:
        return True


PROTOCOL = PAXOS.mutant("paxos/log", UnguardedPaxos, "acceptors accept below what they have promised (against P1a)")
