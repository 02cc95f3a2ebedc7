"""Multi-Paxos whose acceptors keep their promises in memory (against §2.2: they must be remembered over a restart).

An acceptor that promises, restarts and forgets goes on accepting for the old leader, while the new one, which it has
promised to, relies on knowing everything that the old one ever got accepted.
"""

from __future__ import annotations

from bench.node import Outbox
from bench.protocols.multipaxos import PROTOCOL as MULTIPAXOS
from bench.protocols.multipaxos import MultiPaxos


class ForgetfulMultiPaxos(MultiPaxos):
    """Promises nothing that outlives it."""

    def _save_promise(self, out: Outbox) -> None: ...


PROTOCOL = MULTIPAXOS.mutant("multipaxos/log", ForgetfulMultiPaxos, "promises do not survive a restart")
