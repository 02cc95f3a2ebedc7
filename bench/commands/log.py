"""``aftershock log``: the trace of a stored run in readable lines, faults among them, made for a pager."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import Any

import msgspec

from bench import store
from bench.commands import BadUsage
from checkers import Operation
from checkers.trace import Step
from reports.proof import convicting
from reports.words import SECOND, shorten

Messages = dict[int | None, Any]  # by the number of their packet

MARGIN = SECOND // 10  # around a violation
WIDTH = 110  # characters of a message
PACKETS = frozenset({"send", "deliver", "drop", "ignore"})


class Wanted(msgspec.Struct, frozen=True):
    """Which steps to show; times are nanoseconds. ``kind`` is a message's type, which leaves only packets."""

    node: str | None
    start: int
    end: int | None
    kind: str | None


def log(
    run: str, *, out: Path, node: str | None, start: int, end: int | None, kind: str | None, around: bool, as_json: bool
) -> int:
    """Print the steps that are wanted; times are nanoseconds."""
    if end is not None and end < start:
        raise BadUsage("--from is later than --to")
    folder = store.find(run, out)
    if around:
        start, end = _around_violation(folder, start, end)
    steps = list(store.load_trace(folder))
    messages = {step.packet: step.what for step in steps if step.event == "send"}
    _refuse_unknown(folder, steps, messages, node, kind)
    wanted = Wanted(node, start, end, kind)
    shown = (step for step in _with_faults(folder, steps) if _is_wanted(step, messages, wanted))
    if as_json:
        rows = [_plain(step, messages) for step in shown]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    count = 0
    for step in shown:
        count += 1
        sys.stdout.write(_line(step, messages) + "\n")
    if not count:
        print("no step of the trace matches", file=sys.stderr)
    return 0


def _with_faults(folder: Path, steps: list[Step]) -> Iterator[Step]:
    """The trace and the history's faults, in the order of their times."""
    nemesis = store.load_history(folder).nemesis()
    faults = [Step(event.time, "fault", "", what=_fault(event.f, event.value)) for event in nemesis]
    return merge(faults, steps, key=lambda step: step.time)


def _fault(f: str, value: Any) -> str:
    if not isinstance(value, dict):
        return f"{f} {value}" if value is not None else f
    name = value.get("fault")
    return f"{f}{f' {name}' if name not in (None, f) else ''} {value.get('phase', '')}: {value.get('what', '')}"


def _around_violation(folder: Path, start: int, end: int | None) -> tuple[int, int]:
    """A little before what convicts the run to a little after it."""
    for judged in store.load_results(folder).result().judged:
        guilty = convicting(judged.verdict) if judged.verdict.outcome == "invalid" else ()
        items = [judged.verdict.witness[position] for position in guilty]
        times = [item.time for item in items if hasattr(item, "time")]
        if times:
            until = [item.return_time for item in items if isinstance(item, Operation) and item.return_time is not None]
            last = max(times + until) + MARGIN
            return max(start, min(times) - MARGIN), last if end is None else min(end, last)
    raise BadUsage(f"{folder}: there is no violation in it, or none that has a time")


def _refuse_unknown(folder: Path, steps: list[Step], messages: Messages, node: str | None, kind: str | None) -> None:
    nodes = dict.fromkeys(step.node for step in steps)
    if node is not None and node not in nodes:
        raise BadUsage(f"{folder}: there is no {node!r} in the trace; there are {', '.join(nodes)}")
    kinds = sorted({_kind(message) for message in messages.values()})
    if kind is not None and kind not in kinds:
        raise BadUsage(f"{folder}: there is no message {kind!r} in the trace; there are {', '.join(kinds)}")


def _is_wanted(step: Step, messages: Messages, wanted: Wanted) -> bool:
    if step.time < wanted.start or (wanted.end is not None and step.time > wanted.end):
        return False
    if step.event == "fault":
        return True
    if wanted.node is not None and wanted.node not in (step.node, step.peer):
        return False
    return wanted.kind is None or (step.event in PACKETS and _kind(messages.get(step.packet)) == wanted.kind)


def _line(step: Step, messages: Messages) -> str:
    what = messages.get(step.packet) if step.event in PACKETS else step.what
    said = shorten(_words(what), WIDTH) if what is not None else ""
    if step.event == "fault":
        return f"{step.time / SECOND:12.6f}  ---- {said} ----"
    # A packet is always written from sender to receiver; the word says at which end of its way it is.
    match step.event:
        case "send":
            who = f"{step.node} -> {step.peer}"
        case "deliver" | "drop" | "ignore":
            who = f"{step.peer} -> {step.node}"
        case _:
            who = step.node
    number = f"  #{step.packet}" if step.event in PACKETS and step.packet is not None else ""
    return f"{step.time / SECOND:12.6f}  {who:<12} {step.event:<8} {said}{number}".rstrip()


def _kind(message: Any) -> str:
    return str(message.get("type", "?")) if isinstance(message, dict) else "?"


def _words(what: Any) -> str:
    """A message, a write or an announcement: its name first, then its fields."""
    if not isinstance(what, dict):
        return what if isinstance(what, str) else _value(what)
    name = next((str(what[tag]) for tag in ("type", "write", "what") if tag in what), "")
    fields = (f"{key}={_value(item)}" for key, item in what.items() if key not in ("type", "write", "what"))
    return " ".join([*([name] if name else []), *fields])


def _value(item: Any) -> str:
    if isinstance(item, list) and len(item) > 1 and isinstance(item[0], dict):
        return f"[{len(item)} of them]"
    if isinstance(item, dict):
        return "{" + " ".join(f"{key}={_value(part)}" for key, part in item.items() if part is not None) + "}"
    if isinstance(item, list):
        return "[" + ", ".join(map(_value, item)) + "]"
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def _plain(step: Step, messages: Messages) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(step)
    if step.event in PACKETS and step.packet in messages:
        row["what"] = messages[step.packet]
    return row
