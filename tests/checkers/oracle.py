"""Brute force, written independently of the checkers: every order of every choice of unanswered operations is tried.

Nothing here is imported from `checkers.models`, `checkers.parts` or the searches: an oracle that shared their code
would share their mistakes. It is exponential and meant for about ten operations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from checkers import History, Operation

# A step of the oracle: (state, operation) -> the states that may follow; none: impossible.
Rule = Callable[[Any, Operation], Iterator[Any]]


def _typed(value: Any) -> Any:
    """JSON equality: true is not 1."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, (list, tuple)):
        return ("list", [_typed(item) for item in value])
    return value


def _refused(op: Operation) -> bool:
    return op.type == "ok" and op.result is False


def register(state: Any, op: Operation) -> Iterator[Any]:
    now = _typed(state)
    if op.f in ("write", "put"):
        yield state if _refused(op) else op.value
    elif op.f in ("read", "get"):
        if op.type == "info" or now == _typed(op.value):
            yield state
    elif op.f == "delete":
        if not (_refused(op) and state is not None):
            yield None
    elif op.f == "cas":
        old, new = op.value
        equal = now == _typed(old)
        if equal and not _refused(op):
            yield new
        if not equal and (_refused(op) or op.type == "info"):
            yield state


def kv_append(state: Any, op: Operation) -> Iterator[Any]:
    text = state or ""
    if _refused(op) and op.f != "get":
        yield state
    elif op.f == "put":
        yield op.value
    elif op.f == "append":
        yield text + op.value
    elif op.type == "info" or text == (op.value or ""):
        yield state


def appended(state: Any, op: Operation) -> Iterator[Any]:
    items = list(state or [])
    if op.f == "append" and _refused(op):
        yield state
    elif op.f == "append":
        yield [*items, op.value]
    elif op.type == "info" or items == list(op.value or []):
        yield state


def elements(state: Any, op: Operation) -> Iterator[Any]:
    items = sorted(state or [])
    if op.f == "read":
        if op.type == "info" or sorted(set(op.value or [])) == items:
            yield state
        return
    there = op.value in items
    wanted = None if op.type == "info" else op.result
    if op.f == "add" and wanted in (None, not there):
        yield items if there else [*items, op.value]
    if op.f == "remove" and wanted in (None, there):
        yield [item for item in items if item != op.value]


def counter(state: Any, op: Operation) -> Iterator[Any]:
    total = state or 0
    if op.f == "read":
        if op.type == "info" or total == (op.value or 0):
            yield state
    elif _refused(op):
        yield state
    else:
        by = 1 if op.value is None else op.value
        yield total - by if op.f == "decrement" else total + by


def queue(state: Any, op: Operation) -> Iterator[Any]:
    waiting = list(state or [])
    if op.f == "enqueue" and _refused(op):
        yield state
    elif op.f == "enqueue":
        yield [*waiting, op.value]
    elif op.type == "info":
        yield waiting[1:]
    elif op.result is False or op.value is None:
        if not waiting:
            yield waiting
    elif waiting and waiting[0] == op.value:
        yield waiting[1:]


def mutex(state: Any, op: Operation) -> Iterator[Any]:
    held = bool(state)
    if op.f == "acquire" and held == _refused(op):
        yield True
    if op.f == "release" and held != _refused(op):
        yield False


def consensus(state: Any, op: Operation) -> Iterator[Any]:
    if op.f == "read":
        if op.type == "info" or state == op.value:
            yield state
    else:
        decided = op.value if state is None else state
        if op.type == "info" or op.result in (None, decided):
            yield decided


RULES: dict[str, Rule] = {
    "register": register,
    "cas-register": register,
    "kv": register,
    "kv-append": kv_append,
    "list": appended,
    "set": elements,
    "counter": counter,
    "queue": queue,
    "mutex": mutex,
    "consensus": consensus,
}


def linearizable(history: History, model: str, initial: Any = None) -> bool:
    """Whether some order exists, each key by itself."""
    rule = RULES[model]
    by_key: dict[Any, list[Operation]] = {}
    for op in history.operations():
        if op.type != "fail":
            by_key.setdefault(op.key, []).append(op)
    return all(_order(ops, initial, rule) for ops in by_key.values())


def _order(ops: list[Operation], state: Any, rule: Rule) -> bool:
    if all(op.type == "info" for op in ops):
        return True
    for op in ops:
        # It may come next unless another one, still to come, had returned before it was called.
        if any(
            other.type == "ok" and other.return_index is not None and other.return_index < op.index for other in ops
        ):
            continue
        rest = [other for other in ops if other is not op]
        if any(_order(rest, after, rule) for after in rule(state, op)):
            return True
    return False
