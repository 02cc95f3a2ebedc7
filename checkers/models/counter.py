"""A counter: add a number (which may be negative), increment, decrement, read the sum."""

from __future__ import annotations

from typing import ClassVar

from checkers.history import Operation
from checkers.model import ILLEGAL, Illegal, Keyed, State


class Counter(Keyed):
    """Starts at ``initial``; increment and decrement go by 1, or by their value."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"add", "increment", "decrement", "read"})

    def __init__(self, initial: int = 0) -> None:
        self.initial = initial

    def step(self, state: State, op: Operation) -> State | Illegal:
        match op.f:
            case "read":
                return state if op.type == "info" or state == (op.value or 0) else ILLEGAL
            case "decrement":
                return state - (1 if op.value is None else op.value)
            case "increment":
                return state + (1 if op.value is None else op.value)
            case _:
                return state + op.value

    def refusal(self, op: Operation) -> str | None:
        number = isinstance(op.value, int) and not isinstance(op.value, bool)
        if op.f in (self.operations or ()) and not (number or (op.value is None and op.f != "add")):
            return f"{op.f} of a counter needs a whole number, got {op.value!r}"
        return super().refusal(op)

    def rests_on(self, op: Operation, other: Operation) -> bool:
        return op.f == "read" and other.f != "read"


MODEL = Counter
