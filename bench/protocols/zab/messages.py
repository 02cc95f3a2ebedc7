"""What servers of Zab say to each other, and what they speak of: zxids, transactions and votes."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import msgspec

from bench.node import Command, Message, NodeId, Request
from bench.parts.channel import Framed


class Role(Enum):
    LOOKING = "looking"
    FOLLOWING = "following"
    LEADING = "leading"

    def __deepcopy__(self, memo: object) -> Role:
        return self


class Zxid(NamedTuple):
    """The name of a transaction, ordered by epoch and then counter (section III-A)."""

    epoch: int
    counter: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.counter}"


NOTHING = Zxid(0, 0)


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """A change, in the order of its zxid."""

    zxid: Zxid
    session: str
    sequence: int
    command: Command

    @property
    def term(self) -> int:
        return self.zxid.epoch


class Vote(NamedTuple):
    """Whom to elect: the candidate whose history is newest, and among equals the one with the highest id."""

    epoch: int
    zxid: Zxid
    candidate: NodeId


class Notification(Message, frozen=True):
    """Whom the sender would elect, or has elected, in this round (Fast Leader Election).

    ``serial`` grows with everything that the sender says, so that a late notification is known as one.
    """

    serial: int
    round: int
    vote: Vote
    role: Role


class CEpoch(Framed, frozen=True):
    """CEPOCH: a follower says which epoch it has accepted last."""

    accepted_epoch: int


class NewEpoch(Framed, frozen=True):
    """NEWEPOCH: the leader asks to promise that no older epoch will be followed any more."""

    epoch: int


class AckE(Framed, frozen=True):
    """ACK-E: the promise, with the state of the follower's history.

    ``current_epoch`` is None when that epoch was accepted before, perhaps from somebody else: then it is no promise,
    and only says where the follower's history ends (as in ZooKeeper).
    """

    current_epoch: int | None
    last_zxid: Zxid


class Diff(Framed, frozen=True):
    """DIFF: what the follower lacks."""

    transactions: tuple[Transaction, ...]


class Trunc(Framed, frozen=True):
    """TRUNC: the follower's history is the leader's up to ``zxid``; what is behind it goes, these come."""

    zxid: Zxid
    transactions: tuple[Transaction, ...]


class Snap(Framed, frozen=True):
    """SNAP: the whole history."""

    transactions: tuple[Transaction, ...]


class NewLeader(Framed, frozen=True):
    """NEWLEADER: what was sent before this is the initial history of the epoch."""

    epoch: int


class AckLD(Framed, frozen=True):
    """ACK-LD: the initial history is on disk, and so is the epoch."""

    epoch: int


class CommitLD(Framed, frozen=True):
    """COMMIT-LD, ZooKeeper's UPTODATE: the epoch is established, and all up to ``zxid`` is committed."""

    zxid: Zxid


class Propose(Framed, frozen=True):
    """PROPOSE: one more transaction."""

    transaction: Transaction


class Ack(Framed, frozen=True):
    """ACK: everything up to ``zxid`` is on disk."""

    zxid: Zxid


class Commit(Framed, frozen=True):
    """COMMIT: everything up to ``zxid`` is committed."""

    zxid: Zxid


class Forward(Framed, frozen=True):
    """REQUEST: a server hands its leader an update that one of its own sessions has asked for."""

    request: Request


class Sync(Framed, frozen=True):
    """SYNC: a server asks its leader to reply behind all that is under way (ZooKeeper's sync)."""

    number: int


class SyncReply(Framed, frozen=True):
    """The reply to `Sync`: everything that the leader had proposed then has been committed before this."""

    number: int
