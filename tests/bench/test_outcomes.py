"""How a run can end before its time, and what is said of it then."""

from __future__ import annotations

import pytest

from bench.node import Message, Node, NodeId, Outbox, Saved, require
from bench.protocol import Mode, Protocol
from bench.protocols.raft import PROTOCOL as RAFT
from bench.protocols.raft import Parameters, Raft, RequestVote, ten_election_timeouts
from bench.registry import Registry
from bench.run import Unfit
from tests.bench.runs import run, with_protocol, with_raft

SHORT = """
duration = "4s"
protocols = ["{}"]
{}
[cluster]
nodes = 3
latency = "1ms"
[workload]
kind = "kv"
clients = 2
"""


class Ball(Message, frozen=True):
    """Comes back."""


class Whisper(Message, frozen=True):
    """Is said once."""


class PingPong(Node):
    """Two balls for every one that arrives."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        self.other = next(member for member in members if member != me)

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        out.send(self.other, Whisper())
        out.send(self.other, Ball())

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        if isinstance(message, Ball):
            out.send(self.other, Ball())
            out.send(self.other, Ball())


def test_a_storm_ends_the_run_undecided_and_names_the_loudest_message() -> None:
    protocol = Protocol(
        summary="never quiet",
        parameters=Parameters,
        modes={"loud": Mode(PingPong, promises=None)},
        operations=frozenset({"read", "write", "cas"}),
        observes=frozenset(),
        sessions=False,
        recovers_within=ten_election_timeouts,
    )
    seen = run(SHORT.format("pingpong", ""), "pingpong/loud", registry=with_protocol("pingpong", protocol))
    assert seen.result.status == "undecided"
    assert seen.recording.cut_short is not None
    kind, reason = seen.recording.cut_short
    assert kind == "storm"
    assert reason.startswith("more than 100,000 events; the loudest message is Ball (")
    assert any(note == f"storm: {reason}" for note in seen.result.notes)
    assert seen.recording.counters["events"] == 100_001
    assert seen.recording.counters["packets of Whisper"] == 3


@pytest.mark.parametrize("events_max", [1, 3, 5, 50, 2_000])
def test_a_cap_ends_the_run_wherever_it_falls(events_max: int) -> None:
    """At the very start, and in the final reads: it is an outcome, and never an error."""
    seen = run(SHORT.format("raft", f"events-max = {events_max}"))
    assert seen.result.status == "undecided"
    assert seen.recording.counters["events"] == events_max + 1


def test_a_cap_that_falls_into_the_final_reads_is_an_outcome_too() -> None:
    whole = run(SHORT.format("raft", "")).recording
    total = whole.counters["events"]
    assert whole.cut_short is None
    for events_max in range(total - 60, total, 7):
        cut = run(SHORT.format("raft", f"events-max = {events_max}")).recording
        assert cut.cut_short is not None
        assert cut.cut_short[0] == "storm"


class StrictRaft(Raft):
    """Has a requirement that does not hold."""

    def _on_request_vote(self, candidate: NodeId, m: RequestVote, out: Outbox) -> None:
        require(m.term < 1, "nobody ever stands")
        super()._on_request_vote(candidate, m, out)


def test_a_broken_requirement_is_a_verdict_that_quotes_it() -> None:
    seen = run(SHORT.format("own", ""), "own/log", registry=with_raft(StrictRaft))
    assert seen.result.status == "not as expected"
    assert seen.recording.cut_short == ("invariant", "nobody ever stands")
    verdict = next(each.verdict for each in seen.result.judged if each.name == "requirements")
    assert verdict.outcome == "invalid"
    assert "nobody ever stands" in verdict.reason
    assert verdict.witness[0].what == "violated"


class WrongRaft(Raft):
    """Has a bug of ours."""

    def _on_request_vote(self, candidate: NodeId, m: RequestVote, out: Outbox) -> None:
        raise AssertionError("ours")


def test_an_error_of_ours_is_no_verdict() -> None:
    with pytest.raises(AssertionError, match="ours"):
        run(SHORT.format("own", ""), "own/log", registry=with_raft(WrongRaft))


def mutated(node: type[Raft]) -> Registry:
    return with_protocol("own", RAFT.mutant("raft/log", node, "strict"))


def test_a_mutant_goes_on_whatever_its_parent_requires() -> None:
    seen = run(SHORT.format("own", ""), "own/log", registry=mutated(StrictRaft))
    assert seen.recording.cut_short is None
    assert seen.result.status == "undecided"  # there was no time for progress; nothing else is wrong with it
    assert "requirements" not in {each.name for each in seen.result.judged}
    with pytest.raises(Unfit, match="requirements is expected to be invalid, but own is a mutant"):
        run(SHORT.format("own", '[expect]\nrequirements = "invalid"'), "own/log", registry=mutated(StrictRaft))


class StumblingRaft(StrictRaft):
    """Fails after what it must not do."""

    def _on_request_vote(self, candidate: NodeId, m: RequestVote, out: Outbox) -> None:
        super()._on_request_vote(candidate, m, out)
        raise IndexError("there is no such entry")


def test_the_error_that_a_mutant_runs_into_ends_it_by_what_it_broke_before() -> None:
    seen = run(SHORT.format("own", ""), "own/log", registry=mutated(StumblingRaft))
    assert seen.recording.cut_short == ("invariant", "nobody ever stands")


def test_an_error_of_ours_is_no_verdict_in_a_mutant_either() -> None:
    with pytest.raises(AssertionError, match="ours"):
        run(SHORT.format("own", ""), "own/log", registry=mutated(WrongRaft))
