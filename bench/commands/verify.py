"""``aftershock verify``: everything that a manifest names is run, and compared with what was promised and recorded.

Two questions are asked of every column. Is it as expected: does each promise hold, and is each breach that must be seen
still seen? And is it as recorded in ``guarantees.lock``: the same verdicts and strongest models, recovery and cost
within the tolerances?
A promise that is broken and was recorded so, on purpose, is no news.

Results are kept as they come, in one ledger beside the runs, until all are told: the same command takes up what was
interrupted. A verification that is complete leaves none of its own behind, for the next one is to run everything.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import msgspec

from bench import baseline, ledger, store
from bench.baseline import Baseline, Change, Columns, Entry
from bench.commands import AS_EXPECTED, DIFFERS, UNDECIDED, BadUsage, given, merged, publish
from bench.commands.crew import Job, crew
from bench.commands.given import Case
from bench.commands.publish import Outputs
from bench.commands.run import Settings, keep, replay_line
from bench.registry import Registry
from bench.run import Unfit, plan
from bench.store import Results
from reports.ci import Checked, Suite
from reports.proof import headline
from reports.words import plural, shorten
from scenarios import manifest
from scenarios.manifest import Limits, Manifest, Profile, Seeds
from scenarios.problems import BadScenario, Problem
from scenarios.units import Misread, nearest, quoted

UNFINISHED = "verify.sqlite"
_MANIFEST = Path("guarantees.toml")  # unless another one is named
DRAWN = 5  # broken columns whose first failing seed is stored and drawn

Standing = Literal["as recorded", "changed", "not as expected", "undecided", "not recorded"]
CODES: dict[Standing, int] = {
    "as recorded": AS_EXPECTED,
    "changed": DIFFERS,
    "not as expected": DIFFERS,
    "undecided": UNDECIDED,
    "not recorded": UNDECIDED,
}


class Work(msgspec.Struct, frozen=True):
    """One column that is to be run, and what may not be exceeded."""

    case: Case
    column: str
    seeds: Seeds
    limits: Limits

    @property
    def name(self) -> str:
        """As in the store, and as --accept wants it."""
        return f"{self.case.name}/{self.column}"


class Proof(msgspec.Struct, frozen=True):
    """The first seed that a column fails on, in words and as a folder."""

    seed: int
    reason: str
    folder: str
    replay: str


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """One column that was run: what it came to, how that stands, and why."""

    work: Work
    entry: Entry
    standing: Standing
    wrong: tuple[Checked, ...]  # by checker
    changes: tuple[Change, ...]  # since it was recorded
    exceeded: tuple[Change, ...]  # limits of the manifest
    fresh: bool  # there is no record of it
    accepted: bool  # as recorded, but recorded as not as expected
    proof: Proof | None

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(each.message for each in self.wrong if each.outcome != "passed")

    def lines(self) -> Iterator[str]:
        """Why it stands as it does, a line for each reason."""
        if not self.accepted:
            yield from self.reasons
        if self.proof is not None:
            yield f"  seed {self.proof.seed}: {self.proof.reason}"
            yield f"  {self.proof.replay}"
        for change in (*self.exceeded, *(() if self.fresh else self.changes)):
            yield f"{'better: ' if change.weight == 'better' else ''}{change.what}"

    def json(self) -> dict[str, Any]:
        protocol, _, mode = self.work.column.partition("/")
        return {
            "scenario": self.work.case.name,
            "protocol": protocol,
            "mode": mode,
            "standing": self.standing,
            "accepted": self.accepted,
            "reasons": self.reasons,
            "exceeded": msgspec.to_builtins(self.exceeded),
            "changes": msgspec.to_builtins(self.changes),
            "proof": msgspec.to_builtins(self.proof),
            "seeds": [self.entry.seeds.first, self.entry.seeds.last],
            "status": self.entry.status,
            "verdicts": self.entry.verdicts,
            "strongest": self.entry.strongest,
            "recovery_us": self.entry.recovery,
            "recovery_worst_us": self.entry.recovery_worst,
            "messages": self.entry.messages,
            "events": self.entry.events,
        }

    def suite(self, path: Path) -> Suite:
        """For build servers; what is not below the working directory stands in the manifest at ``path`` for them."""
        tests = [
            msgspec.structs.replace(each, outcome="accepted") if self.accepted and each.outcome == "failed" else each
            for each in self.wrong
        ]
        tests += [_compared("baseline", self.changes), _compared("limits", self.exceeded)]
        return Suite(
            scenario=self.work.case.name,
            column=self.work.column,
            seeds=str(self.entry.seeds),
            file=publish.repository_path(self.work.case.path) or publish.repository_path(path) or str(path),
            tests=tuple(tests),
        )


def _compared(name: str, changes: Sequence[Change]) -> Checked:
    """A test that fails when anything is worse."""
    worse = [change.what for change in changes if change.weight == "worse"]
    unknown = [change.what for change in changes if change.weight == "unknown"]
    told = [*worse, *unknown]
    return Checked(name, "failed" if worse else "undecided" if unknown else "passed", "; ".join(told), "\n".join(told))


# ------------------------------------------------------------------------------------------------------- what is to run


def read(path: Path, profile: Profile, registry: Registry) -> tuple[Manifest, list[Work]]:
    """A manifest and the columns that it names, in its order. Raises `BadScenario` or `BadUsage`, a line each."""

    def find(word: str) -> Sequence[Path]:
        try:
            return given.files(word, (path.parent,))
        except BadUsage as error:
            raise Misread(str(error)) from None

    read = manifest.load(path, registry.kinds(), find)
    work: dict[str, Work] = {}
    homes: dict[str, str] = {}
    problems: list[Problem] = []
    wrong: list[str] = []
    for guarantee in read.guarantees:
        try:
            cases = given.cases(guarantee.scenarios, [], guarantee.protocols, registry)
        except BadScenario as bad:
            problems += bad.problems
            continue
        for case in cases:
            home = homes.setdefault(case.name, os.path.realpath(case.path))
            if home != os.path.realpath(case.path):
                wrong.append(f"{path}: {case.path} and {home} have one name, and so one place in the baseline")
            store.place(Path(), case.name, case.columns[0])
            for column in case.columns:
                each = Work(case, column, guarantee.seeds_of(profile), guarantee.at_most)
                if each.name in work:
                    wrong.append(f"{path}: {each.name} is guaranteed twice")
                work[each.name] = each
                try:
                    plan(case.name, case.scenario, column, each.seeds.first, registry)
                except Unfit as unfit:
                    wrong.append(f"{case.path}: {column}: {unfit}")
    if problems:
        raise BadScenario(dict.fromkeys(problems))
    if wrong:
        raise BadUsage("\n".join(dict.fromkeys(wrong)))
    return read, list(work.values())


# ------------------------------------------------------------------------------------------------------------ the whole


def verify(
    path: Path,
    *,
    profile: Profile,
    workers: int | None,
    scheduler: str | None,
    update: bool,
    accept: Sequence[str],
    settings: Settings,
    outputs: Outputs,
) -> int:
    """Run everything, print what came of it, and return the exit code."""
    since = time.perf_counter()
    read_manifest, todo = read(path, profile, settings.registry)
    lock = path.with_suffix(".lock")
    _acceptable(accept, todo, update)
    before = baseline.load(lock) or Baseline()
    store.writable(settings.out)
    outputs.writable()
    keys = {work.name: _key(work, path, profile, settings) for work in todo}
    rows, known = _rows(todo, keys, workers, scheduler, settings)
    drawn = iter(range(DRAWN))
    done = [_verified(work, rows[work.name], before.of(profile), read_manifest, settings, drawn) for work in todo]
    names = {(work.case.name, work.column) for work in todo}
    gone = sorted(f"{scenario}/{column}" for scenario, column in before.of(profile) if (scenario, column) not in names)
    runs = sum(len(each.entry.seeds.range()) for each in done)
    size = f"{plural(len(done), 'column')}, {plural(runs, 'run')}"
    resumed = f", {known:,} of them known from before it was interrupted" if known else ""
    lines = [
        f"{path}  {profile}     {size} in {time.perf_counter() - since:.1f} s{resumed}",
        *_table(done, quiet=settings.quiet),
    ]
    again = _again(path, profile, settings.named_plugins)
    if update:
        now: Columns = {(each.work.case.name, each.work.column): each.entry for each in done}
        code, told = _update(lock, before.recorded(profile, now), done, gone, accept, again)
    else:
        code, told = _conclude(lock, done, gone, again)
    with ledger.opened(settings.out, "", UNFINISHED) as book:
        for key in keys.values():
            book.of(key).forget()
    lines += told
    suites = [each.suite(path) for each in done]
    document = {
        "exit": code,
        "manifest": str(path),
        "profile": profile,
        "columns": [each.json() for each in done],
        "gone": gone,
    }
    outputs.publish(
        suites, title=f"{path} ({profile}): {size}", text="\n".join(lines), conclusion=" ".join(told), document=document
    )
    return code


def _key(work: Work, path: Path, profile: Profile, settings: Settings) -> str:
    """Whose rows they are in the ledger: no other manifest's, profile's or scenario's, be it of equal content."""
    purpose = f"{path.resolve()} {profile} {work.case.name}"
    return ledger.digest(work.case.scenario, work.column, settings.registry, settings.plugins, purpose=purpose)


