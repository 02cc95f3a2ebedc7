"""Paxos and Multi-Paxos step by step, as pages that a person can follow; compared with what was kept, byte for byte.

AFTERSHOCK_REGENERATE=1 python -m pytest tests/protocols/test_paxos_transcripts.py writes them anew.
"""

from __future__ import annotations

from bench.node import Answer, Command
from bench.protocols import multipaxos as multi
from bench.protocols import paxos as single
from tests.bench.sansio import Packet
from tests.protocols.paxos_story import Story, multipaxos, packet, paxos


def write(value: int) -> Command:
    return Command("write", "x", value)


def test_a_duel_is_over_when_one_of_the_two_pauses() -> None:
    story = Story("Two proposers take turns to spoil each other's ballot, until one pauses (§2.4)", paxos())
    story.say("n1 prepares, and n2 and n3 promise. Before it can propose, n2 prepares a higher ballot with n3.")
    story.ask("c1", 1, write(1), "n1")
    story.deliver(single.Prepare, "n1", "n2")
    story.deliver(single.Prepare, "n1", "n3")
    story.ask("c2", 1, write(2), "n2")
    story.deliver(single.Prepare, "n2", "n3")
    story.say("So what n1 proposes is refused.")
    story.deliver(single.Promise, "n2", "n1")
    story.deliver(single.Accept, "n1", "n3")
    story.deliver(single.Nack, "n3", "n1")
    story.say("n1 tries again with a higher ballot, before n2 can propose.")
    story.ring("n1", "round")
    story.deliver(single.Prepare, "n1", "n3")
    story.say("So what n2 proposes is refused. It pauses, and for longer than n1 needs.")
    story.deliver(single.Promise, "n3", "n2")
    story.deliver(single.Accept, "n2", "n3")
    story.deliver(single.Nack, "n3", "n2")
    story.settle()
    story.say("n1's vote has bound it to its first value. The turn of n2 comes in the next instance.")
    story.ring("n2", "round")
    story.settle()
    assert [(p.to, type(p.message)) for p in story.cluster.answers] == [("c1", Answer), ("c2", Answer)]
    story.check("paxos-duel")


def test_a_promise_outlives_its_acceptor_and_its_message() -> None:
    story = Story("A promise is lost on the wire, its acceptor crashes, and it still counts (§2.2)", paxos())
    story.say("n1 has the promises of n3 and itself, and what it proposes is slow.")
    story.ask("c1", 1, write(1), "n1")
    story.lose(single.Prepare, "n1", "n2")
    story.deliver(single.Prepare, "n1", "n3")
    story.deliver(single.Promise, "n3", "n1")
    story.lose(single.Accept, "n1", "n2")
    story.say("n3 promises a higher ballot to n2. The promise is lost, and n3 crashes.")
    story.ask("c2", 1, write(2), "n2")
    story.deliver(single.Prepare, "n2", "n3")
    story.lose(single.Promise, "n3", "n2")
    story.restart("n3")
    story.say("Now n1's proposal arrives. n3 knows what it has promised, although n2 does not.")
    story.deliver(single.Accept, "n1", "n3")
    assert packet(story.cluster, single.Nack, "n3", "n1")
    story.say("n2 hears from n1, whose vote it has to propose: it may have been chosen.")
    story.settle()
    story.ring("n2", "round")
    story.settle()
    assert [(p.to, type(p.message)) for p in story.cluster.answers] == [("c1", Answer), ("c2", Answer)]
    story.check("paxos-lost-promise")


