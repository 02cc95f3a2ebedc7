"""Where results go besides the terminal: JUnit XML, JSON, a Markdown summary, annotations of GitHub; and progress."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench import store
from bench.run import merge
from bench.store import Results
from checkers import Outcome
from reports.ci import Checked, Suite, junit, markdown, workflow_commands
from reports.proof import headline


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. ``github`` prints annotations, and appends the summary to the job's page if there is one."""

    junit: Path | None = None
    markdown: Path | None = None
    github: bool = False
    as_json: bool = False

    def writable(self) -> None:
        """Make the folders of the files. Raises `BadRun` before anything is run for nothing."""
        for path in (self.junit, self.markdown):
            if path is not None:
                store.writable(path.parent)

    def publish(
        self, suites: Sequence[Suite], *, title: str, text: str, conclusion: str, document: Mapping[str, Any]
    ) -> None:
        """Print and write everything. Raises `BadRun` when a file cannot be written."""
        self.files(suites, title=title, conclusion=conclusion)
        if self.as_json:
            print(json.dumps(document, indent=2, ensure_ascii=False))
        elif text:
            print(text)

    def files(self, suites: Sequence[Suite], *, title: str, conclusion: str) -> None:
        """Everything but what is printed for a person or a program; annotations go where GitHub reads them too."""
        if self.junit is not None:
            store.write(self.junit, junit(suites, title))
        if self.markdown is not None:
            store.write(self.markdown, markdown(suites, title, conclusion).encode())
        if self.github:
            if page := os.environ.get("GITHUB_STEP_SUMMARY"):
                with store.writing(Path(page)), open(page, "a", encoding="utf-8") as file:
                    file.write(markdown(suites, title, conclusion))
            for line in workflow_commands(suites):
                print(line, file=sys.stderr if self.as_json else sys.stdout)


def tested(rows: Sequence[Results], replays: Mapping[int, str]) -> tuple[Checked, ...]:
    """What each checker said over all seeds of a column, beside what was expected; and the runs as a whole.

    ``replays`` are the lines that run a seed again, by seed, where there are such.
    """
    of = f" of {len(rows):,} seeds" if len(rows) > 1 else " seed"
    _, unseen = merge([row.result() for row in rows])
    tests: list[Checked] = []
    for said in rows[0].verdicts:
        name = said.checker
        verdicts = [(row.seed, each) for row in rows for each in row.verdicts if each.checker == name]
        wrong = [(seed, each) for seed, each in verdicts if not each.as_expected]
        broken = [(seed, each) for seed, each in wrong if each.outcome is not Outcome.UNKNOWN]
        if broken:
            seed, first = broken[0]
            outcomes = "/".join(dict.fromkeys(str(each.outcome) for _, each in broken))
            message = f"{name} is {outcomes} on {len(broken):,}{of}, expected {said.expected}"
            verdict = next(judged.verdict for judged in _row(rows, seed).result().judged if judged.name == name)
            text = [message, f"seed {seed}: {headline(verdict) or first.reason}"]
            text += [replays[seed]] if seed in replays else []
            tests.append(Checked(name, "failed", message, "\n".join(text)))
        elif note := next((note for note in unseen if note.startswith(f"{name} ")), None):
            tests.append(Checked(name, "failed", f"{note} on {len(rows):,}{of}"))
        elif wrong:
            message = f"{name} is undecided on {len(wrong):,}{of}: {wrong[0][1].reason}"
            tests.append(Checked(name, "undecided", message))
        else:
            tests.append(Checked(name, "passed"))
    about = tuple(f"{test.name} is " for test in tests)
    notes = [f"seed {row.seed}: {note}" for row in rows for note in row.notes if not note.startswith(about)]
    tests.append(Checked("run", "undecided" if notes else "passed", next(iter(notes), ""), "\n".join(notes)))
    return tuple(tests)


def _row(rows: Sequence[Results], seed: int) -> Results:
    return next(row for row in rows if row.seed == seed)


def repository_path(path: str | Path) -> str | None:
    """A file below the working directory as the repository knows it; None for any other."""
    relative = os.path.relpath(path)
    return None if relative.startswith(os.pardir) else Path(relative).as_posix()


@contextmanager
def progress(what: str, total: int, *, quiet: bool, known: int = 0) -> Iterator[Callable[[], None]]:
    """Yields what to call for each that is done; on a terminal a bar shows how many, how fast and for how long yet.

    ``known`` are done already, and say nothing of the rate.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.1f}/s")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, completed=known)
        yield lambda: bar.advance(task)
