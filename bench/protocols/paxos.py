"""Paxos: single-decree consensus, run once for every command, by whoever has one.

Lamport, "Paxos Made Simple", 2001, §2. A proposer picks a ballot and asks the acceptors to prepare; each promises to
ignore lower ballots and names the vote that it has cast, if any. With a majority of promises the proposer asks the
acceptors to accept the value of the highest vote that was named, or any value if there was none, and a value is chosen
once a majority has accepted it in one ballot. So whatever may have been chosen before is what every later ballot
proposes. Instances 1, 2, … of this are the commands of a state machine, carried out in their order (§3).

There is no distinguished proposer: a node with a waiting client runs both phases in the first instance that it does not
know to be chosen, and in the next one if somebody else's value won. Proposers that meet duel; whoever sees a higher
ballot gives up and pauses for a drawn time, which doubles with every failure, so that in the end one is alone for long
enough (§2.4 elects a proposer instead, which is `multipaxos`).

The paper leaves open which value a free proposer takes. Here a value is a batch of requests: a prepare request names
those that its sender waits for, and whoever wins proposes all that it has heard of. So a node that is always too slow
to win is served by the others, as in Herlihy, "Wait-Free Synchronization", 1991, §4.

The learner of a ballot is its proposer (§2.3); it tells the others, and whoever asks about a chosen instance is told,
with what follows it, so many instances at a time. A node that has a waiting client and is told that there are more asks
on at once, with another prepare request: it comes to what is not decided after as many round trips as there are such
portions, however many are decided meanwhile.

Promises, votes and chosen values are records of the journal on disk, the first two before anybody hears of them. A
proposer never uses a ballot twice, not even for different instances, so a ballot alone names an attempt: that is the
``term`` of its observations, and ``lead`` says that a majority has promised. Nobody leads for longer than one instance.

Mode ``log``: a read is a command like any other, so it is linearizable. Not here: forgetting old instances.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import Annotated, assert_never

import msgspec
from msgspec import Meta

from bench.draws import longest
from bench.node import Message, Node, NodeId, Outbox, Request, Saved, Span, require
from bench.parts.ballot import ballot_above, highest
from bench.parts.chosen import Chosen
from bench.parts.keyvalue import OPERATIONS
from bench.parts.machine import StateMachine
from bench.parts.quorum import majority
from bench.protocol import Mode, Protocol

ROUND = "round"

Value = tuple[Request, ...]
"""What an instance decides: a batch of requests, in the order in which they are carried out."""


class Parameters(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """When a proposer tries again."""

    patience: Annotated[
        Span,
        Meta(description="How long a proposer waits for a majority's answers in each phase; drawn anew each time."),
    ] = Span.uniform(100_000, 200_000)
    pause: Annotated[
        Span, Meta(description="How long a proposer that has met another one waits; doubled with every failure.")
    ] = Span.uniform(10_000, 50_000)
    doublings_max: Annotated[int, Meta(ge=0, le=16, description="How often the pause is doubled at most.")] = 3
    instances_max: Annotated[int, Meta(ge=1, description="Instances in one Decided at most.")] = 64


class Phase(Enum):
    IDLE = "idle"
    PREPARING = "preparing"
    PROPOSING = "proposing"
    PAUSING = "pausing"

    def __deepcopy__(self, memo: object) -> Phase:
        return self


class Pledge(msgspec.Struct, frozen=True, gc=False):
    """Of the journal: this acceptor has promised ``ballot`` in ``instance``."""

    instance: int
    ballot: int


class Vote(msgspec.Struct, frozen=True, gc=False):
    """Of the journal, and of promises: an acceptor has accepted ``value`` in ``ballot``."""

    instance: int
    ballot: int
    value: Value


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """Of the journal: ``value`` is chosen."""

    instance: int
    value: Value


Record = Pledge | Vote | Outcome


class Prepare(Message, frozen=True):
    """Phase 1a; ``wanted`` are the requests that the proposer waits for."""

    instance: int
    ballot: int
    wanted: tuple[Request, ...]


class Promise(Message, frozen=True):
    """Phase 1b: nothing below ``ballot`` will be accepted; ``vote`` is the highest that was cast so far."""

    instance: int
    ballot: int
    vote: Vote | None


class Accept(Message, frozen=True):
    """Phase 2a."""

    instance: int
    ballot: int
    value: Value


class Accepted(Message, frozen=True):
    """Phase 2b."""

    instance: int
    ballot: int


class Nack(Message, frozen=True):
    """Refuses what was asked in ``ballot``, because ``promised`` is higher (§2.3)."""

    instance: int
    ballot: int
    promised: int


class Decided(Message, frozen=True):
    """These values are chosen for the instances from ``first`` on; the sender knows those of all up to ``upto``."""

    first: int
    values: tuple[Value, ...]
    upto: int


class Paxos(Node):
    """One server: proposer, acceptor and learner."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        self.me = me
        self.members = members
        self.others = tuple(member for member in members if member != me)
        self.majority = majority(len(members))
        self.parameters = parameters
        # Acceptor, by instance; durable
        self.promised: dict[int, int] = {}
        self.votes: dict[int, Vote] = {}
        # Learner; durable, but late
        self.chosen: Chosen[Value] = Chosen()
        self.machine = StateMachine()
        # Proposer
        self.waiting: dict[str, tuple[int, NodeId]] = {}  # session -> for which operation, and who asks
        self.wanted: dict[str, Request] = {}  # session -> what it waits for, here or elsewhere
        self.phase = Phase.IDLE
        self.failures = 0  # since an instance was last decided
        self.instance = 0
        self.ballot = 0  # our newest
        self.seen = 0  # the highest that we know of
        self.promises: dict[NodeId, Vote | None] = {}
        self.value: Value = ()
        self.acceptors: set[NodeId] = set()

    # ----------------------------------------------------------------------------------------------------------- events

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        for record in saved.log:
            self._recall(record)
        for instance, value in self.chosen.in_order():
            self._execute(instance, value, out)

    def _recall(self, record: Record) -> None:
        match record:
            case Pledge(instance, ballot):
                self._pledged(instance, ballot)
            case Vote(instance, ballot):
                self._pledged(instance, ballot)  # who accepts has promised
                self.votes[instance] = record
            case Outcome(instance, value):
                self.chosen.learn(instance, value)
            case _:
                assert_never(record)

    def _pledged(self, instance: int, ballot: int) -> None:
        self.promised[instance] = max(ballot, self.promised.get(instance, 0))
        self.seen = max(self.seen, ballot)

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        match message:
            case Prepare():
                self._on_prepare(sender, message, out)
            case Promise():
                self._on_promise(sender, message, out)
            case Accept():
                self._on_accept(sender, message, out)
            case Accepted():
                self._on_accepted(sender, message, out)
            case Decided():
                self._learn(message, out)
            case Nack():
                self._on_nack(sender, message, out)
            case Request():
                self._on_request(sender, message, out)
            case _:
                raise TypeError(f"Paxos knows no {type(message).__name__}")

    def on_timer(self, timer: str, now: int, out: Outbox) -> None:
        if self.waiting:
            self._prepare(out)
        else:
            self.phase = Phase.IDLE

    # ---------------------------------------------------------------------------------------------------------- clients

    def _on_request(self, client: NodeId, m: Request, out: Outbox) -> None:
        answer = self.machine.answer(m)
        if answer is not None:
            out.send(client, answer)
        elif not self._has_gone_on(m):
            self.waiting[m.session] = (m.sequence, client)
            self._want((m,))
            if self.phase is Phase.IDLE:
                self._prepare(out)

    def _has_gone_on(self, m: Request) -> bool:
        """Whether its session has asked for something newer, executed or not: then this is a late copy."""
        wanted = self.wanted.get(m.session)
        return self.machine.is_stale(m) or (wanted is not None and wanted.sequence > m.sequence)

    def _want(self, requests: Iterable[Request]) -> None:
        for request in requests:
            known = self.wanted.get(request.session)
            if known is not None and known.sequence >= request.sequence:
                continue
            if self.machine.answer(request) is None and not self.machine.is_stale(request):
                self.wanted[request.session] = request

    # -------------------------------------------------------------------------------------------------------- proposers

    def _prepare(self, out: Outbox) -> None:
        """Phase 1a: a new ballot, higher than all that we know of, in the first instance that we do not know."""
        self.instance = self.chosen.watermark + 1
        self.ballot = self.seen = self._next_ballot()
        self.phase = Phase.PREPARING
        out.set_timer(ROUND, self.parameters.patience)
        self._promise(self.instance, self.ballot, out)  # on disk before anybody hears of it: it is never used again
        out.observe("campaign", term=self.ballot)
        self.promises = {self.me: self._vote(self.instance)}
        mine = tuple(self.wanted[session] for session in self.waiting if session in self.wanted)
        for other in self.others:
            out.send(other, Prepare(self.instance, self.ballot, mine))
        self._propose_if_promised(out)

    def _next_ballot(self) -> int:
        return ballot_above(self.seen, self.members.index(self.me), len(self.members))

    def _on_promise(self, acceptor: NodeId, m: Promise, out: Outbox) -> None:
        if self.phase is Phase.PREPARING and m.ballot == self.ballot:  # not one of an earlier attempt
            self.promises[acceptor] = m.vote
            self._propose_if_promised(out)

    def _propose_if_promised(self, out: Outbox) -> None:
        """Phase 2a, once a majority has promised."""
        if len(self.promises) < self.majority:
            return
        require(self.promised[self.instance] == self.ballot, "who promises a higher ballot gives its own up")
        out.observe("lead", term=self.ballot)
        self.phase = Phase.PROPOSING
        self.value = self._choose_value([vote for vote in self.promises.values() if vote is not None])
        out.set_timer(ROUND, self.parameters.patience)
        self._accept(self.instance, self.ballot, self.value, out)
        self.acceptors = {self.me}
        for other in self.others:
            out.send(other, Accept(self.instance, self.ballot, self.value))
        self._learn_if_chosen(out)

    def _choose_value(self, votes: list[Vote]) -> Value:
        """The value of the highest vote among the promises; without one, whatever we like (§2.2, P2c)."""
        vote = highest(votes)
        return tuple(self.wanted.values()) if vote is None else vote.value

    def _on_accepted(self, acceptor: NodeId, m: Accepted, out: Outbox) -> None:
        if self.phase is Phase.PROPOSING and m.ballot == self.ballot:
            self.acceptors.add(acceptor)
            self._learn_if_chosen(out)

    def _learn_if_chosen(self, out: Outbox) -> None:
        if len(self.acceptors) < self.majority:
            return
        decided = Decided(self.instance, (self.value,), self.instance)
        for other in self.others:
            out.send(other, decided)
        self._learn(decided, out)

    def _on_nack(self, acceptor: NodeId, m: Nack, out: Outbox) -> None:
        self._yield_to(m.instance, m.promised, out)

    def _yield_to(self, instance: int, ballot: int, out: Outbox) -> None:
        """Somebody has a higher ballot in an instance: if it is ours, we give up, and pause for ever longer times."""
        self.seen = max(self.seen, ballot)
        if self.phase in (Phase.PREPARING, Phase.PROPOSING) and instance == self.instance and ballot > self.ballot:
            self._pause(out)
            self.failures += 1

    def _pause(self, out: Outbox) -> None:
        self.phase = Phase.PAUSING
        factor = 1 << min(self.failures, self.parameters.doublings_max)
        out.set_timer(ROUND, self.parameters.pause.widened(factor))

    # -------------------------------------------------------------------------------------------------------- acceptors

    def _on_prepare(self, proposer: NodeId, m: Prepare, out: Outbox) -> None:
        """Phase 1b (§2.2): promise the highest ballot so far, and name the vote that was cast before."""
        self._want(m.wanted)
        if self._is_over(proposer, m.instance, out):
            return
        promised = self.promised.get(m.instance, 0)
        if m.ballot < promised:
            out.send(proposer, Nack(m.instance, m.ballot, promised))
        elif m.ballot > promised:  # else a copy: it was answered
            self._yield_to(m.instance, m.ballot, out)
            self._promise(m.instance, m.ballot, out)
            out.observe("vote", term=m.ballot)
            out.send(proposer, Promise(m.instance, m.ballot, self._vote(m.instance)))

    def _promise(self, instance: int, ballot: int, out: Outbox) -> None:
        require(ballot > self.promised.get(instance, 0), "promises only grow")
        self._pledged(instance, ballot)
        self._save(Pledge(instance, ballot), out)  # on disk before it is told, or it is none

    def _vote(self, instance: int) -> Vote | None:
        return self.votes.get(instance)

    def _on_accept(self, proposer: NodeId, m: Accept, out: Outbox) -> None:
        """Phase 2b (§2.2, P1a): accept, unless a higher ballot was promised."""
        if self._is_over(proposer, m.instance, out):
            return
        if not self._may_accept(m):
            out.send(proposer, Nack(m.instance, m.ballot, self.promised[m.instance]))
            return
        self._yield_to(m.instance, m.ballot, out)
        self._accept(m.instance, m.ballot, m.value, out)
        out.send(proposer, Accepted(m.instance, m.ballot))

    def _may_accept(self, m: Accept) -> bool:
        return m.ballot >= self.promised.get(m.instance, 0)

    def _accept(self, instance: int, ballot: int, value: Value, out: Outbox) -> None:
        before = self.votes.get(instance)
        if before is not None and before.ballot == ballot:
            require(before.value == value, "one ballot has one value (§2.2)")
            return  # a copy
        require(before is None or before.ballot < ballot, "a vote only gives way to one of a higher ballot")
        self._pledged(instance, ballot)
        self.votes[instance] = Vote(instance, ballot, value)
        self._save(self.votes[instance], out)  # on disk before it is told
        out.observe("append", slot=instance)

    def _is_over(self, asking: NodeId, instance: int, out: Outbox) -> bool:
        """Whoever asks about an instance that we know to be chosen is told so, and what follows it."""
        if instance > self.chosen.watermark:
            return False
        values = self.chosen.since(instance, self.parameters.instances_max)
        out.send(asking, Decided(instance, values, self.chosen.watermark))
        return True

    def _save(self, record: Record, out: Outbox) -> None:
        out.append((record,))

    # --------------------------------------------------------------------------------------------------------- learners

    def _learn(self, m: Decided, out: Outbox) -> None:
        fresh = []
        for instance, value in enumerate(m.values, m.first):
            if not self.chosen.knows(instance):
                fresh.append(Outcome(instance, value))
            self.chosen.learn(instance, value)
        before = self.chosen.watermark
        self._carry_out(out)
        if self.chosen.watermark > before:
            out.observe("commit", slot=self.chosen.watermark)
        if fresh:
            out.append(tuple(fresh))  # for a restart; nobody relies on it, so the answers do not wait for it
        # Once for each instance of ours: what is decided later, or beyond a gap, must not put off what this has begun.
        if self.phase is not Phase.IDLE and before < self.instance <= self.chosen.watermark:
            self._go_on(m.upto > self.chosen.watermark, out)

    def _carry_out(self, out: Outbox) -> None:
        """Execute what is chosen, in the order of the instances (§3)."""
        for instance, value in self.chosen.in_order():
            self._execute(instance, value, out)

    def _go_on(self, is_behind: bool, out: Outbox) -> None:
        """Our instance is decided, by us or somebody else: on to the next one, if somebody still waits here."""
        self.failures = 0
        if not self.waiting:
            self.phase = Phase.IDLE
            out.cancel_timer(ROUND)
        elif is_behind:
            self._prepare(out)  # it is decided too, so nobody is disturbed, and we are told
        else:
            self._pause(out)  # all who have lost this instance begin the next one now

    def _execute(self, instance: int, value: Value, out: Outbox) -> None:
        executed = [self.machine.execute(request) for request in value]
        for request, (_, took_effect) in zip(value, executed, strict=True):
            if not took_effect:
                out.observe("skip", slot=instance, digest=f"{request.session}#{request.sequence}")
        out.observe("decide", slot=instance, digest=digest(value))
        for request, (answer, _) in zip(value, executed, strict=True):
            wanted = self.wanted.get(request.session)
            if wanted is not None and wanted.sequence <= request.sequence:
                del self.wanted[request.session]
            sequence, client = self.waiting.get(request.session, (0, ""))
            if answer is not None and sequence == request.sequence:
                out.send(client, answer)
            if sequence <= request.sequence:
                self.waiting.pop(request.session, None)


@lru_cache(maxsize=4096)
def digest(value: Value) -> str:
    """What an instance decides, in words short enough to read and complete enough to compare."""
    return "; ".join(f"{each.session}#{each.sequence} {each.command}" for each in value) or "no-op"


def fifteen_rounds(parameters: Parameters) -> int:
    return 15 * longest(parameters.patience)


PROTOCOL = Protocol(
    summary="a full round of single-decree Paxos for every command, by whoever has one (Lamport 2001, §2)",
    parameters=Parameters,
    modes={"log": Mode(Paxos, promises="linearizable", reads_anywhere=True)},
    operations=OPERATIONS,
    observes=frozenset({"lead", "campaign", "vote", "append", "commit", "decide", "skip"}),
    sessions=True,
    recovers_within=fifteen_rounds,
)
