"""The contract of a fault: parameters from a scenario, planned once with every draw made, inflicted on whom it meets.

A planned fault is data: its times are fixed, and the order in which "any" picks nodes is drawn. Its targets stay
symbolic until it starts, for only then is it known who the leader is; a `Cast` resolves them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import ClassVar, assert_never

import msgspec

from bench.actions import Action, Edge
from bench.draws import sampler, shuffled
from bench.node import NodeId
from bench.system import Ability
from scenarios.schema import Fault, Scenario
from scenarios.units import Link, Span, Target

EVENTS = {
    "leader-elected": "lead",
    "vote-granted": "vote",
    "entry-appended": "append",
    "committed": "commit",
}
"""The events that can start a fault, and the observations that they are; beside them "NAME starts" and "NAME ends"."""


class Inflicted(msgspec.Struct, frozen=True):
    """A fault with its targets resolved: what it does now and when it ends, and to whom, in words."""

    what: str
    nodes: tuple[NodeId, ...]
    begin: tuple[Action, ...]
    end: tuple[Action, ...]


class FaultKind(Fault, frozen=True, kw_only=True):
    """One kind of fault; ``needs`` are the abilities of a system without which it cannot be inflicted."""

    needs: ClassVar[frozenset[Ability]] = frozenset()

    def planned(self, scenario: Scenario, nodes: tuple[NodeId, ...], random: Random) -> tuple[FaultKind, ...]:
        """This fault with every draw made. A generator of faults returns many."""

        def drawn(span: Span | None) -> Span | None:
            return None if span is None else Span.constant(sampler(span, random)())

        return (
            msgspec.structs.replace(
                self,
                at=drawn(self.at),
                after=drawn(self.after),
                lasts=drawn(self.lasts),
                order=self.order or shuffled(nodes, random),
            ),
        )

    def awaits(self) -> frozenset[str]:
        """The observations without which this fault would never start, such as "lead" when it is about the leader."""
        about_leader = any(target.who in ("leader", "follower") for target in _targets(msgspec.structs.asdict(self)))
        event = {EVENTS[self.on]} if self.on in EVENTS else set()
        return frozenset(({"lead"} if about_leader else set()) | event)

    def stops_clients(self) -> bool:
        """Whether it would crash or pause a client, which nothing can: clients can only be cut off."""
        about_clients = any(target.who in ("client", "clients") for target in _targets(msgspec.structs.asdict(self)))
        return about_clients and bool(self.needs & {"crash", "pause"})

    def about(self) -> str | None:
        """The type of the messages that it is about, if of one; a run in which none is sent has not seen it."""
        return None

    @abstractmethod
    def inflict(self, cast: Cast) -> Inflicted:
        """What this fault does, to the targets that ``cast`` resolves now."""


def _targets(value: object) -> Iterator[Target]:
    """Every target in the parameters of a fault."""
    match value:
        case Target():
            yield value
        case Link(sender, receiver):
            yield from (sender, receiver)
        case dict():
            for item in value.values():
                yield from _targets(item)
        case tuple():
            for item in value:
                yield from _targets(item)
        case _:
            pass


class NobodyYet(Exception):
    """A target that nobody is at the moment: there is no leader, or no fault has given the name. The fault waits."""


class Cast:
    """Who is meant: resolves the targets of one fault, left to right, nobody twice except by name."""

    def __init__(
        self,
        nodes: tuple[NodeId, ...],
        clients: tuple[NodeId, ...],
        order: tuple[NodeId, ...],
        *,
        leader: NodeId | None,
        down: frozenset[NodeId],
        trigger: NodeId | None,
        names: Mapping[str, tuple[NodeId, ...]],
    ) -> None:
        self._nodes = nodes
        self._clients = clients
        self._order = order or nodes
        self._leader = leader
        self._down = down
        self._trigger = trigger
        self._named: list[NodeId] = []
        self.names = dict(names)

    def resolve(self, targets: Iterable[Target]) -> tuple[NodeId, ...]:
        """The nodes and clients that these targets are."""
        found: list[NodeId] = []
        for target in targets:
            chosen = self._resolve(target)
            self._named += chosen
            found += chosen
            if target.alias:
                self.names[target.alias] = chosen
        return tuple(found)

    def machines(self, target: Target) -> tuple[NodeId, ...]:
        """The nodes that a target is; clients cannot be crashed or paused, so a name that stands for one is nobody."""
        return tuple(node for node in self.resolve((target,)) if node in self._nodes)

    def edges(self, link: Link) -> tuple[Edge, ...]:
        """The directed edges of a link, each once."""
        senders = self.resolve((link.sender,))
        if link.sender.who == "all" and link.receiver.who in ("any", "follower"):  # drawn from all, then
            self._named.clear()
        receivers = self.resolve((link.receiver,))
        pairs = [(a, b) for a in senders for b in receivers]
        if link.both:
            pairs += [(b, a) for a, b in pairs]
        connected = ((a, b) for a, b in pairs if a != b and (a in self._nodes or b in self._nodes))
        return tuple(dict.fromkeys(connected))

    def _resolve(self, target: Target) -> tuple[NodeId, ...]:
        match target.who:
            case "node" | "client":
                return (target.of,)
            case "named":
                if target.of not in self.names:
                    raise NobodyYet
                return self.names[target.of]
            case "clients":
                return self._clients
            case "all":
                return self._nodes
            case "rest":
                return tuple(node for node in self._nodes if node not in self._named)
            case "leader":
                if self._leader is None:
                    raise NobodyYet
                return (self._leader,)
            case "trigger":
                return (self._trigger,) if self._trigger in self._nodes else ()
            case "any":
                return self._pick(target.count, self._named)
            case "follower":
                if self._leader is None:
                    raise NobodyYet
                return self._pick(target.count, [*self._named, self._leader])
            case _:
                assert_never(target.who)

    def _pick(self, count: int, but: list[NodeId]) -> tuple[NodeId, ...]:
        """So many nodes in the drawn order, those that run first."""
        free = [node for node in self._order if node not in but]
        return tuple(sorted(free, key=lambda node: node in self._down)[:count])


def sides(groups: Iterable[Iterable[NodeId]]) -> str:
    """Groups in words: "n1 n3 | n2 n4 n5"."""
    return " | ".join(" ".join(group) for group in groups)


def links(edges: Iterable[Edge]) -> str:
    """Edges in words: "n1->n2 n1->n3"; beyond six, only their number."""
    named = [f"{a}->{b}" for a, b in edges]
    return " ".join(named) if len(named) <= 6 else f"{len(named)} links"


def ends(edges: Iterable[Edge]) -> tuple[NodeId, ...]:
    """The machines at the ends of edges, each once, in order."""
    return tuple(dict.fromkeys(end for edge in edges for end in edge))
