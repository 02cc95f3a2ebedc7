"""A run on the terminal: a line per checker, and for a violation its proof and the line that replays it.

Only letters of ASCII are added to what the run itself says, and colour marks the outcomes on a terminal alone, where
NO_COLOR (no-color.org) does not forbid it.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from checkers import Observation, Operation, Outcome
from checkers.lattice import Standing, models
from reports.proof import headline
from reports.subject import Judged, Subject, compact
from reports.words import SECOND, plain, plural, shorten, told

WIDTH = 100
ITEM, REASON = 300, 1_000  # characters of one witness line of another shape, and of a reason
TINTS = {
    "valid": "32",
    "invalid": "31",
    "unknown": "33",
    "as expected": "32",
    "not as expected": "31",
    "undecided": "33",
    "unbroken": "33",
}


def coloured() -> bool:
    """Whether standard output is a terminal that wants colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def summary(subject: Subject, report_path: str | Path, wall_seconds: float, colour: bool | None = None) -> str:
    """The run as a short table, without a newline at its end; `colour` as `coloured` says unless given."""
    tinted = coloured() if colour is None else colour
    sessions = {str(operation.session) for operation in subject.history.operations() if not operation.final}
    size = f"{plural(len(subject.nodes), 'node')}, {plural(len(sessions), 'client')}"
    timed = f"{subject.duration / SECOND:g} s simulated in {wall_seconds:.1f} s"
    lines = [f"{plain(subject.scenario)}  {plain(subject.protocol)}  seed {subject.seed}     {size}, {timed}"]
    lines += verdicts(subject.judged, tinted)
    if subject.standing is not None and (stands := strongest(subject.standing)) is not None:
        wide = _wide(compact(subject.judged))
        wrapped = textwrap.wrap(stands, WIDTH - wide - 2, break_on_hyphens=False)
        lines.append(f"  {'strongest':<{wide}}{wrapped[0]}")
        lines += [" " * (wide + 2) + line for line in wrapped[1:]]
    if any(judged.verdict.outcome is Outcome.INVALID or not judged.as_expected for judged in subject.judged):
        lines.append(f"replay: {plain(subject.replay)}")
    lines.append(f"{_tint(subject.status, subject.status, tinted)}.   {report_path}")
    return "\n".join(lines)


def verdicts(every: Sequence[Judged], tinted: bool = False) -> list[str]:
    """A line for each checker, and below those that found a violation its proof."""
    every = compact(every)
    lines = [line for judged in every for line in _verdict(judged, _wide(every), tinted)]
    return lines or ["  nothing was checked"]


def strongest(standing: Standing) -> str | None:
    """The strongest models that hold, where that is news: not when all of them hold, nor when none is decided."""
    if models()[0] in standing.holds or not (standing.holds or standing.fails):
        return None
    open_still = f"; undecided: {', '.join(standing.undecided)}" if standing.undecided else ""
    return (", ".join(standing.strongest) or "none of the models holds") + open_still


def _wide(every: Sequence[Judged]) -> int:
    """The column of the checkers' names."""
    return max(15, 3 + max((len(plain(judged.name)) for judged in every), default=0))


def _verdict(judged: Judged, wide: int, tinted: bool) -> list[str]:
    outcome = judged.verdict.outcome.value
    reason = shorten(headline(judged.verdict) or judged.verdict.reason, REASON).replace("…", "...")
    if not judged.as_expected:
        reason += f" (expected: {judged.expected})"
    head = f"  {plain(judged.name):<{wide}}"
    told = textwrap.wrap(reason, WIDTH - wide - 11, break_on_hyphens=False) or [""]
    lines = [f"{head}{_tint(f'{outcome:<9}', outcome, tinted)}{told[0]}".rstrip()]
    lines += [" " * (wide + 11) + line for line in told[1:]]
    if judged.verdict.outcome is Outcome.INVALID:
        lines += ["      " + _item(item) for item in judged.verdict.witness]
    return lines


def _item(item: Any) -> str:
    return (told(item) if isinstance(item, (Operation, Observation)) else shorten(str(item), ITEM)).replace("…", "...")


def _tint(text: str, word: str, tinted: bool) -> str:
    return f"\x1b[{TINTS[word]}m{text}\x1b[0m" if tinted and word in TINTS else text
