"""A first-in-first-out queue: enqueue a value, dequeue the oldest one."""

from __future__ import annotations

from typing import ClassVar

from checkers.history import Operation
from checkers.model import ILLEGAL, Illegal, Keyed, State, freeze


class Queue(Keyed):
    """Empty at first. A dequeue with ``result: false``, or of nil, found it empty; a refused enqueue did nothing."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"enqueue", "dequeue"})
    initial: State = ()
    rest_on_later: ClassVar[frozenset[str]] = frozenset({"enqueue"})

    def step(self, state: State, op: Operation) -> State | Illegal:
        if op.f == "enqueue":
            return state if op.result is False else (*state, freeze(op.value))
        if op.type == "info":  # nobody knows what was taken
            return state[1:] if state else ILLEGAL
        if self.observes(op):
            return ILLEGAL if state else state
        return state[1:] if state and state[0] == freeze(op.value) else ILLEGAL

    def refusal(self, op: Operation) -> str | None:
        if op.f == "enqueue" and op.value is None:
            return "enqueue needs a value"
        return super().refusal(op)

    def observes(self, op: Operation) -> bool:
        return op.result is False or (op.value is None and op.type != "info")

    def rests_on(self, op: Operation, other: Operation) -> bool:
        """Enqueues and dequeues of one value stay together, or what is behind it would never come out."""
        if other.f == "dequeue" and other.type == "info":
            return op.f == "dequeue"
        if op.f == other.f or op.result is False or op.type == "info":
            return False
        return freeze(op.value) == freeze(other.value)


MODEL = Queue
