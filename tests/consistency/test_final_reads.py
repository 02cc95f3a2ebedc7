"""The models of the quiet end, case by case: who is asked, what counts as written, and what the sentences say."""

from __future__ import annotations

from typing import Any

import pytest

from checkers import History, check, no_lost_writes


def ended(updates: list[Any], *finals: tuple[Any, Any], model: str = "register", key: Any = None) -> History:
    """Updates as (f, value) or (f, value, fields), one after the other, then final reads as (node, value)."""
    events: list[dict[str, Any]] = []
    for number, (f, value, *more) in enumerate(updates):
        fields = {"process": number, "f": f, "value": value, "key": key, **(more[0] if more else {})}
        kind = fields.pop("type", "ok")
        result = fields.pop("result", None)
        events.append({**fields, "type": "invoke"})
        if kind != "open":
            events.append({**fields, "type": kind, "result": result})
    for number, (node, value) in enumerate(finals):
        fields = {"process": f"reader {number}", "f": "read", "key": key, "final": True}
        events.append({**fields, "type": "invoke"})
        events.append({**fields, "type": "ok", "value": value, "node": node})
    return History.from_events([{**event, "time": number} for number, event in enumerate(events)])


def test_a_disagreement_names_the_replicas_their_values_and_the_key() -> None:
    history = ended([("write", 1), ("write", 2)], ("n1", 2), ("n2", 1), key="x")
    verdict = check(history, "eventual", model="kv")
    assert verdict.reason == 'replicas disagree on key "x": n1 returned 2 (event 5), n2 returned 1 (event 7)'
    assert [op.value for op in verdict.witness] == [2, 1]
    verdict = check(ended([("write", 1)], (None, 1), (None, None)), "eventual", model="register")
    assert verdict.reason.startswith('replicas disagree: session "reader 0" returned 1')


def test_what_nobody_wrote_is_named() -> None:
    verdict = check(ended([("write", 1)], ("n1", 7), ("n2", 7)), "eventual", model="register")
    assert verdict.reason == "7 was never written, but n1 returned 7 (event 3)"
    assert [op.node for op in verdict.witness] == ["n1"]
    verdict = check(ended([("add", 1)], ("n1", [1, 5]), key="x"), "eventual", model="set")
    assert verdict.reason.startswith('5 on key "x" was never written')


def test_a_refused_update_wrote_nothing_and_so_did_one_of_another_key() -> None:
    refused = ended([("add", 1, {"result": False})], ("n1", [1]))
    assert "never written" in check(refused, "eventual", model="set").reason
    events = [*ended([("add", 2)], ("n1", []), key="y"), *ended([("add", 1)], ("n1", [2]), key="x")]
    fields = ("type", "process", "f", "key", "value", "node", "final")
    both = sorted(events, key=lambda event: event.final)
    history = History.from_events([{name: getattr(event, name) for name in fields} for event in both])
    assert "2 on key" in check(history, "eventual", model="set").reason


def test_without_times_nobody_knows_how_long_it_took() -> None:
    history = History.from_events([
        {"type": kind, "process": n, "f": f, "value": 1, "final": f == "read"}
        for n, f in enumerate(("write", "read"))
        for kind in ("invoke", "ok")
    ])  # fmt: skip
    assert check(history, "eventual", model="register").details["converged"] == {"": None}
    listed = History.from_events([
        {"type": kind, "process": n, "f": f, "value": 1 if f == "append" else value, "final": n == 2}
        for n, (f, value) in enumerate((("append", 1), ("read", []), ("read", [1])))
        for kind in ("invoke", "ok")
    ])  # fmt: skip
    found = check(listed, "no-lost-writes", model="list").details
    assert (found["stale"], found["worst-stale"]) == ([1], 0)


