"""Zab whose leader sends a follower what it lacks, and never asks it to drop what it has too much (against phase 2).

After ZOOKEEPER-3526 and ZOOKEEPER-4352, where DIFF was sent to followers that needed TRUNC or SNAP: what a deposed
leader alone had proposed stays in its history, and it delivers other transactions than everybody else.
"""

from __future__ import annotations

from bench.protocols.zab import PROTOCOL as ZAB
from bench.protocols.zab import Diff, Snap, Trunc, Zab, Zxid


class DiffOnlyZab(Zab):
    """Takes every follower's history for a beginning of its own."""

    def _difference(self, last_zxid: Zxid) -> Diff | Trunc | Snap:
        common = self._index(last_zxid)
        return Diff(self.log.between(common + 1, self.log.last - common))


PROTOCOL = ZAB.mutant("zab/log", DiffOnlyZab, "histories are extended and never cut (against phase 2)")
