"""Primary-backup whose old primary returns with its data as they were, and only its log put right.

What MySQL's manual calls errant transactions: a server that was replaced and is made a backup as it stands keeps the
updates that nobody else has. From then on it differs from the others for good, and no comparison of positions shows it.
"""

from __future__ import annotations

from bench.node import Outbox
from bench.protocols.primary_backup import PROTOCOL as PRIMARY_BACKUP
from bench.protocols.primary_backup import PrimaryBackup


class ErrantPrimaryBackup(PrimaryBackup):
    """Gives up entries, and not what they have done."""

    def _give_up(self, first: int, out: Outbox) -> None:
        kept = self.machine
        super()._give_up(first, out)
        self.machine = kept


PROTOCOL = PRIMARY_BACKUP.mutant(
    "primary_backup/async", ErrantPrimaryBackup, "an old primary keeps the updates that nobody else has"
)
