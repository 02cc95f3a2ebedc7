"""A set: add and remove an element, read all of them in any order."""

from __future__ import annotations

from typing import ClassVar

from checkers.history import Operation
from checkers.model import ILLEGAL, Illegal, Keyed, State, freeze


class ElementSet(Keyed):
    """Empty at first. ``result: false`` says that the element was there already (add) or was not there (remove)."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"add", "remove", "read"})
    initial: State = frozenset()

    def step(self, state: State, op: Operation) -> State | Illegal:
        if op.f == "read":
            return state if state == _elements(op) else ILLEGAL
        element = freeze(op.value)
        changes = (element in state) == (op.f == "remove")
        if op.result is not None and bool(op.result) != changes:
            return ILLEGAL
        return state | {element} if op.f == "add" else state - {element}

    def refusal(self, op: Operation) -> str | None:
        if op.f == "read" and not isinstance(op.value, (list, tuple, set, frozenset, type(None))):
            return f"a read of a set returns a list, got {op.value!r}"
        return super().refusal(op)

    def observes(self, op: Operation) -> bool:
        return op.f == "read" or op.result is False

    def doomed(self, state: State, op: Operation) -> bool:
        return op.f == "read" and not state <= _elements(op)

    def resets(self, op: Operation) -> bool:
        return op.f == "remove"

    def rests_on(self, op: Operation, other: Operation) -> bool:
        """A read rests on the adds of what it saw, and on the removes of what it did not see."""
        element = freeze(other.value)
        if op.f == "read":
            return (element in _elements(op)) == (other.f == "add")
        return op.result is not None and element == freeze(op.value)


def _elements(op: Operation) -> frozenset[object]:
    return frozenset(freeze(item) for item in op.value or ())


MODEL = ElementSet
