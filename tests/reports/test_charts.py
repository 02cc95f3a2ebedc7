"""What the charts are drawn from: faults as spans, reigns, anomalies, phases, the sentence for a stale read."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest

from checkers import History, Observation, Observations, Outcome, Verdict
from reports import anomalies, drawing, latency, leaders, palette, proof, timeline
from reports.subject import Subject
from reports.timeline import Fault

MS = 1_000_000
Runs = Callable[[str], Subject]


def nemesis(*events: tuple[int, str, str, str, list[str]]) -> History:
    return History.from_events(
        {"time": at, "type": "info", "process": "nemesis", "f": f,
         "value": {"fault": name, "phase": phase, "nodes": nodes}}
        for at, f, name, phase, nodes in events
    )  # fmt: skip


def test_an_end_closes_the_open_fault_of_its_name_and_nodes() -> None:
    history = nemesis(
        (1, "crash", "crash", "starts", ["n1"]),
        (2, "crash", "crash", "starts", ["n2"]),
        (3, "crash", "crash", "ends", ["n2"]),
        (5, "crash", "crash", "ends", ["n1"]),
    )
    found = timeline.spans(history.nemesis(), None, 9)
    assert [(fault.nodes, fault.start, fault.end) for fault in found] == [(("n1",), 1, 5), (("n2",), 2, 3)]


def test_a_fault_that_nothing_ends_lasts_to_the_heal_or_else_to_the_end() -> None:
    events = nemesis((1, "pause", "p", "starts", ["n1"])).nemesis()
    assert timeline.spans(events, 7, 9)[0].end == 7
    assert timeline.spans(events, None, 9)[0].end == 9


def test_a_fault_is_at_work_from_its_start_until_just_before_its_end() -> None:
    cut, blink = Fault("cut", "partition", (), "", 10, 20), Fault("blink", "kill", (), "", 15, 15)
    assert timeline.during([cut, blink], 0, 9) == ()
    assert timeline.during([cut, blink], 0, 10) == ("cut",)
    assert timeline.during([cut, blink], 14, 16) == ("cut", "blink")
    assert timeline.during([cut, blink], 20, 30) == ()


def test_faults_of_other_tools_are_points_in_time() -> None:
    history = History.from_events([{"time": 4, "type": "info", "process": "nemesis", "f": "kill", "value": "n1"}])
    assert timeline.spans(history.nemesis(), None, 9) == (Fault("kill", "kill", (), "", 4, 4),)


def test_anomalies_say_who_when_and_during_which_fault(run_of: Runs) -> None:
    rows = anomalies.anomalies(run_of("stale"))
    assert [(row.by, row.operation, row.during, row.convicts) for row in rows] == [
        ("c3", "write x 41", (), False),
        ("c1", "write x 42", ("cut",), False),
        ("c4", "read x -> 42", ("cut",), False),
        ("r1", "read x -> 41", ("cut",), True),
    ]
    assert {row.checker for row in rows} == {"linearizable"}
    assert (rows[3].time, rows[3].until) == (3_240 * MS, 3_241 * MS)


def test_observations_are_anomalies_too(run_of: Runs) -> None:
    rows = anomalies.anomalies(run_of("split"))
    assert [(row.by, row.convicts) for row in rows] == [("n1", False), ("n3", False), ("n2", True)]
    assert rows[2].operation == "decide slot 17 b07712ee"


@pytest.mark.parametrize("name", ["valid", "small", "empty"])
def test_a_run_without_violations_has_no_anomalies(name: str, run_of: Runs) -> None:
    assert anomalies.anomalies(run_of(name)) == ()


def test_rows_of_anomalies_are_told_apart_by_their_whole_names(run_of: Runs) -> None:
    run = run_of("stale")
    named = ("bounded-staleness:t=2s", "bounded-staleness:t=3s,k=4", "committed-log-durability")
    judged = tuple(msgspec.structs.replace(run.judged[0], name=name) for name in named)
    with drawing.style("rows"):
        chart = anomalies.draw(msgspec.structs.replace(run, judged=judged))
    rows = [label.get_text() for label in chart.axes[0].get_yticklabels()]
    assert rows == ["bounded-staleness:\nt=2s", "bounded-staleness:\nt=3s,k=4", "committed-log-\ndurability"]


def proved(sample: ModuleType, *operations: Any, stuck: int) -> Verdict:
    history = sample.history([event for operation in operations for event in operation])
    told = history.operations()
    return Verdict(
        outcome=Outcome.INVALID, checker="linearizable", reason="", witness=tuple(told),
        details={"stuck": [told[stuck].index]},
    )  # fmt: skip


def test_a_stale_read_is_told_with_the_write_that_it_missed(sample: ModuleType) -> None:
    verdict = proved(
        sample,
        sample.operation(0, 10 * MS, 1, "write", "x", 1),
        sample.operation(20 * MS, 30 * MS, 2, "cas", "x", [1, 2], result=True),
        sample.operation(45 * MS, 50 * MS, 3, "read", "x", 1, node="n4"),
        stuck=2,
    )
    assert (
        proof.headline(verdict) == "c4 read x = 1 from n4, although c3's cas of 2 had been acknowledged 15 ms earlier."
    )


def test_a_nil_read_after_a_write_needs_no_older_write(sample: ModuleType) -> None:
    verdict = proved(
        sample,
        sample.operation(0, 10 * MS, 1, "write", "x", 1),
        sample.operation(20 * MS, 30 * MS, 2, "read", "x", None, node=None),
        stuck=1,
    )
    assert proof.headline(verdict) == "c3 read x = nil, although c2's write of 1 had been acknowledged 10 ms earlier."


def test_how_long_ago_a_write_was_acknowledged_never_stands_on_its_bar(sample: ModuleType, run_of: Runs) -> None:
    from reports import drawing, witness

    verdict = proved(
        sample,
        sample.operation(0, 200 * MS, 1, "write", "x", 1, session="c1"),
        sample.operation(212 * MS, 213 * MS, 1, "read", "x", None, session="c1"),
        stuck=1,
    )
    run = run_of("small")
    with drawing.style("witness"):
        drawn = witness.draw(run, sample.Judged("read-your-writes", verdict, "any", True))
        drawn.draw_without_rendering()
    texts = [text for axes in drawn.axes for text in axes.texts]
    said = next(text for text in texts if "acknowledged 12 ms earlier" in text.get_text())
    bars = [patch for axes in drawn.axes for patch in axes.patches]
    assert len(bars) == 2
    assert not any(said.get_window_extent().overlaps(bar.get_window_extent()) for bar in bars)


@pytest.mark.parametrize("older_ends", [25, None])
def test_no_sentence_is_claimed_where_the_older_write_may_be_the_newer(
    older_ends: int | None, sample: ModuleType
) -> None:
    verdict = proved(
        sample,
        sample.operation(0, None if older_ends is None else older_ends * MS, 1, "write", "x", 1),
        sample.operation(20 * MS, 30 * MS, 2, "write", "x", 2),
        sample.operation(45 * MS, 50 * MS, 3, "read", "x", 1),
        stuck=2,
    )
    assert proof.headline(verdict) is None


def test_a_refused_cas_wrote_nothing(sample: ModuleType) -> None:
    verdict = proved(
        sample,
        sample.operation(0, 10 * MS, 1, "write", "x", 1),
        sample.operation(20 * MS, 30 * MS, 2, "cas", "x", [7, 2], result=False),
        sample.operation(45 * MS, 50 * MS, 3, "read", "x", 1),
        stuck=2,
    )
    assert proof.headline(verdict) is None


def test_a_cut_off_leader_is_superseded_until_it_hears_of_it() -> None:
    told = Observations([
        Observation(time=10, node="n1", what="lead", term=1),
        Observation(time=50, node="n2", what="campaign", term=2),
        Observation(time=60, node="n2", what="lead", term=2),
        Observation(time=90, node="n1", what="follow", term=2),
    ])  # fmt: skip
    assert leaders.reigns(told, (), 100) == (
        leaders.Reign("n1", 1, 10, 90, 60),
        leaders.Reign("n2", 2, 60, 100, None),
    )


def test_a_crash_ends_a_reign_and_a_restart_does_not_revive_it() -> None:
    told = Observations([
        Observation(time=10, node="n1", what="lead", term=1),
        Observation(time=40, node="n1", what="start"),
    ])  # fmt: skip
    down = Fault("crash", "crash", ("n1",), "n1", 30, 40)
    assert leaders.reigns(told, (down,), 100) == (leaders.Reign("n1", 1, 10, 30, None),)


def test_phases_count_every_operation_but_the_final_reads_once(run_of: Runs) -> None:
    run = run_of("stale")
    table = latency.phases(run)
    asked = [operation for operation in run.history.operations() if not operation.final]
    assert list(table["phase"]) == ["calm, before the heal", "while faults last", "after the heal"]
    assert int(table["operations"].sum()) == len(asked)
    assert (table["ok"] + table["fail"] + table["info"] == table["operations"]).all()
    calm = [op for op in asked if op.type == "ok" and (op.time < 2_000 * MS or 5_600 * MS <= op.time < 7_000 * MS)]
    slowest = max(op.return_time - op.time for op in calm if op.return_time is not None)
    assert table["max"][0] == pytest.approx(slowest / MS)


def test_an_unanswered_operation_stands_at_its_timeout_or_else_at_the_end() -> None:
    history = History.from_events([
        {"time": 0, "type": "invoke", "process": 1, "f": "write", "value": 1},
        {"time": 0, "type": "invoke", "process": 2, "f": "write", "value": 2},
        {"time": 300 * MS, "type": "info", "process": 1, "f": "write", "value": 1},
    ])  # fmt: skip
    assert list(latency.frame(history.operations(), 1_000 * MS)["latency"]) == [300.0, 1000.0]


def test_operations_without_a_marker_of_their_own_get_different_ones() -> None:
    found = latency.shapes(["read", "pop", "push", "cas"])
    assert found["read"] == "o"
    assert len(set(found.values())) == 4


def test_an_answer_in_no_time_stands_on_a_line_of_its_own_and_leaves_the_median_alone(
    sample: ModuleType, run_of: Runs
) -> None:
    from reports.drawing import style

    events = [
        event
        for i in range(900)
        for event in sample.operation(i * MS, i * MS + (0 if i % 3 else 8 * MS), i, "read", "x", 1, session=f"c{i}")
    ]
    run = sample.replace(run_of("small"), history=sample.history(events), duration=1_000 * MS)
    with style("zero"):
        axes = latency.draw(run).axes[0]
        labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "0"
    assert "10" in labels
    heights = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    assert set(heights[~np.isnan(heights)].tolist()) == {8.0}
    assert list(latency.phases(run)["p50"]) == [0.0]


def test_every_colour_of_a_drawing_follows_the_theme_of_the_page(run_of: Runs) -> None:
    from reports.drawing import style, svg

    assert len(set(palette.LIGHT.values())) == len(palette.LIGHT)
    with style("theme"):
        drawn = svg(leaders.draw(run_of("stale")), "theme", "leaders")
    assert "var(--ok)" in drawn
    assert "var(--link)" in drawn
    assert not re.findall(r"#[0-9a-f]{6}\b", drawn)


def test_the_lattice_has_a_place_for_every_model_and_implications_lead_right() -> None:
    from checkers.lattice import EDGES, models
    from reports.lattice import PLACES

    assert set(PLACES) == set(models())
    assert all(PLACES[above][0] < PLACES[below][0] for above, below in EDGES)
