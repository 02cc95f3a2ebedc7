"""What is compared with what: for each consistency its random histories, and the oracle that says what is true of
them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import msgspec

from checkers import History, check, sequential
from tests.checkers import generate as objects
from tests.consistency import generate, oracle


class Subject(msgspec.Struct, frozen=True):
    """``judge`` and ``oracle`` answer True, False, or None for unknown."""

    generate: Callable[[Random], History]
    judge: Callable[[History], Any]
    oracle: Callable[[History], Any]


def verdict(history: History, name: str, model: str) -> bool | None:
    found = check(history, name, model=model)
    return None if found.outcome == "unknown" else bool(found)


def _wild(random: Random) -> History:
    """Small enough for brute force over orders, and about as often valid as not for each of the stronger models."""
    if random.random() < 0.1:
        return generate.history(random, generate.shape(random))
    sessions = random.choice((2, 2, 3, 3, 4))
    return generate.wild(
        random,
        random.randint(6, 9),
        sessions,
        random.choice((1, 1, 2, 2, 3)),
        old=random.choice((0.3, 0.6, 0.9)),
        info=random.choice((0.0, 0.0, 0.2)),
        reads=random.choice((0.5, 0.6)),
    )


def _swapping(random: Random) -> History:
    """Some updates compare and set; what was never answered is a plain write."""
    return generate.wild(
        random, random.randint(5, 8), random.choice((2, 2, 3)), random.choice((1, 1, 2)),
        old=random.choice((0.0, 0.1, 0.3)), reads=random.choice((0.3, 0.4, 0.5)), cas=random.choice((0.4, 0.8)),
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


def _object(model: str) -> Callable[[Random], History]:
    def draw(random: Random) -> History:
        return _with_sessions(objects.history(random, objects.shape(random, model), near_miss=0.95))

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


def _orders(name: str, model: str, truth: Callable[[History, str], bool]) -> Subject:
    def expected(history: History) -> bool | None:
        return truth(history, model) if any(op.type == "ok" for op in history.operations()) else None

    return Subject(_object(model), lambda history: verdict(history, name, model), expected)


def _registers(name: str, truth: Callable[[History], bool], draw: Callable[[Random], History] = _wild) -> Subject:
    return Subject(draw, lambda history: verdict(history, name, "kv"), truth)


def _timed(random: Random) -> History:
    """A write takes a while, reads are late by a few instants."""
    return generate.wild(
        random, random.randint(4, 7), random.choice((2, 3)), random.choice((1, 1, 2)), old=random.choice((0.3, 0.6)),
        info=random.choice((0.0, 0.2)), reads=0.55,
    )  # fmt: skip


def _figure(history: History, name: str) -> Any:
    """The smallest t; or k, as far as it is promised to be exact, after a look at its bounds."""
    found = check(history, "bounded-staleness", model="kv").details
    if name == "t" or found["t"] is None:
        return found["t"]
    low, high = found["k"]
    truth = oracle.smallest_k(history) if high is None or low > 2 or high > 2 else None
    assert truth is None or (low <= truth and (high is None or truth <= high)), (low, truth, high)
    return low if low == high and low < 3 else 3


def _true_figure(history: History, name: str) -> Any:
    t = oracle.smallest_t(history)
    if name == "t" or t is None:
        return t
    return min(oracle.smallest_k(history) or 3, 3)


def _by_forced_orders(history: History, name: str) -> bool | None:
    """Forced orders come before any search, as they do in long histories."""
    usual, sequential._FORCED = sequential._FORCED, 0
    try:
        return verdict(history, name, "kv")
    finally:
        sequential._FORCED = usual


def _reads(history: History) -> bool:
    return any(op.type == "ok" and op.f == "read" for op in history.operations())


SUBJECTS: dict[str, Subject] = {
    **{
        f"bounded-staleness, the smallest {figure}": Subject(
            _timed,
            lambda history, figure=figure: _figure(history, figure) if _reads(history) else None,  # type: ignore[misc]
            lambda history, figure=figure: _true_figure(history, figure) if _reads(history) else None,  # type: ignore[misc]
        )
        for figure in ("t", "k")
    },
    "sequential": _registers("sequential", lambda history: oracle.sequential(history, "kv")),
    "osc(u)": _registers("osc(u)", lambda history: oracle.osc_u(history, "kv")),
    **{
        f"{name} by forced orders": Subject(
            _wild,
            lambda history, name=name: _by_forced_orders(history, name),  # type: ignore[misc]
            lambda history, truth=truth: truth(history, "kv"),  # type: ignore[misc]
        )
        for name, truth in (("sequential", oracle.sequential), ("osc(u)", oracle.osc_u))
    },
    "cc": _registers("cc", oracle.cc),
    "ccv": _registers("ccv", oracle.ccv),
    "cm": _registers("cm", oracle.cm),
    "pram": _registers("pram", oracle.pram),
    "read-your-writes": _registers(
        "read-your-writes",
        lambda h: oracle.guarantee(h, "read-your-writes"),
        _long((8, 11), (1, 2, 3), (2, 3), (0.6, 1.0)),
    ),
    "monotonic-reads": _registers(
        "monotonic-reads", lambda h: oracle.guarantee(h, "monotonic-reads"), _long((10, 16), (1, 2), (2, 3), (0.6, 1.0))
    ),
    "monotonic-writes": _registers(
        "monotonic-writes",
        lambda h: oracle.guarantee(h, "monotonic-writes"),
        _long((12, 20), (1, 2), (2, 3), (0.6, 1.0)),
    ),
    "writes-follow-reads": _registers(
        "writes-follow-reads",
        lambda h: oracle.guarantee(h, "writes-follow-reads"),
        _long((14, 22), (1, 2), (2, 3), (0.6, 1.0)),
    ),
    **{
        f"{name} with cas": _registers(name, truth, _swapping)
        for name, truth in (("cc", oracle.cc), ("ccv", oracle.ccv), ("cm", oracle.cm), ("pram", oracle.pram))
    },
    **{
        f"{name} with cas": _registers(name, partial(_guarantee, name=name), _long(*shape, cas=0.5))
        for name, shape in (
            ("read-your-writes", ((8, 11), (1, 2), (2, 3), (0.1, 0.4))),
            ("monotonic-reads", ((8, 14), (1, 2), (2, 3), (0.1, 0.4))),
            ("monotonic-writes", ((9, 14), (1, 2), (2, 3), (0.2, 0.6))),
            ("writes-follow-reads", ((9, 14), (1, 2), (2, 3), (0.1, 0.4))),
        )
    },
    **{
        f"{name} of {model}": _orders(name, model, truth)
        for name, truth in (("sequential", oracle.sequential), ("osc(u)", oracle.osc_u))
        for model in ("register", "cas-register", "set", "queue", "kv-append")
    },
    **{
        f"eventual of {model}": Subject(
            lambda random, model=model: generate.ended(random, model),  # type: ignore[misc]
            lambda history, model=model: verdict(history, "eventual", model),  # type: ignore[misc]
            lambda history, model=model: oracle.eventual(history, model),  # type: ignore[misc]
        )
        for model in ("kv", "set", "list", "counter")
    },
    **{
        f"no-lost-writes of {model}": Subject(
            lambda random, model=model: generate.ended(random, model),  # type: ignore[misc]
            lambda history, model=model: verdict(history, "no-lost-writes", model),  # type: ignore[misc]
            lambda history, model=model: oracle.no_lost_writes(history, model),  # type: ignore[misc]
        )
        for model in ("kv", "set", "list", "counter")
    },
}


def compare(name: str, number: int) -> str:
    """Judge one random history twice. "valid", "invalid" or "unknown" where both agree; raises AssertionError
    elsewhere.
    """
    subject = SUBJECTS[name]
    history = subject.generate(Random(f"{name}/{number}"))
    found, true = subject.judge(history), subject.oracle(history)
    if found != true or type(found) is not type(true):
        events = "\n".join(map(str, history))
        raise AssertionError(f"{name}, history {number}: the checker says {found}, brute force {true}\n{events}")
    if true is None and "bounded" not in name:
        return "unknown"
    # t = 0 and k = 1 are the linearizable ones.
    return (
        "valid" if true is True or (true is not False and true == ("k" in name.rsplit(maxsplit=1)[-1])) else "invalid"
    )
