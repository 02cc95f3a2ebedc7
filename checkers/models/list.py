"""A list: append an element, read the whole list."""

from __future__ import annotations

from typing import ClassVar

from checkers.history import Operation
from checkers.model import ILLEGAL, Illegal, Keyed, State, freeze


class AppendList(Keyed):
    """Empty at first; a read of nil saw the empty list. An append that was refused (``result: false``) did nothing."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"append", "read"})
    initial: State = ()

    def step(self, state: State, op: Operation) -> State | Illegal:
        if op.f == "append":
            return state if op.result is False else (*state, freeze(op.value))
        return state if state == freeze(op.value or ()) else ILLEGAL

    def refusal(self, op: Operation) -> str | None:
        if op.f == "read" and not isinstance(op.value, (list, tuple, type(None))):
            return f"a read of a list returns a list, got {op.value!r}"
        return super().refusal(op)

    def doomed(self, state: State, op: Operation) -> bool:
        seen: tuple[object, ...] = freeze(op.value or ())  # type: ignore[assignment]
        return bool(seen[: len(state)] != state)

    def resets(self, op: Operation) -> bool:
        return False

    def rests_on(self, op: Operation, other: Operation) -> bool:
        seen: tuple[object, ...] = freeze(op.value or ())  # type: ignore[assignment]
        return op.f == "read" and other.result is not False and freeze(other.value) in seen


MODEL = AppendList
