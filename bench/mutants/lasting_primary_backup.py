"""Primary-backup whose primary stays one for ever (against Pb1: at most one primary at any time).

Failover without fencing: a backup is promoted, and nobody stops the old primary, which does not take another's word
that it has been replaced. When the network is whole again there are two, each with clients and updates of its own.
"""

from __future__ import annotations

from bench.node import Message, NodeId, Outbox
from bench.protocols.primary_backup import PROTOCOL as PRIMARY_BACKUP
from bench.protocols.primary_backup import Failover, PrimaryBackup, Promote, Replicate, Replicated, Report, Role


class LastingPrimaryBackup(PrimaryBackup):
    """A primary does not hear of later epochs."""

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        told = isinstance(message, Failover | Report | Promote | Replicate | Replicated) and message.epoch > self.epoch
        if not told or self.role is not Role.PRIMARY:
            super().on_message(sender, message, now, out)


PROTOCOL = PRIMARY_BACKUP.mutant("primary_backup/async", LastingPrimaryBackup, "an old primary never steps down")
