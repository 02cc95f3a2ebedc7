"""A scenario decodes to exactly what it says, or every mistake in it is said at once, each where it stands."""

# ruff: noqa: E501 (expected lines stand here as they are printed)

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.decode import decode, load
from scenarios.problems import BadScenario
from scenarios.schema import Cluster, Expect, Scenario
from scenarios.units import Duration, Link, Probability, Rate, Span, Target
from tests.scenarios.small_kinds import KINDS, SCENARIO, Crash, Lose, MessageRule, Partition, RaftParameters, Registers

BODY = """\
duration = "20s"
heal = "9s"
protocols = ["raft"]
[cluster]
nodes = 5
[workload]
kind = "registers"
"""


def refused(text: str, *flags: str) -> list[str]:
    with pytest.raises(BadScenario) as bad:
        decode(text, "x.toml", KINDS, flags)
    return str(bad.value).split("\n")


def faults(*tables: str) -> str:
    """A good scenario with these faults; the first fault's first line is line 10."""
    return BODY + "\n" + "\n".join(f"[[faults]]\n{table}" for table in tables)


def crash(rest: str) -> str:
    return faults(f'kind = "crash"\n{rest}')


def test_a_scenario_decodes_to_what_it_says() -> None:
    scenario = decode(SCENARIO, "x.toml", KINDS)
    old = Target("leader", alias="old")
    assert scenario == Scenario(
        why="The leader is cut off with one follower: it must fall silent, the majority must go on.",
        duration=Duration(20_000_000),
        heal=Duration(9_000_000),
        protocols=("raft", "raft/leader-local", "gossip"),
        cluster=Cluster(
            nodes=5,
            latency=Span.uniform(1_000, 5_000),
            links={"n5": Span.uniform(40_000, 60_000), "n1->n2": Span.constant(10_000)},
        ),
        workload=Registers(clients=5, rate=Rate(50, 1_000_000), mix={"read": 5, "write": 3, "cas": 2}),
        faults=(
            Partition(
                name="cut",
                at=Span.constant(2_000_000),
                lasts=Span.constant(3_000_000),
                groups=((old, Target("any")), (Target("rest"),)),
            ),
            Crash(name="crash-1", on="cut ends", lasts=Span.constant(600_000), node=Target("named", "old")),
            Lose(
                name="lose-1",
                on="vote-granted",
                nth=2,
                after=Span.constant(10_000),
                chance=Probability(250_000),
                links=(
                    Link(Target("trigger"), Target("all")),
                    Link(Target("node", "n1"), Target("client", "c2"), both=True),
                ),
                only=MessageRule(type="AppendEntries", link=Link(Target("leader"), Target("rest")), nth=3),
            ),
        ),
        expect=Expect({"agreement": "valid"}, {"raft/leader-local": {"linearizable": "breakable"}}),
        protocol={"raft": RaftParameters(election_timeout=Span.uniform(200_000, 400_000))},
        at_least={"elections": 2, "reads": 100},
    )


def test_without_heal_faults_end_at_half_of_duration() -> None:
    assert decode(BODY.replace('heal = "9s"\n', ""), "x", KINDS).heals_at == 10_000_000
    assert decode(BODY, "x", KINDS).heals_at == 9_000_000
    assert decode(BODY.replace('"9s"', '"20s"'), "x", KINDS).heal == 20_000_000


def test_both_directions_of_a_link_are_spelt_out() -> None:
    text = BODY.replace("nodes = 5", 'nodes = 5\nlinks = { "n1 - n2" = "9ms", "n3 -> n4" = "8ms" }')
    links = decode(text, "x", KINDS).cluster.links
    assert {name: str(span) for name, span in links.items()} == {"n1->n2": "9ms", "n2->n1": "9ms", "n3->n4": "8ms"}


def test_faults_without_a_name_are_called_by_kind_and_number_and_never_like_another() -> None:
    one = 'kind = "crash"\nat = "1s"\nnode = "n1"'
    scenario = decode(faults(one, f'{one}\nname = "crash-3"', one, one), "x", KINDS)
    assert [fault.name for fault in scenario.faults] == ["crash-1", "crash-3", "crash-4", "crash-5"]


