"""`aftershock check`: any history from anywhere, and an exit code that says what came of it."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from checkers import History

from .conftest import Command

STALE = [
    ("invoke", 1, "write", 5), ("ok", 1, "write", 5), ("invoke", 1, "write", 6), ("ok", 1, "write", 6),
    ("invoke", 2, "read", None), ("ok", 2, "read", 5),
]  # fmt: skip
EDN = """\
{:type :invoke, :f :cas, :value [1 2], :process 0}
{:type :fail, :f :cas, :value [1 2], :process 0}
{:type :invoke, :f :write, :value 1, :process 1}
{:type :ok, :f :write, :value 1, :process 1}
{:type :invoke, :f :cas, :value [1 3], :process 0}
{:type :fail, :f :cas, :value [1 3], :process 0}
"""


@pytest.fixture
def stale(aftershock: Command) -> Path:
    History.from_events(STALE).dump("stale.jsonl")
    return Path("stale.jsonl")


@pytest.fixture
def fine(aftershock: Command) -> Path:
    History.from_events(STALE[:4]).dump("fine.jsonl")
    return Path("fine.jsonl")


def test_a_valid_history_exits_with_0_and_says_which_model_it_was_taken_for(aftershock: Command, fine: Path) -> None:
    ran = aftershock("check", fine)
    assert (ran.code, ran.err) == (0, "")
    assert "2 operations  model register (operations are write)" in ran.out
    assert "linearizable   valid" in ran.out


def test_an_invalid_history_exits_with_1_and_quotes_the_operations(aftershock: Command, stale: Path) -> None:
    ran = aftershock("check", stale)
    assert ran.code == 1
    assert "linearizable   invalid" in ran.out
    assert "read -> 5" in ran.out
    assert "write 6" in ran.out


def test_a_client_that_is_a_number_is_called_a_process(aftershock: Command) -> None:
    Path("late.jsonl").write_text(LATE.strip())
    out = aftershock("check", "late.jsonl").out
    assert "invalid  process 2 read = 1, although process 1's write of 2 had been acknowledged 50 ms" in out
    assert "0.053000 s to 0.054000 s  process 2: read -> 1" in out


def test_an_empty_history_is_undecided(aftershock: Command) -> None:
    Path("empty.jsonl").write_text("")
    assert aftershock("check", "empty.jsonl").code == 3


def test_a_search_that_may_not_take_enough_steps_is_undecided(aftershock: Command) -> None:
    events: list[tuple[str, int, str, int | None]] = [
        ("invoke", process, "write", process % 3) for process in range(12)
    ]
    for value in (0, 1, 0, 1, 2, 0):
        events += [("invoke", 99, "read", None), ("ok", 99, "read", value)]
    events += [("ok", process, "write", process % 3) for process in range(12)]
    History.from_events(events).dump("hard.jsonl")
    assert aftershock("check", "hard.jsonl").code == 0
    ran = aftershock("check", "hard.jsonl", "--steps", "1")
    assert ran.code == 3
    assert "unknown" in ran.out


def test_standard_input_is_a_history_too(aftershock: Command, stale: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO(stale.read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    assert aftershock("check", "-").code == 1


def test_the_convention_for_a_refused_cas_is_the_users_to_choose(aftershock: Command) -> None:
    Path("cas.edn").write_text(EDN)
    assert aftershock("check", "cas.edn").code == 0
    assert aftershock("check", "cas.edn", "--failed-cas", "observed").code == 1


def test_a_run_is_checked_by_its_folder_or_as_latest(aftershock: Command, runs: Path, acquitted: Path) -> None:
    assert aftershock("check", acquitted).code == 0
    assert aftershock("check", "latest").code == 1
    assert aftershock("check", runs / "latest" / "history.jsonl").code == 1


def test_json_is_one_document(aftershock: Command, stale: Path) -> None:
    ran = aftershock("check", stale, "-c", "strong", "--json")
    document = json.loads(ran.out)
    assert ran.code == 1
    assert (document["operations"], document["model"]) == (3, "register")
    assert [verdict["outcome"] for verdict in document["verdicts"]] == ["invalid"]
    assert document["verdicts"][0]["witness"][-1]["value"] == 5


def test_a_page_is_drawn_where_it_is_wanted(aftershock: Command, stale: Path) -> None:
    assert aftershock("check", stale, "--html", "page.html").code == 1
    assert "<svg" in Path("page.html").read_text()
    ran = aftershock("check", stale, "--html", "nowhere/page.html")
    assert (ran.code, ran.out) == (2, "")
    assert "nowhere/page.html cannot be written" in ran.err


LATE = """
{"index":0,"time":0,"type":"invoke","process":1,"f":"write","value":1}
{"index":1,"time":1000000,"type":"ok","process":1,"f":"write","value":1}
{"index":2,"time":2000000,"type":"invoke","process":1,"f":"write","value":2}
{"index":3,"time":3000000,"type":"ok","process":1,"f":"write","value":2}
{"index":4,"time":53000000,"type":"invoke","process":2,"f":"read","value":null}
{"index":5,"time":54000000,"type":"ok","process":2,"f":"read","value":1}
"""


def test_staleness_is_bounded_on_the_command_line(aftershock: Command) -> None:
    """The read is called 50 ms after the newer value was acknowledged, and is one version behind."""
    Path("late.jsonl").write_text(LATE.strip())
    for asked, code in (
        ("bounded-staleness", 0), ("bounded-staleness:t=50ms", 0), ("bounded-staleness:t=49.9ms", 1), ("weak:k=2", 0),
        ("weak:k=1", 1), ("weak:t=1s,k=2", 0), ("weak: t = 1s, k = 1", 1), ("strong", 1),
    ):  # fmt: skip
        ran = aftershock("check", "late.jsonl", "-c", asked)
        assert (ran.code, ran.err) == (code, ""), asked
    assert re.search(r"^  bounded-staleness   invalid  the smallest t is 50 ms, k is 2, but 1 was", aftershock(
        "check", "late.jsonl", "-c", "weak:k=1").out, re.MULTILINE)  # fmt: skip
    both = aftershock("check", "late.jsonl", "-c", "weak:t=50ms", "-c", "weak:t=1ms", "-c", "osc(u)", "--json")
    assert [verdict["outcome"] for verdict in json.loads(both.out)["verdicts"]] == ["valid", "invalid", "valid"]


def test_the_command_lines_of_the_page_on_consistency_work(aftershock: Command) -> None:
    Path("history.jsonl").write_text(LATE.strip())
    page = (Path(__file__).parents[2] / "docs" / "consistency.md").read_text("utf-8")
    commands = re.findall(r"^aftershock (check .*)$", page, re.MULTILINE)
    assert commands
    for command in commands:
        ran = aftershock(*shlex.split(command))
        assert (ran.code, ran.err) == (0, ""), command
        assert "valid    the smallest t is 50 ms, k is 2" in ran.out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("bounded-staleness:t", "expected MODEL:NAME=VALUE, such as bounded-staleness:t=50ms, not 't'"),
        ("bounded-staleness:", "expected MODEL:NAME=VALUE"),
        ("bounded-staleness:t=1ms,t=2ms", "t is given twice"),
        ("bounded-staleness:t=50", "t is a stretch of time such as"),
        ("bounded-staleness:k=0", "k counts versions: it must be a whole number of at least 1, not 0"),
        ("bounded-staleness:k=two", "k counts versions"),
        ("weak:d=1", "weak has no parameter 'd'; it has t, k"),
        ("linearizable:t=1ms", "linearizable has no parameter 't'"),
        ("linearizable:model=kv", "linearizable has no parameter 'model'"),
        ("week:t=1ms", "there is no consistency 'week'"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_in_one_line(aftershock: Command, asked: str, said: str) -> None:
    Path("late.jsonl").write_text(LATE.strip())
    ran = aftershock("check", "late.jsonl", "-c", asked)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err


def test_the_strongest_models_are_printed_and_drawn_into_the_page(aftershock: Command, stale: Path) -> None:
    ran = aftershock("check", stale, "--strongest", "--html", "page.html")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1] == "strongest: osc(u)"
    page = Path("page.html").read_text()
    assert "linearizable: <span" in page
    assert "The strongest that holds is osc(u)." in page
    assert page.count('role="img"') == 2
    assert aftershock("check", stale, "--strongest", "-c", "cm").code == 2


def test_quiet_says_nothing_of_a_valid_history(aftershock: Command, fine: Path, stale: Path) -> None:
    assert aftershock("check", fine, "-q").out == ""
    assert aftershock("check", stale, "-q").out != ""


BAD = [
    (b'{"type":"invoke","process":1,"f":"read","value":null}\n{"type":"ok"', "h:2: "),
    (b'{"type":"ok","process":1,"f":"read","value":null}\n', "h:1: ok of process 1 without an invoke"),
    (b'{"type":"invoke","process":1,"f":"read","value":null}\n' * 2, "h:2: process 1 invokes again"),
    (b'{"type":"invoke","process":1,"f":3,"value":null}\n', "h:1: "),
    (b'{"type":"invoke","process":1,"f":"juggle","value":null}\n', "juggle"),
    (b'{"type":"invoke","process":1,"f":"txn","value":[]}\n', "transactions"),
    (b"\x00\x01\x02\xff", "h:1: "),
    (b"[" * 100_000, ""),
    (b'{"a":' * 100_000, ""),
]


@pytest.mark.parametrize(("content", "said"), BAD, ids=[said for _, said in BAD[:-2]] + ["deep", "deeper"])
def test_what_is_no_history_is_refused_in_one_line(aftershock: Command, content: bytes, said: str) -> None:
    Path("h").write_bytes(content)
    ran = aftershock("check", "h")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_history_is_judged_or_refused(aftershock: Command, convicted: Path, cut: float) -> None:
    path = convicted / "history.jsonl"
    content = path.read_bytes()
    left = content[: content.rindex(b'"', 0, int(len(content) * cut))]  # in the middle of a line
    path.write_bytes(left)
    ran = aftershock("check", convicted)
    assert ran.code == 2
    assert f"{path}:" in ran.err
    path.write_bytes(b"\n".join(left.split(b"\n")[:-1]))
    assert aftershock("check", convicted).code in (0, 1), "what was asked and not answered may or may not have happened"
