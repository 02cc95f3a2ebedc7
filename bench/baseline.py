"""``guarantees.lock``: what the runs of a manifest came to when that was last recorded, and what has changed since.

Runs are functions of their plans, so verdicts are compared exactly: one breach more or fewer on the same seeds means
that something behaves differently, be it the protocol or what judges it. So are the strongest consistency models that
hold on every seed: weaker ones are a regression. Recovery and cost may drift within the manifest's tolerances. The file
holds no time, no version and no path, so that it changes only when behaviour does.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, assert_never

import msgspec
from msgspec import Meta

from bench import store
from bench.run import Status, merge
from bench.store import Results
from checkers import Outcome, progress
from checkers.lattice import maximal, weaker
from scenarios.manifest import Limits, Profile, Seeds, Tolerance
from scenarios.problems import BadScenario, Problem
from scenarios.schema import Expectation
from scenarios.source import Key, lines_of, parse, read_text
from scenarios.tables import MISSING, Tables
from scenarios.units import Duration

FORMAT = 1
SLACK = 1_000
"""Microseconds by which recovery may always drift: below that, a share of next to nothing says nothing."""

Said = Literal["valid", "invalid", "unknown"]
SAID: tuple[Said, ...] = ("valid", "invalid", "unknown")
Counts = dict[Said, Annotated[int, Meta(ge=1)]]
Weight = Literal["worse", "unknown", "better"]


class Change(msgspec.Struct, frozen=True):
    """One difference, in words: worse than it was, better, or nothing that can be compared."""

    weight: Weight
    about: str  # a checker, or "strongest", "recovery", "messages", "events", "seeds"
    what: str


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """What one column of one scenario came to, over all of its seeds."""

    seeds: Seeds
    status: Status
    verdicts: dict[str, Counts]
    strongest: tuple[str, ...] | None = None  # models that held on every seed; None where that was not recorded
    recovery: Duration | None = None  # the mean over the seeds on which clients were served again
    recovery_worst: Duration | None = None
    messages: Annotated[float, Meta(ge=0)] | None = None  # for each operation that completed
    events: Annotated[float, Meta(ge=0)] | None = None

    @classmethod
    def of(cls, rows: Sequence[Results]) -> Entry:
        """Sums up the results of consecutive seeds."""
        status, _ = merge([row.result() for row in rows])
        verdicts: dict[str, Counter[str]] = {}
        recoveries: list[int] = []
        for row in rows:
            for said in row.verdicts:
                verdicts.setdefault(said.checker, Counter())[str(said.outcome)] += 1
                if said.checker == progress.NAME and (after := said.details.get("recovered_after_ns")) is not None:
                    recoveries.append(after // 1000)
        done = sum(row.counters.get("ok", 0) for row in rows)
        plain: dict[str, Any] = {name: dict(counts) for name, counts in verdicts.items()}
        return cls(
            seeds=Seeds(rows[0].seed, rows[-1].seed),
            status=status,
            verdicts=plain,
            strongest=everywhere(rows),
            recovery=Duration(sum(recoveries) // len(recoveries)) if recoveries else None,
            recovery_worst=Duration(max(recoveries)) if recoveries else None,
            messages=_each(sum(row.counters.get("packets", 0) for row in rows), done),
            events=_each(sum(row.counters.get("events", 0) for row in rows), done),
        )


def everywhere(rows: Sequence[Results]) -> tuple[str, ...]:
    """The strongest models that hold on every seed: with them hold all that they imply, and no others."""
    holds = [{stood.model for stood in row.standing if stood.outcome is Outcome.VALID} for row in rows]
    return maximal(set.intersection(*holds)) if holds else ()


def _each(total: int, operations: int) -> float | None:
    return float(round(Fraction(total, operations), 2)) if operations else None


Columns = Mapping[tuple[str, str], Entry]
"""By scenario and column: ("partition-leader", "raft/log")."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded, by profile."""

    quick: Columns = {}
    full: Columns = {}

    def of(self, profile: Profile) -> Columns:
        return self.quick if profile == "quick" else self.full

    def recorded(self, profile: Profile, columns: Columns) -> Baseline:
        """This baseline with one profile's columns replaced."""
        return msgspec.structs.replace(self, **{profile: dict(columns)})


