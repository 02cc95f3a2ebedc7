"""A history drawn as lanes: a client each, its operations as bars, and how far an order of them could be found.

For any history and verdict, with or without times. Distances are not to scale: events stand in their order, which is
all that a checker goes by, and a bar is as wide as its text needs, so that it can be read; times are in the details.
The numbers are the longest order that the checker found; red is what could not come next.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from checkers import History, Operation, Outcome, Verdict
from checkers.lattice import Standing
from reports.proof import convicting
from reports.timeline import Fault, spans
from reports.words import call, plural, shorten, told

BEFORE, AFTER = 250, 150  # operations drawn before and after the first error
STEP, LETTER, PITCH, BAR, TOP = 14.0, 6.7, 46, 24, 44  # pixels

SCRIPT = """
const scroll = document.getElementById("lanes"), panel = document.getElementById("details");
function show(bar) {
  document.querySelectorAll(".on").forEach(other => other.classList.remove("on"));
  bar.classList.add("on");
  panel.textContent = bar.dataset.text;
}
document.querySelectorAll(".op").forEach(bar => {
  for (const kind of ["mouseenter", "focus", "click"]) bar.addEventListener(kind, () => show(bar));
});
const error = document.getElementById("error");
function jump() {
  const from = scroll.getBoundingClientRect(), to = error.getBoundingClientRect();
  scroll.scrollLeft += to.left - from.left - scroll.clientWidth / 2;
  show(error);
}
if (error) {
  jump();
  document.getElementById("jump").addEventListener("click", event => { event.preventDefault(); jump(); });
}
"""


class Window(msgspec.Struct, frozen=True):
    """The operations that are drawn, in order of invocation, and how many of how many that is."""

    shown: tuple[Operation, ...]
    before: int
    after: int
    elsewhere: int  # operations of other partitions
    key: Any
    parted: bool


def draw_history(history: History, verdict: Verdict, path: str | Path, standing: Standing | None = None) -> None:
    """Write one self-contained page to `path`, replacing it whole; with a `standing` it shows that too.

    `verdict.details` may hold ``longest`` (indices of operations in the order found), ``stuck`` (indices of those that
    could not come next) and ``key`` (the partition they belong to); without them the witness is what is marked.
    Raises `OSError` where the file cannot be written.
    """
    from markupsafe import Markup

    from reports.page import environment, replace, stands

    window = choose(history, verdict)
    longest = _indices(verdict, "longest")
    guilty = errors(verdict)
    drawing, labels, height = _svg(window.shown, longest, guilty, spans(history.nemesis(), None, _end(history)))
    named = [item for item in verdict.witness if isinstance(item, Operation)]
    condemned = convicting(verdict) if verdict.outcome is Outcome.INVALID else frozenset()
    page = (
        environment()
        .get_template("lanes.html")
        .render(
            verdict=verdict,
            tones={"valid": "good", "invalid": "bad", "unknown": "open"},
            among=None if standing is None else stands(standing),
            what=_what(window),
            longest=plural(len(longest), "operation") if longest else "",
            has_error=any(operation.index in guilty for operation in window.shown),
            drawing=Markup(drawing),
            labels=Markup(labels),
            height=height,
            empty=not window.shown,
            witness=[
                (told(item), position in condemned) for position, item in enumerate(verdict.witness) if item in named
            ],
            script=Markup(SCRIPT),
            hash=base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode(),
        )
    )
    replace(Path(path), page.encode("utf-8", "replace"))


def errors(verdict: Verdict) -> frozenset[int]:
    """The indices of the operations to be marked red."""
    if verdict.outcome is not Outcome.INVALID:
        return frozenset()
    stuck = frozenset(_indices(verdict, "stuck"))
    witness = verdict.witness
    return stuck or frozenset(
        witness[position].index for position in convicting(verdict) if isinstance(witness[position], Operation)
    )


def choose(history: History, verdict: Verdict) -> Window:
    """The operations worth drawing: the partition that the verdict speaks of, around its first error."""
    every = history.operations()
    key = verdict.details.get("key")
    own = [operation for operation in every if operation.key == key] if "key" in verdict.details else every
    parted = bool(own) and len(own) < len(every)
    own = own or every
    guilty = errors(verdict)
    marked = [place for place, operation in enumerate(own) if operation.index in guilty]
    first = max(0, min(marked[0] - BEFORE, len(own) - BEFORE - AFTER)) if marked else 0
    last = min(len(own), first + BEFORE + AFTER)
    shown = own[first:last]
    # What could not come next may have been asked long before, and is the point of the picture.
    shown = (
        [own[place] for place in marked if place < first] + shown + [own[place] for place in marked if place >= last]
    )
    return Window(tuple(shown), first, len(own) - last, len(every) - len(own), key, parted)


def _what(window: Window) -> str:
    total = len(window.shown)
    text = plural(total, "operation")
    if window.parted:
        text += f" on {shorten(str(window.key), 40)}"
    text += " drawn"
    left = [f"{count:,} {where}" for count, where in ((window.before, "before"), (window.after, "after")) if count]
    if left:
        text += f"; {' and '.join(left)} left out"
    if window.elsewhere:
        text += f"; {plural(window.elsewhere, 'operation')} elsewhere not shown"
    return text + "."


def _indices(verdict: Verdict, name: str) -> tuple[int, ...]:
    found = verdict.details.get(name)
    return tuple(item for item in found if isinstance(item, int)) if isinstance(found, (list, tuple)) else ()


def _end(history: History) -> int:
    return int(history.times.max()) if len(history) else 0


def _svg(
    shown: Sequence[Operation], longest: Sequence[int], guilty: frozenset[int], bad: Sequence[Fault]
) -> tuple[str, str, int]:
    """The scrolling drawing, the column of lane names beside it, and the height of both in pixels."""
    lanes: dict[str, int] = {}
    for name in sorted({str(operation.session) for operation in shown}, key=_natural):
        lanes[name] = len(lanes)
    left, right, width = _columns(shown)
    rank = {index: number for number, index in enumerate(longest, start=1)}
    height = TOP + PITCH * max(1, len(lanes)) + 10
    following = _next_in_lane(shown)
    parts = [_bands(bad, shown, left, right, width, height)]
    parts += [
        f'<line class="lane" x1="0" x2="{width:.0f}" y1="{y}" y2="{y}"/>'
        for y in (TOP + PITCH * n for n in range(len(lanes) + 1))
    ]
    points = _points(shown, rank, left)
    if len(points) > 1:
        steps = " ".join(
            f"{points[index]:.1f},{_row(lanes, operation) - 1}" for index, operation in _in_order(shown, rank)
        )
        parts.append(f'<polyline class="order" points="{steps}"/>')
    first = min((operation.index for operation in shown if operation.index in guilty), default=None)
    for operation in shown:
        end = right.get(operation.index)
        if end is None:
            after = following.get(operation.index)
            end = width if after is None else left[after] - 5
        parts.append(_bar(operation, left[operation.index], end, _row(lanes, operation), rank, points, guilty, first))
    body = "".join(parts)
    drawing = (
        f'<svg width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" role="img" '
        f'aria-label="operations as bars, a lane per client">{body}</svg>'
    )
    names = "".join(
        f'<text x="84" y="{TOP + PITCH * number + 34}" text-anchor="end">'
        f"<title>{_escape(name)}</title>{_escape(shorten(name, 9))}</text>"
        for name, number in lanes.items()
    )
    return drawing, f'<svg width="92" height="{height}" aria-hidden="true">{names}</svg>', height


def _natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Sorts c2 before c10."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((piece.isdecimal(), int(piece) if piece.isdecimal() else 0, piece) for piece in pieces)


def _row(lanes: dict[str, int], operation: Operation) -> int:
    return TOP + PITCH * lanes[str(operation.session)] + 18


def _text(operation: Operation) -> str:
    return call(operation, 18)


def _columns(shown: Sequence[Operation]) -> tuple[dict[int, float], dict[int, float], float]:
    """Where each operation begins and, unless it never ended, ends: in the order of events, with room for its text."""
    events = [(operation.index, False, operation) for operation in shown]
    events += [
        (operation.return_index, True, operation)
        for operation in shown
        if _over(operation) and operation.return_index is not None
    ]
    left: dict[int, float] = {}
    right: dict[int, float] = {}
    at = 0.0
    for _, over, operation in sorted(events, key=lambda event: event[:2]):
        at += STEP
        if over:
            at = max(at, left[operation.index] + LETTER * len(_text(operation)) + 22)
            right[operation.index] = at
        else:
            left[operation.index] = at
    return left, right, at + 140


def _over(operation: Operation) -> bool:
    return operation.type != "info" and operation.return_index is not None


def _next_in_lane(shown: Sequence[Operation]) -> dict[int, int]:
    """The index of the operation that follows each on its lane."""
    before: dict[str, int] = {}
    found: dict[int, int] = {}
    for operation in shown:
        lane = str(operation.session)
        if lane in before:
            found[before[lane]] = operation.index
        before[lane] = operation.index
    return found


def _in_order(shown: Sequence[Operation], rank: dict[int, int]) -> list[tuple[int, Operation]]:
    placed = [operation for operation in shown if operation.index in rank]
    return [(operation.index, operation) for operation in sorted(placed, key=lambda operation: rank[operation.index])]


def _points(shown: Sequence[Operation], rank: dict[int, int], left: dict[int, float]) -> dict[int, float]:
    """An instant for each operation of the order found: as early as its invocation and its predecessors allow."""
    at = 0.0
    points: dict[int, float] = {}
    for index, _ in _in_order(shown, rank):
        at = max(at + 2, left[index] + 7)
        points[index] = at
    return points


def _bar(
    operation: Operation, x: float, end: float, y: int, rank: dict[int, int], points: dict[int, float],
    guilty: frozenset[int], first: int | None,
) -> str:  # fmt: skip
    red = operation.index in guilty
    tone = (
        "red"
        if red
        else "fail"
        if operation.type == "fail"
        else "placed"
        if operation.index in rank or (not rank and operation.type == "ok")
        else "rest"
    )
    open_end = " open" if not _over(operation) else ""
    width = max(end - x, 10)
    fits = max(3, int((width - 18) / LETTER))
    story = told(operation, 200)
    if operation.index in rank:
        story += f"  — number {rank[operation.index]:,} of the longest order"
    elif red:
        story += "  — could not come next"
    number = ""
    if operation.index in points:
        at = points[operation.index]
        number = f'<path class="point" d="M{at:.1f} {y}v7"/>'
        number += f'<text class="number" x="{at:.1f}" y="{y - 4}">{rank[operation.index]}</text>'
    name = ' id="error"' if operation.index == first else ""
    return (
        f'<g class="op {tone}{open_end}"{name} tabindex="0" data-text="{_escape(story)}">'
        f"<title>{_escape(story)}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" rx="3"/>'
        f'<text x="{x + 13:.1f}" y="{y + 16}">{_escape(shorten(_text(operation), fits))}</text>{number}</g>'
    )


def _bands(
    bad: Sequence[Fault],
    shown: Sequence[Operation],
    left: dict[int, float],
    right: dict[int, float],
    width: float,
    height: int,
) -> str:
    """The faults of a history with times, between the events that they fell between."""
    stops = sorted((operation.time, left[operation.index]) for operation in shown)
    stops += [
        (operation.return_time, right[operation.index])
        for operation in shown
        if operation.return_time is not None and operation.index in right
    ]
    stops.sort()
    if not stops or stops[0][0] < 0:
        return ""
    times = [time for time, _ in stops]

    def x_of(time: int) -> float:
        place = bisect_left(times, time)
        return 0.0 if place == 0 else stops[place][1] - STEP / 2 if place < len(stops) else width

    parts = []
    free = [0.0, 0.0]
    for fault in bad:
        if fault.end < times[0] or fault.start > times[-1]:
            continue
        start, end = x_of(fault.start), x_of(fault.end)
        kind = "node" if fault.kind in ("crash", "pause") else "link"
        parts.append(
            f'<rect class="band {kind}" x="{start:.1f}" y="0" width="{max(end - start, 3):.1f}" height="{height}"/>'
        )
        row = next((n for n, edge in enumerate(free) if edge <= start), None)
        if row is not None:
            name = shorten(f"{fault.name}: {fault.what}" if fault.what and fault.what != fault.name else fault.name, 60)
            free[row] = start + 6.4 * len(name) + 14
            parts.append(f'<text class="fault {kind}" x="{start + 5:.1f}" y="{14 + 16 * row}">{_escape(name)}</text>')
    return "".join(parts)


def _escape(text: str) -> str:
    return html.escape("".join(c if c.isprintable() else " " for c in text), quote=True)
