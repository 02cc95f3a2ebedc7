"""`aftershock replay`: the same bytes from the plan alone, and any other bytes found out."""

from __future__ import annotations

import gzip
import json
import shutil
import tomllib
from pathlib import Path

import pytest

from bench.commands import given

from .conftest import Command


def test_a_run_replays_to_the_same_bytes(aftershock: Command, convicted: Path) -> None:
    before = {path: path.read_bytes() for path in convicted.rglob("*") if path.is_file()}
    ran = aftershock("replay", "latest")
    assert (ran.code, ran.err) == (0, "")
    assert "identical: history.jsonl, observations.jsonl, trace.jsonl.gz, results.json." in ran.out
    assert "linearizable   invalid" in ran.out
    assert {path: path.read_bytes() for path in convicted.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", sorted(given.shipped()))
def test_every_shipped_scenario_replays_to_the_same_bytes(aftershock: Command, undrawn: None, name: str) -> None:
    first = json.loads(aftershock("run", name, "--json", "-p", _first_column(name)).out)["columns"][0]
    ran = aftershock("replay", "latest", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["identical"] is True
    assert first["runs"][0]["folder"] == json.loads(ran.out)["folder"]


def _first_column(name: str) -> str:
    protocols = tomllib.loads(given.shipped()[name].read_text())["protocols"]
    return str(protocols[0])


def test_two_files_are_enough_to_replay(aftershock: Command, acquitted: Path) -> None:
    Path("kept").mkdir()
    for name in ("scenario.toml", "operations.jsonl"):
        shutil.copy(acquitted / name, "kept")
    ran = aftershock("replay", "kept")
    assert ran.code == 0
    assert "nothing to compare it with" in ran.out
    shutil.copy(acquitted / "history.jsonl", "kept")
    shutil.copy(acquitted / "observations.jsonl", "kept")
    shutil.copy(acquitted / "results.json", "kept")
    assert aftershock("replay", "kept").code == 0


def test_a_changed_value_is_found_with_its_line(aftershock: Command, acquitted: Path) -> None:
    path = acquitted / "history.jsonl"
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if '"type":"ok"' in line and '"read"' in line)
    event = json.loads(lines[at])
    lines[at] = json.dumps({**event, "value": 123456789}, separators=(",", ":"))
    path.write_text("\n".join(lines) + "\n")
    ran = aftershock("replay", acquitted)
    assert ran.code == 1
    assert f"history.jsonl differs from line {at + 1} on:" in ran.out
    assert "123456789" in ran.out
    found = json.loads(aftershock("replay", acquitted, "--json").out)
    assert found["identical"] is False
    assert [(each["file"], each["line"]) for each in found["differences"]] == [("history.jsonl", at + 1)]


@pytest.mark.parametrize("name", ["history.jsonl", "observations.jsonl", "results.json"])
def test_a_cut_off_file_is_a_difference(aftershock: Command, acquitted: Path, name: str) -> None:
    path = acquitted / name
    path.write_bytes(path.read_bytes()[:-200])
    ran = aftershock("replay", acquitted)
    assert ran.code == 1
    assert f"{name} differs from line" in ran.out


def test_a_changed_trace_is_a_difference_and_a_repacked_one_is_none(aftershock: Command, acquitted: Path) -> None:
    path = acquitted / "trace.jsonl.gz"
    steps = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(steps, compresslevel=9, mtime=1))
    assert aftershock("replay", acquitted).code == 0
    path.write_bytes(gzip.compress(steps + steps[:100]))
    assert aftershock("replay", acquitted).code == 1
    path.unlink()
    assert aftershock("replay", acquitted).code == 0, "a run without a trace is a run"


def test_a_plan_that_was_shortened_is_another_run(aftershock: Command, acquitted: Path) -> None:
    path = acquitted / "operations.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    assert aftershock("replay", acquitted).code == 1


def test_another_release_is_mentioned_when_it_differs(aftershock: Command, acquitted: Path) -> None:
    facts = json.loads((acquitted / "run.json").read_text())
    (acquitted / "run.json").write_text(json.dumps({**facts, "aftershock": "0.0.9"}))
    assert aftershock("replay", acquitted).err == ""
    (acquitted / "history.jsonl").write_text("")
    assert "recorded by aftershock 0.0.9; this is 1.2.3" in aftershock("replay", acquitted).err


DAMAGES = [
    ("scenario.toml", b"", "duration"),
    ("scenario.toml", b"\xff\xfe", "UTF-8"),
    (
        "scenario.toml",
        b'duration = "1s"\nprotocols = ["raft", "raft/leader-local"]\n[workload]\nkind="kv"\n',
        "has a seed",
    ),
    ("operations.jsonl", b"[1]\n", "operations.jsonl:1: "),
    ("operations.jsonl", b'{"f":"read","key":"k0","at":1}\n{"f":"read"\n', "operations.jsonl:2: "),
    ("operations.jsonl", b'{"f":"read","key":"k0","at":5}\n{"f":"read","key":"k0","at":1}\n', "in the order"),
    ("operations.jsonl", b'{"f":"read","key":"k0","at":-5}\n', "negative"),
    ("operations.jsonl", b'{"f":"read","key":"k0"}\n', "either a time or a session"),
    ("operations.jsonl", b'{"f":"delete","key":"k0","at":1}\n', "'delete'"),
    ("operations.jsonl", b'{"f":"cas","key":"k0","value":3,"at":1}\n', "two values"),
    ("operations.jsonl", b'{"f":"read","key":"k0","session":"c99"}\n', "no session 'c99'"),
    ("operations.jsonl", b'{"f":"add","key":"k0","value":[1,2],"at":1}\n', "one element"),
    ("operations.jsonl", b'{"f":"increment","key":"k0","value":"x","at":1}\n', "whole number"),
    ("operations.jsonl", b"[" * 100_000, "operations.jsonl:1: "),
    ("operations.jsonl", None, "cannot be read"),
    ("scenario.toml", None, "no run"),
]


@pytest.mark.parametrize(("name", "content", "said"), DAMAGES)
def test_a_damaged_plan_is_one_line(
    aftershock: Command, acquitted: Path, name: str, content: bytes | None, said: str
) -> None:
    (acquitted / name).unlink()
    if content is not None:
        (acquitted / name).write_bytes(content)
    ran = aftershock("replay", acquitted)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert name in ran.err
    if name == "operations.jsonl":
        assert ran.err.count("\n") == 1
