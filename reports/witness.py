"""The picture of a violation: the operations of the witness as bars, a lane per client, on the real time axis.

A bar lasts from the request to the answer, and the operation takes effect at one instant within it; what cannot be
given such an instant is red. Where a read returned an old value, the line between says how long ago the newer write had
been acknowledged: that gap is the whole proof, and a reader can check it with a ruler.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from checkers import Observation, Operation
from checkers.history import READS
from reports.drawing import WIDTH, bands, figure, strip, strip_height, time_axis
from reports.palette import LIGHT, outcome_colour
from reports.proof import convicting, headline, newer_write
from reports.subject import Judged, Subject
from reports.timeline import faults, heal_of
from reports.words import MILLISECOND, SECOND, brief, plural, shorten, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Item = Operation | Observation

LEFT, RIGHT = 0.85, 0.25  # inches beside the lanes
ROW, GAP = 0.3, 0.16  # inches: a row of bars, the space between lanes
SHOWN = 40  # items of a witness that one picture holds
LINE = 88  # characters of the title per line


class Placed(msgspec.Struct, frozen=True):
    """An item with its row (counted from the top over all lanes, in inches) and the place of its label."""

    item: Item
    middle: float
    start: int
    end: int
    label: str
    side: str  # "inside", "right", "left"
    guilty: bool


def draw(subject: Subject, judged: Judged, titled: bool = True) -> Figure:
    """The chart; call it inside `drawing.style`. Without a title where the page around it has said the sentence."""
    witness = judged.verdict.witness
    guilty = {id(witness[i]) for i in convicting(judged.verdict)}
    items: list[Item] = [item for item in witness if isinstance(item, (Operation, Observation))]
    total = len(items)
    if total > SHOWN:
        last = next((i for i, item in enumerate(items) if id(item) in guilty), total - 1)
        first = min(max(0, last - SHOWN + 5), total - SHOWN)
        items = items[first : first + SHOWN]
    low, high = _window(items)
    bad = [fault for fault in faults(subject) if fault.touches(low, high)]
    heal = heal_of(subject)
    title = textwrap.wrap(shorten(_sentence(judged), 3 * LINE), LINE) if titled else []
    placed, lanes, lanes_high = _place(items, guilty, low, high)
    top = strip_height(bad, heal, low, high, WIDTH - LEFT - RIGHT)
    head = 0.42 + 0.21 * len(title) if title else 0.12
    height = lanes_high + 0.82 + top + head
    drawn = figure(height)
    main = drawn.add_axes((LEFT / WIDTH, 0.78 / height, 1 - (LEFT + RIGHT) / WIDTH, lanes_high / height))
    time_axis(main, low, high)
    main.set_ylim(lanes_high, 0)
    main.set_yticks([(begin + end) / 2 for _, begin, end in lanes], [shorten(name, 8) for name, _, _ in lanes])
    main.tick_params(axis="y", length=0, labelsize=10, labelcolor=LIGHT["ink"])
    if top:
        bottom = (0.82 + lanes_high) / height
        strip(drawn.add_axes((LEFT / WIDTH, bottom, 1 - (LEFT + RIGHT) / WIDTH, top / height)), bad, heal, low, high)
    bands(main, bad, heal)
    for (_, _, end), _ in pairwise(lanes):
        main.axhline(end + GAP / 2, color=LIGHT["rule"], lw=0.7, zorder=1)
    for place in placed:
        _bar(main, place, high)
    _gap(main, placed, low, high)
    _words(drawn, subject, judged, title, height, len(items), total)
    return drawn


def _sentence(judged: Judged) -> str:
    reason = headline(judged.verdict) or judged.verdict.reason
    return reason + ("" if reason.endswith((".", "!", "?")) else ".")


def _words(
    drawn: Figure, subject: Subject, judged: Judged, title: Sequence[str], height: float, shown: int, total: int
) -> None:
    left = 0.2 / WIDTH
    if title:
        drawn.text(left, 1 - 0.14 / height, "\n".join(title), fontsize=11.5, weight="bold", va="top", linespacing=1.25)
        line = f"{shorten(subject.scenario, 40)}   {shorten(subject.protocol, 30)}   seed {subject.seed}   "
        line += f"{shorten(judged.name, 30)}: {judged.verdict.outcome}"
        below = 1 - (0.22 + 0.21 * len(title)) / height
        drawn.text(left, below, line, fontsize=8.5, color=LIGHT["muted"], va="top")
    has_operations = any(isinstance(item, Operation) for item in judged.verdict.witness)
    foot = "A bar lasts from the request to the answer; the operation takes effect at one instant within its bar. "
    foot += "No such instant exists for the red one."
    if not has_operations:
        foot = "What each node announced, and when. The red announcement contradicts the others."
    if shown < total:
        foot += f" {shown} of {plural(total, 'item')} shown."
    drawn.text(left, 0.1 / height, foot, fontsize=8, color=LIGHT["muted"], va="bottom")


def _window(items: Sequence[Item]) -> tuple[int, int]:
    """From when to when the picture goes: the witness, and a little air; unanswered operations run off its edge."""
    starts = [item.time for item in items] or [0]
    ends = [
        item.return_time for item in items if isinstance(item, Operation) and item.type != "info" and item.return_time
    ]
    low, high = min(starts), max([*starts, *ends])
    air = max((high - low) // 14, 5 * MILLISECOND if high == low else 200_000)
    low = max(0, low - air)
    # The last bar's label stands to its right, where the eye ends up.
    last = max(items, key=lambda item: item.time, default=None)
    label = 0.083 * len(_label(last)) + 0.3 if last is not None else 0.0
    share = min(0.4, label / (WIDTH - LEFT - RIGHT))
    return low, max(1, high + max(air // 2, int((high - low) * share / (1 - share))))


def _place(
    items: Sequence[Item], guilty: set[int], low: int, high: int
) -> tuple[list[Placed], list[tuple[str, float, float]], float]:
    """Rows for all items: a lane per client or node in order of first appearance, as many rows as its labels need."""
    inches = (WIDTH - LEFT - RIGHT) / (high - low)
    width = WIDTH - LEFT - RIGHT
    by_lane: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: item.time):
        by_lane.setdefault(item.node if isinstance(item, Observation) else str(item.session), []).append(item)
    placed: list[Placed] = []
    lanes: list[tuple[str, float, float]] = []
    at = GAP / 2
    for name, own in by_lane.items():
        taken: list[float] = []
        for item in own:
            open_end = isinstance(item, Operation) and (item.type == "info" or item.return_time is None)
            until = high if open_end else item.time if isinstance(item, Observation) else item.return_time or item.time
            red = id(item) in guilty
            label = _label(item)
            begin, end = (item.time - low) * inches, max((until - low) * inches, (item.time - low) * inches + 0.05)
            need = (0.083 if red else 0.074) * len(label) + 0.16
            if need <= end - begin:
                side, left, right = "inside", begin, end
            elif end + need <= width + RIGHT * 0.6:
                side, left, right = "right", begin, end + need
            else:
                side, left, right = "left", begin - need, end
            row = next((i for i, edge in enumerate(taken) if edge <= left), len(taken))
            if row == len(taken):
                taken.append(0.0)
            taken[row] = right + 0.06
            placed.append(Placed(item, at + (row + 0.5) * ROW, item.time, until, label, side, red))
        bottom = at + ROW * len(taken)
        lanes.append((name, at, bottom))
        at = bottom + GAP
    return placed, lanes, max(at - GAP / 2, 0.6)


def _label(item: Item) -> str:
    text = brief(item, 22)
    if isinstance(item, Observation):
        return text
    if item.type == "info":
        return f"{text}  (no answer)"
    if item.type == "fail":
        text += "  (failed)"
    if not item.node:
        return text
    return f"{text}  {'from' if item.f in READS else 'via'} {shorten(item.node, 12)}"


def _bar(axes: Axes, place: Placed, high: int) -> None:
    item = place.item
    start, end = place.start / SECOND, place.end / SECOND
    low, far = axes.get_xlim()
    least = (far - low) / (WIDTH - LEFT - RIGHT) * 0.05
    tone = (
        LIGHT["violation"]
        if place.guilty
        else LIGHT[outcome_colour(item.type)]
        if isinstance(item, Operation)
        else LIGHT["ink"]
    )
    tint = LIGHT["violation-tint"] if place.guilty else LIGHT["info-tint"]
    open_end = isinstance(item, Operation) and item.type == "info"
    if isinstance(item, Observation):
        axes.plot([start], [place.middle], marker="D", ms=7, color=tone, mec=LIGHT["paper"], mew=0.8, zorder=4)
    else:
        axes.barh(
            place.middle, max(end - start, least), left=start, height=0.2, color=tint if open_end else tone,
            edgecolor=tone, lw=0.9, ls=(0, (3, 2)) if open_end else "-", zorder=4,
        )  # fmt: skip
    if open_end:
        axes.plot([far], [place.middle], marker=">", ms=5, color=tone, clip_on=False, zorder=5)
    weight = "bold" if place.guilty else "normal"
    inside = place.side == "inside"
    x = start + (end - start) / 2 if inside else max(end, start + least) if place.side == "right" else start
    shift = 0 if inside else (7 if isinstance(item, Observation) else 4) * (1 if place.side == "right" else -1)
    colour = tone if not inside or open_end else LIGHT["paper"]
    axes.annotate(
        place.label, (x, place.middle), xytext=(shift, 0), textcoords="offset points", va="center_baseline",
        ha="center" if inside else "left" if place.side == "right" else "right", fontsize=8.5, weight=weight,
        color=colour if place.guilty or inside else LIGHT["ink"], zorder=6, annotation_clip=False,
    )  # fmt: skip


def _gap(axes: Axes, placed: Sequence[Placed], low: int, high: int) -> None:
    """From the acknowledgement of the newer write to the stale read: how long the answer had been out of date."""
    read = next((place for place in placed if place.guilty and isinstance(place.item, Operation)), None)
    if read is None or not isinstance(read.item, Operation) or read.item.f not in READS or read.item.type != "ok":
        return
    write = newer_write(read.item, [place.item for place in placed])
    source = next((place for place in placed if place.item is write), None)
    if source is None or read.side == "left":
        return
    red, done, asked = LIGHT["violation"], source.end / SECOND, read.start / SECOND
    down = 1 if read.middle > source.middle else -1
    axes.plot([done, done], [source.middle + 0.1 * down, read.middle], color=red, lw=1, ls=(0, (2, 2)), zorder=3)
    axes.annotate(
        "", (asked, read.middle), xytext=(done, read.middle),
        arrowprops={"arrowstyle": "->", "color": red, "lw": 1.1, "shrinkA": 0, "shrinkB": 1}, zorder=3,
    )  # fmt: skip
    text = f"acknowledged {span(read.start - source.end)} earlier"
    inches = (WIDTH - LEFT - RIGHT) / (high - low)
    room, before = (read.start - source.end) * inches, (source.end - low) * inches
    words: dict[str, Any] = {"fontsize": 8, "color": red, "zorder": 6}
    if room > 0.068 * len(text) + 0.15:
        axes.text((done + asked) / 2, read.middle - 0.035, text, ha="center", va="bottom", **words)
    elif before > 0.068 * len(text):
        # On the writer's own lane the words would stand on its bar: they stand below it.
        below = 0.235 if source.middle == read.middle else 0.0
        axes.text(done, read.middle + below, f"{text} ", ha="right", va="center", **words)
