"""`aftershock verify`: what is promised and recorded holds, and whatever does not is named in words and by its code."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.baseline import everywhere
from bench.cli import main
from bench.commands import crew
from bench.mutants.confident_leader_raft import ConfidentLeaderRaft
from bench.registry import Registry
from bench.store import Results, Stood
from checkers import History, Outcome, Verdict, lattice
from checkers import check as judge
from checkers.verdict import invalid, valid

from .conftest import MANIFEST, SHORT, Command


def swap_in_a_mutant(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on raft/log is Raft whose leader answers reads from memory."""
    load = Registry.load

    def loaded(plugins: Any = ()) -> Registry:
        registry = load(plugins)
        raft = registry.protocols["raft"]
        modes = {**raft.modes, "log": replace(raft.modes["log"], node=ConfidentLeaderRaft)}
        registry.protocols["raft"] = replace(raft, modes=modes)
        return registry

    monkeypatch.setattr(Registry, "load", loaded)


def blind_the_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every history is linearizable."""

    def check(history: History, consistency: str, **_: object) -> Verdict:
        return valid(consistency, "nothing was looked at")

    monkeypatch.setattr("bench.run.check", check)


def refuse(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on no history is of this model, where nothing but the strongest model asks for it."""

    def check(history: History, consistency: str, *rest: Any, **more: Any) -> Verdict:
        if consistency == model:
            return invalid(consistency, "refused by the test")
        return judge(history, consistency, *rest, **more)

    monkeypatch.setattr(lattice, "check", check)


def test_what_was_recorded_is_kept_by_the_same_code(verify: Command, recorded: Path) -> None:
    again = verify()
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines()[-1] == "2 as recorded."
    assert verify("--profile", "quick").code == 0


def test_what_was_interrupted_is_taken_up_and_what_is_complete_begins_anew(
    verify: Command, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, int]] = []
    original = crew.run
    limit = 4

    def run(job: crew.Job, registry: Registry) -> Results:
        if len(ran) == limit:
            raise KeyboardInterrupt
        ran.append((job.column, job.seed))
        return original(job, registry)

    monkeypatch.setattr(crew, "run", run)
    whole = [(column, seed) for column in ("raft/log", "raft/leader-local") for seed in range(3)]
    with pytest.raises(KeyboardInterrupt):
        verify()
    assert ran == whole[:4]
    limit = 1000
    assert verify("--profile", "quick").code == 0
    assert ran == [*whole[:4], ("raft/log", 0), ("raft/leader-local", 0)], (
        "the quick one is another, and all of it runs"
    )
    del ran[4:]
    again = verify()
    assert again.code == 0
    assert ran == whole
    assert "6 runs in" in again.out
    assert "4 of them known from before it was interrupted" in again.out
    assert verify().code == 0
    assert ran == [*whole, *whole], "what is complete is not served again"


def test_two_workers_come_to_what_one_comes_to(aftershock: Command, recorded: Path) -> None:
    before = recorded.read_bytes()
    assert aftershock("verify", "--workers", "2").code == 0
    assert aftershock("verify", "--update", "--workers", "2").code == 0
    assert recorded.read_bytes() == before


def test_the_baseline_is_sorted_and_holds_nothing_that_may_differ(verify: Command, recorded: Path) -> None:
    text = recorded.read_text()
    tables = re.findall(r"^\[.*\]$", text, re.MULTILINE)
    assert tables == [
        '[quick.short."raft/leader-local"]',
        '[quick.short."raft/log"]',
        '[full.short."raft/leader-local"]',
        '[full.short."raft/log"]',
    ]
    column = tomllib.loads(text)["full"]["short"]["raft/leader-local"]
    assert column["seeds"] == "0-2"
    assert sum(column["verdicts"]["linearizable"].values()) == 3
    assert column["verdicts"]["linearizable"]["invalid"] >= 1
    assert column["messages"] > 2
    assert column["strongest"] == ["osc(u)"]
    assert "1.2.3" not in text
    assert str(Path.cwd()) not in text