def _rows(
    todo: Sequence[Work], keys: Mapping[str, str], workers: int | None, scheduler: str | None, settings: Settings
) -> tuple[dict[str, list[Results]], int]:
    """What every seed of every column came to, by column and in the order of the seeds; and how many were known."""
    with ledger.opened(settings.out, "", UNFINISHED) as book:
        books = {name: book.of(key) for name, key in keys.items()}
        known = {name: each.seeds() for name, each in books.items()}
        rows = {
            work.name: [books[work.name].read(seed) for seed in work.seeds.range() if seed in known[work.name]]
            for work in todo
        }
        before = sum(map(len, rows.values()))
        jobs = [
            Job(work.case, work.column, seed)
            for work in todo
            for seed in work.seeds.range()
            if seed not in known[work.name]
        ]
        with (
            crew(settings.registry, settings.plugins, workers, len(jobs), scheduler) as hands,
            closing(hands.results(jobs)) as fresh,
            publish.progress("verify", before + len(jobs), quiet=settings.quiet, known=before) as advance,
        ):
            for job, results in fresh:
                name = f"{job.case.name}/{job.column}"
                books[name].write(results)
                rows[name].append(results)
                advance()
    for each in rows.values():
        each.sort(key=lambda results: results.seed)
    return rows, before


