"""What build servers read: JUnit XML, JSON, the Markdown summary, annotations; whatever the results hold."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reports.ci import Checked, Suite, junit, markdown, workflow_commands

from .conftest import Command
from .test_verify import blind_the_checker

NASTY = 'a "value" of <x> & \x1b[31m`red`\x00 | 100%,\nsecond: line \ud800 ```'


def suite(*tests: Checked) -> Suite:
    return Suite(scenario="a,b:c", column="raft/log", seeds="0-4", file="dir,1/a:b.toml", tests=tests)


def test_junit_counts_failures_as_failures_and_what_is_undecided_as_errors() -> None:
    tests = (
        Checked("linearizable", "failed", "broken", "broken\nas follows"),
        Checked("agreement", "passed"),
        Checked("progress", "undecided", "nobody asked"),
        Checked("baseline", "accepted", "known"),
    )
    root = ElementTree.fromstring(junit([suite(*tests), suite(tests[1])], "name"))
    assert root.attrib == {"name": "name", "tests": "5", "failures": "1", "errors": "1", "skipped": "1"}
    first, second = root.findall("testsuite")
    assert (first.attrib["failures"], first.attrib["errors"], second.attrib["failures"]) == ("1", "1", "0")
    said = {case.attrib["name"]: [child.tag for child in case] for case in first}
    assert said == {"linearizable": ["failure"], "agreement": [], "progress": ["error"], "baseline": ["skipped"]}
    failure = first.find("testcase/failure")
    assert failure is not None
    assert (failure.attrib["message"], failure.text) == ("broken", "broken\nas follows")


def test_whatever_a_result_says_every_output_stays_well_formed() -> None:
    suites = [suite(Checked(NASTY, "failed", NASTY, NASTY))]
    case = ElementTree.fromstring(junit(suites, NASTY)).find("testsuite/testcase")
    assert case is not None
    assert case.attrib["name"].startswith('a "value" of <x> & \\x1b[31m`red`\\x00 | 100%,')
    summary = markdown(suites, NASTY, NASTY)
    fences = [line for line in summary.splitlines() if line.startswith("````")]
    assert len(fences) == 2
    (row,) = [line for line in summary.splitlines() if line.startswith("| ❌")]
    assert row.replace("\\|", "").count("|") == 6
    assert "<x>" not in row.replace("\\<x\\>", "")
    (command,) = workflow_commands(suites)
    head, _, data = command.removeprefix("::").partition("::")
    assert "\n" not in command
    assert head.startswith("error file=dir%2C1/a%3Ab.toml,title=a%2Cb%3Ac raft/log%3A ")
    assert "100%25,%0Asecond: line" in data
    summary.encode()
    command.encode()


def test_everything_green_says_so_and_annotates_nothing() -> None:
    suites = [suite(Checked("linearizable", "passed"))]
    assert list(workflow_commands(suites)) == []
    assert "❌" not in markdown(suites, "title", "1 as recorded.")
    assert "1 as recorded." in markdown(suites, "title", "1 as recorded.")


def test_verify_writes_what_it_is_asked_for(
    verify: Command, recorded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blind_the_checker(monkeypatch)
    page = tmp_path / "page.md"
    page.write_text("what an earlier step said\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    ran = verify("--json", "--junit", "out/junit.xml", "--markdown", "out/summary.md", "--github")
    document = json.loads(ran.out)
    assert ran.code == document["exit"] == 1
    columns = {f"{column['protocol']}/{column['mode']}": column for column in document["columns"]}
    assert columns["raft/log"]["standing"] == "as recorded"
    assert columns["raft/leader-local"]["standing"] == "not as expected"
    assert columns["raft/leader-local"]["verdicts"]["linearizable"] == {"valid": 3}
    assert columns["raft/leader-local"]["seeds"] == [0, 2]
    assert 0 < columns["raft/log"]["recovery_us"] <= columns["raft/log"]["recovery_worst_us"] < 3_000_000
    failures = ElementTree.parse("out/junit.xml").getroot().findall(".//failure")
    assert "linearizable was not seen to break on 3 of 3 seeds" in [each.attrib["message"] for each in failures]
    summary = Path("out/summary.md").read_text()
    assert "❌ short · raft/leader-local" in summary
    assert page.read_text() == "what an earlier step said\n" + summary
    errors = [line for line in ran.err.splitlines() if line.startswith("::error ")]
    assert errors[0].startswith("::error file=short.toml,title=short raft/leader-local%3A linearizable::")
    assert len(errors) == len(failures)


def test_an_output_that_cannot_be_written_ends_before_anything_is_run(verify: Command, recorded: Path) -> None:
    Path("taken").write_text("")
    bad = verify("--junit", "taken/junit.xml")
    assert bad.code == 2
    assert bad.out == ""
    assert "taken cannot be written" in bad.err
