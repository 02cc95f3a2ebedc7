"""An operation that is sent twice, copied by the network, and logged by two leaders, takes effect once."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from bench.node import Answer, NodeId, Outbox
from bench.parts.sessions import Sessions
from bench.protocols.raft import Parameters, Raft
from tests.bench.runs import Run, run, with_raft

ROUGH = """
duration = "10s"
heal = "6500ms"
protocols = ["own"]
[cluster]
nodes = 3
client-latency = "1ms..20ms"
[workload]
kind = "kv"
clients = 4
keys = 1
mix = { read = 1, write = 1, cas = 3 }
think = "1ms..20ms"
[[faults]]
kind = "loss"
at = "1s"
link = "all - clients"
rate = 0.3
[[faults]]
kind = "duplication"
at = "1s"
link = "all - clients"
rate = 0.3
later = "exponential 6ms"
[[faults]]
kind = "duplication"
at = "1s"
rate = 0.3
[[faults]]
kind = "crash"
at = "2s"
node = "leader"
for = "600ms"
[[faults]]
kind = "pause"
at = "4s"
node = "leader"
for = "600ms"
"""

Counts = dict[tuple[NodeId, int], Counter[tuple[str, int]]]  # by replica and its life: by operation
LOGGED: Counts = defaultdict(Counter)
APPLIED: Counts = defaultdict(Counter)


class CountingRaft(Raft):
    """Counts, for each life of each replica, how often every operation is in the log and how often it takes effect."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        super().__init__(me, members, parameters)
        life = me, sum(before[0] == me for before in LOGGED)
        self.logged, self.applied = LOGGED[life], APPLIED[life]

    def _apply(self, index: int, out: Outbox) -> None:
        entry = self.log[index]
        operation = entry.session, entry.sequence
        answered = self.machine.sessions.answer(*operation)
        super()._apply(index, out)
        if entry.command is not None:
            self.logged[operation] += 1
            self.applied[operation] += self.took_effect(answered, self.machine.sessions.answer(*operation))

    @staticmethod
    def took_effect(before: Answer | None, after: Answer | None) -> bool:
        return after is not before  # the store has made another answer


class NoSessions(Sessions):
    """A table that forgets."""

    def answer(self, session: str, sequence: int) -> Answer | None:
        return None

    def is_stale(self, session: str, sequence: int) -> bool:
        return False


class RepeatingRaft(CountingRaft):
    """Raft without the table of §8."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        super().__init__(me, members, parameters)
        self.machine.sessions = NoSessions()

    @staticmethod
    def took_effect(before: Answer | None, after: Answer | None) -> bool:
        return True  # whatever is in the log is carried out


def rough(node: type[Raft], seed: int) -> Run:
    LOGGED.clear()
    APPLIED.clear()
    return run(ROUGH, "own/log", seed=seed, registry=with_raft(node))


def repeated(counts: Counts) -> int:
    """How many operations a replica met more than once in one life."""
    return sum(times > 1 for life in counts.values() for times in life.values())


@pytest.mark.parametrize("seed", range(3))
def test_every_replica_applies_every_operation_at_most_once(seed: int) -> None:
    seen = rough(CountingRaft, seed)
    assert seen.result.status == "as expected", seen.result.notes
    assert repeated(LOGGED) > 10  # else there was nothing to keep apart
    assert sum(sum(life.values()) for life in APPLIED.values()) > 500
    assert repeated(APPLIED) == 0


def test_without_the_table_the_same_runs_apply_twice_and_clients_can_tell() -> None:
    outcomes = []
    for seed in range(3):
        seen = rough(RepeatingRaft, seed)
        assert repeated(APPLIED) > 10
        outcomes.append(next(each.verdict.outcome for each in seen.result.judged if each.name == "linearizable"))
    assert "invalid" in outcomes


class ForgettingSessions(Sessions):
    """Knows what a session has asked for last, but not what it was answered."""

    def answer(self, session: str, sequence: int) -> Answer | None:
        return None


@pytest.mark.parametrize("column", ["raft/log", "zab/log", "multipaxos/log", "paxos/log"])
def test_a_table_that_forgets_answers_cannot_pass_for_one_that_skips(
    column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is announced as skipped comes from the branch that skips, not from a second look at the table."""

    def judged() -> str:
        seen = run(ROUGH.replace('"own"', f'"{column}"'), column)
        return next(each.verdict.outcome for each in seen.result.judged if each.name == "exactly-once")

    assert judged() == "valid"
    monkeypatch.setattr("bench.parts.machine.Sessions", ForgettingSessions)
    assert judged() == "invalid"
