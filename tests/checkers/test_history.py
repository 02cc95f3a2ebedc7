"""Histories in memory: constructors, views, filters, merges."""

from __future__ import annotations

import pytest

from checkers import BadHistory, Event, History, check
from checkers.history import EventType

KINDS: tuple[EventType, ...] = ("invoke", "ok")
WRITE = {"process": 0, "f": "write", "value": 1, "call": 10, "return": 20}


def test_every_constructor_builds_the_same_history() -> None:
    tuples = History.from_events([("invoke", 0, "write", "x", 1), ("ok", 0, "write", "x", 1)])
    dicts = History.from_events(
        [{"type": kind, "process": 0, "f": "write", "key": "x", "value": 1} for kind in ("invoke", "ok")]
    )
    events = History.from_events(
        [Event(index=n, type=kind, process=0, f="write", key="x", value=1) for n, kind in enumerate(KINDS)]
    )
    columns = History.from_columns(type=KINDS, process=[0, 0], f=["write", "write"], key=["x", "x"], value=[1, 1])
    again = History.from_operations(tuples.operations())
    assert tuples == dicts == events == columns == again


def test_operations_that_touch_are_concurrent() -> None:
    late = {"process": 1, "f": "read", "value": None, "call": 20, "return": 30}
    assert check(History.from_operations([WRITE, late]))
    assert not check(History.from_operations([WRITE, {**late, "call": 21}]))


def test_an_operation_without_a_return_is_unanswered() -> None:
    history = History.from_operations(
        [{**WRITE, "return": None}, {"process": 1, "f": "read", "value": 1, "call": 90, "return": 95}]
    )
    assert history.operations()[0].type == "info"
    assert history.operations()[0].end == float("inf")
    assert check(history)


def test_a_process_may_call_at_the_instant_it_returned() -> None:
    history = History.from_operations([WRITE, {"process": 0, "f": "read", "value": 1, "call": 20, "return": 30}])
    assert [op.index for op in history.operations()] == [0, 2]


def test_an_ok_keeps_the_value_of_the_invocation_unless_it_read_nil() -> None:
    history = History.from_events(
        [("invoke", 0, "write", 5), ("ok", 0, "write", None), ("invoke", 0, "read", 5), ("ok", 0, "read", None)]
    )
    assert [op.value for op in history.operations()] == [5, None]


def test_true_is_not_one() -> None:
    history = History.from_events(
        [("invoke", 0, "write", True), ("ok", 0, "write", True), ("invoke", 0, "read", None), ("ok", 0, "read", 1)]
    )
    assert check(history).outcome == "invalid"
    assert history.operations()[0].value is True


def test_filter_keeps_indices_and_faults() -> None:
    history = History.from_events([
        ("invoke", 0, "write", "x", 1), ("info", "nemesis", "cut", None), ("ok", 0, "write", "x", 1),
        ("invoke", 0, "read", "y", None), ("ok", 0, "read", "y", None),
    ])  # fmt: skip
    part = history.filter(key="y")
    assert [event.index for event in part] == [1, 3, 4]
    assert part.keys() == ["y"]
    assert history.keys() == ["x", "y"]
    assert len(history.filter(lambda op: op.f == "write").operations()) == 1


def test_merged_histories_interleave_by_time_and_keep_their_processes_apart() -> None:
    one = History.from_operations([WRITE])
    two = History.from_operations([{"process": 0, "f": "read", "value": 1, "call": 15, "return": 40}])
    merged = one.merge(two)
    assert [(op.process, op.f) for op in merged.operations()] == [(0, "write"), (1, "read")]
    assert check(merged)
    with pytest.raises(BadHistory, match=r"needs the time"):
        one.merge(History.from_events([("invoke", 0, "read", None)]))


BAD = [
    ([("ok", 0, "read", 1)], "event 0: ok of process 0 without an invoke"),
    ([("invoke", 0, "read", None), ("invoke", 0, "read", None)], "event 1: process 0 invokes again"),
    (
        [("invoke", 1, "read", None), ("invoke", 0, "write", 1), ("ok", 0, "read", 1)],
        r'event 2: process 0 completes f "read", but has invoked f "write" \(event 1\)',
    ),
    (
        [("invoke", 0, "write", "x", 1), ("info", 0, "write", "y", 1)],
        r'event 1: process 0 completes key "y", but has invoked key "x" \(event 0\)',
    ),
    ([("begin", 0, "read", 1)], "event 0: .*begin"),
    ([("invoke", 0)], "event 0: expected an Event"),
    ([{"type": "invoke", "f": "read"}], "event 0: .*process"),
]


@pytest.mark.parametrize(("events", "message"), BAD)
def test_what_is_no_history_is_refused_with_its_place(events: list[object], message: str) -> None:
    with pytest.raises(BadHistory, match=message):
        History.from_events(events)  # type: ignore[arg-type]


def test_a_client_may_go_on_after_info() -> None:
    history = History.from_events(
        [("invoke", 0, "write", 1), ("info", 0, "write", 1), ("invoke", 0, "read", None), ("ok", 0, "read", None)]
    )
    assert [op.type for op in history.operations()] == ["info", "ok"]


def test_operations_unknown_to_the_model_are_named_with_their_index() -> None:
    history = History.from_events(
        [("invoke", 0, "read", None), ("ok", 0, "read", None), ("invoke", 0, "push", 1), ("ok", 0, "push", 1)]
    )
    with pytest.raises(BadHistory, match="event 2: the model register does not know 'push'"):
        check(history, model="register")
    with pytest.raises(BadHistory, match="no model knows"):
        check(history)
    with pytest.raises(BadHistory, match="event 0: a cas needs the value"):
        check(History.from_events([("invoke", 0, "cas", 3), ("ok", 0, "cas", 3)]))
    with pytest.raises(BadHistory, match="event 0: transactions"):
        check(History.from_events([("invoke", 0, "txn", [])]))
    with pytest.raises(ValueError, match=r"there is no consistency 'serious'; known are .*linearizable"):
        check(history, "serious")
