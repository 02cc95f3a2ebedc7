"""The seam between an experiment and what it is done to: a cluster that is simulated, or one that is real.

The conductor invokes operations, applies actions and listens; it never sees a message. What a system cannot do it
leaves out of its ``abilities``, and a scenario that needs it is refused before it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from bench.actions import Action
from bench.node import Command, Complete, NodeId
from checkers.observations import Observation
from checkers.trace import Trace

Ability = Literal[
    "crash", "pause", "partition", "delay", "clock", "disk", "membership", "roles", "observations", "deterministic"
]


class Ended(Exception):
    """The run cannot go on; ``reason`` says why. ``kind`` is "storm" or "invariant"."""

    def __init__(self, kind: Literal["storm", "invariant"], reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Session(Protocol):
    """One client of the system."""

    def invoke(self, command: Command, done: Callable[[Complete], None]) -> None:
        """Start an operation; ``done`` is called once, when it is over. One at a time."""


class System(Protocol):
    """A cluster under test. Times are microseconds since its start."""

    @property
    def nodes(self) -> tuple[NodeId, ...]: ...

    @property
    def abilities(self) -> frozenset[Ability]: ...

    @property
    def now(self) -> int: ...

    def session(self, id: NodeId, pinned: NodeId | None) -> Session:
        """Open a session; one that is ``pinned`` asks only that node."""

    def apply(self, action: Action) -> None:
        """Inflict one action."""

    def watch(self, what: str, listener: Callable[[Observation], None]) -> None:
        """Call ``listener`` at every observation that says ``what``."""

    def call_at(self, time: int, callback: Callable[[], None]) -> None:
        """Call back at a moment that is not in the past."""

    def advance(self, until: int) -> None:
        """Let time pass until this moment. Raises `Ended` when the run cannot go on."""

    def observations(self) -> tuple[Observation, ...]:
        """What the nodes have said of themselves so far."""

    def trace(self) -> Trace | None:
        """What happened inside, if the system can tell."""

    def counters(self) -> Mapping[str, int]:
        """Figures of the system's own, such as packets by message type."""
