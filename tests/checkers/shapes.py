"""Parts that take some searching, of every kind that a search has to cope with; small histories do not lead there."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from checkers import History, models
from checkers.parts import Columns, Part, Steps
from tests.checkers import generate
from tests.checkers.oracle import RULES

_CALLS: dict[str, list[tuple[str, Any]]] = {
    "kv-append": [("get", None)] * 3 + [(f, v) for f in ("put", "append") for v in ("", "a", "b.")],
    "list": [("read", None)] * 2 + [("append", v) for v in (1, 2, 3)],
    "set": [("read", None)] * 3 + [("add", v) for v in (1, 2, 3)] + [("remove", v) for v in (1, 2)],
}  # fmt: skip
GROWING = tuple(_CALLS)


def parts_of(events: Any, model: str, **parameters: Any) -> tuple[Part, Steps]:
    """The only part of a history."""
    object_ = models.by_name(model, **parameters)
    (part,), table = Columns(History.from_events(events), object_).parts(object_)
    return part, table


def again(part: Part, table: Steps) -> tuple[Part, Steps]:
    """The same part with a table of steps that nobody has filled yet."""
    return part, Steps(table.model, table.samples)


def grown(model: str, seed: int) -> tuple[Part, Steps]:
    """Many calls at a time of an object whose states only grow between resets.

    Some are never answered; one answer in three histories is another's.
    """
    random = Random(f"grown-{model}-{seed}")
    state: Any = None
    events: list[dict[str, Any]] = []
    open_now: dict[int, tuple[str, Any, dict[str, Any] | None]] = {}
    for number in range(random.choice((30, 60, 120))):
        if len(open_now) < random.randint(1, 7):
            f, asked = random.choice(_CALLS[model])
            events.append({"type": "invoke", "process": number, "f": f, "value": asked})
            open_now[number] = f, asked, None
            continue
        process = random.choice(list(open_now))
        f, asked, answer = open_now.pop(process)
        if answer is not None:
            if random.random() > 0.06:
                events.append(answer)
            continue
        value, result = asked, None
        if f in ("get", "read"):
            value = state or "" if model == "kv-append" else sorted(state or []) if model == "set" else state or []
        else:
            if model == "set":
                result = (asked in (state or [])) == (f == "remove")
            (state,) = RULES[model](state, generate.asked(f, asked))
        open_now[process] = f, asked, {"type": "ok", "process": process, "f": f, "value": value, "result": result}
    answers = [event for event in events if event["type"] == "ok" and event["f"] in ("get", "read")]
    if answers and random.random() < 0.3:
        random.choice(answers[-8:])["value"] = random.choice(answers)["value"]
    return parts_of(events, model)


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
    """Registers with compare-and-set where little is decided early."""
    shape = generate.Shape("cas-register", operations=120, processes=12, values=2, info=0.15, fail=0.0)
    return parts_of(list(generate.history(Random(seed), shape, near_miss=1.0)), "cas-register")


def long(count: int) -> tuple[Part, Steps]:
    """As many states as operations: the table of steps has to grow."""
    return parts_of([(kind, 0, "append", n) for n in range(count) for kind in ("invoke", "ok")], "list")


def much(writes: int) -> tuple[Part, Steps]:
    """All subsets of so many writes are remembered, with each of them last: a read saw what nobody wrote."""
    rest = [("ok", n, "write", n) for n in range(writes)]
    events = [("invoke", n, "write", n) for n in range(writes)]
    return parts_of([*events, ("invoke", -1, "read", None), ("ok", -1, "read", -1), *rest], "register")


def undone() -> tuple[Part, Steps]:
    """What was never answered may lead back to where it began."""
    lost = [("invoke", 0, "add", 1), ("invoke", 1, "decrement", 1)]
    return parts_of([*lost, ("invoke", 2, "read", None), ("ok", 2, "read", 7)], "counter")


def detour() -> tuple[Part, Steps]:
    """The longest order is not the one with the most operations: a chain of three leads away from the first return."""
    calls: list[tuple[str, Any]] = [("cas", [None, 5]), ("cas", [None, 1]), ("cas", [1, 2]), ("cas", [2, 3])]
    events: list[Any] = [("invoke", n, f, asked) for n, (f, asked) in enumerate(calls)]
    events += [("ok", 0, "cas", [None, 5]), ("invoke", 9, "read", None), ("ok", 9, "read", 9)]
    return parts_of([*events, *(("ok", n, *calls[n]) for n in (1, 2, 3))], "cas-register")


def watched() -> tuple[Part, Steps]:
    """A search stops in the middle of a row of reads: the last step is taken, and more can be seen without another."""
    events: list[Any] = [("invoke", 0, "write", 1), ("ok", 0, "write", 1)]
    events += [(kind, 1, "read", 1) for _ in range(40) for kind in ("invoke", "ok")]
    return parts_of(events, "register")


def first() -> tuple[Part, Steps]:
    """The first answer of all is foreseen never to come."""
    return parts_of([("invoke", 0, "get", None), ("ok", 0, "get", "y")], "kv-append", initial="x")


def shapes() -> Iterator[tuple[Part, Steps, tuple[int, ...]]]:
    """Parts, their tables of steps, and after how many steps to look at what a search knows."""
    whole = 1 << 40
    for some in (undone(), detour(), watched(), first()):
        yield (*some, (0, 1, 2, 3, whole))
    for seed in range(24):
        for model in GROWING:
            yield (*grown(model, seed), (20, 120))
    for count in (62, 63, 64, 130):
        for answered in (True, False):
            yield (*wide(count, answered=answered), (5, 40))
    for seed in HARD:
        yield (*hard(seed), (40, 200, 400))
    yield (*long(30), (whole,))
