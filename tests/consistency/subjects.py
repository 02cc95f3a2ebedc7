"""What is compared with what: for each consistency its random histories, and the oracle that says what is true of
them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import accumulate
from random import Random
from typing import Any

import msgspec

from checkers import History, check, sequential
from checkers.lattice import EDGES, models
from tests.checkers import generate as objects
from tests.consistency import generate, oracle


class Subject(msgspec.Struct, frozen=True):
    """``judge`` and ``oracle`` answer True, False, or None for unknown, or a tuple of that and what else they found."""

    generate: Callable[[Random], History]
    judge: Callable[[History], Any]
    oracle: Callable[[History], Any]


def verdict(history: History, name: str, model: str) -> bool | None:
    found = check(history, name, model=model)
    return None if found.outcome == "unknown" else bool(found)


def small(random: Random) -> History:
    """Small enough for brute force over orders, and about as often valid as not for each of the stronger models."""
    sessions = random.choice((2, 2, 3, 3, 4))
    old = random.choice((0.0, 0.0, 0.3, 0.6, 0.9, 0.9))
    return generate.wild(
        random,
        random.randint(6, 9),
        sessions,
        random.choice((1, 1, 2, 2, 3)),
        old=old,
        info=random.choice((0.0, 0.0, 0.2)),
        reads=random.choice((0.5, 0.6)),
        near_miss=not old and random.random() < 0.9,
    )


def _swapping(random: Random) -> History:
    """Some updates compare and set; what was never answered is a plain write."""
    return generate.wild(
        random, random.randint(5, 8), random.choice((2, 2, 3)), random.choice((1, 1, 2)),
        old=random.choice((0.0, 0.2, 0.4)), reads=random.choice((0.3, 0.4, 0.5)), cas=random.choice((0.4, 0.8)),
    )  # fmt: skip


def _guarantee(history: History, name: str) -> bool:
    return oracle.guarantee(history, name)


def _long(
    operations: tuple[int, int],
    keys: tuple[int, ...],
    sessions: tuple[int, ...],
    old: tuple[float, ...],
    cas: float = 0.0,
) -> Callable[[Random], History]:
    def draw(random: Random) -> History:
        return generate.wild(
            random, random.randint(*operations), random.choice(sessions), random.choice(keys), old=random.choice(old),
            info=0.0 if cas else random.choice((0.0, 0.0, 0.2)), reads=0.6, cas=cas,
        )  # fmt: skip

    return draw


def longer(random: Random) -> History:
    """Long enough to break what a session is promised about its own reads and writes, and about those of others."""
    return generate.wild(
        random,
        random.randint(10, 22),
        random.choice((2, 3)),
        random.choice((1, 1, 2)),
        old=random.choice((0.0, 0.6, 0.8, 1.0, 1.0)),
        info=random.choice((0.0, 0.0, 0.2)),
        reads=0.6,
    )


@cache
def _object(model: str) -> Callable[[Random], History]:
    """Histories of any object, of sessions that go on after what was never answered."""

    def draw(random: Random) -> History:
        shape, changes = objects.shape(random, model), (8, 16, 32)
        if model == "register":  # a few changes, and it still has some order
            changes = (16, 32, 64)
        elif model == "kv":
            shape = msgspec.structs.replace(shape, operations=random.randint(5, 10), info=min(shape.info, 0.1))
        return _with_sessions(objects.history(random, shape, changes=changes))

    return draw


def _with_sessions(history: History) -> History:
    """Whoever was never answered goes on under the next new process."""
    events = list(history.events())
    last = {event.process: index for index, event in enumerate(events)}
    session: dict[Any, str] = {}
    free: list[str] = []
    result = []
    for index, event in enumerate(events):
        if event.process not in session:
            session[event.process] = free.pop(0) if free else f"s{len(session)}"
        if last[event.process] == index and event.type in ("invoke", "info"):
            free.append(session[event.process])
        result.append(msgspec.structs.replace(event, session=session[event.process]))
    return History.from_events(result)


def _orders(
    name: str, model: str, truth: Callable[[History, str], bool], draw: Callable[[str], Callable[[Random], History]]
) -> Subject:
    def expected(history: History) -> bool | None:
        return truth(history, model) if _answered(history) else None

    return Subject(draw(model), lambda history: verdict(history, name, model), expected)


@cache
def _growing(model: str) -> Callable[[Random], History]:
    return lambda random: generate.grown(random, model)


@cache
def _ended(model: str) -> Callable[[Random], History]:
    return lambda random: generate.ended(random, model)


def _registers(name: str, truth: Callable[[History], bool], draw: Callable[[Random], History] = small) -> Subject:
    return Subject(draw, lambda history: verdict(history, name, "kv"), truth)


def _timed(random: Random) -> History:
    """A write takes a while, reads are late by a few instants."""
    return generate.wild(
        random, random.randint(4, 7), random.choice((2, 3)), random.choice((1, 1, 2)), old=random.choice((0.3, 0.6)),
        info=random.choice((0.0, 0.2)), reads=0.55,
    )  # fmt: skip


def _timed_object(random: Random) -> History:
    """As much, with cas, deletes and refusals."""
    shape = msgspec.structs.replace(objects.shape(random, "kv"), operations=random.randint(3, 7))
    events = list(_with_sessions(objects.history(random, shape, changes=(2, 4, 8))))
    times = accumulate(random.randint(0, 3) for _ in events)
    return History.from_events(
        [msgspec.structs.replace(event, time=time) for event, time in zip(events, times, strict=True)]
    )


def _figure(history: History, name: str) -> Any:
    """The smallest t, or the bounds of k."""
    found = check(history, "bounded-staleness", model="kv").details
    return found[name] if found["t"] is not None else found["k"][1]


def _true_figure(history: History, name: str) -> Any:
    """k is exact where it is 1 or 2; above, its bounds are those of the definition."""
    t = oracle.smallest_t(history)
    if name == "t" or t is None:
        return t
    k = oracle.smallest_k(history)
    assert k is not None
    if k <= 2:
        return [k, k]
    low, high = oracle.k_bounds(history)
    assert low <= k
    assert high is None or k <= high
    return [max(low, 3), high]


def _by_forced_orders(history: History, name: str) -> bool | None:
    """Forced orders come before any search, as they do in long histories."""
    usual, sequential._FORCED = sequential._FORCED, 0
    try:
        return verdict(history, name, "kv")
    finally:
        sequential._FORCED = usual


def _answered(history: History) -> bool:
    return any(op.type == "ok" for op in history.operations())


def _reads(history: History) -> bool:
    return any(op.type == "ok" and op.f in ("read", "get") for op in history.operations())


def _convergence(history: History, model: str) -> Any:
    found = check(history, "eventual", model=model)
    return (None if found.outcome == "unknown" else bool(found)), found.details.get("converged")


def _true_convergence(history: History, model: str) -> Any:
    true = oracle.eventual(history, model)
    return true, oracle.converged(history, model) if true else None


def _losses(history: History, model: str) -> Any:
    found = check(history, "no-lost-writes", model=model)
    figures = {name: value for name, value in found.details.items() if name in _FIGURES}
    return (None if found.outcome == "unknown" else bool(found)), figures


_FIGURES = ("lost", "never-read", "stale", "worst-stale", "resurrected", "duplicated")


def _true_losses(history: History, model: str) -> Any:
    judged = model in ("set", "list") and bool(oracle.final_groups(history)[0])
    return oracle.no_lost_writes(history, model), oracle.figures(history, model) if judged else {}


SUBJECTS: dict[str, Subject] = {
    **{
        f"bounded-staleness, the smallest {figure}": Subject(
            _timed,
            lambda history, figure=figure: _figure(history, figure) if _reads(history) else None,  # type: ignore[misc]
            lambda history, figure=figure: _true_figure(history, figure) if _reads(history) else None,  # type: ignore[misc]
        )
        for figure in ("t", "k")
    },
    **{
        f"bounded-staleness with cas, the smallest {figure}": Subject(
            _timed_object,
            lambda history, figure=figure: _figure(history, figure) if _reads(history) else None,  # type: ignore[misc]
            lambda history, figure=figure: _true_figure(history, figure) if _reads(history) else None,  # type: ignore[misc]
        )
        for figure in ("t", "k")
    },
    **{
        f"{name} of kv by forced orders": Subject(
            _object("kv"),
            lambda history, name=name: _by_forced_orders(history, name),  # type: ignore[misc]
            lambda history, truth=truth: truth(history, "kv") if _answered(history) else None,  # type: ignore[misc]
        )
        for name, truth in (("sequential", oracle.sequential), ("osc(u)", oracle.osc_u))
    },
    "linearizable": _registers("linearizable", lambda history: oracle.linearizable(history, "kv")),
    "sequential": _registers("sequential", lambda history: oracle.sequential(history, "kv")),
    "osc(u)": _registers("osc(u)", lambda history: oracle.osc_u(history, "kv")),
    **{
        f"{name} by forced orders": Subject(
            small,
            lambda history, name=name: _by_forced_orders(history, name),  # type: ignore[misc]
            lambda history, truth=truth: truth(history, "kv"),  # type: ignore[misc]
        )
        for name, truth in (("sequential", oracle.sequential), ("osc(u)", oracle.osc_u))
    },
    "cc": _registers("cc", oracle.cc),
    "ccv": _registers("ccv", oracle.ccv),
    "cm": _registers("cm", oracle.cm),
    "pram": _registers("pram", oracle.pram),
    **{
        name: _registers(name, lambda history, name=name: oracle.guarantee(history, name), longer)  # type: ignore[misc]
        for name in ("read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads")
    },
    **{
        f"{name} with cas": _registers(name, truth, _swapping)
        for name, truth in (("cc", oracle.cc), ("ccv", oracle.ccv), ("cm", oracle.cm), ("pram", oracle.pram))
    },
    **{
        f"{name} with cas": _registers(name, partial(_guarantee, name=name), _long(*shape, cas=0.5))
        for name, shape in (
            ("read-your-writes", ((8, 11), (1, 2), (2, 3), (0.2, 0.6))),
            ("monotonic-reads", ((8, 14), (1, 2), (2, 3), (0.1, 0.4))),
            ("monotonic-writes", ((11, 16), (1, 2), (2, 3), (0.4, 0.9))),
            ("writes-follow-reads", ((9, 14), (1, 2), (2, 3), (0.1, 0.4))),
        )
    },
    **{
        f"{name} of {what}{model}": _orders(name, model, truth, draw)
        for what, of, draw in (
            ("", ("register", "cas-register", "set", "queue", "kv-append"), _object),
            ("a growing ", generate.ADDS, _growing),
        )
        for name, truth in (
            ("linearizable", oracle.linearizable),
            ("sequential", oracle.sequential),
            ("osc(u)", oracle.osc_u),
        )
        for model in of
    },
    **{
        f"eventual of {model}": Subject(
            _ended(model),
            lambda history, model=model: _convergence(history, model),  # type: ignore[misc]
            lambda history, model=model: _true_convergence(history, model),  # type: ignore[misc]
        )
        for model in ("kv", "set", "list", "counter")
    },
    **{
        f"no-lost-writes of {model}": Subject(
            _ended(model),
            lambda history, model=model: _losses(history, model),  # type: ignore[misc]
            lambda history, model=model: _true_losses(history, model),  # type: ignore[misc]
        )
        for model in ("kv", "set", "list", "counter")
    },
}


class Drawn(msgspec.Struct, frozen=True):
    """A random history for a subject, and what brute force says of it."""

    name: str
    history: History
    true: Any


def drawn(name: str, number: int) -> Drawn:
    history = SUBJECTS[name].generate(Random(f"{name}/{number}"))
    return Drawn(name, history, SUBJECTS[name].oracle(history))


def judged(case: Drawn) -> str:
    """Judge it: "valid", "invalid" or "unknown". Raises AssertionError where the checker and brute force differ."""
    true, found = case.true, SUBJECTS[case.name].judge(case.history)
    if found != true or type(found) is not type(true):
        events = "\n".join(map(str, case.history))
        raise AssertionError(f"{case.name}: the checker says {found}, brute force {true}\n{events}")
    true = true[0] if isinstance(true, tuple) else true
    if true is None and "bounded" not in case.name:
        return "unknown"
    # t = 0 and k = 1 are the linearizable ones.
    return "valid" if true is True or (true is not False and true in (0, [1, 1])) else "invalid"


def compare(name: str, number: int) -> str:
    """Judge one random history twice."""
    return judged(drawn(name, number))


def pools() -> dict[str, list[str]]:
    """Subjects that are drawn alike and so can share their histories, by the first of them."""
    found: dict[Callable[[Random], History], list[str]] = {}
    for name, subject in SUBJECTS.items():
        found.setdefault(subject.generate, []).append(name)
    return {names[0]: names for names in found.values()}


def shared(names: list[str], number: int, *, edges: bool = True) -> dict[str, str]:
    """Judge one history for each of these, and look at the edges of the lattice: between all models, or them alone."""
    history = SUBJECTS[names[0]].generate(Random(f"shared/{names[0]}/{number}"))
    found = {name: judged(Drawn(name, history, SUBJECTS[name].oracle(history))) for name in names}
    of = {name.partition(" of ")[0]: outcome for name, outcome in found.items()}
    if edges and names[0] in models():
        of |= {name: str(check(history, name, "kv").outcome) for name in models() if name not in of}
    for above, below in EDGES:
        if (of.get(above), of.get(below)) == ("valid", "invalid"):
            events = "\n".join(map(str, history))
            raise AssertionError(f"{names[0]}, history {number}: {above} but not {below}\n{events}")
    return found
