"""Zab whose leader begins to broadcast once it has promises, before a quorum has its history (against step l.2.2).

Everything in its history counts as committed although nobody else may have it: when two elections follow each other
closely, the second leader comes from a quorum that has never heard of it.
"""

from __future__ import annotations

from bench.protocols.zab import PROTOCOL as ZAB
from bench.protocols.zab import Zab


class HastyLeaderZab(Zab):
    """Waits for nobody to acknowledge NEWLEADER."""

    def _is_acknowledged(self) -> bool:
        return True


PROTOCOL = ZAB.mutant("zab/log", HastyLeaderZab, "broadcasts before a quorum has its history (against step l.2.2)")
