"""What a report is about: one run, with everything that was recorded and decided about it."""

from __future__ import annotations

from typing import Literal

import msgspec

from checkers import History, Observations, Verdict
from checkers.lattice import Standing


class Judged(msgspec.Struct, frozen=True):
    """One checker's verdict beside what was expected of it; ``expected`` is "any" where it only informs."""

    name: str
    verdict: Verdict
    expected: Literal["valid", "invalid", "breakable", "any"]
    as_expected: bool


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times are nanoseconds since its start."""

    scenario: str
    why: str
    protocol: str  # "raft/log"
    seed: int
    nodes: tuple[str, ...]
    duration: int
    heal: int
    history: History  # faults are its events of process "nemesis"
    observations: Observations
    judged: tuple[Judged, ...]
    standing: Standing | None = None  # among the consistency models, where that was asked
    counters: dict[str, int]
    status: str  # "as expected", "not as expected", "undecided", "unbroken"
    notes: tuple[str, ...] = ()  # why, where it is not as expected
    replay: str  # the command line that replays the run
