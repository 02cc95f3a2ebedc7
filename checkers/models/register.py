"""A register: write a value, read the last one written (Lamport 1986, atomic)."""

from __future__ import annotations

from typing import Any, ClassVar

from checkers.history import READS, Operation
from checkers.model import ILLEGAL, Illegal, Keyed, State, freeze


class Register(Keyed):
    """Reads and writes. ``initial`` is the value before the first write, nil unless told otherwise."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"read", "get", "write", "put"})

    def __init__(self, initial: Any = None) -> None:
        self.initial = freeze(initial)

    def step(self, state: State, op: Operation) -> State | Illegal:
        match op.f:
            case "read" | "get":
                return state if state == freeze(op.value) else ILLEGAL
            case "delete":
                # Refused means that there was nothing to delete.
                return ILLEGAL if op.result is False and state is not None else None
            case "cas":
                old, new = op.value
                matches = state == freeze(old)
                if op.result is False:
                    return ILLEGAL if matches else state
                return freeze(new) if matches else ILLEGAL
            case _:
                # A write that was refused did nothing and says nothing.
                return state if op.result is False else freeze(op.value)

    def refusal(self, op: Operation) -> str | None:
        if op.f == "cas" and not (isinstance(op.value, (list, tuple)) and len(op.value) == 2):
            return f"a cas needs the value [old, new], got {op.value!r}"
        return super().refusal(op)

    def observes(self, op: Operation) -> bool:
        if op.f in READS or op.result is False:
            return True
        return op.f == "cas" and freeze(op.value[0]) == freeze(op.value[1])

    def rests_on(self, op: Operation, other: Operation) -> bool:
        """An answer rests on the writers of the value that it saw; a refusal on whatever may have been there
        instead.
        """
        if other.f == "cas" and freeze(other.value[0]) == freeze(other.value[1]):
            return False  # it leaves what it found
        refused = op.result is False
        match op.f:
            case "cas":
                return refused or bool(written(other) == freeze(op.value[0]))
            case "read" | "get":
                return bool(written(other) == freeze(op.value))
            case "delete":
                return refused and written(other) is None
            case _:
                return False


def written(op: Operation) -> Any:
    """The value that a mutating operation leaves behind."""
    match op.f:
        case "cas":
            return freeze(op.value[1])
        case "delete":
            return None
        case _:
            return freeze(op.value)


MODEL = Register
