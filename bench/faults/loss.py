"""Loss: packets vanish, each with the same probability."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from bench.actions import Action, Edge, Lose
from bench.packet_fault import PacketFault
from scenarios.units import Probability


class Loss(PacketFault, frozen=True, kw_only=True, tag="loss"):
    """A packet on these links is lost with this probability."""

    rate: Annotated[Probability, Meta(description="How many of them.", examples=[0.2])]

    def amount(self) -> str:
        return f"lost at {self.rate}"

    def rule(self, edges: tuple[Edge, ...]) -> Action:
        return Lose(self.name, edges, self.rate, self.type)
