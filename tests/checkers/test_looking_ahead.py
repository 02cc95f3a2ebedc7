"""Where states only grow a search looks ahead; these are the cases in which it must not look too far."""

from __future__ import annotations

from checkers import History, check, models
from checkers.parts import Columns
from checkers.search import Search


def spread(*calls: tuple[str, object, object]) -> History:
    """Operations that are all open at one moment: f, what is asked, what is answered."""
    invokes = [("invoke", n, f, asked) for n, (f, asked, _) in enumerate(calls)]
    return History.from_events(invokes + [("ok", n, f, answered) for n, (f, _, answered) in enumerate(calls)])


def after(first: History, then: History) -> History:
    events = [*first, *then]
    return History.from_events([(e.type, e.process, e.f, e.value) for e in events])


def test_two_removes_together_may_empty_a_set_though_neither_does_alone() -> None:
    full = spread(("add", 1, 1), ("add", 2, 2))
    assert check(after(full, spread(("remove", 1, 1), ("remove", 2, 2), ("read", None, []))), model="set")
    assert not check(after(full, spread(("remove", 1, 1), ("read", None, []))), model="set")


def test_a_put_that_is_still_to_come_may_explain_a_get() -> None:
    grown = spread(("put", "a", "a"), ("append", "b", "b"))
    assert check(after(grown, spread(("put", "c", "c"), ("append", "d", "d"), ("get", None, "cd"))), model="kv-append")
    assert not check(after(grown, spread(("put", "c", "c"), ("get", None, "d"))), model="kv-append")


def test_appends_before_a_get_are_ordered_by_what_it_saw_without_trying_all_orders() -> None:
    letters = [f"{n}." for n in range(9)]
    seen = "".join(reversed(letters))
    appends = spread(*(("append", letter, letter) for letter in letters))
    model = models.by_name("kv-append")
    for text, valid in ((seen, True), (seen[2:] + seen[:2], True), (seen + "x", False)):
        history = after(appends, spread(("get", None, text)))
        assert bool(check(history, model=model)) == valid
        (part,), table = Columns(history, model).parts(model)
        search = Search(part, table)
        search.run(1 << 40)
        assert search.steps < 200


def test_a_get_behind_a_further_put_is_not_foreseen() -> None:
    calls = [("append", "a"), ("append", "b"), ("append", "d"), ("put", "c"), ("get", "c")]
    events = [(kind, 0, f, value) for f, value in calls for kind in ("invoke", "ok")]
    assert check(History.from_events(events), model="kv-append")


def test_a_search_that_may_not_look_ahead_goes_as_far_as_there_is_an_order() -> None:
    calls = [("append", "a"), ("append", "b"), ("append", "d"), ("get", "x")]
    events = [(kind, 0, f, value) for f, value in calls for kind in ("invoke", "ok")]
    model = models.by_name("kv-append")
    (part,), table = Columns(History.from_events(events), model).parts(model)
    for ahead in (True, False):
        search = Search(part, table, ahead=ahead)
        search.run(1 << 40)
        assert search.outcome is False
        assert (search.foreseen, len(search.longest)) == ((True, 1) if ahead else (False, 3))
