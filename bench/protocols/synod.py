"""The synod: single-decree Paxos, one instance for each key, and nothing on top: registers that are written once.

Lamport, "Paxos Made Simple", 2001, §2; "The Part-Time Parliament", 1998, calls it the synod. Whoever is to propose a
value picks a ballot and asks the acceptors to prepare; each promises to ignore lower ballots and names the vote that
it has cast, if any. With a majority of promises the proposer asks them to accept the value of the highest vote that was
named, or its own if there was none, and a value is chosen once a majority has accepted it in one ballot. Everybody who
has proposed is answered with the value that is chosen. `paxos.py` makes a log of such instances; here a key is one.

A read runs phase 1 too. When it meets a vote, that value may be chosen, and the reader completes phase 2 with it. When
a majority names none, nothing was chosen when the first of them promised, and nothing ever is in a lower ballot: so the
answer is nil for those who had asked before the attempt began, and for nobody who came later.

Proposers that meet pause for a drawn time that doubles with every failure (§2.4 elects one instead). Promises and votes
are on disk before they are told. The other nodes are told a chosen value at once, for a majority has its votes on disk;
clients, when it is on their node's disk as chosen. A proposal that is sent twice is as good as once, so nobody keeps
what sessions were answered. What the observations call ``slot`` is the key, its bytes read as a number; ``term`` is the
ballot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, assert_never

import msgspec
from msgspec import Meta

from bench.draws import longest
from bench.node import Answer, Message, Node, NodeId, Outbox, Request, Saved, Span, Value, require
from bench.parts.ballot import ballot_above, highest
from bench.parts.quorum import majority
from bench.protocol import Mode, Protocol


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


class Pledge(msgspec.Struct, frozen=True, gc=False):
    """Of the journal: this acceptor has promised ``ballot`` for ``key``."""

    key: str
    ballot: int


class Vote(msgspec.Struct, frozen=True, gc=False):
    """Of the journal, and of promises: an acceptor has accepted ``value`` in ``ballot``."""

    key: str
    ballot: int
    value: Value


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """Of the journal: ``value`` is chosen."""

    key: str
    value: Value


Record = Pledge | Vote | Outcome


class Prepare(Message, frozen=True):
    """Phase 1a."""

    key: str
    ballot: int


class Promise(Message, frozen=True):
    """Phase 1b: nothing below ``ballot`` will be accepted; ``vote`` is the highest that was cast so far."""

    key: str
    ballot: int
    vote: Vote | None


class Accept(Message, frozen=True):
    """Phase 2a."""

    key: str
    ballot: int
    value: Value


class Accepted(Message, frozen=True):
    """Phase 2b."""

    key: str
    ballot: int


class Nack(Message, frozen=True):
    """Refuses what was asked in ``ballot``, because ``promised`` is higher (§2.3)."""

    key: str
    ballot: int
    promised: int


class Decided(Message, frozen=True):
    """This value is chosen."""

    key: str
    value: Value


@dataclass
class Attempt:
    """A ballot under way. ``before`` are the operations that were asked before it began."""

    ballot: int
    before: frozenset[tuple[str, int]]
    promises: dict[NodeId, Vote | None] = field(default_factory=dict)
    value: Value = None
    acceptors: set[NodeId] = field(default_factory=set)  # nobody before phase 2
    given_up: bool = False


class Synod(Node):
    """One server: proposer, acceptor and learner of every key."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        self.me = me
        self.members = members
        self.others = tuple(member for member in members if member != me)
        self.majority = majority(len(members))
        self.parameters = parameters
        # Acceptor, by key; durable
        self.promised: dict[str, int] = {}
        self.votes: dict[str, Vote] = {}
        # Learner, by key; durable, but late
        self.decided: dict[str, Value] = {}
        # Proposer, by key
        self.asked: dict[str, dict[str, tuple[NodeId, Request]]] = {}  # by session: who asks, and what
        self.attempts: dict[str, Attempt] = {}
        self.failures: dict[str, int] = {}
        self.seen: dict[str, int] = {}  # the highest ballot that we know of

    # ----------------------------------------------------------------------------------------------------------- events

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        for record in saved.log:
            self._recall(record)
        for key, value in self.decided.items():
            out.observe("decide", slot=slot(key), digest=str(value))

    def _recall(self, record: Record) -> None:
        match record:
            case Pledge(key, ballot):
                self._pledged(key, ballot)
            case Vote(key, ballot, _):
                self._pledged(key, ballot)  # who accepts has promised
                self.votes[key] = record
            case Outcome(key, value):
                self.decided[key] = value
            case _:
                assert_never(record)

    def _pledged(self, key: str, ballot: int) -> None:
        self.promised[key] = max(ballot, self.promised.get(key, 0))
        self.seen[key] = max(ballot, self.seen.get(key, 0))

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        match message:
            case Request():
                self._on_request(sender, message, out)
            case Prepare():
                self._on_prepare(sender, message, out)
            case Promise():
                self._on_promise(sender, message, out)
            case Accept():
                self._on_accept(sender, message, out)
            case Accepted():
                self._on_accepted(sender, message, out)
            case Decided(key, value):
                self._learn(key, value, out)
            case Nack(key, _, promised):
                self._yield_to(key, promised, out)
            case _:
                raise TypeError(f"the synod knows no {type(message).__name__}")

    def on_timer(self, timer: str, now: int, out: Outbox) -> None:
        if (
            timer in self.asked
        ):  # a timer is called as its key; one that is cancelled can be due before that takes effect
            self._prepare(timer, out)

    # ---------------------------------------------------------------------------------------------------------- clients

    def _on_request(self, client: NodeId, m: Request, out: Outbox) -> None:
        key = m.command.key
        if key in self.decided:
            self._answer(client, m, self.decided[key], out)
            return
        asked = self.asked.setdefault(key, {})
        if m.session in asked and asked[m.session][1].sequence > m.sequence:
            return  # a late copy: its session has gone on
        asked[m.session] = (client, m)
        if key not in self.attempts:
            self._prepare(key, out)

    @staticmethod
    def _answer(client: NodeId, m: Request, value: Value, out: Outbox) -> None:
        read = m.command.f == "read"
        out.send(client, Answer(m.sequence, value) if read else Answer(m.sequence, m.command.value, value))

    # -------------------------------------------------------------------------------------------------------- proposers

    def _prepare(self, key: str, out: Outbox) -> None:
        """Phase 1a: a ballot that is higher than all that we know of."""
        ballot = ballot_above(self.seen.get(key, 0), self.members.index(self.me), len(self.members))
        before = frozenset((session, m.sequence) for session, (_, m) in self.asked[key].items())
        self.attempts[key] = attempt = Attempt(ballot, before)
        out.set_timer(key, self.parameters.patience)
        self._promise(key, ballot, out)  # on disk before anybody hears of it: it is never used again
        out.observe("campaign", term=ballot)
        attempt.promises[self.me] = self.votes.get(key)
        for other in self.others:
            out.send(other, Prepare(key, ballot))
        self._propose_if_promised(key, attempt, out)

    def _current(self, key: str, ballot: int) -> Attempt | None:
        """The attempt that an answer belongs to, if it is still under way."""
        attempt = self.attempts.get(key)
        return attempt if attempt is not None and attempt.ballot == ballot and not attempt.given_up else None

    def _on_promise(self, acceptor: NodeId, m: Promise, out: Outbox) -> None:
        attempt = self._current(m.key, m.ballot)
        if attempt is not None and not attempt.acceptors:
            attempt.promises[acceptor] = m.vote
            self._propose_if_promised(m.key, attempt, out)

    def _propose_if_promised(self, key: str, attempt: Attempt, out: Outbox) -> None:
        """Phase 2a, once a majority has promised: the highest vote's value, or one of ours (§2.2, P2c)."""
        if len(attempt.promises) < self.majority:
            return
        require(self.promised[key] == attempt.ballot, "who promises a higher ballot gives its own up")
        out.observe("lead", term=attempt.ballot)
        vote = highest([vote for vote in attempt.promises.values() if vote is not None])
        proposals = [m.command.value for _, m in self.asked[key].values() if m.command.f == "propose"]
        if vote is None and not proposals:
            self._answer_nil(key, attempt, out)
            return
        attempt.value = proposals[0] if vote is None else vote.value
        out.set_timer(key, self.parameters.patience)
        self._accept(key, attempt.ballot, attempt.value, out)
        attempt.acceptors.add(self.me)
        for other in self.others:
            out.send(other, Accept(key, attempt.ballot, attempt.value))
        self._learn_if_chosen(key, attempt, out)

    def _answer_nil(self, key: str, attempt: Attempt, out: Outbox) -> None:
        """Nothing is chosen, for all who had asked before; who came since has to ask anew."""
        later = {}
        for session, (client, m) in self.asked.pop(key).items():
            if (session, m.sequence) in attempt.before:
                self._answer(client, m, None, out)
            else:
                later[session] = (client, m)
        del self.attempts[key]
        out.cancel_timer(key)
        if later:
            self.asked[key] = later
            self._prepare(key, out)

    def _on_accepted(self, acceptor: NodeId, m: Accepted, out: Outbox) -> None:
        attempt = self._current(m.key, m.ballot)
        if attempt is not None and attempt.acceptors:
            attempt.acceptors.add(acceptor)
            self._learn_if_chosen(m.key, attempt, out)

    def _learn_if_chosen(self, key: str, attempt: Attempt, out: Outbox) -> None:
        if len(attempt.acceptors) < self.majority:
            return
        for other in self.others:
            out.send(other, Decided(key, attempt.value))
        self._learn(key, attempt.value, out)

    def _yield_to(self, key: str, ballot: int, out: Outbox) -> None:
        """Somebody has a higher ballot: ours is given up, and we pause for ever longer times."""
        self.seen[key] = max(ballot, self.seen.get(key, 0))
        attempt = self.attempts.get(key)
        if attempt is not None and ballot > attempt.ballot and not attempt.given_up:
            attempt.given_up = True
            failures = self.failures[key] = self.failures.get(key, 0) + 1
            factor = 1 << min(failures - 1, self.parameters.doublings_max)
            out.set_timer(key, self.parameters.pause.widened(factor))

    # -------------------------------------------------------------------------------------------------------- acceptors

    def _on_prepare(self, proposer: NodeId, m: Prepare, out: Outbox) -> None:
        """Phase 1b (§2.2): promise the highest ballot so far, and name the vote that was cast before."""
        promised = self.promised.get(m.key, 0)
        if m.key in self.decided:
            out.send(proposer, Decided(m.key, self.decided[m.key]))
        elif m.ballot < promised:
            out.send(proposer, Nack(m.key, m.ballot, promised))
        elif m.ballot > promised:  # else a copy: it was answered
            self._yield_to(m.key, m.ballot, out)
            self._promise(m.key, m.ballot, out)
            out.observe("vote", term=m.ballot)
            out.send(proposer, Promise(m.key, m.ballot, self.votes.get(m.key)))

    def _promise(self, key: str, ballot: int, out: Outbox) -> None:
        require(ballot > self.promised.get(key, 0), "promises only grow")
        self._pledged(key, ballot)
        out.append((Pledge(key, ballot),))  # on disk before it is told, or it is none

    def _on_accept(self, proposer: NodeId, m: Accept, out: Outbox) -> None:
        """Phase 2b (§2.2, P1a): accept, unless a higher ballot was promised."""
        if m.key in self.decided:
            out.send(proposer, Decided(m.key, self.decided[m.key]))
        elif m.ballot < self.promised.get(m.key, 0):
            out.send(proposer, Nack(m.key, m.ballot, self.promised[m.key]))
        else:
            self._yield_to(m.key, m.ballot, out)
            self._accept(m.key, m.ballot, m.value, out)
            out.send(proposer, Accepted(m.key, m.ballot))

    def _accept(self, key: str, ballot: int, value: Value, out: Outbox) -> None:
        before = self.votes.get(key)
        if before is not None and before.ballot == ballot:
            require(before.value == value, "one ballot has one value (§2.2)")
            return  # a copy
        require(before is None or before.ballot < ballot, "a vote only gives way to one of a higher ballot")
        self._pledged(key, ballot)
        self.votes[key] = Vote(key, ballot, value)
        out.append((self.votes[key],))  # on disk before it is told
        out.observe("append", slot=slot(key))

    # --------------------------------------------------------------------------------------------------------- learners

    def _learn(self, key: str, value: Value, out: Outbox) -> None:
        if key in self.decided:
            require(self.decided[key] == value, "no two values are chosen (§2.1)")
            return
        self.decided[key] = value
        out.observe("decide", slot=slot(key), digest=str(value))
        out.append((Outcome(key, value),))  # on disk before the answers: whoever asks again is answered at once
        self.failures.pop(key, None)
        if self.attempts.pop(key, None) is not None:
            out.cancel_timer(key)
        for client, m in self.asked.pop(key, {}).values():
            self._answer(client, m, value, out)


def slot(key: str) -> int:
    """The key as a number: no two keys have the same."""
    return int.from_bytes(key.encode(), "big")


def fifteen_rounds(parameters: Parameters) -> int:
    return 15 * longest(parameters.patience)


PROTOCOL = Protocol(
    summary="single-decree Paxos for every key: registers that are written once (Lamport 2001, §2)",
    parameters=Parameters,
    modes={"register": Mode(Synod, promises="linearizable", reads_anywhere=True)},
    operations=frozenset({"propose", "read"}),
    observes=frozenset({"lead", "campaign", "vote", "append", "decide"}),
    sessions=True,
    recovers_within=fifteen_rounds,
)
