"""The simulated cluster: sans-IO nodes on simulated machines, disks and links, in simulated time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, assert_never

from bench.actions import (
    Action,
    Cut,
    Drop,
    Duplicate,
    Edge,
    Kill,
    Lift,
    Lose,
    Mend,
    Pause,
    Restart,
    Resume,
    Slow,
)
from bench.client import Client
from bench.draws import chance, sampler, stream
from bench.host import Host, Storm
from bench.network import Network, Rule, topology
from bench.node import Command, Complete, Message, NodeId, RequirementBroken, requirements_ignored
from bench.protocol import Mode
from bench.simulation import Simulation
from bench.system import Ability, Ended
from checkers.observations import Observation
from checkers.trace import Step, Trace
from scenarios.schema import Cluster
from scenarios.units import Span

_NO_SYNC = Span.constant(0)


@contextmanager
def ending() -> Iterator[None]:
    """Say in the words of the seam why the run cannot go on."""
    try:
        yield
    except Storm as storm:
        raise Ended("storm", str(storm)) from None
    except RequirementBroken as broken:
        raise Ended("invariant", str(broken)) from None


class SimulatedSession:
    """A client process of the simulation."""

    def __init__(self, host: Host, id: NodeId) -> None:
        self._host = host
        self._id = id

    def invoke(self, command: Command, done: Callable[[Complete], None]) -> None:
        client = self._host.processes[self._id].node
        assert isinstance(client, Client)
        self._host.completions[self._id] = done
        with ending():
            self._host.call(self._id, client.invoke, command)


class Simulated:
    """A cluster in simulated time; same arguments, same run.

    Machines that two faults crash (or pause) start again when both faults are over.
    """

    abilities: frozenset[Ability] = frozenset(
        ("crash", "pause", "partition", "delay", "disk", "roles", "observations", "deterministic")
    )

    def __init__(
        self,
        cluster: Cluster,
        mode: Mode,
        parameters: Any,
        clients: Iterable[NodeId],
        seed: int,
        *,
        patience: int,
        retries: bool,
        requires: bool,
        events_max: int,
        trace: bool = True,
    ) -> None:
        self._nodes = cluster.ids
        graph = topology(self._nodes, clients, cluster.latency, cluster.client_latency, cluster.links)
        self._seed = seed
        self._patience = Span.constant(patience)
        self._retries = retries
        self._mode = mode
        self._requires = requires
        self._broken: list[str] = []  # requirements that were ignored
        self._simulation = Simulation()
        self._network = Network(graph, seed, fifo=cluster.order == "fifo")
        self._steps: list[Step | Observation] | None = [] if trace else None
        self._host = Host(
            self._network,
            self._simulation,
            seed,
            events_max=events_max,
            trace=None if self._steps is None else self._steps.append,
        )
        self._simulation.drive(self._host)
        self._down: Counter[NodeId] = Counter()
        self._stopped: Counter[NodeId] = Counter()
        for node in self._nodes:
            self._host.add(node, lambda node=node: mode.node(node, self._nodes, parameters), cluster.fsync)  # type: ignore[misc]
        self._simulation.call_at(0, self._start)  # as part of the run, which may end there

    def _start(self) -> None:
        for node in self._nodes:
            self._host.start(node)

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        return self._nodes

    @property
    def now(self) -> int:
        return self._simulation.now

    def session(self, id: NodeId, pinned: NodeId | None) -> SimulatedSession:
        def create() -> Client:
            return Client(
                id,
                self._nodes,
                self._patience,
                retries=self._retries,
                pinned=pinned,
                reads_at_home=self._mode.reads_anywhere,
                updates_at_home=self._mode.updates_at_home,
            )

        self._host.add(id, create, _NO_SYNC)
        with ending():
            self._host.start(id)
        return SimulatedSession(self._host, id)

    def watch(self, what: str, listener: Callable[[Observation], None]) -> None:
        self._host.watchers.setdefault(what, []).append(listener)

    def call_at(self, time: int, callback: Callable[[], None]) -> None:
        self._simulation.call_at(time, callback)

    def advance(self, until: int) -> None:
        with ending():
            if self._requires:
                self._simulation.advance(until)
            else:
                self._advance_regardless(until)

    def _advance_regardless(self, until: int) -> None:
        """Whatever nodes require of themselves; the error that a broken requirement may lead to ends the run."""
        try:
            with requirements_ignored(self._broken):
                self._simulation.advance(until)
        except Storm:
            raise
        except Exception as error:
            if self._broken:
                raise RequirementBroken(self._broken[0]) from error
            raise

    def observations(self) -> tuple[Observation, ...]:
        return tuple(self._host.observations)

    def trace(self) -> Trace | None:
        return None if self._steps is None else Trace(self._steps)

    def counters(self) -> Mapping[str, int]:
        sent = self._network.sent_by_type()
        return {
            "events": self._host.events,
            "packets": self._host.packets,
            "packets-dropped": self._network.dropped,
            "packets-duplicated": self._network.duplicated,
            **{f"packets of {kind}": number for kind, number in sent.items()},
            **{f"packets on {link}": number for link, number in self._network.sent_by_link().items()},
        }

    # ---------------------------------------------------------------------------------------------------------- actions

    def apply(self, action: Action) -> None:
        host, network = self._host, self._network
        match action:
            case Cut(edges):
                network.cut(edges)
            case Mend(edges):
                network.mend(edges)
            case Slow(fault, edges, extra, kind):
                network.add_rule(fault, edges, lambda edge: self._slow(fault, edge, extra, kind))
            case Lose(fault, edges, rate, kind):
                network.add_rule(fault, edges, lambda edge: self._lose(fault, edge, rate, kind))
            case Duplicate(fault, edges, rate, later, kind):
                network.add_rule(fault, edges, lambda edge: self._duplicate(fault, edge, rate, later, kind))
            case Drop(fault, edges, kind, nth):
                network.add_rule(fault, edges, lambda _: _drop(kind, nth))
            case Lift(fault, edges):
                network.remove_rule(fault, edges)
            case Kill(node, effects):
                self._down[node] += 1
                if host.processes[node].alive:
                    host.crash_after(node, effects)
            case Restart(node):
                self._down[node] -= 1
                if not self._down[node]:
                    host.processes[node].cut = None  # it has not got round to dying
                    if not host.processes[node].alive:
                        host.start(node)
                        if self._stopped[node]:
                            host.pause(node)
            case Pause(node):
                self._stopped[node] += 1
                if host.processes[node].alive:
                    host.pause(node)
            case Resume(node):
                self._stopped[node] -= 1
                if not self._stopped[node] and host.processes[node].paused:
                    host.resume(node)
            case _:
                assert_never(action)

    def _slow(self, fault: str, edge: Edge, extra: Span, kind: str | None) -> Rule:
        draw = sampler(extra, self._draws(fault, edge))
        return lambda message: (draw(),) if _is(message, kind) else (0,)

    def _lose(self, fault: str, edge: Edge, rate: int, kind: str | None) -> Rule:
        random = self._draws(fault, edge)
        return lambda message: () if _is(message, kind) and chance(rate, random) else (0,)

    def _duplicate(self, fault: str, edge: Edge, rate: int, later: Span, kind: str | None) -> Rule:
        random = self._draws(fault, edge)
        draw = sampler(later, random)
        return lambda message: (0, draw()) if _is(message, kind) and chance(rate, random) else (0,)

    def _draws(self, fault: str, edge: Edge) -> Any:
        return stream(self._seed, "fault", f"{fault} {edge[0]}->{edge[1]}")


def _is(message: Message, kind: str | None) -> bool:
    return kind is None or type(message).__name__ == kind


def _drop(kind: str, nth: int | None) -> Rule:
    seen = 0

    def rule(message: Message) -> tuple[int, ...]:
        nonlocal seen
        if not _is(message, kind):
            return (0,)
        seen += 1
        return () if nth is None or seen == nth else (0,)

    return rule
