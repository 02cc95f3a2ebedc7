"""``aftershock replay``: run a stored plan again and compare what comes of it, byte for byte.

Only ``scenario.toml`` and ``operations.jsonl`` are taken from the folder, and nothing in it is changed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench import store
from bench.commands import AS_EXPECTED, DIFFERS
from bench.commands.run import replay_line, subject_of, told
from bench.registry import Registry
from bench.run import execute, judge
from bench.store import BadRun, Results
from reports.words import shorten

COMPARED = (store.HISTORY, store.OBSERVATIONS, store.TRACE, store.RESULTS)
WIDTH = 160  # characters of a line that differs


class Difference(msgspec.Struct, frozen=True):
    """The first line in which a stored file differs from the same file of the replay; None where it has ended."""

    file: str
    line: int
    stored: str | None
    replayed: str | None


def replay(
    run: str, *, out: Path, registry: Registry, plugins: Sequence[str], version: str, as_json: bool, quiet: bool
) -> int:
    """Run it again, say whether it is the same, and return the exit code."""
    folder = store.find(run, out)
    plan = store.load_plan(folder, registry)
    since = time.perf_counter()
    recording = execute(plan, registry)
    seconds = time.perf_counter() - since
    result = judge(recording, registry)
    with tempfile.TemporaryDirectory(prefix="aftershock-") as scratch:
        fresh = store.save_recording(Path(scratch), recording, registry)
        store.save_results(fresh, Results.of(recording, result))
        compared = [name for name in COMPARED if (folder / name).exists()]
        differences = [found for name in compared if (found := _difference(folder / name, fresh / name))]
    missing = [name for name in COMPARED if name not in compared and name != store.TRACE]
    code = DIFFERS if differences or (missing and compared) else AS_EXPECTED
    if as_json:
        document = {
            "folder": str(folder),
            "identical": code == AS_EXPECTED,
            "compared": compared,
            "missing": missing,
            "differences": msgspec.to_builtins(differences),
            "results": msgspec.to_builtins(Results.of(recording, result)),
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return code
    if differences and not quiet:
        _warn_of_versions(folder, version)
    if not quiet:
        subject = subject_of(recording, result, replay_line(folder, plugins))
        print(told(subject, folder, seconds, subject.notes))
    if code != AS_EXPECTED or not quiet:
        print("\n".join(_words(differences, missing, compared)))
    return code


def _difference(stored: Path, replayed: Path) -> Difference | None:
    old, new = (store.content(path) or b"" for path in (stored, replayed))
    if old == new:
        return None
    was, now = old.split(b"\n"), new.split(b"\n")
    at = next((i for i, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), min(len(was), len(now)))
    return Difference(stored.name, at + 1, _line(was, at), _line(now, at))


def _line(lines: Sequence[bytes], at: int) -> str | None:
    return lines[at].decode("utf-8", "backslashreplace") if at < len(lines) else None


def _words(differences: Sequence[Difference], missing: Sequence[str], compared: Sequence[str]) -> list[str]:
    if not compared:
        return ["replayed; the folder holds nothing to compare it with."]
    lines = [f"{name} is missing." for name in missing]
    for found in differences:
        lines.append(f"{found.file} differs from line {found.line} on:")
        for who, text in (("stored", found.stored), ("replayed", found.replayed)):
            lines.append(f"  {who:<9} {'(the file ends here)' if not text else shorten(text, WIDTH)}")
    return lines or [f"identical: {', '.join(compared)}."]


def _warn_of_versions(folder: Path, version: str) -> None:
    """A run is the same for one release: another one may rightly differ."""
    try:
        facts = store.load_facts(folder)
    except BadRun:
        return
    if facts.aftershock != version:
        print(f"{folder} was recorded by aftershock {facts.aftershock}; this is {version}", file=sys.stderr)
