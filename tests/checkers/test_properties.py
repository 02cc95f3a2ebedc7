"""Changes that must not change a verdict."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from checkers import History, check
from checkers.history import Event
from tests.checkers import generate

drawn = st.tuples(st.sampled_from(generate.MODELS), st.integers(0, 1 << 30))


def history(model: str, seed: int) -> History:
    random = Random(seed)
    return generate.history(random, generate.shape(random, model))


def changed(events: list[Event], **more: list[object]) -> History:
    fields = [{name: getattr(event, name) for name in Event.__struct_fields__} for event in events]
    for name, values in more.items():
        for field, value in zip(fields, values, strict=True):
            field[name] = value
    return History.from_events(fields)


@given(drawn)
@settings(max_examples=60)
def test_renaming_processes_shifting_time_and_spreading_indices_change_nothing(which: tuple[str, int]) -> None:
    model, seed = which
    before = history(model, seed)
    events = list(before)
    after = changed(
        events,
        process=[f"client {event.process}" for event in events],
        time=[1_000 + 7 * event.index for event in events],
        index=[5 + 3 * event.index for event in events],
    )
    assert check(after, model=model).outcome == check(before, model=model).outcome


@given(st.sampled_from(["register", "cas-register", "kv"]), st.integers(0, 1 << 30))
@settings(max_examples=60)
def test_renaming_values_changes_nothing(model: str, seed: int) -> None:
    before = history(model, seed)

    def name(value: object) -> object:
        if isinstance(value, list):
            return [name(item) for item in value]
        return None if value is None else f"value {value}"

    events = list(before)
    after = changed(events, value=[name(event.value) for event in events])
    assert check(after, model=model).outcome == check(before, model=model).outcome


@given(drawn)
@settings(max_examples=60)
def test_removing_what_failed_and_reads_nobody_saw_changes_nothing(which: tuple[str, int]) -> None:
    model, seed = which
    before = history(model, seed)
    after = before.filter(lambda op: op.type != "fail" and not (op.type == "info" and op.f in ("read", "get")))
    if after.operations():
        assert check(after, model=model).outcome == check(before, model=model).outcome


@given(drawn)
@settings(max_examples=60)
def test_forgetting_an_answer_never_makes_a_valid_history_invalid(which: tuple[str, int]) -> None:
    model, seed = which
    before = history(model, seed)
    if check(before, model=model).outcome != "valid":
        return
    answered = [event for event in before if event.type == "ok"]
    lost = answered[seed % len(answered)].index
    after = History.from_events([event for event in before if event.index != lost and not _later(before, event, lost)])
    assert check(after, model=model).outcome != "invalid"


def _later(history: History, event: Event, lost: int) -> bool:
    """Events of the same process after the lost answer: a client that got none does not go on."""
    process = next(other.process for other in history if other.index == lost)
    return event.process == process and event.index > lost


@given(drawn, st.integers(0, 1 << 30))
@settings(max_examples=60)
def test_keys_are_judged_one_by_one(which: tuple[str, int], other: int) -> None:
    model, seed = which
    one, two = history(model, seed), history(model, other)
    events = []
    for number, part in enumerate((one, two)):
        for event in part:
            events.append({
                **{name: getattr(event, name) for name in Event.__struct_fields__},
                "process": f"{number}-{event.process}", "key": f"{number}-{event.key}",
                "index": 2 * event.index + number,
            })  # fmt: skip
    events.sort(key=lambda event: int(event["index"]))
    both = check(History.from_events(events), model=model).outcome
    apart = {check(one, model=model).outcome, check(two, model=model).outcome}
    expected = "invalid" if "invalid" in apart else "valid" if "valid" in apart else "unknown"
    assert both == expected
