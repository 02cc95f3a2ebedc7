"""The compiled search where small histories do not lead: wide, long, with much to remember, and with pauses."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, islice
from types import ModuleType
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest

from checkers import History, check, models
from checkers.parts import NEVER, Columns, Part, Steps
from checkers.search import Search
from tests.checkers import generate, sweep
from tests.checkers.shapes import HARD, grown, hard, long, much, parts_of, shapes, wide

if TYPE_CHECKING:
    from checkers.compiled import CompiledSearch

compiled = pytest.importorskip("checkers.compiled")


def test_it_knows_what_the_plain_search_knows_wherever_both_stop() -> None:
    for part, table, limits in shapes():
        assert sweep.twins(part, table, *limits) == ""


def test_a_model_with_many_classes_is_asked_for_one_step_at_a_time_and_that_changes_nothing() -> None:
    with mock.patch.object(compiled, "_FEW_CLASSES", 0):
        for part, table, limits in islice(shapes(), 0, None, 3):
            assert sweep.twins(part, table, *limits) == ""


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("count", [62, 63, 64, 130])
def test_more_may_be_open_together_than_a_word_has_bits(count: int, answered: bool) -> None:
    assert sweep.twins(*wide(count, answered=answered), 5, 60) == ""


@pytest.mark.parametrize("limit", [100, 1_100, 1 << 40])
@pytest.mark.parametrize("seed", HARD)
def test_what_is_remembered_may_outgrow_its_first_table(seed: int, limit: int) -> None:
    assert sweep.twins(*hard(seed), limit) == ""


def _looks(search: CompiledSearch) -> float:
    """How many places have to be looked at to find a remembered configuration, and all of them are found."""
    found, looks = [], 0
    for e in search._heads.tolist():
        way = 0
        while e >= 0:
            way += 1
            looks += way
            found.append(e)
            e = int(search._links[e])
    assert sorted(found) == list(range(len(found)))
    assert len(found) == search._control[compiled._ENTRIES]
    return looks / len(found)


def test_many_configurations_are_remembered_once_each_and_spread_over_their_table() -> None:
    writes = [(kind, 0, "write", n % 2) for n in range(700) for kind in ("invoke", "ok")]
    for part, table in (much(8), parts_of(writes, "register")):
        plain, search = Search(part, table), compiled.CompiledSearch(part, table)
        plain.run(1 << 40)
        assert sweep.told(search, 1 << 40)[0]["steps"] == plain.steps
        count, size = sum(map(len, plain._seen.values())), len(search._entries)
        assert size == (1024 if count <= 1024 else 2048)
        assert (len(search._links), len(search._heads)) == (size, 2 * size)
        assert search._entries.shape[1] == 2 + len(search._current)
        assert _looks(search) < 1.1 + count / (2 * size) / 2  # about what it would be if places were drawn by lot


def test_the_operations_of_one_moment_share_the_fewest_bits_and_no_two_have_the_same() -> None:
    some = [grown(model, seed) for model in ("set", "list") for seed in range(12)]
    for part, table in (*some, wide(130, answered=True), wide(130, answered=False)):
        search = compiled.CompiledSearch(part, table)
        places = list(zip(search._word.tolist(), search._bit.tolist(), strict=True))
        every = [(word, 1 << n) for word in range(len(search._current)) for n in range(63)]
        widest = 0
        for i in search._returns.tolist():
            until = part.ends[i]
            present = [k for k in range(len(part)) if part.begins[k] < until <= part.ends[k] != NEVER]
            assert len({places[k] for k in present}) == len(present)
            widest = max(widest, len(present))
        answered = [i for i in range(len(part)) if part.ends[i] != NEVER]
        lost = [i for i in range(len(part)) if part.ends[i] == NEVER]
        assert {places[i] for i in answered} == set(every[:widest])
        beyond = -(-widest // 63)
        assert [places[i] for i in lost] == every[63 * beyond :][: len(lost)]
        assert len(search._current) == beyond + -(-len(lost) // 63)


def test_steps_are_found_wherever_in_their_table_they_had_to_go() -> None:
    for kept in combinations(range(14), 4):
        keys, values = np.full(8, -1, np.int64), np.zeros(8, np.int64)
        new = np.array(kept, np.int64)
        compiled._store(keys, values, new[:2], new[:2] + 100)
        compiled._store(keys, values, new[1:], new[1:] + 200)  # one of them once more
        assert sorted(keys[keys != -1].tolist()) == list(kept)
        found = [compiled._find(keys, values, key) for key in range(20)]
        expected = {key: 200 + key for key in kept} | {kept[0]: 100 + kept[0]}
        assert found == [expected.get(key, -2) for key in range(20)]


def test_a_table_of_steps_is_grown_when_it_would_be_more_than_half_full_and_never_much_too_large() -> None:
    # 32 states by 64 classes are half of 4,096 exactly; 16 classes more fit no longer.
    for more in (0, 16):
        calls = [("read", 0)]
        for n in range(1, 32):
            calls += [("add", n), ("read", n * (n + 1) // 2)]
        calls += [("read", -1 - n) for n in range(1 + more)]
        events = [(kind, 0, f, value) for f, value in calls for kind in ("invoke", "ok")]
        part, table = parts_of(events, "counter")
        search = compiled.CompiledSearch(part, table)
        sweep.told(search, 1 << 40)
        known = sum(map(len, table.rows))
        assert known == 32 * (64 + more) == int((search._keys != -1).sum())
        assert len(search._keys) == (4096 if not more else 16384)


def test_a_model_is_asked_for_whole_rows_of_steps_unless_it_has_too_many_classes() -> None:
    part, table = hard(4)
    width = len(table.samples)
    asked = []
    for few in (width, width - 1):
        with mock.patch.object(compiled, "_FEW_CLASSES", few):
            table = Steps(table.model, table.samples)
            sweep.told(compiled.CompiledSearch(part, table), 1 << 40)
        asked.append({len(row) for row in table.rows})
    assert asked[0] <= {0, width}
    assert not asked[1] <= {0, width}


def test_what_another_search_has_asked_is_not_kept_twice() -> None:
    for seed in HARD:
        part, table = hard(seed)
        Search(part, table).run(20)
        search = compiled.CompiledSearch(part, table)
        sweep.told(search, 1 << 40)
        keys = search._keys[search._keys != -1].tolist()
        assert len(keys) == len(set(keys))


def test_a_pause_comes_after_as_many_returns_as_were_asked_for() -> None:
    for f in ("write", "read"):
        events = [(kind, 0, f, 1 if f == "write" else None) for _ in range(100) for kind in ("invoke", "ok")]
        part, table = parts_of(events, "register")
        Search(part, table).run(1 << 40)  # the model has no more to say
        for work in (1, 7, 50, 100):
            search = compiled.CompiledSearch(part, table)
            calls = 1
            search._work = work
            while not search.run(1 << 40):
                search._work = work
                calls += 1
            assert search.outcome is True
            assert calls == -(-(search.steps if f == "write" else 100) // work)


class Clock:
    """Time goes by so much from one look to the next."""

    def __init__(self, pace: float) -> None:
        self.now, self.pace = Fraction(0), Fraction(pace)

    def perf_counter(self) -> Fraction:
        self.now += self.pace
        return self.now


def test_a_call_visits_more_or_less_until_it_takes_as_long_as_it_should() -> None:
    part, table = much(8)
    Search(part, table).run(1 << 40)  # the model has no more to say
    for pace, factor in ((0.0, 2), (0.015, 1), (0.02, 1), (0.03, 1), (0.04, 0.5), (0.05, 0.5)):
        with mock.patch.object(compiled, "time", Clock(pace)):
            search = compiled.CompiledSearch(part, table)
            for work in (500, 100):
                before, search._work = search.steps, work
                assert not search.run(1 << 40)
                assert search.steps == before + work
                assert search._work == max(factor * work, 64)


def test_it_comes_back_when_a_model_takes_its_time() -> None:
    for pace, pauses in ((0.0, 0), (0.004, 29 // 4), (0.015, 29 // 2), (0.02, 29)):
        with mock.patch.object(compiled, "time", Clock(pace)):
            search = compiled.CompiledSearch(*long(29))
            calls = 0
            while not search.run(1 << 40):
                calls += 1
        assert search.outcome is True
        assert calls == pauses


def test_a_long_part_is_searched_compiled_once_the_compiler_is_there_and_accounts_for_every_step() -> None:
    assert "checkers.compiled" in sys.modules
    events = [(kind, 0, f, 1) for _ in range(80) for f in ("write", "write") for kind in ("invoke", "ok")]
    part, table = parts_of(events, "register")
    search = compiled.CompiledSearch(part, table)
    sweep.told(search, 1 << 40)
    verdict = check(History.from_events(events), model="register")
    assert verdict.details["steps"] == search.steps == 161


def test_a_table_of_steps_that_grows_keeps_what_it_knew() -> None:
    part, table = long(90)
    search = compiled.CompiledSearch(part, table)
    while not search.run(1 << 40):
        pass
    assert search.outcome is True
    assert search.steps == 91
    known = {state * 90 + kind: after for state, row in enumerate(table.rows) for kind, after in row.items()}
    stored = search._keys != -1
    assert dict(zip(search._keys[stored].tolist(), search._values[stored].tolist(), strict=True)) == known
    assert len(search._keys) > 4096


def test_a_pause_changes_nothing() -> None:
    for seed in HARD:
        part, table = hard(seed)
        whole, sliced = Search(part, table), compiled.CompiledSearch(part, table)
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
    plain = _plain(monkeypatch)
    for part, table, limit in drawn():
        one, two = compiled.CompiledSearch(part, table), plain.CompiledSearch(part, table)
        for search in (one, two):
            while not search.run(limit):
                pass
        assert (one.outcome, one.memory) == (two.outcome, two.memory)
        count = int(one._control[6])
        for name in ("_control", "_best", "_heads", "_keys", "_values", "_opens", "_word", "_bit"):
            assert (getattr(one, name) == getattr(two, name)).all(), name
        assert (one._entries[:count] == two._entries[:count]).all()
        assert (one._links[:count] == two._links[:count]).all()
