"""Progress, and what a run says of replicas: whoever stays behind, hangs, or tells another story than it keeps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bench.node import Message, NodeId, Outbox, Request, Saved
from bench.protocol import NodeClass
from bench.protocols.multipaxos import MultiPaxos
from bench.protocols.multipaxos.server import Heartbeat
from bench.protocols.primary_backup import SyncPrimaryBackup
from bench.protocols.raft import AppendEntries, FollowerLocalRaft, Raft
from bench.protocols.zab import LocalZab
from bench.run import Unfit, judge
from checkers import History, Observation, Observations, Outcome, Verdict, progress
from tests.bench.runs import REGISTRY, Run, kept, run, with_protocol

MS = 1_000_000
RESTARTED = """
duration = "6s"
heal = "2s"
{more}
protocols = ["{column}"]
[cluster]
nodes = 3
[workload]
kind = "kv"
clients = 4
think = "20ms"
mix = {{ read = 5, write = 3 }}
{workload}
[[faults]]
kind = "crash"
at = "500ms"
for = "500ms"
node = "n3"
[expect]
{expect}
"""


def own(column: str, node: NodeClass | None = None, *, more: str = "", workload: str = "", expect: str = "") -> Run:
    """n3 crashes and starts again, in a cluster of the shipped mode or of one like it with another node class."""
    if node is None:
        return run(RESTARTED.format(column=column, more=more, workload=workload, expect=expect), column)
    name, _, mode = column.partition("/")
    registry = with_protocol("own", REGISTRY.protocols[name].mutant(column, node, "as the test says"))
    column = f"own/{mode}"
    return run(RESTARTED.format(column=column, more=more, workload=workload, expect=expect), column, registry=registry)


def said(found: Run, checker: str) -> Verdict:
    return next(each.verdict for each in found.result.judged if each.name == checker)


# ----------------------------------------------------------------------------------------------------- who stays behind


class Deaf(MultiPaxos):
    """Learns nothing any more once it has been down."""

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        super().on_start(saved, now, out)
        self.restarted = bool(saved.upto or saved.log)

    def _on_heartbeat(self, leader: NodeId, m: Heartbeat, out: Outbox) -> None:
        if not self.restarted:
            super()._on_heartbeat(leader, m, out)
        elif m.ballot >= self.promised:
            self._follow(leader, m.ballot, out)

    def _learn_up_to(self, watermark: int, ballot: int, out: Outbox) -> None:
        if not self.restarted:
            super()._learn_up_to(watermark, ballot, out)


class Idle(Raft):
    """Takes no entry any more once it has been down."""

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        super().on_start(saved, now, out)
        self.restarted = self.term > 0

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        if self.restarted and isinstance(message, AppendEntries):
            message = msgspec.structs.replace(message, entries=())
        super().on_message(sender, message, now, out)


@pytest.mark.parametrize(("column", "node"), [("multipaxos/log", Deaf), ("raft/log", Idle)])
def test_a_replica_that_stays_behind_for_good_is_no_progress(column: str, node: NodeClass) -> None:
    verdict = said(own(column, node), "progress")
    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason.startswith("n3 ")
    assert "committed when everybody had to be served again" in verdict.reason
    assert said(own(column), "progress").outcome is Outcome.VALID


class Lost(LocalZab):
    """Never comes out of its second election."""

    def _conclude(self, out: Outbox) -> None:
        if self.incarnation == 1:
            super()._conclude(out)


def test_a_reader_whose_node_refuses_for_ever_is_not_served_where_every_node_reads() -> None:
    verdict = said(own("zab/local", Lost, workload="readers = 3"), "progress")
    assert verdict.outcome is Outcome.INVALID
    assert "not served" in verdict.reason
    assert said(own("zab/local", workload="readers = 3"), "progress").outcome is Outcome.VALID


def announced(*items: tuple[int, str, str, int | None]) -> Observations:
    return Observations(Observation(at * MS, node, what, slot=slot) for at, node, what, slot in items)


def answered(*, asked: int = 1_100, after: int = 10) -> History:
    common = {"process": 0, "session": "c1", "f": "read", "key": "x"}
    return History.from_events(
        [{"time": asked * MS, "type": "invoke", **common}, {"time": (asked + after) * MS, "type": "ok", **common}]
    )


@pytest.mark.parametrize(
    ("items", "outcome"),
    [
        ([(100, "n1", "commit", 7), (100, "n1", "decide", 7), (2_500, "n2", "decide", 7)], Outcome.VALID),
        ([(100, "n1", "commit", 7), (100, "n1", "decide", 7), (2_500, "n2", "install", 9)], Outcome.VALID),
        ([(100, "n1", "commit", 7), (100, "n1", "decide", 7), (2_500, "n2", "decide", 6)], Outcome.INVALID),
        ([(100, "n1", "commit", 7), (100, "n1", "decide", 7)], Outcome.INVALID),
        ([(1_900, "n1", "commit", 7), (1_900, "n1", "decide", 7), (2_500, "n2", "decide", 7),
          (2_600, "n2", "start", None)], Outcome.INVALID),
        ([(2_001, "n1", "commit", 7), (2_001, "n1", "decide", 7)], Outcome.VALID),
    ],
)  # fmt: skip
def test_what_is_committed_when_the_bound_is_over_counts(
    items: list[tuple[int, str, str, int | None]], outcome: Outcome
) -> None:
    verdict = progress.check(
        answered(), heal=1_000 * MS, bound=1_000 * MS, end=3_000 * MS, observations=announced(*items),
        replicas=("n1", "n2"),
    )  # fmt: skip
    assert verdict.outcome is outcome, verdict.reason


# ------------------------------------------------------------------------------------------------------------ who hangs


class Once(Raft):
    """Hears a request once; a retry is not answered."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.heard: set[tuple[NodeId, int]] = set()

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        if isinstance(message, Request):
            if (sender, message.sequence) in self.heard:
                return
            self.heard.add((sender, message.sequence))
        super().on_message(sender, message, now, out)


