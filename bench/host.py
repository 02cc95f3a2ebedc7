"""Runs nodes: hands them events, carries their effects out in order, and keeps what survives a crash.

The host knows everything that may happen next (packets under way, timers, syncs) but not when: it hands each such
`Enabled` event to a chooser, which calls `Host.happen` when its moment has come. The simulation is one chooser;
anything that picks the next event by another rule can be another.

Effects of one node leave in one first-in-first-out queue. A write to disk happens at once but is durable only after a
sync, and whatever was recorded after it waits for that sync. While a sync runs, further writes gather and share the
next one (group commit). A crash loses the queue, and of the writes that no sync has covered it keeps a drawn prefix of
the log's, among which a snapshot is one, and a drawn subset of the records. A torn last record is found by its checksum
and dropped at recovery, which is the same as a prefix that is shorter by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, NoReturn, Protocol

from bench.draws import Draw, below, sampler, stream
from bench.network import Link, Network
from bench.node import (
    Append,
    CancelTimer,
    Choose,
    Complete,
    Effect,
    Message,
    Node,
    NodeId,
    Observe,
    Outbox,
    RequirementBroken,
    Save,
    Saved,
    Send,
    SetTimer,
    Snapshot,
    Span,
    Truncate,
)
from checkers.observations import Observation
from checkers.trace import Step

LogWrite = Append | Truncate | Snapshot
Write = Save | LogWrite
_WRITES = frozenset((Save, Append, Truncate, Snapshot))
_HOUR = 3_600_000_000


class Storm(Exception):
    """More inputs were handed to nodes than a run may have; the text names the loudest message type."""


class Delivery:
    """A packet under way."""

    __slots__ = ("message", "packet", "process", "sender")

    def __init__(self, packet: int, sender: NodeId, process: Process, message: Message) -> None:
        self.packet = packet
        self.sender = sender
        self.process = process
        self.message = message


class Queued(Delivery):
    """A packet that has arrived at a paused process: no link can lose it any more."""

    __slots__ = ()


class Alarm:
    """A timer that is set, for the moment ``deadline``.

    A timer that is put off again and again (elections are, by every heartbeat) keeps its one enabled event: when that
    comes before the deadline, it is enabled again for the rest. ``enabled`` is the moment of that event.
    """

    __slots__ = ("deadline", "enabled", "process", "timer")

    def __init__(self, process: Process, timer: str, deadline: int) -> None:
        self.process = process
        self.timer = timer
        self.deadline = deadline
        self.enabled = deadline


class Synced:
    """A sync under way that covers the writes up to number ``upto``."""

    __slots__ = ("incarnation", "process", "upto")

    def __init__(self, process: Process, upto: int) -> None:
        self.process = process
        self.incarnation = process.incarnation
        self.upto = upto


class Choice:
    """A node asked for one of n; it is handed ``k``."""

    __slots__ = ("incarnation", "k", "process", "tag")

    def __init__(self, process: Process, tag: str, k: int) -> None:
        self.process = process
        self.incarnation = process.incarnation
        self.tag = tag
        self.k = k


Enabled = Delivery | Alarm | Synced | Choice


class Chooser(Protocol):
    """Decides when an enabled event happens."""

    now: int
    """Microseconds since the start."""

    def enable(self, event: Enabled, delay: int) -> None:
        """``event`` becomes possible ``delay`` microseconds from now; `Host.happen` is to be called with it."""


class Disk:
    """What one node has written: the durable part, and the writes that no sync has covered yet, in order.

    Writes are numbered; ``written`` is the newest, ``durable`` the newest that is covered by a sync. ``log`` begins
    with entry ``upto`` + 1, and ``snapshot`` stands for what was before.
    """

    __slots__ = ("durable", "log", "pending", "records", "snapshot", "syncing", "upto", "written")

    def __init__(self) -> None:
        self.records: dict[str, Any] = {}
        self.log: list[Any] = []
        self.snapshot: Any = None
        self.upto = 0
        self.pending: deque[Write] = deque()
        self.written = 0
        self.durable = 0
        self.syncing = False

    def write(self, write: Write) -> None:
        self.pending.append(write)
        self.written += 1

    def settle(self, upto: int) -> None:
        """The writes up to this number have become durable."""
        while self.durable < upto:
            self._apply(self.pending.popleft())
            self.durable += 1

    def _apply(self, write: Write) -> None:
        if isinstance(write, Append):
            self.log.extend(write.entries)
        elif isinstance(write, Save):
            self.records[write.name] = write.record
        elif isinstance(write, Truncate):
            del self.log[max(0, write.index - self.upto - 1) :]
        elif write.upto >= self.upto:
            del self.log[: write.upto - self.upto]
            self.snapshot, self.upto = write.blob, write.upto

    def crash(self, random: Random) -> None:
        """Keep a drawn part of what no sync has covered: a prefix of the log's writes, any of the saves."""
        pieces: list[LogWrite] = []
        for write in self.pending:
            if isinstance(write, Save):
                if random.getrandbits(1):
                    self._apply(write)
            elif isinstance(write, Append):
                pieces += (Append((entry,)) for entry in write.entries)
            else:
                pieces.append(write)
        for piece in pieces[: below(len(pieces) + 1, random)]:
            self._apply(piece)
        self.pending.clear()
        self.durable = self.written
        self.syncing = False

    def saved(self) -> Saved:
        return Saved(dict(self.records), tuple(self.log), self.snapshot, self.upto)


