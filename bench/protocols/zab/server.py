"""One server of Zab: its election, its part in the three phases, and what it keeps on disk.

The numbers of steps are those of the paper's Algorithms 1 to 3.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.node import Answer, Message, Node, NodeId, Outbox, Refusal, Request, Saved, Span, require
from bench.parts.channel import Channel, Close, Framed
from bench.parts.log import Log
from bench.parts.machine import StateMachine
from bench.parts.quorum import majority, reached_by_majority
from bench.protocols.zab.messages import (
    NOTHING,
    Ack,
    AckE,
    AckLD,
    CEpoch,
    Commit,
    CommitLD,
    Diff,
    NewEpoch,
    NewLeader,
    Notification,
    Propose,
    Role,
    Snap,
    Transaction,
    Trunc,
    Vote,
    Zxid,
)

TICK, FINALIZE, SYNCED = "tick", "finalize", "synced"
_AT_ONCE = Span.constant(0)


class Parameters(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """ZooKeeper's timing: everything is counted in ticks."""

    tick_time: Annotated[Span, Meta(description="How often a server gives signs of life and looks around.")] = (
        Span.constant(50_000)
    )
    sync_limit: Annotated[int, Meta(ge=2, description="Ticks of silence after which a connection is lost.")] = 5
    init_limit: Annotated[int, Meta(ge=2, description="Ticks that a leader has to find and synchronise a quorum.")] = 8
    finalize_wait: Annotated[
        Span, Meta(description="How long a quorum's vote waits for a better one before it is final.")
    ] = Span.constant(20_000)
    diff_max: Annotated[
        int, Meta(ge=0, description="A follower that lacks more transactions than this gets the whole history.")
    ] = 500


class Phase(Enum):
    DISCOVERY = "discovery"
    SYNCHRONISATION = "synchronisation"
    BROADCAST = "broadcast"

    def __deepcopy__(self, memo: object) -> Phase:
        return self


class Follower:
    """What a leader knows of a follower that is connected.

    ``last_zxid`` is where its history ended when it answered NEWEPOCH (None: it has not); ``initial`` how long
    the history was that NEWLEADER ended (None: it was not sent yet); ``acked`` how much of our history is on its disk,
    counted only once it has acknowledged NEWLEADER.
    """

    __slots__ = ("accepted_epoch", "acked", "initial", "last_zxid", "promised", "synced")

    def __init__(self, accepted_epoch: int) -> None:
        self.accepted_epoch = accepted_epoch
        self.promised = False
        self.last_zxid: Zxid | None = None
        self.initial: int | None = None
        self.synced = False
        self.acked = 0

    def _key(self) -> tuple[object, ...]:
        return self.accepted_epoch, self.promised, self.last_zxid, self.initial, self.synced, self.acked

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Follower) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