def test_the_most_specific_expectation_wins() -> None:
    text = BODY + '[expect]\nlinearizable = "valid"\nprogress = "any"\n[expect.raft]\nlinearizable = "invalid"\n'
    expect = decode(text + '[expect."raft/log"]\nprogress = "breakable"\n', "x", KINDS).expect
    assert expect.of("raft", "log") == {"linearizable": "invalid", "progress": "breakable"}
    assert expect.of("raft", "leader-local") == {"linearizable": "invalid", "progress": "any"}
    assert expect.of("gossip", "") == {"linearizable": "valid", "progress": "any"}


def test_all_mistakes_are_said_at_once_in_the_order_of_their_lines() -> None:
    text = (
        SCENARIO.replace('at     = "2s"', "at = 2s")
        .replace('"leader as old"', '"leder as old"')
        .replace('for  = "600ms"', "for = 600")
        .replace("nodes   = 5", "nodes = 500")
        .replace('kind   = "lose"', 'kind = "loose"')
        .replace("agreement =", "agrement =")
        .replace("reads = 100", "reads = -1")
    )
    assert refused(text) == [
        "x.toml:7: cluster.nodes: expected a whole number from 1 to 99, not 500",
        'x.toml:20: a time or rate must be quoted: at = "2s"',
        'x.toml:23: faults.cut.groups: "leder" is no target; did you mean "leader"?',
        'x.toml:31: faults.crash-1.for: 600 has no unit; write for = "600s" or "600ms"',
        'x.toml:34: faults.loose-1.kind: "loose" is no kind of fault; did you mean "lose"?',
        'x.toml:43: expect.agrement: "agrement" is no checker; did you mean "agreement"?',
        "x.toml:53: at-least.reads: a counter cannot be less than 0, and is -1",
    ]


# --- The mistakes that everybody makes ---


def test_an_unquoted_time_has_a_line_of_its_own() -> None:
    assert refused(crash('at = 2s\nnode = "n1"')) == ['x.toml:11: a time or rate must be quoted: at = "2s"']
    assert refused(crash('at = 1ms..5ms # soon\nnode = "n1"')) == [
        'x.toml:11: a time or rate must be quoted: at = "1ms..5ms"'
    ]
    assert refused(BODY + "rate = 50/s") == ['x.toml:8: a time or rate must be quoted: rate = "50/s"']
    assert refused(crash('at = 2\nnode = "n1"')) == [
        'x.toml:11: faults.crash-1.at: 2 has no unit; write at = "2s" or "2ms"'
    ]
    assert refused(crash('at = 0.5\nnode = "n1"')) == [
        'x.toml:11: faults.crash-1.at: 0.5 has no unit; write at = "0.5s" or "0.5ms"'
    ]
    assert refused(BODY + "rate = 50") == ['x.toml:8: workload.rate: 50 has no unit; write rate = "50/s"']


def test_an_unquoted_word_has_a_line_of_its_own() -> None:
    assert refused(crash('at = "2s"\nnode = leader as old')) == [
        'x.toml:12: text must be quoted: node = "leader as old"'
    ]
    assert refused(faults('kind = "partition"\nat = "2s"\ngroups = [\n  [leader, "any"],\n  [rest],\n]')) == [
        'x.toml:13: text must be quoted: "leader"',
        'x.toml:14: text must be quoted: "rest"',
    ]


def test_an_inline_table_over_several_lines_has_a_line_of_its_own_and_moves_no_other() -> None:
    text = BODY + "mix = { read = 5, # often\n  write = 3,\n}\nskew = 9\n"
    assert refused(text) == [
        "x.toml:8: an inline table { … } stays on one line; for several lines, write it as a [table]",
        "x.toml:11: workload.skew: expected a number from 0 to 4, not 9",
    ]


def test_a_top_level_key_below_a_table_header_has_a_line_of_its_own() -> None:
    text = BODY.replace('duration = "20s"\n', "").replace("nodes = 5", 'nodes = 5\nduration = "20s"')
    assert refused(text) == ['x.toml:5: cluster.duration: "duration" belongs above the first [table]']
    assert refused(crash('at = "2s"\nnode = "n1"\nheal = "3s"')) == [
        'x.toml:13: faults.crash-1.heal: "heal" belongs above the first [table] (and stands there already)'
    ]


def test_a_fault_without_a_kind_has_a_line_of_its_own() -> None:
    assert refused(faults('at = "2s"\nnode = "n1"')) == [
        'x.toml:9: faults.fault-1: a fault needs a kind, such as kind = "crash"; the kinds are crash, lose, partition'
    ]


