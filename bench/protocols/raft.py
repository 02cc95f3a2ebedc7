"""Raft: a log that a majority agrees on, led by one node per term.

Ongaro & Ousterhout, "In Search of an Understandable Consensus Algorithm (Extended Version)", 2014; "thesis" is Ongaro's
dissertation of the same year. Time is divided into terms. A node that hears from no leader becomes a candidate of the
next term; a majority of votes makes it the leader, and since a node votes once per term, and only for a log at least
as complete as its own, there is one leader per term and it holds everything that was ever committed. The leader orders
all commands in its log, copies them to the others, and calls an entry committed once a majority has it on disk.

Here: elections (§5.2, §5.4.1), replication with fast backing up (§5.3), the commit rule for entries of earlier terms
(§5.4.2), a no-op at the start of a term (§8), client sessions (§8, thesis §6.3), leaders that step down when a majority
does not answer (thesis §6.2), and state that is durable before any promise that rests on it. Not here: log compaction
(§7), membership changes (§6), leases (thesis §6.4), PreVote (thesis §9.6), and followers that turn candidates away
while they hear from a leader (thesis §4.2.3): a node that is heard but hears nobody stands again and again, and deposes
whoever leads.

Modes. ``log``: a read is an entry like any other, so it is linearizable. ``leader-local``: whoever believes to be the
leader answers reads from memory; a deposed leader does not know it until it hears of its successor or misses its
followers' answers, so reads can be stale.
``follower-local``: every server answers reads from memory. ``follower-session``: it first catches up with what the
session has seen, so a session never goes back, although others may be ahead of it: ZooKeeper's guarantee.

The leader writes an entry to its own disk before it sends it, although it could do both at once (thesis §10.2.1): so a
write costs two syncs in a row, and the leader's own copy always counts towards the majority.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.draws import longest
from bench.node import (
    Answer,
    Command,
    Message,
    Node,
    NodeId,
    Outbox,
    Refusal,
    Request,
    Saved,
    Span,
    require,
)
from bench.parts.keyvalue import OPERATIONS
from bench.parts.log import Log
from bench.parts.machine import StateMachine
from bench.parts.quorum import majority, reached_by_majority
from bench.protocol import Mode, Protocol

ELECTION, HEARTBEAT = "election", "heartbeat"


class Parameters(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Raft's timing (§5.6): network round trips, well below election timeouts, well below time between failures."""

    election_timeout: Annotated[
        Span, Meta(description="How long a follower waits for a leader; drawn anew each time.")
    ] = Span.uniform(150_000, 300_000)
    heartbeat: Annotated[Span, Meta(description="How often a leader is heard.")] = Span.constant(50_000)
    entries_max: Annotated[int, Meta(ge=1, description="Entries in one AppendEntries at most.")] = 64


