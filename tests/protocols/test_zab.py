"""Zab in whole runs: the shipped scenarios, seeds that once found a mistake, its mutants, and what it costs."""

from __future__ import annotations

import pytest

from bench.node import Answer, Command, Message, NodeId, Outbox, Refusal, Request, Saved, Send
from bench.protocols.zab import (
    NOTHING,
    PROTOCOL,
    SYNCED,
    TICK,
    AckLD,
    CEpoch,
    CommitLD,
    Forward,
    LocalZab,
    Parameters,
    Phase,
    Role,
    Sync,
    SyncReply,
    SyncZab,
    Vote,
    Zab,
    Zxid,
)
from checkers import Outcome
from tests.bench.runs import REGISTRY, Run, run, run_shipped
from tests.bench.sansio import Cluster, Packet
from tests.protocols.test_zab_cuts import IDS, Servers

MUTANTS = sorted(name for name, protocol in REGISTRY.protocols.items() if name.endswith("_zab") and protocol.mutant_of)


@pytest.mark.parametrize(
    "name", ["steady", "partition-leader", "pause-leader", "bad-network", "bridge", "restart-everybody"]
)
def test_zab_keeps_its_promises_in_every_shipped_scenario(name: str) -> None:
    assert run_shipped(name, "zab/log").result.status == "as expected"


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5])
def test_zab_keeps_its_promises_under_random_faults_whatever_the_size_of_the_cluster(nodes: int) -> None:
    random = run_shipped("random-faults", "zab/log", 1, [f"cluster.nodes={nodes}"])
    assert not [each for each in random.result.judged if each.verdict.outcome is Outcome.INVALID]
    assert random.recording.counters["ok"] > 20


@pytest.mark.parametrize("seed", [47, 288])
def test_an_acknowledged_history_says_nothing_of_what_was_proposed_since(seed: int) -> None:
    """Once the leader counted NEWLEADER's acknowledgement for proposals that were under way: both seeds found it."""
    random = run_shipped("random-faults", "zab/log", seed, ["cluster.nodes=3"])
    assert random.result.status == "as expected", random.result.notes


ALONE = """
duration = "6s"
heal = "2s"
protocols = ["zab"]
[cluster]
nodes = 1
fsync = "10ms"
[workload]
kind = "kv"
clients = 1
[[faults]]
name = "first"
kind = "crash"
at = "500ms"
node = "n1"
for = "100ms"
[[faults]]
name = "again"
kind = "crash"
on = "first ends"
after = "5ms"
node = "n1"
for = "100ms"
"""


@pytest.mark.parametrize("seed", [8, 17, 18])
def test_a_cluster_of_one_that_loses_power_while_it_writes_its_epochs_starts_again(seed: int) -> None:
    """Once it wrote both in one sync, and each of these seeds kept the newer one alone."""
    alone = run(ALONE, "zab/log", seed=seed)
    assert alone.result.status == "as expected", alone.result.notes


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_convicted_and_its_parent_is_not(name: str) -> None:
    assert run_shipped(f"mutants/{name}", name).result.status == "as expected"
    parent = REGISTRY.protocols[name].mutant_of
    assert parent is not None
    assert run_shipped(f"mutants/{name}", parent).result.status == "as expected"


def test_there_are_mutants() -> None:
    assert len(MUTANTS) >= 8


# ---------------------------------------------------------------------------------------------------------------- costs

QUIET = """
duration = "4s"
heal = "1s"
protocols = ["zab"]
[cluster]
nodes = 3
latency = "10ms"
fsync = "5ms"
[workload]
kind = "kv"
clients = 1
mix = { write = 1 }
think = "20ms"
"""


def _write_latencies(done: Run) -> set[int]:
    """In nanoseconds, of the writes that were invoked when a leader was known to the client."""
    operations = [op for op in done.recording.history.operations() if op.f == "write" and op.type == "ok"]
    return {(op.return_time or 0) - op.time for op in operations[5:]}


def test_an_undisturbed_write_costs_two_hops_and_two_syncs() -> None:
    """The leader's sync, PROPOSE, a follower's sync, and ACK: 2 x 10 ms + 2 x 5 ms, to the microsecond."""
    assert _write_latencies(run(QUIET, "zab/log")) == {30_000_000}


def test_a_network_that_keeps_order_and_loses_nothing_repeats_nothing() -> None:
    counters = run(QUIET, "zab/log").recording.counters
    assert counters["packets of Propose"] == counters["packets of Ack"] - 2 == counters["packets of Commit"]
    assert counters["packets of Propose"] == 2 * counters["packets of Answer"]


