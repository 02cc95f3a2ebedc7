"""The state machine of a replica: a key-value store that carries every request out once, however often it is chosen.

Lamport, "Paxos Made Simple", 2001, §3: servers that execute the same commands in the same order go through the same
states. A client that retries can have its command chosen twice; the sessions (`parts/sessions.py`) are part of the
state, so that every replica drops the second one at the same place. `MachineState` is all of it, as a value that can be
sent or kept instead of the commands.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from bench.node import Answer, Request, Value
from bench.parts.keyvalue import KeyValue
from bench.parts.sessions import Sessions


class MachineState(msgspec.Struct, frozen=True, gc=False):
    """What is stored, and the newest answer of every session."""

    values: tuple[tuple[str, Value], ...] = ()
    answers: tuple[tuple[str, Answer], ...] = ()

    @property
    def digest(self) -> str:
        """The beginning of its sha256: different states have different ones."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


EMPTY = MachineState()


class Executed(NamedTuple):
    """What came of a request: its answer, None if it is stale, and whether it took effect now.

    One that did not is a repetition, or stale, and has been left out: its replica announces that it skips it.
    """

    answer: Answer | None
    took_effect: bool


class StateMachine:
    """A store and the sessions of its clients."""

    __slots__ = ("sessions", "store")

    def __init__(self, state: MachineState = EMPTY) -> None:
        self.store = KeyValue.of(state.values)
        self.sessions = Sessions.of(state.answers)

    def state(self) -> MachineState:
        return MachineState(self.store.state(), self.sessions.state())

    def answer(self, request: Request) -> Answer | None:
        """The answer to this very request, if it was the last of its session to be carried out."""
        return self.sessions.answer(request.session, request.sequence)

    def is_stale(self, request: Request) -> bool:
        """Whether its client has gone on to another operation, so that this one must not be carried out any more."""
        return self.sessions.is_stale(request.session, request.sequence)

    def execute(self, request: Request, position: int = 0) -> Executed:
        """Carry it out, as number ``position``, unless that has been done or its client has gone on."""
        if self.is_stale(request):
            return Executed(None, False)
        answer = self.answer(request)
        if answer is not None:
            return Executed(answer, False)
        answer = self.store.apply(request.sequence, request.command, position)
        self.sessions.record(request.session, answer)
        return Executed(answer, True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StateMachine) and (self.store, self.sessions) == (other.store, other.sessions)

    def __hash__(self) -> int:
        return hash((self.store, self.sessions))
