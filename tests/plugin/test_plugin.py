"""The pytest plugin: a test for each seed, an explanation for each failure, and nothing for those who do not ask."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import command

SHORT = command.SHORT.partition("[at-least]")[0]
HEAD = "import pytest\nfrom pathlib import Path\n\n"


Pytest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Somebody's project, with a scenario beside its tests."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -p no:cacheprovider\n")
    (tmp_path / "tests/short.toml").write_text(SHORT)
    (tmp_path / "tests/brief.toml").write_text(BRIEF)
    return tmp_path


@pytest.fixture
def run(project: Path) -> Pytest:
    """Runs pytest in that project on one file of tests, in a process of its own."""

    def pytest_on(tests: str, *options: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
        (project / "tests/test_theirs.py").write_text(HEAD + tests)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options],
            cwd=project / folder,
            env=clean | {"COLUMNS": "200", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return pytest_on


def passed(done: subprocess.CompletedProcess[str], count: int) -> bool:
    return done.returncode == 0 and f"{count} passed" in done.stdout


def results(junit: Path) -> dict[str, str]:
    """The outcome of every test by its name, without what differs between any two runs."""
    cases = ElementTree.parse(junit).getroot().iter("testcase")
    said: dict[str, str] = {}
    for case in cases:
        text = " ".join(f"{child.tag} {child.attrib.get('message')} {child.text}" for child in case)
        said[case.attrib["name"]] = re.sub(r"/[^ ']*/(?=test_)", "", re.sub(r"popen-gw\d/", "", text))
    return said


BRIEF = """\
duration  = "800ms"
protocols = ["raft/log", "raft/leader-local"]
[cluster]
nodes = 3
[workload]
kind = "kv"
rate = "40/s"
[expect]
progress = "any"
"""
TWENTY = """
@pytest.mark.aftershock("brief.toml", protocol="raft/log", seeds=range(20))
def test_events_are_odd(outcome):
    assert outcome.as_expected, outcome
    assert outcome.recording.counters["events"] % 2 == 1, outcome