# ------------------------------------------------------------------------------------------------------- local reads


@pytest.mark.parametrize("mode", ["local", "sync"])
@pytest.mark.parametrize("nodes", [3, 5])
def test_local_reads_keep_their_promise_under_random_faults(mode: str, nodes: int) -> None:
    random = run_shipped("random-faults", f"zab/{mode}", 1, [f"cluster.nodes={nodes}"])
    assert random.result.status == "as expected", random.result.notes
    assert any(each.name == "osc-u" and each.verdict for each in random.result.judged)


@pytest.mark.parametrize("mode", ["log", "local", "sync"])
def test_a_leader_that_slept_through_its_replacement_answers_a_sync(mode: str) -> None:
    assert run_shipped("stale-sync", f"zab/{mode}").result.status == "as expected"


def read(seen: int) -> Packet:
    return Packet("c2", "n1", Request("c2", 1, Command("read", "x"), seen))


def test_a_session_is_refused_by_a_server_that_is_behind_what_it_has_seen() -> None:
    cluster = Cluster(("n1",), lambda id: LocalZab(id, ("n1",), Parameters()))
    cluster.ring("n1", SYNCED)
    cluster.ask("c1", 1, Command("write", "x", 5), "n1")
    cluster.wire += [read(seen=1), read(seen=2)]
    cluster.drain()
    assert [answer.message for answer in cluster.answers[1:]] == [Answer(1, 5, position=1), Refusal(1)]


def test_a_server_without_a_leader_answers_no_read() -> None:
    cluster = Cluster(IDS, lambda id: LocalZab(id, IDS, Parameters()))
    cluster.wire = [read(seen=0)]
    cluster.drain()
    assert [answer.message for answer in cluster.answers if answer.to == "c2"] == [Refusal(1)]


@pytest.mark.parametrize("node", [LocalZab, SyncZab])
def test_a_server_that_starts_again_is_read_when_it_knows_what_is_committed_and_not_before(
    node: type[LocalZab],
) -> None:
    """From UPTODATE on, as in ZooKeeper: until then it has delivered nothing, whatever its history holds."""
    servers = Servers(node, Parameters())
    servers.settle()
    assert servers.elect(IDS) == "n3"
    servers.write("n3")
    servers.answers.clear()
    servers.wire = [packet for packet in servers.wire if "n1" not in (packet.sender, packet.to)]
    servers.start("n1")
    deliver_until(servers, AckLD)
    assert servers.zab("n1").phase is Phase.BROADCAST
    ask(servers)
    assert [answer.message for answer in servers.answers] == [Refusal(1, "n3")]
    deliver_until(servers, CommitLD)
    ask(servers)
    assert [answer.message for answer in servers.answers[1:]] == [Refusal(1, "n3")]
    servers.settle()
    ask(servers)
    servers.settle()
    assert [answer.message for answer in servers.answers[2:]] == [Answer(1, 1, position=1)]
    servers.away = frozenset({"n1"})
    servers.tick(["n1"], 6)
    ask(servers)
    assert isinstance(servers.answers[-1].message, Refusal)


def ask(servers: Servers) -> None:
    servers.wire.append(read(seen=0))
    servers.deliver(read(seen=0))


def deliver_until(servers: Servers, kind: type[Message]) -> None:
    """Go on until a message of this type is the next to be delivered."""
    for _ in range(100):
        if servers.wire and isinstance(servers.wire[0].message, kind):
            return
        if SYNCED in servers.timers["n1"]:
            servers.happen("n1", SYNCED)
        elif servers.wire:
            servers.happen(servers.wire[0].to)
        elif servers.backlog["n1"]:
            servers.catch_up("n1")
        else:
            servers.happen("n1", TICK)
    raise AssertionError(f"no {kind.__name__} was sent")


def test_a_sync_waits_for_what_its_leader_has_proposed() -> None:
    servers = Servers(SyncZab, Parameters())
    servers.settle()
    assert servers.elect(IDS) == "n3"
    servers.answers.clear()
    servers.deliver(servers.ask("c1", 1, Command("write", "x", 5), "n3"))
    servers.wire.append(read(seen=0))
    servers.deliver(read(seen=0))
    servers.deliver(next(packet for packet in servers.wire if isinstance(packet.message, Sync)))
    assert not servers.answers
    assert not any(isinstance(packet.message, SyncReply) for packet in servers.wire)
    servers.settle()
    assert {(answer.to, answer.message) for answer in servers.answers} == {
        ("c1", Answer(1, 5, position=1)),
        ("c2", Answer(1, 5, position=1)),
    }


