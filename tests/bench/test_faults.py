"""Whom a fault means, when it starts, what it does, and when it is over."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import pytest

from bench.actions import Cut
from bench.fault import Cast, NobodyYet
from bench.faults.partition import Partition
from bench.run import Unfit
from checkers.history import NEMESIS
from scenarios.units import Link, Target
from tests.bench.runs import Run, run

MS = 1_000_000
NODES = ("n1", "n2", "n3", "n4", "n5")

CALM = """
duration = "5s"
heal = "4s"
protocols = ["raft"]
[cluster]
nodes = 5
latency = "2ms..4ms"
[workload]
kind = "kv"
clients = 3
think = "5ms..15ms"
"""


def cast(
    *, leader: str | None = "n3", down: tuple[str, ...] = (), trigger: str | None = None, **names: tuple[str, ...]
) -> Cast:
    order = ("n4", "n2", "n5", "n3", "n1")
    return Cast(NODES, ("c1", "c2"), order, leader=leader, down=frozenset(down), trigger=trigger, names=names)


def resolved(cast: Cast, *targets: str) -> tuple[str, ...]:
    return cast.resolve(Target.parse(target) for target in targets)


class Phase(NamedTuple):
    """The start or end of a fault, as the history has it."""

    time: int
    fault: str
    phase: str
    nodes: list[str]
    what: str


def phases(run: Run) -> list[Phase]:
    events = [event for event in run.recording.history.events() if event.process == NEMESIS]
    values: list[dict[str, Any]] = [event.value for event in events]
    return [
        Phase(event.time // 1000, value["fault"], value["phase"], value["nodes"], value["what"])
        for event, value in zip(events, values, strict=True)
    ]


def when(run: Run, fault: str, phase: str = "starts") -> int:
    """The microsecond in which it began or ended; there must be one."""
    (time,) = (each.time for each in phases(run) if (each.fault, each.phase) == (fault, phase))
    return time


def first(run: Run, what: str, nth: int = 1) -> tuple[int, str]:
    """The microsecond and the node of the nth observation that says this."""
    said = [seen for seen in run.recording.observations if seen.what == what]
    return said[nth - 1].time // 1000, said[nth - 1].node


# ------------------------------------------------------------------------------------------------------------ targets


def test_each_word_means_whom_it_says() -> None:
    assert resolved(cast(), "n2") == ("n2",)
    assert resolved(cast(), "c2") == ("c2",)
    assert resolved(cast(), "clients") == ("c1", "c2")
    assert resolved(cast(), "all") == NODES
    assert resolved(cast(), "leader") == ("n3",)
    assert resolved(cast(), "rest") == NODES
    assert resolved(cast(), "any") == ("n4",)
    assert resolved(cast(), "3 any") == ("n4", "n2", "n5")
    assert resolved(cast(leader="n4"), "2 follower") == ("n2", "n5")
    assert resolved(cast(trigger="n5"), "trigger") == ("n5",)
    assert resolved(cast(old=("n1", "n2")), "old") == ("n1", "n2")


def test_nobody_is_named_twice_by_any_and_rest_takes_what_is_left() -> None:
    roles = cast()
    assert resolved(roles, "leader as old", "any as friend") == ("n3", "n4")
    assert resolved(roles, "any") == ("n2",)
    assert resolved(roles, "rest as others") == ("n1", "n5")
    assert resolved(roles, "rest") == ()
    assert roles.names == {"old": ("n3",), "friend": ("n4",), "others": ("n1", "n5")}


def test_any_prefers_nodes_that_run_and_takes_a_dead_one_when_no_other_is_left() -> None:
    assert resolved(cast(down=("n4", "n5")), "2 any") == ("n2", "n3")
    assert resolved(cast(down=("n4", "n5")), "4 any") == ("n2", "n3", "n1", "n4")
    assert resolved(cast(), "9 any") == ("n4", "n2", "n5", "n3", "n1")


@pytest.mark.parametrize("who", ["leader", "follower"])
def test_without_a_leader_there_is_nobody_to_mean(who: str) -> None:
    with pytest.raises(NobodyYet):
        resolved(cast(leader=None), who)


def test_a_link_is_every_directed_edge_once_and_none_between_clients_or_to_oneself() -> None:
    assert cast().edges(Link.parse("n1 -> n2")) == (("n1", "n2"),)
    assert cast().edges(Link.parse("n1 - n2")) == (("n1", "n2"), ("n2", "n1"))
    assert set(cast().edges(Link.parse("leader -> all"))) == {("n3", node) for node in NODES if node != "n3"}
    assert set(cast().edges(Link.parse("all -> follower"))) == {(node, "n4") for node in NODES if node != "n4"}
    everywhere = cast().edges(Link.parse("all - all"))
    assert len(everywhere) == len(set(everywhere)) == 20
    assert cast().edges(Link.parse("clients - clients")) == ()
    assert set(cast().edges(Link.parse("clients -> n1"))) == {("c1", "n1"), ("c2", "n1")}


def edges_of(*groups: tuple[str, ...], one_way: bool = False) -> set[tuple[str, str]]:
    targets = tuple(tuple(Target.parse(target) for target in group) for group in groups)
    (action,) = Partition(name="p", groups=targets, one_way=one_way).inflict(cast()).begin
    assert isinstance(action, Cut)
    return set(action.edges)


def test_a_partition_cuts_every_edge_between_groups_both_ways() -> None:
    assert edges_of(("n1", "n2"), ("n3",)) == {("n1", "n3"), ("n2", "n3"), ("n3", "n1"), ("n3", "n2")}
    three = edges_of(("n1",), ("n2",), ("n3",))
    assert len(three) == 6
    assert len(edges_of(("leader", "any"), ("rest",))) == 2 * 2 * 3


def test_a_one_way_partition_cuts_what_the_first_group_sends() -> None:
    assert edges_of(("n1", "n2"), ("n3",), ("n4",), one_way=True) == {
        (a, b) for a in ("n1", "n2") for b in ("n3", "n4")
    }


def test_who_is_in_no_group_is_a_bridge_and_clients_are_in_none_unless_named() -> None:
    ends = {end for edge in edges_of(("leader",), ("2 any",)) for end in edge}
    assert ends == {"n3", "n4", "n2"}
    assert ("c2", "n1") in edges_of(("n1",), ("c2",))


# ------------------------------------------------------------------------------------------------------------- timing


def test_a_fault_that_means_the_leader_waits_for_one() -> None:
    seen = run(CALM + '[[faults]]\nname="f"\nkind="pause"\nat="0s"\nnode="leader"\nfor="100ms"')
    time, leader = first(seen, "lead")
    assert when(seen, "f") == time > 100_000
    assert when(seen, "f", "ends") == time + 100_000
    assert phases(seen)[0].nodes == [leader]


def test_a_dead_leader_is_nobody_until_the_next_is_elected() -> None:
    faults = """
    [[faults]]
    name = "kill"
    kind = "crash"
    at = "1500ms"
    node = "leader as old"
    for = "2s"
    [[faults]]
    name = "next"
    kind = "pause"
    on = "kill starts"
    node = "leader"
    for = "100ms"
    """
    seen = run(CALM + faults)
    time, leader = first(seen, "lead", 2)
    assert when(seen, "kill") == 1_500_000
    assert when(seen, "next") == time > 1_500_000
    assert [each.nodes for each in phases(seen) if each.fault == "next"] == [[leader]] * 2
    assert leader != first(seen, "lead")[1]


@pytest.mark.parametrize(
    ("event", "what"), [("vote-granted", "vote"), ("entry-appended", "append"), ("committed", "commit")]
)
def test_an_event_starts_a_fault_at_its_nth_time_so_long_after_at_the_node_that_it_happened_to(
    event: str, what: str
) -> None:
    fault = f'[[faults]]\nname="f"\nkind="pause"\non="{event}"\nnth=3\nafter="7ms"\nnode="trigger"\nfor="50ms"'
    seen = run(CALM + fault)
    time, node = first(seen, what, 3)
    assert when(seen, "f") == time + 7_000
    assert [each.nodes for each in phases(seen) if each.fault == "f"] == [[node]] * 2


def test_faults_start_when_another_starts_or_ends_and_keep_to_the_nodes_that_it_named() -> None:
    faults = """
    [[faults]]
    name = "one"
    kind = "pause"
    at = "1s"
    for = "300ms"
    node = "any as first"
    [[faults]]
    name = "two"
    kind = "crash"
    on = "one ends"
    after = "5ms"
    node = "first"
    for = "100ms"
    """
    seen = run(CALM + faults)
    assert [each.time for each in phases(seen) if each.fault in ("one", "two")] == [
        1_000_000,
        1_300_000,
        1_305_000,
        1_405_000,
    ]
    assert len({tuple(each.nodes) for each in phases(seen) if each.fault in ("one", "two")}) == 1


def test_a_fault_about_a_name_that_is_not_yet_given_waits_until_it_is() -> None:
    faults = """
    [[faults]]
    name = "one"
    kind = "pause"
    at = "1s"
    for = "300ms"
    node = "any as first"
    [[faults]]
    name = "two"
    kind = "pause"
    on = "vote-granted"
    node = "first"
    for = "100ms"
    """
    seen = run(CALM + faults)
    assert first(seen, "vote")[0] < when(seen, "one") == when(seen, "two")
    assert len({tuple(each.nodes) for each in phases(seen) if each.fault in ("one", "two")}) == 1


def test_a_crash_at_a_vote_falls_between_the_vote_and_its_promise() -> None:
    """The vote is on disk, and nobody has heard of it."""
    seen = run(CALM + '[[faults]]\nkind="crash"\non="vote-granted"\nnode="trigger"\nfor="1s"')
    time, voter = first(seen, "vote")
    mine = [step for step in seen.steps if step.node == voter and step.time // 1000 == time]
    assert [step.event for step in mine][-2:] == ["observe", "crash"]
    assert not [step for step in mine if step.event == "send"]


@pytest.mark.parametrize(("optional", "status"), [("false", "undecided"), ("true", "as expected")])
def test_a_fault_that_never_started_is_reported_and_leaves_the_run_undecided_unless_it_may(
    optional: str, status: str
) -> None:
    late = f'[[faults]]\nname="f"\nkind="pause"\non="leader-elected"\nnth=99\nnode="trigger"\noptional={optional}'
    seen = run(CALM.replace('duration = "5s"', 'duration = "8s"') + late)
    assert seen.result.status == status
    assert [note for note in seen.result.notes if "f never started" in note] == list(seen.result.notes)
    assert seen.recording.never_started == (("f",) if optional == "false" else ())


def test_no_fault_starts_after_heal() -> None:
    seen = run(CALM + '[[faults]]\nname="f"\nkind="pause"\non="leader-elected"\nafter="4s"\nnode="n1"')
    assert [each.fault for each in phases(seen)] == ["heal"]
    assert seen.recording.never_started == ("f",)


# -------------------------------------------------------------------------------------------------------- overlapping


@pytest.mark.parametrize(("kind", "begins", "ends"), [("crash", "crash", "start"), ("pause", "pause", "resume")])
def test_what_two_faults_have_stopped_goes_on_when_both_are_over(kind: str, begins: str, ends: str) -> None:
    faults = "".join(
        f'[[faults]]\nname="{name}"\nkind="{kind}"\nat="{at}"\nfor="{length}"\nnode="n2"\n'
        for name, at, length in (("a", "1s", "800ms"), ("b", "1200ms", "200ms"), ("c", "1700ms", "500ms"))
    )
    seen = run(CALM + faults)
    mine = [
        (step.time // 1000, step.event) for step in seen.steps if step.node == "n2" and step.event in (begins, ends)
    ]
    mine = [item for item in mine if item[0] > 0]
    assert mine[0] == (1_000_000, begins)
    assert [item for item in mine if item[1] == ends] == [(2_200_000, ends)]


def test_a_paused_node_that_crashes_and_starts_again_is_still_paused() -> None:
    faults = """
    [[faults]]
    kind = "pause"
    at = "1s"
    for = "1s"
    node = "n2"
    [[faults]]
    kind = "crash"
    at = "1200ms"
    for = "200ms"
    node = "n2"
    """
    steps = [step for step in run(CALM + faults).steps if step.node == "n2" and step.time > 0]
    told = [(step.time // MS, step.event) for step in steps if step.event in ("crash", "start", "pause", "resume")]
    assert told == [(1_000, "pause"), (1_200, "crash"), (1_400, "start"), (1_400, "pause"), (2_000, "resume")]
    assert not [step for step in steps if 1_400 * MS < step.time < 2_000 * MS and step.event in ("deliver", "timer")]


def test_a_crash_that_is_still_to_come_is_not_called_off_by_the_end_of_another() -> None:
    """Both are to die in the middle of a handler, and the first fault is over before the node does anything."""
    faults = """
    [[faults]]
    kind = "pause"
    at = "1s"
    for = "300ms"
    node = "n2"
    [[faults]]
    kind = "crash"
    at = "1100ms"
    for = "100ms"
    node = "n2"
    effects = 2
    [[faults]]
    kind = "crash"
    at = "1150ms"
    for = "500ms"
    node = "n2"
    effects = 3
    """
    steps = [step for step in run(CALM + faults).steps if step.node == "n2" and step.time > 0]
    told = [(step.time // MS, step.event) for step in steps if step.event in ("crash", "start")]
    assert told[0][0] >= 1_300
    assert told[0][1] == "crash"
    assert told[1:] == [(1_650, "start")]


# --------------------------------------------------------------------------------------------------------------- heal

BROKEN = """
[[faults]]
kind = "partition"
at = "1s"
groups = [["n1", "n2"], ["n3", "n4", "n5"]]
[[faults]]
kind = "loss"
at = "1s"
rate = 1.0
link = "n3 - n1"
[[faults]]
kind = "crash"
at = "1s"
node = "n4"
[[faults]]
kind = "pause"
at = "1s"
node = "n5"
[[faults]]
kind = "delay"
at = "1s"
by = "50ms"
"""


def flows(run: Run, since: int) -> Counter[tuple[str, str]]:
    """Packets by edge that arrived after this millisecond, between nodes."""
    return Counter(
        (step.peer or "", step.node)
        for step in run.steps
        if step.event == "deliver" and step.time > since * MS and step.node[0] == "n" and (step.peer or "")[0] == "n"
    )


def test_heal_ends_everything() -> None:
    seen = run(CALM.replace('"5s"', '"9s"') + BROKEN)
    assert seen.result.status == "as expected"
    ended = [each for each in phases(seen) if each.phase == "ends"]
    assert len(ended) == 5
    assert {each.time for each in ended} == {4_000_000}
    leader = [lead.node for lead in seen.recording.observations.of("lead")][-1]
    arriving = flows(seen, 6_000)
    assert {edge[1] for edge in arriving if edge[0] == leader} == set(NODES) - {leader}
    longest = max(
        step.time - sent
        for sent, step in _travels(seen)
        if sent > 4_100 * MS and step.node[0] == "n" and (step.peer or "")[0] == "n"
    )
    assert longest <= 4 * MS  # no delay is left


def _travels(run: Run) -> list[tuple[int, Any]]:
    sent = {step.packet: step.time for step in run.steps if step.event == "send"}
    return [(sent[step.packet], step) for step in run.steps if step.event == "deliver"]


def test_heal_core_heals_the_core_and_nothing_else() -> None:
    core = CALM.replace('heal = "4s"', 'heal = "4s"\nheal-core = true\ncore = ["n1", "n3", "n5"]').replace(
        '"5s"', '"9s"'
    )
    seen = run(core + BROKEN)
    assert seen.result.status == "as expected"
    arriving = flows(seen, 5_000)
    assert {end for edge in arriving for end in edge} >= {"n1", "n3", "n5"}
    assert not arriving["n2", "n3"]
    assert not arriving["n3", "n2"]
    assert not arriving["n1", "n4"]
    dead = [step for step in seen.steps if step.node == "n4" and step.time > 4_000 * MS]
    assert {step.event for step in dead} <= {"ignore", "drop"}
    within = [
        step.time - sent
        for sent, step in _travels(seen)
        if sent > 4_100 * MS and {step.node, step.peer} <= {"n1", "n3", "n5"}
    ]
    assert within
    assert max(within) <= 4 * MS
    outside = [
        step.time - sent
        for sent, step in _travels(seen)
        if sent > 4_100 * MS and {step.node, step.peer} == {"n1", "n2"}
    ]
    assert min(outside, default=50 * MS) >= 50 * MS
    whole = [each.what for each in phases(seen) if each.phase == "ends"]
    assert whole == ["n5"]  # the pause; of everything else, something concerns n2 or n4 and goes on


# -------------------------------------------------------------------------------------------------------- packet rules


def sent_and_dropped(run: Run, kind: str, since: int, until: int) -> dict[tuple[str, str], list[bool]]:
    """By edge, in the order of sending, whether each message of this type was lost at once."""
    dropped = {step.packet for step in run.steps if step.event == "drop"}
    found: dict[tuple[str, str], list[bool]] = {}
    for step in run.steps:
        if step.event == "send" and since * MS < step.time < until * MS and type(step.what).__name__ == kind:
            found.setdefault((step.node, step.peer or ""), []).append(step.packet in dropped)
    return found


def test_drop_loses_the_nth_message_of_its_type_on_each_of_its_links_and_no_other() -> None:
    fault = '[[faults]]\nkind="drop"\nat="1s"\nfor="2s"\ntype="AppendEntries"\nlink="leader -> all"\ncount=4'
    seen = run(CALM + fault)
    leader = first(seen, "lead")[1]
    told = sent_and_dropped(seen, "AppendEntries", 1_000, 3_000)
    assert set(told) == {(leader, node) for node in NODES if node != leader}
    for lost in told.values():
        assert [number for number, gone in enumerate(lost, 1) if gone] == [4]
    assert seen.recording.counters["packets-dropped"] == 4


def test_drop_without_a_count_loses_every_message_of_its_type_while_it_lasts() -> None:
    seen = run(CALM + '[[faults]]\nkind="drop"\nat="1s"\nfor="1s"\ntype="Appended"\nlink="n2 -> all"')
    assert all(
        all(lost) == (edge[0] == "n2") for edge, lost in sent_and_dropped(seen, "Appended", 1_000, 2_000).items()
    )
    later = sent_and_dropped(seen, "Appended", 2_000, 9_000)
    assert later
    assert not any(any(lost) for lost in later.values())


@pytest.mark.parametrize(("kind", "more"), [("drop", ""), ("loss", "rate=0.5")])
def test_a_fault_on_packets_that_meets_no_link_has_not_started(kind: str, more: str) -> None:
    fault = f'[[faults]]\nname="f"\nkind="{kind}"\nat="1s"\ntype="Appended"\nlink="c1 -> c2"\n{more}'
    seen = run(CALM + fault)
    assert seen.recording.never_started == ("f",)
    assert "faults of " + kind not in seen.recording.counters


def test_a_type_of_messages_that_nobody_sends_leaves_the_run_undecided() -> None:
    fault = '[[faults]]\nname="f"\nkind="drop"\nat="1s"\ntype="AppendEntry"\nlink="n1 -> n2"'
    seen = run(CALM.replace('duration = "5s"', 'duration = "8s"') + fault)
    assert seen.result.status == "undecided"
    (note,) = seen.result.notes
    assert note.startswith("the fault f met no AppendEntry; what was sent: Answer, AppendEntries, Appended, ")


def test_a_rate_of_loss_is_that_rate_and_only_of_its_type() -> None:
    seen = run(CALM + '[[faults]]\nkind="loss"\nat="1s"\nfor="3s"\ntype="Appended"\nrate=0.25')
    lost = [gone for gones in sent_and_dropped(seen, "Appended", 1_000, 4_000).values() for gone in gones]
    assert sum(lost) / len(lost) == pytest.approx(0.25, abs=0.06)
    assert not any(any(gone) for gone in sent_and_dropped(seen, "AppendEntries", 1_000, 4_000).values())


def test_clients_that_open_later_are_cut_off_like_the_others() -> None:
    """In an open loop new sessions take what arrives while the old ones wait: they must not get round the cut."""
    text = CALM.replace('think = "5ms..15ms"', 'rate = "100/s"').replace(
        "clients = 3", "clients = 2\nsessions-max = 40"
    )
    fault = '[[faults]]\nkind="partition"\nat="2s"\nfor="300ms"\ngroups=[["clients"], ["all"]]'
    seen = run(text + fault)
    operations = [op for op in seen.recording.history.operations() if op.session != "shed"]
    opened = {op.session for op in operations if op.time < 2_000 * MS}
    during = [op for op in operations if 2_000 * MS < op.time < 2_300 * MS]
    assert len({op.session for op in during} - opened) > 3
    assert all(op.return_time is None or op.return_time >= 2_300 * MS for op in during)


@pytest.mark.parametrize("kind", ["crash", "pause"])
@pytest.mark.parametrize("who", ["c1", "clients"])
def test_a_client_can_be_cut_off_and_nothing_else(kind: str, who: str) -> None:
    with pytest.raises(Unfit, match="the fault f is about a client: clients can be cut off, but not crashed or paused"):
        run(CALM + f'[[faults]]\nname="f"\nkind="{kind}"\nat="1s"\nnode="{who}"')
