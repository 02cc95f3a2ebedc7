"""Consensus as an object that is written once: the first proposal is decided, and everybody learns it (Herlihy
1991).
"""

from __future__ import annotations

from typing import ClassVar

from checkers.history import Operation
from checkers.model import ILLEGAL, Illegal, Keyed, State, freeze


class Consensus(Keyed):
    """``propose`` has the proposal as value and answers with the decision as ``result``; ``read`` sees it, or nil."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"propose", "read"})

    def step(self, state: State, op: Operation) -> State | Illegal:
        if op.f == "read":
            return state if state == freeze(op.value) else ILLEGAL
        decided = freeze(op.value) if state is None else state
        return decided if op.result is None or decided == freeze(op.result) else ILLEGAL

    def refusal(self, op: Operation) -> str | None:
        if op.f == "propose" and op.value is None:
            return "propose needs a value"
        return super().refusal(op)

    def observes(self, op: Operation) -> bool:
        """Who learnt another value than its own proposal was not the first."""
        return op.f == "read" or (op.result is not None and freeze(op.result) != freeze(op.value))

    def rests_on(self, op: Operation, other: Operation) -> bool:
        learned = op.value if op.f == "read" else op.result
        return freeze(other.value) == freeze(learned)


MODEL = Consensus
