"""Swarm: random faults, with a different mixture for every seed.

After Groce, Zhang, Eide, Chen & Regehr, "Swarm Testing" (ISSTA 2012): many runs that each leave most kinds of faults
out find more than as many that all have a little of everything, because faults hide each other. So every seed draws
which kinds it uses, how many, how hard and how long; some hit at a drawn time, some at an event (a vote, an append),
where a crash is worth far more than at a random moment. Most seeds open with what nearly every consensus bug needs
somewhere: a leader that is lost for longer than an election takes, and a follower that misses something.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Annotated, Any, Literal

from msgspec import Meta

from bench.draws import below, chance, pick, sampler, shuffled
from bench.fault import Cast, FaultKind, Inflicted
from bench.faults.crash import Crash
from bench.faults.delay import Delay
from bench.faults.duplication import Duplication
from bench.faults.loss import Loss
from bench.faults.partition import Partition
from bench.faults.pause import Pause
from bench.node import NodeId
from scenarios.schema import Scenario
from scenarios.units import Link, Probability, Span, Target

Kind = Literal["partition", "crash", "pause", "delay", "loss", "duplication"]
_KINDS: tuple[Kind, ...] = ("partition", "crash", "pause", "delay", "loss", "duplication")
_LEADER, _ANY, _ALL, _REST = (Target(who) for who in ("leader", "any", "all", "rest"))
_PERCENT = 10_000


class Swarm(FaultKind, frozen=True, kw_only=True, tag="swarm"):
    """A drawn number of drawn faults, at moments between its start and `heal` or at events before `heal`, whenever they
    come; planning replaces it by them.

    With `on`, `for` or `after` nothing happens: every drawn fault has its own.
    """

    kinds: Annotated[tuple[Kind, ...], Meta(min_length=1, description="What may be drawn.")] = _KINDS
    most: Annotated[int, Meta(ge=1, le=200, description="How many faults at most.")] = 12

    def planned(self, scenario: Scenario, nodes: tuple[NodeId, ...], random: Random) -> tuple[FaultKind, ...]:
        start = sampler(self.at or Span.constant(0), random)()
        span = max(1, scenario.heals_at - start)
        used = [kind for kind in self.kinds if chance(50 * _PERCENT, random)] or [pick(self.kinds, random)]
        makers: list[Callable[[Random, int, dict[str, Any]], FaultKind]] = []
        losses = [kind for kind in self.kinds if kind in _LOSE_LEADER]
        if losses and chance(85 * _PERCENT, random):
            makers.append(_LOSE_LEADER[pick(losses, random)])
        if "partition" in self.kinds and chance(60 * _PERCENT, random):
            makers.append(_isolate_follower)
        openings = len(makers)
        makers += [_MAKE[pick(used, random)] for _ in range(1 + below(max(1, self.most - openings), random))]
        plan: list[FaultKind] = []
        for number, make in enumerate(makers[: self.most], 1):
            timing: dict[str, Any] = {"at": Span.constant(start + below(span, random)), "lasts": _how_long(random)}
            if number <= openings:
                timing = {"at": Span.constant(start + below(span * 2 // 3, random)), "lasts": _outage(random)}
            elif chance(25 * _PERCENT, random):
                event = pick(("leader-elected", "vote-granted", "entry-appended"), random)
                nth = 1 + below(400 if event == "entry-appended" else 8, random)
                timing |= {"at": None, "on": event, "nth": nth, "after": Span.constant(below(15_000, random))}
            common = {"name": f"{self.name}-{number}", "order": shuffled(nodes, random), "optional": True, **timing}
            plan.append(make(random, len(nodes), common))
        return tuple(plan)

    def inflict(self, cast: Cast) -> Inflicted:
        raise AssertionError("planning replaces a swarm by its faults")


def _how_long(random: Random) -> Span:
    """A bounce, a hiccup, or an outage."""
    low, high = pick(((1_000, 20_000), (100_000, 600_000)), random)
    return Span.constant(low + below(high - low, random)) if chance(50 * _PERCENT, random) else _outage(random)


def _outage(random: Random) -> Span:
    """Long enough for several elections."""
    return Span.constant(600_000 + below(1_800_000, random))


def _who(random: Random) -> Target:
    return _LEADER if chance(60 * _PERCENT, random) else _ANY


def _partition(random: Random, nodes: int, common: dict[str, Any]) -> FaultKind:
    one = _who(random)
    some = Target("any", count=1 + below(max(1, nodes // 2), random))
    shape = below(5, random)
    groups = {
        0: ((one,), (_REST,)),  # isolate one
        1: ((some,), (_REST,)),  # two sides
        2: ((one, _ANY), (_REST,)),  # one and a follower
        3: ((one,), (_ANY,)),  # a single link; the others are a bridge
        4: ((_ANY,), (_ANY,), (_ANY,)),  # three strangers
    }[shape if nodes > 3 or shape != 2 else 0]
    return Partition(groups=groups, one_way=chance(25 * _PERCENT, random), **common)


def _crash(random: Random, nodes: int, common: dict[str, Any]) -> FaultKind:
    effects = below(8, random) if chance(30 * _PERCENT, random) else 0
    who = Target("trigger") if "on" in common and chance(70 * _PERCENT, random) else _who(random)
    return Crash(node=who, effects=effects, **common)


def _isolate_leader(random: Random, nodes: int, common: dict[str, Any]) -> FaultKind:
    return Partition(groups=((_LEADER,), (_REST,)), **common)


def _isolate_follower(random: Random, nodes: int, common: dict[str, Any]) -> FaultKind:
    return Partition(groups=((Target("follower"),), (_REST,)), **common)


def _pause(random: Random, nodes: int, common: dict[str, Any]) -> FaultKind:
    return Pause(node=_who(random), **common)


def _link(random: Random) -> Link:
    return pick((Link(_ALL, _ALL), Link(_LEADER, _ALL), Link(_ALL, _LEADER), Link(_ANY, _ALL, both=True)), random)


def _delay(random: Random, nodes: int, common: dict[str, Any]) -> FaultKind:
    return Delay(link=_link(random), by=Span.exponential(pick((5_000, 20_000, 80_000), random)), **common)


def _loss(random: Random, nodes: int, common: dict[str, Any]) -> FaultKind:
    return Loss(link=_link(random), rate=Probability(pick((5, 20, 50), random) * _PERCENT), **common)


def _duplication(random: Random, nodes: int, common: dict[str, Any]) -> FaultKind:
    later = Span.exponential(pick((2_000, 20_000, 100_000), random))
    return Duplication(link=_link(random), rate=Probability(pick((10, 50), random) * _PERCENT), later=later, **common)


_LOSE_LEADER: dict[str, Callable[[Random, int, dict[str, Any]], FaultKind]] = {
    "partition": _isolate_leader,
    "crash": lambda random, nodes, common: Crash(node=_LEADER, **common),
    "pause": lambda random, nodes, common: Pause(node=_LEADER, **common),
}

_MAKE: dict[str, Callable[[Random, int, dict[str, Any]], FaultKind]] = {
    "partition": _partition,
    "crash": _crash,
    "pause": _pause,
    "delay": _delay,
    "loss": _loss,
    "duplication": _duplication,
}
