"""What a protocol's file offers: its nodes by mode, its parameters, and what each mode promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from bench.node import Node, NodeId

NodeClass = Callable[[NodeId, tuple[NodeId, ...], Any], Node]


@dataclass(frozen=True)
class Mode:
    """One way of running a protocol.

    ``promises`` is the strongest consistency model that the mode guarantees to clients (None: nothing), ``also`` what
    it guarantees on an axis of its own, such as no-lost-writes or "bounded-staleness:t=50ms"; ``breaks`` are models
    that it must be seen to break under some fault. ``reads_anywhere`` says whether every replica answers reads, and
    ``updates_at_home`` whether a session sends its updates, too, to the one that answers its reads.
    """

    node: NodeClass
    promises: str | None
    breaks: tuple[str, ...] = ()
    reads_anywhere: bool = False
    updates_at_home: bool = False
    also: tuple[str, ...] = ()

    @property
    def promised(self) -> tuple[str, ...]:
        return ((self.promises,) if self.promises is not None else ()) + self.also


@dataclass(frozen=True)
class Protocol:
    """A protocol as the bench runs it.

    ``operations`` are the functions that it can serve; ``observes`` is what its nodes announce ("lead", "decide", …):
    what they do not announce cannot be judged, nor a fault wait for it. ``sessions`` says whether sending an operation
    twice is harmless, so that clients may retry; ``recovers_within`` is the stated bound, in microseconds after heal,
    within which every client is served again. With ``requires`` a broken `require` of its code ends a run.
    """

    summary: str
    parameters: type[msgspec.Struct]
    modes: Mapping[str, Mode]
    operations: frozenset[str]
    observes: frozenset[str]
    sessions: bool
    recovers_within: Callable[[Any], int]
    requires: bool = True
    mutant_of: str | None = None

    def mutant(self, of: str, node: NodeClass, breaks: str) -> Protocol:
        """This protocol with one rule broken: ``node`` replaces the mode ``of`` ("raft/log") and keeps its promise.

        What its parent requires of itself is not looked at: a bug in the wild does not come with the assertion that
        finds it, so it has to be convicted by what it does.
        """
        mode = of.partition("/")[2]
        modes = {mode: replace(self.modes[mode], node=node)}
        return replace(self, summary=breaks, modes=modes, requires=False, mutant_of=of)

    @property
    def default_mode(self) -> str:
        return next(iter(self.modes))
