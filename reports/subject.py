"""What a report is about: one run, with everything that was recorded and decided about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from checkers import History, Observations, Outcome, Verdict, invariants
from checkers.lattice import Standing
from checkers.verdict import valid


class Judged(msgspec.Struct, frozen=True):
    """One checker's verdict beside what was expected of it; ``expected`` is "any" where it only informs."""

    name: str
    verdict: Verdict
    expected: Literal["valid", "invalid", "breakable", "any"]
    as_expected: bool


def compact(every: Sequence[Judged], told: Callable[[Verdict], str] = lambda verdict: verdict.checker) -> list[Judged]:
    """The verdicts as they are shown: the invariants that hold, as they should, are told together as one."""
    calm = [
        each
        for each in every
        if each.name in invariants.SINGLE and each.as_expected and each.verdict.outcome is Outcome.VALID
    ]
    together = next((each for each in every if each.name == invariants.NAME), None)
    if len(calm) < (1 if together else 2):
        return list(every)
    words = ", ".join(told(each.verdict) for each in calm)
    if together is None:
        judged = any(each.expected == "valid" for each in calm)
        together = Judged(invariants.NAME, valid(invariants.NAME, words), "valid" if judged else "any", True)
    elif together.verdict.outcome is Outcome.INVALID:  # else its reason are these words
        reason = f"{together.verdict.reason}; not: {words}"
        verdict = msgspec.structs.replace(together.verdict, reason=reason)
        together = msgspec.structs.replace(together, verdict=verdict)
    shown, calm_names = [], {each.name for each in calm}
    for each in every:
        if each.name in calm_names or each.name == invariants.NAME:
            if together is not None:
                shown.append(together)
                together = None
        else:
            shown.append(each)
    return shown


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