def test_who_was_waiting_when_the_faults_ended_is_served_within_the_bound() -> None:
    patient = 'timeout = "1m"'
    verdict = said(own("raft/log", Once, workload=patient), "progress")
    assert verdict.outcome is Outcome.INVALID
    assert "was not served for" in verdict.reason
    assert said(own("raft/log", workload=patient), "progress").outcome is Outcome.VALID


@pytest.mark.parametrize(
    ("asked", "after", "once", "outcome"),
    [
        (900, 1_050, (), Outcome.VALID),
        (900, 1_101, (), Outcome.INVALID),
        (900, 1_101, ("c1",), Outcome.UNKNOWN),  # lost before the faults ended, perhaps, and never sent again
        (1_001, 1_000, ("c1",), Outcome.VALID),
        (1_001, 1_001, ("c1",), Outcome.INVALID),
    ],
)
def test_who_waits_and_asks_again_counts_as_asking_at_heal(
    asked: int, after: int, once: tuple[str, ...], outcome: Outcome
) -> None:
    verdict = progress.check(
        answered(asked=asked, after=after), heal=1_000 * MS, bound=1_000 * MS, end=2_000 * MS, once=once
    )
    assert verdict.outcome is outcome, verdict.reason


def operation(process: int, session: str, asked: int, over: int, kind: str = "ok", **more: Any) -> list[dict[str, Any]]:
    common = {"process": process, "session": session, "f": "read", "key": "x"}
    return [
        {"time": asked * MS, "type": "invoke", **common},
        {"time": over * MS, "type": kind, **common, **more},
    ]


def test_an_answer_that_was_on_its_way_at_heal_serves_nobody_who_asks_later() -> None:
    events = [
        *operation(0, "c1", 990, 1_010),
        *operation(0, "c1", 1_020, 1_520, "info"),
        *operation(1, "c1", 1_530, 1_540),
    ]
    verdict = progress.check(History.from_events(events), heal=1_000 * MS, bound=300 * MS, end=2_000 * MS)
    assert verdict.outcome is Outcome.INVALID
    assert "session c1 asked after heal, and was not served for 520 ms" in verdict.reason


@pytest.mark.parametrize(("refused", "outcome"), [(("c1",), Outcome.UNKNOWN), ((), Outcome.INVALID)])
def test_a_refused_update_is_refused_although_it_may_have_happened(refused: tuple[str, ...], outcome: Outcome) -> None:
    events = operation(0, "c1", 1_500, 1_510, "info", error=progress.REFUSED)
    verdict = progress.check(
        History.from_events(events), heal=1_000 * MS, bound=300 * MS, end=2_000 * MS, refused=refused
    )
    assert verdict.outcome is outcome, verdict.reason


# ------------------------------------------------------------------------------------------------ what the history says


class Corrupting(SyncPrimaryBackup):
    """Stores another value than was asked, and says so."""

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        if isinstance(message, Request) and message.command.f == "write":
            command = msgspec.structs.replace(message.command, value=1_000_000 + int(str(message.command.value)))
            message = msgspec.structs.replace(message, command=command)
        super().on_message(sender, message, now, out)


def test_a_history_holds_what_was_asked_whatever_the_answer_repeats() -> None:
    found = own("primary_backup/sync", Corrupting)
    assert found.result.status == "not as expected"
    writes = [event for event in found.recording.history.events() if event.f == "write"]
    assert {"invoke", "ok"} <= {event.type for event in writes}
    assert all(int(str(event.value)) < 1_000_000 for event in writes)


class Silent(FollowerLocalRaft):
    """n3 answers no read."""

    def _read(self, client: NodeId, m: Request, out: Outbox) -> None:
        if self.me != "n3":
            super()._read(client, m, out)


def test_a_replica_that_answers_nobody_is_still_one_that_was_not_read() -> None:
    verdict = said(own("raft/follower-local", Silent), "eventual")
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.reason.startswith("replica n3 answered no final read")


def test_replicas_outside_the_core_are_not_asked_to_converge() -> None:
    found = own("raft/follower-local", more="heal-core = true")
    assert said(found, "eventual").outcome is Outcome.VALID
    assert found.result.status == "as expected"


def test_lives_of_clients_are_no_starts_of_nodes() -> None:
    assert own("raft/log").recording.counters["starts"] == 4


# ----------------------------------------------------------------------------------------------------- what is expected


def test_an_expectation_that_nothing_can_be_said_about_is_refused() -> None:
    with pytest.raises(Unfit, match=r"agreement is expected to be invalid, but primary_backup never announces: decide"):
        own("primary_backup/async", expect='agreement = "invalid"')


def test_a_verdict_that_is_expected_is_missed_when_the_run_was_cut_short() -> None:
    found = own("raft/log", more="events-max = 3_000", expect='progress = "invalid"')
    assert found.recording.cut_short is not None
    assert found.result.status == "undecided"
    assert any(note.startswith("progress is undecided") for note in found.result.notes)


@pytest.mark.parametrize("mutant", ["truncating_raft", "unguarded_paxos"])
def test_what_is_demanded_of_all_invariants_together_needs_each_of_them(mutant: str) -> None:
    found = kept(f"mutants/{mutant}", f"{mutant}/log")
    assert found.result.status == "as expected"
    assert judge(found.recording, REGISTRY, demanded=True).status == "as expected"
