"""The replicated state machine behind the workloads: registers, sets, counters and decisions, each under its key.

What is asked of a key says what it holds; one that nobody has written holds None, which a set's or counter's reader
takes for empty or zero. `apply` is deterministic, so replicas that apply the same commands in the same order hold the
same values, and a set is a tuple in the order of its adds.
"""

from __future__ import annotations

from bench.node import Answer, Command, Scalar, Value

OPERATIONS = frozenset({"read", "write", "cas", "add", "increment", "decrement", "propose"})
"""What can be asked of a key."""


class KeyValue:
    """Keys and their values."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}

    def read(self, key: str) -> Value:
        return self._values.get(key)

    def apply(self, sequence: int, command: Command, position: int = 0) -> Answer:
        """Carry a command out, as number ``position`` of all, and answer operation ``sequence``.

        Beside the value that was asked for, ``result`` says of a cas whether it matched, and of a proposal (Herlihy
        1991) what was decided.
        """
        key, value = command.key, command.value
        result: Value = None
        match command.f:
            case "read":
                value = self.read(key)
            case "write":
                self._values[key] = value
            case "cas":
                old, new = _elements(value)
                result = self.read(key) == old
                if result:
                    self._values[key] = new
            case "add":
                elements = _elements(self.read(key))
                if value not in elements:
                    self._values[key] = (*elements, _scalar(value))
            case "increment":
                self._values[key] = _number(self.read(key), 0) + _number(value, 1)
            case "decrement":
                self._values[key] = _number(self.read(key), 0) - _number(value, 1)
            case "propose":
                result = self._values.setdefault(key, value)
            case _:
                raise ValueError(f"a key-value store knows no {command.f!r}")
        return Answer(sequence, value, result, position)

    def state(self) -> tuple[tuple[str, Value], ...]:
        """Everything that is stored, in the order of the keys."""
        return tuple(sorted(self._values.items(), key=lambda item: item[0]))

    @classmethod
    def of(cls, state: tuple[tuple[str, Value], ...]) -> KeyValue:
        """The store with this state."""
        store = cls()
        store._values = dict(state)
        return store

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyValue) and self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))


def _elements(value: Value) -> tuple[Scalar, ...]:
    assert value is None or isinstance(value, tuple), f"no set and no pair: {value!r}"
    return value or ()


def _scalar(value: Value) -> Scalar:
    assert not isinstance(value, tuple), f"an element is one value, not {value!r}"
    return value


def _number(value: Value, default: int) -> int:
    assert value is None or isinstance(value, int), f"no number: {value!r}"
    return default if value is None else value
