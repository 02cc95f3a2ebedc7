"""Zab whose servers speak of what they have delivered, not of all that is in their history (against phases 0 and 1).

After ZOOKEEPER-2845: a server kept its database in memory across elections, and told others the zxid of the last
transaction applied there, although it had logged more. The leader then adds to a history that ends elsewhere.
"""

from __future__ import annotations

from bench.protocols.zab import PROTOCOL as ZAB
from bench.protocols.zab import Zab, Zxid


class ShortsightedZab(Zab):
    """Forgets what it has on disk and has not delivered."""

    def _newest(self) -> Zxid:
        return self._zxid(self.delivered)


PROTOCOL = ZAB.mutant("zab/log", ShortsightedZab, "histories are told without their undelivered end (phases 0 and 1)")
