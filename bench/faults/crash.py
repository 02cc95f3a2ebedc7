"""Crash: a process dies, loses its memory and what was not yet durable, and starts again later."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from bench.actions import Kill, Restart
from bench.fault import Cast, FaultKind, Inflicted
from scenarios.units import Target


class Crash(FaultKind, frozen=True, kw_only=True, tag="crash"):
    """The process dies, and starts again when the fault ends.

    Of the writes that no sync has covered, a drawn part survives. With `effects` it dies in the middle of what it is
    doing: after it has saved but before it has answered, for example.
    """

    needs = frozenset({"crash"})

    node: Annotated[Target, Meta(description="Who dies.", examples=["leader as old"])]
    effects: Annotated[
        int, Meta(ge=0, description="It dies after so many more effects (messages, writes, timers); 0: at once.")
    ] = 0

    def inflict(self, cast: Cast) -> Inflicted:
        nodes = cast.machines(self.node)
        begin = tuple(Kill(node, self.effects) for node in nodes)
        return Inflicted(" ".join(nodes), nodes, begin, tuple(Restart(node) for node in nodes))
