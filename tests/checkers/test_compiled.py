"""The compiled search where small histories do not lead: wide, long, with much to remember, and with pauses."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from random import Random
from types import ModuleType
from typing import Any

import pytest

from checkers import History, models
from checkers.parts import Columns, Part, Steps
from checkers.search import Search
from tests.checkers import generate, sweep

pytest.importorskip("numba")


def parts_of(events: list[Any], model: str) -> tuple[Part, Steps]:
    object_ = models.by_name(model)
    (part,), table = Columns(History.from_events(events), object_).parts(object_)
    return part, table


def wide(count: int, *, answered: bool, seed: int = 0) -> tuple[Part, Steps]:
    """So many additions that are open together, more than a word has bits, and reads that see some of them."""
    random = Random(f"wide-{count}-{seed}")
    events: list[Any] = [("invoke", n, "add", n % 5) for n in range(count)]
    total = 0
    for n in range(12):
        total += random.randrange(5)
        events += [("invoke", "reader", "read", None), ("ok", "reader", "read", total)]
        if answered:
            events.append(("ok", n, "add", n % 5))
    events += [("ok", n, "add", n % 5) for n in range(12, count) if answered]
    return parts_of(events, "counter")


HARD = (3, 4, 7)  # these take 787, 1,228 and 271 steps


def hard(seed: int) -> tuple[Part, Steps]:
    shape = generate.Shape("cas-register", operations=120, processes=12, values=2, info=0.15, fail=0.0)
    return parts_of(list(generate.history(Random(seed), shape, near_miss=1.0)), "cas-register")


def long(count: int) -> tuple[Part, Steps]:
    """As many states as operations: the table of steps has to grow."""
    return parts_of([(kind, 0, "append", n) for n in range(count) for kind in ("invoke", "ok")], "list")


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("count", [62, 63, 64, 130])
def test_more_may_be_open_together_than_a_word_has_bits(count: int, answered: bool) -> None:
    for limit in (5, 60):
        assert sweep.twins(*wide(count, answered=answered), limit) == ""


@pytest.mark.parametrize("limit", [100, 1_100, 1 << 40])
@pytest.mark.parametrize("seed", HARD)
def test_what_is_remembered_may_outgrow_its_first_table(seed: int, limit: int) -> None:
    assert sweep.twins(*hard(seed), limit) == ""


def test_a_table_of_steps_that_grows_keeps_what_it_knew() -> None:
    from checkers.compiled import CompiledSearch

    part, table = long(90)
    search = CompiledSearch(part, table)
    while not search.run(1 << 40):
        pass
    assert search.outcome is True
    assert search.steps == 91
    known = {state * 90 + kind: after for state, row in enumerate(table.rows) for kind, after in row.items()}
    stored = search._keys != -1
    assert dict(zip(search._keys[stored].tolist(), search._values[stored].tolist(), strict=True)) == known
    assert len(search._keys) > 4096


def test_a_pause_changes_nothing() -> None:
    from checkers.compiled import CompiledSearch

    for seed in HARD:
        part, table = hard(seed)
        whole, sliced = Search(part, table), CompiledSearch(part, table)
        whole.run(150)
        pauses = 0
        while True:
            sliced._work = 1
            if sliced.run(150):
                break
            assert sliced.outcome is None
            pauses += 1
        assert pauses >= 100
        assert (sliced.outcome, sliced.steps, sliced.longest) == (whole.outcome, whole.steps, whole.longest)


def _plain(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    import numba

    from checkers import compiled

    monkeypatch.setattr(numba, "njit", lambda **_: lambda function: function)
    assert compiled.__file__ is not None
    found = importlib.util.spec_from_file_location("plain_kernels", compiled.__file__)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def drawn() -> Iterator[tuple[Part, Steps, int]]:
    yield (*wide(70, answered=True), 60)
    yield (*wide(70, answered=False), 60)
    yield (*hard(4), 1 << 40)
    yield (*long(90), 1 << 40)
    for seed in range(40):
        case = sweep.drawn(generate.MODELS[seed % len(generate.MODELS)], seed)
        model = models.by_name(case.model)
        parts, table = Columns(case.history, model).parts(model)
        yield from ((part, table, 1 << 40) for part in parts)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_the_kernels_do_the_same_as_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutants of the kernels are tried as plain Python: every table ends up as it does when they are compiled."""
    from checkers.compiled import CompiledSearch

    plain = _plain(monkeypatch)
    for part, table, limit in drawn():
        one, two = CompiledSearch(part, table), plain.CompiledSearch(part, table)
        for search in (one, two):
            while not search.run(limit):
                pass
        assert (one.outcome, one.memory) == (two.outcome, two.memory)
        count = int(one._control[6])
        for name in ("_control", "_best", "_heads", "_keys", "_values", "_opens", "_word", "_bit"):
            assert (getattr(one, name) == getattr(two, name)).all(), name
        assert (one._entries[:count] == two._entries[:count]).all()
        assert (one._links[:count] == two._links[:count]).all()