def test_a_slash_in_a_table_header_needs_quotes() -> None:
    text = BODY.replace('["raft"]', '["raft/log"]') + '[expect.raft/log]\nprogress = "vali"\n'
    assert refused(text) == [
        'x.toml:8: a name with other than letters, digits and dashes is quoted: [expect."raft/log"]',
        'x.toml:9: expect."raft/log".progress: "vali" is not one of "valid", "invalid", "breakable" or "any"; '
        'did you mean "valid"?',
    ]


def test_the_length_of_a_fault_is_called_for() -> None:
    for word in ("duration", "lasts"):
        assert refused(crash(f'at = "2s"\nnode = "n1"\n{word} = "3s"')) == [
            f'x.toml:13: faults.crash-1.{word}: a crash fault has no "{word}"; how long it lasts is called "for"'
        ]


def test_a_key_in_the_wrong_table_is_sent_home() -> None:
    assert refused("nodes = 3\n" + BODY) == ["x.toml:1: nodes: belongs in [cluster]"]
    assert refused(BODY.replace("nodes = 5", "clients = 5")) == [
        'x.toml:5: cluster.clients: a cluster has no "clients"; it belongs in [workload]'
    ]


# --- Syntax ---


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BODY + "a = = 1", "x.toml:8: is not TOML: "),
        (BODY + "skew = 1\nskew = 1", 'x.toml:9: "skew = 1" sets what is already set above'),
        (BODY + "[cluster]\n", 'x.toml:8: "[cluster]": this table is already there above'),
        (BODY + 'why = "never closed', "x.toml:8: is not TOML: "),
        (BODY + 'why = """never closed\n\n', "x.toml:8: is not TOML: "),
        (BODY + "skew = " + "9" * 5000, "x.toml: holds a number that is far too large"),
        (BODY + "skew = " + "[" * 5000 + "]" * 5000, "x.toml: is nested too deeply"),
        (BODY + "\udcff", "x.toml:8: is not Unicode text"),
        ("x" * 2_000_000, "x.toml: is longer than 300,000 characters, too long for a scenario"),
    ],
)
def test_what_is_not_toml_is_one_line(text: str, line: str) -> None:
    [only] = refused(text)
    assert only.startswith(line)


