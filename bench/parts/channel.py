"""Connections over datagrams: what one end sends arrives at the other in that order and once, or the connection ends.

Zab (Junqueira, Reed & Serafini, DSN 2011, section II) and ZooKeeper rest on TCP: between two processes messages arrive
in order, and a connection that breaks is seen to break by both ends, who begin again with a new one. The network here
loses, doubles and reorders. So every message of a connection carries a stamp, as a TCP segment does (RFC 9293): the
names of both ends, a number that grows by one, and the highest number up to which everything has arrived. What comes
early waits for what is missing, what comes twice is dropped, and what stays unacknowledged is sent again at every tick.

A name is never used again, not even after a restart, so no message of an old connection joins one of the present. The
names that somebody gives grow, so whoever remembers the newest that he has accepted is not opened to by a late copy of
an older opening; after a restart he remembers none, and a late one can make a connection to nobody, which ends when
that end says that it is none, or by its silence. A connection is lost when the other end is silent, when it
acknowledges nothing, or when more is under way than the window holds. Whoever gives one up says so with Close.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

import msgspec

from bench.node import Message, NodeId, Outbox

WINDOW = 4096
"""Messages that may wait at either end: the sender's for their acknowledgement, the receiver's for what is missing."""


class Stamp(msgspec.Struct, frozen=True, gc=False):
    """Where a message belongs: from end ``source`` to end ``target`` (0: not known yet), as number 1, 2, …

    Number 0 stands outside the order. ``acked`` is the number up to which the sender has received everything.
    """

    source: int
    target: int
    number: int
    acked: int


class Framed(Message, frozen=True, kw_only=True):
    """A message that travels on a connection."""

    stamp: Stamp = Stamp(0, 0, 0, 0)


class Ping(Framed, frozen=True):
    """A sign of life, which also says what has arrived."""


class Close(Message, frozen=True):
    """What you know as end ``end`` of yours has no other end any more."""

    end: int


class Channel:
    """One end of a connection. The end that opens it learns the other's name from the first answer."""

    __slots__ = ("_early", "_resend_upto", "_unacked", "end", "peer", "received", "sent", "silent", "stalled")

    def __init__(self, end: int, peer: int = 0) -> None:
        self.end = end
        self.peer = peer
        self.sent = 0
        self.received = 0
        self.silent = 0  # ticks since anything was heard
        self.stalled = 0  # ticks since anything was acknowledged, while something waits for it
        self._unacked: deque[Framed] = deque()
        self._early: dict[int, Framed] = {}
        self._resend_upto = 0  # what was sent before the last tick

    def send(self, to: NodeId, message: Framed, out: Outbox) -> None:
        """Send a message in its turn, and keep it until it is acknowledged."""
        self.sent += 1
        message = msgspec.structs.replace(message, stamp=Stamp(self.end, self.peer, self.sent, self.received))
        self._unacked.append(message)
        out.send(to, message)

    def joins(self, stamp: Stamp) -> bool:
        """Whether a message with this stamp travels between this end and its other end."""
        if stamp.source == self.peer:
            return stamp.target in (0, self.end)  # 0: it has not heard of this end yet
        return not self.peer and stamp.target == self.end

    def receive(self, message: Framed) -> list[Framed]:
        """Take a message that `joins`; the messages whose turn it is now, in order."""
        stamp = message.stamp
        self.peer = stamp.source
        self.silent = 0
        while self._unacked and self._unacked[0].stamp.number <= stamp.acked:
            self._unacked.popleft()
            self.stalled = 0
        return self._in_turn(message) if stamp.number else []

    def _in_turn(self, message: Framed) -> list[Framed]:
        if self.received < message.stamp.number <= self.received + WINDOW:  # else a copy; or it will be sent again
            self._early[message.stamp.number] = message
        ready = []
        while self.received + 1 in self._early:
            self.received += 1
            ready.append(self._early.pop(self.received))
        return ready

    def tick(self, to: NodeId, limit: int, out: Outbox) -> bool:
        """Give a sign of life and send again what is overdue; false when the connection is lost.

        It is after ``limit`` ticks of silence, or twice as many without an acknowledgement that is waited for.
        """
        self.silent += 1
        self.stalled = self.stalled + 1 if self._unacked else 0
        if self.silent > limit or self.stalled > 2 * limit or len(self._unacked) > WINDOW:
            return False
        overdue = max(0, self._resend_upto - (self.sent - len(self._unacked)))
        for message in islice(self._unacked, overdue):
            out.send(to, message)
        self._resend_upto = self.sent
        out.send(to, Ping(stamp=Stamp(self.end, self.peer, 0, self.received)))
        return True

    def _key(self) -> tuple[object, ...]:
        counters = (self.end, self.peer, self.sent, self.received, self.silent, self.stalled, self._resend_upto)
        return counters, tuple(self._unacked), frozenset(self._early.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Channel) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())
