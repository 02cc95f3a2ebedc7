"""What the faults on packets have in common: which links they mean, and how they take their rules off again."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

from msgspec import Meta

from bench.actions import Action, Edge, Lift
from bench.fault import Cast, FaultKind, Inflicted, ends, links
from scenarios.units import Link, Target

_EVERYWHERE = Link(Target("all"), Target("all"))


class PacketFault(FaultKind, frozen=True, kw_only=True):
    """A fault that lays a rule over links."""

    needs = frozenset({"delay"})

    link: Annotated[
        Link, Meta(description="On which links; without it, all links between nodes.", examples=["leader -> all"])
    ] = _EVERYWHERE
    type: Annotated[
        str | None,
        Meta(
            description="Only messages of this type, named as in the protocol; somebody must send one.",
            examples=["AppendEntries"],
        ),
    ] = None

    def about(self) -> str | None:
        return self.type

    def inflict(self, cast: Cast) -> Inflicted:
        edges = cast.edges(self.link)
        what = " ".join(part for part in (self.type, links(edges), self.amount()) if part)
        return Inflicted(what, ends(edges), (self.rule(edges),) if edges else (), (Lift(self.name),))

    @abstractmethod
    def amount(self) -> str:
        """How much of it, in words."""

    @abstractmethod
    def rule(self, edges: tuple[Edge, ...]) -> Action:
        """The action that lays the rule."""
