"""Conducts one experiment: invokes the planned operations, inflicts the planned faults, writes down what clients saw.

It knows a `System` and nothing of what is behind it. Faults start at their time or at the event they wait for, find out
who they mean, and end; at ``heal`` all that is broken is mended (or only what the core needs). After ``duration`` no
more operations are invoked; once those under way are over, a final read of each key is asked.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

import msgspec

from bench.actions import Action, Edge, Kill, Lift, Mend, Restart, Resume
from bench.fault import EVENTS, Cast, FaultKind, Inflicted, NobodyYet
from bench.node import Command, Complete, NodeId, Value
from bench.system import Ended, Session, System
from bench.workload import Operation, WorkloadKind
from bench.workload import Session as Client
from checkers.history import NEMESIS, Event
from checkers.observations import Observation
from checkers.progress import REFUSED, SHED
from scenarios.schema import Scenario

_SETTLE = 1_000_000  # from the last answer to the final reads: replicas hear of the last commits
_REFUSED_PAUSE = 10  # a reader whose node does not serve reads asks it less often


class Conducted(msgspec.Struct, frozen=True):
    """What a run has left behind, beside what its system recorded."""

    events: list[Event]
    ended: Ended | None
    never_started: tuple[str, ...]
    counters: dict[str, int]


class Conductor:
    """One run."""

    def __init__(
        self, scenario: Scenario, operations: Iterable[Operation], system: System, *, reads_anywhere: bool
    ) -> None:
        assert isinstance(scenario.workload, WorkloadKind)
        self._scenario = scenario
        self._workload = scenario.workload
        self._system = system
        self._operations = tuple(operations)
        self._reads_anywhere = reads_anywhere
        # Clients
        self._events: list[Event] = []
        self._clients = self._workload.sessions(system.nodes)
        self._pinned = {client.id: client.pinned for client in self._clients}
        self._sessions: dict[NodeId, Session] = {}
        self._processes: dict[NodeId, int] = {}
        self._idle: list[tuple[int, NodeId]] = []
        self._unopened = deque(client.id for client in self._clients if client.pinned is None)
        self._rank = {client.id: number for number, client in enumerate(self._clients)}
        self._todo: dict[NodeId, deque[Operation]] = {}
        self._open = 0
        # Faults
        self._leader: NodeId | None = None
        self._led_before: NodeId | None = None
        self._down: Counter[NodeId] = Counter()
        self._names: dict[str, tuple[NodeId, ...]] = {}
        self._active: dict[str, Inflicted] = {}
        self._waiting: list[tuple[FaultKind, NodeId | None]] = []
        self._triggers: dict[str, list[tuple[FaultKind, int]]] = {}
        self._pending: dict[str, FaultKind] = {}
        self._healed = False
        self._counters: Counter[str] = Counter()

    def run(self) -> Conducted:
        """Run to the end, or until the system says that it cannot go on."""
        ended = None
        try:
            self._prepare()
            self._system.advance(self._scenario.duration)
            self._finish()
        except Ended as reason:
            ended = reason
        never = tuple(name for name, fault in self._pending.items() if not fault.optional)
        return Conducted(self._events, ended, never, dict(self._counters))

    def _prepare(self) -> None:
        system = self._system
        system.watch("lead", self._elected)
        system.watch("start", self._started)
        for event, what in EVENTS.items():
            system.watch(what, lambda seen, event=event: self._fire(event, seen.node))  # type: ignore[misc]
        for fault in self._scenario.faults:
            assert isinstance(fault, FaultKind)
            self._pending[fault.name] = fault
            if fault.at is not None:
                system.call_at(fault.at.low, lambda fault=fault: self._begin(fault, None))  # type: ignore[misc]
            else:
                self._triggers.setdefault(fault.on or "", []).append((fault, fault.nth))
        system.call_at(self._scenario.heals_at, self._heal)
        self._schedule_operations()

    # ---------------------------------------------------------------------------------------------------------- clients

    def _schedule_operations(self) -> None:
        arrivals = [operation for operation in self._operations if operation.at is not None]
        for operation in self._operations:
            if operation.session is not None:
                self._todo.setdefault(operation.session, deque()).append(operation)
        for client in self._clients:
            if client.id in self._todo:
                self._next(client.id)
        if arrivals:
            self._arrive(deque(arrivals))

    def _arrive(self, arrivals: deque[Operation]) -> None:
        """One arrival at a time is scheduled, so that a long plan does not fill the queue of events."""

        def now() -> None:
            self._assign(arrivals.popleft().command)
            if arrivals:
                self._arrive(arrivals)

        self._system.call_at(arrivals[0].at or 0, now)

    def _assign(self, command: Command) -> None:
        """Give an arrival to the first free session, or to a new one, or shed it."""
        if self._idle:
            self._invoke(heapq.heappop(self._idle)[1], command)
        elif self._unopened:
            self._invoke(self._unopened.popleft(), command)
        else:
            self._counters["shed"] += 1
            if SHED not in self._processes:
                self._processes[SHED] = self._fresh_process()
            process = self._processes[SHED]
            self._write("invoke", process, SHED, command)
            self._write("fail", process, SHED, command, error="shed: every session was busy")

    def _next(self, session: NodeId, *, patience: int = 1) -> None:
        """Closed loop: let a session invoke its next operation after its pause, or several times its pause."""
        todo = self._todo[session]
        at = self._system.now + todo[0].after * patience if todo else self._scenario.duration
        if at < self._scenario.duration:
            operation = todo.popleft()
            self._system.call_at(at, lambda: self._invoke(session, operation.command))

    def _invoke(self, session: NodeId, command: Command, *, final: bool = False) -> None:
        if session not in self._sessions:
            self._sessions[session] = self._system.session(session, self._pinned.get(session))
            self._processes[session] = self._fresh_process()
        self._open += 1
        process = self._processes[session]
        self._write("invoke", process, session, command, final=final)
        self._sessions[session].invoke(command, lambda done: self._done(session, command, done, final))

    def _done(self, session: NodeId, command: Command, done: Complete, final: bool) -> None:
        self._open -= 1
        process = self._processes[session]
        # What was asked is the client's to say: an answer that tells another story shows when it is read.
        value = done.value if done.type == "ok" and command.value is None else command.value
        self._write(
            done.type, process, session, command, value=value, result=done.result, node=done.node, error=done.error,
            final=final,
        )  # fmt: skip
        if done.type == "info":
            self._processes[session] = self._fresh_process()
        if session in self._todo:
            self._next(session, patience=_REFUSED_PAUSE if done.error == REFUSED else 1)
        elif not final:
            heapq.heappush(self._idle, (self._rank[session], session))

    def _fresh_process(self) -> int:
        self._counters["processes"] += 1
        return self._counters["processes"] - 1

    def _write(
        self,
        type: Any,
        process: int,
        session: NodeId,
        command: Command,
        *,
        value: Any = None,
        result: Value = None,
        node: NodeId | None = None,
        error: str | None = None,
        final: bool = False,
    ) -> None:
        self._events.append(
            Event(
                index=len(self._events),
                time=self._system.now * 1000,
                type=type,
                process=process,
                session=session,
                node=node,
                f=command.f,
                key=command.key,
                value=command.value if value is None and type != "ok" else value,
                result=result,
                error=error,
                final=final,
            )
        )

    # ----------------------------------------------------------------------------------------------------------- faults

    def _elected(self, seen: Observation) -> None:
        if self._led_before is not None and self._led_before != seen.node:
            self._counters["leader-changes"] += 1
            self._counters["leader-changes-under-load"] += self._open > 0
        self._leader = self._led_before = seen.node
        self._begin_what_waits()

    def _begin_what_waits(self) -> None:
        """Try again to begin the faults that were about nobody yet."""
        waiting, self._waiting = self._waiting, []
        for fault, trigger in waiting:
            self._begin(fault, trigger)

    def _started(self, seen: Observation) -> None:
        if seen.node == self._leader:  # whoever starts again leads nobody
            self._leader = None

    def _fire(self, event: str, node: NodeId | None) -> None:
        """Something happened that a fault may wait for."""
        due = self._triggers.get(event)
        if not due:
            return
        self._triggers[event] = [(fault, left - 1) for fault, left in due if left > 1]
        for fault, left in due:
            if left == 1:
                if fault.after.low:
                    at = self._system.now + fault.after.low
                    self._system.call_at(at, lambda fault=fault: self._begin(fault, node))  # type: ignore[misc]
                else:
                    self._begin(fault, node)

    def _begin(self, fault: FaultKind, trigger: NodeId | None) -> None:
        if self._healed:
            return
        living_leader = self._leader if self._leader is not None and not self._down[self._leader] else None
        cast = Cast(
            self._system.nodes,
            tuple(self._pinned),
            fault.order,
            leader=living_leader,
            down=frozenset(node for node, times in self._down.items() if times),
            trigger=trigger,
            names=self._names,
        )
        try:
            inflicted = fault.inflict(cast)
        except NobodyYet:
            self._waiting.append((fault, trigger))
            return
        if not inflicted.begin:  # whom it meant is nobody: it does not count as started
            return
        del self._pending[fault.name]
        named, self._names = len(cast.names) > len(self._names), cast.names
        self._active[fault.name] = inflicted
        self._counters["faults"] += 1
        self._counters[f"faults of {_kind(fault)}"] += 1
        self._note(_kind(fault), fault.name, "starts", inflicted)
        for action in inflicted.begin:
            self._apply(action)
        if fault.lasts is not None:
            self._system.call_at(self._system.now + fault.lasts.low, lambda: self._end(fault))
        self._fire(f"{fault.name} starts", trigger)
        if named:
            self._begin_what_waits()

    def _end(self, fault: FaultKind) -> None:
        inflicted = self._active.pop(fault.name, None)
        if inflicted is None:  # healed before its time
            return
        for action in inflicted.end:
            self._apply(action)
        self._note(_kind(fault), fault.name, "ends", inflicted)
        self._fire(f"{fault.name} ends", None)

    def _apply(self, action: Action) -> None:
        if isinstance(action, Kill):
            self._down[action.node] += 1
        elif isinstance(action, Restart):
            self._down[action.node] -= 1
        self._system.apply(action)

    def _heal(self) -> None:
        """Faults end here, and none starts any more."""
        self._healed = True
        core = self._scenario.core
        faults = {fault.name: fault for fault in self._scenario.faults if isinstance(fault, FaultKind)}
        whole = Inflicted("the core: " + " ".join(core) if core else "everything", core or self._system.nodes, (), ())
        self._note("heal", "heal", "starts", whole)
        for name, inflicted in tuple(self._active.items()):
            actions = [part for action in inflicted.end for part in (self._for_core(action) if core else (action,))]
            for action in actions:
                self._apply(action)
            if tuple(actions) == inflicted.end:
                self._note(_kind(faults[name]), name, "ends", inflicted)
        self._active.clear()

    def _for_core(self, action: Action) -> Iterable[Action]:
        """What of a healing action concerns the core and the clients alone."""
        nodes = set(self._system.nodes)
        outside = nodes - set(self._scenario.core)

        def inside(edges: Iterable[Edge]) -> tuple[Edge, ...]:
            return tuple(edge for edge in edges if outside.isdisjoint(edge))

        match action:
            case Restart(node) | Resume(node):
                return () if node in outside else (action,)
            case Mend(edges):
                return (Mend(inside(edges)),) if set(inside(edges)) != set(edges) else (action,)
            case Lift(fault, None):
                ends = (*self._scenario.core, *self._pinned)
                return (Lift(fault, tuple((a, b) for a in ends for b in ends if a != b and nodes & {a, b})),)
            case _:
                return (action,)

    def _note(self, kind: str, name: str, phase: str, inflicted: Inflicted) -> None:
        self._events.append(
            Event(
                index=len(self._events),
                time=self._system.now * 1000,
                type="info",
                process=NEMESIS,
                f=kind,
                value={"fault": name, "phase": phase, "nodes": list(inflicted.nodes), "what": inflicted.what},
            )
        )

    # ---------------------------------------------------------------------------------------------------------- the end

    def _finish(self) -> None:
        """Wait until everybody has been answered or has given up, then read every key once more."""
        self._wait(self._workload.patience)
        self._system.advance(self._system.now + _SETTLE)
        replicas = self._scenario.core or self._system.nodes
        readers = (
            [Client(f"f{i}", node) for i, node in enumerate(replicas, 1)] if self._reads_anywhere else [Client("f1")]
        )
        self._pinned |= {reader.id: reader.pinned for reader in readers}
        for command in self._workload.final():
            for reader in readers:
                self._invoke(reader.id, command, final=True)
            self._wait(self._workload.patience)

    def _wait(self, longest: int) -> None:
        deadline = self._system.now + longest + 1
        while self._open and self._system.now < deadline:
            self._system.advance(min(self._system.now + 10_000, deadline))


def _kind(fault: FaultKind) -> str:
    kind = type(fault).__struct_config__.tag
    assert isinstance(kind, str)
    return kind
