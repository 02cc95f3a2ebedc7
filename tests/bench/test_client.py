"""A client: one operation at a time, sent to where it may be served, and never twice without a session."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.client import BACKOFF, RETRY, TIMEOUT, Client
from bench.node import (
    Answer,
    CancelTimer,
    Choose,
    Command,
    Complete,
    Effect,
    NodeId,
    Outbox,
    Refusal,
    Request,
    Saved,
    Send,
    SetTimer,
    Span,
)
from tests.bench.runs import run

NODES = ("n1", "n2", "n3")
WRITE = Command("write", "x", 1)
READ = Command("read", "x")
NEITHER: frozenset[str] = frozenset()


class Talk:
    """A client and what it does, event by event; what it asks the host to pick is picked by the test."""

    def __init__(
        self, *, retries: bool = True, pinned: NodeId | None = None, at_home: frozenset[str] = NEITHER
    ) -> None:
        self.client = Client(
            "c1",
            NODES,
            Span.constant(1_000_000),
            retries=retries,
            pinned=pinned,
            reads_at_home="reads" in at_home,
            updates_at_home="updates" in at_home,
        )
        self.do(lambda out: self.client.on_start(Saved(), 0, out))
        if pinned is None:
            self.pick("first node", 0)

    @staticmethod
    def do(handler: Callable[[Outbox], None]) -> list[Effect]:
        out = Outbox()
        handler(out)
        return out.effects

    def invoke(self, command: Command = WRITE) -> list[Effect]:
        return self.do(lambda out: self.client.invoke(command, 0, out))

    def hear(self, sender: NodeId, message: Answer | Refusal) -> list[Effect]:
        return self.do(lambda out: self.client.on_message(sender, message, 0, out))

    def ring(self, timer: str) -> list[Effect]:
        return self.do(lambda out: self.client.on_timer(timer, 0, out))

    def pick(self, tag: str, k: int) -> list[Effect]:
        return self.do(lambda out: self.client.on_choice(tag, k, 0, out))


def asked(effects: list[Effect]) -> list[tuple[NodeId, int]]:
    """Whom it asked, and for which operation."""
    return [
        (each.to, each.message.sequence)
        for each in effects
        if isinstance(each, Send) and isinstance(each.message, Request)
    ]


def over(effects: list[Effect]) -> list[Complete]:
    return [each for each in effects if isinstance(each, Complete)]


def chosen(effects: list[Effect]) -> Choose:
    (choice,) = (each for each in effects if isinstance(each, Choose))
    return choice


def test_it_asks_and_is_answered_and_stays_with_who_answered() -> None:
    talk = Talk()
    assert asked(talk.invoke()) == [("n1", 1)]
    effects = talk.hear("n1", Answer(1, 7, True))
    assert over(effects) == [Complete("ok", "n1", 7, True)]
    assert {each.timer for each in effects if isinstance(each, CancelTimer)} == {TIMEOUT, RETRY, BACKOFF}
    assert asked(talk.invoke()) == [("n1", 2)]


def test_it_follows_a_hint() -> None:
    talk = Talk()
    talk.invoke()
    assert asked(talk.hear("n1", Refusal(1, "n3"))) == [("n3", 1)]
    assert over(talk.hear("n3", Answer(1)))


def test_two_nodes_that_name_each_other_are_not_asked_in_circles_without_a_pause() -> None:
    talk = Talk()
    talk.invoke()
    assert asked(talk.hear("n1", Refusal(1, "n2"))) == [("n2", 1)]
    effects = talk.hear("n2", Refusal(1, "n1"))
    assert asked(effects) == []
    assert [each.timer for each in effects if isinstance(each, SetTimer)] == [BACKOFF]
    choice = chosen(talk.ring(BACKOFF))
    assert choice.n == 2
    assert asked(talk.pick(choice.tag, 1)) == [("n3", 1)]  # the second of those that are not n2


def test_a_refusal_without_a_hint_makes_it_wait_and_ask_another() -> None:
    talk = Talk()
    talk.invoke()
    assert asked(talk.hear("n1", Refusal(1))) == []
    assert {asked(talk.pick(chosen(talk.ring(BACKOFF)).tag, 0))[0][0]} <= {"n2", "n3"}


def test_an_unanswered_operation_is_sent_again_only_where_a_session_makes_it_harmless() -> None:
    assert [each.timer for each in Talk().invoke() if isinstance(each, SetTimer)] == [TIMEOUT, RETRY]
    assert [each.timer for each in Talk(retries=False).invoke() if isinstance(each, SetTimer)] == [TIMEOUT]
    assert [each.timer for each in Talk(pinned="n2").invoke() if isinstance(each, SetTimer)] == [TIMEOUT]
    talk = Talk()
    talk.invoke()
    assert asked(talk.pick(chosen(talk.ring(RETRY)).tag, 0)) == [("n2", 1)]  # the same sequence number


def test_a_timeout_is_info_and_a_late_answer_says_nothing() -> None:
    talk = Talk()
    talk.invoke()
    effects = talk.ring(TIMEOUT)
    assert [done.type for done in over(effects)] == ["info"]
    assert talk.hear("n1", Answer(1, 7)) == []
    talk.pick(chosen(effects).tag, 2)
    assert asked(talk.invoke()) == [("n3", 2)]
    assert talk.hear("n1", Answer(1, 7)) == []
    assert talk.hear("n1", Refusal(1, "n2")) == []
    assert over(talk.hear("n3", Answer(2, 8))) == [Complete("ok", "n3", 8)]


def requests(effects: list[Effect]) -> list[Request]:
    return [each.message for each in effects if isinstance(each, Send) and isinstance(each.message, Request)]


def test_reads_stay_at_home_while_updates_follow_whoever_leads() -> None:
    talk = Talk(at_home=frozenset({"reads"}))
    talk.invoke()
    assert asked(talk.hear("n1", Refusal(1, "n3"))) == [("n3", 1)]
    talk.hear("n3", Answer(1, position=4))
    (read,) = requests(talk.invoke(READ))
    assert asked(talk.hear("n1", Answer(2, 7, position=5))) == []
    assert read.seen == 4
    assert asked(talk.invoke()) == [("n3", 3)]


def test_a_session_that_has_its_updates_at_home_goes_elsewhere_with_reads_and_updates_alike() -> None:
    talk = Talk(at_home=frozenset({"reads", "updates"}))
    talk.invoke()
    effects = talk.hear("n1", Refusal(1, "n3"))  # who leads does not matter
    assert asked(effects) == []
    assert asked(talk.pick(chosen(talk.ring(BACKOFF)).tag, 0)) == [("n2", 1)]
    assert over(talk.hear("n2", Answer(1, position=6)))
    assert asked(talk.invoke(READ)) == [("n2", 2)]
    assert over(talk.hear("n2", Answer(2, position=6)))
    (update,) = requests(talk.invoke())
    assert update.seen == 6
    assert asked(talk.pick(chosen(talk.ring(RETRY)).tag, 1)) == [("n3", 3)]  # no answer: the same update
    choice = chosen(talk.ring(TIMEOUT))
    talk.pick(choice.tag, 1)
    assert asked(talk.invoke(READ)) == [("n2", 4)]


def test_an_operation_that_is_invoked_while_a_node_is_being_picked_is_asked_once() -> None:
    talk = Talk()
    talk.invoke()
    choice = chosen(talk.ring(TIMEOUT))
    assert asked(talk.invoke()) == []
    assert asked(talk.pick(choice.tag, 1)) == [("n2", 2)]


def test_a_node_that_was_picked_for_an_operation_that_is_over_is_not_asked_for_the_next() -> None:
    """Else the next would be sent twice, which without sessions may take effect twice."""
    talk = Talk(retries=False)
    talk.invoke()
    talk.hear("n1", Refusal(1))
    choice = chosen(talk.ring(BACKOFF))
    first = chosen(talk.ring(TIMEOUT))
    assert asked(talk.invoke()) == []
    assert asked(talk.pick(choice.tag, 0)) == []
    assert asked(talk.pick(first.tag, 0)) == [("n1", 2)]


def test_a_session_that_is_pinned_takes_a_refusal_for_an_answer_and_never_asks_elsewhere() -> None:
    talk = Talk(pinned="n2")
    assert asked(talk.invoke(Command("read", "x"))) == [("n2", 1)]
    assert [(done.type, done.node) for done in over(talk.hear("n2", Refusal(1, "n3")))] == [("fail", "n2")]
    talk.invoke()
    effects = talk.ring(TIMEOUT)
    assert [done.type for done in over(effects)] == ["info"]
    assert not [each for each in effects if isinstance(each, Choose)]
    assert asked(talk.invoke()) == [("n2", 3)]


def test_a_refused_update_may_have_arrived_twice_and_only_a_copy_of_it_was_refused() -> None:
    talk = Talk(pinned="n2")
    talk.invoke(WRITE)
    assert [(done.type, done.node) for done in over(talk.hear("n2", Refusal(1, "n3")))] == [("info", "n2")]


def test_an_old_refusal_does_not_send_it_away_from_whom_it_asks_now() -> None:
    talk = Talk()
    talk.invoke()
    talk.hear("n1", Refusal(1, "n2"))
    assert talk.hear("n1", Refusal(1, "n3")) == []  # a copy of the first


@pytest.mark.parametrize("retries", [True, False])
def test_a_single_node_is_asked_again_after_the_pause(retries: bool) -> None:
    client = Client("c1", ("n1",), Span.constant(1_000_000), retries=retries)
    client.target = "n1"
    Talk.do(lambda out: client.invoke(WRITE, 0, out))
    Talk.do(lambda out: client.on_message("n1", Refusal(1), 0, out))
    choice = chosen(Talk.do(lambda out: client.on_timer(BACKOFF, 0, out)))
    assert asked(Talk.do(lambda out: client.on_choice(choice.tag, 0, 0, out))) == [("n1", 1)]


def test_an_arrival_that_nobody_can_take_is_shed_and_nobody_is_blamed() -> None:
    """One session, a thousand arrivals a second at 20 ms each: most are shed, each at the moment of its arrival."""
    seen = run(
        """
        duration = "6s"
        heal = "2s"
        protocols = ["raft"]
        [cluster]
        nodes = 3
        latency = "10ms"
        [workload]
        kind = "kv"
        clients = 1
        sessions-max = 1
        rate = "200/s"
        """
    )
    shed = [op for op in seen.recording.history.operations() if op.session == "shed"]
    assert len(shed) == seen.recording.counters["shed"] > 500
    assert all(op.type == "fail" and op.return_time == op.time for op in shed)
    assert {op.session for op in seen.recording.history.operations()} == {"c1", "shed", "f1"}
    arrivals = [each.at for each in seen.recording.plan.operations]
    assert [op.time for op in seen.recording.history.operations() if not op.final] == [
        at * 1000 for at in arrivals if at is not None
    ]
    progress = next(each.verdict for each in seen.result.judged if each.name == "progress")
    first = min(
        op.return_time or 0
        for op in seen.recording.history.operations()
        if op.session == "c1" and op.time >= 2_000_000_000
    )
    assert progress.details["recovered_after_ns"] == first - 2_000_000_000
