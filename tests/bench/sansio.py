"""A cluster without a host: nodes, their disks and the packets under way, every step chosen by the test.

There is no chance, and no time but what a test sets as ``now``, every node's clock. Effects take place in order: a
write happens at once but is durable only after a sync, and whatever was recorded behind it waits for that.
`Cluster.deliver`, `ring` and `start` sync at once; `carry_out` leaves it to the test when to `sync`, so that the writes
of several handlers gather. `cuts` lists everything that can be left of them when the process dies.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

from bench.node import (
    Append,
    CancelTimer,
    Command,
    Effect,
    Message,
    Node,
    NodeId,
    Observe,
    Outbox,
    Request,
    Save,
    Saved,
    Send,
    SetTimer,
    Snapshot,
    Truncate,
)
from checkers.observations import Observation, Observations

Create = Callable[[NodeId], Node]
LogWrite = Append | Truncate | Snapshot
Write = Save | LogWrite


class Packet(NamedTuple):
    """A message under way."""

    sender: NodeId
    to: NodeId
    message: Message


class Durable:
    """What one node's disk holds."""

    def __init__(self) -> None:
        self.records: dict[str, Any] = {}
        self.log: list[Any] = []
        self.snapshot: Any = None
        self.upto = 0

    def write(self, write: Write) -> None:
        match write:
            case Save(name, record):
                self.records[name] = record
            case Append(entries):
                self.log += entries
            case Truncate(index):
                del self.log[max(0, index - self.upto - 1) :]
            case Snapshot(blob, upto) if upto >= self.upto:
                del self.log[: upto - self.upto]
                self.snapshot, self.upto = blob, upto

    def saved(self) -> Saved:
        return Saved(dict(self.records), tuple(self.log), self.snapshot, self.upto)


