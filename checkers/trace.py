"""What happened inside a run, step by step: packets, timers, disks, crashes and what nodes said of themselves."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from checkers.observations import Observation


class Step(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing that happened at ``time`` (nanoseconds) to ``node``.

    ``event`` is one of send, drop, deliver, ignore (nobody there to receive it), timer, write, sync, start, crash,
    pause, resume, observe. ``peer`` is the other end of a packet, ``packet`` its number; a packet's message stands in
    its send only.
    """

    time: int
    event: str
    node: str
    peer: str | None = None
    packet: int | None = None
    what: Any = None


def _step(said: Observation) -> Step:
    what = {field: getattr(said, field) for field in ("what", "term", "slot", "digest")}
    return Step(said.time, "observe", said.node, what={key: value for key, value in what.items() if value is not None})


class Trace:
    """A run's steps in order, observations among them; as gzipped JSON Lines, whose text is the same everywhere."""

    def __init__(self, steps: Iterable[Step | Observation] = ()) -> None:
        self._steps = list(steps)

    def __iter__(self) -> Iterator[Step]:
        return (step if isinstance(step, Step) else _step(step) for step in self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def encode(self) -> bytes:
        """The uncompressed JSON Lines."""
        return msgspec.json.Encoder().encode_lines(self)

    def dump(self, path: str | Path) -> None:
        Path(path).write_bytes(gzip.compress(self.encode(), compresslevel=1, mtime=0))

    @classmethod
    def load(cls, path: str | Path) -> Trace:
        """Read what `dump` wrote; a malformed line raises `msgspec.DecodeError`, a damaged file `OSError`."""
        return cls(msgspec.json.Decoder(Step).decode_lines(gzip.decompress(Path(path).read_bytes())))
