"""Paxos whose acceptors have one ballot variable: they name their vote with the ballot that they promised last.

Found in the published EPaxos (Sutra, "On the correctness of Egalitarian Paxos", 2020; efficient/epaxos issue 20): a
promise makes an old vote look new, and it wins over the vote of the ballot in which a value was chosen.
"""

from __future__ import annotations

import msgspec

from bench.node import Outbox
from bench.protocols.paxos import PROTOCOL as PAXOS
from bench.protocols.paxos import Paxos


class RelabellingPaxos(Paxos):
    """Whatever it promised last, it claims to have voted in."""

    def _promise(self, instance: int, ballot: int, out: Outbox) -> None:
        vote = self.votes.get(instance)
        if vote is not None:
            self.votes[instance] = msgspec.structs.replace(vote, ballot=self.promised[instance])
        super()._promise(instance, ballot, out)


PROTOCOL = PAXOS.mutant("paxos/log", RelabellingPaxos, "votes are named with the promised ballot, not their own")
