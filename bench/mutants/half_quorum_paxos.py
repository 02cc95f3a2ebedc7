"""Paxos for which half of the acceptors are enough (against §2.2: any two majorities have a member in common).

Half of an even number are no majority, and two halves need not meet; of an odd number it is worse. A mistake that the
exercises of dslabs plant, and that the formula of a tutorial makes.
"""

from __future__ import annotations

from bench.node import NodeId
from bench.protocols.paxos import PROTOCOL as PAXOS
from bench.protocols.paxos import Parameters, Paxos


class HalfQuorumPaxos(Paxos):
    """Rounds down."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        super().__init__(me, members, parameters)
        self.majority = len(members) // 2


PROTOCOL = PAXOS.mutant("paxos/log", HalfQuorumPaxos, "half of the acceptors count as a majority")