def test_a_hole_is_filled_with_a_no_op() -> None:
    story = Story("A new leader fills the hole before a command that may be chosen (§3)", multipaxos())
    story.say("n1 leads.")
    story.ring("n1", "election")
    story.lose(multi.Prepare, "n1", "n3")
    story.settle()
    story.say("It proposes two commands. Nobody hears of the first; n2 accepts the second, and n1 crashes.")
    story.ask("c1", 1, write(1), "n1")
    story.ask("c2", 1, write(2), "n1")
    for to in ("n2", "n3"):
        story.lose(multi.Accept, "n1", to)
    story.lose(multi.Accept, "n1", "n3")
    story.deliver(multi.Accept, "n1", "n2")
    story.lose(multi.Accepted, "n2", "n1")
    story.say("n3 succeeds it with n2's promise, which names slot 2: so slot 1 is a hole.")
    story.ring("n3", "election")
    story.lose(multi.Prepare, "n3", "n1")
    story.settle()
    story.say("The first command is asked again, and comes third. n1 learns it all at the next heartbeat.")
    story.restart("n1")
    story.ask("c1", 1, write(1), "n3")
    story.settle()
    story.ring("n3", "heartbeat")
    story.settle()
    for id in story.cluster.ids:
        node = story.cluster.nodes[id]
        assert isinstance(node, multi.MultiPaxos)
        assert [multi.digest(value) for value in node.chosen.since(1)] == [
            "no-op",
            "c2#1 write x = 2",
            "c1#1 write x = 1",
        ]
    story.check("multipaxos-hole")


def test_a_leader_does_not_take_late_lessons_for_its_own_proposals() -> None:
    story = Story("What a leader learns late may have been chosen in a higher ballot than its own", multipaxos())
    story.say("n1 leads, and n2 has chosen slot 1 with it. n3 has missed that, and asks; the request is slow.")
    story.ring("n1", "election")
    story.lose(multi.Prepare, "n1", "n3")
    story.deliver(multi.Prepare, "n1", "n2")
    story.deliver(multi.Promise, "n2", "n1")
    story.settle()
    story.ask("c1", 1, write(1), "n1")
    story.lose(multi.Accept, "n1", "n3")
    story.settle()
    story.ring("n1", "heartbeat")
    story.deliver(multi.Heartbeat, "n1", "n3")
    story.lose(multi.Heartbeat, "n1", "n2")
    story.say("Meanwhile n3 campaigns with n2, and proposes for slot 2, which nobody hears of.")
    story.ring("n3", "election")
    story.lose(multi.Prepare, "n3", "n1")
    story.deliver(multi.Prepare, "n3", "n2")
    story.deliver(multi.Promise, "n2", "n3")
    story.ask("c3", 1, write(3), "n3")
    lessons = [p for p in story.cluster.wire if isinstance(p.message, multi.Learn)]
    assert [(p.sender, p.to) for p in lessons] == [("n3", "n1")]
    story.say("n1's answer comes when n3 leads: it says nothing about n3's proposals, and is put aside.")
    story.deliver(multi.Learn, "n3", "n1")
    before = story.cluster.nodes["n3"].copy()
    story.deliver(multi.Learned, "n1", "n3")
    assert story.cluster.nodes["n3"] == before
    story.settle()
    story.check("multipaxos-late-lesson")


def test_a_proposer_that_lacks_what_is_trimmed_gets_the_state_before_it_leads() -> None:
    story = Story("A promise does not cover what its acceptor has trimmed (PMMC §4.2)", multipaxos(snapshot_every=2))
    story.say("n1 leads with n2, and keeps its state every two slots. n3 misses three commands.")
    story.ring("n1", "election")
    story.lose(multi.Prepare, "n1", "n3")
    story.settle()
    story.lose_all("n3")
    for sequence, value in ((1, 10), (2, 20), (3, 30)):
        story.ask("c1", sequence, write(value), "n1")
        story.lose(multi.Accept, "n1", "n3")
        story.settle()
    story.say("n1 dies. n3 campaigns from slot 1 on, and n2 can promise only about slot 3 and later.")
    story.ring("n3", "election")
    story.lose(multi.Prepare, "n3", "n1")
    story.deliver(multi.Prepare, "n3", "n2")
    story.say("Were this promise enough, n3 would fill slots 1 and 2 with no-ops. It asks for them.")
    story.deliver(multi.Promise, "n2", "n3")
    assert multipaxos_of(story, "n3").role is multi.Role.CANDIDATE
    story.say("n2 sends the state instead. Now n3 leads, and proposes what n2 has accepted for slot 3.")
    story.deliver(multi.Learn, "n3", "n2")
    story.deliver(multi.State, "n2", "n3")
    assert multipaxos_of(story, "n3").role is multi.Role.LEADER
    story.lose(multi.Accept, "n3", "n1")
    story.lose(multi.Heartbeat, "n3", "n1")
    story.settle()
    story.say("n1 starts again from its snapshot, and learns the rest. A late copy of its Accept changes nothing.")
    story.restart("n1")
    story.ring("n3", "heartbeat")
    story.settle()
    late = Packet("n1", "n2", multi.Accept(multipaxos_of(story, "n1").promised, 1, (None,), 0))
    story.cluster.wire.append(late)
    story.settle()
    machines = [multipaxos_of(story, id).machine for id in story.cluster.ids]
    assert machines[0] == machines[1] == machines[2]
    assert machines[0].store.read("x") == 30
    story.check("multipaxos-state-transfer")


