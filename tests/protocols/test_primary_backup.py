"""Primary-backup keeps what each mode promises, loses what it does not promise to keep, and costs what it says."""

from __future__ import annotations

import pytest

from bench.node import Answer, Command, NodeId
from bench.protocols.primary_backup import (
    Failover,
    PrimaryBackup,
    Promote,
    Replicate,
    Replicated,
    Report,
    Role,
    SyncPrimaryBackup,
)
from tests.bench.runs import Run, run, run_shipped
from tests.bench.sansio import Cluster, cuts
from tests.protocols.paxos_story import Story, primary_backup

MODES = ("primary_backup/async", "primary_backup/sync")
MS = 1_000_000


def add(element: int) -> Command:
    return Command("add", "x", element)


def server(cluster: Cluster, id: NodeId) -> PrimaryBackup:
    node = cluster.nodes[id]
    assert isinstance(node, PrimaryBackup)
    return node


def contents(cluster: Cluster) -> list[object]:
    return [server(cluster, id).machine.store.read("x") for id in cluster.ids]


def outcome(seen: Run, name: str) -> str:
    return next(str(each.verdict.outcome) for each in seen.result.judged if each.name == name)


@pytest.mark.parametrize("column", MODES)
@pytest.mark.parametrize(
    "name", ["bad-network", "bridge", "partition-leader", "pause-leader", "restart-everybody", "steady"]
)
def test_a_shipped_scenario_ends_as_promised(name: str, column: str) -> None:
    seen = run_shipped(name, column)
    assert seen.result.status == "as expected", seen.result.notes
    promised = {"eventual", "leadership", "requirements", "progress"}
    promised |= {"no-lost-writes"} if column.endswith("/sync") else set()
    assert {each.name for each in seen.result.judged if each.expected == "valid"} >= promised


@pytest.mark.parametrize("column", MODES)
@pytest.mark.parametrize(("nodes", "kind"), [(1, "set"), (2, "consensus"), (3, "counter"), (5, "set")])
def test_random_faults_break_no_promise(nodes: int, kind: str, column: str) -> None:
    for seed in range(2):
        seen = run_shipped("random-faults", column, seed, (f"cluster.nodes={nodes}", f"workload.kind={kind}"))
        assert seen.result.status == "as expected", (seed, seen.result.notes)


def test_a_failover_loses_what_only_the_old_primary_acknowledged() -> None:
    seen = run_shipped("failover", "primary_backup/async")
    verdict = next(each.verdict for each in seen.result.judged if each.name == "no-lost-writes")
    assert verdict.outcome == "invalid"
    lost = {element for _, element in verdict.details["lost"]}
    cut, mended = (
        event.time
        for phase in ("starts", "ends")
        for event in seen.recording.history.events()
        if isinstance(event.value, dict) and event.value.get("fault") == "cut" and event.value["phase"] == phase
    )
    while_cut = [
        op
        for op in seen.recording.history.operations()
        if op.value in lost and op.f == "add" and cut - 10 * MS < op.time < mended
    ]
    assert len(while_cut) > 20
    assert len({op.node for op in while_cut}) == 1
    assert outcome(run_shipped("failover", "primary_backup/sync"), "no-lost-writes") == "valid"


def latencies(column: str, fsync: int) -> set[int]:
    """Every latency, in nanoseconds, of a client that alone adds elements; links take 10 ms."""
    recording = run(
        f"""
        duration = "4s"
        protocols = ["{column}"]
        [cluster]
        nodes = 3
        latency = "10ms"
        fsync = "{fsync}ms"
        [workload]
        kind = "set"
        clients = 1
        mix = {{ add = 1 }}
        """,
        column,
    ).recording
    operations = [op for op in recording.history.operations() if op.time > 2_000 * MS and not op.final]
    assert len(operations) > 30
    return {op.return_time - op.time for op in operations if op.return_time is not None}


def test_async_waits_for_the_primarys_disk_and_sync_for_a_backups_too() -> None:
    assert latencies("primary_backup/async", 5) == {5 * MS}
    assert latencies("primary_backup/sync", 5) == {30 * MS}


def promoted(node: type[PrimaryBackup], entries_max: int = 64) -> Story:
    """n1 has been promoted, and everybody has its mark."""
    story = Story("", primary_backup(node, entries_max))
    story.ring("n1", "suspect")
    story.settle()
    assert server(story.cluster, "n1").role is Role.PRIMARY
    return story


