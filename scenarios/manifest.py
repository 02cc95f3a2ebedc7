"""``guarantees.toml``: which scenarios are run for which protocols on which seeds, and what else must hold of them.

What a protocol promises is declared once, by the protocol, and what a scenario expects by the scenario; a manifest
repeats neither. It says how much is run, how far figures may drift from what was recorded, and what they may not
exceed however slowly they get there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
from msgspec import Meta

from scenarios.fields import fields
from scenarios.problems import BadScenario, Problem
from scenarios.rules import unknown_column
from scenarios.schema import Kinds
from scenarios.source import Key, lines_of, parse, read_text
from scenarios.tables import MISSING, Tables, described
from scenarios.units import Duration, Misread, nearest, quoted

Profile = Literal["quick", "full"]
Find = Callable[[str], Sequence[Path]]
"""The files that a scenario's name means; raises `Misread` when there are none."""

QUICK = 3
"""How many seeds of the full profile the quick one takes, unless it is told."""
LARGEST_SEED, MOST = 2**63 - 1, 10_000_000
_SEEDS = re.compile(r"([0-9]{1,19})(?:-([0-9]{1,19}))?")


class Seeds(msgspec.Struct, frozen=True):
    """Seeds in a row, both ends included; written "0-49", or "7" for one alone."""

    first: int
    last: int

    PATTERN: ClassVar[str] = "^[0-9]+(-[0-9]+)?$"
    EXPECTED: ClassVar[str] = 'seeds such as "0-49"'
    EXAMPLE: ClassVar[str] = "0-49"

    @classmethod
    def parse(cls, text: str) -> Self:
        found = _SEEDS.fullmatch(text.strip())
        if not found:
            raise Misread(f"{quoted(text)}: expected {cls.EXPECTED}")
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise Misread(f"{quoted(text)} runs backwards", f"{last}-{first}")
        if last > LARGEST_SEED:
            raise Misread(f"{quoted(text)}: a seed is at most {LARGEST_SEED}")
        if last - first >= MOST:
            raise Misread(f"{quoted(text)} are more than {MOST:,} seeds")
        return cls(first, last)

    def __str__(self) -> str:
        return f"{self.first}-{self.last}" if self.first != self.last else str(self.first)

    def range(self) -> range:
        return range(self.first, self.last + 1)


