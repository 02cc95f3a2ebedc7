"""Delay: packets take longer than the links' own latency, and so overtake each other more."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from bench.actions import Action, Edge, Slow
from bench.packet_fault import PacketFault
from scenarios.units import Span


class Delay(PacketFault, frozen=True, kw_only=True, tag="delay"):
    """Every packet on these links takes so much longer; drawn anew for each packet."""

    by: Annotated[Span, Meta(description="How much longer.", examples=["20ms..200ms"])]

    def amount(self) -> str:
        return f"by {self.by}"

    def rule(self, edges: tuple[Edge, ...]) -> Action:
        return Slow(self.name, edges, self.by, self.type)
