"""Partition: groups of nodes that cannot reach each other."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from bench.actions import Cut, Mend
from bench.fault import Cast, FaultKind, Inflicted, sides
from scenarios.units import Target


class Partition(FaultKind, frozen=True, kw_only=True, tag="partition"):
    """No packet passes from one group to another.

    Nodes in no group reach everybody, so a node left out is a bridge. Clients belong to no group unless they are named.
    """

    needs = frozenset({"partition"})

    groups: Annotated[
        tuple[tuple[Target, ...], ...],
        Meta(min_length=2, description="Who is on which side.", examples=[[["leader as old", "any"], ["rest"]]]),
    ]
    one_way: Annotated[
        bool, Meta(description="Cut only what the first group sends to the others; what they send to it arrives.")
    ] = False

    def inflict(self, cast: Cast) -> Inflicted:
        groups = [cast.resolve(group) for group in self.groups]
        edges = tuple(
            (a, b)
            for i, group in enumerate(groups)
            for j, other in enumerate(groups)
            if i != j and (i == 0 or not self.one_way)
            for a in group
            for b in other
        )
        nodes = tuple(node for group in groups for node in group)
        what = sides(groups).replace("|", "->|") if self.one_way else sides(groups)
        return Inflicted(what, nodes, (Cut(edges),), (Mend(edges),)) if edges else Inflicted(what, nodes, (), ())
