"""Times, values and operations as a person reads them, the same in charts, page and terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from checkers import Observation, Operation
from checkers.history import READS
from checkers.history import seconds as exact

MICROSECOND, MILLISECOND, SECOND = 1_000, 1_000_000, 1_000_000_000


def seconds(time: int, digits: int = 3) -> str:
    """An instant in nanoseconds, as seconds: "2.104 s"."""
    return f"{time / SECOND:.{digits}f} s"


def span(nanoseconds: int) -> str:
    """A duration in nanoseconds, in the unit that suits it: "850 µs", "12.4 ms", "3.25 s"."""
    if nanoseconds < MILLISECOND:
        return f"{nanoseconds / MICROSECOND:.3g} µs" if nanoseconds else "0"
    if nanoseconds < 10 * MILLISECOND:
        return f"{nanoseconds / MILLISECOND:.1f} ms"
    if nanoseconds < SECOND:
        return f"{nanoseconds / MILLISECOND:.0f} ms"
    if nanoseconds < 100 * SECOND:
        return f"{nanoseconds / SECOND:.2f}".rstrip("0").rstrip(".") + " s"
    return f"{nanoseconds / SECOND:,.0f} s"


def plain(text: str) -> str:
    """The text on one line, without characters that control a terminal or the direction of writing."""
    return "".join(c if c.isprintable() else " " for c in text)


def shorten(text: str, width: int) -> str:
    """The text in at most `width` characters; what is left out is marked by an ellipsis."""
    flat = plain(text)
    return flat if len(flat) <= width else flat[: max(1, width - 1)] + "…"


def value(item: Any, width: int = 24) -> str:
    """A value of an operation: nil, a bare word or number, or JSON; never longer than `width`.

    Of a list that is too long its last elements, which are the newest where it grows, and how many it has.
    """
    if item is None:
        return "nil"
    if isinstance(item, str):
        return shorten(item, width) if item and item == item.strip() else json.dumps(item)
    try:
        text = json.dumps(item, ensure_ascii=False)
        if len(text) > width and isinstance(item, (list, tuple)):
            text = _end_of(item, width) or text
    except (TypeError, ValueError):
        text = str(item)
    return shorten(text, width)


def _end_of(items: Sequence[Any], width: int) -> str:
    shown = ""
    for number in range(1, len(items)):
        longer = f"[…, {json.dumps(items[-number:], ensure_ascii=False)[1:-1]}] ({len(items):,})"
        if len(longer) > width:
            break
        shown = longer
    return shown


def plural(count: int, noun: str) -> str:
    """ "1 operation", "1,012 operations"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def call(operation: Operation, width: int = 24) -> str:
    """What was asked and answered, in the words of `Operation.call`, each value in at most `width` characters."""
    parts = [operation.f]
    if operation.key is not None:
        parts.append(value(operation.key, width))
    asked = operation.value
    if operation.f in READS:
        parts += ["->", value(asked, width) if operation.type == "ok" else "?"]
        return " ".join(parts)
    if operation.f == "cas" and isinstance(asked, (list, tuple)) and len(asked) == 2:
        parts += [value(asked[0], width), "->", value(asked[1], width)]
    elif asked is not None:
        parts.append(value(asked, width))
    if operation.result is False:
        parts.append("refused")
    elif operation.result is not None and operation.result is not True:
        parts += ["->", value(operation.result, width)]
    return " ".join(parts)


def brief(item: Operation | Observation, width: int = 24) -> str:
    """An item of a witness without its times."""
    if isinstance(item, Operation):
        return call(item, width)
    told = [item.what]
    told += [f"term {item.term}"] if item.term is not None else []
    told += [f"slot {item.slot}"] if item.slot is not None else []
    told += [shorten(item.digest, width)] if item.digest is not None else []
    return " ".join(told)


def told(item: Operation | Observation, width: int = 60) -> str:
    """An item of a witness as one line of prose, with who and when."""
    if isinstance(item, Observation):
        return f"{exact(item.time)}  {item.node}: {brief(item, width)}"
    began = exact(item.time) if item.time >= 0 else f"event {item.index}"
    if item.type == "info":
        ended = "never answered"
    elif item.return_time is not None:
        ended = f"to {exact(item.return_time)}"
    else:
        ended = f"to event {item.return_index}"
    failed = ", failed" if item.type == "fail" else ""
    node = f", answered by {shorten(item.node, 20)}" if item.node and item.type != "info" else ""
    return f"{began} {ended}  {who(item)}: {call(item, width)}{failed}{node}"


def client(item: Operation, width: int = 20) -> str:
    """The session of an operation; one that is a bare number is called a process."""
    name = shorten(str(item.session), width)
    return f"process {name}" if name.isdecimal() else name


def who(item: Operation) -> str:
    """The client of an operation: its session, and the process where that has a number of its own."""
    process = shorten(str(item.process), 20)
    return client(item) if shorten(str(item.session), 20) == process else f"{client(item)} (process {process})"