"""


def test_two_workers_give_the_same_twenty_tests_and_results_as_none(run: Pytest, project: Path) -> None:
    for workers in ("0", "2"):
        done = run(TWENTY, "-n", workers, f"--junit-xml={workers}.xml", f"--basetemp={project / f'base{workers}'}")
        assert done.returncode == 1, done.stdout + done.stderr
    alone, shared = (results(project / f"{workers}.xml") for workers in ("0", "2"))
    assert sorted(alone) == sorted(f"test_events_are_odd[raft-seed{seed}]" for seed in range(20))
    assert alone == shared
    broken = [name for name, said in alone.items() if said]
    assert 0 < len(broken) < 20
    assert all("as expected" in alone[name] for name in broken)


def test_a_failure_explains_itself_and_its_folder_is_kept_and_replays(run: Pytest, project: Path) -> None:
    (project / "tests/short.toml").write_text(SHORT.replace("breakable", "valid"))
    done = run(
        '@pytest.mark.aftershock("short.toml", protocol="raft/leader-local")\n'
        "def test_reads(outcome):\n    assert outcome.as_expected, outcome\n"
    )
    assert done.returncode == 1
    said = [line.removeprefix("E").strip() for line in done.stdout.splitlines() if line.startswith("E ")]
    assert said[0] == "AssertionError: short  raft/leader-local  seed 0: not as expected"
    assert re.match(r"linearizable +invalid +r\d read k\d = .* although", said[1])
    (replay,) = [line.removeprefix("replay: ") for line in said if line.startswith("replay: ")]
    folder = Path(replay.removeprefix("aftershock replay "))
    assert f"kept: {folder}" in said
    assert "test_reads_raft_seed0_0" in folder.parts
    assert (folder / "trace.jsonl.gz").exists()
    again = subprocess.run([sys.executable, "-m", *replay.split()], capture_output=True, text=True, timeout=60)
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_run_that_disappoints_the_test_alone_is_kept_too(run: Pytest) -> None:
    done = run(
        '@pytest.mark.aftershock("short.toml", protocol="raft")\ndef test_it(outcome):\n    assert not outcome\n'
    )
    assert done.returncode == 1
    kept = re.search(r"^kept: (.*)$", done.stdout, re.MULTILINE)
    assert kept
    assert Path(kept[1], "history.jsonl").exists()


def test_a_scenario_is_beside_the_test_or_in_rootdir_or_shipped_in_that_order(run: Pytest, project: Path) -> None:
    whose = (
        "@pytest.mark.aftershock({!r}, protocol='raft')\ndef test_it(outcome):\n"
        "    assert outcome.recording.plan.scenario.why == {!r}, outcome.recording.plan.scenario.why\n"
    )
    ours = "No fault at all: what everything costs when nothing goes wrong."
    assert passed(run(whose.format("steady", ours)), 1)
    (project / "steady").write_text(f'why = "in rootdir"\n{BRIEF}')
    assert passed(run(whose.format("steady", "in rootdir"), folder="tests"), 1)
    (project / "tests/steady").write_text(f'why = "beside the test"\n{BRIEF}')
    assert passed(run(whose.format("steady", "beside the test")), 1)


def test_without_a_protocol_there_is_a_test_for_every_column(run: Pytest) -> None:
    done = run('@pytest.mark.aftershock("short.toml", seeds=[7])\ndef test_it(outcome): ...\n', "--collect-only", "-q")
    names = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    assert names == ["test_it[raft-log-seed7]", "test_it[raft-leader-local-seed7]"]


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ('@pytest.mark.aftershock("shorty.toml")\ndef test_it(outcome): ...', '"shorty.toml": there is no such file'),
        ('@pytest.mark.aftershock("short.toml", "raft/lok")\ndef test_it(outcome): ...', 'did you mean "raft/log"?'),
        (
            '@pytest.mark.aftershock("short.toml", seed=3)\ndef test_it(outcome): ...',
            "unexpected keyword argument 'seed'",
        ),
        (
            '@pytest.mark.aftershock("short.toml", seeds=3)\ndef test_it(outcome): ...',
            "seeds are several whole numbers",
        ),
        (
            '@pytest.mark.aftershock("short.toml", seeds=[])\ndef test_it(outcome): ...',
            "seeds are several whole numbers",
        ),
        ('@pytest.mark.aftershock("mutants")\ndef test_it(outcome): ...', "scenarios; name one"),
        (
            '@pytest.mark.aftershock("short.toml")\ndef test_it(): ...',
            "takes no fixture `outcome`: it would run nothing",
        ),
        ('@pytest.mark.aftershock("broken.toml")\ndef test_it(outcome): ...', "broken.toml:2: duration: "),
    ],
)
def test_a_mark_that_means_nothing_fails_to_collect_in_one_line(
    run: Pytest, project: Path, tests: str, message: str
) -> None:
    (project / "tests/broken.toml").write_text(SHORT.replace('"6s"', "6"))
    done = run(tests + "\n")
    assert done.returncode == 2
    assert message in done.stdout
    assert "Traceback" not in done.stdout
    assert "_pytest/" not in done.stdout


def test_an_outcome_without_a_mark_says_what_is_missing(run: Pytest) -> None:
    done = run("def test_it(outcome): ...\n")
    assert done.returncode == 1
    assert "`outcome` comes of a scenario: @pytest.mark.aftershock(" in done.stdout


def test_a_scenario_that_the_protocol_cannot_be_put_through_is_one_line(run: Pytest, project: Path) -> None:
    (project / "tests/short.toml").write_text(SHORT.replace('[["leader as old"], ["rest"]]', '[["n1"], ["rest"]]'))
    (project / "single.py").write_text(
        "from dataclasses import replace\nfrom bench.protocols.raft import PROTOCOL as RAFT\n"
        'PROTOCOL = replace(RAFT, operations=frozenset({"read"}))\n'
    )
    (project / "pyproject.toml").write_text('[tool.aftershock]\nplugins = ["single.py"]\n')
    done = run('@pytest.mark.aftershock("short.toml", protocol="single")\ndef test_it(outcome): ...\n', folder="tests")
    assert done.returncode == 1
    assert re.search(r"short\.toml: single/log: single knows no cas, write: it serves read", done.stdout)


def test_the_recorder_writes_a_history_that_a_failing_test_names(run: Pytest) -> None:
    tests = (
        "from aftershock import check\n\ndef test_it(recorder):\n    client = recorder.client()\n"
        '    with client.operation("write", key="x", value=1) as write:\n        write.ok()\n'
        '    with client.operation("read", key="x") as read:\n        read.ok(2)\n'
        '    assert check(recorder.history(), "linearizable", model="kv")\n'
    )
    done = run(tests)
    assert done.returncode == 1
    named = re.search(r"^history: (.*)$", done.stdout, re.MULTILINE)
    assert named
    assert len(Path(named[1]).read_text().splitlines()) == 4
    assert passed(run(tests.replace("read.ok(2)", "read.ok(1)")), 1)


LONG = """
from aftershock import History, check

