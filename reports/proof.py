"""What a witness shows: the item that the others contradict, the write that a stale read missed, a sentence for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checkers import Observation, Operation, Verdict, bounded_staleness
from checkers.history import READS
from reports.timeline import interval
from reports.words import client, shorten, span, value


def convicting(verdict: Verdict) -> frozenset[int]:
    """Where in the witness that stands which cannot be explained: what the checker calls stuck, else the last to begin.

    At most one position; a set, so that callers ask `in`.
    """
    witness = verdict.witness
    stuck = verdict.details.get("stuck")
    stuck = set(stuck) if isinstance(stuck, (list, tuple)) else set()
    found = [i for i, item in enumerate(witness) if isinstance(item, Operation) and item.index in stuck]
    answers = [i for i in found if witness[i].type == "ok"] or found
    if not answers:
        begun = [(item.time, i) for i, item in enumerate(witness) if isinstance(item, (Operation, Observation))]
        answers = [max(begun)[1]] if begun else []
    # Where several could not come next, the one that was answered first is the one a reader has to look at.
    return frozenset([min(answers, key=lambda i: (interval(witness[i], 1 << 62)[1], i))] if answers else [])


def headline(verdict: Verdict) -> str | None:
    """The violation in one short sentence, for a read of a value that had been overwritten; None for any other.

    Said only where the witness shows it beyond doubt: the write of what was read (none, for nil) had ended before the
    newer one was asked, and that one had been acknowledged before the read was. Where staleness is bounded, the bound
    is what was broken, and the verdict's own reason tells it.
    """
    if verdict.checker.partition(":")[0] == bounded_staleness.NAME:  # its bounds follow
        return None
    operations = [item for item in verdict.witness if isinstance(item, Operation)]
    reads = [verdict.witness[i] for i in convicting(verdict) if isinstance(verdict.witness[i], Operation)]
    read = reads[0] if reads else None
    if read is None or read.f not in READS or read.type != "ok":
        return None
    write = newer_write(read, operations)
    if write is None or write.return_time is None or read.time < 0:
        return None
    source = [
        item
        for item in operations
        if item.key == read.key and item.f not in READS and item.type != "fail" and item.result is not False
        if written(item) == read.value
    ]
    over = all(
        item.type == "ok" and item.return_index is not None and item.return_index < write.index for item in source
    )
    if not over or len(source) != (0 if read.value is None else 1):
        return None
    key = "" if read.key is None else f" {value(read.key)}"
    node = f" from {shorten(read.node, 16)}" if read.node else ""
    return (
        f"{client(read, 16)} read{key} = {value(read.value)}{node}, although {client(write, 16)}'s {write.f} of "
        f"{value(written(write))} had been acknowledged {span(read.time - write.return_time)} earlier."
    )


def newer_write(read: Operation, items: Sequence[object]) -> Operation | None:
    """The last write (or cas) of another value of the read's key that was acknowledged before the read was asked."""
    best: Operation | None = None
    for item in items:
        if not isinstance(item, Operation) or item.type != "ok" or item.f in READS or item.result is False:
            continue
        if (
            item.key != read.key
            or written(item) == read.value
            or item.return_index is None
            or item.return_index >= read.index
        ):
            continue
        if best is None or item.return_index > (best.return_index or 0):
            best = item
    return best


def written(item: Operation) -> Any:
    """The value that a write or cas puts in place."""
    if item.f == "cas" and isinstance(item.value, (list, tuple)) and len(item.value) == 2:
        return item.value[1]
    return item.value
