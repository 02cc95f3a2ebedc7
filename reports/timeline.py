"""What happened when, read off a run for drawing: the faults as spans, the heal, where the time axis ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from checkers import Observation, Operation
from checkers.history import Event
from reports.subject import Subject
from reports.words import SECOND


class Fault(msgspec.Struct, frozen=True):
    """One fault from `start` to `end` (nanoseconds): its name and kind, the nodes it struck, what it did to them.

    A fault that nothing ended lasts to the heal, or else to the end of the run.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    what: str
    start: int
    end: int

    def touches(self, start: int, end: int) -> bool:
        """Whether it was at work at any moment from `start` to `end`."""
        return self.start <= end and start < max(self.end, self.start + 1)


def extent(subject: Subject) -> int:
    """Where the time axis ends: the run's duration, or the last recorded event if that is later (final reads are)."""
    times = subject.history.times
    latest = int(times.max()) if len(times) else 0
    seen = max((item.time for item in subject.observations), default=0)
    return max(subject.duration, latest, seen) or SECOND


def heal_of(subject: Subject) -> int | None:
    """When all faults end: as recorded, else as the scenario says; None where there was no fault to end."""
    events = subject.history.nemesis()
    recorded = [event.time for event in events if event.f == "heal"]
    if recorded:
        return recorded[0]
    return subject.heal if events and subject.heal > 0 else None


def faults(subject: Subject) -> tuple[Fault, ...]:
    """Every fault of the run, in order of its start."""
    return spans(subject.history.nemesis(), heal_of(subject), extent(subject))


def spans(events: Iterable[Event], heal: int | None, end: int) -> tuple[Fault, ...]:
    """The faults that these events of the nemesis start and end.

    An end closes the earliest open fault of its name that struck the same nodes, or, failing that, of its name. Events
    of another shape, as other tools write them, are points in time of the kind that their `f` says.
    """
    open_: list[tuple[str, str, tuple[str, ...], str, int]] = []
    closed: list[Fault] = []
    for event in events:
        if event.f == "heal" or event.time < 0:
            continue
        told: dict[str, Any] = event.value if isinstance(event.value, dict) else {}
        name = str(told.get("fault", event.f))
        nodes = tuple(str(node) for node in told.get("nodes") or ())
        if told.get("phase") == "ends":
            own = [item for item in open_ if item[0] == name]
            match = next((item for item in own if item[2] == nodes), own[0] if own else None)
            if match is not None:
                open_.remove(match)
                closed.append(Fault(*match, event.time))
        elif told.get("phase") == "starts":
            what = str(told.get("what") or " ".join(nodes))
            open_.append((name, event.f, nodes, what, event.time))
        else:
            closed.append(Fault(name, event.f, nodes, str(told.get("what") or ""), event.time, event.time))
    for item in open_:
        closed.append(Fault(*item, heal if heal is not None and heal >= item[4] else end))
    return tuple(sorted(closed, key=lambda fault: (fault.start, fault.end, fault.name)))


def during(bad: Sequence[Fault], start: int, end: int) -> tuple[str, ...]:
    """The names of the faults at work at any moment from `start` to `end`, once each, in order of their start."""
    return tuple(dict.fromkeys(fault.name for fault in bad if fault.touches(start, end)))


def interval(item: Operation | Observation, end: int) -> tuple[int, int]:
    """From when to when a witness item lasts; an operation that nobody answered lasts to its timeout, else to `end`."""
    if isinstance(item, Observation):
        return item.time, item.time
    return item.time, end if item.return_time is None else item.return_time
