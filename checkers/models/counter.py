"""A counter: add a number (which may be negative), increment, decrement, read the sum."""

from __future__ import annotations

from typing import ClassVar

from checkers.history import Operation
from checkers.model import ILLEGAL, Illegal, Keyed, State


class Counter(Keyed):
    """Starts at ``initial``; increment and decrement go by 1, or by their value. One that was refused did nothing."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"add", "increment", "decrement", "read"})

    def __init__(self, initial: int = 0) -> None:
        self.initial = initial

    def step(self, state: State, op: Operation) -> State | Illegal:
        if op.f == "read":
            return state if state == (op.value or 0) else ILLEGAL
        if op.result is False:
            return state
        by = 1 if op.value is None else op.value
        return state - by if op.f == "decrement" else state + by

    def refusal(self, op: Operation) -> str | None:
        number = isinstance(op.value, int) and not isinstance(op.value, bool)
        if number or (op.value is None and op.f != "add"):
            return super().refusal(op)
        return super().refusal(op) or f"{op.f} of a counter needs a whole number, got {op.value!r}"

    def rests_on(self, op: Operation, other: Operation) -> bool:
        return op.f == "read" and other.result is not False


MODEL = Counter
