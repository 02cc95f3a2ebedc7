"""What replicas said of themselves while they ran: a stream beside the history, read by invariants and by targets.

An observation is something a node announces through the same first-in-first-out queue as its messages, so one that
depends on a save is seen only once that save is durable. Private fields of a node are never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec


class Observation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One announcement: at ``time`` (nanoseconds), ``node`` says ``what``.

    ``what`` is one of lead, follow, campaign, vote (a term each), append, truncate, commit (a slot), decide (a slot and
    a digest of the command), snapshot and install (a slot and a digest of the state after it, which was kept or taken
    over), start, violated (a broken ``require``); a protocol may add words of its own.
    """

    time: int
    node: str
    what: str
    term: int | None = None
    slot: int | None = None
    digest: str | None = None

    def __str__(self) -> str:
        parts = [f"{self.time / 1e9:.6f} s", self.node, self.what]
        if self.term is not None:
            parts.append(f"term {self.term}")
        if self.slot is not None:
            parts.append(f"slot {self.slot}")
        if self.digest is not None:
            parts.append(self.digest)
        return "  ".join(parts)


class Observations:
    """A run's observations, in the order in which they were made."""

    def __init__(self, items: Iterable[Observation] = ()) -> None:
        self._items = tuple(items)

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def of(self, *what: str) -> Iterator[Observation]:
        """Those that say one of these words."""
        return (item for item in self._items if item.what in what)

    def dump(self, path: str | Path) -> None:
        """Write as JSON Lines."""
        encoder = msgspec.json.Encoder()
        Path(path).write_bytes(encoder.encode_lines(self._items))

    @classmethod
    def load(cls, path: str | Path) -> Observations:
        """Read what `dump` wrote; a malformed line raises `msgspec.DecodeError`."""
        return cls(msgspec.json.Decoder(Observation).decode_lines(Path(path).read_bytes()))
