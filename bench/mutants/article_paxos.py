"""The Paxos of a popular tutorial, made to run: its rules for acceptors and proposers in place of the paper's.

An acceptor has one ballot and a status. To prepare resets the status, and with it the vote. It accepts anything while
nothing was prepared, the value that it has already in any ballot, and otherwise only a ballot above the one that it has
promised, so never the very one. A proposer proposes its own value, and reports success without a look at the answers.
"""

from __future__ import annotations

from bench.node import Outbox
from bench.protocols.paxos import PROTOCOL as PAXOS
from bench.protocols.paxos import Accept, Paxos, Value, Vote


class ArticlePaxos(Paxos):
    """Six rules of the paper are missing."""

    def _promise(self, instance: int, ballot: int, out: Outbox) -> None:
        super()._promise(instance, ballot, out)
        self.votes.pop(instance, None)

    def _may_accept(self, m: Accept) -> bool:
        vote = self.votes.get(m.instance)
        same = vote is not None and vote.value == m.value
        return m.instance not in self.promised or same or m.ballot > self.promised[m.instance]

    def _choose_value(self, votes: list[Vote]) -> Value:
        return super()._choose_value([])

    def _learn_if_chosen(self, out: Outbox) -> None:
        self.acceptors.update(self.members)
        super()._learn_if_chosen(out)


PROTOCOL = PAXOS.mutant("paxos/log", ArticlePaxos, "the rules of a popular tutorial instead of the paper's")
