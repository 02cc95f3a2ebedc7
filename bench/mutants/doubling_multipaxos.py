"""Multi-Paxos that carries a command out as often as it is chosen (against PMMC §2.1: decided twice, executed once).

A client whose answer was lost asks again, and its write takes effect a second time, on top of what others have written
in between.
"""

from __future__ import annotations

from bench.node import NodeId, Outbox, Request
from bench.parts.sessions import Sessions
from bench.protocols.multipaxos import PROTOCOL as MULTIPAXOS
from bench.protocols.multipaxos import MultiPaxos, Value


class DoublingMultiPaxos(MultiPaxos):
    """Has no sessions to remember."""

    def _on_request(self, client: NodeId, m: Request, out: Outbox) -> None:
        self.machine.sessions = Sessions()
        super()._on_request(client, m, out)

    def _execute(self, slot: int, value: Value, out: Outbox) -> None:
        self.machine.sessions = Sessions()
        super()._execute(slot, value, out)


PROTOCOL = MULTIPAXOS.mutant("multipaxos/log", DoublingMultiPaxos, "a command that is chosen twice takes effect twice")