# -------------------------------------------------------------------------------------------------------------- on disk


class _Lock(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """The tables of the file."""

    format: Annotated[int, Meta(ge=FORMAT, le=FORMAT)]
    quick: dict[str, dict[str, Entry]] = {}
    full: dict[str, dict[str, Entry]] = {}


def load(path: Path) -> Baseline | None:
    """What a file holds; None when there is no such file. Raises `BadScenario` with a line for each that is wrong."""
    if not os.path.lexists(path):
        return None
    source = str(path)
    way_out = Problem(source, 0, "", "take it from version control, or remove it and record it again with --update")
    try:
        tree, text, problems = parse(read_text(path), source)
    except BadScenario as bad:
        raise BadScenario([*bad.problems, way_out]) from None
    tables = Tables()
    lock = tables.struct(_Lock, tree, (), "a baseline")
    if problems or tables.findings or lock is MISSING:
        lines = lines_of(text)
        problems += [
            Problem(source, _line(finding.key, lines), ".".join(map(str, finding.key)), finding.what, finding.hint)
            for finding in tables.findings
        ]
        raise BadScenario([*problems, way_out])
    return Baseline(quick=_flat(lock.quick), full=_flat(lock.full))


def _line(key: Key, lines: Mapping[Key, int]) -> int:
    return next((lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in lines), 0)


def _flat(table: dict[str, dict[str, Entry]]) -> Columns:
    return {(scenario, column): entry for scenario, columns in table.items() for column, entry in columns.items()}


def save(path: Path, baseline: Baseline) -> None:
    """Write a baseline, whole or not at all. Raises `BadRun` when that cannot be done."""
    store.write(path, dumps(baseline).encode())


def dumps(baseline: Baseline) -> str:
    """A baseline as TOML, sorted."""
    lines = [
        "# What `aftershock verify` compares with. Written by `aftershock verify --update`; commit it.",
        f"format = {FORMAT}",
    ]
    profiles: tuple[Profile, ...] = ("quick", "full")
    for profile in profiles:
        for (scenario, column), entry in sorted(baseline.of(profile).items()):
            lines += ["", f"[{profile}.{_key(scenario)}.{_key(column)}]", *_written(entry)]
    return "\n".join(lines) + "\n"


def _written(entry: Entry) -> Iterator[str]:
    yield f'seeds    = "{entry.seeds}"'
    yield f'status   = "{entry.status}"'
    if entry.strongest is not None:
        yield f"strongest = {json.dumps(entry.strongest)}"
    if entry.recovery is not None:
        yield f'recovery = "{entry.recovery}"'
    if entry.recovery_worst is not None:
        yield f'recovery-worst = "{entry.recovery_worst}"'
    if entry.messages is not None:
        yield f"messages = {entry.messages:.2f}"
    if entry.events is not None:
        yield f"events   = {entry.events:.2f}"
    wide = max((len(_key(checker)) for checker in entry.verdicts), default=0)
    for checker, counts in entry.verdicts.items():
        told = ", ".join(f"{outcome} = {counts[outcome]}" for outcome in SAID if counts.get(outcome))
        yield f"verdicts.{_key(checker):<{wide}} = {{ {told} }}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


# ------------------------------------------------------------------------------------------------------------ comparing


def compare(before: Entry, now: Entry, tolerance: Tolerance, expected: Mapping[str, Expectation]) -> list[Change]:
    """What is different, the verdicts first; ``expected`` is what is expected now, by checker."""
    if before.seeds != now.seeds:
        what = f"seeds {before.seeds} are recorded, {now.seeds} were run: not to be compared"
        return [Change("unknown", "seeds", what)]
    changes = [*_verdicts(before, now, expected), *_strongest(before.strongest, now.strongest)]
    if now.recovery is not None and before.recovery is not None:
        drift = int(before.recovery * tolerance.recovery) + SLACK
        if abs(now.recovery - before.recovery) > drift:
            slower = now.recovery > before.recovery
            how = _share(now.recovery, before.recovery)
            what = f"clients wait {now.recovery} after heal on average, {how} than the {before.recovery} recorded"
            changes.append(Change("worse" if slower else "better", "recovery", what + _beyond(tolerance.recovery)))
    for about, old, new, allowed in (
        ("messages", before.messages, now.messages, tolerance.messages),
        ("events", before.events, now.events, tolerance.events),
    ):
        if old is not None and new is not None and abs(new - old) > old * allowed:
            what = f"an operation costs {new:.2f} {about}, {_share(new, old)} than the {old:.2f} recorded"
            changes.append(Change("worse" if new > old else "better", about, what + _beyond(allowed)))
    return changes


def _verdicts(before: Entry, now: Entry, expected: Mapping[str, Expectation]) -> Iterator[Change]:
    for checker in dict.fromkeys([*now.verdicts, *before.verdicts]):
        old, new = before.verdicts.get(checker), now.verdicts.get(checker)
        if old == new:
            continue
        if new is None:
            yield Change("worse", checker, f"{checker} is not judged any more; recorded: {_counts(old)}")
        elif old is None:
            yield Change("unknown", checker, f"{checker} was not judged when this was recorded; now: {_counts(new)}")
        else:
            broken = old.get("invalid", 0) - new.get("invalid", 0)
            hint = f": {broken} breach{'es' if broken > 1 else ''} no longer seen" if broken > 0 else ""
            what = f"{checker} is {_counts(new)}; recorded: {_counts(old)}{hint}"
            yield Change(_weight(old, new, expected.get(checker, "any")), checker, what)


def _strongest(old: tuple[str, ...] | None, new: tuple[str, ...] | None) -> Iterator[Change]:
    """Weaker is worse, stronger better; what is weaker in one way and stronger in another is worse."""
    if new is None or (old is not None and set(old) == set(new)):
        return
    now = " and ".join(new) or "none"
    if old is None:
        what = f"the strongest model was not recorded yet; now it is {now}: --update records it"
        yield Change("unknown", "strongest", what)
        return
    lost = [name for name in old if name not in _implied(new)]
    what = f"the strongest model that holds on every seed is {now}; recorded: {' and '.join(old) or 'none'}"
    if lost:
        yield Change(
            "worse", "strongest", f"{what}: weaker, for {' and '.join(lost)} no longer hold{'s' * (len(lost) < 2)}"
        )
    else:
        yield Change("better", "strongest", what)


def _implied(names: Sequence[str]) -> set[str]:
    return {*names, *(below for name in names for below in weaker(name))}


def _weight(old: Counts, new: Counts, expected: Expectation) -> Weight:
    """More of what is expected, and of what is decided at all, is better; where either may be, any shift is a loss."""
    match expected:
        case "valid":
            better = all(new.get(said, 0) <= old.get(said, 0) for said in ("invalid", "unknown"))
        case "invalid":
            better = all(new.get(said, 0) <= old.get(said, 0) for said in ("valid", "unknown"))
        case "breakable" | "any":
            better = all(new.get(said, 0) >= old.get(said, 0) for said in ("valid", "invalid"))
        case _:
            assert_never(expected)
    return "better" if better else "worse"


def _counts(counts: Counts | None) -> str:
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in SAID if counts and counts.get(outcome))


def _share(new: float, old: float) -> str:
    if not old:
        return "more"
    more = (new - old) / old * 100
    return f"{abs(more):.0f} % {'more' if more > 0 else 'less'}"


def _beyond(tolerance: float) -> str:
    return f" (tolerated: {tolerance * 100:g} %)"


def exceeded(now: Entry, limits: Limits) -> list[Change]:
    """Which limits of the manifest do not hold."""
    found = []
    if limits.recovery is not None and now.recovery_worst is not None and now.recovery_worst > limits.recovery:
        what = f"on one seed clients wait {now.recovery_worst} after heal; at most {limits.recovery} is guaranteed"
        found.append(Change("worse", "recovery", what))
    for about, figure, most in (
        ("messages", now.messages, limits.messages),
        ("events", now.events, limits.events),
    ):
        if most is not None and figure is not None and figure > most:
            what = f"an operation costs {figure:.2f} {about}; at most {most:g} are guaranteed"
            found.append(Change("worse", about, what))
    return found
