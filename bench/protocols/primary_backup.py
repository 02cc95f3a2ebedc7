"""Primary-backup: one server carries out every update and copies it to the others, one of which replaces it.

Alsberg & Day, "A Principle for Resilient Sharing of Distributed Resources", 1976; Budhiraja, Marzullo, Schneider &
Toueg, "The Primary-Backup Approach", 1993. Clients send updates to the primary, it carries them out and copies them to
its backups, and a backup that has heard nothing for a timeout has the primary replaced. The papers assume crashes
alone and links that are never late, so that silence proves a crash and there is at most one primary at any time (Pb1).
Nothing proves it here: a primary that is cut off or stands still is replaced too, and goes on until it hears of it.

So failover is as in what everybody has run, such as Redis Sentinel: whoever suspects the primary opens an epoch of its
own and asks all for a report; whoever reports has promised to obey no older primary; with a majority of reports the one
with the newest state among them is promoted. There is one primary per epoch, and who hears of a higher epoch obeys it.
What is copied is the log of updates, each with the epoch in which it was carried out; a primary opens its epoch with a
mark of its own. A backup whose log differs from the primary's gives up its own from there on, and carries out what it
is sent: so does the old primary when it returns, and what only it had is lost.

Modes. ``async``: the primary answers when an update is on its own disk, and copies it afterwards: all replicas agree in
the end, but a failover loses what was answered and not yet copied. ``sync``: it answers when a majority, itself among
them, has the update on disk. The papers wait for all backups that live; but who lives is what a timeout does not tell,
and a primary that may take the silent for dead would go on alone on its side of a partition. Of any majority that
reports one has the update, and the newest state has it (an epoch counts more than a length, and old updates count once
the mark of the new epoch is held by a majority): nothing that was answered is lost while the disks are not.

In both modes any server answers reads from memory with whatever it was sent, so a read can be stale, and can see an
update that is lost later. Not here: sending the state instead of the log, shortening the log, a check with others
before a failover (Sentinel's objectively down), and a primary that hears from nobody and stops.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.draws import longest
from bench.node import Answer, Message, Node, NodeId, Outbox, Refusal, Request, Saved, Span, require
from bench.parts.ballot import ballot_above
from bench.parts.keyvalue import OPERATIONS
from bench.parts.log import Log
from bench.parts.machine import StateMachine
from bench.parts.quorum import majority, reached_by_majority
from bench.protocol import Mode, Protocol

SUSPECT, HEARTBEAT = "suspect", "heartbeat"


class Parameters(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """When a silent primary is replaced."""

    suspect_after: Annotated[
        Span, Meta(description="How long a backup waits for its primary, or for a failover; drawn anew each time.")
    ] = Span.uniform(150_000, 300_000)
    heartbeat: Annotated[Span, Meta(description="How often a primary is heard.")] = Span.constant(50_000)
    entries_max: Annotated[int, Meta(ge=1, description="Updates in one Replicate at most.")] = 64


class Role(Enum):
    BACKUP = "backup"
    PRIMARY = "primary"

    def __deepcopy__(self, memo: object) -> Role:
        return self


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An update that was carried out in an epoch; without a request it is the mark with which its primary opened it."""

    epoch: int
    request: Request | None = None

    @property
    def term(self) -> int:
        return self.epoch


class Failover(Message, frozen=True):
    """The primary is silent: obey nobody of an epoch before this one, and report how far you are."""

    epoch: int


class Report(Message, frozen=True):
    """The answer to Failover: the log's last entry is of ``last_epoch``, and number ``last``."""

    epoch: int
    last_epoch: int
    last: int


class Promote(Message, frozen=True):
    """You are the primary of this epoch."""

    epoch: int


class Replicate(Message, frozen=True):
    """The primary's updates that follow the entry ``previous``; without any it is a sign of life."""

    epoch: int
    previous: int
    previous_epoch: int
    entries: tuple[Entry, ...]


