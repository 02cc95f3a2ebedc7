"""`aftershock run`: what it prints, what it stores, and how it exits."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench import store
from bench.run import judge
from checkers import History

from .conftest import SHORT, Command

EVERYTHING = {
    "scenario.toml", "operations.jsonl", "history.jsonl", "observations.jsonl", "trace.jsonl.gz", "results.json",
    "run.json", "charts", "report.html",
}  # fmt: skip


def test_a_run_leaves_every_step_on_disk_and_tells_where(aftershock: Command) -> None:
    ran = aftershock("run", "short.toml")
    assert (ran.code, ran.err) == (0, "")
    for mode in ("log", "leader-local"):
        folder = Path("runs/short/raft") / mode / "0"
        assert {path.name for path in folder.iterdir()} == EVERYTHING
        assert f"as expected.   {folder}/report.html" in ran.out
        assert list((folder / "charts").glob("*.png"))
    assert os.readlink("runs/latest") == "short/raft/leader-local/0"
    assert not list(Path("runs").rglob(".*"))


def test_an_expected_violation_is_shown_with_its_proof_and_the_line_that_replays_it(
    aftershock: Command, undrawn: None
) -> None:
    ran = aftershock("run", "short.toml", "-p", "raft/leader-local")
    assert ran.code == 0
    results = json.loads(Path("runs/latest/results.json").read_text())
    verdict = next(each for each in results["verdicts"] if each["checker"] == "linearizable")
    assert verdict["outcome"] == "invalid"
    assert verdict["expected"] == "breakable"
    stale = verdict["witness"][-1]["operation"]
    assert stale["f"] == "read"
    assert f"read {stale['key']} -> {stale['value']}" in ran.out
    assert "aftershock replay runs/short/raft/leader-local/0\n" in ran.out
    assert "\nas expected." in ran.out


def test_results_hold_nothing_that_differs_between_machines(convicted: Path) -> None:
    text = (convicted / "results.json").read_text()
    results = json.loads(text)
    assert list(results) == ["scenario", "protocol", "mode", "seed", "status", "notes", "verdicts", "strongest",
                             "standing", "never_started", "cut_short", "counters"]  # fmt: skip
    assert "1.2.3" not in text
    assert str(Path.cwd()) not in text
    facts = json.loads((convicted / "run.json").read_text())
    assert facts["aftershock"] == "1.2.3"
    assert set(facts["seconds"]) == {"plan", "run", "store", "judge", "report"}


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["-p", "raft/log"], 0, "as expected."),
        (["-p", "raft/log", "-s", "expect.linearizable=invalid"], 1, "(expected: invalid)"),
        (["-p", "raft/log", "-s", "expect.linearizable=breakable"], 1, "linearizable was not seen to break"),
        (["-p", "raft/leader-local", "-s", 'expect."raft/leader-local".linearizable=valid'], 1, "(expected: valid)"),
        (["-p", "raft/log", "-s", 'expect."bounded-staleness:t=0s"=valid'], 0, "  bounded-staleness:t=0s   valid"),
        (["-p", "raft/log", "-s", 'expect."bounded-staleness:t=0s"=invalid'], 1, "(expected: invalid)"),
        (["-p", "raft/log", "-s", "at-least.elections=99"], 3, "at least 99 wanted"),
        (["-p", "raft/log", "-s", "events-max=1000"], 3, "storm"),
        (["-p", "raft/log", "-s", "at-least.elections=99", "-s", "expect.linearizable=invalid"], 1, "(expected: inv"),
        (["-p", "raft/log", "-s", "duration=100ms", "-s", "heal=90ms", "-s", "faults=[]"], 3, "undecided."),
    ],
)
def test_the_exit_code_says_whether_all_was_as_expected(
    aftershock: Command, undrawn: None, flags: list[str], code: int, said: str
) -> None:
    ran = aftershock("run", "short.toml", *flags)
    assert ran.code == code
    assert said in ran.out
    assert ran.err == ""


def test_one_seed_that_breaks_nothing_is_called_unbroken_wherever_it_is_told(aftershock: Command) -> None:
    ran = aftershock("run", "short.toml", "-p", "raft/log", "-s", "expect.linearizable=breakable")
    assert ran.code == 1
    assert "\n  linearizable was not seen to break\nnot as expected." in ran.out
    results = json.loads(Path("runs/latest/results.json").read_text())
    assert results["status"] == "unbroken", "of one seed it is neither right nor wrong"
    page = Path("runs/latest/report.html").read_text()
    assert '<span class="badge open">unbroken</span>' in page
    assert "linearizable was not seen to break" in page
    again = aftershock("replay", "latest")
    assert again.code == 0
    assert "\n  linearizable was not seen to break\nunbroken." in again.out


def test_several_runs_exit_with_the_gravest_of_their_codes(aftershock: Command, undrawn: None) -> None:
    Path("short.toml").write_text(SHORT.replace('"breakable"', '"valid"').replace("elections = 2", "reads = 9999"))
    assert aftershock("run", "short.toml", "-p", "raft/log").code == 3
    assert aftershock("run", "short.toml").code == 1


def test_one_json_document_tells_the_same_as_the_files(aftershock: Command, undrawn: None) -> None:
    ran = aftershock("run", "short.toml", "--json")
    document = json.loads(ran.out)
    assert ran.code == document["exit"] == 0
    assert [column["mode"] for column in document["columns"]] == ["log", "leader-local"]
    for column in document["columns"]:
        [run] = column["runs"]
        folder = Path(run.pop("folder"))
        assert run == json.loads((folder / "results.json").read_text())
        assert column["checkers"]["linearizable"][run["verdicts"][0]["outcome"]] == 1


def test_quiet_prints_only_what_is_not_as_expected(aftershock: Command, undrawn: None) -> None:
    assert aftershock("run", "short.toml", "-q").out == ""
    assert "not as expected." in aftershock("run", "short.toml", "-q", "-s", "expect.agreement=invalid").out


def test_a_folder_means_every_scenario_in_it(aftershock: Command, undrawn: None) -> None:
    Path("mine/deep").mkdir(parents=True)
    for name in ("mine/one.toml", "mine/deep/two.toml"):
        Path(name).write_text(SHORT)
    assert aftershock("run", "mine", "-p", "raft").code == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["latest", "one", "two"]


def test_a_file_named_twice_is_run_once(aftershock: Command, undrawn: None) -> None:
    ran = aftershock("run", "short.toml", "./short.toml", "-p", "raft", "-p", "raft/log")
    assert ran.out.count("seed 0") == 1


def test_shipped_scenarios_go_by_path_or_by_stem(aftershock: Command, undrawn: None) -> None:
    for name in ("mutants/truncating_raft", "truncating_raft"):
        assert aftershock("run", name, "-p", "raft", "-q").code == 0
    assert Path("runs/truncating_raft/raft/log/0/results.json").exists()


def test_a_stored_scenario_can_be_run_and_has_its_own_seed(aftershock: Command, undrawn: None) -> None:
    aftershock("run", "short.toml", "-p", "raft/log", "--seed", "7")
    first = Path("runs/short/raft/log/7")
    aftershock("run", first / "scenario.toml", "--out", "again")
    second = Path("again/scenario/raft/log/7")
    assert (second / "history.jsonl").read_bytes() == (first / "history.jsonl").read_bytes()


def test_a_run_that_takes_the_place_of_another_leaves_nothing_of_it(
    aftershock: Command, acquitted: Path, undrawn: None
) -> None:
    (acquitted / "notes.txt").write_text("mine")
    (acquitted / "charts" / "old.png").write_text("old")
    aftershock("run", "short.toml", "-p", "raft/log", "--no-trace", "-s", "workload.rate=20/s")
    assert not (acquitted / "trace.jsonl.gz").exists()
    assert not (acquitted / "charts").exists()
    assert (acquitted / "notes.txt").read_text() == "mine"
    assert {path.name for path in acquitted.parent.iterdir()} == {"0"}


def test_the_history_is_on_disk_before_it_is_judged(
    aftershock: Command, acquitted: Path, undrawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        assert len(History.load(acquitted / "history.jsonl")) > 100
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.commands.run.judge", interrupted)
    with pytest.raises(KeyboardInterrupt):
        aftershock("run", "short.toml", "-p", "raft/log")
    assert not (acquitted / "results.json").exists()
    assert not (acquitted / "report.html").exists()
    monkeypatch.setattr("bench.commands.run.judge", judge)
    ran = aftershock("report", acquitted)
    assert (ran.code, "never judged" in ran.err) == (2, True)
    assert aftershock("replay", acquitted).code == 1, "results.json is missing"
    assert aftershock("check", acquitted).code == 0


def test_a_report_that_is_not_wanted_now_can_be_drawn_later(aftershock: Command) -> None:
    ran = aftershock("run", "short.toml", "-p", "raft/log", "--no-report")
    assert ran.out.endswith("as expected.   runs/short/raft/log/0\n")
    assert not Path("runs/latest/charts").exists()
    assert aftershock("report", "latest").code == 0
    assert list(Path("runs/latest/charts").glob("*.png"))


def test_a_folder_that_is_no_run_is_left_alone(aftershock: Command, undrawn: None) -> None:
    place = Path("runs/short/raft/log/0")
    place.mkdir(parents=True)
    (place / "thesis.tex").write_text("years of work")
    ran = aftershock("run", "short.toml", "-p", "raft/log")
    assert ran.code == 2
    assert "is no run" in ran.err
    assert [path.name for path in place.iterdir()] == ["thesis.tex"]
    assert [path.name for path in place.parent.iterdir()] == ["0"]


def test_what_is_stored_can_be_loaded_and_is_the_same(aftershock: Command, convicted: Path) -> None:
    from bench.registry import Registry

    registry = Registry.load()
    recording, result = store.load(convicted, registry)
    assert store.Results.of(recording, result).encode() == (convicted / "results.json").read_bytes()
    again = judge(recording, registry)
    assert store.Results.of(recording, again).encode() == (convicted / "results.json").read_bytes()


def test_a_protocol_and_its_plugin_stay_together(aftershock: Command, undrawn: None) -> None:
    Path("mine.py").write_text(
        '"""Mine."""\nfrom bench.protocols.raft import PROTOCOL as RAFT, LeaderLocalRaft\n'
        "class Mine(LeaderLocalRaft):\n    pass\n"
        'PROTOCOL = RAFT.mutant("raft/log", Mine, "answers from memory")\n'
    )
    ran = aftershock("run", "short.toml", "-p", "mine", "--plugin", "mine.py")
    assert ran.code == 1
    assert "aftershock replay runs/short/mine/log/0 --plugin mine.py\n" in ran.out
    assert aftershock("replay", "latest", "--plugin", "mine.py").code == 0
    unknown = aftershock("replay", "latest")
    assert unknown.code == 2
    assert "mine" in unknown.err
    Path("pyproject.toml").write_text('[tool.aftershock]\nplugins = ["mine.py"]\n')
    assert aftershock("replay", "latest").code == 0
    assert aftershock("run", "short.toml", "-p", "mine", "--seeds", "0-1", "--workers", "2", "-q").code == 1