class Process:
    """One node on its machine: alive, paused or crashed, with its disk, its timers and its held-back effects."""

    __slots__ = (
        "alarms", "alive", "clock", "create", "cut", "disk", "fsync", "id", "inbox", "incarnation", "links", "node",
        "paused", "queue", "random", "spans",
    )  # fmt: skip

    def __init__(self, id: NodeId, create: Callable[[], Node], fsync: Draw, seed: int) -> None:
        self.id = id
        self.create = create
        self.node = create()
        self.fsync = fsync
        self.random = stream(seed, "process", id)
        self.clock = below(_HOUR, self.random)  # local clocks do not agree: nobody can compare them
        self.disk = Disk()
        self.links: dict[NodeId, Link] = {}
        self.alarms: dict[str, Alarm] = {}
        self.spans: dict[str, tuple[Span, Draw, Random]] = {}  # by timer: how long it was set for, and its draws
        self.queue: deque[tuple[int, Effect]] = deque()  # each with the write that must be durable before it
        self.inbox: list[Enabled] = []
        self.alive = False
        self.paused = False
        self.incarnation = 0
        self.cut: int | None = None  # dies after so many more effects


class Host:
    """The machines of a cluster and its clients."""

    def __init__(
        self,
        network: Network,
        chooser: Chooser,
        seed: int,
        *,
        events_max: int,
        trace: Callable[[Step | Observation], None] | None,
    ) -> None:
        self.network = network
        self.chooser = chooser
        self.seed = seed
        self.events = 0
        self.events_max = events_max
        self.packets = 0
        self.processes: dict[NodeId, Process] = {}
        self.observations: list[Observation] = []
        self.watchers: dict[str, list[Callable[[Observation], None]]] = {}
        self.completions: dict[NodeId, Callable[[Complete], None]] = {}
        self._trace = trace
        self._outbox = Outbox()
        self._perform: dict[type[Effect], Callable[[Process, Any], None]] = {  # every effect but writes
            Send: self._send,
            SetTimer: self._set_timer,
            CancelTimer: self._cancel_timer,
            Choose: self._ask_for_choice,
            Observe: self._observe,
            Complete: self._complete,
        }

    # ------------------------------------------------------------------------------------------------------- life cycle

    def add(self, id: NodeId, create: Callable[[], Node], fsync: Span) -> None:
        """A machine of the cluster, or a client; it does nothing before `start`."""
        self.processes[id] = Process(id, create, sampler(fsync, stream(self.seed, "fsync", id)), self.seed)

    def start(self, id: NodeId) -> None:
        """Start a process, or start it again with nothing but what was durable."""
        process = self.processes[id]
        process.alive, process.paused = True, False
        process.node = process.create()
        self._note("start", id)
        self._observe(process, Observe("start"))
        self._handle(process, process.node.on_start, process.disk.saved())

    def crash(self, id: NodeId) -> None:
        """Lose the process: memory, timers, queued effects and deliveries, and part of what was not yet durable."""
        process = self.processes[id]
        process.alive = process.paused = False
        process.incarnation += 1
        process.cut = None
        process.disk.crash(process.random)
        process.queue.clear()
        process.inbox.clear()
        process.alarms.clear()
        self._note("crash", id)

    def crash_after(self, id: NodeId, effects: int) -> None:
        """Crash the process after so many more effects, in the middle of a handler if need be.

        A write counts when it is written, anything else when it leaves: every cut of what others can see is reachable.
        """
        if effects:
            self.processes[id].cut = effects
        else:
            self.crash(id)

    def pause(self, id: NodeId) -> None:
        """Freeze the process: deliveries queue, timers wait, the local clock and the disk go on."""
        self.processes[id].paused = True
        self._note("pause", id)

    def resume(self, id: NodeId) -> None:
        """Go on after a pause: held-back effects leave, then what was due meanwhile is handled in order."""
        process = self.processes[id]
        process.paused = False
        self._note("resume", id)
        self._release(process)
        inbox, process.inbox = process.inbox, []
        incarnation = process.incarnation
        for event in inbox:  # an event that finds the process paused again goes back to the inbox
            if process.incarnation != incarnation:
                return
            self.happen(event)

    # ----------------------------------------------------------------------------------------------------------- events

    def happen(self, event: Enabled) -> None:
        """Let an enabled event happen now."""
        if isinstance(event, Delivery):
            self._deliver(event)
        elif isinstance(event, Alarm):
            self._ring(event)
        elif isinstance(event, Synced):
            self._synced(event)
        else:
            self._choose(event)

    def _deliver(self, packet: Delivery) -> None:
        process = packet.process
        # Judged again when it would arrive, and not a third time when a paused process gets round to it.
        if self.network.cuts and self.network.cuts[packet.sender, process.id] and type(packet) is Delivery:
            self._note("drop", process.id, packet.sender, packet.packet)
            self.network.dropped += 1
        elif not process.alive:
            self._note("ignore", process.id, packet.sender, packet.packet)
        elif process.paused:
            process.inbox.append(Queued(packet.packet, packet.sender, process, packet.message))
        else:
            now = self.chooser.now
            if self._trace is not None:
                self._trace(Step(now * 1000, "deliver", process.id, packet.sender, packet.packet))
            self.events += 1
            if self.events > self.events_max:
                self._storm()
            try:
                process.node.on_message(packet.sender, packet.message, now + process.clock, self._outbox)
            except RequirementBroken as broken:
                self._violated(process, broken)
            if self._outbox.effects:
                self._carry_out(process)

    def _ring(self, alarm: Alarm) -> None:
        process = alarm.process
        if process.alarms.get(alarm.timer) is not alarm:  # cancelled, replaced, or lost in a crash
            return
        rest = alarm.deadline - self.chooser.now
        if rest > 0:  # put off while it waited
            alarm.enabled = alarm.deadline
            self.chooser.enable(alarm, rest)
        elif process.paused:
            process.inbox.append(alarm)
        else:
            del process.alarms[alarm.timer]
            self._note("timer", process.id, what=alarm.timer)
            self._handle(process, process.node.on_timer, alarm.timer)

    def _synced(self, sync: Synced) -> None:
        process = sync.process
        if sync.incarnation != process.incarnation:
            return
        process.disk.settle(sync.upto)
        process.disk.syncing = False
        self._note("sync", process.id, what=sync.upto)
        if process.disk.written > process.disk.durable:  # what gathered meanwhile shares the next sync
            self._sync(process)
        self._release(process)

    def _choose(self, choice: Choice) -> None:
        process = choice.process
        if choice.incarnation != process.incarnation:
            return
        if process.paused:
            process.inbox.append(choice)
        else:
            self._handle(process, process.node.on_choice, choice.tag, choice.k)

    def call(self, id: NodeId, handler: Callable[..., None], *arguments: Any) -> None:
        """Hand a live process an input that is neither a packet nor a timer, such as a client's next operation."""
        self._handle(self.processes[id], handler, *arguments)

    def _handle(self, process: Process, handler: Callable[..., None], *arguments: Any) -> None:
        self.events += 1
        if self.events > self.events_max:
            self._storm()
        try:
            handler(*arguments, self.chooser.now + process.clock, self._outbox)
        except RequirementBroken as broken:
            self._violated(process, broken)
        if self._outbox.effects:
            self._carry_out(process)

    def _storm(self) -> NoReturn:
        raise Storm(f"more than {self.events_max:,} events; the loudest message is {self.network.loudest()}")

    def _violated(self, process: Process, broken: RequirementBroken) -> NoReturn:
        self._outbox.effects.clear()
        self._observe(process, Observe("violated", digest=str(broken)))
        raise broken

    # ---------------------------------------------------------------------------------------------------------- effects

    def _carry_out(self, process: Process) -> None:
        """Let what a handler recorded take its course: writes at once, the rest in order behind them."""
        effects, self._outbox.effects = self._outbox.effects, []
        incarnation, disk, queue, perform = process.incarnation, process.disk, process.queue, self._perform
        waits = bool(queue) or disk.durable < disk.written or process.paused
        for effect in effects:
            cut = process.cut
            if type(effect) in _WRITES:
                disk.write(effect)  # type: ignore[arg-type]
                waits = True
                self._note("write", process.id, what=effect, packet=disk.written)
            elif waits:
                queue.append((disk.written, effect))
                continue
            else:
                perform[type(effect)](process, effect)
                waits = process.paused  # by somebody who was watching
            if cut is not None:
                self._count_down(process)
            if process.incarnation != incarnation:
                return
        if disk.written > disk.durable and not disk.syncing:  # one sync for all that this handler wrote
            self._sync(process)

    def _release(self, process: Process) -> None:
        """Let the effects go that waited for what is durable now."""
        incarnation, disk, queue, perform = process.incarnation, process.disk, process.queue, self._perform
        while queue and queue[0][0] <= disk.durable and not process.paused:
            effect = queue.popleft()[1]
            cut = process.cut
            perform[type(effect)](process, effect)
            if cut is not None:
                self._count_down(process)
            if process.incarnation != incarnation:
                return

    def _count_down(self, process: Process) -> None:
        if process.cut is not None:
            process.cut -= 1
            if not process.cut:
                self.crash(process.id)

    def _send(self, sender: Process, effect: Send) -> None:
        to, message = effect.to, effect.message
        self.packets = number = self.packets + 1
        chooser = self.chooser
        if self._trace is not None:
            self._trace(Step(chooser.now * 1000, "send", sender.id, to, number, message))
        link = sender.links.get(to)
        if link is None:
            link = sender.links[to] = self.network.link(sender.id, to)
        process = self.processes[to]
        delay = link.travel(message)
        if self.network.calm:
            chooser.enable(Delivery(number, sender.id, process, message), delay)
            return
        delays = self.network.route(link, message, delay, chooser.now)
        if not delays:
            self._note("drop", to, sender.id, number)
        for each in delays:
            chooser.enable(Delivery(number, sender.id, process, message), each)

    def _set_timer(self, process: Process, effect: SetTimer) -> None:
        timer, span = effect.timer, effect.span
        drawn = process.spans.get(timer)
        if drawn is None or drawn[0] is not span:
            # One stream per process and timer: the draws of one timer do not move another's.
            random = drawn[2] if drawn is not None else stream(self.seed, "timer", f"{process.id} {timer}")
            drawn = process.spans[timer] = (span, sampler(span, random), random)
        delay = drawn[1]()
        deadline = self.chooser.now + delay
        alarm = process.alarms.get(timer)
        if alarm is not None and alarm.enabled <= deadline:
            alarm.deadline = deadline
            return
        process.alarms[timer] = alarm = Alarm(process, timer, deadline)
        self.chooser.enable(alarm, delay)

    def _cancel_timer(self, process: Process, effect: CancelTimer) -> None:
        process.alarms.pop(effect.timer, None)

    def _ask_for_choice(self, process: Process, effect: Choose) -> None:
        self.chooser.enable(Choice(process, effect.tag, below(effect.n, process.random)), 0)

    def _complete(self, process: Process, effect: Complete) -> None:
        self.completions[process.id](effect)

    def _sync(self, process: Process) -> None:
        delay = process.fsync()
        disk = process.disk
        if delay:
            disk.syncing = True
            self.chooser.enable(Synced(process, disk.written), delay)
        else:
            disk.settle(disk.written)
            self._release(process)

    def _observe(self, process: Process, effect: Observe) -> None:
        observation = Observation(
            self.chooser.now * 1000, process.id, effect.what, effect.term, effect.slot, effect.digest
        )
        self.observations.append(observation)
        if self._trace is not None:
            self._trace(observation)
        for watcher in self.watchers.get(effect.what, ()):
            watcher(observation)

    def _note(
        self, event: str, node: NodeId, peer: NodeId | None = None, packet: int | None = None, what: Any = None
    ) -> None:
        if self._trace is not None:
            self._trace(Step(self.chooser.now * 1000, event, node, peer, packet, what))
