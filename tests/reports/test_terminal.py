"""The table on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from reports import terminal
from reports.subject import Subject

Runs = Callable[[str], Subject]


def test_a_valid_run_is_a_line_per_checker_and_one_for_all_invariants(run_of: Runs) -> None:
    assert terminal.summary(run_of("valid"), "runs/x/report.html", 0.31) == (
        "partition-leader  raft/log  seed 0     5 nodes, 5 clients, 20 s simulated in 0.3 s\n"
        "  linearizable   valid    1,012 operations on 4 keys\n"
        "  invariants     valid    agreement, leadership\n"
        "  progress       valid    first commit 312 ms after heal (bound 2 s)\n"
        "as expected.   runs/x/report.html"
    )


def test_a_violation_is_told_with_its_operations_and_the_line_that_replays_it(run_of: Runs) -> None:
    lines = terminal.summary(run_of("stale"), "report.html", 0.2).splitlines()
    assert lines[1:7] == [
        "  linearizable   invalid  r1 read x = 41 from n1, although c1's write of 42 had been acknowledged",
        "                          351 ms earlier.",
        "      1.902000 s to 1.915000 s  c3 (process 503): write x 41, answered by n1",
        "      2.871000 s to 2.889000 s  c1 (process 501): write x 42, answered by n2",
        "      2.893000 s to 2.902000 s  c4 (process 504): read x -> 42, answered by n4",
        "      3.240000 s to 3.241000 s  r1 (process 506): read x -> 41, answered by n1",
    ]
    assert lines[-2:] == [
        "replay: aftershock run partition-leader -p raft/leader-local --seed 0",
        "as expected.   report.html",
    ]


def test_what_was_not_expected_is_said(run_of: Runs) -> None:
    text = terminal.summary(run_of("split"), "report.html", 0.2)
    assert "unknown  the search stopped after 2,000,000 steps" in text
    assert text.count("(expected: valid)") + text.count("(expected:\n") == 2
    assert text.endswith("not as expected.   report.html")


def test_an_undecided_run_says_so(run_of: Runs) -> None:
    lines = terminal.summary(run_of("empty"), "report.html", 0.0).splitlines()
    assert lines[1] == "  linearizable   unknown  there is nothing to judge (expected: valid)"
    assert lines[-1] == "undecided.   report.html"


def test_nothing_that_a_run_says_controls_the_terminal(run_of: Runs) -> None:
    text = terminal.summary(run_of("nasty"), "report.html", 0.1, colour=False)
    assert all(line.isprintable() for line in text.splitlines())
    assert max(map(len, text.splitlines())) < 400


def test_colours_mark_outcomes_on_a_terminal_only(
    run_of: Runs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of("stale")
    plain = terminal.summary(run, "report.html", 0.2)
    assert "\x1b" not in plain
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    bright = terminal.summary(run, "report.html", 0.2)
    assert "\x1b[31minvalid  \x1b[0m" in bright
    assert "\x1b[32mvalid    \x1b[0m" in bright
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.summary(run, "report.html", 0.2) == plain


def test_a_run_with_nothing_checked_is_no_error(run_of: Runs, sample: ModuleType) -> None:
    bare = sample.replace(run_of("empty"), judged=())
    assert "nothing was checked" in terminal.summary(bare, "report.html", 0.0)
