"""A history as lanes: the right operations, in red what could not come next, and a page that stays small."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from checkers import History, Outcome, Verdict
from reports import lanes
from reports.subject import Subject
from reports.words import value

Runs = Callable[[str], Subject]
MS = 1_000_000


def drawn(history: History, verdict: Verdict, folder: Path) -> str:
    lanes.draw_history(history, verdict, folder / "lanes.html")
    assert [path.name for path in folder.iterdir()] == ["lanes.html"]
    return (folder / "lanes.html").read_text("utf-8")


def test_the_stuck_operation_is_red_and_can_be_jumped_to(run_of: Runs, tmp_path: Path) -> None:
    run = run_of("stale")
    text = drawn(run.history, run.judged[0].verdict, tmp_path)
    assert text.count('class="op red"') == 1
    assert re.search(r'class="op red" id="error"[^>]*>.*?read x -&gt; 41', text)
    assert 'href="#error"' in text
    assert [int(n) for n in re.findall(r'class="number"[^>]*>(\d+)<', text)] == [1, 2, 3]
    own = [operation for operation in run.history.operations() if operation.key == "x"]
    assert f"{len(own)} operations on x drawn" in text
    assert text.count('<g class="op') == len(own)


def test_a_large_history_is_drawn_around_its_error_and_says_what_is_left_out(
    sample: ModuleType, tmp_path: Path
) -> None:
    events = [
        event for i in range(10_000) for event in sample.operation(i * MS, i * MS + MS // 2, i % 7, "write", "x", i)
    ]
    history = sample.history(events)
    stuck = history.operations()[6_000].index
    verdict = Verdict(
        outcome=Outcome.INVALID, checker="linearizable", reason="no",
        details={"stuck": [stuck], "longest": list(range(0, stuck, 2)), "key": "x"},
    )  # fmt: skip
    text = drawn(history, verdict, tmp_path)
    assert text.count('<g class="op') == lanes.BEFORE + lanes.AFTER
    assert "5,750 before and 3,850 after left out" in text
    assert text.count('id="error"') == 1
    assert len(text) < 400_000


def test_bars_that_overlap_in_the_history_overlap_in_the_picture(sample: ModuleType) -> None:
    history = sample.history(
        [
            *sample.operation(0, 10 * MS, 1, "write", "x", 1),
            *sample.operation(5 * MS, 20 * MS, 2, "write", "x", 2),
            *sample.operation(15 * MS, 30 * MS, 3, "read", "x", 2),
        ]
    )
    left, right, width = lanes._columns(history.operations())
    first, second, third = (operation.index for operation in history.operations())
    assert left[second] < right[first] < left[third] < right[second] < right[third] < width


def test_a_history_without_times_is_drawn_in_its_order(tmp_path: Path) -> None:
    history = History.from_events(
        [("invoke", 1, "write", 5), ("ok", 1, "write", 5), ("invoke", 2, "read", None), ("ok", 2, "read", None)]
    )
    stuck = history.operations()[1]
    verdict = Verdict(
        outcome=Outcome.INVALID, checker="linearizable", reason="no", witness=(stuck,),
        details={"stuck": [2], "longest": [0]},
    )  # fmt: skip
    text = drawn(history, verdict, tmp_path)
    assert "event 2 to event 3" in text
    assert text.count('class="op red"') == 1


@pytest.mark.parametrize("name", ["empty", "valid", "nasty"])
def test_any_history_gets_a_page_with_one_script_that_is_ours(name: str, run_of: Runs, tmp_path: Path) -> None:
    run = run_of(name)
    text = drawn(run.history, run.judged[0].verdict, tmp_path)
    assert text.count("<script") == (0 if name == "empty" else 1)
    assert "alert(" not in text.replace("alert(&#39;", "").replace("alert(&#x27;", "")
    assert "http" not in text.replace("http-equiv", "")
    assert 'class="op red"' not in text or name == "nasty"


def test_clients_stand_in_the_order_of_their_numbers() -> None:
    assert sorted(["c10", "r1", "c2", "c1"], key=lanes._natural) == ["c1", "c2", "c10", "r1"]


@pytest.mark.parametrize(
    ("items", "width", "text"),
    [
        ([1, 2, 3], 14, "[1, 2, 3]"),
        (list(range(100, 140)), 14, "[…, 139] (40)"),
        (list(range(100, 140)), 24, "[…, 137, 138, 139] (40)"),
        (["a" * 40, "b"], 14, '[…, "b"] (2)'),
        (["a", "b" * 40], 10, '["a", "bb…'),
    ],
)
def test_of_a_long_list_the_newest_elements_and_their_number_are_shown(items: list[Any], width: int, text: str) -> None:
    assert value(items, width) == text
