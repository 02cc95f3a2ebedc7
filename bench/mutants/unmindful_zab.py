"""Zab whose servers answer a session although it has seen more elsewhere (against ZooKeeper's check of the last zxid).

In ZooKeeper a client that reconnects names the last zxid that it has seen, and a server that is behind it refuses the
connection. Without that check whoever writes does not find his own write, or reads the past after the present.
"""

from __future__ import annotations

from bench.node import Request
from bench.protocols.zab import PROTOCOL as ZAB
from bench.protocols.zab import LocalZab


class UnmindfulZab(LocalZab):
    """Asks nobody what he has seen."""

    def _serves(self, m: Request) -> bool:
        return self.serving


PROTOCOL = ZAB.mutant("zab/local", UnmindfulZab, "servers answer sessions that have seen more than they have")
