"""Results as machines that build and test read them: JUnit XML, a Markdown summary, annotations of GitHub.

All three show the same suites: a column of a scenario each, with a test for each of its checkers. What is undecided is
an error to JUnit, since a build that learnt nothing must not look green; a breach that was accepted is skipped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal
from xml.etree import ElementTree

import msgspec

from reports.words import plural

Outcome = Literal["passed", "failed", "undecided", "accepted"]
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKS: dict[Outcome, str] = {"passed": "✅", "failed": "❌", "undecided": "❔", "accepted": "➖"}


class Checked(msgspec.Struct, frozen=True):
    """One thing that was checked. ``message`` is a line, ``text`` all that is to be said."""

    name: str
    outcome: Outcome
    message: str = ""
    text: str = ""


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a scenario. ``file`` is where the scenario stands, as the repository knows it."""

    scenario: str
    column: str
    seeds: str
    file: str
    tests: tuple[Checked, ...]

    @property
    def name(self) -> str:
        return f"{self.scenario} {self.column}"

    @property
    def outcome(self) -> Outcome:
        """The worst of its tests."""
        found = {test.outcome for test in self.tests}
        worst: tuple[Outcome, ...] = ("failed", "undecided", "accepted")
        return next((outcome for outcome in worst if outcome in found), "passed")


def junit(suites: Sequence[Suite], name: str) -> bytes:
    """JUnit XML, in the dialect that Jenkins, GitLab and GitHub's actions read. Without times: runs are simulated."""
    root = ElementTree.Element(
        "testsuites", {"name": _xml(name), **_counts([test for suite in suites for test in suite.tests])}
    )
    for suite in suites:
        element = ElementTree.SubElement(root, "testsuite", {"name": _xml(suite.name), **_counts(suite.tests)})
        for test in suite.tests:
            attributes = {"classname": _xml(f"{suite.scenario}.{suite.column}"), "name": _xml(test.name)}
            case = ElementTree.SubElement(element, "testcase", {**attributes, "file": _xml(suite.file)})
            kind = {"failed": "failure", "undecided": "error", "accepted": "skipped"}.get(test.outcome)
            if kind is None:
                continue
            said = ElementTree.SubElement(case, kind, message=_xml(test.message))
            if kind != "skipped":
                said.set("type", test.outcome)
                said.text = _xml(test.text or test.message)
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _counts(tests: Sequence[Checked]) -> dict[str, str]:
    outcomes = Counter(test.outcome for test in tests)
    return {
        "tests": str(len(tests)),
        "failures": str(outcomes["failed"]),
        "errors": str(outcomes["undecided"]),
        "skipped": str(outcomes["accepted"]),
    }


def _xml(text: str) -> str:
    """The text with what XML cannot hold shown as a code."""
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def markdown(suites: Sequence[Suite], title: str, conclusion: str) -> str:
    """A summary for a job's page or a pull request: what is wrong in full, then a table of everything."""
    lines = [f"### {_cell(title)}", "", _cell(conclusion), ""]
    for suite in suites:
        if suite.outcome in ("failed", "undecided"):
            lines += [f"**{_MARKS[suite.outcome]} {_cell(suite.scenario)} · {_cell(suite.column)}**", ""]
            for test in suite.tests:
                if test.outcome in ("failed", "undecided"):
                    lines += [*_fenced(test.text or test.message), ""]
    if suites:
        lines += ["<details><summary>Everything that was run</summary>", ""]
        lines += ["| | scenario | protocol | seeds | |", "|---|---|---|---|---|"]
        for suite in suites:
            said = "; ".join(test.message for test in suite.tests if test.outcome == suite.outcome and test.message)
            cells = (suite.scenario, suite.column, suite.seeds, said if suite.outcome != "passed" else "")
            lines.append(f"| {_MARKS[suite.outcome]} | {' | '.join(_cell(cell) for cell in cells)} |")
        lines += ["", "</details>", ""]
    return "\n".join(lines)


def _fenced(text: str) -> list[str]:
    """The text as it stands, behind a fence that it cannot close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, *_xml(text).splitlines(), fence]


def _cell(text: str) -> str:
    """The text in a cell of a table, where nothing in it is markup."""
    flat = " ".join(_xml(text).split())
    return re.sub(r"([\\`*_|<>\[\]~#])", r"\\\1", flat)


def workflow_commands(suites: Sequence[Suite]) -> Iterator[str]:
    """Workflow commands that make GitHub show each failure beside the scenario's file."""
    for suite in suites:
        for test in suite.tests:
            if test.outcome in ("failed", "undecided"):
                level = "error" if test.outcome == "failed" else "warning"
                title = _property(f"{suite.name}: {test.name}")
                yield f"::{level} file={_property(suite.file)},title={title}::{_data(test.text or test.message)}"


def _data(text: str) -> str:
    return _xml(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def counted(suites: Sequence[Suite]) -> str:
    """How many suites came to what, in words: "17 passed, 1 failed"."""
    outcomes = Counter(suite.outcome for suite in suites)
    told = [f"{outcomes[outcome]:,} {outcome}" for outcome in _MARKS if outcomes[outcome]]
    return ", ".join(told) or f"{plural(0, 'column')} run"
