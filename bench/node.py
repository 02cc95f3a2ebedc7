"""The contract between a protocol and whatever runs it.

A node is a state machine that never asks for time or chance and never waits. It is handed one event at a time together
with its local clock and an `Outbox`; it changes its own fields and records effects. The host carries the effects out,
in the order in which they were recorded, across events: while something is being written to disk the node goes on
handling events, but none of their effects overtakes the write. So "save, then promise" needs no waiting in the
protocol: it is the order of two lines. A crash may fall between any two effects.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, Self

import msgspec

from scenarios.units import Span

__all__ = [
    "Answer", "Append", "CancelTimer", "Choose", "Command", "Complete", "Effect", "Message", "Node", "NodeId",
    "Observe", "Outbox", "Refusal", "Request", "RequirementBroken", "Save", "Saved", "Send", "SetTimer",
    "Snapshot", "Span", "Truncate", "require", "requirements_ignored",
]  # fmt: skip

NodeId = str
Scalar = int | str | bool | None
Value = Scalar | tuple[Scalar, ...]


class Message(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="type", omit_defaults=True):
    """What travels between nodes: a frozen value of JSON types, named as in the protocol's paper."""


# ----------------------------------------------------------------------------------------------- clients and operations


class Command(msgspec.Struct, frozen=True, gc=False):
    """What a client asks for: read, write, cas, … on a key."""

    f: str
    key: str
    value: Value = None

    def __str__(self) -> str:
        match self.f, self.value:
            case "read", _:
                return f"read {self.key}"
            case "cas", (old, new):
                return f"cas {self.key} {old} -> {new}"
            case "write", value:
                return f"write {self.key} = {value}"
            case _:
                return f"{self.f} {self.key} {self.value}"


class Request(Message, frozen=True):
    """A client's command. ``sequence`` grows by one for every new operation of a session, and stays in a retry.

    ``seen`` is the newest position that the session has been answered from.
    """

    session: str
    sequence: int
    command: Command
    seen: int = 0


class Answer(Message, frozen=True):
    """The command took effect: ``value`` is what a read saw, ``result`` is false for a refused cas, or a decision.

    ``position`` says how far in the order of all updates the answering replica was.
    """

    sequence: int
    value: Value = None
    result: Value = None
    position: int = 0


class Refusal(Message, frozen=True):
    """This node will do nothing more with the command; ``hint`` may know better.

    Nor has it done anything, but where there are sessions: then it may have handed the command on before.
    """

    sequence: int
    hint: NodeId | None = None


# -------------------------------------------------------------------------------------------------------------- effects


class Send(msgspec.Struct, frozen=True, gc=False):
    to: NodeId
    message: Message


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Fire once after a length of time that the host draws from ``span``; replaces a pending timer of that name."""

    timer: str
    span: Span


class CancelTimer(msgspec.Struct, frozen=True, gc=False):
    timer: str


class Choose(msgspec.Struct, frozen=True, gc=False):
    """Have the host pick one of ``0 … n-1`` and hand it back through `Node.on_choice`."""

    tag: str
    n: int


class Save(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="write"):
    """Replace the small record ``name``, atomically."""

    name: str
    record: Any


class Append(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="write"):
    """Add entries at the end of the log on disk."""

    entries: Sequence[Any]


class Truncate(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="write"):
    """Drop the log's entries from ``index`` on; the first entry is 1."""

    index: int


class Snapshot(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="write"):
    """Keep ``blob`` instead of the log's entries up to ``upto`` and of the snapshot before, atomically.

    The entries behind them keep their numbers; when the log ends before ``upto``, the next entry is ``upto`` + 1. One
    that is older than what is there changes nothing.
    """

    blob: Any
    upto: int


class Observe(msgspec.Struct, frozen=True, gc=False):
    """Announce something about oneself; see `checkers.Observation`."""

    what: str
    term: int | None = None
    slot: int | None = None
    digest: str | None = None


