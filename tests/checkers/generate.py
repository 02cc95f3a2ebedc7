"""Random small histories: a real object is run, so that the history is valid, and then perhaps changed here and there.

The object is simulated with the oracle's rules; the seed decides everything.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from checkers import History, Operation
from tests.checkers.oracle import RULES

MODELS = tuple(RULES)
FAST = ("register", "cas-register", "kv")


class Shape(msgspec.Struct, frozen=True):
    """What a history looks like: ``unique`` gives every write a value of its own, ``info`` and ``fail`` are shares."""

    model: str
    operations: int = 7
    processes: int = 3
    keys: int = 1
    unique: bool = False
    values: int = 3
    info: float = 0.15
    fail: float = 0.05
    negative: bool = True  # whether a cas that did not match is an answer (it fails otherwise)


def shape(random: Random, model: str) -> Shape:
    return Shape(
        model,
        operations=random.randint(3, 9),
        processes=random.randint(2, 4),
        keys=random.choice((1, 1, 1, 2)) if model != "mutex" else 1,
        unique=random.random() < 0.5,
        values=random.randint(1, 3),
        info=random.choice((0.0, 0.0, 0.1, 0.3)),
        fail=random.choice((0.0, 0.0, 0.1)),
        negative=random.random() < 0.5,
    )


def history(
    random: Random, what: Shape, *, near_miss: float = 0.95, changes: tuple[int, ...] = (2, 4, 8, 16)
) -> History:
    events = _run(random, what)
    if random.random() < near_miss:
        for _ in range(random.choice(changes)):
            _change(random, events, what)
    return History.from_events(events)


def _operation(f: str, value: Any, **more: Any) -> Operation:
    fields: dict[str, Any] = {
        "index": 0, "return_index": 1, "time": -1, "return_time": None, "type": "ok", "process": 0, "session": 0,
        "node": None, "f": f, "key": None, "value": value, "result": None, "error": None, "final": False,
    }  # fmt: skip
    return Operation(**{**fields, **more})


def asked(f: str, value: Any) -> Operation:
    """An operation that is still to be answered, as the rules of the oracle want it."""
    return _operation(f, value, type="info")


def _ask(random: Random, what: Shape, fresh: int, written: list[Any]) -> tuple[str, Any]:
    """An f and the value it is invoked with."""
    new = fresh if what.unique else random.randrange(what.values)
    old = random.choice([None, *written]) if what.unique and written else random.randrange(what.values)
    match what.model:
        case "register":
            return random.choice([("read", None), ("read", None), ("write", new)])
        case "cas-register":
            return random.choice(
                [("read", None), ("read", None), ("write", new), ("cas", [old, new]), ("cas", [old, new])]
            )
        case "kv":
            return random.choice([("get", None), ("put", new), ("cas", [old, new]), ("read", None), ("delete", None)])
        case "kv-append":
            return random.choice([("get", None), ("get", None), ("put", f"{new}."), ("append", f"{new}.")])
        case "list":
            return random.choice([("append", new), ("read", None), ("read", None)])
        case "set":
            return random.choice([("add", new), ("remove", old), ("read", None), ("read", None), ("add", new)])
        case "counter":
            return random.choice([("add", new), ("increment", None), ("decrement", 1), ("read", None), ("read", None)])
        case "queue":
            return random.choice([("enqueue", new), ("dequeue", None)])
        case "mutex":
            return random.choice([("acquire", None), ("release", None)])
        case "consensus":
            return random.choice([("propose", new), ("propose", new), ("read", None)])
        case other:
            raise AssertionError(other)


def _answer(what: Shape, f: str, asked: Any, state: Any) -> tuple[str, Any, Any, Any]:
    """What the object answers: type, value, result and its next state."""
    rule = RULES[what.model]
    match f:
        case "read" | "get":
            if what.model in ("list", "set"):
                return "ok", list(state or []), None, state
            return (
                "ok",
                (state or "") if what.model == "kv-append" else (state or 0) if what.model == "counter" else state,
                None,
                state,
            )
        case "dequeue":
            if not state:
                return "ok", None, False, state
            return "ok", state[0], None, state[1:]
        case "propose":
            decided = asked if state is None else state
            return "ok", asked, decided, decided
        case "add" | "remove" if what.model == "set":
            for result in (True, False):
                for after in rule(state, _operation(f, asked, result=result)):
                    return "ok", asked, result, after
        case _:
            pass
    for after in rule(state, _operation(f, asked)):
        return "ok", asked, None, after
    if f == "cas" and not what.negative:
        return "fail", asked, None, state
    return "ok", asked, False, state


def _run(random: Random, what: Shape) -> list[dict[str, Any]]:
    states: dict[Any, Any] = {}
    written: dict[Any, list[Any]] = {}
    events: list[dict[str, Any]] = []
    open_now: dict[int, dict[str, Any]] = {}
    left, fresh, next_process = what.operations, 1, what.processes
    idle = list(range(what.processes))
    while left or open_now:
        process = random.choice(idle + list(open_now)) if left else random.choice(list(open_now))
        if process in idle:
            if not left:
                continue
            key = random.randrange(what.keys) if what.keys > 1 else None
            f, asked = _ask(random, what, fresh, written.setdefault(key, []))
            if f in ("write", "put", "cas", "enqueue", "append", "add", "propose"):
                written[key].append(asked[1] if f == "cas" else asked)
            fresh, left = fresh + 1, left - 1
            idle.remove(process)
            fate = "info" if random.random() < what.info else "fail" if random.random() < what.fail else "ok"
            open_now[process] = {"key": key, "f": f, "asked": asked, "fate": fate, "done": None}
            events.append({"type": "invoke", "process": process, "f": f, "key": key, "value": asked})
            continue
        op = open_now[process]
        common = {"process": process, "f": op["f"], "key": op["key"]}
        if op["fate"] == "fail":
            events.append({**common, "type": "fail", "value": op["asked"]})
        elif op["done"] is None and not (op["fate"] == "info" and random.random() < 0.5):
            kind, value, result, states[op["key"]] = _answer(what, op["f"], op["asked"], states.get(op["key"]))
            op["done"] = {**common, "type": kind, "value": value, "result": result}
            continue
        elif op["fate"] == "info":
            if random.random() < 0.5:
                events.append({**common, "type": "info", "value": op["asked"]})
            idle.append(next_process)
            next_process += 1
            del open_now[process]
            continue
        else:
            events.append(op["done"])
        idle.append(process)
        del open_now[process]
    return events


def _change(random: Random, events: list[dict[str, Any]], what: Shape) -> None:
    """Another answer of one operation, or another moment for one event."""
    answers = [event for event in events if event["type"] == "ok"]
    if answers and random.random() < 0.8:
        event = random.choice(answers)
        donors = [other for other in answers if other["f"] == event["f"]]
        donor = random.choice(donors)
        match event["f"]:
            case "cas" if random.random() < 0.6:
                # It expects what another one wrote, perhaps later: chains, forks and circles.
                invoked = next(e for e in reversed(events[: events.index(event)]) if e["process"] == event["process"])
                event["value"] = invoked["value"] = [donor["value"][1], event["value"][1]]
            case "cas" | "acquire" | "release" | "remove":
                event["result"] = None if event["result"] is False else False
            case "propose":
                event["result"] = donor["result"]
            case "read" | "get":
                nil: Any = [] if what.model in ("list", "set") else "" if what.model == "kv-append" else None
                event["value"] = random.choice([donor["value"], nil, donor["value"]])
                if what.model == "counter":
                    event["value"] = (donor["value"] or 0) + random.choice((-1, 1))
            case "dequeue":
                event["value"], event["result"] = donor["value"], donor["result"]
            case "delete":
                event["result"] = None if event["result"] is False else False
            case _:
                # What a write wrote stands in both of its events.
                invoked = next(e for e in reversed(events[: events.index(event)]) if e["process"] == event["process"])
                event["value"] = invoked["value"] = donor["value"]
    else:
        for _ in range(3):
            at = random.randrange(len(events))
            to = random.randrange(len(events))
            process = events[at]["process"]
            low, high = min(at, to), max(at, to)
            if not any(e["process"] == process for e in events[low : high + 1] if e is not events[at]):
                events.insert(to, events.pop(at))
