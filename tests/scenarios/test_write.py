"""A scenario that is written reads back equal, and is as short as what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.decode import decode
from scenarios.schema import Cluster, Expect, Scenario, Workload
from scenarios.units import LONGEST, Duration, Link, Probability, Rate, Span, Target
from scenarios.write import dumps
from tests.scenarios.mutations import mutations
from tests.scenarios.small_kinds import (
    KINDS,
    SCENARIO,
    Crash,
    Lose,
    MessageRule,
    NoParameters,
    Partition,
    RaftParameters,
    Registers,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
times = st.integers(0, LONGEST)
spans = st.one_of(
    times.map(Span.constant),
    st.tuples(times, times).map(lambda ends: Span.uniform(min(ends), max(ends))),
    st.tuples(times, st.integers(0, 10_000)).map(lambda both: Span.lognormal(*both)),
)
early = st.integers(0, 5_000_000).map(Span.constant)
targets = st.sampled_from([Target("node", "n2"), Target("leader"), Target("any", count=2), Target("all")])
links = st.tuples(targets, st.just(Target("rest")), st.booleans()).map(lambda ends: Link(*ends))
partitions = st.builds(
    Partition,
    at=early,
    lasts=st.none() | spans,
    order=st.just(()) | st.permutations(["n1", "n2", "n3"]).map(tuple),
    groups=st.just(((Target("leader"), Target("node", "n1")), (Target("rest"),))),
)
crashes = st.builds(
    Crash, on=st.sampled_from(KINDS.events), nth=st.integers(1, 9), after=spans, node=targets, torn=st.booleans()
)
losses = st.builds(
    Lose,
    at=early,
    chance=st.integers(1, 1_000_000).map(Probability),
    links=st.lists(links, max_size=12).map(tuple),
    only=st.none() | st.builds(MessageRule, type=texts, link=st.none() | links, nth=st.integers(1, 5)),
)
workloads = st.builds(
    Registers,
    clients=st.integers(1, 1000),
    rate=st.none() | st.builds(Rate, st.integers(1, 10**6), st.integers(1, 10**9)),
    mix=st.dictionaries(st.sampled_from(["read", "write", "cas"]), st.integers(0, 9)),
    think=spans,
    skew=st.floats(0, 4).map(lambda skew: round(skew, 6)),
)
expectations = st.dictionaries(
    st.sampled_from([*KINDS.checkers, "bounded-staleness:t=1.5s,k=2"]),
    st.sampled_from(["valid", "invalid", "breakable", "any"]),
    max_size=3,
)
scenarios = st.builds(
    Scenario,
    why=texts,
    duration=st.just(Duration(20_000_000)),
    heal=st.none() | st.integers(5_000_000, 20_000_000).map(Duration),
    heal_core=st.booleans(),
    events_max=st.none() | st.integers(1, 2**63 - 1),
    seed=st.none() | st.integers(0, 2**63 - 1),
    protocols=st.sampled_from([("raft",), ("raft/log", "raft/leader-local"), ("gossip", "raft")]),
    cluster=st.builds(
        Cluster,
        nodes=st.integers(3, 99),
        latency=spans,
        client_latency=spans,
        links=st.dictionaries(st.sampled_from(["n1", "n1->n2", "n3->n2"]), spans),
        order=st.sampled_from(["any", "fifo"]),
        fsync=spans,
    ),
    workload=workloads,
    faults=st.lists(partitions | crashes | losses, max_size=4).map(
        lambda faults: tuple(
            type(fault)(**{name: getattr(fault, name) for name in fault.__struct_fields__} | {"name": f"f{index}"})
            for index, fault in enumerate(faults)
        )
    ),
    expect=st.builds(Expect, expectations, st.dictionaries(st.just("raft"), expectations)),
    protocol=st.fixed_dictionaries(
        {},
        optional={
            "raft": st.builds(RaftParameters, spans, times.map(Duration), texts),
            "gossip": st.builds(NoParameters),
        },
    ),
    at_least=st.dictionaries(texts, st.integers(0, 2**63 - 1), max_size=3),
)


@given(scenarios)
def test_what_is_written_reads_back_equal(scenario: Scenario) -> None:
    scenario = decode(dumps(scenario, KINDS), "x", KINDS)
    text = dumps(scenario, KINDS)
    assert decode(text, "x", KINDS) == scenario
    assert dumps(decode(text, "x", KINDS), KINDS) == text


@given(scenarios)
def test_what_is_written_says_what_was_meant(scenario: Scenario) -> None:
    assert decode(dumps(scenario, KINDS, {"recorded by": "a\nb\x00"}), "x", KINDS) == scenario


def test_what_decodes_from_a_mutation_reads_back_equal() -> None:
    decoded = 0
    for text in mutations(SCENARIO, 11, 600):
        try:
            scenario = decode(text, "x", KINDS)
        except ValueError:
            continue
        decoded += 1
        assert decode(dumps(scenario, KINDS), "x", KINDS) == scenario
    assert decoded > 10


def test_a_written_scenario_is_laid_out_for_people() -> None:
    scenario = decode(SCENARIO, "x", KINDS, ["seed=7", 'protocols=["raft"]'])
    assert (
        dumps(scenario, KINDS, {"recorded by": "aftershock 0.1"})
        == """\
# recorded by: aftershock 0.1
why = "The leader is cut off with one follower: it must fall silent, the majority must go on."
duration = "20s"
heal = "9s"
seed = 7
protocols = ["raft"]

[cluster]
links = {n5 = "40ms..60ms", "n1->n2" = "10ms"}

[workload]
kind = "registers"
rate = "50/s"
mix = {read = 5, write = 3, cas = 2}

[[faults]]
name = "cut"
kind = "partition"
at = "2s"
for = "3s"
groups = [["leader as old", "any"], ["rest"]]

[[faults]]
name = "crash-1"
kind = "crash"
on = "cut ends"
for = "600ms"
node = "old"

[[faults]]
name = "lose-1"
kind = "lose"
on = "vote-granted"
nth = 2
after = "10ms"
chance = 0.25
links = ["trigger -> all", "n1 - c2"]
only = {type = "AppendEntries", link = "leader -> rest", nth = 3}

[expect]
agreement = "valid"

[expect."raft/leader-local"]
linearizable = "breakable"

[protocol.raft]
election-timeout = "200ms..400ms"

[at-least]
elections = 2
reads = 100
"""
    )


def test_a_kind_that_nobody_registered_is_not_written() -> None:
    class Unregistered(Workload, frozen=True):
        """Not among the kinds."""

    with pytest.raises(KeyError, match="Unregistered"):
        dumps(Scenario(duration=Duration(1), protocols=("raft",), workload=Unregistered()), KINDS)
