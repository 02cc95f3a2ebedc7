"""What an operation costs, worked out by hand and then read from the history: hops and syncs, to the nanosecond."""

from __future__ import annotations

import pytest

from tests.bench.runs import run

HOP, CLIENT_HOP = 10, 3
MS = 1_000_000
SETTLED = 2_000 * MS  # by then there is a leader, and the client has found it


def latencies(
    f: str, *, fsync: int = 0, client: int = 0, column: str = "raft/log", cluster: str = "nodes = 3"
) -> set[int]:
    """Every latency, in nanoseconds, that one client alone saw once there was a leader."""
    recording = run(
        f"""
        duration = "6s"
        protocols = ["raft/log", "raft/leader-local"]
        [cluster]
        {cluster}
        latency = "{HOP}ms"
        client-latency = "{client}ms"
        fsync = "{fsync}ms"
        [workload]
        kind = "kv"
        clients = 1
        mix = {{ {f} = 1 }}
        """,
        column,
    ).recording
    operations = [op for op in recording.history.operations() if op.time > SETTLED and not op.final]
    assert len(operations) > 50
    assert all(op.type == "ok" for op in operations)
    return {op.return_time - op.time for op in operations if op.return_time is not None}


@pytest.mark.parametrize("f", ["write", "cas", "read"])
def test_an_entry_costs_two_hops_and_two_syncs(f: str) -> None:
    """A client asks the leader: 0 ms. The leader syncs the entry, 5 ms, and only then sends it, 10 ms. The follower
    syncs it, 5 ms, and only then answers, 10 ms; leader and follower are two of three. Together 30 ms; 20 ms where
    a sync costs nothing. A read through the log is an entry like any other.
    """
    assert latencies(f) == {20 * MS}
    assert latencies(f, fsync=5) == {30 * MS}


def test_a_client_that_is_three_milliseconds_away_waits_exactly_six_longer() -> None:
    """3 ms to the leader, 30 ms for the entry as above, 3 ms back: 36 ms; 26 ms where a sync costs nothing."""
    assert latencies("write", client=CLIENT_HOP) == {26 * MS}
    assert latencies("write", fsync=5, client=CLIENT_HOP) == {36 * MS}


def test_a_read_from_the_leaders_memory_costs_nothing_but_the_way_to_it() -> None:
    """No hop between nodes and no sync: 0 ms, and 3 ms there and 3 ms back for a client that is 3 ms away."""
    assert latencies("read", fsync=5, column="raft/leader-local") == {0}
    assert latencies("read", fsync=5, client=CLIENT_HOP, column="raft/leader-local") == {6 * MS}


def test_a_cluster_of_one_costs_one_sync() -> None:
    """Its own disk is the majority: 5 ms, and not a hop."""
    assert latencies("write", fsync=5, cluster="nodes = 1") == {5 * MS}


def test_a_majority_does_not_wait_for_its_slowest_member() -> None:
    """With every link of n3 at 200 ms, the leader and the nearer of n1 and n2 make the majority: 30 ms as before."""
    slow = "nodes = 3\nlinks = { n3 = '200ms' }"
    assert latencies("write", fsync=5, cluster=slow) == {30 * MS}


def test_writes_that_meet_at_the_disk_share_a_sync() -> None:
    """Four clients start together and each repeats after exactly 10 ms. The first write of a round starts a sync of
    5 ms, so the other three, which come at the same instant, wait for the next: 5 ms more for them, and no more,
    however many they are.
    """
    recording = run(
        """
        duration = "4s"
        protocols = ["raft"]
        [cluster]
        nodes = 1
        fsync = "5ms"
        [workload]
        kind = "kv"
        clients = 4
        mix = { write = 1 }
        think = "10ms"
        """
    ).recording
    operations = [op for op in recording.history.operations() if op.time > SETTLED and not op.final]
    assert len(operations) > 200
    assert max(op.return_time - op.time for op in operations if op.return_time is not None) == 10 * MS