def _verified(
    work: Work, rows: list[Results], recorded: Columns, read: Manifest, settings: Settings, drawn: Iterator[int]
) -> Verified:
    entry = Entry.of(rows)
    before = recorded.get((work.case.name, work.column))
    expected = {said.checker: said.expected for said in rows[0].verdicts}
    if before is None:
        changes = [Change("unknown", "baseline", "there is no record to compare with")]
    else:
        changes = baseline.compare(before, entry, read.tolerance, expected)
    exceeded = baseline.exceeded(entry, work.limits)
    known = before is not None and (before.seeds, before.verdicts, before.status) == (
        entry.seeds,
        entry.verdicts,
        entry.status,
    )
    accepted = known and entry.status == "not as expected"
    standing: Standing
    if entry.status == "not as expected" and not accepted:
        standing = "not as expected"
    elif exceeded or any(change.weight == "worse" for change in changes):
        standing = "changed"
    elif before is None and entry.status == "as expected":
        standing = "not recorded"
    elif entry.status == "undecided" or any(change.weight == "unknown" for change in changes):
        standing = "undecided"
    else:
        standing = "as recorded"
    proof = None
    if standing == "not as expected" and next(drawn, None) is not None:
        proof = _proof(work, rows, settings)
    return Verified(
        work=work,
        entry=entry,
        standing=standing,
        wrong=publish.tested(rows, {} if proof is None else {proof.seed: proof.replay}),
        changes=tuple(changes),
        exceeded=tuple(exceeded),
        fresh=before is None,
        accepted=accepted,
        proof=proof,
    )


