"""A history is taken apart for a search without losing who said what about which key."""

from __future__ import annotations

from checkers import ILLEGAL, History, Model, Operation, check, models
from checkers.model import Illegal
from checkers.parts import Columns


def test_writes_whose_answers_leave_out_the_value_are_told_apart() -> None:
    for again in (3, 1):  # a value written twice has to be searched for
        events: list[tuple[object, ...]] = []
        for value in (1, 2, again):
            events += [("invoke", 0, "write", value), ("ok", 0, "write", None)]
            events += [("invoke", 0, "read", None), ("ok", 0, "read", value)]
        assert check(History.from_events(events), model="register")
        assert not check(History.from_events([*events[:-1], ("ok", 0, "read", 2)]), model="register")


def test_reads_that_asked_for_something_are_judged_by_what_they_saw() -> None:
    events: list[tuple[object, ...]] = [("invoke", 0, "read", 5), ("ok", 0, "read", None)]
    for value in (5, 6, 5):
        events += [("invoke", 0, "write", value), ("ok", 0, "write", value)]
        events += [("invoke", 0, "read", None), ("ok", 0, "read", value)]
    assert check(History.from_events(events), model="register")
    assert not check(History.from_events([*events[2:], *events[:2]]), model="register")


class Shelf(Model):
    """All keys in one object: ``put`` fills one, ``see`` names those that are filled, whatever its own key is."""

    initial = ()

    def step(self, state: tuple[object, ...], op: Operation) -> tuple[object, ...] | Illegal:
        if op.f == "put":
            return (*state, op.key, op.value)
        return state if op.type == "info" or list(state) == op.value else ILLEGAL


def test_keys_stay_together_unless_the_model_parts_them() -> None:
    events: list[tuple[object, ...]] = [
        ("invoke", 0, "put", "x", 1), ("ok", 0, "put", "x", 1), ("invoke", 0, "put", "y", 1), ("ok", 0, "put", "y", 1),
    ]  # fmt: skip
    for seen, valid in ((["x", 1, "y", 1], True), (["x", 1, "x", 1], False), (["y", 1], False)):
        history = History.from_events([*events, ("invoke", 0, "see", "y", None), ("ok", 0, "see", "y", seen)])
        assert bool(check(history, model=Shelf())) == valid


def test_operations_of_several_keys_share_classes_where_each_key_is_an_object_of_its_own() -> None:
    events = [(kind, 0, "put", key, 1) for key in "xyzx" for kind in ("invoke", "ok")]
    history = History.from_events(events)
    parts, table = Columns(history, models.by_name("kv")).parts(models.by_name("kv"))
    assert [(part.name, part.numbers, part.classes) for part in parts] == [
        ("x", [0, 3], [0, 0]), ("y", [1], [0]), ("z", [2], [0]),
    ]  # fmt: skip
    assert len(table.samples) == 1


def test_faults_alone_are_no_operations() -> None:
    history = History.from_events([("info", "nemesis", "cut", None), ("info", "nemesis", "heal", None)])
    for model in models.names():
        assert check(history, model=model).outcome == "unknown"


def test_what_failed_and_reads_without_an_answer_are_not_counted() -> None:
    events = [("invoke", n, f, n) for n, f in enumerate(("write", "write", "write", "read", "read"))]
    history = History.from_events([*events, ("ok", 0, "write", 0), ("fail", 1, "write", 1), ("fail", 4, "read", None)])
    verdict = check(history, model="register")
    assert verdict.details["operations"] == 2
    assert "2 operations" in verdict.reason
