"""Zab over channels that hand messages on as they come (against section II, which asks for reliable FIFO channels).

Messages are numbered and repeated until they are acknowledged, but not put in order: so a proposal overtakes another,
a commit its proposal, and NEWLEADER the history that it ends.
"""

from __future__ import annotations

from bench.parts.channel import Channel, Framed
from bench.protocols.zab import PROTOCOL as ZAB
from bench.protocols.zab import Zab


class UnorderedChannel(Channel):
    """Nothing waits for its turn."""

    __slots__ = ()

    def _in_turn(self, message: Framed) -> list[Framed]:
        self.received = max(self.received, message.stamp.number)
        return [message]


class UnorderedZab(Zab):
    """Takes messages as they come."""

    new_channel = UnorderedChannel


PROTOCOL = ZAB.mutant("zab/log", UnorderedZab, "channels do not keep the order of messages (against section II)")
