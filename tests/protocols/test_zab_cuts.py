"""A crash after every effect of a long story of Zab, in which disks are slow.

With every part of the writes that no sync has covered yet, of whatever handlers they are. Then the server starts again
from its disk, each of the others in turn is cut off, the two that are left elect a leader and commit, and the third
comes back: nobody may have lost anything that was acknowledged, and in the end all have the same history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from bench.node import Answer, Command, Effect, NodeId, Outbox, RequirementBroken, Send
from bench.protocols.zab import (
    FINALIZE,
    NOTHING,
    SYNCED,
    TICK,
    Diff,
    Parameters,
    Phase,
    Role,
    Snap,
    Transaction,
    Trunc,
    Zab,
)
from checkers import Outcome, agreement, leadership
from tests.bench.sansio import Cluster, cuts

IDS = ("n1", "n2", "n3")


class Servers(Cluster):
    """A cluster of Zab servers, of which some are ``away``.

    Every handler and every sync of the story is kept as a moment: the cluster, the server, and what has not taken place
    there yet.
    """

    def __init__(self, node: type[Zab], parameters: Parameters) -> None:
        self.moments: list[tuple[Servers, NodeId, list[Effect]]] = []
        self.recording = True
        self.away: frozenset[NodeId] = frozenset()
        self.asked = 0
        super().__init__(IDS, lambda id: node(id, IDS, parameters))

    def fork(self) -> Servers:
        twin = super().fork()
        assert isinstance(twin, Servers)
        twin.recording = False
        return twin

    def perform(self, id: NodeId, effect: Effect) -> None:
        super().perform(id, effect)
        self.wire = [p for p in self.wire if not self.away & {p.sender, p.to}]

    def zab(self, id: NodeId) -> Zab:
        node = self.nodes[id]
        assert isinstance(node, Zab)
        return node

    def step(self, id: NodeId, effects: list[Effect], before: Servers | None) -> None:
        if before is not None:
            self.moments.append((before, id, before.backlog[id] + effects))
        self.carry_out(id, effects)

    def catch_up(self, id: NodeId) -> None:
        """Its disk syncs."""
        if self.recording:
            self.moments.append((self.fork(), id, self.backlog[id]))
        self.sync(id)

    def happen(self, id: NodeId, timer: str | None = None) -> None:
        """The oldest packet under way arrives at ``id``, or this timer is due there."""
        if timer is not None:
            effects = self.ringing(id, timer)
        else:
            effects = self.delivering(self.wire[0])
        self.step(id, effects, self.fork() if self.recording else None)

    def settle(self, most: int = 1000) -> None:
        """Deliver what is under way, and ring what is due at once, until nothing is left.

        Disks are slow: they sync when nothing else can happen, so a backlog has the writes of several handlers.
        """
        for _ in range(most):
            self.wire = [p for p in self.wire if not self.away & {p.sender, p.to}]
            due = [id for id in IDS if SYNCED in self.timers[id] and id not in self.away]
            if due:
                self.happen(due[0], SYNCED)
            elif self.wire:
                self.happen(self.wire[0].to)
            elif self.behind:
                self.catch_up(self.behind[0])
            else:
                return
        raise AssertionError(f"still {len(self.wire)} packets under way")

    def tick(self, ids: Iterable[NodeId], times: int = 1) -> None:
        for _ in range(times):
            for id in ids:
                self.happen(id, TICK)
            self.settle()
            for id in ids:
                if FINALIZE in self.timers[id]:
                    self.happen(id, FINALIZE)
            self.settle()

    def write(self, node: NodeId) -> None:
        self.asked += 1
        request = self.ask("c1", self.asked, Command("write", "x", self.asked), node)
        before = self.fork() if self.recording else None
        if before is not None:
            before.wire.remove(request)
        self.step(node, self.delivering(request), before)
        self.settle()

    def leader(self, ids: Iterable[NodeId]) -> NodeId | None:
        """The leader that all of these follow, once they are in broadcast."""
        nodes = [self.zab(id) for id in ids]
        leaders = {node.leader for node in nodes}
        together = len(leaders) == 1 and all(node.phase is Phase.BROADCAST for node in nodes)
        return leaders.pop() if together else None

    def elect(self, ids: Iterable[NodeId]) -> NodeId:
        for _ in range(40):
            leader = self.leader(ids)
            if leader is not None and leader in ids:
                return leader
            self.tick(ids)
        raise AssertionError(f"{' and '.join(ids)} could not establish a leader")


def story(node: type[Zab], diff_max: int = 500) -> Servers:
    """A first election; a write that n2 misses, and one that n1 misses too; n1 loses its leader and finds it again.

    Then n3 is deposed, and n2 hears of both writes from n1. In the end n3 comes back with what nobody else has.
    """
    servers = Servers(node, Parameters(diff_max=diff_max))
    servers.settle()
    assert servers.elect(IDS) == "n3"
    servers.away = frozenset({"n2"})
    servers.write("n3")
    servers.away = frozenset({"n1", "n2"})
    servers.write("n3")
    servers.tick(["n1"], 6)
    servers.away = frozenset()
    servers.tick(["n1"])
    assert servers.leader(["n1", "n3"]) == "n3"
    assert servers.zab("n2").last_zxid == NOTHING
    servers.away = frozenset({"n3"})
    servers.write("n3")
    servers.tick(["n3"], 7)
    second = servers.elect(["n1", "n2"])
    servers.write(second)
    servers.away = frozenset()
    servers.tick(["n3"])
    assert servers.leader(IDS) == second
    servers.write(second)
    judge(servers)
    assert sum(isinstance(packet.message, Answer) for packet in servers.answers) == 4  # not the one of n3 alone
    return servers


def survive(servers: Servers, lost: NodeId, late: bool) -> None:
    """Without ``lost`` the others elect somebody and commit; then it is back, and everybody has heard of everything.

    It is lost at once, or (``late``) when what was under way has arrived.
    """
    servers = servers.fork()
    if late:
        servers.settle()
    servers.away = frozenset({lost})
    servers.settle()
    leader = servers.elect([id for id in IDS if id != lost])
    before = len(servers.answers)
    servers.asked = 100
    servers.write(leader)
    assert len(servers.answers) > before, "two of three answer nobody"
    servers.away = frozenset()
    servers.write(servers.elect(IDS))
    for _ in range(10):  # a connection that slept through it all has something to send again, or is found to be lost
        if len({str(servers.disks[id].log) for id in IDS}) > 1:
            servers.tick(IDS)
    assert len({str(servers.disks[id].log) for id in IDS}) == 1
    judge(servers)


def judge(servers: Servers) -> None:
    for checker in (agreement, leadership):
        verdict = checker.check(servers.observations)
        assert verdict.outcome is not Outcome.INVALID, verdict
    for answer in servers.answers:
        if isinstance(answer.message, Answer):
            for id in IDS:
                held = any(transaction.sequence == answer.message.sequence for transaction in servers.disks[id].log)
                assert held, f"{answer} was acknowledged, and {id} does not hold it"


def explore(node: type[Zab], diff_max: int, *, findings_max: int) -> tuple[Counter[str], list[str]]:
    """Every cut of every moment and what follows from it: how many there were, and what was broken.

    It ends early when so many things were found broken.
    """
    counted: Counter[str] = Counter()
    broken: list[str] = []
    for number, (before, id, effects) in enumerate(story(node, diff_max).moments, 1):
        counted["moments"] += 1
        seen = set()
        for cut in cuts(effects):
            died = before.fork()
            died.crash(id, cut)
            left = (str(died.disks[id].saved()), str(died.wire))
            if left in seen:  # timers that were set or not make no difference to who starts again
                continue
            if len(broken) >= findings_max:
                return counted, broken
            seen.add(left)
            counted["cuts"] += 1
            for lost in IDS:
                if lost == id:
                    continue
                for late in (False, True) if any(lost in (p.sender, p.to) for p in died.wire) else (False,):
                    counted["lives"] += 1
                    try:
                        survive(died, lost, late)
                    except (AssertionError, RequirementBroken) as error:
                        broken.append(f"moment {number} of {id}, {cut}, {lost} lost: {error}")
    return counted, broken


@pytest.mark.parametrize("diff_max", [500, 0])
def test_zab_survives_every_cut_of_elections_synchronisation_and_broadcast(diff_max: int) -> None:
    counted, broken = explore(Zab, diff_max, findings_max=10)
    assert not broken, f"{len(broken)} broken: {broken[0]}"
    assert counted["moments"] > 120
    assert counted["cuts"] > 250


class HurriedZab(Zab):
    """Acknowledges a proposal before it is on disk."""

    def _on_propose(self, transaction: Transaction, out: Outbox) -> None:
        super()._on_propose(transaction, out)
        if self.phase is Phase.BROADCAST:
            out.effects.insert(0, out.effects.pop())


class RewritingZab(Zab):
    """Replaces a whole history by dropping its own first."""

    def _replace(self, history: tuple[Transaction, ...], out: Outbox) -> None:
        if self.log.last:
            self.log.truncate(1)
            out.truncate(1)
        self._append(history, out)


class ImpatientZab(Zab):
    """Saves the epoch behind its history, and does not wait until that is on disk."""

    def _on_new_leader(self, epoch: int, out: Outbox) -> None:
        self._history_is_durable(out)


@pytest.mark.parametrize("node", [HurriedZab, RewritingZab, ImpatientZab])
def test_the_same_cuts_convict_a_zab_that_relies_on_what_is_not_on_disk(node: type[Zab]) -> None:
    _, broken = explore(node, diff_max=0, findings_max=1)
    assert broken


def test_the_story_has_a_diff_a_truncation_a_snapshot_and_a_deposed_leader() -> None:
    """Else the cuts would prove little."""

    def sent(servers: Servers) -> set[type]:
        return {type(each.message) for _, _, effects in servers.moments for each in effects if isinstance(each, Send)}

    servers = story(Zab)
    assert {Diff, Trunc} <= sent(servers)
    assert Snap in sent(story(Zab, diff_max=0))
    assert {seen.term for seen in servers.said if seen.what == "lead"} == {1, 2}
    assert Role.LEADING in {before.zab("n3").role for before, _, _ in servers.moments}


# --------------------------------------------------------------------------------------------------- a cluster of one


class HastySingleZab(Zab):
    """Saves both of its epochs at once when nobody is to be asked."""

    def _propose_epoch(self, out: Outbox) -> None:
        super()._propose_epoch(out)
        if not self.others:
            self._synchronise_if_promised(out)


def start_again(node: type[Zab]) -> int:
    """A server that is alone is cut while it starts, while it establishes itself, and while it serves; how often.

    After every cut it starts and serves, with all that it had acknowledged. Then the same from what a life has left.
    """
    cluster = Cluster(("n1",), lambda id: node(id, ("n1",), Parameters()))
    counted = 0

    def survives(cluster: Cluster, effects: list[Effect]) -> None:
        nonlocal counted
        for cut in cuts(effects):
            counted += 1
            died = cluster.fork()
            died.crash("n1", cut)
            live(died, 9)
            acknowledged = {each.message.sequence for each in died.answers if isinstance(each.message, Answer)}
            assert acknowledged <= {transaction.sequence for transaction in died.disks["n1"].log}
            assert 9 in acknowledged

    def live(cluster: Cluster, sequence: int) -> None:
        if SYNCED in cluster.timers["n1"]:
            cluster.ring("n1", SYNCED)
        cluster.deliver(cluster.ask("c1", sequence, Command("write", "x", sequence), "n1"))

    for sequence in (1, 2):
        survives(cluster, cluster.fork().start("n1"))
        cluster.start("n1")
        if SYNCED in cluster.timers["n1"]:
            before = cluster.fork()
            survives(before, before.ringing("n1", SYNCED))
            cluster.ring("n1", SYNCED)
        before = cluster.fork()
        survives(before, before.delivering(before.ask("c1", sequence, Command("write", "x", sequence), "n1")))
        live(cluster, sequence)
    return counted


def test_a_cluster_of_one_starts_again_after_every_cut() -> None:
    """No message lies between its accepted epoch and its current one."""
    assert start_again(Zab) > 20


def test_the_same_cuts_convict_a_cluster_of_one_that_saves_both_epochs_in_one_sync() -> None:
    with pytest.raises(RequirementBroken, match="after it was accepted"):
        start_again(HastySingleZab)