class Complete(msgspec.Struct, frozen=True, gc=False):
    """Clients only: the operation under way is over. ``info`` means that nobody knows whether it took effect."""

    type: Literal["ok", "fail", "info"]
    node: NodeId | None = None
    value: Value = None
    result: Value = None
    error: str | None = None


Effect = Send | SetTimer | CancelTimer | Choose | Save | Append | Truncate | Snapshot | Observe | Complete


class Outbox:
    """Records a node's effects, in order."""

    __slots__ = ("effects",)

    def __init__(self) -> None:
        self.effects: list[Effect] = []

    def send(self, to: NodeId, message: Message) -> None:
        self.effects.append(Send(to, message))

    def set_timer(self, timer: str, span: Span) -> None:
        self.effects.append(SetTimer(timer, span))

    def cancel_timer(self, timer: str) -> None:
        self.effects.append(CancelTimer(timer))

    def choose(self, tag: str, n: int) -> None:
        self.effects.append(Choose(tag, n))

    def save(self, name: str, record: Any) -> None:
        self.effects.append(Save(name, record))

    def append(self, entries: Sequence[Any]) -> None:
        self.effects.append(Append(entries))

    def truncate(self, index: int) -> None:
        self.effects.append(Truncate(index))

    def snapshot(self, blob: Any, upto: int) -> None:
        self.effects.append(Snapshot(blob, upto))

    def observe(self, what: str, term: int | None = None, slot: int | None = None, digest: str | None = None) -> None:
        self.effects.append(Observe(what, term, slot, digest))

    def complete(self, completion: Complete) -> None:
        self.effects.append(completion)


# ---------------------------------------------------------------------------------------------------------------- nodes


class Saved(msgspec.Struct, frozen=True):
    """What was durable when the node started: the newest record of every name, the newest snapshot, and the log.

    The first entry of ``log`` is number ``upto`` + 1, where ``snapshot`` stands for the ``upto`` entries before it.
    """

    records: dict[str, Any] = {}
    log: tuple[Any, ...] = ()
    snapshot: Any = None
    upto: int = 0


class Node(ABC):
    """One replica (or client): plain fields and handlers. Copies, comparisons and hashes cover every field."""

    @abstractmethod
    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        """The process starts, or starts again after a crash with nothing but what was durable."""

    @abstractmethod
    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        """A packet arrived. ``now`` is the local clock in microseconds; clocks of different nodes do not agree."""

    def on_timer(self, timer: str, now: int, out: Outbox) -> None:
        """A timer that was set, and neither replaced nor cancelled, is due."""

    def on_choice(self, tag: str, k: int, now: int, out: Outbox) -> None:
        """The host picked ``k`` for an earlier ``choose(tag, n)``."""

    def copy(self) -> Self:
        """A node in the same state that shares nothing mutable with this one."""
        return copy.deepcopy(self)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(_frozen(vars(self)))


def _frozen(value: Any) -> Hashable:
    """Any nest of dicts, lists and sets as a hashable of the same meaning: the order of a dict or set is none."""
    match value:
        case dict():
            return frozenset((key, _frozen(item)) for key, item in value.items())
        case list() | tuple():
            return tuple(_frozen(item) for item in value)
        case set():
            return frozenset(value)
        case _ if isinstance(value, Hashable):
            return value
        case _:
            return _frozen(vars(value))


class RequirementBroken(Exception):
    """A protocol's invariant does not hold: a finding about the protocol, not an error of the bench."""


def require(condition: object, invariant: str) -> None:
    """State an invariant of a protocol; when ``condition`` is false the run ends with a verdict that quotes it."""
    if not condition:
        ignored = _ignored.get()
        if ignored is None:
            raise RequirementBroken(invariant)
        ignored.append(invariant)


_ignored: ContextVar[list[str] | None] = ContextVar("requirements ignored", default=None)


@contextmanager
def requirements_ignored(broken: list[str]) -> Iterator[None]:
    """Let code that breaks its requirements go on meanwhile, as a program does that never stated them.

    Those that are broken are added to ``broken``.
    """
    before = _ignored.set(broken)
    try:
        yield
    finally:
        _ignored.reset(before)
