"""One run from Python, for a test or a notebook: what ``aftershock run`` does, without the store and the report.

recording, result = run("partition-leader", "raft/log", seed=7)
assert result.status == "as expected", result.notes
"""

from __future__ import annotations

from os import PathLike, fspath
from typing import NamedTuple

from bench.commands import given
from bench.registry import Registry
from bench.run import Recording, Result, execute, judge, plan


class Run(NamedTuple):
    """What happened (history, observations, trace), and what is to be said of it (verdicts, status, notes)."""

    recording: Recording
    result: Result


def run(scenario: str | PathLike[str], protocol: str | None = None, *, seed: int | None = None) -> Run:
    """Run a scenario once and judge it.

    ``scenario`` is a file or the name of one that is shipped. ``protocol`` is a name, or name/mode; without it, the
    first that the scenario names. ``seed`` is the scenario's own if not given, and 0 if it has none.

    Raises ValueError with all that is wrong, a line each: no such scenario or protocol, a scenario with mistakes, one
    that the protocol cannot be put through.
    """
    registry = Registry.load(given.plugins(()))
    chosen = [] if protocol is None else [protocol]
    case, *others = given.cases([fspath(scenario)], [], chosen, registry)
    if others:
        raise ValueError(f"{fspath(scenario)}: these are {1 + len(others)} scenarios; name one")
    planned = plan(
        case.name, case.scenario, case.columns[0], (case.scenario.seed or 0) if seed is None else seed, registry
    )
    recording = execute(planned, registry)
    return Run(recording, judge(recording, registry))