# --- Values ---


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("nodes = 5", "nodes = true", "x.toml:5: cluster.nodes: expected a whole number from 1 to 99, not true"),
        ("nodes = 5", "nodes = 5.0", "x.toml:5: cluster.nodes: expected a whole number from 1 to 99, not 5.0"),
        ("nodes = 5", "nodes = 0x" + "f" * 4000, "x.toml:5: cluster.nodes: expected a whole number from 1 to 99, not a huge number"),
        ("nodes = 5", 'node = 5', 'x.toml:5: cluster.node: a cluster has no "node"; did you mean "nodes"?'),
        ("nodes = 5", 'client_latency = "1ms"', 'x.toml:5: cluster.client_latency: a cluster has no "client_latency"; did you mean "client-latency"?'),
        ("nodes = 5", 'order = "fido"', 'x.toml:5: cluster.order: "fido" is not "any" or "fifo"; did you mean "fifo"?'),
        ("nodes = 5", "fsync = 1979-05-27", 'x.toml:5: cluster.fsync: expected a time such as "10ms", "1ms..5ms", "exponential 10ms" or "lognormal 10ms 0.5", not a date or time of day'),
        ("nodes = 5", "fsync = -1", 'x.toml:5: cluster.fsync: expected a time such as "10ms", "1ms..5ms", "exponential 10ms" or "lognormal 10ms 0.5", not -1'),
        ("nodes = 5", 'links = "n1"', 'x.toml:5: cluster.links: expected a table such as { … = "1ms..5ms" }, not "n1"'),
        ("nodes = 5", 'links = { n6 = "1ms" }', "x.toml:5: cluster.links.n6: there is no n6: the cluster has n1 … n5"),
        ("nodes = 5", 'links = { leader = "1ms" }', 'x.toml:5: cluster.links.leader: "leader" is no link of nodes; expected "n5", "n1->n2" or "n1 - n2"'),
        ("nodes = 5", 'links = { "n1 - n2" = "1ms", "n2->n1" = "2ms" }', "x.toml:5: cluster.links.n2->n1: the latency of n2->n1 is given already"),
        ('"20s"', '"-20s"', 'x.toml:1: duration: "-20s" is negative; expected a time such as "150ms" or "2s"'),
        ('heal = "9s"', 'heal = "21s"', "x.toml:2: heal: is 21s, but the run lasts only 20s; nobody would be there to make progress"),
        ('["raft"]', '"raft"', 'x.toml:3: protocols: expected an array such as ["…"], not "raft"'),
        ('["raft"]', "[]", 'x.toml:3: protocols: expected at least 1, such as ["…"]'),
        ('["raft"]', '["raff"]', 'x.toml:3: protocols: "raff" is no protocol; did you mean "raft"?'),
        ('["raft"]', '["raft/lag"]', 'x.toml:3: protocols: raft has no mode "lag"; did you mean "raft/log"?'),
        ('["raft"]', '["raft", "raft/log"]', 'x.toml:3: protocols: "raft/log" is there already, as "raft"'),
        ('"registers"', '"register"', 'x.toml:7: workload.kind: "register" is no kind of workload; did you mean "registers"?'),
        ('kind = "registers"', 'kind = "registers"\nmix = { red = 1 }', 'x.toml:8: workload.mix.red: "red" is not one of "read", "write" or "cas"; did you mean "read"?'),
        ('kind = "registers"', 'kind = "registers"\nskew = nan', "x.toml:8: workload.skew: expected a number from 0 to 4, not nan"),
        ('kind = "registers"', "", 'x.toml:6: workload: a workload needs a kind, such as kind = "registers"; the kinds are registers'),
        ('[workload]\nkind = "registers"', "", 'x.toml: a scenario needs a [workload], such as kind = "registers"'),
        ('duration = "20s"', "", 'x.toml: a scenario needs "duration", such as duration = "20s"'),
        ("[workload]", '[expect]\nraft = "valid"\n[workload]', "x.toml:7: expect.raft: what is expected of one protocol has a table of its own: [expect.raft]"),
        ("[workload]", '[expect.gossip]\nprogress = "valid"\n[workload]', 'x.toml:6: expect.gossip: "gossip" is not among this scenario\'s protocols'),
        ("[workload]", "[expect.rafd]\n[workload]", 'x.toml:6: expect.rafd: "rafd" is no protocol; did you mean "raft"?'),
        ("[workload]", '[expect]\n"bounded-staleness:t=50" = "valid"\n[workload]', "x.toml:7: expect.\"bounded-staleness:t=50\": t is a stretch of time such as \"50ms\" or \"1.5s\", not '50'"),
        ("[workload]", '[expect]\n"bounded-staleness:k=0" = "valid"\n[workload]', 'x.toml:7: expect."bounded-staleness:k=0": k counts versions: it must be a whole number of at least 1, not 0'),
        ("[workload]", '[expect]\n"bounded-staleness:d=1" = "valid"\n[workload]', "x.toml:7: expect.\"bounded-staleness:d=1\": bounded-staleness has no parameter 'd'; it has t, k"),
        ("[workload]", '[expect]\n"bounded-staleness:" = "valid"\n[workload]', "x.toml:7: expect.\"bounded-staleness:\": expected MODEL:NAME=VALUE, such as bounded-staleness:t=50ms, not ''"),
        ("[workload]", '[expect]\n"bounded-stalenes:t=1s" = "valid"\n[workload]', 'x.toml:7: expect."bounded-stalenes:t=1s": "bounded-stalenes:t=1s" is no checker; did you mean "bounded-staleness:t=1s"?'),
        ("[workload]", '[expect.raft]\n"progress:t=1s" = "valid"\n[workload]', 'x.toml:7: expect.raft."progress:t=1s": progress takes no bounds; "bounded-staleness:t=50ms,k=2" does; did you mean "progress"?'),
        ("[workload]", '[expect]\n"bounded-staleness:t=1s" = "vali"\n[workload]', 'x.toml:7: expect."bounded-staleness:t=1s": "vali" is not one of "valid", "invalid", "breakable" or "any"; did you mean "valid"?'),
        ("[workload]", '[expect]\nbounded-staleness = { t = "50ms" }\n[workload]', 'x.toml:7: expect.bounded-staleness: bounds stand in the name: "bounded-staleness:t=50ms,k=2" = "valid"'),
        ("[workload]", '[expect]\nbounded-staleness:t=50ms = "valid"\n[workload]', 'x.toml:7: a name with its bounds is quoted: "bounded-staleness:t=50ms" = …'),
        ("[workload]", '[expect]\n"bounded-staleness:t=1s,k=2" = "valid"\n"bounded-staleness: k = 2, t = 1s" = "any"\n[workload]', 'x.toml:8: expect."bounded-staleness: k = 2, t = 1s": "bounded-staleness:t=1s,k=2" is there already'),
        ("[workload]", '[protocol.raft]\nheartbeet = "1ms"\n[workload]', 'x.toml:7: protocol.raft.heartbeet: raft has no "heartbeet"; did you mean "heartbeat"?'),
        ("[workload]", "[protocol.paxos]\n[workload]", 'x.toml:6: protocol.paxos: "paxos" is no protocol'),
        ("[workload]", "[protocl]\n[workload]", 'x.toml:6: protocl: a scenario has no key "protocl"; did you mean "protocol"?'),
        ("[workload]", '[faults]\nkind = "crash"\n[workload]', "x.toml:6: faults: faults are written [[faults]], one header for each"),
        ("[workload]", '[[fault]]\nkind = "crash"\n[workload]', 'x.toml:6: fault: faults are written [[faults]], one header for each; did you mean "faults"?'),
    ],
)  # fmt: skip
def test_a_wrong_value_says_where_it_stands_and_what_was_expected(old: str, new: str, line: str) -> None:
    assert line in refused(BODY.replace(old, new, 1))


