"""What a learner knows: the values of slots 1, 2, … that are chosen, in order, and some that lie beyond a gap.

Lamport, "Paxos Made Simple", 2001, §3: a server carries commands out in the order of their slots, so one that has
learnt slot 140 but not slot 139 has to wait. Slots up to the ``watermark`` are chosen without a gap. Of those up to
``trimmed`` that is all that is known: what they held is part of the state (van Renesse & Altinbuken 2015, §4.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from bench.node import require

V = TypeVar("V")


class Chosen(Generic[V]):
    """Chosen values by slot, from 1."""

    __slots__ = ("_beyond", "_prefix", "trimmed")

    def __init__(self) -> None:
        self.trimmed = 0
        self._prefix: list[V] = []
        self._beyond: dict[int, V] = {}

    @property
    def watermark(self) -> int:
        return self.trimmed + len(self._prefix)

    def knows(self, slot: int) -> bool:
        return slot <= self.watermark or slot in self._beyond

    def learn(self, slot: int, value: V) -> None:
        """``value`` is chosen for ``slot``: then nothing else ever is (P2, §2.2)."""
        if slot <= self.trimmed:
            return  # there is nothing left to compare it with
        within = slot <= self.watermark
        known = self._prefix[slot - self.trimmed - 1] if within else self._beyond.setdefault(slot, value)
        require(known == value, "no two values are chosen for one slot (§2.1)")

    def in_order(self) -> Iterator[tuple[int, V]]:
        """Move the watermark on, slot by slot, as far as the values are known."""
        while (slot := self.watermark + 1) in self._beyond:
            self._prefix.append(self._beyond.pop(slot))
            yield slot, self._prefix[-1]

    def forget_beyond(self) -> None:
        """Keep only what lies below the watermark."""
        self._beyond.clear()

    def since(self, first: int, count: int | None = None) -> tuple[V, ...]:
        """The values from slot ``first`` up to the watermark, at most ``count`` of them; none of them is trimmed."""
        assert first > self.trimmed, f"slot {first} is trimmed: all up to {self.trimmed} are"
        start = first - self.trimmed - 1
        return tuple(self._prefix[start : None if count is None else start + count])

    def trim(self, upto: int) -> None:
        """Forget what the slots up to ``upto`` hold, but not that they are chosen, even if that was not known yet."""
        del self._prefix[: upto - self.trimmed]
        self.trimmed = upto
        self._beyond = {slot: value for slot, value in self._beyond.items() if slot > self.watermark}

    def _key(self) -> tuple[object, ...]:
        return self.trimmed, tuple(self._prefix), frozenset(self._beyond.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chosen) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())
