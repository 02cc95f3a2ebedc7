"""One server of Multi-Paxos: proposer, acceptor and learner, and its messages.

The numbers of sections are those of "Paxos Made Simple"; PMMC is "Paxos Made Moderately Complex".
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.node import Message, Node, NodeId, Outbox, Refusal, Request, Saved, Span, require
from bench.parts.ballot import ballot_above, highest
from bench.parts.chosen import Chosen
from bench.parts.machine import MachineState, StateMachine
from bench.parts.quorum import majority
from scenarios.units import Duration, Probability

ELECTION, HEARTBEAT = "election", "heartbeat"

Value = Request | None
"""What a slot holds: a client's request, or None, the no-op with which a leader fills a hole."""


class Parameters(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Multi-Paxos' timing: network round trips, well below election timeouts, well below time between failures."""

    election_timeout: Annotated[
        Span, Meta(description="How long a replica waits for a leader, or for its promises; drawn anew each time.")
    ] = Span.uniform(150_000, 300_000)
    heartbeat: Annotated[Span, Meta(description="How often a leader is heard, and asks again for what it lacks.")] = (
        Span.constant(50_000)
    )
    slots_max: Annotated[int, Meta(ge=1, description="Slots in one Accept or Learned at most.")] = 64
    snapshot_every: Annotated[
        int, Meta(ge=1, description="After so many slots each a replica keeps its state instead of what they held.")
    ] = 100
    lease: Annotated[Duration, Meta(description="Mode lease: how long an acceptor promises nothing to others.")] = (
        Duration(150_000)
    )
    clock_drift: Annotated[
        Probability, Meta(description="Mode lease: by what part the rate of any clock is off at most.", lt=1_000_000)
    ] = Probability(10_000)


class Role(Enum):
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"

    def __deepcopy__(self, memo: object) -> Role:
        return self


class PValue(msgspec.Struct, frozen=True, gc=False):
    """A value that was accepted for a slot in a ballot (PMMC §2.2)."""

    slot: int
    ballot: int
    value: Value


class Prepare(Message, frozen=True):
    """Phase 1a: promise to accept nothing below ``ballot``, and say what you have accepted from slot ``first`` on."""

    ballot: int
    first: int


class Promise(Message, frozen=True):
    """Phase 1b. ``chosen`` is known to be chosen from slot ``first`` on; ``accepted`` is what lies above it.

    About the slots before ``first`` it says only that they are chosen. It is what was asked for, or higher when the
    acceptor has trimmed what it accepted there.
    """

    ballot: int
    first: int
    chosen: tuple[Value, ...]
    accepted: tuple[PValue, ...]


class Accept(Message, frozen=True):
    """Phase 2a: accept these values for the slots from ``first`` on. Everything up to slot ``chosen`` is chosen."""

    ballot: int
    first: int
    values: tuple[Value, ...]
    chosen: int


class Accepted(Message, frozen=True):
    """Phase 2b: the slots from ``first`` to ``last`` are accepted in this ballot."""

    ballot: int
    first: int
    last: int


class Nack(Message, frozen=True):
    """Refuses whatever was asked in ``ballot``, because of a promise to a higher one (§2.3; PMMC: preempted)."""

    ballot: int
    promised: int


class Heartbeat(Message, frozen=True):
    """The leader of ``ballot`` lives. Everything up to slot ``chosen`` is chosen."""

    ballot: int
    chosen: int


class Learn(Message, frozen=True):
    """A learner asks for the chosen values from slot ``first`` on."""

    first: int


class Learned(Message, frozen=True):
    """Some of them; ``chosen`` says how far it goes on."""

    first: int
    values: tuple[Value, ...]
    chosen: int


class State(Message, frozen=True):
    """The answer to `Learn` when those slots are trimmed: the state after slot ``slot`` instead of the commands."""

    slot: int
    state: MachineState


class Checkpoint(msgspec.Struct, frozen=True, gc=False):
    """What a snapshot on disk holds: the state after slot ``slot``, and what the acceptor must know beside it.

    It takes the place of the whole journal, so it has the values that were accepted for later slots. It has the
    promise, too, which perhaps nothing but the journal spoke of: who accepts has promised, and promises only grow.
    """

    slot: int
    state: MachineState
    promised: int
    accepted: tuple[PValue, ...]


class MultiPaxos(Node):
    """One server: proposer, acceptor and learner."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        self.me = me
        self.members = members
        self.others = tuple(member for member in members if member != me)
        self.majority = majority(len(members))
        self.parameters = parameters
        # Acceptor; durable
        self.promised = 0
        self.accepted: dict[int, PValue] = {}  # of the slots that are not trimmed
        self.journal = 0  # how many values it has accepted so far, in all
        # Learner
        self.chosen: Chosen[Value] = Chosen()
        self.machine = StateMachine()
        self.waiting: dict[str, tuple[int, NodeId]] = {}  # session -> for which operation, and who asks
        # Proposer
        self.role = Role.FOLLOWER
        self.leader: NodeId | None = None
        self.ballot = 0  # our newest
        self.seen = 0  # the highest that anybody has told us of
        self.promises: dict[NodeId, Promise] = {}
        self.next_slot = 1
        self.proposals: dict[int, Value] = {}  # under way, in this ballot
        self.acceptors: dict[int, set[NodeId]] = {}  # of these proposals
        self.overdue = 1  # slots below were proposed before the last heartbeat

    # ----------------------------------------------------------------------------------------------------------- events

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        self.promised = saved.records.get("promised", 0)
        self.journal = saved.upto + len(saved.log)
        journal = saved.log
        if saved.snapshot is not None:
            checkpoint: Checkpoint = saved.snapshot
            self.promised = max(self.promised, checkpoint.promised)
            self.chosen.trim(checkpoint.slot)
            self.machine = StateMachine(checkpoint.state)
            out.observe("install", slot=checkpoint.slot, digest=checkpoint.state.digest)
            journal = (*checkpoint.accepted, *saved.log)
        for pvalue in journal:
            self.accepted[pvalue.slot] = pvalue
            self.promised = max(self.promised, pvalue.ballot)  # who accepts has promised
        out.set_timer(ELECTION, self.parameters.election_timeout)

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        match message:
            case Accept():
                self._on_accept(sender, message, out)
            case Accepted():
                self._on_accepted(sender, message, out)
            case Heartbeat():
                self._on_heartbeat(sender, message, out)
            case Request():
                self._on_request(sender, message, out)
            case Prepare():
                self._on_prepare(sender, message, out)
            case Promise():
                self._on_promise(sender, message, out)
            case Nack():
                self._on_nack(sender, message, out)
            case Learn():
                self._on_learn(sender, message, out)
            case Learned():
                self._on_learned(sender, message, out)
            case State():
                self._on_state(message, out)
            case _:
                raise TypeError(f"Multi-Paxos knows no {type(message).__name__}")

    def on_timer(self, timer: str, now: int, out: Outbox) -> None:
        """A timer that was cancelled or set anew can still ring: the effect may be waiting for an earlier write."""
        if timer == HEARTBEAT and self.role is Role.LEADER:
            self._heartbeat(out)
        elif timer == ELECTION and self.role is not Role.LEADER:
            self._campaign(out)

    # ------------------------------------------------------------------------------------------------- phase 1: leading

    def _campaign(self, out: Outbox) -> None:
        """Phase 1a, for all slots from the first unchosen one on at once (§3)."""
        require(self.role is not Role.LEADER, "a leader does not stand against itself")
        self.ballot = self._next_ballot()
        self.role, self.leader = Role.CANDIDATE, None
        out.observe("campaign", term=self.ballot)
        out.set_timer(ELECTION, self.parameters.election_timeout)
        self._promise(self.ballot, out)  # on disk before anybody hears of the ballot: it is never used again
        prepare = Prepare(self.ballot, self.chosen.watermark + 1)
        self.promises = {self.me: self._promise_to(prepare)}
        for other in self.others:
            out.send(other, prepare)
        self._lead_if_promised(out)

    def _next_ballot(self) -> int:
        return ballot_above(max(self.promised, self.seen), self.members.index(self.me), len(self.members))

    def _on_prepare(self, candidate: NodeId, m: Prepare, out: Outbox) -> None:
        """Phase 1b (§2.2): promise the highest ballot so far, and say what was accepted before."""
        if m.ballot < self.promised:
            out.send(candidate, Nack(m.ballot, self.promised))
            return
        if m.ballot == self.promised:
            return  # a copy: it was answered
        self._yield_to(m.ballot, out)
        self._promise(m.ballot, out)
        out.observe("vote", term=m.ballot)
        self.leader = None
        out.set_timer(ELECTION, self.parameters.election_timeout)
        out.send(candidate, self._promise_to(m))

    def _promise_to(self, m: Prepare) -> Promise:
        """It covers the slots that are not trimmed here: for all that this acceptor knows, any of the others is taken.

        Were it silent about that, its proposer would take them for holes.
        """
        first = max(m.first, self.chosen.trimmed + 1)
        accepted = self._accepted_from(max(first, self.chosen.watermark + 1))
        return Promise(m.ballot, first, self.chosen.since(first), accepted)

    def _promise(self, ballot: int, out: Outbox) -> None:
        require(ballot > self.promised, "promises only grow")
        self.promised = ballot
        self._save_promise(out)  # on disk before it is told, or it is none

    def _save_promise(self, out: Outbox) -> None:
        out.save("promised", self.promised)

    def _accepted_from(self, first: int) -> tuple[PValue, ...]:
        return tuple(self.accepted[slot] for slot in sorted(self.accepted) if slot >= first)

    def _on_promise(self, acceptor: NodeId, m: Promise, out: Outbox) -> None:
        if self.role is not Role.CANDIDATE or m.ballot != self.ballot:
            return  # of an earlier candidacy, or one more than was needed
        self.promises[acceptor] = m
        for slot, value in enumerate(m.chosen, m.first):
            self.chosen.learn(slot, value)
        self._carry_out(out)
        if not self._covers(m):
            out.send(acceptor, Learn(self.chosen.watermark + 1))  # the state, for the commands are trimmed
        self._lead_if_promised(out)

    def _covers(self, promise: Promise) -> bool:
        """Whether a promise speaks of every slot that we do not know to be chosen."""
        return promise.first <= self.chosen.watermark + 1

    def _lead_if_promised(self, out: Outbox) -> None:
        """From now on nothing is chosen below our ballot that a majority has not told us of (§2.2, P2c)."""
        if sum(self._covers(promise) for promise in self.promises.values()) < self.majority:
            return
        self.role, self.leader = Role.LEADER, self.me
        self.proposals, self.acceptors = {}, {}
        self.chosen.forget_beyond()  # the watermark of a leader means: chosen in my ballot, or never proposed in it
        out.observe("lead", term=self.ballot)
        out.cancel_timer(ELECTION)
        self.next_slot = self.overdue = self.chosen.watermark + 1
        votes: dict[int, list[PValue]] = {}
        for promise in self.promises.values():
            for pvalue in promise.accepted:
                votes.setdefault(pvalue.slot, []).append(pvalue)
        recovered = range(self.next_slot, max(votes, default=0) + 1)
        self._propose(tuple(self._value_for(slot, votes.get(slot, [])) for slot in recovered), out)
        self._heartbeat(out)

    def _value_for(self, slot: int, votes: list[PValue]) -> Value:
        """The value of the highest ballot that a promise names, or a no-op if there is none (§3)."""
        vote = highest(votes)
        return vote.value if vote is not None else None

    def _yield_to(self, ballot: int, out: Outbox) -> None:
        """Somebody has a higher ballot: a leader or candidate gives up, and pauses for a drawn time (PMMC §3.1)."""
        self.seen = max(self.seen, ballot)
        if self.role is not Role.FOLLOWER and ballot > self.ballot:
            self._give_up(out)
            out.observe("follow", term=ballot)

    def _give_up(self, out: Outbox) -> None:
        if self.role is Role.LEADER:
            out.cancel_timer(HEARTBEAT)
        self.role, self.leader = Role.FOLLOWER, None
        out.set_timer(ELECTION, self.parameters.election_timeout)

    def _on_nack(self, acceptor: NodeId, m: Nack, out: Outbox) -> None:
        self._yield_to(m.promised, out)

    # ----------------------------------------------------------------------------------------------- phase 2: proposing

    def _propose(self, values: tuple[Value, ...], out: Outbox) -> None:
        """Phase 2a: put these values into the next slots. One value per slot and ballot, for good."""
        require(self.promised == self.ballot, "a leader that promises a higher ballot leads no more")
        first = self.next_slot
        self.next_slot += len(values)
        for at in range(0, len(values), self.parameters.slots_max):
            some = values[at : at + self.parameters.slots_max]
            self._accept(self.ballot, first + at, some, out)
            for slot, value in enumerate(some, first + at):
                require(slot not in self.proposals, "a leader proposes one value per slot (§2.2)")
                self.proposals[slot], self.acceptors[slot] = value, {self.me}
            for other in self.others:
                out.send(other, Accept(self.ballot, first + at, some, self.chosen.watermark))
        self._choose(range(first, self.next_slot), out)  # one acceptor alone is its own majority

    def _on_accept(self, leader: NodeId, m: Accept, out: Outbox) -> None:
        """Phase 2b (§2.2, P1a): accept, unless a higher ballot was promised."""
        if not self._may_accept(m):
            out.send(leader, Nack(m.ballot, self.promised))
            return
        self._follow(leader, m.ballot, out)
        self._accept(m.ballot, m.first, m.values, out)
        out.send(leader, Accepted(m.ballot, m.first, m.first + len(m.values) - 1))
        self._learn_up_to(m.chosen, m.ballot, out)

    def _may_accept(self, m: Accept) -> bool:
        return m.ballot >= self.promised

    def _accept(self, ballot: int, first: int, values: tuple[Value, ...], out: Outbox) -> None:
        higher = ballot > self.promised
        self.promised = max(self.promised, ballot)
        fresh = []
        for slot, value in enumerate(values, first):
            if slot <= self.chosen.trimmed:
                continue  # it is chosen, so this is its value, and whoever must know it gets the state
            before = self.accepted.get(slot)
            if before is not None and before.ballot == ballot:
                require(before.value == value, "one ballot has one value per slot (§2.2)")
                continue  # a copy
            require(before is None or before.ballot < ballot, "what is accepted only gives way to a higher ballot")
            fresh.append(PValue(slot, ballot, value))
            self.accepted[slot] = fresh[-1]
        if fresh:
            self._save_accepted(tuple(fresh), out)
            out.observe("append", slot=fresh[-1].slot)
        elif higher:
            self._save_promise(out)

    def _save_accepted(self, pvalues: tuple[PValue, ...], out: Outbox) -> None:
        self.journal += len(pvalues)
        out.append(pvalues)  # on disk before it is told; it is a promise, too

    def _on_accepted(self, acceptor: NodeId, m: Accepted, out: Outbox) -> None:
        if self.role is not Role.LEADER or m.ballot != self.ballot:
            return
        slots = range(m.first, m.last + 1)
        for slot in slots:
            if slot in self.acceptors:
                self.acceptors[slot].add(acceptor)
        self._choose(slots, out)

    def _choose(self, slots: range, out: Outbox) -> None:
        """A value is chosen once a majority has accepted it in one ballot."""
        for slot in slots:
            if slot in self.acceptors and len(self.acceptors[slot]) >= self.majority:
                del self.acceptors[slot]
                self.chosen.learn(slot, self.proposals.pop(slot))
        self._carry_out(out)

    def _heartbeat(self, out: Outbox) -> None:
        """Be heard, and ask again for what has been under way for longer than a heartbeat."""
        for other in self.others:
            for first, values in self._unanswered(other):
                out.send(other, Accept(self.ballot, first, values, self.chosen.watermark))
            out.send(other, Heartbeat(self.ballot, self.chosen.watermark))
        self.overdue = self.next_slot
        out.set_timer(HEARTBEAT, self.parameters.heartbeat)

    def _unanswered(self, acceptor: NodeId) -> list[tuple[int, tuple[Value, ...]]]:
        """Runs of slots that this acceptor has not accepted, with their proposals."""
        runs: list[tuple[int, list[Value]]] = []
        for slot in sorted(self.proposals):
            if slot >= self.overdue or acceptor in self.acceptors[slot]:
                continue
            if runs and slot == runs[-1][0] + len(runs[-1][1]) and len(runs[-1][1]) < self.parameters.slots_max:
                runs[-1][1].append(self.proposals[slot])
            else:
                runs.append((slot, [self.proposals[slot]]))
        return [(first, tuple(values)) for first, values in runs]

    def _on_heartbeat(self, leader: NodeId, m: Heartbeat, out: Outbox) -> None:
        if m.ballot < self.promised:
            out.send(leader, Nack(m.ballot, self.promised))
            return
        self._follow(leader, m.ballot, out)
        self._learn_up_to(m.chosen, m.ballot, out)
        if self.chosen.watermark < m.chosen:
            out.send(leader, Learn(self.chosen.watermark + 1))

    def _follow(self, leader: NodeId, ballot: int, out: Outbox) -> None:
        require(self.role is not Role.LEADER or ballot != self.ballot, "two leaders with one ballot (§2.5)")
        self._yield_to(ballot, out)
        self.leader = leader
        out.set_timer(ELECTION, self.parameters.election_timeout)

    # --------------------------------------------------------------------------------------------------------- learning

    def _learn_up_to(self, watermark: int, ballot: int, out: Outbox) -> None:
        """What this leader has proposed and seen chosen is what we have accepted from it (§2.3)."""
        for slot in range(self.chosen.watermark + 1, watermark + 1):
            pvalue = self.accepted.get(slot)
            if pvalue is None or pvalue.ballot != ballot:
                break  # chosen in an earlier ballot, or lost: it has to be asked for
            self.chosen.learn(slot, pvalue.value)
        self._carry_out(out)

    def _on_learn(self, learner: NodeId, m: Learn, out: Outbox) -> None:
        if m.first <= self.chosen.trimmed:
            out.send(learner, State(self.chosen.watermark, self.machine.state()))
            return
        values = self.chosen.since(m.first, self.parameters.slots_max)
        if values:
            out.send(learner, Learned(m.first, values, self.chosen.watermark))

    def _on_learned(self, teacher: NodeId, m: Learned, out: Outbox) -> None:
        if self.role is Role.LEADER:
            return  # perhaps chosen in a higher ballot, and not what this leader has proposed there
        before = self.chosen.watermark
        for slot, value in enumerate(m.values, m.first):
            self.chosen.learn(slot, value)
        self._carry_out(out)
        if before < self.chosen.watermark < m.chosen:  # a copy of this message teaches nothing, and asks for nothing
            out.send(teacher, Learn(self.chosen.watermark + 1))
        self._lead_if_covered(out)

    def _on_state(self, m: State, out: Outbox) -> None:
        """State transfer (PMMC §4.2): take over the state after slot ``m.slot`` instead of executing up to there."""
        if self.role is Role.LEADER or m.slot <= self.chosen.watermark:
            return  # see `_on_learned`; and an old copy must not turn back what was executed since
        self.machine = StateMachine(m.state)
        self._keep_state(m.slot, m.state, out)
        out.observe("install", slot=m.slot, digest=m.state.digest)
        out.observe("commit", slot=m.slot)
        for session, (sequence, client) in tuple(self.waiting.items()):
            answer = self.machine.sessions.answer(session, sequence)
            if answer is not None:
                del self.waiting[session]
                out.send(client, answer)
        self._carry_out(out)
        self._lead_if_covered(out)

    def _lead_if_covered(self, out: Outbox) -> None:
        if self.role is Role.CANDIDATE:
            self._lead_if_promised(out)

    def _carry_out(self, out: Outbox) -> None:
        """Execute what is chosen, in the order of the slots (§3)."""
        before = self.chosen.watermark
        for slot, value in self.chosen.in_order():
            self._execute(slot, value, out)
            if slot % self.parameters.snapshot_every == 0:
                state = self.machine.state()
                self._keep_state(slot, state, out)
                out.observe("snapshot", slot=slot, digest=state.digest)
        if self.chosen.watermark > before:
            out.observe("commit", slot=self.chosen.watermark)

    def _keep_state(self, slot: int, state: MachineState, out: Outbox) -> None:
        """Trim: from now on, and on disk, the state stands for all slots up to this one (PMMC §4.2)."""
        self.chosen.trim(slot)
        self.accepted = {later: pvalue for later, pvalue in self.accepted.items() if later > slot}
        kept = self._accepted_from(slot + 1)
        out.snapshot(Checkpoint(slot, state, self.promised, kept), self.journal)

    def _execute(self, slot: int, value: Value, out: Outbox) -> None:
        if value is None:
            out.observe("decide", slot=slot, digest=digest(value))
            return
        answer, took_effect = self.machine.execute(value)
        if not took_effect:
            out.observe("skip", slot=slot, digest=f"{value.session}#{value.sequence}")
        out.observe("decide", slot=slot, digest=digest(value))
        sequence, client = self.waiting.get(value.session, (0, ""))
        if answer is not None and sequence == value.sequence:
            del self.waiting[value.session]
            out.send(client, answer)

    # ---------------------------------------------------------------------------------------------------------- clients

    def _on_request(self, client: NodeId, m: Request, out: Outbox) -> None:
        if self.role is not Role.LEADER:
            out.send(client, Refusal(m.sequence, self.leader))
            return
        answer = self.machine.answer(m)
        if answer is not None:
            out.send(client, answer)
        elif not self._has_gone_on(m):
            self.waiting[m.session] = (m.sequence, client)
            self._propose((m,), out)

    def _has_gone_on(self, m: Request) -> bool:
        """Whether this is a late copy: it must not take the place of what its client waits for by now."""
        return self.machine.is_stale(m) or m.sequence < self.waiting.get(m.session, (0, ""))[0]


@lru_cache(maxsize=4096)
def digest(value: Value) -> str:
    """What a slot holds, in words short enough to read and complete enough to compare."""
    return "no-op" if value is None else f"{value.session}#{value.sequence} {value.command}"