class Replicated(Message, frozen=True):
    """The answer to Replicate: the logs agree up to ``held``, which is on disk.

    Where they differ before, ``held`` is None and ``hint`` is an index up to which they may agree.
    """

    epoch: int
    previous: int
    held: int | None
    hint: int = 0


class PrimaryBackup(Node):
    """One server; mode ``async``."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        self.me = me
        self.members = members
        self.others = tuple(member for member in members if member != me)
        self.majority = majority(len(members))
        self.parameters = parameters
        # Durable
        self.epoch = 0  # the highest that was opened or promised
        self.log: Log[Entry] = Log()
        # What the log makes of it
        self.machine = StateMachine()
        self.role = Role.BACKUP
        self.primary: NodeId | None = None
        # Of who replaces the primary
        self.reports: dict[NodeId, tuple[int, int]] | None = None
        # Of the primary
        self.sent: dict[NodeId, int] = {}  # by backup: the last update that was sent, as far as we know
        self.held: dict[NodeId, int] = {}  # by backup: the last update that it certainly has

    # ----------------------------------------------------------------------------------------------------------- events

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        self.log = Log(saved.log)
        # An entry can outlive the epoch that was to be saved before it: nobody has been told of either.
        self.epoch = max(saved.records.get("epoch", 0), self.log.last_term)
        self._carry_out(1)
        out.set_timer(SUSPECT, self.parameters.suspect_after)

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        match message:
            case Replicate():
                self._on_replicate(sender, message, out)
            case Replicated():
                self._on_replicated(sender, message, out)
            case Request():
                self._on_request(sender, message, out)
            case Failover():
                self._on_failover(sender, message, out)
            case Report():
                self._on_report(sender, message, out)
            case Promote():
                self._on_promote(message, out)
            case _:
                raise TypeError(f"primary-backup knows no {type(message).__name__}")

    def on_timer(self, timer: str, now: int, out: Outbox) -> None:
        if timer == SUSPECT:
            self._replace_primary(out)
        elif self.role is Role.PRIMARY:
            self._heartbeat(out)

    # --------------------------------------------------------------------------------------------------------- failover

    def _replace_primary(self, out: Outbox) -> None:
        """Open an epoch that nobody else can open, and ask who is left."""
        require(self.role is not Role.PRIMARY, "a primary does not suspect itself")
        self.epoch = ballot_above(self.epoch, self.members.index(self.me), len(self.members))
        self.primary = None
        out.save("epoch", self.epoch)  # on disk before anybody hears of it: it is never opened again
        out.observe("campaign", term=self.epoch)
        out.set_timer(SUSPECT, self.parameters.suspect_after)
        self.reports = {self.me: (self.log.last_term, self.log.last)}
        for other in self.others:
            out.send(other, Failover(self.epoch))
        self._promote_if_counted(out)

    def _on_failover(self, coordinator: NodeId, m: Failover, out: Outbox) -> None:
        if m.epoch > self.epoch:
            self._obey(m.epoch, out)
            out.observe("vote", term=m.epoch)
            out.set_timer(SUSPECT, self.parameters.suspect_after)
        out.send(coordinator, Report(self.epoch, self.log.last_term, self.log.last))

    def _on_report(self, reporter: NodeId, m: Report, out: Outbox) -> None:
        self._obey(m.epoch, out)
        if self.reports is not None and m.epoch == self.epoch:
            self.reports[reporter] = (m.last_epoch, m.last)
            self._promote_if_counted(out)

    def _promote_if_counted(self, out: Outbox) -> None:
        """With a majority of reports, promote whoever is furthest; this server if nobody is further."""
        if self.reports is None or len(self.reports) < self.majority:
            return
        successor = self._successor(self.reports)
        self.reports = None  # an epoch has one primary
        if successor == self.me:
            self._lead(out)
        else:
            out.send(successor, Promote(self.epoch))

    def _successor(self, reports: dict[NodeId, tuple[int, int]]) -> NodeId:
        """Who has the newest state: an update of a later epoch is newer than any number of an earlier one."""
        return max(reports, key=lambda server: (reports[server], server == self.me))

    def _on_promote(self, m: Promote, out: Outbox) -> None:
        if m.epoch == self.epoch and self.role is Role.BACKUP:
            self._lead(out)

    def _lead(self, out: Outbox) -> None:
        self.role, self.primary = Role.PRIMARY, self.me
        self.sent = dict.fromkeys(self.others, self.log.last)
        self.held = dict.fromkeys(self.others, 0)
        out.observe("lead", term=self.epoch)
        out.cancel_timer(SUSPECT)
        self._append((Entry(self.epoch),), out)
        self._heartbeat(out)

    def _obey(self, epoch: int, out: Outbox) -> None:
        """A newer epoch ends whatever this server was in an older one."""
        if epoch <= self.epoch:
            return
        self.epoch, self.primary, self.reports = epoch, None, None
        out.save("epoch", epoch)
        if self.role is Role.PRIMARY:
            self._step_down(out)

    def _step_down(self, out: Outbox) -> None:
        self.role = Role.BACKUP
        out.observe("follow", term=self.epoch)
        out.cancel_timer(HEARTBEAT)
        out.set_timer(SUSPECT, self.parameters.suspect_after)

    # ------------------------------------------------------------------------------------------------------ replication

    def _heartbeat(self, out: Outbox) -> None:
        for backup in self.others:
            self._ship(backup, out)
        out.set_timer(HEARTBEAT, self.parameters.heartbeat)

    def _ship(self, backup: NodeId, out: Outbox) -> None:
        """Send what the backup has not been sent yet, or a sign of life. What is lost shows at the next heartbeat."""
        previous = self.sent[backup]
        entries = self.log.between(previous + 1, self.parameters.entries_max)
        out.send(backup, Replicate(self.epoch, previous, self.log.term(previous), entries))
        self.sent[backup] = previous + len(entries)

    def _on_replicate(self, primary: NodeId, m: Replicate, out: Outbox) -> None:
        if m.epoch < self.epoch:
            out.send(primary, Replicated(self.epoch, m.previous, None))  # you have been replaced
            return
        self._obey(m.epoch, out)
        require(self.role is Role.BACKUP, "an epoch has one primary")
        self.primary = primary
        out.set_timer(SUSPECT, self.parameters.suspect_after)
        if self.log.holds(m.previous, m.previous_epoch):
            self._adopt(m.previous, m.entries, out)
            out.send(primary, Replicated(self.epoch, m.previous, m.previous + len(m.entries)))
        else:
            out.send(primary, Replicated(self.epoch, m.previous, None, self._may_agree_up_to(m.previous)))

    def _may_agree_up_to(self, previous: int) -> int:
        """The end of this log, or what lies before the epoch of the entry that differs."""
        return self.log.last if previous > self.log.last else self.log.start_of_term(previous) - 1

    def _adopt(self, previous: int, entries: tuple[Entry, ...], out: Outbox) -> None:
        """Take the primary's updates. What differs from them, and all after it, is given up.

        A late, shorter message must not undo what a longer one has brought: where nothing differs nothing is given up.
        """
        for index, entry in enumerate(entries, previous + 1):
            if not self.log.holds(index, entry.epoch):
                if index <= self.log.last:
                    self._give_up(index, out)
                self._append(entries[index - previous - 1 :], out)
                return

    def _give_up(self, first: int, out: Outbox) -> None:
        """Go back to the state before update ``first``."""
        self.log.truncate(first)
        out.truncate(first)
        out.observe("truncate", slot=first)
        self.machine = StateMachine()
        self._carry_out(1)

    def _append(self, entries: tuple[Entry, ...], out: Outbox) -> None:
        first = self.log.last + 1
        self.log.extend(entries)
        out.append(entries)  # on disk before anything that is said about them
        out.observe("append", slot=self.log.last)
        self._carry_out(first)

    def _carry_out(self, first: int) -> None:
        for index in range(first, self.log.last + 1):
            request = self.log[index].request
            if request is not None:
                self.machine.execute(request, index)

    def _on_replicated(self, backup: NodeId, m: Replicated, out: Outbox) -> None:
        self._obey(m.epoch, out)
        if self.role is not Role.PRIMARY or m.epoch < self.epoch:
            return
        if m.held is None:
            self.sent[backup] = max(self.held[backup], min(m.hint, m.previous - 1))  # and wait for the heartbeat
            return
        self.held[backup] = max(self.held[backup], m.held)
        self.sent[backup] = max(self.sent[backup], m.held)
        self._acknowledge(out)
        if self.sent[backup] < self.log.last:
            self._ship(backup, out)

    # ---------------------------------------------------------------------------------------------------------- clients

    def _on_request(self, client: NodeId, m: Request, out: Outbox) -> None:
        if m.command.f == "read":
            out.send(client, Answer(m.sequence, self.machine.store.read(m.command.key), position=self.log.last))
        elif self.role is not Role.PRIMARY:
            out.send(client, Refusal(m.sequence, self.primary))
        elif not self.machine.is_stale(m):
            if self.machine.answer(m) is None:
                self._append((Entry(self.epoch, m),), out)
                self._answer(client, m, out)
                for backup in self.others:
                    self._ship(backup, out)
            else:
                self._answer(client, m, out)  # it was sent twice

    def _answer(self, client: NodeId, m: Request, out: Outbox) -> None:
        """The update is on this server's disk when the answer leaves: that is all it waits for."""
        answer = self.machine.answer(m)
        assert answer is not None
        out.send(client, answer)

    def _acknowledge(self, out: Outbox) -> None:
        """A backup has more than before."""