@pytest.mark.parametrize(
    ("fault", "lines"),
    [
        ('node = "n1"', ['x.toml:9: faults.crash-1: needs a start: at = "2s", or on = "leader-elected"']),
        ('at = "2s"\non = "committed"\nnode = "n1"', ['x.toml:9: faults.crash-1: starts either "at" a time or "on" an event, not both; a delay is called "after"']),
        ('at = "2s"', ['x.toml:9: faults.crash-1: a crash fault needs "node", such as node = "leader as old"']),
        ('at = "10s"\nnode = "n1"', ["x.toml:11: faults.crash-1.at: would start at 10s, when everything has healed at 9s"]),
        ('at = "8s..10s"\nnode = "n1"', ["x.toml:11: faults.crash-1.at: could start at 10s, when everything has healed at 9s"]),
        ('at = "2s"\nnode = "n1"\nnth = 2', ['x.toml:13: faults.crash-1.nth: goes with "on", and this fault has none']),
        ('at = "2s"\nnode = "n6"', ["x.toml:12: faults.crash-1.node: there is no n6: the cluster has n1 … n5"]),
        ('at = "2s"\nnode = "c6"', ["x.toml:12: faults.crash-1.node: there is no c6: the workload has c1 … c5"]),
        ('at = "2s"\nnode = "old"', ['x.toml:12: faults.crash-1.node: "old" is no target; expected a node, a client, leader, follower, any, rest, all, clients, trigger, or a name bound by "as NAME"']),
        ('at = "2s"\nnode = "trigger"', ['x.toml:12: faults.crash-1.node: "trigger" is the node whose event started the fault; here no node\'s event does']),
        ('at = "2s"\nnode = "6 any"', ["x.toml:12: faults.crash-1.node: asks for 6 nodes, but the cluster has n1 … n5"]),
        ('at = "2s"\nnode = "5 follower"', ["x.toml:12: faults.crash-1.node: asks for 5 followers, but of 5 nodes one is the leader"]),
        ('on = "leader-electd"\nnode = "n1"', ['x.toml:11: faults.crash-1.on: "leader-electd" is no event; did you mean "leader-elected"?']),
        ('on = "cat ends"\nnode = "n1"', ['x.toml:11: faults.crash-1.on: no fault is called "cat"; the faults are crash-1']),
        ('on = "crash-1 ends"\nnode = "n1"', ["x.toml:11: faults.crash-1.on: can never start: crash-1 waits for crash-1"]),
        ('at = "2s"\nnode = "n1"\nname = "a b"', ['x.toml:13: faults."a b".name: a name is made of letters, digits and dashes, and begins with a letter']),
        ('at = "2s"\nnode = "n1"\norder = ["n1", "n9", "n1", "x"]', ["x.toml:13: faults.crash-1.order: there is no n9: the cluster has n1 … n5", "x.toml:13: faults.crash-1.order: n1 is there already", 'x.toml:13: faults.crash-1.order: "x" is no node; expected one such as "n3"']),
    ],
)  # fmt: skip
def test_a_fault_that_cannot_happen_is_refused(fault: str, lines: list[str]) -> None:
    assert refused(crash(fault)) == lines


