"""Multi-Paxos whose new leader looks only at its own votes before it fills the holes with no-ops (against §3).

What the others have accepted, and may have got chosen with the old leader, is overwritten.
"""

from __future__ import annotations

from bench.protocols.multipaxos import PROTOCOL as MULTIPAXOS
from bench.protocols.multipaxos import MultiPaxos, PValue, Value


class SealingMultiPaxos(MultiPaxos):
    """Takes what it does not know for a hole."""

    def _value_for(self, slot: int, votes: list[PValue]) -> Value:
        mine = self.accepted.get(slot)
        return None if mine is None else mine.value


PROTOCOL = MULTIPAXOS.mutant("multipaxos/log", SealingMultiPaxos, "a new leader fills slots that others have accepted")
