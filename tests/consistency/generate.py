"""Random small histories for every consistency: replicas that lag, writes once each, a few sessions and keys.

A simulated store keeps one log per replica; writes spread with delays of their own, so that reads are stale in all the
ways that there are. The seed decides everything.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from checkers import History


class Shape(msgspec.Struct, frozen=True):
    """What a history looks like. ``lag`` is how far a read may trail behind, ``tidy`` how likely each rule is kept."""

    operations: int = 7
    sessions: int = 3
    keys: int = 2
    lag: int = 2
    tidy: float = 0.7
    info: float = 0.0


def shape(random: Random) -> Shape:
    return Shape(
        operations=random.randint(3, 8),
        sessions=random.randint(2, 3),
        keys=random.choice((1, 1, 2, 2, 3)),
        lag=random.choice((0, 1, 1, 2, 3)),
        tidy=random.choice((0.6, 0.85, 0.95, 1.0)),
        info=random.choice((0.0, 0.0, 0.2)),
    )


def history(random: Random, what: Shape) -> History:
    """Sessions read from a log of writes: at a place of their own, which may fall behind, jump back, or skip some."""
    events: list[dict[str, Any]] = []
    log: list[tuple[int, int, int]] = []  # key, value, session
    place = [0] * what.sessions
    orders: list[list[int]] = [[] for _ in range(what.sessions)]  # the order in which a session has seen the log
    process = list(range(what.sessions))
    fresh = what.sessions
    open_now: dict[int, dict[str, Any]] = {}
    left = what.operations
    clock = 0
    while left or open_now:
        clock += random.randint(0, 3)
        session = random.randrange(what.sessions)
        if session in open_now:
            events.append({**open_now.pop(session), "time": clock})
            if events[-1]["type"] == "info":
                process[session], fresh = fresh, fresh + 1
            continue
        if not left:
            continue
        left -= 1
        key = random.randrange(what.keys)
        common = {"process": process[session], "session": f"s{session}", "key": f"k{key}"}
        seen = orders[session]
        if random.random() < 0.45:
            value = len(log) + 1
            lost = random.random() < what.info
            if not lost or random.random() < 0.7:
                log.append((key, value, session))
                if random.random() < what.tidy:
                    seen.append(len(log) - 1)
            else:
                log.append((-1, value, session))
            events.append({**common, "type": "invoke", "f": "write", "value": value, "time": clock})
            open_now[session] = {**common, "type": "info" if lost else "ok", "f": "write", "value": value}
            continue
        fresh_writes = [i for i in range(len(log)) if i not in seen]
        upto = max(len(log) - random.randint(0, what.lag), place[session] if random.random() < what.tidy else 0)
        place[session] = max(place[session], upto)
        for i in fresh_writes:
            if i < upto and (random.random() < what.tidy or log[i][0] == key):
                # Late news go to the end, as a session would see them, or to where the log has them.
                at = len(seen) if random.random() < 0.5 else sum(j < i for j in seen)
                seen.insert(at, i)
        values = [log[i][1] for i in seen if log[i][0] == key]
        saw = values[-1] if values else None
        if values and random.random() > what.tidy:
            saw = random.choice([*values, None])
        events.append({**common, "type": "invoke", "f": "read", "value": None, "time": clock})
        open_now[session] = {**common, "type": "ok", "f": "read", "value": saw}
    return History.from_events(events)


def wild(
    random: Random,
    operations: int,
    sessions: int,
    keys: int,
    *,
    old: float,
    info: float = 0.0,
    reads: float = 0.6,
    cas: float = 0.0,
) -> History:
    """Reads return any value of their key, mostly one written lately and now and then one of the future.

    A share ``cas`` of the updates compare and set: they find what a read would.
    """
    asked: list[tuple[int, int, bool]] = []
    for _ in range(operations):
        asked.append((random.randrange(sessions), random.randrange(keys), random.random() < reads))
    writes = {n: nth + 1 for nth, n in enumerate(n for n, (_, _, read) in enumerate(asked) if not read)}
    events: list[dict[str, Any]] = []
    open_now: dict[int, dict[str, Any]] = {}
    process, fresh, clock = list(range(sessions)), sessions, 0
    for n, (session, key, read) in enumerate(asked):
        for other in sorted(open_now):
            if other == session or random.random() < 0.6:
                clock += random.randint(0, 3)
                events.append({**open_now.pop(other), "time": clock})
                if events[-1]["type"] == "info":
                    process[other], fresh = fresh, fresh + 1
        clock += random.randint(0, 3)
        common = {"process": process[session], "session": f"s{session}", "key": f"k{key}"}
        swaps = not read and cas > 0 and random.random() < cas
        value = None
        if read or swaps:
            values = [None, *(writes[m] for m in writes if asked[m][1] == key and (m < n or random.random() < 0.05))]
            value = random.choice(values) if random.random() < old else values[-1]
        if read:
            events.append({**common, "type": "invoke", "f": "read", "value": None, "time": clock})
            open_now[session] = {**common, "type": "ok", "f": "read", "value": value}
        elif swaps:
            kind = "info" if random.random() < info else "ok"
            fields = {**common, "f": "cas", "value": [value if value != writes[n] else None, writes[n]]}
            events.append({**fields, "type": "invoke", "time": clock})
            open_now[session] = {**fields, "type": kind} | ({"result": True} if kind == "ok" else {})
        else:
            kind = "info" if random.random() < info else "ok"
            events.append({**common, "type": "invoke", "f": "write", "value": writes[n], "time": clock})
            open_now[session] = {**common, "type": kind, "f": "write", "value": writes[n]}
    for other in sorted(open_now):
        clock += random.randint(0, 3)
        events.append({**open_now[other], "time": clock})
    return History.from_events(events)


def ended(random: Random, model: str) -> History:
    """Updates, then final reads on two replicas that may have lost something or disagree."""
    events: list[dict[str, Any]] = []
    clock, fresh = 0, 100
    applied: list[tuple[str, Any]] = []
    open_now: dict[int, dict[str, Any]] = {}
    for n in range(random.randint(1, 5)):
        clock += random.randint(0, 2)
        f, value = {
            "kv": ("write", n + 1), "list": ("append", random.randint(1, 3)),
            "set": (random.choice(("add", "add", "remove")), random.randint(1, 3)),
            "counter": random.choice((("increment", None), ("decrement", None), ("add", random.randint(1, 3)))),
        }[model]  # fmt: skip
        for other in sorted(open_now):
            if random.random() < 0.6:
                events.append({**open_now.pop(other), "time": clock})
        fresh += 1
        fields = {"process": fresh, "f": f, "key": "x", "value": value, "node": random.choice(("n1", "n2"))}
        events.append({**fields, "type": "invoke", "time": clock})
        kind = random.choice(("ok", "ok", "ok", "info"))
        if kind == "ok" or random.random() < 0.5:
            applied.append((f, value))
        open_now[fresh] = {**fields, "type": kind}
        if random.random() < 0.3:
            seen = _result(random, model, applied, 0.2)
            events.append({"type": "invoke", "process": 1, "f": "read", "key": "x", "value": None, "time": clock})
            events.append(
                {"type": "ok", "process": 1, "f": "read", "key": "x", "value": seen, "node": "n1", "time": clock}
            )
    for other in sorted(open_now):
        if random.random() < 0.97:
            events.append({**open_now.pop(other), "time": clock})
    final = random.random() < 0.97
    wrong = random.choice((0.0, 0.0, 0.3))
    nodes = ("n1", "n2") if random.random() < 0.95 else ("n1",)
    first = _result(random, model, applied, wrong)
    for node in nodes:
        clock += 1
        seen = first if random.random() < 0.8 else _result(random, model, applied, 0.5)
        fields = {"process": node, "f": "read", "key": "x", "node": node, "final": final}
        events.append({**fields, "type": "invoke", "value": None, "time": clock})
        events.append({**fields, "type": "ok", "value": seen, "time": clock})
    return History.from_events(events)


def _result(random: Random, model: str, applied: list[tuple[str, Any]], wrong: float) -> Any:
    applied = [update for update in applied if random.random() >= wrong]
    if model == "counter":
        return sum(-1 if f == "decrement" else value or 1 for f, value in applied)
    if model == "kv":
        return (
            random.choice([None, 9, *(value for _, value in applied)]) if wrong else applied[-1][1] if applied else None
        )
    if model == "list":
        return [value for _, value in applied]
    there: list[int] = []
    for f, value in applied:
        if f == "add" and value not in there:
            there.append(value)
        elif f == "remove" and value in there:
            there.remove(value)
    random.shuffle(there)
    return there
