"""The replicated state machine behind the kv workload: keys that are read, written and compared-and-set.

A key that was never written holds None. `apply` is deterministic, so replicas that apply the same commands in the same
order hold the same values.
"""

from __future__ import annotations

from bench.node import Answer, Command, Value


class KeyValue:
    """Keys and their values."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}

    def read(self, key: str) -> Value:
        return self._values.get(key)

    def apply(self, sequence: int, command: Command, position: int = 0) -> Answer:
        """Carry a command out, as number ``position`` of all, and answer operation ``sequence``."""
        match command.f, command.value:
            case "read", _:
                return Answer(sequence, self.read(command.key), position=position)
            case "write", value:
                self._values[command.key] = value
                return Answer(sequence, value, position=position)
            case "cas", (old, new):
                matches = self.read(command.key) == old
                if matches:
                    self._values[command.key] = new
                return Answer(sequence, command.value, matches, position)
            case _:
                raise ValueError(f"a key-value store knows no {command.f!r}")

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