class Role(Enum):
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"

    def __deepcopy__(self, memo: object) -> Role:
        return self


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One place of the log; without a command it is the no-op with which a leader opens its term."""

    term: int
    session: str = ""
    sequence: int = 0
    command: Command | None = None


class RequestVote(Message, frozen=True):
    """Invoked by candidates to gather votes (Figure 2)."""

    term: int
    last_log_index: int
    last_log_term: int


class Vote(Message, frozen=True):
    """The answer to RequestVote."""

    term: int
    granted: bool


class AppendEntries(Message, frozen=True):
    """Invoked by the leader to replicate entries; without entries it is a heartbeat (Figure 2)."""

    term: int
    prev_log_index: int
    prev_log_term: int
    entries: tuple[Entry, ...]
    leader_commit: int


class Appended(Message, frozen=True):
    """The answer to AppendEntries: the follower's log agrees with the leader's up to ``match``.

    When the entry before does not match, ``match`` is None and ``hint`` is an index up to which the logs may agree.
    """

    term: int
    prev_log_index: int
    match: int | None
    hint: int = 0


class Progress:
    """What a leader knows of a follower: ``match`` is certain, ``next`` is a guess, corrected by refusals.

    While ``probing``, one AppendEntries is under way at a time; otherwise entries are sent without waiting for answers.
    """

    __slots__ = ("match", "next", "probing")

    def __init__(self, next_index: int) -> None:
        self.match = 0
        self.next = next_index
        self.probing = False

    def _key(self) -> tuple[int, int, bool]:
        return self.match, self.next, self.probing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Progress) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


class Raft(Node):
    """One server. Fields are named as in Figure 2."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        self.me = me
        self.others = tuple(member for member in members if member != me)
        self.majority = majority(len(members))
        self.parameters = parameters
        # Persistent state
        self.term = 0
        self.voted_for: NodeId | None = None
        self.log: Log[Entry] = Log()
        # Volatile state
        self.role = Role.FOLLOWER
        self.leader: NodeId | None = None
        self.commit_index = 0
        self.last_applied = 0
        self.machine = StateMachine()
        # Of candidates
        self.votes: set[NodeId] = set()
        # Of leaders
        self.progress: dict[NodeId, Progress] = {}
        self.answered: set[NodeId] = set()  # since we looked last whether it is a majority
        self.heartbeats = 0  # since then
        self.patience = -(-longest(parameters.election_timeout) // parameters.heartbeat.high)  # in heartbeats
        self.waiting: dict[int, tuple[NodeId, int]] = {}  # log index -> who asked, and for which operation

    # ----------------------------------------------------------------------------------------------------------- events

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        self.term, self.voted_for = saved.records.get("term and vote", (0, None))
        self.log = Log(saved.log)
        self.log.announce_recovery(out)
        out.set_timer(ELECTION, self.parameters.election_timeout)

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        match message:
            case AppendEntries():
                self._on_append_entries(sender, message, out)
            case Appended():
                self._on_appended(sender, message, out)
            case Request():
                self._on_request(sender, message, out)
            case RequestVote():
                self._on_request_vote(sender, message, out)
            case Vote():
                self._on_vote(sender, message, out)
            case _:
                raise TypeError(f"Raft knows no {type(message).__name__}")

    def on_timer(self, timer: str, now: int, out: Outbox) -> None:
        if timer == ELECTION:
            self._campaign(out)
        elif self.role is Role.LEADER:
            self._go_on_leading(out)

    # -------------------------------------------------------------------------------------------------------- elections

    def _campaign(self, out: Outbox) -> None:
        """Candidates (§5.2): next term, vote for self, ask everybody."""
        require(self.role is not Role.LEADER, "a leader does not stand against itself")
        self.term += 1
        self.role, self.leader, self.voted_for = Role.CANDIDATE, None, self.me
        self.votes = {self.me}
        self._save_vote(out)
        out.observe("campaign", term=self.term)
        out.set_timer(ELECTION, self.parameters.election_timeout)
        for other in self.others:
            out.send(other, RequestVote(self.term, self.log.last, self.log.last_term))
        self._lead_if_elected(out)

    def _on_request_vote(self, candidate: NodeId, m: RequestVote, out: Outbox) -> None:
        """RequestVote, receiver implementation (Figure 2; §5.2, §5.4.1)."""
        if m.term > self.term:
            self._follow(m.term, out)
        granted = (
            m.term == self.term
            and self.voted_for in (None, candidate)
            and self._is_up_to_date(m.last_log_index, m.last_log_term)
        )
        if granted:
            self.voted_for = candidate
            self._save_vote(out)  # on disk before the promise, or it is none
            out.observe("vote", term=self.term)
            out.set_timer(ELECTION, self.parameters.election_timeout)
        out.send(candidate, Vote(self.term, granted))

    def _is_up_to_date(self, last_index: int, last_term: int) -> bool:
        """Whether a candidate's log is at least as complete as ours (§5.4.1): what makes every leader complete."""
        return (last_term, last_index) >= (self.log.last_term, self.log.last)

    def _on_vote(self, voter: NodeId, m: Vote, out: Outbox) -> None:
        if m.term > self.term:
            self._follow(m.term, out)
        if m.granted and m.term == self.term and self.role is Role.CANDIDATE:  # not one of an earlier candidacy
            self.votes.add(voter)
            self._lead_if_elected(out)

    def _lead_if_elected(self, out: Outbox) -> None:
        if len(self.votes) < self.majority:
            return
        self.role, self.leader = Role.LEADER, self.me
        self.progress = {other: Progress(self.log.last + 1) for other in self.others}
        self.answered, self.heartbeats = set(), 0
        self.waiting = {}
        out.observe("lead", term=self.term)
        out.cancel_timer(ELECTION)
        self._append((Entry(self.term),), out)  # §8: until an entry of this term is committed, nothing else can be
        self._heartbeat(out)
        self._advance_commit(out)

    def _follow(self, term: int, out: Outbox) -> None:
        """Rules for all servers (§5.1): a newer term makes everybody a follower without a vote."""
        require(term > self.term, "terms only grow")
        self.term, self.voted_for = term, None
        self._save_vote(out)
        self._step_down(out)

    def _step_down(self, out: Outbox) -> None:
        """A follower again, of nobody so far."""
        self.leader = None
        if self.role is Role.LEADER:
            out.cancel_timer(HEARTBEAT)
            out.set_timer(ELECTION, self.parameters.election_timeout)
            self.waiting = {}  # who waits here will ask elsewhere; whether the command survives is not ours to say
        if self.role is not Role.FOLLOWER:
            self.role = Role.FOLLOWER
            out.observe("follow", term=self.term)

    def _save_vote(self, out: Outbox) -> None:
        out.save("term and vote", (self.term, self.voted_for))

    # ------------------------------------------------------------------------------------------------------ replication

    def _go_on_leading(self, out: Outbox) -> None:
        """The next heartbeat, unless an election timeout has passed without a majority's answers (thesis §6.2).

        Then perhaps nothing reaches this leader; but all may still hear it, so that nobody else would ever stand. The
        time is the longest that a follower waits, counted in heartbeats and not on the clock: a pause, however long,
        counts as one, and what has arrived meanwhile is handled before the next.
        """
        self.heartbeats += 1
        if self.heartbeats >= self.patience:
            if 1 + len(self.answered) < self.majority:
                self._step_down(out)
                return
            self.answered, self.heartbeats = set(), 0
        self._heartbeat(out)

    def _heartbeat(self, out: Outbox) -> None:
        for other in self.others:
            self._replicate(other, out)
        out.set_timer(HEARTBEAT, self.parameters.heartbeat)

    def _replicate(self, follower: NodeId, out: Outbox) -> None:
        """Send what the follower is believed to lack, or a heartbeat (leaders, Figure 2)."""
        progress = self.progress[follower]
        previous = progress.next - 1
        entries = self.log.between(progress.next, self.parameters.entries_max)
        out.send(follower, AppendEntries(self.term, previous, self.log.term(previous), entries, self.commit_index))
        if not progress.probing:
            progress.next += len(entries)

    def _on_append_entries(self, leader: NodeId, m: AppendEntries, out: Outbox) -> None:
        """AppendEntries, receiver implementation (Figure 2, steps 1-5; §5.3)."""
        if m.term < self.term:
            out.send(leader, Appended(self.term, m.prev_log_index, None))
            return
        if m.term > self.term:
            self._follow(m.term, out)
        require(self.role is not Role.LEADER, "two leaders in one term (Election Safety, §5.2)")
        if self.role is Role.CANDIDATE:
            self.role = Role.FOLLOWER
            out.observe("follow", term=self.term)
        self.leader = leader
        out.set_timer(ELECTION, self.parameters.election_timeout)
        if not self.log.holds(m.prev_log_index, m.prev_log_term):
            out.send(leader, Appended(self.term, m.prev_log_index, None, self._may_agree_up_to(m.prev_log_index)))
            return
        self._adopt(m.prev_log_index, m.entries, out)
        match = m.prev_log_index + len(m.entries)
        # Only what this message has confirmed may be committed: beyond it the log may be a dead leader's (step 5).
        self._commit(min(m.leader_commit, match), out)
        out.send(leader, Appended(self.term, m.prev_log_index, match))

    def _may_agree_up_to(self, previous: int) -> int:
        """Skip a whole conflicting term at a time (end of §5.3), but never back beyond what is committed."""
        if previous > self.log.last:
            return self.log.last
        return max(self.commit_index, self.log.start_of_term(previous) - 1)

    def _adopt(self, previous: int, entries: tuple[Entry, ...], out: Outbox) -> None:
        """Steps 3 and 4: remove what conflicts, append what is new."""
        known = self._known(previous, entries)
        if known == len(entries):
            return
        first = previous + known + 1
        if first <= self.log.last:
            require(first > self.commit_index, "a committed entry is never removed (Leader Completeness, §5.4)")
            self.log.truncate(first)
            out.truncate(first)
            out.observe("truncate", slot=first)
        self._append(entries[known:], out)

    def _known(self, previous: int, entries: tuple[Entry, ...]) -> int:
        """How many of the entries are in the log already: a late, shorter message must not undo a longer one's work."""
        for offset, entry in enumerate(entries):
            if not self.log.holds(previous + 1 + offset, entry.term):
                return offset
        return len(entries)

    def _append(self, entries: tuple[Entry, ...], out: Outbox) -> None:
        first = self.log.last + 1
        self.log.extend(entries)
        out.append(entries)  # on disk before anything that is said about them
        self.log.announce_append(first, out)

    def _on_appended(self, follower: NodeId, m: Appended, out: Outbox) -> None:
        if m.term > self.term:
            self._follow(m.term, out)
        if self.role is not Role.LEADER or m.term < self.term:
            return
        self.answered.add(follower)
        progress = self.progress[follower]
        if m.match is not None:
            if m.match > progress.match:
                progress.match = m.match
                if m.match > self.commit_index:
                    self._advance_commit(out)
            if progress.probing:
                progress.probing, progress.next = False, progress.match + 1
            if progress.next <= self.log.last:
                self._replicate(follower, out)
        elif m.prev_log_index > progress.match and (not progress.probing or m.prev_log_index == progress.next - 1):
            progress.probing = True
            progress.next = max(progress.match, min(m.hint, m.prev_log_index - 1)) + 1
            self._replicate(follower, out)

    def _advance_commit(self, out: Outbox) -> None:
        """Leaders, last rule (§5.3, §5.4.2): an entry of this term that a majority holds is committed, and all before.

        Entries of earlier terms are never committed by counting copies: a majority may hold one and still elect
        somebody who overwrites it (Figure 8).
        """
        reached = reached_by_majority([self.log.last, *(progress.match for progress in self.progress.values())])
        if reached > self.commit_index and self.log.term(reached) == self.term:
            self._commit(reached, out)

    def _commit(self, index: int, out: Outbox) -> None:
        """Apply what is newly committed, in order (rules for all servers, §5.3). The commit index never goes back."""
        if index <= self.commit_index:
            return
        self.commit_index = index
        out.observe("commit", self.term, index)
        while self.last_applied < self.commit_index:
            self.last_applied += 1
            self._apply(self.last_applied, out)

    # ---------------------------------------------------------------------------------------------------------- clients

    def _on_request(self, client: NodeId, m: Request, out: Outbox) -> None:
        if m.command.f == "read":
            self._read(client, m, out)
        else:
            self._propose(client, m, out)

    def _read(self, client: NodeId, m: Request, out: Outbox) -> None:
        """A read goes through the log: when it is applied, this node was still the leader when it was committed."""
        self._propose(client, m, out)

    def _answer_from_memory(self, client: NodeId, m: Request, out: Outbox) -> None:
        out.send(client, Answer(m.sequence, self.machine.store.read(m.command.key), position=self.last_applied))

    def _propose(self, client: NodeId, m: Request, out: Outbox) -> None:
        if self.role is not Role.LEADER:
            out.send(client, Refusal(m.sequence, self.leader))
            return
        answer = self.machine.answer(m)
        if answer is not None:
            out.send(client, answer)
            return
        if self.machine.is_stale(m):
            return
        self._append((Entry(self.term, m.session, m.sequence, m.command),), out)
        self.waiting[self.log.last] = (client, m.sequence)
        for other in self.others:
            if not self.progress[other].probing:
                self._replicate(other, out)
        self._advance_commit(out)  # a cluster of one is its own majority

    def _apply(self, index: int, out: Outbox) -> None:
        entry = self.log[index]
        if entry.command is None:
            out.observe("decide", entry.term, index, digest(entry))
            return
        request = Request(entry.session, entry.sequence, entry.command)
        answer, took_effect = self.machine.execute(request, index)
        if not took_effect:  # it was proposed twice
            out.observe("skip", slot=index, digest=f"{entry.session}#{entry.sequence}")
        out.observe("decide", entry.term, index, digest(entry))
        asked = self.waiting.pop(index, None)
        if asked is not None and answer is not None:
            out.send(asked[0], answer)


class LeaderLocalRaft(Raft):
    """Reads are answered from the memory of whoever believes to be the leader: unsafe on purpose."""

    def _read(self, client: NodeId, m: Request, out: Outbox) -> None:
        if self.role is Role.LEADER:
            self._answer_from_memory(client, m, out)
        else:
            out.send(client, Refusal(m.sequence, self.leader))


class FollowerLocalRaft(Raft):
    """Whoever is asked answers reads from memory: never wrong for good, but behind, and back again after a restart."""

    def _read(self, client: NodeId, m: Request, out: Outbox) -> None:
        self._answer_from_memory(client, m, out)


class FollowerSessionRaft(Raft):
    """A read waits until this server has applied what the session has seen, here or elsewhere."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        super().__init__(me, members, parameters)
        self.behind: list[tuple[NodeId, Request]] = []

    def _read(self, client: NodeId, m: Request, out: Outbox) -> None:
        if self.last_applied >= m.seen:
            self._answer_from_memory(client, m, out)
        else:
            self.behind.append((client, m))

    def _commit(self, index: int, out: Outbox) -> None:
        super()._commit(index, out)
        waiting, self.behind = self.behind, []
        for client, m in waiting:
            self._read(client, m, out)


@lru_cache(maxsize=4096)
def digest(entry: Entry) -> str:
    """What an entry says, in words short enough to read and complete enough to compare."""
    return f"{entry.session}#{entry.sequence} {entry.command}" if entry.command else f"no-op of term {entry.term}"


def ten_election_timeouts(parameters: Parameters) -> int:
    return 10 * longest(parameters.election_timeout)


PROTOCOL = Protocol(
    summary="a log that a majority agrees on, led by one node per term (Ongaro & Ousterhout 2014)",
    parameters=Parameters,
    modes={
        "log": Mode(Raft, promises="linearizable"),
        "leader-local": Mode(LeaderLocalRaft, promises=None, breaks=("linearizable", "sequential")),
        "follower-local": Mode(FollowerLocalRaft, promises="eventual", breaks=("sequential",), reads_anywhere=True),
        "follower-session": Mode(FollowerSessionRaft, promises="osc-u", breaks=("linearizable",), reads_anywhere=True),
    },
    operations=OPERATIONS,
    observes=frozenset(
        {"lead", "follow", "campaign", "vote", "append", "truncate", "recover", "commit", "decide", "skip"}
    ),
    sessions=True,
    recovers_within=ten_election_timeouts,
)
