"""One run from Python, for a test or a notebook: what ``aftershock run`` does, without the store and the report.

outcome = run("partition-leader", "raft/log", seed=7)
assert outcome, outcome
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path

from aftershock import __version__
from bench.commands import given
from bench.commands.given import Case
from bench.registry import Registry
from bench.run import IN_ORDER, Recording, Result, SeedStatus, execute, judge, plan
from checkers import History, Verdict
from reports.terminal import verdicts


@dataclass(frozen=True, repr=False)
class Run:
    """What happened, what is to be said of it, and what to type to see it again.

    True only if all is as expected; ``str()`` is the whole explanation.
    """

    recording: Recording
    result: Result
    again: str

    @property
    def as_expected(self) -> bool:
        """Whether each promise held, and each breach that every seed must show was shown."""
        return self.result.status in IN_ORDER

    @property
    def status(self) -> SeedStatus:
        """ "as expected", "not as expected", "undecided", or "unbroken": what may break did not on this seed."""
        return self.result.status

    @property
    def history(self) -> History:
        """What the clients saw, and the faults."""
        return self.recording.history

    def verdict(self, checker: str) -> Verdict:
        """What one checker said. Raises KeyError for one that does not apply."""
        for judged in self.result.judged:
            if judged.name == checker:
                return judged.verdict
        raise KeyError(checker)

    def __bool__(self) -> bool:
        return self.as_expected

    def __repr__(self) -> str:
        planned = self.recording.plan
        return f"<Run of {planned.name}, {planned.column}, seed {planned.seed}: {self.status}>"

    def __str__(self) -> str:
        planned = self.recording.plan
        names = tuple(f"{judged.name} is " for judged in self.result.judged)
        return "\n".join(
            [
                f"{planned.name}  {planned.column}  seed {planned.seed}: {self.status}",
                *verdicts(self.result.judged),
                *(f"  {note}" for note in self.result.notes if not note.startswith(names)),
                self.again,
            ]
        )


@dataclass(frozen=True)
class Experiment:
    """One column of a scenario and one seed, ready to be run."""

    case: Case
    column: str
    seed: int
    registry: Registry
    plugins: tuple[str, ...]

    def run(self, *, trace: bool) -> Run:
        """Run and judge it. Raises `bench.run.Unfit` when the protocol cannot be put through it."""
        planned = plan(self.case.name, self.case.scenario, self.column, self.seed, self.registry)
        recording = execute(planned, self.registry, trace=trace)
        words = ["aftershock", "run", self.case.path, "-p", self.column, "--seed", str(self.seed)]
        return Run(recording, judge(recording, self.registry), f"again: {shlex.join(words)}")

    def keep(self, run: Run, out: Path) -> Run:
        """Run it once more, with a trace, and store all of it below a folder."""
        from bench.commands.run import Settings, keep, replay_line

        settings = Settings(
            registry=self.registry,
            plugins=self.plugins,
            named_plugins=(),
            out=out,
            trace=True,
            draw=False,
            quiet=True,
            version=__version__,
            command=tuple(sys.argv),
        )
        kept = keep(self.case, self.column, self.seed, settings)
        draw = shlex.join(["aftershock", "report", str(kept.folder)])
        return replace(run, again=f"kept: {kept.folder}\nreplay: {replay_line(kept.folder, ())}\nreport: {draw}")


def experiments(
    scenario: str, protocols: Sequence[str], seeds: Sequence[int], registry: Registry, plugins: tuple[str, ...]
) -> Iterator[Experiment]:
    """Every column of one scenario, with every seed; without ``protocols``, the columns that the scenario names.

    Raises ValueError with all that is wrong, a line each.
    """
    case, *others = given.cases([scenario], [], protocols, registry)
    if others:
        raise ValueError(f"{scenario}: these are {1 + len(others)} scenarios; name one")
    for column in case.columns:
        for seed in seeds:
            yield Experiment(case, column, seed, registry, plugins)


def run(scenario: str | PathLike[str], protocol: str | None = None, *, seed: int | None = None) -> Run:
    """Run a scenario once and judge it.

    ``scenario`` is a file or the name of one that is shipped. ``protocol`` is a name, or name/mode; without it, the
    first that the scenario names. ``seed`` is the scenario's own if not given, and 0 if it has none.

    Raises ValueError with all that is wrong, a line each: no such scenario or protocol, a scenario with mistakes, one
    that the protocol cannot be put through.
    """
    plugins = given.plugins(())
    chosen = [] if protocol is None else [protocol]
    first = next(experiments(fspath(scenario), chosen, [0 if seed is None else seed], Registry.load(plugins), plugins))
    if seed is None:
        first = replace(first, seed=first.case.scenario.seed or 0)
    return first.run(trace=True)
