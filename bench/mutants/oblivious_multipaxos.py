"""Multi-Paxos whose acceptors forget in a restart that they have granted a lease (against "Paxos Made Live", §5.2).

What was granted is not on disk, and it runs on. Who is restarted and promises itself at once lets somebody else lead
and write while the leader that it had granted the lease still reads from memory.
"""

from __future__ import annotations

from bench.protocols.multipaxos import PROTOCOL as MULTIPAXOS
from bench.protocols.multipaxos import LeaseMultiPaxos


class ObliviousMultiPaxos(LeaseMultiPaxos):
    """Does not wait for what it does not remember."""

    def _wait_out(self) -> None: ...


PROTOCOL = MULTIPAXOS.mutant("multipaxos/lease", ObliviousMultiPaxos, "grants of leases do not survive a restart")
