"""Connections over a network that loses, doubles and reorders: order and once, or an end that both ends notice."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from bench.node import Outbox, Send
from bench.parts.channel import WINDOW, Channel, Framed, Ping, Stamp

LIMIT = 5


class Word(Framed, frozen=True):
    """A message for these tests."""

    text: int


class Wire:
    """Two ends, the packets under way in both directions, and what each end was handed."""

    def __init__(self) -> None:
        self.ends = {"a": Channel(7), "b": Channel(9, peer=7)}
        self.under_way: list[tuple[str, Framed]] = []
        self.got: dict[str, list[int]] = {"a": [], "b": []}
        self.said = {"a": 0, "b": 0}

    def other(self, end: str) -> str:
        return "b" if end == "a" else "a"

    def say(self, end: str) -> None:
        out = Outbox()
        self.said[end] += 1
        self.ends[end].send(self.other(end), Word(self.said[end]), out)
        self._put(out)

    def tick(self, end: str, limit: int = LIMIT) -> bool:
        out = Outbox()
        alive = self.ends[end].tick(self.other(end), limit, out)
        self._put(out)
        return alive

    def _put(self, out: Outbox) -> None:
        for effect in out.effects:
            assert isinstance(effect, Send)
            assert isinstance(effect.message, Framed)
            self.under_way.append((effect.to, effect.message))

    def arrive(self, which: int, *, again: bool = False) -> None:
        to, message = self.under_way[which] if again else self.under_way.pop(which)
        end = self.ends[to]
        assert end.joins(message.stamp)
        for each in end.receive(message):
            assert isinstance(each, Word)
            self.got[to].append(each.text)


STEPS = st.lists(
    st.tuples(st.sampled_from(("say", "tick", "arrive", "again", "lose")), st.sampled_from(("a", "b")), st.integers(0)),
    max_size=120,
)


@given(STEPS)
def test_whatever_the_network_does_each_end_is_handed_a_beginning_of_what_the_other_said(
    steps: list[tuple[str, str, int]],
) -> None:
    wire = Wire()
    for step, end, which in steps:
        if step == "say":
            wire.say(end)
        elif step == "tick":
            wire.tick(end, limit=1000)
        elif wire.under_way:
            which %= len(wire.under_way)
            if step == "lose":
                del wire.under_way[which]
            else:
                wire.arrive(which, again=step == "again")
        for one in ("a", "b"):
            heard = wire.got[one]
            assert heard == list(range(1, len(heard) + 1))
            assert len(heard) <= wire.said[wire.other(one)]
    # Once the network is good again, everything arrives: what is overdue is sent at the second tick at the latest.
    for _ in range(3):
        for end in ("a", "b"):
            wire.tick(end, limit=1000)
        while wire.under_way:
            wire.arrive(0)
    assert [len(wire.got["b"]), len(wire.got["a"])] == [wire.said["a"], wire.said["b"]]


def test_a_message_that_is_acknowledged_is_not_sent_again() -> None:
    wire = Wire()
    wire.say("a")
    wire.arrive(0)
    wire.tick("b")
    wire.arrive(0)
    for _ in range(4):
        assert wire.tick("a")
        assert [type(message) for _, message in wire.under_way] == [Ping]
        wire.arrive(0)


def test_a_message_is_not_repeated_before_a_whole_tick_has_passed() -> None:
    wire = Wire()
    wire.say("a")
    wire.tick("a")
    assert sum(isinstance(message, Word) for _, message in wire.under_way) == 1
    wire.tick("a")
    assert sum(isinstance(message, Word) for _, message in wire.under_way) == 2


def test_a_silent_other_end_is_noticed_by_both() -> None:
    wire = Wire()
    wire.say("a")
    wire.arrive(0)
    assert [wire.tick("a") for _ in range(LIMIT + 1)] == [True] * LIMIT + [False]
    assert [wire.tick("b") for _ in range(LIMIT + 1)] == [True] * LIMIT + [False]


def test_an_end_that_hears_signs_of_life_but_no_acknowledgement_gives_up() -> None:
    wire = Wire()
    wire.say("a")
    wire.under_way.clear()
    for tick in range(1, 2 * LIMIT + 2):
        alive = wire.tick("a")
        wire.under_way.clear()  # nothing of a's arrives
        assert alive == (tick <= 2 * LIMIT)
        wire.tick("b", limit=1000)
        wire.arrive(0)


def test_more_under_way_than_the_window_holds_ends_the_connection() -> None:
    wire = Wire()
    for _ in range(WINDOW):
        wire.say("a")
    assert wire.tick("a")
    wire.say("a")
    assert not wire.tick("a")


def test_what_is_beyond_the_window_is_not_kept() -> None:
    wire = Wire()
    for _ in range(WINDOW + 1):
        wire.say("a")
    wire.arrive(WINDOW)
    for _ in range(WINDOW):
        wire.arrive(0)
    assert len(wire.got["b"]) == WINDOW


def stamp(channel: Channel) -> Stamp:
    """Of the next message that this end sends."""
    out = Outbox()
    channel.send("x", Word(1), out)
    (effect,) = out.effects
    assert isinstance(effect, Send)
    assert isinstance(effect.message, Word)
    return effect.message.stamp


def test_messages_of_another_connection_do_not_join() -> None:
    wire = Wire()
    opened, accepted = wire.ends["a"], wire.ends["b"]
    assert not accepted.joins(stamp(Channel(8)))  # an end that was opened later
    assert not accepted.joins(stamp(Channel(6)))  # or earlier
    assert not accepted.joins(stamp(Channel(7, peer=5)))  # the same end, of somebody who knew our former self
    assert not opened.joins(stamp(Channel(9)))  # somebody who opens a connection to us while we open one to him
    assert not opened.joins(stamp(Channel(9, peer=6)))  # an answer to a connection that we have given up
    wire.say("b")
    wire.arrive(0)
    assert not opened.joins(stamp(Channel(10, peer=7)))  # after an answer from 9, nobody else speaks for it
    assert opened.joins(stamp(accepted))
    assert accepted.joins(stamp(opened))


def test_copies_are_equal_and_independent() -> None:
    wire = Wire()
    wire.say("a")
    wire.say("a")
    wire.arrive(1)  # early: it waits
    for end in wire.ends.values():
        twin = copy.deepcopy(end)
        assert twin == end
        assert hash(twin) == hash(end)
        twin.tick("x", LIMIT, Outbox())
        assert twin != end
