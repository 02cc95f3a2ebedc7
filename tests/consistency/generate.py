"""Random small histories for every consistency: a few sessions and keys, every value written once, and reads that are
stale in all the ways that there are; and histories that end with final reads. The seed decides everything.
"""

from __future__ import annotations

from random import Random
from typing import Any

from checkers import Event, History


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
    near_miss: bool = False,
) -> History:
    """Reads return the value that was written last, or with the chance ``old`` any value of their key, now and then
    one of the future. A share ``cas`` of the updates compare and set: they find what a read would. A near-miss has one
    read that returns another value of its key.
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
    answers = [event for event in events if event["f"] == "read" and event["type"] == "ok"]
    if near_miss and answers:
        changed = random.choice(answers)
        values = [writes[m] for m in writes if asked[m][1] == int(changed["key"][1:])]
        changed["value"] = random.choice([None, *values])
    return History.from_events(events)


def mixed(random: Random, operations: int) -> History:
    """All that a register can be asked: reads, writes, cas and deletes of few keys, some refused, some never answered
    (and yet with a result, now and then), values that are nearly all written once.

    Answers are those of one register, or with some chance any value that has been seen, or one of the future.
    """
    sessions, keys = random.randint(2, 4), random.choice((1, 1, 2))
    old, info, refused = random.choice((0.2, 0.5, 0.9)), random.choice((0.0, 0.1, 0.3)), random.choice((0.0, 0.3, 0.5))
    kinds = random.choice((("read", "write"), ("read", "write", "cas"), ("get", "put", "cas", "delete")))
    process, fresh = list(range(sessions)), sessions
    holds: dict[int, Any] = {}
    values: dict[int, list[Any]] = {key: [None] for key in range(keys)}
    events: list[dict[str, Any]] = []
    open_now: dict[int, dict[str, Any]] = {}
    for n in range(1, operations + 1):
        session, key, f = random.randrange(sessions), random.randrange(keys), random.choice(kinds)
        for other in sorted(open_now):
            if other == session or random.random() < 0.6:
                events.append(open_now.pop(other))
                if events[-1]["type"] == "info":
                    process[other], fresh = fresh, fresh + 1
        common = {"process": process[session], "session": f"s{session}", "key": f"k{key}", "f": f}
        new = n if random.random() < 0.95 else random.randint(1, n)
        seen = random.choice(values[key]) if random.random() < old else holds.get(key)
        if random.random() < 0.02:
            seen = n + random.randint(1, 2)
        kind = "info" if f not in ("read", "get") and random.random() < info else "ok"
        no = random.random() < refused if f == "cas" or (f == "delete" and seen is None) else False
        asked = {"cas": [seen, new], "write": new, "put": new}.get(f)
        if f not in ("read", "get") and not no and (kind == "ok" or random.random() < 0.5):
            holds[key] = None if f == "delete" else new
            values[key].append(new)
        answer = {"value": seen if f in ("read", "get") else asked, **({"result": False} if no else {})}
        events.append({**common, "type": "invoke", "value": asked})
        open_now[session] = {**common, "type": kind, **answer}
    events += [open_now[other] for other in sorted(open_now)]
    return History.from_events(events)


ADDS = {"set": "add", "list": "append"}  # how a model grows


def grown(random: Random, model: str) -> History:
    """Clients of a replicated log: reads trail, answers are lost, and now and then a read is altered."""
    clients, keys = random.choice((2, 3)), random.choice((1, 1, 2))
    old, lost, altered = random.choice((0.0, 0.4, 0.8)), random.choice((0.0, 0.2)), random.choice((0.0, 0.3, 0.5))
    logs: list[list[Any]] = [[] for _ in range(keys)]
    session_of = list(range(clients))  # the process that speaks for each session
    processes, element = clients, 0
    pending: dict[int, dict[str, Any]] = {}
    events: list[dict[str, Any]] = []
    left = random.randint(4, 8)
    while left or pending:
        session = random.randrange(clients)
        process = session_of[session]
        if session not in pending:
            if not left:
                continue
            left -= 1
            key = random.randrange(keys)
            element += 1
            reads, early = random.random() < 0.5, random.random() < 0.5
            op: dict[str, Any] = {
                "f": "read" if reads else ADDS[model],
                "key": key,
                "value": None if reads else element,
            }
            if early and not reads:
                logs[key].append(element)
            pending[session] = {**op, "applied": early and not reads}
            events.append({**op, "type": "invoke", "process": process, "session": session})
            continue
        op = pending.pop(session)
        applied, log = op.pop("applied"), logs[op["key"]]
        kind = "info" if random.random() < lost else "fail" if random.random() < lost / 4 else "ok"
        if op["f"] == "read":
            seen = log[: len(log) - (random.randint(1, 3) if random.random() < old else 0)] if log else []
            op["value"] = _altered(random, model, seen, element) if random.random() < altered else seen
            if kind == "info":
                op["value"] = None
        elif not applied and (kind == "ok" or random.random() < 0.5):
            late = random.randint(0, 1) if log and random.random() < altered else 0
            log.insert(len(log) - late, op["value"])
        events.append({**op, "type": kind, "process": process, "session": session})
        if kind == "info":
            session_of[session], processes = processes, processes + 1
    return History.from_events([Event(index=n, time=n, **event) for n, event in enumerate(events)])


def _altered(random: Random, model: str, seen: list[Any], last: int) -> list[Any]:
    match random.randrange(4):
        case 0:
            return [*seen, last + 1]
        case 1 if seen:
            return [*seen, random.choice(seen)]
        case 2 if len(seen) > 1:
            return random.sample(seen, len(seen))
        case _:
            return random.sample(seen, max(len(seen) - 1, 0))


def ended(random: Random, model: str) -> History:
    """Updates of one or two keys, then final reads on two replicas that may have lost something or disagree.

    Now and then nobody names replicas, an update says that it changed nothing, a final read is never answered, or
    somebody is still at it when the end begins.
    """
    events: list[dict[str, Any]] = []
    clock, fresh = 0, 100
    keys = random.choice(((None,), ("x",), ("x", "x", "y")))
    named = random.random() < 0.85
    applied: dict[Any, list[tuple[str, Any]]] = {key: [] for key in keys}
    open_now: dict[int, dict[str, Any]] = {}
    for n in range(random.randint(1, 6)):
        clock += random.randint(0, 2)
        f, value = _update(random, model, n)
        key = random.choice(keys)
        for other in sorted(open_now):
            if random.random() < 0.6:
                clock += random.randint(0, 1)
                events.append({**open_now.pop(other), "time": clock})
        fresh += 1
        fields = {"process": fresh, "f": f, "key": key, "value": value}
        if named:
            fields["node"] = random.choice(("n1", "n2"))
        events.append({**fields, "type": "invoke", "time": clock})
        kind = random.choice(("ok", "ok", "ok", "info", "fail" if random.random() < 0.3 else "ok"))
        refused = model != "counter" and f not in ("write", "append") and random.random() < 0.25
        if kind == "ok" and refused:
            fields["result"] = False
        elif kind == "ok" or (kind == "info" and random.random() < 0.5):
            applied[key].append((f, value[1] if f == "cas" else value))
        open_now[fresh] = {**fields, "type": kind}
        if random.random() < 0.35:
            seen = _result(random, model, applied[key], 0.2)
            fields = {"process": 1, "f": "read", "key": key, **({"node": "n1"} if named else {})}
            events.append({**fields, "type": "invoke", "value": None, "time": clock})
            clock += random.randint(0, 2)
            events.append({**fields, "type": "ok", "value": seen, "time": clock})
    for other in sorted(open_now):
        if random.random() < 0.98:
            events.append({**open_now.pop(other), "time": clock})
    final = random.random() < 0.97
    wrong = random.choice((0.0, 0.4)) if model == "set" else random.choice((0.0, 0.0, 0.4))
    nodes = ("n1", "n2") if random.random() < 0.95 else ("n1",)
    for key in dict.fromkeys(keys):
        first = _result(random, model, applied[key], wrong)
        for node in nodes:
            clock += 1
            seen = (
                first
                if random.random() < (0.5 if model == "set" else 0.7)
                else _result(random, model, applied[key], 0.5)
            )
            fields = {"process": f"{node} {key}", "f": "read", "key": key, "final": final}
            if named:
                fields["node"] = node
            events.append({**fields, "type": "invoke", "value": None, "time": clock})
            kind = "ok" if random.random() < 0.98 else "info"
            events.append({**fields, "type": kind, "value": seen if kind == "ok" else None, "time": clock})
    for other in sorted(open_now):
        events.append({**open_now.pop(other), "time": clock})
    return History.from_events(events)


def _update(random: Random, model: str, n: int) -> tuple[str, Any]:
    """What is asked for, and with what."""
    if model == "kv":
        f = random.choice(("write", "write", "write", "cas", "delete"))
        return f, [n, n + 1] if f == "cas" else n + 1 if f == "write" else None
    if model == "list":
        return "append", random.randint(1, 3)
    if model == "set":
        return random.choice(("add", "add", "remove")), random.randint(1, 3)
    return random.choice((("increment", None), ("decrement", None), ("add", random.randint(-1, 3))))


def _result(random: Random, model: str, applied: list[tuple[str, Any]], wrong: float) -> Any:
    """What a replica holds that has missed some of what was applied."""
    applied = [update for update in applied if random.random() >= wrong]
    if model == "counter":
        total = sum(-1 if f == "decrement" else 1 if value is None else value for f, value in applied)
        return total or random.choice((0, None))
    if model == "kv":
        if wrong and random.random() < 0.5:
            return random.choice([None, 9, *(value for _, value in applied)])
        return applied[-1][1] if applied else None
    there: list[int] = []
    for f, value in applied:
        if f == "append" or (f == "add" and value not in there):
            there.append(value)
        elif f == "remove" and value in there:
            there.remove(value)
    if model == "set":
        random.shuffle(there)
    if there and wrong and random.random() < 0.2:
        there.append(random.choice((there[0], 7)))
    return there or random.choice(([], None))
