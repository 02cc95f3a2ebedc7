"""Pause: a process stops running, as under SIGSTOP, a long garbage collection or a migrating virtual machine."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from bench.actions import Pause as Stop
from bench.actions import Resume
from bench.fault import Cast, FaultKind, Inflicted
from scenarios.units import Target


class Pause(FaultKind, frozen=True, kw_only=True, tag="pause"):
    """The process stands still: packets queue, due timers fire once at the end, its clock goes on."""

    needs = frozenset({"pause"})

    node: Annotated[Target, Meta(description="Who stands still.", examples=["leader"])]

    def inflict(self, cast: Cast) -> Inflicted:
        nodes = cast.machines(self.node)
        return Inflicted(
            " ".join(nodes), nodes, tuple(Stop(node) for node in nodes), tuple(Resume(node) for node in nodes)
        )
