"""``aftershock run``: scenarios times columns times seeds; each planned, run, stored, judged, drawn and told."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench import store
from bench.commands import AS_EXPECTED, BAD_INPUT, DIFFERS, UNDECIDED, given, merged, publish
from bench.commands.crew import crew
from bench.commands.given import Case
from bench.commands.publish import Outputs
from bench.registry import Registry
from bench.run import Recording, Result, Status, Unfit, execute, judge, merge, plan
from bench.store import Facts, Results
from reports.ci import Checked, Suite, counted
from reports.subject import Subject
from reports.terminal import summary

CODES: dict[Status, int] = {"as expected": AS_EXPECTED, "not as expected": DIFFERS, "undecided": UNDECIDED}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to run, whatever is run."""

    registry: Registry
    plugins: tuple[str, ...]  # of the command line and the project, as absolute paths
    named_plugins: tuple[str, ...]  # of the command line, as written there
    out: Path
    trace: bool
    draw: bool
    quiet: bool
    version: str
    command: tuple[str, ...]


class Stored(msgspec.Struct, frozen=True):
    """A run that has a folder."""

    folder: Path
    results: Results


class Kept(Stored, frozen=True):
    """A run that was stored just now. ``seconds`` is how long the simulation itself took."""

    subject: Subject
    seconds: float


class Column(msgspec.Struct, frozen=True):
    """One scenario under one protocol and mode, with all of its seeds. ``kept`` are those that have a folder."""

    scenario: str
    column: str
    seeds: range
    status: Status
    notes: tuple[str, ...]
    checkers: dict[str, dict[str, Any]]
    kept: tuple[Stored, ...]
    text: str
    path: str
    tests: tuple[Checked, ...]

    def suite(self) -> Suite:
        """For build servers."""
        first, last = self.seeds[0], self.seeds[-1]
        return Suite(
            scenario=self.scenario,
            column=self.column,
            seeds=str(first) if first == last else f"{first}-{last}",
            file=publish.repository_path(self.path) or self.path,
            tests=self.tests,
        )

    def json(self) -> dict[str, Any]:
        protocol, _, mode = self.column.partition("/")
        return {
            "scenario": self.scenario,
            "protocol": protocol,
            "mode": mode,
            "seeds": [self.seeds[0], self.seeds[-1]],
            "status": self.status,
            "notes": self.notes,
            "checkers": self.checkers,
            "runs": [{"folder": str(kept.folder), **msgspec.to_builtins(kept.results)} for kept in self.kept],
        }


def run(
    words: Sequence[str],
    *,
    columns: Sequence[str],
    seed: int | None,
    seeds: range | None,
    workers: int | None,
    scheduler: str | None,
    overrides: Sequence[str],
    fail_fast: bool,
    settings: Settings,
    outputs: Outputs,
) -> int:
    """Run everything, print what came of it, and return the exit code."""
    from bench.commands import sweep

    todo = given.cases(words, overrides, columns, settings.registry)
    for case in todo:
        store.place(settings.out, case.name, case.columns[0])
    store.writable(settings.out)
    outputs.writable()
    codes: list[int] = []
    done: list[Column] = []
    pairs = [(case, column) for case in todo for column in case.columns]
    with crew(settings.registry, settings.plugins, workers, len(seeds or range(1)), scheduler) as hands:
        for case, column in pairs:
            try:
                with _telling(case, column):
                    if seeds is None:
                        finished = once(case, column, seed, settings)
                    else:
                        finished = sweep.sweep(case, column, seeds, settings, hands, fail_fast=fail_fast)
            except Unfit as unfit:
                print(f"{case.path}: {column}: {unfit}", file=sys.stderr)
                codes.append(BAD_INPUT)
                continue
            codes.append(CODES[finished.status])
            done.append(finished)
            if not outputs.as_json and not (settings.quiet and finished.status == "as expected"):
                print(finished.text, end="\n\n" if len(pairs) > 1 else "\n", flush=True)
            if fail_fast and finished.status != "as expected":
                break
    code = merged(codes)
    suites = [each.suite() for each in done]
    document = {"exit": code, "columns": [each.json() for each in done]}
    outputs.publish(suites, title="aftershock run", text="", conclusion=f"{counted(suites)}.", document=document)
    return code


