"""``aftershock run --seeds``: many seeds of one column, on several processors, told in the order of the seeds.

The workers only run and judge, without a trace, and store nothing; what they come to is kept in a ledger, from which an
interrupted sweep is taken up again. A seed that is not as expected, the first that broke what may break, and those that
have a folder already are run once more here, with a trace, and stored whole. Both runs must come to the same bytes:
that is the promise that everything else rests on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from bench import ledger, store
from bench.baseline import everywhere
from bench.commands import publish
from bench.commands.crew import Crew, Job
from bench.commands.given import Case
from bench.commands.run import Column, Settings, Stored, keep, replay_line, tally
from bench.ledger import Ledger
from bench.run import IN_ORDER, merge, plan
from bench.store import Results
from checkers import Observation, Operation, Outcome, invariants
from checkers.lattice import models
from reports.proof import headline
from reports.words import shorten, told

DRAWN = 5  # failures of a column whose report is drawn at once; `aftershock report` draws the others
SHOWN = 5  # offending seeds of a column on the terminal
PROOF = 20  # items of a witness there
ROWS = "results.jsonl"


def sweep(case: Case, column: str, seeds: range, settings: Settings, crew: Crew, *, fail_fast: bool = False) -> Column:
    """Run every seed that has no result yet; keep a row of each and a folder of those that matter.

    With ``fail_fast`` the first seed that is not as expected, in the order of the seeds, is the last.
    """
    since = time.perf_counter()
    folder = store.place(settings.out, case.name, column)
    rows: list[Results] = []
    kept: list[Stored] = []
    failures = 0
    breach: Stored | None = None
    plan(case.name, case.scenario, column, seeds[0], settings.registry)  # what cannot be run leaves nothing behind
    digest = ledger.digest(case.scenario, column, settings.registry, settings.plugins)
    with ledger.opened(folder, digest) as book:
        known = frozenset(seed for seed in book.seeds() if seed in seeds)
        try:
            for results in _in_order(case, column, seeds, known, book, crew, settings):
                rows.append(results)
                failed = results.status not in IN_ORDER
                breached = breach is None and any(said.outcome is Outcome.INVALID for said in results.verdicts)
                there = folder / str(results.seed)
                failures += failed
                if failed or breached or there.exists():
                    draw = breached or (failed and failures <= DRAWN) or (there / store.REPORT).exists()
                    again = _keep(case, column, results, settings, draw=draw, resumed=results.seed in known)
                    kept.append(again)
                    breach = again if breached else breach
                if failed and fail_fast:
                    break
        finally:
            if rows:
                store.write(folder / ROWS, msgspec.json.Encoder().encode_lines([store.summarised(row) for row in rows]))
    status, unseen = merge([row.result() for row in rows])
    if len(rows) < len(seeds):
        unseen = (f"stopped at the first failure, after {len(rows):,} of {len(seeds):,} seeds",)
    bad = [row for row in rows if row.status not in IN_ORDER]
    notes = (*unseen, *(f"seed {row.seed}: {note}" for row in bad for note in row.notes))
    checkers = tally(rows)
    seconds = time.perf_counter() - since
    before = sum(row.seed in known for row in rows)
    resumed = f", {before:,} of them known from before" if before else ""
    lines = [
        f"{case.name}  {column}  seeds {seeds[0]}-{seeds[-1]}     {len(rows):,} runs in {seconds:.1f} s{resumed}",
        *_table(checkers),
        *_strongest(rows),
        *_breach(breach, settings),
        *_offenders(bad, folder, settings),
        *(f"  {note}" for note in unseen),
        f"{status}.   {folder / ROWS}",
    ]
    replays = {each.results.seed: replay_line(each.folder, settings.named_plugins) for each in kept}
    return Column(
        scenario=case.name,
        column=column,
        seeds=range(seeds[0], rows[-1].seed + 1),
        status=status,
        notes=notes,
        checkers=checkers,
        kept=tuple(kept),
        text="\n".join(lines),
        path=case.path,
        tests=publish.tested(rows, replays),
    )


def _in_order(
    case: Case, column: str, seeds: range, known: frozenset[int], book: Ledger, crew: Crew, settings: Settings
) -> Iterator[Results]:
    """The result of every seed, in their order; each is in the ledger as soon as it is there."""
    early: dict[int, Results] = {}
    fresh = crew.results(Job(case, column, seed) for seed in seeds if seed not in known)
    with (
        closing(fresh),
        publish.progress(f"{case.name}  {column}", len(seeds), quiet=settings.quiet, known=len(known)) as advance,
    ):
        for seed in seeds:
            while seed not in known and seed not in early:
                job, results = next(fresh)
                book.write(results)
                early[job.seed] = results
                advance()
            yield book.read(seed) if seed in known else early.pop(seed)


def _keep(case: Case, column: str, results: Results, settings: Settings, *, draw: bool, resumed: bool) -> Stored:
    """Run a seed once more and store all of it, unless the sweep that is taken up has done so."""
    folder = store.place(settings.out, case.name, column) / str(results.seed)
    if resumed and _stored(folder, results) and (not draw or not settings.draw or (folder / store.REPORT).exists()):
        return Stored(folder, results)
    again = keep(case, column, results.seed, settings, draw=draw)
    if again.results.encode() != results.encode():
        raise AssertionError(f"seed {results.seed}: the run with a trace and the one without differ")
    return Stored(again.folder, results)


def _stored(folder: Path, results: Results) -> bool:
    """Whether a folder holds all of this run; ``run.json`` is written last."""
    return (folder / store.FACTS).exists() and store.content(folder / store.RESULTS) == results.encode()


def _table(checkers: dict[str, dict[str, Any]]) -> Iterator[str]:
    checkers = _compact(checkers)
    wide = max((len(name) for name in checkers), default=0) + 3
    yield f"  {'':<{wide}}{'valid':>8}{'invalid':>9}{'unknown':>9}   expected"
    for name, row in checkers.items():
        yield f"  {name:<{wide}}{row['valid']:>8,}{row['invalid']:>9,}{row['unknown']:>9,}   {row['expected']}"


def _strongest(rows: list[Results]) -> Iterator[str]:
    """What holds on every seed, where that is news."""
    found = everywhere(rows)
    if found != models()[:1]:
        yield f"  strongest on every seed: {', '.join(found) or 'none'}"


def _compact(checkers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows of a table, where the invariants that held everywhere share one."""
    calm = [
        name
        for name, row in checkers.items()
        if name in invariants.SINGLE and row["expected"] != "invalid" and not row["invalid"] and not row["unknown"]
    ]
    if len(calm) < 2:
        return checkers
    return {
        f"{len(calm)} invariants" if name == calm[0] else name: row
        for name, row in checkers.items()
        if name not in calm[1:]
    }


def _breach(breach: Stored | None, settings: Settings) -> Iterator[str]:
    """The first seed that broke anything, in words."""
    if breach is None:
        return
    for judged in breach.results.result().judged:
        if judged.verdict.outcome is Outcome.INVALID and judged.name != invariants.NAME:
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
