"""What a learner knows: the values of slots 1, 2, … that are chosen, in order, and some that lie beyond a gap.

Lamport, "Paxos Made Simple", 2001, §3: a server carries commands out in the order of their slots, so one that has
learnt slot 140 but not slot 139 has to wait. Slots up to the ``watermark`` are chosen without a gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from bench.node import require

V = TypeVar("V")


class Chosen(Generic[V]):
    """Chosen values by slot, from 1."""

    __slots__ = ("_beyond", "_prefix")

    def __init__(self) -> None:
        self._prefix: list[V] = []
        self._beyond: dict[int, V] = {}

    @property
    def watermark(self) -> int:
        return len(self._prefix)

    def knows(self, slot: int) -> bool:
        return slot <= len(self._prefix) or slot in self._beyond

    def learn(self, slot: int, value: V) -> None:
        """``value`` is chosen for ``slot``: then nothing else ever is (P2, §2.2)."""
        known = self._prefix[slot - 1] if slot <= len(self._prefix) else self._beyond.setdefault(slot, value)
        require(known == value, "no two values are chosen for one slot (§2.1)")

    def in_order(self) -> Iterator[tuple[int, V]]:
        """Move the watermark on, slot by slot, as far as the values are known."""
        while (slot := len(self._prefix) + 1) in self._beyond:
            self._prefix.append(self._beyond.pop(slot))
            yield slot, self._prefix[-1]

    def forget_beyond(self) -> None:
        """Keep only what lies below the watermark."""
        self._beyond.clear()

    def since(self, first: int, count: int | None = None) -> tuple[V, ...]:
        """The values from slot ``first`` up to the watermark, at most ``count`` of them."""
        return tuple(self._prefix[first - 1 : None if count is None else first - 1 + count])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chosen) and (self._prefix, self._beyond) == (other._prefix, other._beyond)

    def __hash__(self) -> int:
        return hash((tuple(self._prefix), frozenset(self._beyond.items())))
