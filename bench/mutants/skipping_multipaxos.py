"""Multi-Paxos whose replicas carry commands out past a gap (against §3: in the order of the slots, one by one).

A mistake that students make in the exercises of dslabs: a slot that was missed counts as if it held nothing.
"""

from __future__ import annotations

from bench.node import Outbox
from bench.protocols.multipaxos import PROTOCOL as MULTIPAXOS
from bench.protocols.multipaxos import MultiPaxos


class SkippingMultiPaxos(MultiPaxos):
    """What it has not got, it does without."""

    def _learn_up_to(self, watermark: int, ballot: int, out: Outbox) -> None:
        for slot in range(self.chosen.watermark + 1, watermark + 1):
            pvalue = self.accepted.get(slot)
            self.chosen.learn(slot, None if pvalue is None else pvalue.value)
        self._carry_out(out)


PROTOCOL = MULTIPAXOS.mutant("multipaxos/log", SkippingMultiPaxos, "replicas execute past slots that they have missed")