def test_a_combination_that_a_kind_refuses_is_said_where_the_fault_stands() -> None:
    assert refused(faults('kind = "lose"\nat = "2s"\nchance = 0')) == [
        "x.toml:9: faults.lose-1: a chance of 0 loses nothing"
    ]


def test_faults_that_wait_for_each_other_are_refused_once() -> None:
    one = 'kind = "crash"\nnode = "n1"\n'
    text = faults(
        f'{one}name = "a"\non = "b ends"\n', f'{one}name = "b"\non = "c starts"\n', f'{one}name = "c"\non = "a ends"'
    )
    assert refused(text) == ["x.toml:13: faults.a.on: can never start: a waits for b waits for c waits for a"]


def test_a_chain_that_would_start_after_heal_is_refused() -> None:
    first = 'kind = "crash"\nname = "a"\nat = "4s"\nfor = "3s"\nnode = "n1"\n'
    second = 'kind = "crash"\nname = "b"\non = "a ends"\nafter = "2001ms"\nnode = "n1"\n'
    assert refused(faults(first, second)) == [
        "x.toml:19: faults.b.on: would start at 9.001s, when everything has healed at 9s"
    ]
    decode(faults(first, second.replace("2001", "2000")), "x", KINDS)


def test_every_name_is_given_once_and_bound_before_it_is_used() -> None:
    bind = 'kind = "crash"\nname = "a"\nat = "4s"\nnode = "leader as old"\n'
    use = 'kind = "crash"\nname = "b"\nat = "3s"\nnode = "old"\n'
    assert refused(faults(bind, use)) == ['x.toml:19: faults.b.node: "old" is bound only later, by a']
    decode(faults(bind, use.replace('"3s"', '"5s"')), "x", KINDS)
    decode(faults(bind, use.replace('"3s"', '"4s"')), "x", KINDS)
    assert refused(faults(use.replace('"3s"', '"4s"'), bind)) == [
        'x.toml:13: faults.b.node: "old" is bound only later, by a'
    ]
    decode(faults(bind, use.replace('at = "3s"', 'on = "committed"')), "x", KINDS)
    chained = bind.replace('at = "4s"', 'on = "b starts"')
    assert refused(faults(use, chained)) == ['x.toml:13: faults.b.node: "old" is bound only later, by a']
    assert refused(faults(bind, bind.replace('"a"', '"b"'))) == [
        'x.toml:19: faults.b.node: "old" is bound already, by a; bind another name'
    ]
    assert refused(faults(bind, use.replace('"b"', '"a"').replace('"3s"', '"5s"'))) == [
        'x.toml:17: faults.a.name: another fault is called "a" already'
    ]


def test_a_name_bound_by_a_target_that_is_wrong_itself_is_not_missed_as_well() -> None:
    bind = 'kind = "crash"\nat = "4s"\nnode = "3 leader as old"\n'
    use = 'kind = "crash"\nat = "5s"\nnode = "old"\n'
    [only] = refused(faults(bind, use))
    assert only.startswith('x.toml:12: faults.crash-1.node: "3 leader as old": only "any" and "follower" take a count')


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        ('[["rest"], ["rest"]]', 'x.toml:12: faults.partition-1.groups: "rest" takes all that is left; a second one takes nothing'),
        ('[["n1", "n2"], ["4 any"]]', "x.toml:12: faults.partition-1.groups: asks for 6 nodes, but the cluster has n1 … n5"),
        ('[["leader as a"], ["any as a"]]', 'x.toml:12: faults.partition-1.groups: "a" is bound twice in this fault; bind another name'),
        ('[["a"], ["any as a"]]', 'x.toml:12: faults.partition-1.groups: "a" is bound only later in this fault'),
        ('["leader", "rest"]', 'x.toml:12: faults.partition-1.groups: expected an array such as ["leader as old"], not "leader"'),
        ("[]", 'x.toml:12: faults.partition-1.groups: expected at least 1, such as [["leader as old"]]'),
    ],
)  # fmt: skip
def test_groups_that_nobody_can_fill_are_refused(groups: str, line: str) -> None:
    assert line in refused(faults(f'kind = "partition"\nat = "2s"\ngroups = {groups}'))


