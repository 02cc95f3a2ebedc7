"""`make sweep-protocols`: every promise is swept, nothing is run twice, and a violation comes with its line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from bench.cli import main as aftershock
from bench.commands import crew, given
from bench.registry import Registry
from bench.run import plan
from bench.store import Results
from benchmarks import sweep


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_mode_that_promises_something_is_swept_the_safe_ones_first() -> None:
    registry = Registry.load()
    swept = list(sweep.columns(registry))
    promising = {
        f"{name}/{mode}"
        for name, protocol in registry.protocols.items()
        for mode in protocol.modes
        if protocol.modes[mode].promises
    }
    assert {column for column, _ in swept} == promising
    assert "raft/leader-local" not in promising
    assert [mutant for _, mutant in swept] == sorted(mutant for _, mutant in swept)
    assert {column for column, mutant in swept if mutant} >= {f"{name}/log" for name in sweep.BARS}


def test_every_mode_that_is_swept_can_be_put_through_it() -> None:
    registry = Registry.load()
    for column, _ in sweep.columns(registry):
        (case,) = given.cases([sweep.SCENARIO], sweep.overrides_of(column, registry), [column], registry)
        assert plan(sweep.SCENARIO, case.scenario, column, 0, registry).operations


def test_a_sweep_that_was_interrupted_runs_only_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[tuple[int, int]] = []
    original = crew.run

    limit = 3

    def run(job: crew.Job, registry: Registry) -> Results:
        if len(seeds) == limit:
            raise KeyboardInterrupt
        seeds.append((job.seed, job.case.scenario.cluster.nodes))
        return original(job, registry)

    monkeypatch.setattr(crew, "run", run)
    words = ["--only", "multipaxos/log", "--mutant-seeds", "0", "--workers", "1"]
    assert sweep.main([*words, "--seeds", "0-4"]) == 130
    assert seeds == [(0, 5), (1, 3), (2, 5)]
    limit = 1000
    capsys.readouterr()
    assert sweep.main([*words, "--seeds", "0-4"]) == 0
    assert [seed for seed, _ in seeds] == [0, 1, 2, 3, 4]
    assert capsys.readouterr().out.splitlines()[2].startswith("| multipaxos/log | 5 | 0 | 0.0% | – |")
    assert sweep.main([*words, "--seeds", "1-3"]) == 0
    assert len(seeds) == 5


def test_a_run_that_judges_more_is_not_served_from_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    words = "--only raft/follower-local --mutant-seeds 0 --workers 1 --seeds 1-1 --out runs"
    assert sweep.main(words.split()) == 0
    again = f"run {sweep.SCENARIO} -p raft/follower-local --seeds 1-1 -s cluster.nodes=3 --out runs --no-report"
    assert aftershock(again.split(), version="1.2.3") == 0
    assert "  linearizable  " in capsys.readouterr().out, "it may hold or not, and is judged only by who wants to know"


def test_a_violation_is_named_with_a_line_that_shows_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_for_safe = [("careless_voter_raft/log", False)]
    monkeypatch.setattr(sweep, "columns", lambda *_: iter(taken_for_safe))
    assert sweep.main(["--seeds", "0-3", "--workers", "1", "--write", "table.md"]) == 1
    out, err = capsys.readouterr()
    assert Path("table.md").read_text().endswith(out)
    first, line, *_ = err.splitlines()
    assert first.startswith("careless_voter_raft/log seed ")
    assert "invalid, expected valid" in first
    assert aftershock([*shlex.split(line)[1:], "--no-report"], version="1.2.3") == 1


def test_a_mutant_below_its_bar_fails_and_what_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sweep.BARS, "careless_voter_raft", 1.01)
    words = ["--only", "careless_voter_raft", "--seeds", "0-1", "--workers", "1"]
    assert sweep.main(words) == 1
    assert "101% wanted" in capsys.readouterr().err
    for wrong in (["--seeds", "3-1"], ["--only", "rafd"], [*words, "--write", "table.md"]):
        assert sweep.main(wrong) == 2
        assert capsys.readouterr().err.count("\n") == 1