class Tolerance(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """By what share of the recorded figure each may grow before that is a regression."""

    recovery: Annotated[
        float, Meta(ge=0, description="Of the mean time from heal to the first operation served.", examples=[0.5])
    ] = 0.5
    messages: Annotated[
        float, Meta(ge=0, description="Of the packets sent for each operation that completed.", examples=[0.1])
    ] = 0.1
    events: Annotated[
        float, Meta(ge=0, description="Of the events handled for each operation that completed.", examples=[0.1])
    ] = 0.1


class Limits(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """What a figure may never exceed, whatever was recorded."""

    recovery: Annotated[
        Duration | None,
        Meta(description="From heal to the first operation served, on every seed.", examples=["500ms"]),
    ] = None
    messages: Annotated[
        float | None, Meta(gt=0, description="Packets sent for each operation that completed.", examples=[40.0])
    ] = None
    events: Annotated[
        float | None, Meta(gt=0, description="Events handled for each operation that completed.", examples=[80.0])
    ] = None


class Guarantee(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Some scenarios, each run for every one of some protocols on every one of some seeds."""

    scenarios: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="Files or folders, relative to the manifest; or the names of shipped scenarios.",
            examples=[["partition-leader"]],
        ),
    ]
    protocols: Annotated[
        tuple[str, ...],
        Meta(
            description="The columns to run, name or name/mode; without them, those that the scenario names.",
            examples=[["raft/log"]],
        ),
    ] = ()
    seeds: Annotated[Seeds, Meta(description="The seeds of the full profile.", examples=["0-49"])]
    quick: Annotated[
        Seeds | None,
        Meta(
            description=f"The seeds of the quick profile; without it, the first {QUICK} of `seeds`.", examples=["0-2"]
        ),
    ] = None
    at_most: Annotated[Limits, Meta(description="What no figure may exceed.")] = Limits()

    def seeds_of(self, profile: Profile) -> Seeds:
        if profile == "full":
            return self.seeds
        if self.quick is not None:
            return self.quick
        return Seeds(self.seeds.first, min(self.seeds.last, self.seeds.first + QUICK - 1))


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Everything that is guaranteed. ``scenarios`` of its guarantees are paths of files that were found."""

    tolerance: Annotated[Tolerance, Meta(description="How far figures may drift.")] = Tolerance()
    guarantees: Annotated[tuple[Guarantee, ...], Meta(min_length=1, description="What is run.")]


def load(path: str | os.PathLike[str], kinds: Kinds, find: Find) -> Manifest:
    """The manifest in a file. Raises `BadScenario` with all that is wrong, a line each."""
    return decode(read_text(path), os.fspath(path), kinds, find)


def decode(text: str, source: str, kinds: Kinds, find: Find) -> Manifest:
    """The manifest in a text; ``source`` is what its problems call it. Raises `BadScenario`."""
    tree, text, problems = parse(text, source)
    reader = _Reader(kinds, find)
    manifest = reader.manifest(tree)
    if not problems and not reader.findings and manifest is not None:
        return manifest
    lines = lines_of(text)
    problems += [_placed(finding.key, finding.what, finding.hint, source, lines) for finding in reader.findings]
    raise BadScenario(sorted(dict.fromkeys(problems), key=lambda problem: problem.line))


def _placed(key: Key, what: str, hint: str | None, source: str, lines: Mapping[Key, int]) -> Problem:
    line = next((lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in lines), 0)
    path = ".".join(
        part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else quoted(part) for part in key if isinstance(part, str)
    )
    return Problem(source, line, path, what, hint)


class _Reader(Tables):
    """Converts a manifest's tree, and asks whether what it names exists."""

    def __init__(self, kinds: Kinds, find: Find) -> None:
        super().__init__()
        self.kinds = kinds
        self.find = find
        self.top = {field.key for field in fields(Manifest)}

    def manifest(self, tree: dict[str, Any]) -> Manifest | None:
        for key in tree:
            if key not in self.top:
                hint = "guarantees" if key in ("guarantee", "run", "runs", "scenarios") else nearest(key, self.top)
                self.wrong((key,), f"a manifest has no key {quoted(key)}; it has tolerance and guarantees", hint)
        tolerance = Tolerance()
        if (raw := tree.get("tolerance", MISSING)) is not MISSING:
            tolerance = self.value(Tolerance, raw, ("tolerance",), Meta())
        guarantees: list[Any] = []
        raw = tree.get("guarantees", [])
        if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
            found = "" if isinstance(raw, list | dict) else f", not {described(raw)}"
            self.wrong(("guarantees",), f"guarantees are written [[guarantees]], one header for each{found}")
        elif not raw:
            self.wrong((), 'a manifest needs a [[guarantees]] with scenarios = ["…"] and seeds = "0-49"')
        else:
            guarantees = [self.guarantee(table, ("guarantees", index)) for index, table in enumerate(raw)]
        if self.findings:
            return None
        return Manifest(tolerance=tolerance, guarantees=tuple(guarantees))

    def guarantee(self, table: dict[str, Any], key: Key) -> Any:
        read = self.struct(Guarantee, table, key, "a guarantee")
        if read is MISSING:
            return MISSING
        guarantee: Guarantee = read
        paths: list[str] = []
        for index, name in enumerate(guarantee.scenarios):
            try:
                paths += (str(path) for path in self.find(name))
            except Misread as wrong:
                self.wrong((*key, "scenarios", index), wrong.what, wrong.hint)
        for index, name in enumerate(guarantee.protocols):
            try:
                self.kinds.column(name)
            except KeyError:
                self.findings.append(unknown_column((*key, "protocols", index), name, self.kinds))
        return msgspec.structs.replace(guarantee, scenarios=tuple(paths))