def test_a_mutant_swapped_in_turns_it_red_under_the_right_name(
    verify: Command, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap_in_a_mutant(monkeypatch)
    red = verify()
    assert red.code == 1
    (line,) = [line for line in red.out.splitlines() if line.endswith("not as expected")]
    assert line.split()[:2] == ["short", "raft/log"]
    assert re.search(r"linearizable is invalid on \d of 3 seeds, expected valid", red.out)
    replay = re.search(r"aftershock replay (runs/short/raft/log/\d+)\n", red.out)
    assert replay
    assert json.loads(Path(replay[1], "results.json").read_text())["status"] == "not as expected"
    assert "raft/leader-local  as recorded" in red.out
    weaker = "the strongest model that holds on every seed is osc(u); recorded: linearizable: weaker, for linearizable"
    assert weaker in red.out


def test_a_checker_that_sees_nothing_turns_it_red_too(
    verify: Command, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind_the_checker(monkeypatch)
    red = verify()
    assert red.code == 1
    assert re.search(r"short +raft/leader-local +not as expected", red.out)
    assert "linearizable was not seen to break on 3 of 3 seeds" in red.out
    assert re.search(r"linearizable is 3 valid; recorded: .*breach(es)? no longer seen", red.out)
    assert "better: the strongest model that holds on every seed is linearizable; recorded: osc(u)" in red.out


def test_a_weaker_strongest_model_is_red_even_where_no_verdict_says_so(
    verify: Command, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        refuse("osc(u)", patched)
        weaker = verify()
        assert verify("--update").code == 0
    assert weaker.code == 1
    assert re.search(r"short +raft/leader-local +changed", weaker.out)
    what = "the strongest model that holds on every seed is sequential; recorded: osc(u): weaker, for osc(u) no longer"
    assert what in weaker.out
    stronger = verify()
    assert stronger.code == 0
    assert "better: the strongest model that holds on every seed is osc(u); recorded: sequential" in stronger.out
    assert "aftershock verify --update" in stronger.out
    assert verify("--update").code == 0
    assert verify().out.splitlines()[-1] == "2 as recorded."


def test_a_baseline_from_before_strongest_models_is_undecided_and_says_how_to_go_on(
    verify: Command, recorded: Path
) -> None:
    recorded.write_text(re.sub(r"^strongest = .*\n", "", recorded.read_text(), flags=re.MULTILINE))
    old = verify()
    assert (old.code, old.err) == (3, "")
    assert "the strongest model was not recorded yet; now it is linearizable: --update records it" in old.out
    assert verify("--update").code == 0
    assert verify().code == 0


def test_the_strongest_models_of_a_column_are_those_that_hold_on_every_seed() -> None:
    def row(*holds: str) -> Results:
        standing = tuple(
            Stood(name, Outcome.VALID if name in holds else Outcome.UNKNOWN, "said") for name in lattice.models()
        )
        return Results("s", "p", "m", 0, "as expected", (), (), holds, standing, (), None, {})

    session = ("monotonic-reads", "monotonic-writes", "read-your-writes")
    assert everywhere([row("pram", *session), row("pram", *session)]) == ("pram",)
    assert everywhere([row("pram", *session), row(*session[:2])]) == session[:2]
    assert everywhere([row("pram", *session), row()]) == ()


def test_a_broken_promise_is_not_recorded_unless_it_is_accepted_by_name(
    verify: Command, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = recorded.read_bytes()
    swap_in_a_mutant(monkeypatch)
    refused = verify("--update")
    assert refused.code == 1
    assert "  aftershock verify --update --accept short/raft/log\n" in refused.out
    assert recorded.read_bytes() == before
    accepted = verify("--update", "--accept", "short/raft/log")
    assert accepted.code == 0
    assert "accepted: short/raft/log" in accepted.out
    known = verify()
    assert known.code == 0
    assert "not as expected, as recorded" in known.out
    monkeypatch.undo()
    monkeypatch.chdir(recorded.parent)


def test_a_promise_kept_again_is_better_and_no_failure(
    verify: Command, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        swap_in_a_mutant(patched)
        assert verify("--update", "--accept", "short").code == 0
    kept = verify()
    assert re.search(r"better: linearizable is 3 valid; recorded: ", kept.out)
    # What it costs to keep the promise is a change for the worse, and said so.
    assert re.search(r"an operation costs [0-9.]+ messages, \d+ % more than the [0-9.]+ recorded", kept.out)
    assert kept.code == 1


def test_recovery_and_cost_may_drift_within_their_tolerance_only(verify: Command, recorded: Path) -> None:
    text = recorded.read_text()
    drifted = re.sub(r"messages = ([0-9.]+)", lambda m: f"messages = {float(m[1]) * 0.95:.2f}", text)
    recorded.write_text(drifted)
    assert verify().code == 0
    recorded.write_text(re.sub(r"messages = ([0-9.]+)", lambda m: f"messages = {float(m[1]) * 0.8:.2f}", text))
    dear = verify()
    assert dear.code == 1
    assert re.search(r"costs [0-9.]+ messages, 25 % more than the [0-9.]+ recorded \(tolerated: 10 %\)", dear.out)
    recorded.write_text(re.sub(r"messages = ([0-9.]+)", lambda m: f"messages = {float(m[1]) * 1.25:.2f}", text))
    cheap = verify()
    assert cheap.code == 0
    assert "better: an operation costs" in cheap.out
    recorded.write_text(re.sub(r'recovery = "[^"]+"', 'recovery = "1us"', text))
    slow = verify()
    assert slow.code == 1
    assert "than the 1us recorded (tolerated: 50 %)" in slow.out


def test_a_limit_of_the_manifest_holds_whatever_was_recorded(verify: Command, recorded: Path) -> None:
    Path("guarantees.toml").write_text(f'{MANIFEST}at-most   = {{ recovery = "2us", messages = 1.5, events = 1e6 }}\n')
    red = verify()
    assert red.code == 1
    assert "after heal; at most 2us is guaranteed" in red.out
    assert re.search(r"an operation costs [0-9.]+ messages; at most 1\.5 are guaranteed", red.out)
    assert "events; at most" not in red.out
    assert verify("--update").code == 1


def test_without_a_record_it_is_undecided_and_a_record_without_a_run_is_a_difference(
    verify: Command, recorded: Path
) -> None:
    text = recorded.read_text()
    recorded.unlink()
    missing = verify()
    assert missing.code == 3
    assert missing.out.splitlines()[-2] == "2 not recorded."
    recorded.write_text(text)
    Path("guarantees.toml").write_text(f'{MANIFEST}protocols = ["raft"]\n')
    gone = verify()
    assert gone.code == 1
    assert "short/raft/leader-local is recorded in guarantees.lock, and not run any more" in gone.out


def test_other_seeds_than_those_recorded_are_not_compared(verify: Command, recorded: Path) -> None:
    Path("guarantees.toml").write_text(MANIFEST.replace("0-2", "0-1"))
    other = verify()
    assert other.code == 3
    assert "seeds 0-2 are recorded, 0-1 were run: not to be compared" in other.out


def test_a_run_that_tested_nothing_is_undecided(verify: Command, recorded: Path) -> None:
    Path("short.toml").write_text(SHORT.replace("elections = 2", "elections = 2000"))
    vain = verify()
    assert vain.code == 3
    assert "seed 0: elections reached" in vain.out


@pytest.mark.parametrize(
    ("manifest", "line"),
    [
        (
            MANIFEST.replace("short.toml", "partition-leeder"),
            'guarantees.toml:2: guarantees.scenarios: "partition-leeder": there is no such file, folder or shipped '
            'scenario; did you mean "partition-leader"?',
        ),
        (MANIFEST.replace("seeds ", "seed "), 'guarantees.toml:3: guarantees.seed: a guarantee has no "seed"'),
        (MANIFEST.replace("0-2", "2-0"), 'guarantees.toml:3: guarantees.seeds: "2-0" runs backwards; did you mean'),
        (MANIFEST.replace('"0-2"', "2"), 'guarantees.toml:3: guarantees.seeds: expected seeds such as "0-49", not 2'),
        (
            f'{MANIFEST}protocols = ["raft/lok"]\n',
            'guarantees.toml:5: guarantees.protocols: raft has no mode "lok"; did you mean "raft/log"?',
        ),
        (f"tolerence = 1\n{MANIFEST}", 'guarantees.toml:1: tolerence: a manifest has no key "tolerence"'),
        (f"[tolerance]\nmessages = -1\n{MANIFEST}", "guarantees.toml:2: tolerance.messages: expected a number of at"),
        ("", 'guarantees.toml: a manifest needs a [[guarantees]] with scenarios = ["…"] and seeds = "0-49"'),
        (MANIFEST.replace("[[", "[").replace("]]", "]"), "guarantees.toml:1: guarantees: guarantees are written [["),
        (f"{MANIFEST}{MANIFEST}", "guarantees.toml: short/raft/log is guaranteed twice"),
        (MANIFEST.replace("quick     = ", "quick = 0-1 #"), 'text must be quoted: quick = "0-1"'),
    ],
)
def test_mistakes_in_a_manifest_are_lines_with_their_place(verify: Command, manifest: str, line: str) -> None:
    Path("guarantees.toml").write_text(manifest)
    bad = verify()
    assert bad.code == 2
    assert bad.out == ""
    assert line in bad.err
    assert "Traceback" not in bad.err


def test_a_damaged_baseline_is_refused_with_the_line_and_the_way_out(verify: Command, recorded: Path) -> None:
    text = recorded.read_text()
    for damaged, line in (
        (text.replace("format = 1", "format = 2"), "guarantees.lock:2: format: expected a whole number from 1 to 1"),
        (f"<<<<<<< HEAD\n{text}", "guarantees.lock:1: is not TOML"),
        (text.replace("{ valid = ", "{ vaild = ", 1), '"vaild" is not one of'),
    ):
        recorded.write_text(damaged)
        bad = verify()
        assert bad.code == 2, bad.out
        assert line in bad.err
        assert "take it from version control, or remove it" in bad.err


def test_accepting_what_does_not_exist_is_bad_usage(verify: Command, recorded: Path) -> None:
    bad = verify("--update", "--accept", "short/raft/lok")
    assert bad.code == 2
    assert 'did you mean "short/raft/log"?' in bad.err
    assert verify("--accept", "short").code == 2


def test_two_scenarios_of_one_name_are_refused(verify: Command) -> None:
    Path("other").mkdir()
    Path("other/short.toml").write_text(SHORT)
    more = '[[guarantees]]\nscenarios = ["other"]\nseeds = "0"\nprotocols = ["raft"]\n'
    Path("guarantees.toml").write_text(MANIFEST + more)
    bad = verify()
    assert bad.code == 2
    assert "have one name, and so one place in the baseline" in bad.err


def test_paths_are_relative_to_the_manifest(verify: Command, recorded: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    for name in ("short.toml", "guarantees.toml", "guarantees.lock"):
        (tmp_path / name).rename(inner / name)
    assert verify("inner/guarantees.toml").code == 0


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_store_that_cannot_be_written_ends_before_anything_is_run(
    recorded: Path, option: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    Path("taken").write_text("")
    assert main(["verify", "--out", "taken/runs", *option], version="1") == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(r"taken.* cannot be written: not a directory\n", err)


def test_the_line_that_records_names_the_same_manifest_and_profile(verify: Command) -> None:
    Path("others.toml").write_text(MANIFEST)
    assert "recorded by: aftershock verify others.toml --profile quick --update" in (
        verify("others.toml", "--profile", "quick").out
    )
