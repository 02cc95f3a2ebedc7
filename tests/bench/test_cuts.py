"""A crash after every effect of an election and an append, on slow disks.

With every part of the writes that no sync has covered yet, of whatever handlers they are. Then the node starts again
from its disk, each of the others in turn is cut off, and the two that are left elect a leader and commit: nobody may
have lost anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

import pytest

from bench.host import Disk
from bench.node import (
    Answer,
    Append,
    Command,
    Effect,
    NodeId,
    Outbox,
    RequirementBroken,
    Save,
    SetTimer,
    Span,
    Truncate,
)
from bench.protocols.raft import Appended, AppendEntries, Entry, Parameters, Raft, RequestVote, Vote
from checkers import Outcome, agreement, leadership
from tests.bench.sansio import Cluster, Cut, Durable, Packet, cuts

IDS = ("n1", "n2", "n3")
FIRST, SECOND = Command("write", "x", 1), Command("write", "x", 2)


class Moment(NamedTuple):
    """A cluster in which ``id`` has handled something, or is about to sync; its ``effects`` have not taken place."""

    before: Cluster
    id: NodeId
    effects: list[Effect]


def moments(node: type[Raft]) -> Iterator[Moment]:
    """The story, handler by handler and sync by sync; a disk syncs when its owner's next word is waited for.

    n1 and n2 campaign in the same term and the vote is split by n3. n1 wins, then its rival is late with its request
    for n3's vote; n1 copies two entries to the others, and each write is answered. n3 lags behind by one.
    """
    cluster = Cluster(IDS, lambda id: node(id, IDS, Parameters()))

    def step(packet: Packet | tuple[NodeId, str]) -> Iterator[Moment]:
        if isinstance(packet, Packet):
            id, effects = packet.to, cluster.delivering(packet)
        else:
            id, effects = packet[0], cluster.ringing(*packet)
        yield Moment(cluster.fork(), id, cluster.backlog[id] + effects)
        cluster.carry_out(id, effects)

    def sync(id: NodeId) -> Iterator[Moment]:
        yield Moment(cluster.fork(), id, cluster.backlog[id])
        cluster.sync(id)

    def deliver(kind: type, sender: NodeId, to: NodeId) -> Iterator[Moment]:
        def found() -> list[Packet]:
            return [p for p in cluster.wire if isinstance(p.message, kind) and (p.sender, p.to) == (sender, to)]

        if not found():
            yield from sync(sender)
        yield from step(found()[0])

    def settle(reaches: Callable[[Packet], bool] = lambda _: True) -> Iterator[Moment]:
        while cluster.wire or cluster.behind:
            cluster.wire = [p for p in cluster.wire if reaches(p)]
            yield from step(cluster.wire[0]) if cluster.wire else sync(cluster.behind[0])

    yield from step(("n1", "election"))
    yield from step(("n2", "election"))
    yield from sync("n1")
    yield from sync("n2")
    yield from deliver(RequestVote, "n1", "n3")
    yield from deliver(RequestVote, "n1", "n2")
    yield from deliver(Vote, "n3", "n1")
    yield from deliver(RequestVote, "n2", "n3")
    yield from deliver(RequestVote, "n2", "n1")
    yield from settle()
    yield from step(cluster.ask("c1", 1, FIRST, "n1"))
    yield from settle()
    yield from step(cluster.ask("c1", 2, SECOND, "n1"))
    yield from settle(lambda packet: packet.to != "n3")
    yield from step(("n1", "heartbeat"))
    yield from settle()


def survive(cluster: Cluster, lost: NodeId, candidate: NodeId, late: bool) -> None:
    """Without ``lost`` the others elect somebody and commit; then it is back, and everybody has heard of everything."""
    cluster = cluster.fork()
    for id in cluster.behind:
        cluster.sync(id)
    if late:
        cluster.drain()  # what was under way still arrives, everywhere
    cluster.wire.clear()
    others = [id for id in IDS if id != lost]
    other = next(id for id in others if id != candidate)
    for turn in (candidate, other, candidate, other, candidate):
        if "election" in cluster.timers[turn]:
            cluster.ring(turn, "election")
            cluster.drain(lambda packet: lost not in (packet.sender, packet.to))
        leader = next((id for id in others if "heartbeat" in cluster.timers[id]), None)
        if leader is not None:
            break
    else:
        raise AssertionError("two of three could not elect a leader")
    cluster.ask("c2", 1, Command("write", "y", 3), leader)
    cluster.ring(leader, "heartbeat")  # what was lost on the wire is sent again
    cluster.drain(lambda packet: lost not in (packet.sender, packet.to))
    assert any(packet.to == "c2" and isinstance(packet.message, Answer) for packet in cluster.answers)
    for _ in range(2):
        cluster.ring(leader, "heartbeat")
        cluster.drain()
    judge(cluster)
    assert len({str(cluster.disks[id].log) for id in IDS}) == 1


def judge(cluster: Cluster) -> None:
    for checker in (agreement, leadership):
        verdict = checker.check(cluster.observations)
        assert verdict.outcome is not Outcome.INVALID, verdict
    for answer in cluster.answers:
        if isinstance(answer.message, Answer):
            holding = [
                id
                for id in IDS
                if any((e.session, e.sequence) == (answer.to, answer.message.sequence) for e in cluster.disks[id].log)
            ]
            assert len(holding) == 3, f"{answer} was acknowledged, and only {holding} still hold it"


def explore(node: type[Raft]) -> tuple[Counter[str], list[str]]:
    """Every cut of every moment and what follows from it: how many there were, and what was broken."""
    counted: Counter[str] = Counter()
    broken: list[str] = []
    for number, (before, id, effects) in enumerate(moments(node), 1):
        counted["moments"] += 1
        for cut in cuts(effects):
            counted["cuts"] += 1
            died = before.fork()
            died.crash(id, cut)
            for lost in IDS:
                if lost == id:
                    continue
                for candidate in IDS:
                    for late in (False, True):
                        if candidate == lost:
                            continue
                        counted["lives"] += 1
                        try:
                            survive(died, lost, candidate, late)
                        except (AssertionError, RequirementBroken) as error:
                            broken.append(f"moment {number} of {id}, {cut}, {lost} lost, {candidate} first: {error}")
    return counted, broken


def test_raft_survives_every_cut_of_an_election_and_an_append() -> None:
    counted, broken = explore(Raft)
    assert not broken, broken[0]
    assert counted["moments"] > 25
    assert counted["cuts"] > 100
    assert counted["lives"] > 800


class ForgetfulRaft(Raft):
    """Votes, crashes, and votes again."""

    def _save_vote(self, out: Outbox) -> None: ...


class HurriedVoterRaft(Raft):
    """Promises its vote before it is on disk."""

    def _on_request_vote(self, candidate: NodeId, m: RequestVote, out: Outbox) -> None:
        super()._on_request_vote(candidate, m, out)
        out.effects.insert(0, out.effects.pop())


class HurriedFollowerRaft(Raft):
    """Says that it has stored what it has not."""

    def _on_append_entries(self, leader: NodeId, m: AppendEntries, out: Outbox) -> None:
        super()._on_append_entries(leader, m, out)
        out.effects.insert(0, out.effects.pop())


class ForgetfulFollowerRaft(Raft):
    """Keeps its log in memory."""

    def _append(self, entries: tuple[Entry, ...], out: Outbox) -> None:
        self.log.extend(entries)


@pytest.mark.parametrize("node", [ForgetfulRaft, HurriedVoterRaft, HurriedFollowerRaft, ForgetfulFollowerRaft])
def test_the_same_cuts_convict_a_raft_that_promises_what_is_not_on_disk(node: type[Raft]) -> None:
    _, broken = explore(node)
    assert broken


def test_the_story_has_a_split_vote_a_refusal_and_a_lagging_follower() -> None:
    """Else the cuts would prove little."""
    messages = [packet.message for moment in moments(Raft) for packet in moment.before.wire]
    assert any(isinstance(m, Vote) and not m.granted for m in messages)
    assert any(isinstance(m, Appended) and m.match is None for m in messages)
    assert any(isinstance(m, AppendEntries) and m.entries for m in messages)


def test_what_a_cut_keeps_is_what_a_crash_on_the_host_can_keep() -> None:
    writes: list[Effect] = [Save("a", 1), Append((1, 2)), Save("b", 1), Truncate(2), Save("a", 2), Append((3,))]
    crashed = set()
    for seed in range(2000):
        disk = Disk()
        for write in writes:
            assert isinstance(write, Save | Append | Truncate)
            disk.write(write)
        disk.crash(Random(seed))
        crashed.add(str((sorted(disk.records.items()), disk.log)))
    kept = set()
    for cut in cuts(writes):
        durable = Durable()
        for each in cut.kept:
            durable.write(each)
        kept.add(str((sorted(durable.records.items()), durable.log)))
    assert kept == crashed
    assert len(kept) > 20


def test_what_is_written_behind_an_effect_that_waits_can_be_on_disk_without_it() -> None:
    save, send, later = Save("a", 1), SetTimer("t", Span.constant(0)), Save("b", 1)
    assert set(cuts([save, send, later])) == {
        Cut((), ()),
        Cut((), (save,)),
        Cut((), (later,)),
        Cut((), (save, later)),
        Cut((save, send), ()),
        Cut((save, send), (later,)),
    }
    assert set(cuts([send, save])) == {Cut((), ()), Cut((send,), ()), Cut((send,), (save,))}
