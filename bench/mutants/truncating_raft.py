"""Raft whose followers cut their log at every AppendEntries, conflict or not (against Figure 2, step 3).

Found in akka-raft (issue 66) and RaftOS (issue 26): a delayed or duplicated message that is shorter than what has
arrived since removes entries that the leader already counts as stored, and has acknowledged.
"""

from __future__ import annotations

from bench.protocols.raft import PROTOCOL as RAFT
from bench.protocols.raft import Entry, Raft


class TruncatingRaft(Raft):
    """Takes every entry for new."""

    def _known(self, previous: int, entries: tuple[Entry, ...]) -> int:
        return 0


PROTOCOL = RAFT.mutant("raft/log", TruncatingRaft, "followers truncate without a conflict (against Figure 2, step 3)")
