"""A lock: acquire, release. ``result: false`` of an acquire says that it was busy, of a release that it was free."""

from __future__ import annotations

from typing import ClassVar

from checkers.history import Operation
from checkers.model import ILLEGAL, Illegal, Keyed, State


class Mutex(Keyed):
    """Free at first. Anybody may release it: who holds it is the business of the system under test."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"acquire", "release"})
    initial: State = "free"

    def step(self, state: State, op: Operation) -> State | Illegal:
        found, left = ("free", "held") if op.f == "acquire" else ("held", "free")
        if op.result is False:
            return state if state == left else ILLEGAL
        return left if state == found else ILLEGAL

    def observes(self, op: Operation) -> bool:
        return op.result is False

    def describe(self, state: State) -> str:
        return str(state)


MODEL = Mutex
