"""What replicas said of themselves while they ran: a stream beside the history, read by invariants and by targets.

An observation is something a node announces through the same first-in-first-out queue as its messages, so one that
depends on a save is seen only once that save is durable. Private fields of a node are never looked at.

The words, and the fields that go with them:

    lead, follow, campaign, vote   a ``term`` each (a ballot, an epoch); ``lead`` only once it is won
    start, violated                said by the host: a process begins a new life; a requirement (``digest``) is broken
    append    the log on disk now ends with ``slot``; what is new in it is of one ``term``, that of its leader
    truncate  the entries from ``slot`` on are off the log on disk
    recover   at a start: the log found on disk ends with ``slot``; ``digest`` lists its terms, see `runs`
    commit    all slots up to ``slot`` are known to be committed, by somebody in ``term``
    decide    the command of ``slot``, ``digest``, is carried out; its entry is of ``term``
    skip      said before the decision of ``slot``: the command ``digest`` has taken effect already and does not again
    snapshot  the state behind ``slot``, of this ``digest``, is kept instead of what led to it
    install   such a state was taken over whole, from a replica or from disk, instead of carrying out what led to it

A replica that announces ``decide`` does so in the order of the slots, from 1, or from the one after an installation. A
protocol without logs of terms announces no ``recover``, and need not name the terms of its entries.

A digest says which commands are decided: ``session#sequence words``, several parted by ``; ``; the sequence number
counts the operations of a session from 1. Before a command there may be the number that its leader gave it among those
of its own, as ``epoch.counter``. What is nobody's command begins with ``no-op``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import msgspec

_COMMAND = re.compile(r"(?:\d+\.\d+ )?([^\s#]+#\d+) (.*)", re.DOTALL)
_NEXT = re.compile(r"; (?=(?:\d+\.\d+ )?[^\s#]+#\d+ )")
_ORDER = re.compile(r"(\d+)\.(\d+) ")
_RUN = re.compile(r"(\d+) of term (\d+)")


class Observation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One announcement: at ``time`` (nanoseconds), ``node`` says ``what``, one of the words above or one of its own."""

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
        self._by_word: dict[str, list[Observation]] | None = None

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def of(self, *what: str) -> Iterator[Observation]:
        """Those that say one of these words, in order."""
        if len(what) > 1:
            return (item for item in self._items if item.what in what)
        if self._by_word is None:  # every checker asks
            self._by_word = {}
            for item in self._items:
                self._by_word.setdefault(item.what, []).append(item)
        return iter(self._by_word.get(what[0], ()))

    def dump(self, path: str | Path) -> None:
        """Write as JSON Lines."""
        encoder = msgspec.json.Encoder()
        Path(path).write_bytes(encoder.encode_lines(self._items))

    @classmethod
    def load(cls, path: str | Path) -> Observations:
        """Read what `dump` wrote; a malformed line raises `msgspec.DecodeError`."""
        return cls(msgspec.json.Decoder(Observation).decode_lines(Path(path).read_bytes()))


@lru_cache(maxsize=4096)
def commands(digest: str) -> tuple[tuple[str, str], ...]:
    """The commands that a digest decides, as ("c1#3", "write x = 5"); none of a no-op.

    Raises `ValueError` for a digest that is neither.

    >>> commands("1.4 c1#3 write x = 5")
    (('c1#3', 'write x = 5'),)
    """
    if digest.startswith("no-op"):
        return ()
    found = []
    for part in _NEXT.split(digest) if "; " in digest else (digest,):
        command = _COMMAND.fullmatch(part)
        if command is None:
            raise ValueError(part)
        found.append((command[1], command[2]))
    return tuple(found)


def order(digest: str) -> tuple[int, int] | None:
    """The epoch and counter that a leader gave to a command, if the digest begins with them."""
    found = _ORDER.match(digest) if digest[:1].isdecimal() else None
    return None if found is None else (int(found[1]), int(found[2]))


def runs(terms: Iterable[int]) -> str:
    """The digest of a log that is recovered, from the terms of its entries.

    >>> runs([1, 1, 3])
    '2 of term 1, 1 of term 3'
    """
    return ", ".join(f"{sum(1 for _ in run)} of term {term}" for term, run in groupby(terms)) or "nothing"


def terms(digest: str) -> Sequence[int]:
    """What `runs` was given."""
    return [int(run[2]) for run in _RUN.finditer(digest) for _ in range(int(run[1]))]