# ------------------------------------------------------------------------------------------------- updates in sessions


@pytest.mark.parametrize("mode", ["local", "sync"])
def test_an_undisturbed_update_is_handed_to_the_leader_and_answered_by_its_own_server(mode: str) -> None:
    """Two syncs as ever; at the leader two hops, elsewhere two more: REQUEST before them, and COMMIT behind them."""
    done = run(QUIET.replace("clients = 1", "clients = 6"), f"zab/{mode}")
    fastest: dict[NodeId | None, int] = {}
    for op in list(done.recording.history.operations())[20:]:
        if op.f == "write" and op.return_time is not None:
            fastest[op.node] = min(fastest.get(op.node, op.return_time), op.return_time - op.time)
    assert fastest == {"n1": 50_000_000, "n2": 50_000_000, "n3": 30_000_000}


@pytest.fixture(params=[LocalZab, SyncZab])
def serving(request: pytest.FixtureRequest) -> Servers:
    """Three servers that serve sessions, led by n3."""
    servers = Servers(request.param, Parameters())
    servers.settle()
    assert servers.elect(IDS) == "n3"
    servers.answers.clear()
    return servers


def update(servers: Servers, node: NodeId, sequence: int = 1, value: int = 5, seen: int = 0) -> None:
    """c1 asks for a write, which arrives."""
    packet = Packet("c1", node, Request("c1", sequence, Command("write", "x", value), seen))
    servers.wire.append(packet)
    servers.deliver(packet)


def to_leader(servers: Servers) -> list[Request]:
    return [packet.message.request for packet in servers.wire if isinstance(packet.message, Forward)]


def until_leader_delivers(servers: Servers) -> None:
    while servers.zab("n3").delivered == 0:
        if servers.wire:
            servers.happen(servers.wire[0].to)
        else:
            servers.catch_up(servers.behind[0])


def test_an_update_is_answered_by_the_server_of_its_session_once_it_has_delivered_it(serving: Servers) -> None:
    update(serving, "n1")
    until_leader_delivers(serving)
    assert serving.zab("n1").delivered == 0
    assert not serving.answers
    serving.settle()
    assert [(answer.sender, answer.message) for answer in serving.answers] == [("n1", Answer(1, 5, position=1))]


def test_an_update_that_arrives_twice_is_handed_on_once(serving: Servers) -> None:
    update(serving, "n1")
    update(serving, "n1")
    assert len(to_leader(serving)) == 1
    serving.settle()
    update(serving, "n1")  # a late copy: it was carried out
    assert not to_leader(serving)
    assert [answer.message for answer in serving.answers] == [Answer(1, 5, position=1)] * 2
    update(serving, "n1", 2)
    serving.settle()
    update(serving, "n1", 1)  # its session has gone on
    assert not to_leader(serving)
    assert len(serving.answers) == 3


def test_an_update_that_is_asked_for_at_two_servers_takes_effect_once(serving: Servers) -> None:
    update(serving, "n1")
    update(serving, "n2")
    serving.settle()
    assert len(serving.zab("n3").log.between(1, 9)) == 2
    assert {(answer.sender, answer.message) for answer in serving.answers} == {
        ("n1", Answer(1, 5, position=1)),
        ("n2", Answer(1, 5, position=1)),
    }


def test_what_the_leader_has_carried_out_is_not_proposed_again_and_answered_where_it_was_asked_for(
    serving: Servers,
) -> None:
    update(serving, "n3")
    until_leader_delivers(serving)
    assert serving.zab("n1").delivered == 0
    update(serving, "n1")
    serving.settle()
    assert len(serving.zab("n3").log.between(1, 9)) == 1
    assert [answer.sender for answer in serving.answers] == ["n3", "n1"]


def test_a_session_that_has_seen_more_than_a_server_is_refused_its_update_there(serving: Servers) -> None:
    update(serving, "n1", seen=1)
    assert [answer.message for answer in serving.answers] == [Refusal(1, "n3")]
    assert not to_leader(serving)