def test_a_lease_runs_out_before_anybody_else_can_lead() -> None:
    cluster = multipaxos(node=multi.LeaseMultiPaxos)
    story = Story("A leader reads from memory until its lease runs out (Paxos Made Live, §5.2)", cluster)
    story.say("Whoever starts has perhaps granted a lease before: nobody promises anything for 150 ms.")
    story.wait(140)
    story.ring("n2", "election")
    story.wait(60)
    story.ring("n1", "election")
    story.settle()
    story.ask("c1", 1, write(1), "n1")
    story.settle()
    story.say("Both have granted n1 a lease, so it reads from memory.")
    story.ask("c2", 1, Command("read", "x"), "n1")
    assert answers(story)[-1] == ("c2", Answer(1, 1))
    story.say("It asks again, and the acknowledgement of n2 is slow. Then n1 hears no more of anybody.")
    story.wait(50)
    story.ring("n1", "heartbeat")
    for to in ("n2", "n3"):
        story.deliver(multi.Heartbeat, "n1", to)
    story.lose(multi.Renew, "n1", "n3")
    story.wait(20)
    story.deliver(multi.Renew, "n1", "n2")
    story.say("n1 counts from when it asked, and for less than 150 ms: its lease ends a good while before n2's grant.")
    story.deliver(multi.Granted, "n2", "n1")
    story.wait(126)
    story.ask("c2", 2, Command("read", "x"), "n1")
    assert answers(story)[-1] == ("c2", Answer(2, 1))
    story.wait(2)
    story.ask("c2", 3, Command("read", "x"), "n1")
    assert answers(story)[-1] == ("c2", Answer(2, 1))
    story.say("So that read is a command, which nobody hears of. n3's grant has run out, but n2's has not.")
    for to in ("n2", "n3"):
        story.lose(multi.Accept, "n1", to)
    story.ring("n3", "election")
    story.lose(multi.Prepare, "n3", "n1")
    story.deliver(multi.Prepare, "n3", "n2")
    assert not story.cluster.wire
    story.say("n2 promises when it has, and n3 leads; n1 does not know it, and answers nothing.")
    story.wait(30)
    story.ring("n3", "election")
    story.lose(multi.Prepare, "n3", "n1")
    story.deliver(multi.Prepare, "n3", "n2")
    story.deliver(multi.Promise, "n2", "n3")
    story.lose_all("n1")
    story.settle()
    story.ask("c1", 2, write(2), "n3")
    story.lose_all("n1")
    story.settle()
    story.ask("c2", 4, Command("read", "x"), "n1")
    assert answers(story)[-1] == ("c1", Answer(2, 2))
    story.check("multipaxos-lease")


def answers(story: Story) -> list[tuple[str, object]]:
    return [(packet.to, packet.message) for packet in story.cluster.answers]


def multipaxos_of(story: Story, id: str) -> multi.MultiPaxos:
    node = story.cluster.nodes[id]
    assert isinstance(node, multi.MultiPaxos)
    return node
