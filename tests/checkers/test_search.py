"""How the search goes about it: what cuts it short changes nothing, and it remembers no more than it has to."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from random import Random

import pytest

from checkers import History, check, models
from checkers.parts import NEVER, Columns, Part, Steps
from checkers.search import Search
from tests.checkers import generate
from tests.checkers.shapes import detour, undone, watched


def drawn() -> Iterator[tuple[Part, Steps]]:
    """Parts that take some searching, valid and invalid, with unanswered operations among them."""
    for name in ("cas-register", "kv-append", "queue"):
        for seed in range(6):
            random = Random(f"search-{name}-{seed}")
            what = generate.Shape(name, operations=40, processes=5, values=2, info=0.1)
            history = generate.history(random, what, near_miss=0.5)
            parts, table = Columns(history, models.by_name(name)).parts(models.by_name(name))
            yield from ((part, table) for part in parts)


def found(search: Search) -> tuple[object, ...]:
    limit = search.limit if search.outcome is False else None
    return search.outcome, search.steps, search.level, search.longest, search.stuck, limit, search.memory


def test_a_search_that_stops_after_every_return_or_step_ends_up_as_one_that_does_not() -> None:
    for part, table in drawn():
        whole, sliced, stepped = Search(part, table), Search(part, table), Search(part, table)
        assert whole.run(1 << 40) is True
        pauses = limit = 0
        while not sliced.run(1 << 40, 1):
            assert sliced.outcome is None
            pauses += 1
        while stepped.outcome is None:
            assert stepped.run(limit) is True
            assert stepped.steps == min(limit, whole.steps)
            both = Search(part, table)
            while not both.run(limit, 1):
                pass
            assert found(both) == found(stepped)
            limit += 1
        assert limit == whole.steps + 1
        assert pauses >= whole.steps - 1
        assert found(whole) == found(sliced) == found(stepped)
        assert sliced.run(0) is True


def test_a_pause_comes_after_as_many_returns_as_were_asked_for() -> None:
    model = models.by_name("register")
    for f in ("write", "read"):
        events = [(kind, 0, f, n if f == "write" else None) for n in range(100) for kind in ("invoke", "ok")]
        (part,), table = Columns(History.from_events(events), model).parts(model)
        for work in (1, 7, 50):
            search = Search(part, table)
            calls = 1
            while not search.run(1 << 40, work):
                calls += 1
            assert search.outcome is True
            # Each configuration counts as one, and so does each return that observers alone took it across.
            assert calls == -(-(search.steps if f == "write" else 100) // work)


def test_a_search_that_may_do_no_work_says_whether_the_next_thing_would_be_a_step() -> None:
    part, table = watched()
    search = Search(part, table)
    assert search.run(0, 1) is True
    assert search.run(1, 0) is False
    assert search.steps == search.level == 0
    assert search.run(2, 5) is False
    before = search.steps, search.level, search.longest
    assert before[0] == 2  # in the middle of the reads: its last step is taken, but it is not at its end
    assert search.run(2, 0) is False
    assert before == (search.steps, search.level, search.longest)
    assert search.run(2) is True
    assert search.outcome is True


def test_an_order_that_satisfies_more_returns_is_the_longer_one_however_many_operations_another_has() -> None:
    part, table = detour()
    search = Search(part, table)
    assert search.run(1 << 40)
    assert (search.outcome, search.level, search.longest, sorted(search.stuck)) == (False, 1, [0], [1, 2, 3, 4])


def test_what_undoes_itself_is_not_looked_at_again() -> None:
    part, table = undone()
    search = Search(part, table)
    assert search.run(1 << 40)
    # Nothing, and each of the two alone, are remembered; both together, in either order, are nothing once more.
    assert (search.outcome, search.steps, sum(map(len, search._seen.values()))) == (False, 5, 3)


def test_the_estimate_of_memory_counts_what_is_remembered() -> None:
    for part, table in drawn():
        search = Search(part, table)
        assert search.memory == 0
        search.run(1 << 40)
        assert search.memory == 250 * sum(map(len, search._seen.values()))


def test_a_state_reached_with_other_unanswered_operations_is_looked_at_again() -> None:
    # 1 + 2 leads to 3 as well as 3 alone does, but then 1 is no longer there to make it 4.
    events: list[tuple[object, ...]] = [("invoke", n, "add", n) for n in (1, 2, 3)]
    for seen in (3, 4):
        events += [("invoke", 9, "read", None), ("ok", 9, "read", seen)]
    model = models.by_name("counter")
    (part,), table = Columns(History.from_events(events), model).parts(model)
    search = Search(part, table)
    search.run(1 << 40)
    assert search.outcome is True


def test_the_operations_of_one_moment_share_the_fewest_bits_and_no_two_have_the_same() -> None:
    for part, table in drawn():
        search = Search(part, table)
        search.run(1 << 40)
        search._extend(len(search._returns))
        infos = sum(end == NEVER for end in part.ends)
        widest = max(map(len, search._open))
        answered = [i for i in range(len(part)) if part.ends[i] != NEVER]
        assert max(search._bit[i] for i in answered) == 1 << (widest - 1)
        assert sorted(search._bit[i] for i in search._infos) == [1 << n for n in range(infos)]
        for nth, open_now in enumerate(search._open):
            until = part.ends[search._returns[nth]]
            assert open_now == sorted(
                (i for i in answered if part.begins[i] < until <= part.ends[i]), key=part.ends.__getitem__
            )
            assert len({search._bit[i] for i in open_now}) == len(open_now)
            assert search._info_count[nth] == sum(part.begins[i] < until for i in search._infos)


def test_only_as_much_is_worked_out_as_the_search_has_reached() -> None:
    for part, table in drawn():
        search = Search(part, table)
        assert len(search._open) == 1
        search.run(1 << 40)
        assert len(search._open) == min(search.level + 1, len(search._returns))


def test_equal_operations_that_are_open_together_are_tried_once() -> None:
    writes = [("invoke", n, "write", 1) for n in range(12)]
    rest = [("ok", n, "write", 1) for n in range(12)]
    events = [*writes, ("invoke", 20, "read", None), ("ok", 20, "read", 2), *rest]
    model = models.by_name("register")
    (part,), table = Columns(History.from_events(events), model).parts(model)
    search = Search(part, table)
    search.run(1 << 40)
    assert search.outcome is False
    assert search.steps == 13


def test_unanswered_operations_that_change_nothing_are_not_tried() -> None:
    lost = [("invoke", n, "write", n % 2) for n in range(10)]
    events = [*lost, ("invoke", 20, "read", None), ("ok", 20, "read", 7)]
    model = models.by_name("register")
    (part,), table = Columns(History.from_events(events), model).parts(model)
    search = Search(part, table)
    search.run(1 << 40)
    assert search.outcome is False
    assert search.steps <= 11


def test_a_verdict_accounts_for_every_step() -> None:
    random = Random("account")
    history = generate.history(random, generate.Shape("queue", operations=20, info=0.1), near_miss=0.0)
    (part,), table = Columns(history, models.by_name("queue")).parts(models.by_name("queue"))
    search = Search(part, table)
    search.run(1 << 40)
    assert check(history, model="queue").details["steps"] == search.steps > 0


def test_a_verdict_is_the_same_whether_or_not_the_compiler_is_loaded_already(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    from checkers import compiled

    begun: list[Part] = []

    class Counted(compiled.CompiledSearch):
        def __init__(self, part: Part, table: Steps) -> None:
            begun.append(part)
            super().__init__(part, table)

    monkeypatch.setattr(compiled, "CompiledSearch", Counted)
    for seed in range(4):
        what = generate.Shape("cas-register", operations=300, processes=6, values=3, info=0.02 * seed)
        history = generate.history(Random(f"loaded-{seed}"), what, near_miss=seed % 2)
        with monkeypatch.context() as loaded:
            loaded.setitem(sys.modules, "checkers.compiled", compiled)
            here = check(history, model="cas-register")
        assert len(begun) == seed + 1
        with monkeypatch.context() as unloaded:
            unloaded.delitem(sys.modules, "checkers.compiled")
            assert check(history, model="cas-register") == here


def test_a_search_that_is_dropped_leaves_nothing_behind() -> None:
    left = []
    gc.disable()  # reference counts alone must do: the frames of a search are not collected
    try:
        for part, table in drawn():
            for steps in (5, 1 << 40):
                search = Search(part, table)
                search.run(steps)
                left.append(weakref.ref(search))
                del search
        assert not any(reference() for reference in left)
    finally:
        gc.enable()