def once(case: Case, column: str, seed: int | None, settings: Settings) -> Column:
    """One seed: the run has a folder, whatever came of it."""
    if seed is None:
        seed = case.scenario.seed or 0
    kept = keep(case, column, seed, settings)
    status, _ = merge([kept.results.result()])
    notes = kept.subject.notes
    return Column(
        scenario=case.name,
        column=column,
        seeds=range(seed, seed + 1),
        status=status,
        notes=notes,
        checkers=tally([kept.results]),
        kept=(kept,),
        text=told(msgspec.structs.replace(kept.subject, status=status), kept.folder, kept.seconds, notes),
        path=case.path,
        tests=publish.tested([kept.results], {seed: replay_line(kept.folder, settings.named_plugins)}),
    )


def keep(case: Case, column: str, seed: int, settings: Settings, *, draw: bool = True) -> Kept:
    """Run one plan and leave all of it in the store, each step before the next begins."""
    began = datetime.now(UTC).isoformat(timespec="seconds")
    clock = Clock()
    planned = plan(case.name, case.scenario, column, seed, settings.registry)
    clock.lap("plan")
    recording = execute(planned, settings.registry, trace=settings.trace)
    clock.lap("run")
    folder = store.save_recording(settings.out, recording, settings.registry)
    clock.lap("store")
    result = judge(recording, settings.registry)
    results = Results.of(recording, result)
    store.save_results(folder, results)
    clock.lap("judge")
    subject = subject_of(recording, result, replay_line(folder, settings.named_plugins))
    if draw and settings.draw:
        from reports import page

        with store.writing(folder):
            page.write(subject, folder)
        clock.lap("report")
    store.save_facts(
        folder,
        Facts(
            aftershock=settings.version,
            python=platform.python_version(),
            platform=platform.platform(),
            command=settings.command,
            started=began,
            seconds=clock.laps,
        ),
    )
    store.point_latest(settings.out, folder)
    return Kept(folder, results, subject, clock.laps["run"])


class Clock:
    """Wall-clock seconds of each phase."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, phase: str) -> None:
        now = time.perf_counter()
        self.laps[phase] = round(now - self._since, 3)
        self._since = now


def subject_of(recording: Recording, result: Result, replay: str) -> Subject:
    """A run as its report wants it."""
    scenario = recording.plan.scenario
    return Subject(
        scenario=recording.plan.name,
        why=scenario.why,
        protocol=recording.plan.column,
        seed=recording.plan.seed,
        nodes=scenario.cluster.ids,
        duration=scenario.duration * 1000,
        heal=scenario.heals_at * 1000,
        history=recording.history,
        observations=recording.observations,
        judged=result.judged,
        standing=result.standing,
        counters=dict(recording.counters),
        status=result.status,
        notes=(*result.notes, *merge([result])[1]),
        replay=replay,
    )


def replay_line(folder: Path, plugins: Sequence[str]) -> str:
    """What to type to run it again."""
    shown = os.path.join(os.curdir, folder) if str(folder).startswith("-") else str(folder)
    return shlex.join(["aftershock", "replay", shown, *(word for file in plugins for word in ("--plugin", file))])


def told(subject: Subject, folder: Path, seconds: float, notes: Sequence[str]) -> str:
    """A run on the terminal: the table, then why it is not as expected where the table does not say so."""
    page = folder / store.REPORT
    table, _, last = summary(subject, page if page.exists() else folder, seconds).rpartition("\n")
    names = tuple(f"{judged.name} is " for judged in subject.judged)
    return "\n".join([table, *(f"  {note}" for note in notes if not note.startswith(names)), last])


def tally(rows: Sequence[Results]) -> dict[str, dict[str, Any]]:
    """How often each checker said what, and what was expected of it."""
    table: dict[str, dict[str, Any]] = {}
    for results in rows:
        for said in results.verdicts:
            row = table.setdefault(said.checker, {"expected": said.expected, "valid": 0, "invalid": 0, "unknown": 0})
            row[str(said.outcome)] += 1
    return table


@contextmanager
def _telling(case: Case, column: str) -> Iterator[None]:
    """A failure of ours says what it was about."""
    try:
        yield
    except Exception as error:
        error.add_note(f"while running {case.path} with {column}")
        raise