def test_a_server_that_loses_its_leader_refuses_the_updates_that_wait_there(serving: Servers) -> None:
    serving.away = frozenset({"n3"})
    update(serving, "n1")
    assert not serving.answers
    serving.tick(["n1"], 6)
    assert [(answer.sender, answer.message) for answer in serving.answers] == [("n1", Refusal(1))]


# ---------------------------------------------------------------------------------------------------------------- nodes


def test_a_vote_is_for_the_newest_epoch_then_the_newest_history_then_the_highest_id() -> None:
    ids = tuple(f"n{number}" for number in range(1, 12))
    server = Zab("n1", ids, Parameters())
    votes = [
        Vote(1, Zxid(1, 9), "n3"),
        Vote(2, NOTHING, "n1"),
        Vote(2, Zxid(1, 3), "n1"),
        Vote(2, Zxid(1, 3), "n2"),
        Vote(2, Zxid(1, 3), "n9"),
        Vote(2, Zxid(1, 3), "n10"),
        Vote(2, Zxid(2, 1), "n1"),
    ]
    for i, worse in enumerate(votes):
        for better in votes[i + 1 :]:
            assert server._is_better(better, worse)
            assert not server._is_better(worse, better)
        assert not server._is_better(worse, worse)


def test_a_cluster_of_one_leads_when_its_epoch_is_on_disk_and_answers() -> None:
    cluster = Cluster(("n1",), lambda id: Zab(id, ("n1",), Parameters()))
    assert cluster.disks["n1"].records == {"incarnation": 1, "accepted epoch": 1}
    cluster.ring("n1", SYNCED)
    assert cluster.disks["n1"].records["current epoch"] == 1
    cluster.ask("c1", 1, Command("write", "x", 5), "n1")
    cluster.drain()
    assert [answer.message for answer in cluster.answers] == [Answer(1, 5, position=1)]
    cluster.start("n1")
    cluster.ring("n1", SYNCED)
    cluster.ask("c1", 2, Command("read", "x"), "n1")
    cluster.drain()
    assert cluster.answers[-1].message == Answer(2, 5, position=2)
    assert {seen.term for seen in cluster.said if seen.what == "lead"} == {1, 2}


def test_copies_are_equal_and_go_their_own_way() -> None:
    node = Zab("n1", ("n1", "n2", "n3"), Parameters())
    node.on_start(Saved(), 0, Outbox())
    twin = node.copy()
    assert twin == node
    assert hash(twin) == hash(node)
    twin.on_timer(TICK, 0, Outbox())
    assert twin != node
    assert node.role is twin.role is Role.LOOKING


def test_names_of_connections_are_never_used_again_not_even_after_a_restart() -> None:
    names: set[int] = set()
    saved = Saved()
    for _ in range(3):
        node = Zab("n1", ("n1", "n2", "n3"), Parameters())
        node.on_start(saved, 0, Outbox())
        fresh = {node._fresh() for _ in range(100)}
        assert not names & fresh
        assert not names or min(fresh) > max(names)
        names |= fresh
        saved = Saved({"incarnation": node.incarnation})


def test_a_late_copy_of_an_opening_makes_no_connection_to_nobody() -> None:
    servers = Servers(Zab, Parameters())
    openings: list[Packet] = []
    while not openings:
        servers.happen(servers.wire[0].to)
        openings = [packet for packet in servers.wire if packet.sender == "n1" and isinstance(packet.message, CEpoch)]
    late = openings[0]
    servers.settle()
    leader = servers.zab("n3")
    assert set(leader.channels) == {"n1", "n2"}
    servers.away = frozenset({"n1"})
    servers.tick(["n2", "n3"], 6)
    assert set(leader.channels) == {"n2"}
    servers.away = frozenset()
    servers.wire.append(late)
    servers.deliver(late)
    assert set(leader.channels) == set(leader.followers) == {"n2"}
    servers.settle()
    servers.elect(IDS)
    assert set(leader.channels) == {"n1", "n2"}


def test_nothing_is_said_before_the_start_is_on_disk() -> None:
    out = Outbox()
    Zab("n1", ("n1", "n2"), Parameters()).on_start(Saved(), 0, out)
    assert "incarnation" in str(out.effects[0])
    assert any(isinstance(effect, Send) for effect in out.effects[1:])


def test_the_stated_bound_follows_the_parameters() -> None:
    slow = Parameters(sync_limit=10, init_limit=20)
    assert PROTOCOL.recovers_within(Parameters()) == 2_680_000
    assert PROTOCOL.recovers_within(slow) > 2 * PROTOCOL.recovers_within(Parameters())
