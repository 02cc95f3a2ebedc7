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


def quiet(finals: tuple[str, ...], *told: tuple[str, Any], answered: str = "n1") -> History:
    """A write that a node answered, what the nemesis told, and final reads, each by a session of its own."""
    written = ended([("write", 1, {"node": answered})], *((node, 1) for node in finals))
    events = [
        {name: getattr(event, name) for name in ("type", "process", "f", "value", "node", "final")}
        for event in written.events()
    ]
    nemesis = [{"type": "info", "process": "nemesis", "f": name, "value": value} for name, value in told]
    return History.from_events([*events[:2], *nemesis, *events[2:]])


@pytest.mark.parametrize(
    ("told", "lacks"),
    [
        ((), "n3"),  # it has answered
        ((("heal", {"nodes": ["n1", "n2"]}),), None),
        ((("heal", {"nodes": ("n1", "n2", "n4")}),), "n4"),
        ((("crash", {"nodes": ["n1", "n2"]}),), "n3"),
        ((("heal", {"what": "everything"}),), "n3"),
        ((("heal", ["n1", "n2"]),), "n3"),
        ((("heal", None),), "n3"),
    ],
)
def test_replicas_are_whom_the_nemesis_names_at_heal_or_else_whoever_answered(
    told: tuple[tuple[str, Any], ...], lacks: str | None
) -> None:
    verdict = check(quiet(("n1", "n2"), *told, answered="n3"), "eventual", model="register")
    assert verdict.reason == (f"replica {lacks} answered no final read" if lacks else "2 final reads of 1 key agree")


def test_who_reads_alone_is_answered_by_anybody_who_was_healed() -> None:
    history = quiet(("n1",), ("heal", {"nodes": ["n1", "n2"]}))
    assert check(history, "eventual", model="register")


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


# ---- what is told


def test_of_sets_each_replica_is_told_what_it_lacks() -> None:
    history = ended([("add", n) for n in range(10)], ("n1", list(range(10))), ("n2", [0, 9]), model="set")
    reason = check(history, "eventual", model="set").reason
    assert reason == ("replicas disagree: n2 returned no 1, 2, 3, 4, 5, 6, …, as n1 did (events 21, 23)")
    history = ended([("add", n) for n in range(8)], ("n1", [0, 1, 2, 3, 4, 5, 6]), ("n2", [0, 7]), key="x")
    assert check(history, "eventual", model="set").reason == (
        'replicas disagree on key "x": n2 returned no 1, 2, 3, 4, 5, 6, as n1 did; n1 returned no 7, as n2 did '
        "(events 17, 19)"
    )
    for first, second in ((None, [1]), ([1], None)):
        history = ended([("add", 1)], ("n1", first), ("n2", second))
        lacks, has = ("n1", "n2") if first is None else ("n2", "n1")
        reason = check(history, "eventual", model="set").reason
        assert reason == f"replicas disagree: {lacks} returned no 1, as {has} did (events 3, 5)"
    mixed = ended([("add", True), ("add", 1)], ("n1", [1]), ("n2", [True]))
    assert "n2 returned no 1, as n1 did; n1 returned no true, as n2 did" in check(mixed, "eventual", model="set").reason


@pytest.mark.parametrize("key", [None, "x"])
def test_the_key_is_in_the_details_where_there_is_one(key: Any) -> None:
    history = ended([("write", 1), ("write", 2)], ("n1", 1), ("n2", 2), key=key)
    for name in ("eventual", "no-lost-writes"):
        verdict = check(history, name, model="kv" if key else "register")
        assert verdict.outcome == "invalid"
        assert verdict.details.get("key", "none") == (key or "none")
    counted = ended([("increment", None)], ("n1", 3), key=key)
    reason = check(counted, "no-lost-writes", model="counter").reason
    assert reason.startswith("acknowledged changes" + (' of "x"' if key else "") + " add up to 1, ")


def test_several_lost_elements_are_counted_and_named() -> None:
    calls = [("add", n) for n in range(9)]
    one = check(ended(calls, ("n1", list(range(8)))), "no-lost-writes", model="set")
    assert one.reason.endswith("was acknowledged, but replica n1 ended without 8")
    two = check(ended(calls, ("n1", list(range(7)))), "no-lost-writes", model="set")
    assert two.reason.endswith("replica n1 ended without 7; 2 elements are lost: 7, 8")
    keyed = check(ended(calls, ("n1", [0, 1, 2]), key="x"), "no-lost-writes", model="set")
    assert keyed.reason.endswith('; 6 elements are lost: "x" 3, "x" 4, "x" 5, "x" 6, "x" 7, "x" 8')
    assert keyed.details["lost"] == [["x", n] for n in range(3, 9)]
    many = check(ended(calls, ("n1", [])), "no-lost-writes", model="set")
    assert many.reason.endswith("; 9 elements are lost: 0, 1, 2, 3, 4, 5, …")


# ---- decisions


def test_a_decision_is_one_that_was_proposed() -> None:
    proposals = [("propose", 1, {"result": 1}), ("propose", 2, {"result": 1})]
    for value, valid in ((1, True), (2, True), (None, True), (3, False), (True, False)):
        verdict = check(ended(proposals, ("n1", value), ("n2", value)), "eventual", model="consensus")
        assert bool(verdict) == valid
        if not valid:
            told = "true" if value is True else value
            assert verdict.reason == f"{told} was never written, but n1 returned {told} (event 5)"
    split = check(ended(proposals, ("n1", 1), ("n2", 2)), "eventual", model="consensus")
    assert split.reason == "replicas disagree: n1 returned 1 (event 5), n2 returned 2 (event 7)"


@pytest.mark.parametrize(
    ("proposal", "final", "kept"),
    [
        (("propose", 1, {"result": 1}), 1, True),
        (("propose", 1, {"result": 1}), 2, False),
        (("propose", 1, {"result": 2}), 2, True),
        (("propose", 1, {"result": 2}), 1, False),
        (("propose", 1, {"result": 1}), True, False),
        (("propose", 1), 2, True),  # it was not told which one won
        (("propose", 1, {"result": 1, "type": "info"}), 2, True),  # nobody heard the answer
    ],
)
def test_what_a_proposal_was_answered_with_is_the_decision(proposal: Any, final: Any, kept: bool) -> None:
    calls = [("propose", 2), proposal]
    verdict = check(ended(calls, ("n1", final), model="consensus"), "no-lost-writes", model="consensus")
    assert verdict.outcome == ("valid" if kept else "invalid")
    if not kept:
        assert verdict.reason.startswith("propose 1 -> ")
        assert verdict.reason.endswith(
            f" was acknowledged, but replica n1 ended with {'true' if final is True else final}"
        )
        assert [op.value for op in verdict.witness] == [1, final]


def test_to_decide_false_is_no_refusal() -> None:
    history = ended([("propose", False, {"result": False})], ("n1", False), ("n2", False))
    for name in ("eventual", "no-lost-writes"):
        assert check(history, name, model="consensus").outcome == "valid"
    lost = ended([("propose", False, {"result": False}), ("propose", True)], ("n1", True), ("n2", True))
    assert check(lost, "no-lost-writes", model="consensus").outcome == "invalid"


def test_an_answer_that_nobody_heard_refuses_nothing() -> None:
    history = ended([("add", 1, {"type": "info", "result": False}), ("add", 2)], ("n1", [1, 2]))
    assert check(history, "eventual", model="set").outcome == "valid"
    assert check(history, "no-lost-writes", model="set").details["never-read"] == []