def test_an_epoch_has_one_primary_however_often_it_is_promoted() -> None:
    story = promoted(PrimaryBackup)
    cluster = story.cluster
    story.ask("c1", 1, add(1), "n1")
    story.lose(Replicate, "n1", "n2")
    story.settle()
    story.ring("n2", "suspect")
    story.lose(Failover, "n2", "n1")
    story.deliver(Failover, "n2", "n3")
    story.deliver(Report, "n3", "n2")  # n3 is further
    promotion = next(packet for packet in cluster.wire if isinstance(packet.message, Promote))
    cluster.wire += [promotion, promotion]
    story.settle()
    cluster.wire.append(promotion)
    story.settle()
    leads = [(seen.node, seen.term) for seen in cluster.said if seen.what == "lead"]
    assert leads == [("n1", 3), ("n3", 7)]


def test_a_sync_primary_without_a_majority_acknowledges_nothing() -> None:
    story = promoted(SyncPrimaryBackup)
    story.ask("c1", 1, add(1), "n1")
    for _ in range(3):
        for backup in ("n2", "n3"):
            story.deliver(Replicate, "n1", backup)
            story.lose(Replicated, backup, "n1")
        story.ring("n1", "heartbeat")
    assert contents(story.cluster) == [(1,)] * 3
    assert not story.cluster.answers
    story.settle()
    assert [packet.message for packet in story.cluster.answers] == [Answer(1, 1, position=2)]


def test_updates_of_an_earlier_epoch_are_not_safe_by_their_copies_alone() -> None:
    """As in Raft's Figure 8: a majority has the update, and whoever has a later mark could make all give it up."""
    story = promoted(SyncPrimaryBackup, entries_max=1)
    cluster = story.cluster
    story.ask("c1", 1, add(1), "n1")
    for backup in ("n2", "n3"):
        story.lose(Replicate, "n1", backup)
    story.ring("n2", "suspect")
    story.lose(Failover, "n2", "n1")
    story.deliver(Failover, "n2", "n3")
    story.deliver(Report, "n3", "n2")
    for other in ("n1", "n3"):
        story.lose(Replicate, "n2", other)  # its mark is its own, and n2 is not heard of again
    story.restart("n1")
    while server(cluster, "n1").role is not Role.PRIMARY:
        story.ring("n1", "suspect")
        story.lose(Failover, "n1", "n2")
        story.deliver(Failover, "n1", "n3")
        story.deliver(Report, "n3", "n1")
    story.ask("c1", 1, add(1), "n1")
    while server(cluster, "n1").held["n3"] < 2:
        story.ring("n1", "heartbeat")
        cluster.wire = [packet for packet in cluster.wire if packet.to != "n2"]
        story.deliver(Replicate, "n1", "n3")
        story.deliver(Replicated, "n3", "n1")
    assert contents(cluster) == [(1,), None, (1,)]
    assert not cluster.answers
    story.settle()
    assert [packet.message for packet in cluster.answers] == [Answer(1, 1, position=2)]


def test_a_server_that_returns_has_what_its_log_says() -> None:
    story = promoted(PrimaryBackup)
    for number in range(1, 4):
        story.ask("c1", number, add(number), "n1")
    story.settle()
    before = contents(story.cluster)
    for id in story.cluster.ids:
        story.restart(id)
    assert contents(story.cluster) == before == [(1, 2, 3)] * 3


def test_a_log_that_outlives_its_epoch_on_disk_is_still_obeyed() -> None:
    """A crash may keep an entry and not the epoch that was saved before it: the epoch is not opened twice."""
    story = promoted(PrimaryBackup)
    story.cluster.disks["n2"].records.clear()
    story.restart("n2")
    assert server(story.cluster, "n2").epoch == server(story.cluster, "n1").epoch == 3


def recover(cluster: Cluster, gone: NodeId) -> None:
    """The others replace the primary without the one that is gone, which returns then, and all agree."""
    cluster.drain(lambda packet: gone not in (packet.sender, packet.to))
    others = [id for id in cluster.ids if id != gone]
    for _ in range(2):  # the first who asks may hear of a higher epoch
        for id in reversed(others):
            if "suspect" in cluster.timers[id] and not any(server(cluster, o).role is Role.PRIMARY for o in others):
                cluster.ring(id, "suspect")
                cluster.drain(lambda packet: gone not in (packet.sender, packet.to))
    for _ in range(5):
        for id in cluster.ids:
            if "heartbeat" in cluster.timers[id]:
                cluster.ring(id, "heartbeat")
        cluster.drain()


def crashes(node: type[PrimaryBackup]) -> list[tuple[set[object], list[object]]]:
    """What was answered, and what all hold in the end, for a crash after any effect of any handler of two updates."""
    cluster = promoted(node).cluster
    cluster.ask("c1", 1, add(1), "n1")
    cluster.ask("c2", 1, add(2), "n1")
    outcomes = []
    while cluster.wire:
        packet = cluster.wire[0]
        for cut in cuts(cluster.fork().delivering(packet)):
            twin = cluster.fork()
            twin.delivering(packet)
            twin.crash(packet.to, cut)
            recover(twin, packet.to)
            answered = {answer.message.value for answer in twin.answers if isinstance(answer.message, Answer)}
            outcomes.append((set[object](answered), contents(twin)))
        cluster.deliver(packet)
    return outcomes