class Cluster:
    """Nodes by name, and all that is around them. Messages to anybody else are ``answers``."""

    def __init__(self, ids: tuple[NodeId, ...], create: Create) -> None:
        self.ids = ids
        self.create = create
        self.now = 0  # in microseconds
        self.nodes: dict[NodeId, Node] = {}
        self.disks = {id: Durable() for id in ids}
        self.backlog: dict[NodeId, list[Effect]] = {id: [] for id in ids}  # from the oldest write without a sync on
        self.timers: dict[NodeId, set[str]] = {id: set() for id in ids}
        self.wire: list[Packet] = []
        self.answers: list[Packet] = []
        self.said: list[Observation] = []
        for id in ids:
            self.start(id)

    def fork(self) -> Cluster:
        """A cluster in the same state that goes its own way."""
        twin: Cluster = copy.copy(self)
        twin.nodes = {id: node.copy() for id, node in self.nodes.items()}
        twin.disks = copy.deepcopy(self.disks)
        twin.backlog = {id: list(effects) for id, effects in self.backlog.items()}
        twin.timers = {id: set(timers) for id, timers in self.timers.items()}
        twin.wire, twin.answers, twin.said = list(self.wire), list(self.answers), list(self.said)
        return twin

    # ---------------------------------------------------------------------------------------------------------- steps

    def start(self, id: NodeId) -> list[Effect]:
        """Start it, or start it again with what is durable."""
        self.nodes[id] = self.create(id)
        self.timers[id] = set()
        self.backlog[id] = []
        return self._perform(
            id, self.handle(lambda out: self.nodes[id].on_start(self.disks[id].saved(), self.now, out))
        )

    def ring(self, id: NodeId, timer: str) -> list[Effect]:
        return self._perform(id, self.ringing(id, timer))

    def ringing(self, id: NodeId, timer: str) -> list[Effect]:
        """What the node does when this timer, which must be set, is due; nothing of it has taken place yet."""
        self.timers[id].remove(timer)
        return self.handle(lambda out: self.nodes[id].on_timer(timer, self.now, out))

    def deliver(self, packet: Packet) -> list[Effect]:
        return self._perform(packet.to, self.delivering(packet))

    def delivering(self, packet: Packet) -> list[Effect]:
        """What the node does when this packet, which must be under way, arrives; nothing has taken place yet."""
        self.wire.remove(packet)
        return self.handle(lambda out: self.nodes[packet.to].on_message(packet.sender, packet.message, self.now, out))

    def ask(self, client: NodeId, sequence: int, command: Command, node: NodeId) -> Packet:
        """A client's request, put on the wire."""
        packet = Packet(client, node, Request(client, sequence, command))
        self.wire.append(packet)
        return packet

    @staticmethod
    def handle(handler: Callable[[Outbox], None]) -> list[Effect]:
        out = Outbox()
        handler(out)
        return out.effects

    def _perform(self, id: NodeId, effects: list[Effect]) -> list[Effect]:
        self.backlog[id] += effects
        self.sync(id)
        return effects

    def carry_out(self, id: NodeId, effects: list[Effect]) -> None:
        """Let effects take place up to the first write that no sync has covered; the rest waits in the backlog."""
        backlog = self.backlog[id]
        backlog += effects
        while backlog and not isinstance(backlog[0], Save | LogWrite):
            self.perform(id, backlog.pop(0))

    def sync(self, id: NodeId) -> None:
        """Everything that the node has written is durable now, and what waited for that takes place."""
        effects, self.backlog[id] = self.backlog[id], []
        for effect in effects:
            self.perform(id, effect)

    @property
    def behind(self) -> list[NodeId]:
        """Whose disk has something to sync."""
        return [id for id in self.ids if self.backlog[id]]

    def crash(self, id: NodeId, cut: Cut) -> None:
        """The process dies in this way, and starts again with what is durable."""
        for effect in cut.done:
            self.perform(id, effect)
        for write in cut.kept:
            self.disks[id].write(write)
        self.start(id)

    def perform(self, id: NodeId, effect: Effect) -> None:
        match effect:
            case Send(to, message):
                (self.wire if to in self.nodes else self.answers).append(Packet(id, to, message))
            case SetTimer(timer, _):
                self.timers[id].add(timer)
            case CancelTimer(timer):
                self.timers[id].discard(timer)
            case Save() | Append() | Truncate() | Snapshot():
                self.disks[id].write(effect)
            case Observe(what, term, slot, digest):
                self.said.append(Observation(len(self.said), id, what, term, slot, digest))
            case _:
                raise TypeError(f"no effect of a replica: {effect}")

    # ---------------------------------------------------------------------------------------------------------- runs

    def drain(self, reaches: Callable[[Packet], bool] = lambda _: True, *, most: int = 400) -> None:
        """Deliver what is under way, in the order of sending, until nothing is; what does not reach anybody is lost."""
        for _ in range(most):
            if not self.wire:
                return
            if reaches(self.wire[0]):
                self.deliver(self.wire[0])
            else:
                del self.wire[0]
        raise AssertionError(f"still {len(self.wire)} packets under way: {self.wire[:3]}")

    @property
    def observations(self) -> Observations:
        return Observations(self.said)


class Cut(NamedTuple):
    """One way in which a process can die: what took place, and which of the writes without a sync are on disk."""

    done: tuple[Effect, ...]
    kept: tuple[Write, ...]


def cuts(effects: list[Effect]) -> Iterator[Cut]:
    """Every way to die with these effects, a backlog with a handler's behind it, or the handler's alone.

    Any number of them took place, and every write before those is durable. Of the writes that are left a crash keeps
    any of the records and a prefix of the log's, also of those behind an effect that waits. Only effects that wait for
    nothing leave before the handler writes what is behind them.
    """
    first = next((k for k, effect in enumerate(effects) if isinstance(effect, Save | LogWrite)), len(effects))
    for k in range(len(effects) + 1):
        if k and isinstance(effects[k - 1], Save | LogWrite):  # durable with nothing behind it: kept by a k before
            continue
        unsynced = [effect for effect in effects[k:] if isinstance(effect, Save | LogWrite)] if k >= first else []
        saves = [write for write in unsynced if isinstance(write, Save)]
        pieces = [piece for write in unsynced if not isinstance(write, Save) for piece in _pieces(write)]
        for chosen in product((False, True), repeat=len(saves)):
            some = tuple(save for save, kept in zip(saves, chosen, strict=True) if kept)
            for prefix in range(len(pieces) + 1):
                yield Cut(tuple(effects[:k]), (*some, *pieces[:prefix]))


def _pieces(write: LogWrite) -> list[Write]:
    return [Append((entry,)) for entry in write.entries] if isinstance(write, Append) else [write]
