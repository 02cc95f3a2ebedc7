"""Drop: lose chosen messages, to script a schedule packet by packet."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from bench.actions import Drop as Discard
from bench.actions import Lift
from bench.fault import Cast, FaultKind, Inflicted, ends, links
from scenarios.units import Link


class Drop(FaultKind, frozen=True, kw_only=True, tag="drop"):
    """Messages of one type on one link are lost: every one, or only the nth after the fault's start."""

    needs = frozenset({"delay"})

    type: Annotated[
        str,
        Meta(
            description="The message's type, named as in the protocol; somebody must send one.",
            examples=["RequestVote"],
        ),
    ]
    link: Annotated[Link, Meta(description="On which links, each counted for itself.", examples=["n1 -> n2"])]
    count: Annotated[int | None, Meta(ge=1, description="Only this one, counted from 1; without it, all.")] = None

    def about(self) -> str | None:
        return self.type

    def inflict(self, cast: Cast) -> Inflicted:
        edges = cast.edges(self.link)
        which = f"{self.type} number {self.count}" if self.count else f"every {self.type}"
        return Inflicted(
            f"{which} {links(edges)}",
            ends(edges),
            (Discard(self.name, edges, self.type, self.count),) if edges else (),
            (Lift(self.name),),
        )