def _proof(work: Work, rows: Sequence[Results], settings: Settings) -> Proof | None:
    """The first seed that is not as expected, run again with a trace and stored."""
    failing = next((row for row in rows if row.status == "not as expected"), None)
    if failing is None:
        return None  # a breach that no seed shows has no seed to blame
    kept = keep(work.case, work.column, failing.seed, settings)
    if kept.results.encode() != failing.encode():
        raise AssertionError(f"{work.name} seed {failing.seed}: the run with a trace and the one without differ")
    wrong = next(each for each in kept.results.result().judged if not each.as_expected)
    reason = shorten(headline(wrong.verdict) or wrong.verdict.reason, 600)
    return Proof(failing.seed, reason, str(kept.folder), replay_line(kept.folder, settings.named_plugins))


# ------------------------------------------------------------------------------------------------------------- in words


def _table(done: Sequence[Verified], *, quiet: bool) -> Iterator[str]:
    wide = max((len(each.work.case.name) for each in done), default=0) + 2
    wide_too = max((len(each.work.column) for each in done), default=0) + 2
    for each in done:
        if quiet and each.standing == "as recorded":
            continue
        standing = "not as expected, as recorded" if each.accepted and each.standing == "as recorded" else each.standing
        yield f"  {each.work.case.name:<{wide}}{each.work.column:<{wide_too}}{standing}"
        yield from (f"      {line}" for line in each.lines())


def _again(path: Path, profile: Profile, plugins: Sequence[str]) -> str:
    """The command that verifies the same things, and records them."""
    words = ["aftershock", "verify"]
    if path != _MANIFEST:
        words.append(str(path))
    if profile != "full":
        words += ["--profile", profile]
    for plugin in plugins:
        words += ["--plugin", plugin]
    return shlex.join([*words, "--update"])


def _conclude(lock: Path, done: Sequence[Verified], gone: Sequence[str], again: str) -> tuple[int, list[str]]:
    told = [f"  {name} is recorded in {lock}, and not run any more" for name in gone]
    code = merged([*(CODES[each.standing] for each in done), DIFFERS if gone else AS_EXPECTED])
    counts = {standing: sum(each.standing == standing for each in done) for standing in CODES}
    told.append(", ".join(f"{count:,} {standing}" for standing, count in counts.items() if count) + ".")
    if gone or counts["changed"] or counts["not recorded"] or any(each.changes for each in done):
        told.append(f"What is meant to be so is recorded by: {again}")
    return code, told


def _update(
    lock: Path, new: Baseline, done: Sequence[Verified], gone: Sequence[str], accept: Sequence[str], again: str
) -> tuple[int, list[str]]:
    """Write the baseline, unless that would bury a broken promise."""
    refused = [each for each in done if each.standing == "not as expected" and not _accepts(accept, each.work)]
    if refused:
        told = [f"{lock} is left as it was: it would record a broken promise. If that is meant:"]
        told += [f"  {again} --accept {shlex.quote(each.work.name)}" for each in refused]
        return DIFFERS, told
    baseline.save(lock, new)
    fresh = [each for each in done if each.fresh]
    changed = [each for each in done if each.changes and not each.fresh]
    told = [f"  no longer: {name}" for name in gone]
    told += [f"  accepted: {each.work.name}" for each in done if each.standing == "not as expected"]
    summary = f"{plural(len(fresh), 'column')} new, {len(changed):,} changed, {len(gone):,} gone"
    told.append(f"{lock} is written: {summary}.")
    told += [f"  beyond its limit all the same: {each.work.name}" for each in done if each.exceeded]
    codes = [
        DIFFERS if each.exceeded else UNDECIDED if each.entry.status == "undecided" else AS_EXPECTED for each in done
    ]
    return merged(codes), told


def _accepts(accept: Sequence[str], work: Work) -> bool:
    return work.name in accept or work.case.name in accept


def _acceptable(accept: Sequence[str], todo: Iterable[Work], update: bool) -> None:
    """Refuse to accept what does not exist. Raises `BadUsage`."""
    if accept and not update:
        raise BadUsage("--accept says what --update may record; without it there is nothing to accept")
    known = list(dict.fromkeys(name for work in todo for name in (work.name, work.case.name)))
    wrong = []
    for name in accept:
        if name not in known:
            meant = nearest(name, known)
            hint = f"; did you mean {quoted(meant)}?" if meant else ""
            wrong.append(f"--accept {name}: the manifest has no such column{hint}")
    if wrong:
        raise BadUsage("\n".join(wrong))
