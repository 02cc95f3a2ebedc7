"""Any well-formed history gets a verdict from every model, and changes that mean nothing change no verdict."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers import History, check
from checkers.history import Event
from checkers.lattice import APART, models
from tests.checkers import generate as objects
from tests.consistency import generate
from tests.consistency.subjects import SUBJECTS

NAMES = (*models(), *APART)
drawn = st.tuples(st.sampled_from(["small", "long", "ended", "kv"]), st.integers(0, 1 << 30))


def history(kind: str, seed: int) -> History:
    """Reads and writes, or a register that is read in the end, with times."""
    random = Random(f"{kind}/{seed}")
    if kind == "ended":
        return generate.ended(random, "kv")
    if kind == "kv":
        return SUBJECTS["bounded-staleness with cas, the smallest t"].generate(random)
    return SUBJECTS["cm" if kind == "small" else "monotonic-reads"].generate(random)


def outcomes(history: History, model: str = "kv") -> dict[str, Any]:
    """What every model says; of staleness the figures too, and of the models without a search the details."""
    found: dict[str, Any] = {}
    for name in NAMES:
        verdict = check(history, name, model)
        found[name] = (str(verdict.outcome), verdict.details.get("t"), verdict.details.get("k"))
    return found


def changed(history: History, **more: Any) -> History:
    fields = [{name: getattr(event, name) for name in Event.__struct_fields__} for event in history]
    for name, change in more.items():
        for field, event in zip(fields, history, strict=True):
            field[name] = change(event)
    return History.from_events(fields)


@given(drawn)
@settings(max_examples=40)
def test_renaming_processes_sessions_keys_and_replicas_changes_no_verdict(which: tuple[str, int]) -> None:
    before = history(*which)
    after = changed(
        before,
        process=lambda event: f"p{event.process}",
        session=lambda event: f"client {event.process if event.session is None else event.session}",
        key=lambda event: f"key {event.key}",
        node=lambda event: None if event.node is None else f"replica of {event.node}",
    )
    assert outcomes(after) == outcomes(before)


@given(drawn)
@settings(max_examples=40)
def test_renaming_values_changes_no_verdict(which: tuple[str, int]) -> None:
    def name(value: Any) -> Any:
        if isinstance(value, list):
            return [name(item) for item in value]
        return None if value is None else f"value {value}"

    before = history(*which)
    assert outcomes(changed(before, value=lambda event: name(event.value))) == outcomes(before)


@given(drawn, st.integers(1, 1 << 40))
@settings(max_examples=40)
def test_shifting_time_and_spreading_indices_changes_no_verdict(which: tuple[str, int], by: int) -> None:
    before = history(*which)
    after = changed(before, time=lambda event: event.time + by, index=lambda event: 5 + 3 * event.index)
    assert outcomes(after) == outcomes(before)


@given(drawn)
@settings(max_examples=40)
def test_what_failed_and_reads_that_nobody_saw_change_no_verdict(which: tuple[str, int]) -> None:
    before = history(*which)
    # A final read that was not answered says that a replica was not read, which is a reason not to know.
    after = before.filter(lambda op: op.type != "fail" and not (op.type == "info" and op.f == "read" and not op.final))
    if after.operations():
        assert outcomes(after) == outcomes(before)


@given(st.sampled_from(objects.MODELS), st.integers(0, 1 << 30))
@settings(max_examples=60)
def test_every_model_gives_a_verdict_on_every_object(model: str, seed: int) -> None:
    random = Random(seed)
    for name in NAMES:
        verdict = check(objects.history(random, objects.shape(random, model)), name, model)
        assert verdict.outcome in ("valid", "invalid", "unknown")
        assert verdict.reason


_values = st.one_of(st.none(), st.integers(-2, 2), st.booleans(), st.text(max_size=1), st.lists(st.integers(0, 1)))


@st.composite
def anything(draw: st.DrawFn) -> History:
    """Whatever a register's clients may ask and be answered, without any sense in it."""
    events: list[dict[str, Any]] = []
    clock = 0
    for process in range(draw(st.integers(1, 6))):
        session = draw(st.sampled_from(["a", "b", None]))
        for _ in range(draw(st.integers(1, 3))):
            f = draw(st.sampled_from(["read", "get", "write", "put", "cas", "delete"]))
            value = [draw(_values), draw(_values)] if f == "cas" else draw(_values)
            fields: dict[str, Any] = {
                "process": process, "session": f"{process} {session}", "f": f, "value": value, "time": clock,
                "key": draw(st.sampled_from([None, "x", 0])), "node": draw(st.sampled_from([None, "n1", "n2"])),
            }  # fmt: skip
            final = f in ("read", "get") and draw(st.booleans())
            kind = draw(st.sampled_from(["ok", "info", "fail", "open"]))
            events.append({**fields, "type": "invoke", "final": final})
            if kind == "open":
                break
            clock += draw(st.integers(0, 2))
            refused = kind == "ok" and f in ("cas", "delete") and draw(st.booleans())
            events.append({**fields, "type": kind, "time": clock, "final": final, "result": False if refused else None})
            if kind == "info":
                break
    return History.from_events(events)


@given(anything())
@settings(max_examples=120)
def test_no_history_of_a_register_makes_a_checker_fail(history: History) -> None:
    outcome = {name: str(check(history, name, "kv").outcome) for name in NAMES}
    assert set(outcome.values()) <= {"valid", "invalid", "unknown"}


@pytest.mark.parametrize("kind", ["small", "long", "ended", "kv"])
def test_the_histories_of_this_page_are_of_all_outcomes(kind: str) -> None:
    found = {outcome for seed in range(30) for outcome, _, _ in outcomes(history(kind, seed)).values()}
    assert {"valid", "invalid"} <= found