def test_a_recording_is_not_judged_by_how_its_times_were_drawn() -> None:
    late = 'at = "10s"\nnode = "n1"'
    assert refused(crash(late))
    assert decode("seed = 3\n" + crash(late), "x", KINDS).seed == 3


# --- The command line ---


def test_flags_replace_what_the_file_says() -> None:
    scenario = decode(
        SCENARIO,
        "x",
        KINDS,
        ["cluster.nodes=7", "cluster.links.n1->n2=5ms", "workload.rate=100/s", "faults.cut.for=1s", "faults.0.at='1s'",
         "faults.lose-1.chance=0.5", 'expect."raft/leader-local".linearizable=any', "seed=9", "at-least.reads = 1",
         'protocols=["raft", "raft/leader-local"]', "protocol.raft.heartbeat=9ms", "why=a=b"],
    )  # fmt: skip
    assert scenario.cluster.nodes == 7
    assert str(scenario.cluster.links["n1->n2"]) == "5ms"
    assert isinstance(scenario.workload, Registers)
    assert str(scenario.workload.rate) == "100/s"
    assert str(scenario.faults[0].lasts) == "1s"
    assert str(scenario.faults[0].at) == "1s"
    assert isinstance(scenario.faults[2], Lose)
    assert scenario.faults[2].chance == 500_000
    assert scenario.expect.columns["raft/leader-local"] == {"linearizable": "any"}
    assert (scenario.seed, scenario.at_least["reads"], scenario.why) == (9, 1, "a=b")


def test_a_wrong_flag_is_named_instead_of_a_line() -> None:
    assert refused(
        SCENARIO, "cluster.nodes=0", "faults.cat.for=1s", "faults.7.for=1s", "x", "why.x=1", "faults.cut.at=1"
    ) == [
        '-s faults.cat.for=1s: faults has none called "cat"; they are "cut", "crash-1", "lose-1"; did you mean "cut"?',
        "-s faults.7.for=1s: faults has 3 entries, counted from 0; there is no 7",
        "-s x: expected KEY=VALUE, such as cluster.nodes=3",
        '-s why.x=1: why is "The leader is cut off with one follower: it must fall silen…" and has no key "x"',
        "-s cluster.nodes=0: cluster.nodes: expected a whole number from 1 to 99, not 0",
        '-s faults.cut.at=1: faults.cut.at: 1 has no unit; write at = "1s" or "1ms"',
    ]


def test_protocols_chosen_by_a_flag_do_not_make_the_files_expectations_wrong() -> None:
    assert decode(SCENARIO, "x", KINDS, ['protocols=["raft/log"]']).protocols == ("raft/log",)


# --- Files ---


def test_a_file_is_loaded_with_or_without_carriage_returns_and_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "cut.toml"
    file.write_bytes(b"\xef\xbb\xbf" + SCENARIO.replace("\n", "\r\n").encode())
    assert load(file, KINDS) == decode(SCENARIO, "x", KINDS)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(BODY.encode() + b'why = "\xe9"')
    for name, line in (
        ("none.toml", "none.toml: cannot be read: no such file or directory"),
        ("", f"{tmp_path.name}: cannot be read: is a directory"),
        ("latin.toml", "latin.toml:8: is not text in UTF-8"),
        ("a\0b", "a\\x00b: cannot be read: embedded null byte"),
    ):
        with pytest.raises(BadScenario) as bad:
            load(tmp_path / name, KINDS)
        assert str(bad.value).endswith(line)


def test_an_endless_file_is_refused_without_being_read_to_its_end() -> None:
    if Path("/dev/zero").exists():
        with pytest.raises(BadScenario, match="too long for a scenario"):
            load("/dev/zero", KINDS)


def test_bounds_have_one_spelling_and_may_be_several() -> None:
    table = '[expect]\nbounded-staleness = "valid"\n"bounded-staleness: k = 2, t=1s" = "any"\n"bounded-staleness:t=9s" = "valid"\n'
    flag = """expect.raft."bounded-staleness:k=3"=invalid"""
    expect = decode(BODY.replace("[workload]", f"{table}[workload]"), "x.toml", KINDS, [flag]).expect
    assert expect.of("raft", "log") == {
        "bounded-staleness": "valid",
        "bounded-staleness:t=1s,k=2": "any",
        "bounded-staleness:t=9s": "valid",
        "bounded-staleness:k=3": "invalid",
    }
