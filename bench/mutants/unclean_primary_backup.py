"""Primary-backup that promotes whoever asks first, however far behind it is (against the newest state of a majority).

Unclean leader election, which was Kafka's default until 0.11: a replica outside the set of those that have everything
may lead. It makes the others forget what it has missed, although a majority had it when it was acknowledged.
"""

from __future__ import annotations

from bench.node import NodeId
from bench.protocols.primary_backup import PROTOCOL as PRIMARY_BACKUP
from bench.protocols.primary_backup import SyncPrimaryBackup


class UncleanPrimaryBackup(SyncPrimaryBackup):
    """Counts the reports, and does not read them."""

    def _successor(self, reports: dict[NodeId, tuple[int, int]]) -> NodeId:
        return self.me


PROTOCOL = PRIMARY_BACKUP.mutant(
    "primary_backup/sync", UncleanPrimaryBackup, "whoever suspects the primary succeeds it, however far behind"
)