def test_a_crash_after_any_effect_loses_nothing_that_sync_has_answered() -> None:
    outcomes = crashes(SyncPrimaryBackup)
    assert len(outcomes) > 30
    assert {frozenset(answered) for answered, _ in outcomes} == {frozenset(), frozenset({1}), frozenset({1, 2})}
    for answered, held in outcomes:
        assert held[0] == held[1] == held[2]
        assert answered <= set(held[0] if isinstance(held[0], tuple) else ())


def test_the_same_crashes_lose_what_async_has_answered_and_all_agree() -> None:
    outcomes = crashes(PrimaryBackup)
    assert all(held[0] == held[1] == held[2] for _, held in outcomes)
    assert any(not answered <= set(held[0] if isinstance(held[0], tuple) else ()) for answered, held in outcomes)


def test_failover_step_by_step() -> None:
    title = "A primary that is cut off acknowledges, is replaced, and loses what only it has"
    story = Story(title, primary_backup(PrimaryBackup))
    story.say("n1 suspects that there is no primary. One report makes a majority: nobody is further than n1.")
    story.ring("n1", "suspect")
    story.lose(Failover, "n1", "n2")
    story.deliver(Failover, "n1", "n3")
    story.deliver(Report, "n3", "n1")
    story.settle()
    story.say("It answers when the update is on its own disk. Nobody else hears of it.")
    story.ask("c1", 1, add(1), "n1")
    story.lose(Replicate, "n1", "n2")
    story.lose(Replicate, "n1", "n3")
    assert [packet.message for packet in story.cluster.answers] == [Answer(1, 1, position=2)]
    story.say("n2 has heard nothing for too long. n3 has all that n2 has, so n2 promotes itself.")
    story.ring("n2", "suspect")
    story.lose(Failover, "n2", "n1")
    story.deliver(Failover, "n2", "n3")
    story.deliver(Report, "n3", "n2")
    story.lose(Replicate, "n2", "n1")
    story.settle()
    story.ask("c2", 1, add(2), "n2")
    story.lose(Replicate, "n2", "n1")
    story.settle()
    story.say("n1 does not know yet. Its next sign of life is answered with the new epoch, and it obeys.")
    story.ring("n1", "heartbeat")
    story.lose(Replicate, "n1", "n2")
    story.settle()
    story.say("n2 believes that n1 has all that it was sent. n1's log ends earlier.")
    story.ring("n2", "heartbeat")
    story.settle()
    story.say("And its last entry is not n2's: they agree at most up to where epoch 3 began.")
    story.ring("n2", "heartbeat")
    story.settle()
    story.say("From the second entry on n1 gives up its own.")
    story.ring("n2", "heartbeat")
    story.settle()
    assert contents(story.cluster) == [(2,)] * 3
    assert [(seen.node, seen.slot) for seen in story.cluster.said if seen.what == "truncate"] == [("n1", 2)]
    story.check("primary-backup-failover")


def test_failover_in_sync_step_by_step() -> None:
    story = Story("What a majority has survives its primary, whoever suspects first", primary_backup(SyncPrimaryBackup))
    story.say("n1 is the primary, and everybody has its mark.")
    story.ring("n1", "suspect")
    story.settle()
    story.say("n3 gets an update and n2 does not. n1 and n3 are a majority: the client is answered, and n1 is gone.")
    story.ask("c1", 1, add(1), "n1")
    story.lose(Replicate, "n1", "n2")
    story.settle()
    assert [packet.message for packet in story.cluster.answers] == [Answer(1, 1, position=2)]
    story.say("n2 suspects first. n3 reports more than n2 has, so it is n3 that is promoted.")
    story.ring("n2", "suspect")
    story.lose(Failover, "n2", "n1")
    story.deliver(Failover, "n2", "n3")
    story.deliver(Report, "n3", "n2")
    story.deliver(Promote, "n2", "n3")
    story.lose(Replicate, "n3", "n1")
    assert server(story.cluster, "n3").role is Role.PRIMARY
    story.say("The client asks again, in case: the answer is known, and waits until a majority has n3's mark.")
    story.ask("c1", 1, add(1), "n3")
    story.settle()
    assert len(story.cluster.answers) == 1
    story.ring("n3", "heartbeat")
    story.lose(Replicate, "n3", "n1")
    story.settle()
    assert [packet.message for packet in story.cluster.answers] == [Answer(1, 1, position=2)] * 2
    assert contents(story.cluster) == [(1,)] * 3
    story.check("primary-backup-sync")