def test_an_update_that_is_marked_final_is_no_final_read_and_does_not_disturb_the_quiet() -> None:
    for where in (0, 1):
        marked = ("cas", [1, 2], {"final": True, "node": "n1"})
        reads = [("n1", 2), ("n2", 2)]
        history = ended([("write", 1), marked], *reads)
        if where:
            events = list(history)
            moved = [*events[:2], *events[4:6], *events[2:4], *events[6:]]
            fields = ("type", "process", "f", "key", "value", "node", "final")
            history = History.from_events([{name: getattr(event, name) for name in fields} for event in moved])
        assert check(history, "eventual", model="cas-register").outcome == "valid"


def test_whoever_is_under_way_between_two_final_reads_disturbs_them() -> None:
    events: list[dict[str, Any]] = [
        {"type": "invoke", "process": 0, "f": "write", "value": 1},
        {"type": "invoke", "process": 1, "f": "read", "final": True},
        {"type": "ok", "process": 1, "f": "read", "value": None, "final": True, "node": "n1"},
        {"type": "ok", "process": 0, "f": "write", "value": 1},
        {"type": "invoke", "process": 1, "f": "read", "final": True},
        {"type": "ok", "process": 1, "f": "read", "value": 1, "final": True, "node": "n2"},
    ]
    for name in ("eventual", "no-lost-writes"):
        verdict = check(History.from_events(events), name, model="register")
        assert verdict.outcome == "unknown"
        assert "was under way when the final reads began" in verdict.reason


def test_a_lost_write_is_told_with_who_ended_with_what() -> None:
    verdict = check(ended([("write", 1)], ("n1", None)), "no-lost-writes", model="register")
    assert verdict.reason.endswith("was acknowledged, but replica n1 ended with the initial value")
    verdict = check(ended([("write", 1)], (None, 7)), "no-lost-writes", model="register")
    assert verdict.reason.endswith('but session "reader 0" ended with 7, which nobody wrote')
    verdict = check(ended([("increment", None)], ("n1", 0)), "no-lost-writes", model="counter")
    assert "add up to 1, the final value can be 1; but replica n1 ended with 0" in verdict.reason
    verdict = check(
        ended([("increment", None), ("add", 2, {"type": "open"})], ("n1", 0)), "no-lost-writes", model="counter"
    )
    assert "can be between 1 and 3" in verdict.reason


@pytest.mark.parametrize(
    ("most", "value", "valid"),
    [(4, 14, True), (4, -3, True), (4, 15, False), (4, -4, False), (4, 13, True), (16, 13, False), (16, 11, True)],
)
def test_too_many_unanswered_changes_are_judged_by_their_bounds(most: int, value: int, valid: bool) -> None:
    changes = [("add", by, {"type": "open"}) for by in (2, 4, 8, -3)]
    history = ended([("increment", None), ("decrement", None), *changes], ("n1", value))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(no_lost_writes, "_SUMS", most)
        assert bool(check(history, "no-lost-writes", model="counter")) == valid


def test_an_element_comes_back_if_one_replica_holds_it_after_every_add_was_over_before_its_remove() -> None:
    calls = [("add", 1), ("add", 1), ("remove", 1)]
    for reads, back in (([[1], []], [1]), ([[], []], []), ([[1], [1]], [1])):
        history = ended(calls, *((f"n{n}", value) for n, value in enumerate(reads)))
        assert check(history, "no-lost-writes", model="set").details["resurrected"] == back
    again = ended([("add", 1), ("remove", 1), ("add", 1)], ("n1", [1]))
    assert check(again, "no-lost-writes", model="set").details["resurrected"] == []


def test_without_a_final_read_of_a_key_its_elements_are_not_lost() -> None:
    events = [*ended([("add", 1)], key="x"), *ended([("add", 2)], ("n1", [2]), key="y")]
    fields = ("type", "process", "f", "key", "value", "node", "final")
    history = History.from_events([{name: getattr(event, name) for name in fields} for event in events])
    verdict = check(history, "no-lost-writes", model="set")
    assert verdict.details["lost"] == []
    assert verdict.outcome == "unknown"
    assert 'no final read of key "x" was answered' in verdict.reason
