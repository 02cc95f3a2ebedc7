"""`aftershock run --seeds`: the same from one process and from two; a row for every seed, a folder for what matters."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from .conftest import Command, contents

ROOT = Path(__file__).parents[2]


def test_two_workers_come_to_what_one_comes_to(aftershock: Command, undrawn: None) -> None:
    one = aftershock("run", "short.toml", "--seeds", "3-8", "--workers", "1", "--out", "one")
    two = aftershock("run", "short.toml", "--seeds", "3-8", "--workers", "2", "--out", "two")
    assert one.code == two.code == 0
    assert contents(Path("one")) == contents(Path("two"))
    timeless = [re.sub(r" in [0-9.]+ s", "", ran.out.replace(out, "")) for ran, out in ((one, "one/"), (two, "two/"))]
    assert timeless[0] == timeless[1]


def test_a_sweep_keeps_a_row_of_each_seed_and_a_folder_of_the_first_breach(aftershock: Command, undrawn: None) -> None:
    ran = aftershock("run", "short.toml", "--seeds", "0-4", "--workers", "1")
    assert ran.code == 0
    kept: list[str] = []
    for mode in ("log", "leader-local"):
        rows = [json.loads(line) for line in Path(f"runs/short/raft/{mode}/results.jsonl").read_text().splitlines()]
        assert [row["seed"] for row in rows] == [0, 1, 2, 3, 4]
        broken = [row["seed"] for row in rows if row["verdicts"]["linearizable"]["outcome"] == "invalid"]
        kept = [path.name for path in Path(f"runs/short/raft/{mode}").iterdir() if path.is_dir()]
        assert kept == [str(seed) for seed in broken[:1]]
        assert bool(broken) == (mode == "leader-local")
    breach = Path("runs/short/raft/leader-local") / kept[0]
    assert f"aftershock replay {breach}\n" in ran.out
    assert (breach / "trace.jsonl.gz").exists()
    assert aftershock("replay", breach).code == 0


def test_a_seed_that_fails_has_a_folder_and_is_named(aftershock: Command, undrawn: None) -> None:
    ran = aftershock("run", "short.toml", "-p", "raft", "--seeds", "0-6", "-s", "expect.agreement=invalid")
    assert ran.code == 1
    assert sorted(path.name for path in Path("runs/short/raft/log").iterdir()) == [
        *"0123456",
        "results.jsonl",
        "sweep.sqlite",
    ]
    assert "seed 0 is not as expected: agreement is valid, expected invalid" in ran.out
    assert "and 2 more: seeds 5, 6" in ran.out


def test_a_promise_to_break_must_be_kept_by_one_of_the_seeds(aftershock: Command, undrawn: None) -> None:
    flags = ("-p", "raft", "-s", "expect.linearizable=breakable", "--seeds", "0-2")
    ran = aftershock("run", "short.toml", *flags)
    assert ran.code == 1
    assert "linearizable was not seen to break" in ran.out
    rows = [json.loads(line) for line in Path("runs/short/raft/log/results.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == ["unbroken"] * 3
    assert "seed 0 is" not in ran.out, "no seed by itself is to blame"


def test_a_folder_that_a_seed_had_before_shows_what_it_is_now(
    aftershock: Command, acquitted: Path, undrawn: None
) -> None:
    (acquitted / "history.jsonl").write_text("")
    assert aftershock("run", "short.toml", "-p", "raft", "--seeds", "0-1", "--workers", "1").code == 0
    assert (acquitted / "history.jsonl").stat().st_size > 1000
    assert not (acquitted.parent / "1").exists()


def test_the_whole_sweep_is_one_json_document(aftershock: Command, undrawn: None) -> None:
    document = json.loads(aftershock("run", "short.toml", "--seeds", "0-2", "--json").out)
    assert [column["seeds"] for column in document["columns"]] == [[0, 2], [0, 2]]
    agreement = document["columns"][0]["checkers"]["agreement"]
    assert agreement == {"expected": "valid", "valid": 3, "invalid": 0, "unknown": 0}


def test_an_interrupt_ends_a_sweep_at_once_and_keeps_what_was_finished(aftershock: Command, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "aftershock", "run", "short.toml", "-p", "raft/leader-local", "--seeds", "0-99999"]
    sweep = subprocess.Popen(
        [*words, "--workers", "2"], env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    column = tmp_path / "runs/short/raft/leader-local"
    deadline = time.monotonic() + 50
    while not list(column.glob("*/run.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert sweep.poll() is None
    os.killpg(sweep.pid, signal.SIGINT)
    out, err = sweep.communicate(timeout=20)
    assert (sweep.returncode, out, err) == (130, "", "")
    rows = (column / "results.jsonl").read_text().splitlines()
    assert rows
    assert [json.loads(row)["seed"] for row in rows] == list(range(len(rows)))
