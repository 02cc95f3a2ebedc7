"""What a fault does to a system, as data; a `System` maps each action to a mechanism (a packet rule, a signal)."""

from __future__ import annotations

import msgspec

from bench.node import NodeId
from scenarios.units import Probability, Span

Edge = tuple[NodeId, NodeId]


class Cut(msgspec.Struct, frozen=True):
    """No packet passes these edges, until `Mend`."""

    edges: tuple[Edge, ...]


class Mend(msgspec.Struct, frozen=True):
    """Undo one `Cut` of these edges."""

    edges: tuple[Edge, ...]


class Slow(msgspec.Struct, frozen=True):
    """Packets on these edges (of one message type, if named) take so much longer, until `Lift`."""

    fault: str
    edges: tuple[Edge, ...]
    extra: Span
    type: str | None = None


class Lose(msgspec.Struct, frozen=True):
    """Packets on these edges (of one message type, if named) are lost with some probability, until `Lift`."""

    fault: str
    edges: tuple[Edge, ...]
    rate: Probability
    type: str | None = None


class Duplicate(msgspec.Struct, frozen=True):
    """Packets on these edges arrive twice with some probability, the copy so much later, until `Lift`."""

    fault: str
    edges: tuple[Edge, ...]
    rate: Probability
    later: Span
    type: str | None = None


class Drop(msgspec.Struct, frozen=True):
    """On every one of these edges, packets of one message type are lost: the nth from now on, or all; until `Lift`."""

    fault: str
    edges: tuple[Edge, ...]
    type: str
    nth: int | None = None


class Lift(msgspec.Struct, frozen=True):
    """Take a fault's rules off all links, or only off some edges."""

    fault: str
    edges: tuple[Edge, ...] | None = None


class Kill(msgspec.Struct, frozen=True):
    """The process dies at once, or after so many more effects, in the middle of a handler if need be."""

    node: NodeId
    effects: int = 0


class Restart(msgspec.Struct, frozen=True):
    """Start the process with what was durable, if it is not running."""

    node: NodeId


class Pause(msgspec.Struct, frozen=True):
    """The process stops running, and its clock goes on."""

    node: NodeId


class Resume(msgspec.Struct, frozen=True):
    node: NodeId


Action = Cut | Mend | Slow | Lose | Duplicate | Drop | Lift | Kill | Restart | Pause | Resume
