"""Multi-Paxos whose proposers count promises that do not cover what they lack (against PMMC §4.2).

An acceptor that has trimmed its values can promise only about the slots behind them. A proposer that has missed those
before, and takes the promise for a whole one, finds them empty, and fills them with no-ops.
"""

from __future__ import annotations

from bench.protocols.multipaxos import PROTOCOL as MULTIPAXOS
from bench.protocols.multipaxos import MultiPaxos, Promise


class TrimmingMultiPaxos(MultiPaxos):
    """Takes what was trimmed for what was never there."""

    def _covers(self, promise: Promise) -> bool:
        return True


PROTOCOL = MULTIPAXOS.mutant("multipaxos/log", TrimmingMultiPaxos, "promises count for slots that are trimmed")