class SyncPrimaryBackup(PrimaryBackup):
    """Mode ``sync``: an answer waits until a majority has the update, in an epoch that a majority has the mark of."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        super().__init__(me, members, parameters)
        self.safe = 0  # a majority has all updates up to here, as far as this server knows; not on disk
        self.waiting: dict[int, tuple[NodeId, Answer]] = {}  # update -> whom to answer, and what

    def _lead(self, out: Outbox) -> None:
        super()._lead(out)
        self._acknowledge(out)  # a cluster of one is its own majority

    def _step_down(self, out: Outbox) -> None:
        super()._step_down(out)
        self.waiting = {}  # who waits here will ask elsewhere

    def _answer(self, client: NodeId, m: Request, out: Outbox) -> None:
        answer = self.machine.answer(m)
        assert answer is not None
        self.waiting[answer.position] = (client, answer)
        self._acknowledge(out)

    def _acknowledge(self, out: Outbox) -> None:
        """Answer what is safe. Updates of earlier epochs are not by their copies alone: a majority may have one while
        somebody with a later mark, and without it, is still to be promoted (as in Raft's Figure 8).
        """
        reached = self._reached()
        if self.log.term(reached) == self.epoch:
            self.safe = max(self.safe, reached)
        for update in [update for update in self.waiting if update <= self.safe]:
            out.send(*self.waiting.pop(update))

    def _reached(self) -> int:
        return reached_by_majority([self.log.last, *self.held.values()])

    def _give_up(self, first: int, out: Outbox) -> None:
        require(first > self.safe, "what was answered is never given up")
        super()._give_up(first, out)


def ten_suspicions(parameters: Parameters) -> int:
    return 10 * longest(parameters.suspect_after)


PROTOCOL = Protocol(
    summary="one server carries out every update and copies it to the others (Alsberg & Day 1976)",
    parameters=Parameters,
    modes={
        "async": Mode(PrimaryBackup, promises="eventual", breaks=("no-lost-writes",), reads_anywhere=True),
        "sync": Mode(
            SyncPrimaryBackup,
            promises="eventual",
            also=("no-lost-writes",),
            breaks=("linearizable",),
            reads_anywhere=True,
        ),
    },
    operations=OPERATIONS,
    observes=frozenset({"lead", "follow", "campaign", "vote", "append", "truncate"}),
    sessions=True,
    recovers_within=ten_suspicions,
)
