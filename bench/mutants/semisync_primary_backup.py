"""Primary-backup that answers when one backup has an update (against quorums that meet).

The default of MySQL's semi-synchronous replication is to wait for one replica, however many there are: with more than
two backups a majority that promotes another need not contain the one that has it.
"""

from __future__ import annotations

from bench.protocols.primary_backup import PROTOCOL as PRIMARY_BACKUP
from bench.protocols.primary_backup import SyncPrimaryBackup


class SemisyncPrimaryBackup(SyncPrimaryBackup):
    """Two have it: this server and another."""

    def _reached(self) -> int:
        return sorted([self.log.last, *self.held.values()])[-2]


PROTOCOL = PRIMARY_BACKUP.mutant(
    "primary_backup/sync", SemisyncPrimaryBackup, "an update is acknowledged when one backup has it"
)
