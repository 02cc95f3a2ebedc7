"""A replicated log in memory: entries 1 … last, each with the term in which a leader created it.

Index 0 stands for the empty beginning and has term 0, so "the entry before the first" needs no special case
(Ongaro & Ousterhout 2014, Figure 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from bench.node import Outbox
from checkers.observations import runs


class Termed(Protocol):
    """Anything that knows the term in which it was created."""

    @property
    def term(self) -> int: ...


E = TypeVar("E", bound=Termed)


class Log(Generic[E]):
    """Entries by index, from 1."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[E] = ()) -> None:
        self._entries = list(entries)

    @property
    def last(self) -> int:
        """The index of the last entry, 0 when there is none."""
        return len(self._entries)

    @property
    def last_term(self) -> int:
        return self._entries[-1].term if self._entries else 0

    def __getitem__(self, index: int) -> E:
        return self._entries[index - 1]

    def term(self, index: int) -> int:
        return self._entries[index - 1].term if index else 0

    def holds(self, index: int, term: int) -> bool:
        """Whether the entry at ``index`` exists and is of ``term``; then all before it are the same too (§5.3)."""
        return index <= len(self._entries) and (index == 0 or self._entries[index - 1].term == term)

    def between(self, first: int, count: int) -> tuple[E, ...]:
        """At most ``count`` entries from index ``first`` on."""
        return tuple(self._entries[first - 1 : first - 1 + count])

    def extend(self, entries: Sequence[E]) -> None:
        self._entries.extend(entries)

    def truncate(self, index: int) -> None:
        """Drop the entries from ``index`` on."""
        del self._entries[index - 1 :]

    def terms(self) -> Iterator[int]:
        """The term of every entry, in order."""
        return (entry.term for entry in self._entries)

    def announce_recovery(self, out: Outbox) -> None:
        """Say what was found on disk at a start."""
        out.observe("recover", slot=self.last, digest=runs(self.terms()))

    def announce_append(self, first: int, out: Outbox) -> None:
        """Say that the entries from index ``first`` on were appended, once for each run of equal terms."""
        entries = self._entries
        for index in range(first, len(entries)):
            if entries[index - 1].term != entries[index].term:
                out.observe("append", entries[index - 1].term, index)
        out.observe("append", entries[-1].term, len(entries))

    def start_of_term(self, index: int) -> int:
        """The first index of the run of equal terms that contains ``index``."""
        term = self._entries[index - 1].term
        while index > 1 and self._entries[index - 2].term == term:
            index -= 1
        return index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Log) and self._entries == other._entries

    def __hash__(self) -> int:
        return hash(tuple(self._entries))
