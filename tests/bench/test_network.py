"""What may and may not be seen of packets, crashes and pauses in a trace."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import pytest

from bench.draws import stream
from bench.network import Network, topology
from bench.node import Refusal, Request
from checkers.trace import Step
from scenarios.units import Span
from tests.bench.runs import Run, run

MS = 1_000_000

BUSY = """
duration = "5s"
heal = "4s"
protocols = ["raft"]
[cluster]
nodes = 3
latency = "2ms..6ms"
client-latency = "1ms"
[workload]
kind = "kv"
clients = 4
think = "1ms..5ms"
"""


class Packet(NamedTuple):
    """One packet of a trace: when it was sent, and when each of its copies arrived, was lost, or found nobody."""

    number: int
    sender: str
    to: str
    sent: int
    arrived: list[int]
    dropped: list[int]
    ignored: list[int]


def packets(steps: list[Step]) -> list[Packet]:
    found: dict[int, Packet] = {}
    for step in steps:
        if step.event == "send":
            assert step.packet is not None
            assert step.peer is not None
            found[step.packet] = Packet(step.packet, step.node, step.peer, step.time, [], [], [])
        elif step.event in ("deliver", "drop", "ignore"):
            assert step.packet is not None
            packet = found[step.packet]  # KeyError: it was never sent
            assert (step.node, step.peer) == (packet.to, packet.sender)
            {"deliver": packet.arrived, "drop": packet.dropped, "ignore": packet.ignored}[step.event].append(step.time)
    return list(found.values())


def arrivals(run: Run) -> dict[tuple[str, str], list[int]]:
    """By link, the numbers of the packets in the order in which they arrived."""
    order: dict[tuple[str, str], list[int]] = defaultdict(list)
    for step in run.steps:
        if step.event == "deliver":
            assert step.packet is not None
            order[step.peer or "", step.node].append(step.packet)
    return order


def test_no_packet_arrives_sooner_than_its_link_allows() -> None:
    for packet in packets(run(BUSY).steps):
        least = 1 * MS if packet.sender[0] != "n" or packet.to[0] != "n" else 2 * MS
        most = 1 * MS if packet.sender[0] != "n" or packet.to[0] != "n" else 6 * MS
        assert all(least <= arrived - packet.sent <= most for arrived in packet.arrived)
        assert len(packet.arrived) <= 1


@pytest.mark.parametrize("one_way", [False, True])
def test_no_packet_crosses_a_cut(one_way: bool) -> None:
    """Neither one that is sent while the edge is cut, nor one that is under way when it is."""
    cut = f"""
    [[faults]]
    kind = "partition"
    at = "1500ms"
    for = "1s"
    groups = [["leader"], ["follower", "c2"]]
    one-way = {str(one_way).lower()}
    """
    begin, end = 1_500 * MS, 2_500 * MS
    seen = run(BUSY + cut)
    start = next(event.value for event in seen.recording.history.events() if event.f == "partition")
    leader, follower, client = start["nodes"]
    edges = {(leader, follower), (leader, client)}
    if not one_way:
        edges |= {(b, a) for a, b in edges}
    crossed = Counter[str]()
    for packet in packets(seen.steps):
        if (packet.sender, packet.to) in edges:
            assert not any(begin < arrived < end for arrived in packet.arrived)
            if begin < packet.sent < end:
                assert packet.dropped == [packet.sent]
                crossed["judged when sent"] += 1
            elif packet.sent <= begin and packet.dropped:
                assert begin <= packet.dropped[0] <= packet.sent + 6 * MS
                crossed["judged on arrival"] += 1
        else:
            assert not packet.dropped
            crossed["not cut"] += begin < packet.sent < end
    assert crossed["judged when sent"] > 10
    assert crossed["judged on arrival"] >= 1
    assert crossed["not cut"] > 100


def test_a_packet_is_lost_by_a_cut_that_falls_between_sending_and_arrival_only() -> None:
    """The edge is cut for a moment in which nothing is sent or arrives: nothing is lost."""
    quiet = BUSY.replace("2ms..6ms", "5ms").replace("clients = 4", "clients = 1").replace("1ms..5ms", "10ms")
    blink = '[[faults]]\nkind="partition"\nat="{}us"\nfor="2us"\ngroups=[["n1"],["n2"],["n3"]]'
    base = [p for p in packets(run(quiet).steps) if p.sender[0] == p.to[0] == "n" and p.sent > 2_000 * MS]
    busy = {time for packet in base for time in (packet.sent, *packet.arrived)}
    under_way = next(p for p in base if p.arrived and not any(0 <= time - p.sent - MS <= 3_000 for time in busy))
    cut = run(quiet + blink.format(under_way.sent // 1000 + 1000))
    assert [p for p in packets(cut.steps) if p.number == under_way.number] == [under_way]
    assert cut.recording.counters["packets-dropped"] == 0


DISORDER = """
[[faults]]
kind = "delay"
at = "1s"
by = "exponential 20ms"
link = "all -> all"
[[faults]]
kind = "duplication"
at = "1s"
rate = 0.3
later = "exponential 30ms"
"""


def test_fifo_links_keep_order_whatever_delays_and_doubles() -> None:
    ordered = run(BUSY.replace("[cluster]", '[cluster]\norder = "fifo"') + DISORDER)
    for numbers in arrivals(ordered).values():
        assert all(earlier <= later for earlier, later in pairwise(numbers))
    assert ordered.recording.counters["packets-duplicated"] > 50


def test_packets_overtake_each_other_otherwise() -> None:
    def overtaken(run: Run) -> int:
        return sum(earlier > later for numbers in arrivals(run).values() for earlier, later in pairwise(numbers))

    assert overtaken(run(BUSY)) > 10
    assert overtaken(run(BUSY + DISORDER)) > 100
    assert overtaken(run(BUSY.replace("2ms..6ms", "4ms"))) == 0  # all take the same time


def test_every_packet_arrives_or_is_accounted_for() -> None:
    end = '[[faults]]\nkind="loss"\nat="1s"\nrate=0.2\n[[faults]]\nkind="crash"\nat="2s"\nfor="500ms"\nnode="n2"'
    seen = run(BUSY + DISORDER + end)
    last = max(step.time for step in seen.steps)
    copies = 0
    for packet in packets(seen.steps):
        fates = len(packet.arrived) + len(packet.dropped) + len(packet.ignored)
        assert fates >= 1 or packet.sent > last - 1_000 * MS
        copies += fates - 1 if fates else 0
    assert 0 < copies <= seen.recording.counters["packets-duplicated"]


def between(steps: list[Step], node: str, begin: str, end: str) -> list[list[Step]]:
    """What happened to a node from each step ``begin`` to the next step ``end``."""
    found: list[list[Step]] = []
    inside = False
    for step in steps:
        if step.node != node:
            continue
        if step.event == begin:
            inside = True
            found.append([])
        elif step.event == end:
            inside = False
        elif inside:
            found[-1].append(step)
    return found


def test_a_crashed_node_handles_nothing() -> None:
    seen = run(BUSY + '[[faults]]\nkind="crash"\nat="1500ms"\nfor="700ms"\nnode="leader as old"')
    old = next(step.node for step in seen.steps if step.event == "crash")
    (dead,) = between(seen.steps, old, "crash", "start")
    assert {step.event for step in dead} == {"ignore"}
    assert len(dead) > 20
    revived = [step for step in seen.steps if step.node == old and step.time > 2_200 * MS]
    assert {"deliver", "write", "send"} <= {step.event for step in revived}


def test_a_paused_node_handles_nothing_until_it_resumes_and_then_everything_once() -> None:
    seen = run(BUSY + '[[faults]]\nkind="pause"\nat="1500ms"\nfor="700ms"\nnode="leader"')
    begin, end = 1_500 * MS, 2_200 * MS
    sleeper = next(step.node for step in seen.steps if step.event == "pause")
    (asleep,) = between(seen.steps, sleeper, "pause", "resume")
    assert {step.event for step in asleep} <= {"sync"}
    waiting = [p for p in packets(seen.steps) if p.to == sleeper and begin < p.sent < end - 6 * MS]
    assert len(waiting) > 20
    assert all(packet.arrived == [end] for packet in waiting if packet.sent > begin)
    at_once = [step for step in seen.steps if step.node == sleeper and step.time == end]
    rung = Counter(step.what for step in at_once if step.event == "timer")
    assert rung == {"heartbeat": 1}  # fourteen heartbeats were due; a timer that is not set again fires once
    assert not [step for step in seen.steps if step.event in ("drop", "ignore")]


def test_what_a_paused_node_was_sent_waits_for_it_even_when_the_link_is_cut_by_then() -> None:
    """It had arrived: a packet is judged when it is sent and when it arrives, and not a third time."""
    faults = """
    [[faults]]
    kind = "pause"
    at = "1500ms"
    for = "700ms"
    node = "n1"
    [[faults]]
    kind = "partition"
    at = "2s"
    for = "1s"
    groups = [["n1"], ["n2", "n3"]]
    """
    queued = [
        packet
        for packet in packets(run(BUSY + faults).steps)
        if packet.to == "n1"
        and packet.sender != "n1"
        and 1_500 * MS < packet.sent < 1_990 * MS
        and packet.sender[0] == "n"
    ]
    assert len(queued) > 5
    assert all(packet.arrived == [2_200 * MS] for packet in queued)


# ------------------------------------------------------------------------------------------------------- Network, alone


LATENCY = Span.constant(10)


def network(latency: Span = LATENCY, links: Mapping[str, Span] = {}) -> Network:
    return Network(topology(("n1", "n2", "n3"), ("c1",), latency, Span.constant(3), links), 0)


def test_rules_compose_each_seeing_the_copies_of_the_one_before() -> None:
    net = network()
    link, message = net.link("n1", "n2"), Refusal(1)
    net.add_rule("slow", [("n1", "n2")], lambda _: lambda _: (5,))
    net.add_rule("twice", [("n1", "n2")], lambda _: lambda _: (0, 100))
    net.add_rule("slower", [("n1", "n2")], lambda _: lambda _: (7,))
    assert net.route(link, message, 10, 0) == (22, 122)
    net.remove_rule("twice")
    assert net.route(link, message, 10, 0) == (22,)
    net.add_rule("gone", [("n1", "n2")], lambda _: lambda _: ())
    assert net.route(link, message, 10, 0) == ()
    assert net.route(net.link("n2", "n1"), message, 10, 0) == (10,)  # the other direction is another link
    assert (net.dropped, net.duplicated) == (1, 1)


def test_an_edge_that_two_faults_cut_stays_cut_until_both_are_over() -> None:
    net, edge = network(), ("n1", "n2")
    assert net.calm
    net.cut([edge, ("n1", "n3")])
    net.cut([edge])
    net.mend([edge, ("n1", "n3")])
    assert net.route(net.link(*edge), Refusal(1), 10, 0) == ()
    assert net.route(net.link("n1", "n3"), Refusal(1), 10, 0) == (10,)
    net.mend([edge])
    assert net.route(net.link(*edge), Refusal(1), 10, 0) == (10,)
    assert net.calm


def test_a_pair_of_nodes_outranks_a_node_wherever_it_is_listed() -> None:
    def delay(net: Network, sender: str, to: str) -> int:
        return net.link(sender, to).travel(Refusal(1))

    net = network(links={"n1->n2": Span.constant(99), "n2": Span.constant(50), "n3 - n1": Span.constant(70)})
    assert [delay(net, *edge) for edge in (("n1", "n2"), ("n2", "n1"), ("n2", "n3"), ("n3", "n2"))] == [99, 50, 50, 50]
    assert [delay(net, *edge) for edge in (("n1", "n3"), ("n3", "n1"), ("c1", "n2"), ("n2", "c1"))] == [70, 70, 3, 3]


def test_a_lost_packet_has_drawn_its_latency_so_that_no_other_moves() -> None:
    latency = Span.uniform(1, 1_000_000)
    whole, lossy = network(latency=latency), network(latency=latency)
    lossy.add_rule("loss", [("n1", "n2")], lambda _: lambda message: () if isinstance(message, Refusal) else (0,))
    kinds = [bool(stream(1, "test").getrandbits(1)) for _ in range(200)]
    messages = [Refusal(i) if kind else Request("c1", i, None) for i, kind in enumerate(kinds)]  # type: ignore[arg-type]
    for message in messages:
        delays = [
            net.route(net.link("n1", "n2"), message, net.link("n1", "n2").travel(message), 0) for net in (whole, lossy)
        ]
        assert delays[1] == (() if isinstance(message, Refusal) else delays[0])
