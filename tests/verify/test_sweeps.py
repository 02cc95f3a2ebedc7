"""A sweep is interrupted, killed or out of space at any moment: it loses, repeats and corrupts nothing."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from bench.ledger import NAME
from bench.run import execute

from .conftest import Command

ROOT = Path(__file__).parents[2]
FULL = os.environ.get("AFTERSHOCK_FULL") == "1"
BRIEF = """\
duration  = "2s"
protocols = ["raft/log"]
[cluster]
nodes = 3
[workload]
kind = "kv"
rate = "40/s"
[[faults]]
kind  = "loss"
at    = "100ms"
for   = "800ms"
rate  = 0.5
[expect]
progress = "any"
"""
COLUMN = Path("short/raft/log")


@pytest.fixture
def brief(aftershock: Command) -> Command:
    """The command line, in a folder whose scenario takes next to no time."""
    Path("short.toml").write_text(BRIEF)
    return aftershock


def rows(out: str) -> list[tuple[int, bytes]]:
    with sqlite3.connect(Path(out) / COLUMN / NAME) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute("SELECT seed, row FROM result ORDER BY seed").fetchall()


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "aftershock", "run", "short.toml", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def living(group: int) -> list[str]:
    """The processes of a group that have not ended, zombies left out."""
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True)
    found = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return [each[2] for each in found if each[0] == str(group) and not each[1].startswith("Z")]


def count(out: str) -> int:
    """How many results there are, also while a sweep goes on."""
    try:
        with closing(sqlite3.connect(f"file:{Path(out) / COLUMN / NAME}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("SELECT count(*) FROM result").fetchone()
            return int(found)
    except sqlite3.OperationalError:  # not there yet
        return 0


def test_killed_at_random_moments_and_taken_up_again_every_seed_has_its_one_result(brief: Command) -> None:
    kills, many = (50, 1000) if FULL else (3, 80)
    seeds = ("--seeds", f"0-{many - 1}", "--workers", "2", "--no-report")
    undisturbed = start(*seeds, "--out", "whole")
    undisturbed.communicate(timeout=200)
    random = Random(20)
    before = 0
    for number in range(kills):
        sweep = start(*seeds, "--out", "killed")
        # Every fourth dies at any moment from its birth on, the others soon after they have got somewhere.
        deadline = time.monotonic() + 60
        while number % 4 and count("killed") == before and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.1) if number % 4 else random.uniform(0, 1))
        os.kill(sweep.pid, signal.SIGKILL)
        sweep.communicate(timeout=20)
        assert sweep.returncode == -signal.SIGKILL, "it was done before it could be killed"
        deadline = time.monotonic() + 20
        while left := living(sweep.pid):
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
        assert count("killed") >= before
        before = count("killed")
    assert 0 < before < many
    last = start(*seeds, "--out", "killed")
    out, err = last.communicate(timeout=200)
    assert (last.returncode, err) == (undisturbed.returncode, "")
    assert f"{before} of them known from before" in out
    assert [seed for seed, _ in rows("killed")] == list(range(many))
    assert rows("killed") == rows("whole")
    results = [Path(out, COLUMN, "results.jsonl").read_bytes() for out in ("killed", "whole")]
    assert results[0] == results[1]


def test_what_is_known_is_not_run_again_and_what_is_new_is(brief: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def counting(plan, *arguments, **options):  # type: ignore[no-untyped-def]
        ran.append(plan.seed)
        return execute(plan, *arguments, **options)

    monkeypatch.setattr("bench.commands.crew.execute", counting)
    assert brief("run", "short.toml", "--seeds", "2-4", "--workers", "1").code == 0
    wider = brief("run", "short.toml", "--seeds", "0-6", "--workers", "1")
    assert ran == [2, 3, 4, 0, 1, 5, 6]
    assert "7 runs in" in wider.out
    assert "3 of them known from before" in wider.out
    changed = brief("run", "short.toml", "--seeds", "0-1", "--workers", "1", "-s", "cluster.nodes=5")
    assert "known from before" not in changed.out
    assert ran[7:] == [0, 1]
    assert len(rows("runs")) == 9


def test_a_failure_that_is_stored_is_not_stored_twice(brief: Command) -> None:
    words = ("run", "short.toml", "--seeds", "0-2", "--workers", "1", "-s", "expect.agreement=invalid", "--json")
    first = brief(*words)
    folder = Path("runs") / COLUMN / "1"
    (folder / "run.json").write_text('{"untouched": true}')
    (folder.parent / "2" / "run.json").unlink()
    again = brief(*words)
    assert (first.code, again.code) == (1, 1)
    assert json.loads(first.out) == json.loads(again.out)
    assert (folder / "run.json").read_text() == '{"untouched": true}'
    assert (folder.parent / "2" / "run.json").exists()  # whose storing had not come to its end


def test_fail_fast_stops_at_the_first_failing_seed_in_the_order_of_the_seeds(brief: Command) -> None:
    assert brief("run", "short.toml", "--seeds", "0-30", "--workers", "1").code == 0
    events = [json.loads(row)["counters"]["events"] for _, row in rows("runs")]
    least = events[0]
    failing = next(seed for seed, each in enumerate(events) if each < least)
    words = ("--seeds", "0-30", "--fail-fast", "--json", "-s", f"at-least.events={least}")
    for workers in ("1", "2"):
        told = brief("run", "short.toml", *words, "--workers", workers, "--out", workers)
        assert told.code == 3
        (column,) = json.loads(told.out)["columns"]
        assert column["notes"][0] == f"stopped at the first failure, after {failing + 1} of 31 seeds"
        assert [run["seed"] for run in column["runs"]] == [failing]


def test_a_disk_that_fills_up_is_one_line_and_what_was_written_is_sound(brief: Command) -> None:
    words = ("--seeds", "0-99", "--workers", "1", "--out", "small")
    small = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
    command = [sys.executable, "-c", small + "from aftershock.__main__ import main; sys.exit(main())"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    full = subprocess.run([*command, "run", "short.toml", *words], env=environment, capture_output=True, text=True)
    assert full.returncode == 2, full.stderr
    assert re.fullmatch(r"small/short/raft/log/\S+ cannot be (used|written): [^\n]+\n", full.stderr)
    before = len(rows("small"))
    assert 0 < before < 100
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    again = brief("run", "short.toml", *words)
    assert "100 runs in" in again.out
    assert f"{before} of them known from before" in again.out
    assert [seed for seed, _ in rows("small")] == list(range(100))


def test_a_ledger_that_is_none_is_named_and_left_alone(brief: Command) -> None:
    path = Path("runs") / COLUMN / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a diary, not a ledger" * 100)
    bad = brief("run", "short.toml", "--seeds", "0-1", "--workers", "1")
    assert bad.code == 2
    assert bad.err == f"{path} is damaged: file is not a database; remove it to start anew\n"
    assert path.read_bytes() == b"a diary, not a ledger" * 100


def test_a_sweep_says_the_same_to_build_servers_as_verify(brief: Command) -> None:
    ran = brief(
        *("run", "short.toml", "--seeds", "0-1", "--workers", "1", "-s", "expect.agreement=invalid", "-q"),
        *("--junit", "junit.xml", "--markdown", "summary.md", "--github"),
    )
    assert ran.code == 1
    assert 'message="agreement is valid on 2 of 2 seeds, expected invalid"' in Path("junit.xml").read_text()
    assert "aftershock replay runs/short/raft/log/0" in Path("summary.md").read_text()
    assert "::error file=short.toml,title=short raft/log%3A agreement::agreement is valid on 2 of 2 seeds" in ran.out
