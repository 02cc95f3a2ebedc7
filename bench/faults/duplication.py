"""Duplication: packets arrive twice, as when a link layer retransmits what had arrived."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from bench.actions import Action, Duplicate, Edge
from bench.packet_fault import PacketFault
from scenarios.units import Probability, Span


class Duplication(PacketFault, frozen=True, kw_only=True, tag="duplication"):
    """A packet on these links arrives once more with this probability."""

    rate: Annotated[Probability, Meta(description="How many of them.", examples=[0.2])]
    later: Annotated[Span, Meta(description="How much later the copy arrives.", examples=["0ms..100ms"])] = (
        Span.uniform(0, 10_000)
    )

    def amount(self) -> str:
        return f"twice at {self.rate}, {self.later} later"

    def rule(self, edges: tuple[Edge, ...]) -> Action:
        return Duplicate(self.name, edges, self.rate, self.later, self.type)
