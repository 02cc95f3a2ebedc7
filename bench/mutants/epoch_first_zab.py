"""Zab whose followers make an epoch their current one before they have its history (against step f.2.1).

After ZOOKEEPER-4643: a follower that crashes in between comes back with the newest epoch and an old history, is
elected for the former, and has everybody drop what was committed.
"""

from __future__ import annotations

from bench.node import Outbox
from bench.protocols.zab import PROTOCOL as ZAB
from bench.protocols.zab import Role, Zab


class EpochFirstZab(Zab):
    """Saves the current epoch with the promise of it."""

    def _on_new_epoch(self, epoch: int, out: Outbox) -> None:
        super()._on_new_epoch(epoch, out)
        if self.role is Role.FOLLOWING:
            self._save_current_epoch(out)


PROTOCOL = ZAB.mutant("zab/log", EpochFirstZab, "an epoch is current before its history is there (against step f.2.1)")