def history():
    adds = [{"process": process, "f": "add", "key": "x", "value": 2**process} for process in range(9)]
    read = {"process": 9, "f": "read", "key": "x", "value": 2**9}
    calls = [*adds, {**read, "value": None}]
    return History.from_events([
        *({"type": "invoke", **call} for call in adds), *({"type": "ok", **call} for call in adds),
        {"type": "invoke", **read, "value": None}, {"type": "ok", **read},
    ])

def judged():
    verdict = check(history(), "linearizable", model="counter")
    Path("whole.txt").write_text(str(verdict))
    return verdict

def demand(verdict):
    assert verdict, verdict

def test_it():
"""


@pytest.mark.parametrize(
    "body",
    [
        "verdict = judged(); assert verdict, verdict",
        "assert judged()",
        "demand(judged())",
        "assert judged(), 'no: ' * 99",
    ],
)
def test_a_failing_assertion_shows_the_whole_of_a_verdict(run: Pytest, project: Path, body: str) -> None:
    done = run(f"{LONG}    {body}\n")
    assert done.returncode == 1
    whole = (project / "whole.txt").read_text().splitlines()
    assert len(whole) == 11
    assert len("".join(whole)) > 500
    said = [line[1:].strip() for line in done.stdout.splitlines() if line.startswith("E ")]
    first = said.index(f"AssertionError: {whole[0]}")
    assert said[first : first + len(whole)][1:] == [line.strip() for line in whole[1:]]
    assert said.count(whole[-1].strip()) == 1


def test_an_assertion_without_a_message_explains_the_run_too(run: Pytest, project: Path) -> None:
    (project / "tests/short.toml").write_text(SHORT.replace("breakable", "valid"))
    mark = '@pytest.mark.aftershock("short.toml", protocol="raft/leader-local")\n'
    for asserted in ("outcome.as_expected", "outcome", "outcome.verdict('linearizable')"):
        done = run(f"{mark}def test_reads(outcome):\n    assert {asserted}\n")
        said = [line.removeprefix("E").strip() for line in done.stdout.splitlines() if line.startswith("E ")]
        assert re.search(r"r\d read k\d = .* although .* acknowledged", "\n".join(said))
        if "verdict" not in asserted:
            assert any(line.startswith("replay: aftershock replay ") for line in said)


def test_who_marks_nothing_imports_nothing_of_ours(run: Pytest) -> None:
    tests = (
        "def test_it():\n    import sys\n"
        "    ours = {'bench', 'checkers', 'reports', 'scenarios', 'numpy', 'msgspec', 'aftershock.experiment'}\n"
        "    assert ours & sys.modules.keys() == set()\n    assert 'aftershock.pytest_plugin' in sys.modules\n"
    )
    assert passed(run(tests), 1)
