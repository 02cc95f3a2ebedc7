"""``aftershock run --seeds``: many seeds of one column, on several processors, told in the order of the seeds.

The workers only run and judge, without a trace, and store nothing. A seed that is not as expected, the first that
broke what may break, and those that have a folder already are run once more here, with a trace, and stored whole. Both
runs must come to the same bytes: that is the promise that everything else rests on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from bench import store
from bench.commands.given import Case
from bench.commands.run import Column, Kept, Settings, keep, replay_line, tally
from bench.registry import Registry
from bench.run import execute, judge, merge, plan
from bench.store import Results
from checkers import Observation, Operation, Outcome
from reports.proof import headline
from reports.words import shorten, told

DRAWN = 5  # failures of a column whose report is drawn at once; `aftershock report` draws the others
SHOWN = 5  # offending seeds of a column on the terminal
PROOF = 20  # items of a witness there
ROWS = "results.jsonl"


class Crew:
    """Where seeds are run: here, or in processes of their own."""

    def __init__(self, workers: int, plugins: tuple[str, ...]) -> None:
        self._workers = workers
        self._plugins = plugins
        self.pool: ProcessPoolExecutor | None = None

    def results(self, case: Case, column: str, seeds: range, registry: Registry) -> Iterator[Results]:
        """What comes of each seed, in their order."""
        if self._workers == 1:
            yield from (_results(case, column, seed, registry) for seed in seeds)
            return
        if self.pool is None:
            spawn = multiprocessing.get_context("spawn")
            self.pool = ProcessPoolExecutor(self._workers, spawn, _enlist, (self._plugins,))
        waiting: deque[Future[Results]] = deque()
        for seed in seeds:
            waiting.append(self.pool.submit(_enlisted, case, column, seed, self._plugins))
            if len(waiting) > 4 * self._workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def crew(settings: Settings, seeds: range, workers: int | None) -> Iterator[Crew]:
    """As many workers as are wanted, as there are processors, and as there is work for."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    formed = Crew(min(workers or processors, len(seeds)), settings.plugins)
    try:
        yield formed
    except BaseException:
        if formed.pool is not None:
            formed.pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
        raise
    if formed.pool is not None:
        formed.pool.shutdown()


def _enlist(plugins: tuple[str, ...]) -> None:
    """Prepare a worker: with its plugins it knows what is sent to it. An interrupt is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _registry(plugins)


@cache
def _registry(plugins: tuple[str, ...]) -> Registry:
    return Registry.load(plugins)


def _enlisted(case: Case, column: str, seed: int, plugins: tuple[str, ...]) -> Results:
    return _results(case, column, seed, _registry(plugins))


def _results(case: Case, column: str, seed: int, registry: Registry) -> Results:
    recording = execute(plan(case.name, case.scenario, column, seed, registry), registry, trace=False)
    return Results.of(recording, judge(recording, registry))


def sweep(case: Case, column: str, seeds: range, settings: Settings, crew: Crew) -> Column:
    """Run every seed; keep a row of each and a folder of those that matter."""
    since = time.perf_counter()
    folder = store.place(settings.out, case.name, column)
    rows: list[Results] = []
    kept: list[Kept] = []
    failures = 0
    breach: Kept | None = None
    try:
        for results in _counted(crew.results(case, column, seeds, settings.registry), case, column, seeds, settings):
            rows.append(results)
            failed = results.status != "as expected"
            breached = breach is None and any(said.outcome is Outcome.INVALID for said in results.verdicts)
            known = folder / str(results.seed)
            failures += failed
            if failed or breached or known.exists():
                draw = breached or (failed and failures <= DRAWN) or (known / store.REPORT).exists()
                again = keep(case, column, results.seed, settings, draw=draw)
                if again.results.encode() != results.encode():
                    raise AssertionError(f"seed {results.seed}: the run with a trace and the one without differ")
                kept.append(again)
                breach = again if breached else breach
    finally:
        if rows:
            folder.mkdir(parents=True, exist_ok=True)
            store.write(folder / ROWS, msgspec.json.Encoder().encode_lines([store.summarised(row) for row in rows]))
    status, unseen = merge([row.result() for row in rows])
    bad = [row for row in rows if row.status != "as expected"]
    notes = (*unseen, *(f"seed {row.seed}: {note}" for row in bad for note in row.notes))
    checkers = tally(rows)
    seconds = time.perf_counter() - since
    lines = [
        f"{case.name}  {column}  seeds {seeds[0]}-{seeds[-1]}     {len(rows):,} runs in {seconds:.1f} s",
        *_table(checkers),
        *_breach(breach, settings),
        *_offenders(bad, folder, settings),
        *(f"  {note}" for note in unseen),
        f"{status}.   {folder / ROWS}",
    ]
    return Column(case.name, column, seeds, status, notes, checkers, tuple(kept), "\n".join(lines))


def _table(checkers: dict[str, dict[str, Any]]) -> Iterator[str]:
    wide = max((len(name) for name in checkers), default=0) + 3
    yield f"  {'':<{wide}}{'valid':>8}{'invalid':>9}{'unknown':>9}   expected"
    for name, row in checkers.items():
        yield f"  {name:<{wide}}{row['valid']:>8,}{row['invalid']:>9,}{row['unknown']:>9,}   {row['expected']}"


def _breach(breach: Kept | None, settings: Settings) -> Iterator[str]:
    """The first seed that broke anything, in words."""
    if breach is None:
        return
    for judged in breach.results.result().judged:
        if judged.verdict.outcome is Outcome.INVALID:
            reason = headline(judged.verdict) or judged.verdict.reason
            yield f"  seed {breach.results.seed} broke {judged.name}: {shorten(reason, 600)}"
            for item in judged.verdict.witness[:PROOF]:
                yield f"      {told(item) if isinstance(item, (Operation, Observation)) else shorten(str(item), 300)}"
    yield f"    {replay_line(breach.folder, settings.named_plugins)}"
    if settings.draw:
        yield f"    {breach.folder / store.REPORT}"


def _offenders(bad: list[Results], folder: Path, settings: Settings) -> Iterator[str]:
    for row in bad[:SHOWN]:
        yield f"  seed {row.seed} is {row.status}: {shorten('; '.join(row.notes), 300)}"
        yield f"    {replay_line(folder / str(row.seed), settings.named_plugins)}"
    if len(bad) > SHOWN:
        yield f"  and {len(bad) - SHOWN:,} more: seeds {shorten(', '.join(str(row.seed) for row in bad[SHOWN:]), 80)}"


def _counted(
    results: Iterator[Results], case: Case, column: str, seeds: range, settings: Settings
) -> Iterator[Results]:
    """The same, with a bar on a terminal that shows how far it is."""
    if settings.quiet or not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{case.name}  {column}", total=len(seeds))
        for each in results:
            yield each
            progress.advance(task)
