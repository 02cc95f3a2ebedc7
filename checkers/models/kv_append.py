"""Strings that grow: get, put and append per key, as in Porcupine's key-value tests and MIT 6.824; "" before any put.

A put or append that was refused (``result: false``) did nothing and says nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import ClassVar

from checkers.history import Operation
from checkers.model import ILLEGAL, Illegal, Keyed, State


class KVAppend(Keyed):
    """``initial`` is what a key holds before its first put; a get that returned nil saw the empty string."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"get", "put", "append"})

    resets_forget: ClassVar[bool] = True

    def __init__(self, initial: str = "") -> None:
        self.initial = initial

    def step(self, state: State, op: Operation) -> State | Illegal:
        if op.f == "get":
            return state if state == (op.value or "") else ILLEGAL
        if op.result is False:
            return state
        return op.value if op.f == "put" else state + op.value

    def refusal(self, op: Operation) -> str | None:
        if op.f in ("put", "append") and not isinstance(op.value, str):
            return f"{op.f} needs a string, got {op.value!r}"
        if op.f == "get" and not isinstance(op.value, str | None):
            return f"a get returns a string, got {op.value!r}"
        return super().refusal(op)

    def doomed(self, state: State, op: Operation) -> bool:
        return not (op.value or "").startswith(state)

    def resets(self, op: Operation) -> bool:
        return op.f == "put" and op.result is not False

    def foresees(self, answers: Sequence[Operation]) -> Callable[[State], bool]:
        """A state is the beginning of a string that was seen, or no get can be answered before the next put."""
        seen = sorted({op.value or "" for op in answers})

        def begins_one(state: State) -> bool:
            place = bisect_left(seen, state)
            return place < len(seen) and seen[place].startswith(state)

        return begins_one

    def rests_on(self, op: Operation, other: Operation) -> bool:
        """A get that does not contain what was written happened before it, or after a later put: it does not need
        it.
        """
        return op.f == "get" and other.result is not False and other.value in (op.value or "")


MODEL = KVAppend
