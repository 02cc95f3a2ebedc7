"""Paxos whose proposers keep their own value whatever the promises say (against §2.2, P2c).

Found in a tutorial's listing of Paxos, whose promises do not even carry a value: two proposers that follow each other
get two values chosen in one instance.
"""

from __future__ import annotations

from bench.protocols.paxos import PROTOCOL as PAXOS
from bench.protocols.paxos import Paxos, Value, Vote


class StubbornPaxos(Paxos):
    """Proposes what it wants."""

    def _choose_value(self, votes: list[Vote]) -> Value:
        return super()._choose_value([])


PROTOCOL = PAXOS.mutant("paxos/log", StubbornPaxos, "proposers ignore the values that promises name (against P2c)")