class Zab(Node):
    """One server. Accepted and current epoch are f.p and f.a of the paper, the log is its history h."""

    new_channel: Callable[..., Channel] = Channel

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        self.me = me
        self.members = members
        self.others = tuple(member for member in members if member != me)
        self.majority = majority(len(members))
        self.parameters = parameters
        # Persistent state
        self.accepted_epoch = 0
        self.current_epoch = 0
        self.log: Log[Transaction] = Log()
        self.incarnation = 0
        # Volatile state
        self.role = Role.LOOKING
        self.phase = Phase.DISCOVERY
        self.leader: NodeId | None = None
        self.epoch = 0  # of the leader that we are or follow; 0 until it is known
        self.serving = False  # what was delivered may be read: it has all that was committed when we joined the epoch
        self.channels: dict[NodeId, Channel] = {}
        self.opened: dict[NodeId, int] = {}  # by each: the newest connection that was ever accepted
        self.names = 0  # given since the start, to ends of channels and notifications
        self.delivered = 0
        self.machine = StateMachine()
        # Of servers that look for a leader
        self.round = 0
        self.vote = Vote(0, NOTHING, me)
        self.heard: dict[NodeId, Notification] = {}
        self.final: Vote | None = None  # a quorum's vote that waits for a better one
        # Of leaders
        self.ticks = 0
        self.followers: dict[NodeId, Follower] = {}
        self.waiting: dict[int, NodeId] = {}  # index -> who asked for it

    # ----------------------------------------------------------------------------------------------------------- events

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        self.accepted_epoch = saved.records.get("accepted epoch", 0)
        self.current_epoch = saved.records.get("current epoch", 0)
        require(self.current_epoch <= self.accepted_epoch, "an epoch is followed only after it was accepted")
        self.log = Log(saved.log)
        self.incarnation = saved.records.get("incarnation", 0) + 1
        out.save("incarnation", self.incarnation)  # before anything is said: names are never used again
        self.log.announce_recovery(out)
        out.set_timer(TICK, self.parameters.tick_time)
        self._look(out)

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        match message:
            case Framed():
                self._on_framed(sender, message, out)
            case Request():
                self._on_request(sender, message, out)
            case Notification():
                self._on_notification(sender, message, out)
            case Close(end):
                channel = self.channels.get(sender)
                if channel is not None and channel.end == end:
                    self._lose(sender, out)
            case _:
                raise TypeError(f"Zab knows no {type(message).__name__}")

    def on_timer(self, timer: str, now: int, out: Outbox) -> None:
        if timer == TICK:
            out.set_timer(TICK, self.parameters.tick_time)
            self._tick(out)
        elif timer == FINALIZE:
            if self.role is Role.LOOKING and self.final is not None:
                self._decide(self.final, out)
        elif self.role is Role.LEADING and self.phase is Phase.DISCOVERY:
            self._synchronise_if_promised(out)
        elif self.role is Role.FOLLOWING and self.phase is Phase.SYNCHRONISATION:
            self._history_is_durable(out)

    def _tick(self, out: Outbox) -> None:
        if self.role is Role.LOOKING:
            self._notify_all(out)
            return
        for peer, channel in tuple(self.channels.items()):
            if not channel.tick(peer, self.parameters.sync_limit, out):
                self._lose(peer, out)
        if self.role is Role.LEADING:
            self.ticks += 1
            if self.phase is Phase.BROADCAST:
                has_quorum = len(self.channels) + 1 >= self.majority
            else:
                has_quorum = self.ticks < self.parameters.init_limit
            if not has_quorum:
                self._look(out)

    # --------------------------------------------------------------------------------------------------------- channels

    def _on_framed(self, sender: NodeId, m: Framed, out: Outbox) -> None:
        """Take a message in its turn, with those that waited for it."""
        channel = self.channels.get(sender)
        if channel is None or not channel.joins(m.stamp):
            channel = self._accept(sender, m, out)
            if channel is None:
                return
        for message in channel.receive(m):
            self._handle(sender, message, out)
            if self.channels.get(sender) is not channel:  # closed, because of what it said
                return

    def _accept(self, sender: NodeId, m: Framed, out: Outbox) -> Channel | None:
        """A leader takes a follower's new connection for its only one; anybody else says that there is none.

        Names grow, so what is not newer than all that we have accepted is the late copy of an opening.
        """
        opens = m.stamp.target == 0
        if opens and self.role is Role.LOOKING:
            return None  # perhaps elected in a moment: the follower will ask again
        if opens and self.role is Role.LEADING and m.stamp.source > self.opened.get(sender, 0):
            self.opened[sender] = m.stamp.source
            self.followers.pop(sender, None)
            self.channels[sender] = self.new_channel(self._fresh(), m.stamp.source)
            return self.channels[sender]
        out.send(sender, Close(m.stamp.source))
        return None

    def _lose(self, peer: NodeId, out: Outbox) -> None:
        """A connection is over: the leader does without that follower, the follower without a leader."""
        if self.role is Role.FOLLOWING:
            self._look(out)
        else:
            out.send(peer, Close(self.channels.pop(peer).peer))
            self.followers.pop(peer, None)

    def _fresh(self) -> int:
        """A name that was never used, by counting on from the durable number of starts."""
        self.names += 1
        return self.incarnation * 1_000_000 + self.names

    def _send(self, to: NodeId, message: Framed, out: Outbox) -> None:
        self.channels[to].send(to, message, out)

    def _handle(self, sender: NodeId, message: Framed, out: Outbox) -> None:
        """A message in its turn: from a follower if we lead, from the leader if we follow."""
        match message:
            case Propose(transaction):
                self._on_propose(transaction, out)
            case Ack(zxid):
                self._on_ack(sender, zxid, out)
            case Commit(zxid):
                self._on_commit(zxid, out)
            case CEpoch(accepted_epoch):
                self._on_cepoch(sender, accepted_epoch, out)
            case NewEpoch(epoch):
                self._on_new_epoch(epoch, out)
            case AckE():
                self._on_ack_e(sender, message, out)
            case Diff() | Trunc() | Snap():
                self._on_history(message, out)
            case NewLeader(epoch):
                self._on_new_leader(epoch, out)
            case AckLD(epoch):
                self._on_ack_ld(sender, epoch, out)
            case CommitLD(zxid):
                self._on_commit_ld(zxid, out)
            case _:
                raise TypeError(f"Zab knows no {type(message).__name__}")

    # ------------------------------------------------------------------------------------------------ phase 0: election

    @property
    def last_zxid(self) -> Zxid:
        """Of the newest transaction in our history."""
        return self._zxid(self.log.last)

    def _newest(self) -> Zxid:
        """How far our history goes, as others are told: what we have not delivered may be committed elsewhere."""
        return self.last_zxid

    def _look(self, out: Outbox) -> None:
        """Drop what there was of a leader or followers, and look for a leader in a new round."""
        for peer, channel in self.channels.items():
            if channel.peer:
                out.send(peer, Close(channel.peer))
        self.role, self.phase, self.leader, self.epoch = Role.LOOKING, Phase.DISCOVERY, None, 0
        self.serving = False
        self.channels, self.followers = {}, {}
        self.waiting = {}  # who waits here will ask elsewhere; whether the transaction survives is not ours to say
        self.heard = {}
        self.final = None
        out.cancel_timer(SYNCED)
        self.round += 1
        self.vote = self._own_vote()
        out.observe("campaign", term=self.accepted_epoch + 1)
        self._notify_all(out)
        self._conclude(out)  # a cluster of one is its own quorum

    def _own_vote(self) -> Vote:
        return Vote(self.current_epoch, self._newest(), self.me)

    def _is_better(self, vote: Vote, than: Vote) -> bool:
        """The order of votes: total, so that everybody ends up with the same one."""
        return self._rank(vote) > self._rank(than)

    def _rank(self, vote: Vote) -> tuple[int, Zxid, int]:
        """The id that decides among equals is a number, the server's place in the configuration: n9 is before n10."""
        return vote.epoch, vote.zxid, self.members.index(vote.candidate)

    def _notify_all(self, out: Outbox) -> None:
        for other in self.others:
            self._notify(other, out)

    def _notify(self, to: NodeId, out: Outbox) -> None:
        out.send(to, Notification(self._fresh(), self.round, self.vote, self.role))

    def _on_notification(self, sender: NodeId, m: Notification, out: Outbox) -> None:
        if self.role is not Role.LOOKING:
            if m.role is Role.LOOKING:
                self._notify(sender, out)
            return
        known = self.heard.get(sender)
        if known is not None and m.serial <= known.serial:
            return
        self.heard[sender] = m
        if m.role is Role.LOOKING:
            if m.round < self.round:
                self._notify(sender, out)
                return
            if m.round > self.round:
                self.round, own = m.round, self._own_vote()
                self.vote = m.vote if self._is_better(m.vote, own) else own
                self._notify_all(out)
            elif self._is_better(m.vote, self.vote):
                self.vote = m.vote
                self._notify_all(out)
        self._conclude(out)

    def _conclude(self, out: Outbox) -> None:
        """Join a leader that has a quorum, or make a vote final that a quorum shares."""
        for leader, m in self.heard.items():
            if m.role is Role.LEADING and self._following(leader) >= self.majority:
                self.round = m.round
                self._decide(m.vote, out)
                return
        agreeing = 1 + sum((m.round, m.vote) == (self.round, self.vote) for m in self.heard.values())
        if agreeing < self.majority:
            self.final = None
        elif agreeing == len(self.others) + 1:
            self._decide(self.vote, out)
        elif self.final != self.vote:
            self.final = self.vote
            out.set_timer(FINALIZE, self.parameters.finalize_wait)

    def _following(self, leader: NodeId) -> int:
        """How many servers say that they follow ``leader``, or are it."""
        return sum(m.role is not Role.LOOKING and m.vote.candidate == leader for m in self.heard.values())

    def _decide(self, vote: Vote, out: Outbox) -> None:
        require(self.role is Role.LOOKING, "only who looks for a leader elects one")
        out.cancel_timer(FINALIZE)
        self.vote, self.leader = vote, vote.candidate
        self.heard, self.final = {}, None
        if self.leader == self.me:
            self.role, self.ticks = Role.LEADING, 0
            self._propose_epoch(out)
        else:
            self.role = Role.FOLLOWING
            self.channels[self.leader] = self.new_channel(self._fresh())
            self._send(self.leader, CEpoch(self.accepted_epoch), out)

    # ----------------------------------------------------------------------------------------------- phase 1: discovery

    def _on_cepoch(self, follower: NodeId, accepted_epoch: int, out: Outbox) -> None:
        self.followers[follower] = Follower(accepted_epoch)
        if not self.epoch:
            self._propose_epoch(out)
        elif accepted_epoch > self.epoch:
            # It may never follow us. ZooKeeper leaves it outside; here a newer epoch takes everybody in.
            self._look(out)
        else:
            self._send(follower, NewEpoch(self.epoch), out)

    def _propose_epoch(self, out: Outbox) -> None:
        """Step l.1.1: an epoch that is newer than any that a quorum has accepted."""
        if len(self.followers) + 1 < self.majority:
            return
        accepted = [follower.accepted_epoch for follower in self.followers.values()]
        self.epoch = max(self.accepted_epoch, *accepted, 0) + 1
        self._accept_epoch(self.epoch, out)
        for follower in self.followers:
            self._send(follower, NewEpoch(self.epoch), out)
        if not self.others:  # a cluster of one waits for no promise; but of two writes in one sync a crash keeps either
            out.set_timer(SYNCED, _AT_ONCE)  # rings when the accepted epoch is on disk

    def _accept_epoch(self, epoch: int, out: Outbox) -> None:
        require(epoch > self.accepted_epoch, "accepted epochs only grow")
        self.accepted_epoch = epoch
        self._save_accepted_epoch(out)

    def _save_accepted_epoch(self, out: Outbox) -> None:
        out.save("accepted epoch", self.accepted_epoch)

    def _on_new_epoch(self, epoch: int, out: Outbox) -> None:
        """Step f.1.1: promise to follow no older epoch."""
        if epoch < self.accepted_epoch:
            self._look(out)
            return
        self.epoch = epoch
        current: int | None = None
        if epoch > self.accepted_epoch:
            current = self.current_epoch
            self._accept_epoch(epoch, out)  # on disk before the promise, or it is none
            out.observe("vote", term=epoch)
        assert self.leader is not None
        self._send(self.leader, AckE(current, self._newest()), out)

    def _on_ack_e(self, sender: NodeId, m: AckE, out: Outbox) -> None:
        """Step l.1.2: a quorum's promises end the phase; whoever is ahead of us should lead instead."""
        follower = self.followers[sender]
        follower.last_zxid = m.last_zxid
        if self.phase is not Phase.DISCOVERY:
            self._synchronise(sender, follower, out)
        elif m.current_epoch is not None:
            if (m.current_epoch, m.last_zxid) > (self.current_epoch, self._newest()):
                self._look(out)
                return
            follower.promised = True
            self._synchronise_if_promised(out)

    # ----------------------------------------------------------------------------------------- phase 2: synchronisation

    def _synchronise_if_promised(self, out: Outbox) -> None:
        if 1 + sum(follower.promised for follower in self.followers.values()) < self.majority:
            return
        self.phase = Phase.SYNCHRONISATION
        # Our history and the accepted epoch are on disk: a promise has come since, and NEWEPOCH left only behind all
        # that was being written. So did the timer in a cluster of one.
        self._save_current_epoch(out)
        for id, follower in self.followers.items():
            if follower.last_zxid is not None:
                self._synchronise(id, follower, out)
        self._establish_if_acknowledged(out)  # a cluster of one

    def _save_current_epoch(self, out: Outbox) -> None:
        require(self.current_epoch <= self.epoch == self.accepted_epoch, "an epoch is followed only as the newest")
        self.current_epoch = self.epoch
        out.save("current epoch", self.epoch)

    def _synchronise(self, id: NodeId, follower: Follower, out: Outbox) -> None:
        """Step l.2.1: make the follower's history ours; from here on it is sent every proposal."""
        assert follower.last_zxid is not None
        require(follower.initial is None, "a follower is synchronised once in a connection")
        self._send(id, self._difference(follower.last_zxid), out)
        self._send(id, NewLeader(self.epoch), out)
        follower.initial = self.log.last

    def _difference(self, last_zxid: Zxid) -> Diff | Trunc | Snap:
        """What makes a history that ends at ``last_zxid`` ours, after ZooKeeper's LearnerHandler.

        A history that has the zxid (e, i) has all that the leader of epoch e had proposed before, as every history has
        that holds any of it: so an end that is in ours too makes it a beginning of ours; and if ours has at least some
        of epoch e, but not that end, they agree on what we have of it. Otherwise nobody knows where they part.
        """
        common = self._index(last_zxid)
        missing = self.log.between(common + 1, self.log.last - common)
        if len(missing) > self.parameters.diff_max:
            return Snap(self.log.between(1, self.log.last))
        if self._zxid(common) == last_zxid:
            return Diff(missing)
        if common and self._zxid(common).epoch == last_zxid.epoch:
            return Trunc(self._zxid(common), missing)
        return Snap(self.log.between(1, self.log.last))

    def _on_history(self, m: Diff | Trunc | Snap, out: Outbox) -> None:
        """Step f.2.1, first half: take over the leader's history."""
        require(self.epoch == self.accepted_epoch, "a follower takes over only the history of the epoch it promised")
        self.phase = Phase.SYNCHRONISATION
        match m:
            case Diff(transactions):
                self._append(transactions, out)
            case Trunc(zxid, transactions):
                self._truncate(zxid, out)
                self._append(transactions, out)
            case Snap(transactions):
                self._replace(transactions, out)

    def _replace(self, history: tuple[Transaction, ...], out: Outbox) -> None:
        """Take over a whole history. What both have stays on disk: a crash half-way must not lose what is committed."""
        common = 0
        while common < min(self.log.last, len(history)) and self.log[common + 1].zxid == history[common].zxid:
            common += 1
        self._truncate(self._zxid(common), out)
        self._append(history[common:], out)

    def _truncate(self, zxid: Zxid, out: Outbox) -> None:
        """Drop what is behind ``zxid``."""
        index = self._index(zxid)
        require(self._zxid(index) == zxid, "a history is cut where it agrees with the leader's")
        if index < self.log.last:
            require(index >= self.delivered, "what was delivered stays in every history")
            self.log.truncate(index + 1)
            out.truncate(index + 1)
            out.observe("truncate", slot=index + 1)

    def _append(self, transactions: tuple[Transaction, ...], out: Outbox) -> None:
        if not transactions:
            return
        require(transactions[0].zxid > self.last_zxid, "a history grows in the order of zxids")
        first = self.log.last + 1
        self.log.extend(transactions)
        out.append(transactions)  # on disk before anything that is said about them
        self.log.announce_append(first, out)

    def _on_new_leader(self, epoch: int, out: Outbox) -> None:
        require(epoch == self.accepted_epoch, "a follower promised the epoch that it is asked to follow")
        out.set_timer(SYNCED, _AT_ONCE)  # rings when the history before it is on disk

    def _history_is_durable(self, out: Outbox) -> None:
        """Step f.2.1, second half: the epoch is current when its history is on disk, and then it is acknowledged."""
        self._save_current_epoch(out)
        self.phase = Phase.BROADCAST
        assert self.leader is not None
        self._send(self.leader, AckLD(self.epoch), out)
        self._send(self.leader, Ack(self.last_zxid), out)  # of what was proposed meanwhile, too
        out.observe("follow", term=self.epoch)

    def _on_ack_ld(self, sender: NodeId, epoch: int, out: Outbox) -> None:
        """Step l.2.2: a quorum has our history, so everything in it is committed."""
        require(epoch == self.epoch, "a follower acknowledges the epoch of its leader")
        follower = self.followers[sender]
        assert follower.initial is not None
        follower.synced, follower.acked = True, follower.initial  # not what was proposed since
        if self.phase is Phase.BROADCAST:
            self._send(sender, CommitLD(self._zxid(self.delivered)), out)
            self._advance(out)
        else:
            self._establish_if_acknowledged(out)

    def _establish_if_acknowledged(self, out: Outbox) -> None:
        if not self._is_acknowledged():
            return
        self.phase = Phase.BROADCAST
        out.observe("lead", term=self.epoch)
        self._deliver(self.log.last, out)
        self.serving = True
        for id, follower in self.followers.items():
            if follower.synced:
                self._send(id, CommitLD(self.last_zxid), out)

    def _is_acknowledged(self) -> bool:
        """Whether a quorum has our history on its disks."""
        return 1 + sum(follower.synced for follower in self.followers.values()) >= self.majority

    # ----------------------------------------------------------------------------------------------- phase 3: broadcast

    def _on_request(self, client: NodeId, m: Request, out: Outbox) -> None:
        if m.command.f == "read":
            self._read(client, m, out)
        else:
            self._update(client, m, out)

    def _read(self, client: NodeId, m: Request, out: Outbox) -> None:
        """A read is a transaction: when it is delivered, everything that was answered before it has been."""
        self._update(client, m, out)

    def _update(self, client: NodeId, m: Request, out: Outbox) -> None:
        if self.role is not Role.LEADING or self.phase is not Phase.BROADCAST:
            self._refuse(client, m, out)
            return
        answer = self.machine.answer(m)
        if answer is not None:
            out.send(client, answer)
            return
        if self.machine.is_stale(m):
            return
        self.waiting[self.log.last + 1] = client
        self._propose(m, out)

    def _propose(self, m: Request, out: Outbox) -> None:
        """Step l.3.1: propose the next transaction of this epoch to everybody who has our history."""
        counter = self.last_zxid.counter + 1 if self.last_zxid.epoch == self.epoch else 1
        transaction = Transaction(Zxid(self.epoch, counter), m.session, m.sequence, m.command)
        self._append((transaction,), out)
        for id, follower in self.followers.items():
            if follower.initial is not None:
                self._send(id, Propose(transaction), out)
        self._advance(out)  # a cluster of one is its own quorum

    def _refuse(self, client: NodeId, m: Request, out: Outbox) -> None:
        out.send(client, Refusal(m.sequence, self.leader if self.leader != self.me else None))

    def _on_propose(self, transaction: Transaction, out: Outbox) -> None:
        """Step f.3.1: on disk in the order of proposal, then acknowledged."""
        last = self.last_zxid
        following = Zxid(self.epoch, last.counter + 1 if last.epoch == self.epoch else 1)
        require(transaction.zxid == following, "proposals are accepted in order and without a gap")
        self._append((transaction,), out)
        if self.phase is Phase.BROADCAST:  # else the acknowledgement follows that of NEWLEADER
            assert self.leader is not None
            self._send(self.leader, Ack(transaction.zxid), out)

    def _on_ack(self, sender: NodeId, zxid: Zxid, out: Outbox) -> None:
        follower = self.followers[sender]
        require(follower.synced, "a follower acknowledges NEWLEADER before any proposal")
        index = self._index(zxid)
        require(self._zxid(index) == zxid, "a follower acknowledges what was proposed to it")
        follower.acked = max(follower.acked, index)
        self._advance(out)

    def _advance(self, out: Outbox) -> None:
        """Step l.3.2: commit what a quorum has on disk, and say so."""
        if self.phase is not Phase.BROADCAST:
            return
        positions = [follower.acked for follower in self.followers.values() if follower.synced]
        absent = len(self.others) - len(positions)
        reached = reached_by_majority([self.log.last, *positions, *[0] * absent])
        if reached > self.delivered:
            self._deliver(reached, out)
            for id, follower in self.followers.items():
                if follower.synced:
                    self._send(id, Commit(self._zxid(reached)), out)

    def _on_commit_ld(self, zxid: Zxid, out: Outbox) -> None:
        """Step f.2.2: the whole history is committed. As from ZooKeeper's UPTODATE on, it may be read."""
        self._on_commit(zxid, out)
        self.serving = True

    def _on_commit(self, zxid: Zxid, out: Outbox) -> None:
        """Step f.3.2: deliver in order."""
        require(self.phase is Phase.BROADCAST, "a follower delivers only once its history is its leader's")
        index = self._index(zxid)
        require(self._zxid(index) == zxid, "no commit overtakes its proposal")
        self._deliver(index, out)

    def _deliver(self, upto: int, out: Outbox) -> None:
        if upto <= self.delivered:
            return
        out.observe("commit", self.epoch, upto)
        while self.delivered < upto:
            self.delivered += 1
            self._apply(self.delivered, out)

    def _apply(self, index: int, out: Outbox) -> None:
        transaction = self.log[index]
        request = Request(transaction.session, transaction.sequence, transaction.command)
        answer, took_effect = self.machine.execute(request, index)
        if not took_effect:  # it was proposed twice
            out.observe("skip", slot=index, digest=f"{transaction.session}#{transaction.sequence}")
        out.observe("decide", transaction.term, index, digest(transaction))
        self._answer(index, transaction, answer, out)

    def _answer(self, index: int, transaction: Transaction, answer: Answer | None, out: Outbox) -> None:
        """Tell who asked here for this transaction; a stale one has no answer."""
        client = self.waiting.pop(index, None)
        if client is not None and answer is not None:
            out.send(client, answer)

    # ---------------------------------------------------------------------------------------------------------- history

    def _zxid(self, index: int) -> Zxid:
        return self.log[index].zxid if index else NOTHING

    def _index(self, zxid: Zxid) -> int:
        """How many transactions of our history are not newer than ``zxid``."""
        if zxid == self.last_zxid:
            return self.log.last
        return bisect_right(range(1, self.log.last + 1), zxid, key=lambda index: self.log[index].zxid)


@lru_cache(maxsize=4096)
def digest(transaction: Transaction) -> str:
    """What a transaction says, in words short enough to read and complete enough to compare."""
    return f"{transaction.zxid} {transaction.session}#{transaction.sequence} {transaction.command}"
