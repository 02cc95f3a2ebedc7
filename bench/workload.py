"""The contract of a workload: what clients ask for, planned before the run; operations do not depend on answers."""

from __future__ import annotations

from abc import abstractmethod

import msgspec

from bench.node import Command, NodeId, Value
from scenarios.schema import Scenario
from scenarios.schema import Workload as Parameters
from scenarios.units import Duration


class Operation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One planned operation.

    In an open loop it has the time ``at`` (microseconds since the start) at which it arrives, and any free session
    takes it; in a closed loop it belongs to a ``session``, which invokes it so long ``after`` the one before was over.
    """

    f: str
    key: str
    value: Value = None
    at: int | None = None
    session: NodeId | None = None
    after: int = 0

    @property
    def command(self) -> Command:
        return Command(self.f, self.key, self.value)


class Session(msgspec.Struct, frozen=True):
    """A client session that may be opened; one that is ``pinned`` asks only that node."""

    id: NodeId
    pinned: NodeId | None = None


class WorkloadKind(Parameters, frozen=True, kw_only=True):
    """One kind of workload."""

    @property
    @abstractmethod
    def model(self) -> str:
        """The model that its histories are judged by."""

    @property
    @abstractmethod
    def operations(self) -> frozenset[str]:
        """The functions that it may invoke."""

    @property
    @abstractmethod
    def patience(self) -> Duration:
        """How long a client waits for an answer."""

    @abstractmethod
    def sessions(self, nodes: tuple[NodeId, ...]) -> tuple[Session, ...]:
        """Every session that it may open; those that are not pinned take open-loop arrivals, in this order."""

    @abstractmethod
    def size(self, scenario: Scenario) -> int:
        """About how many operations `plan` returns."""

    @abstractmethod
    def plan(self, scenario: Scenario, nodes: tuple[NodeId, ...], seed: int) -> tuple[Operation, ...]:
        """Every operation, with every draw made."""

    @abstractmethod
    def final(self) -> tuple[Command, ...]:
        """What is asked of every replica once the run is quiet."""
