"""Raft whose leader acknowledges a write as soon as it is in its own log, before it is committed (against §5.3).

The default of many systems that replicate asynchronously, and of a Raft that forgets to wait: when the leader is
deposed before the entry reaches a majority, the write is lost although the client was told that it took effect.
"""

from __future__ import annotations

from bench.node import Answer, NodeId, Outbox, Request
from bench.protocols.raft import PROTOCOL as RAFT
from bench.protocols.raft import Raft, Role


class HastyRaft(Raft):
    """Answers a write when it has appended it."""

    def _propose(self, client: NodeId, m: Request, out: Outbox) -> None:
        super()._propose(client, m, out)
        if m.command.f == "write" and self.role is Role.LEADER:
            out.send(client, Answer(m.sequence, m.command.value))


PROTOCOL = RAFT.mutant("raft/log", HastyRaft, "writes are acknowledged before they are committed (against §5.3)")
