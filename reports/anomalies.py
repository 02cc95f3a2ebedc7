"""Anomalies over time: which checker objects, to which operation, during which fault.

`anomalies` gives them as data for tables and JSON; `draw` puts them on the run's time axis, a row per checker. A run
without any gets an explicit picture of that, since an empty chart would not say whether anybody looked.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

import msgspec

from checkers import Observation, Operation, Outcome
from reports.drawing import WIDTH, bands, figure, strip, strip_height, time_axis
from reports.palette import LIGHT
from reports.proof import convicting
from reports.subject import Judged, Subject, compact
from reports.timeline import during, extent, faults, heal_of, interval
from reports.words import SECOND, brief, plain, seconds, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.5  # inches


class Anomaly(msgspec.Struct, frozen=True):
    """One item of the witness of an invalid verdict, from `time` to `until` (nanoseconds).

    `operation` is what was asked and answered, or what a node announced; `by` the client or node; `convicts` marks the
    item that cannot be explained beside the others; `during` names the faults at work meanwhile.
    """

    checker: str
    time: int
    until: int
    operation: str
    by: str
    convicts: bool
    during: tuple[str, ...]


def anomalies(subject: Subject) -> tuple[Anomaly, ...]:
    """Every witness item of every invalid verdict, verdict by verdict, in the order of the witness."""
    bad, end = faults(subject), extent(subject)
    rows = []
    for judged in subject.judged:
        if judged.verdict.outcome is not Outcome.INVALID:
            continue
        guilty = convicting(judged.verdict)
        for position, item in enumerate(judged.verdict.witness):
            if not isinstance(item, (Operation, Observation)):
                continue
            start, until = interval(item, end)
            by = item.node if isinstance(item, Observation) else str(item.session)
            names = during(bad, start, until)
            rows.append(Anomaly(judged.name, start, until, brief(item, 200), by, position in guilty, names))
    return tuple(rows)


def draw(subject: Subject) -> Figure:
    """The chart; call it inside `drawing.style`."""
    bad, heal, end = faults(subject), heal_of(subject), extent(subject)
    found = anomalies(subject)
    rows = compact(subject.judged)
    top = strip_height(bad, heal, 0, end)
    lanes = max(1, len(rows)) * ROW
    drawn = figure(lanes + 0.65 + top)
    height = drawn.get_figheight()
    main = drawn.add_axes((0.13, 0.5 / height, 0.85, lanes / height))
    time_axis(main, 0, end)
    main.set_ylim(max(1, len(rows)) - 0.5, -0.5)
    main.set_yticks(range(len(rows)), [_label(judged.name) for judged in rows])
    main.tick_params(axis="y", length=0)
    if top:
        strip(drawn.add_axes((0.13, (0.55 + lanes) / height, 0.85, top / height)), bad, heal, 0, end)
    bands(main, bad, heal)
    for lane in range(1, len(rows)):
        main.axhline(lane - 0.5, color=LIGHT["rule"], lw=0.6, zorder=1)
    for lane, judged in enumerate(rows):
        mine = [anomaly for anomaly in found if anomaly.checker == judged.name]
        if judged.verdict.outcome is Outcome.INVALID and mine:
            _row(main, lane, mine, end)
        else:
            _calm(main, lane, judged)
    if not rows:
        main.text(
            0.5, 0.5, "nothing was checked", transform=main.transAxes, ha="center", va="center", color=LIGHT["muted"]
        )
    return drawn


def _label(name: str) -> str:
    """The name of a checker beside its row, on two lines if need be."""
    return "\n".join(textwrap.wrap(plain(name).replace(":", ": "), 18, max_lines=2, placeholder="…"))


def _calm(axes: Axes, lane: int, judged: Judged) -> None:
    match judged.verdict.outcome:
        case Outcome.VALID:
            text, colour = "no anomaly", LIGHT["heal"]
            axes.axhline(lane, color=colour, lw=1.4, alpha=0.8, zorder=2)
        case Outcome.INVALID:
            text, colour = f"invalid: {judged.verdict.reason}", LIGHT["violation"]
        case Outcome.UNKNOWN:
            text, colour = f"undecided: {judged.verdict.reason}", LIGHT["info"]
            axes.axhline(lane, color=colour, lw=1.4, ls=(0, (2, 2)), alpha=0.8, zorder=2)
        case _:
            assert_never(judged.verdict.outcome)
    axes.text(
        0.5, lane, shorten(text, 110), transform=axes.get_yaxis_transform(), ha="center", va="center", fontsize=8.5,
        color=colour, bbox={"fc": LIGHT["paper"], "ec": "none", "boxstyle": "round,pad=0.35"}, zorder=3,
    )  # fmt: skip


def _row(axes: Axes, lane: int, mine: Sequence[Anomaly], end: int) -> None:
    """The witness as ticks and bars on the upper half of its row, the convicting item named on the lower half."""
    level = lane - 0.17
    for anomaly in mine:
        colour = LIGHT["violation" if anomaly.convicts else "ink"]
        left, right = anomaly.time / SECOND, anomaly.until / SECOND
        axes.plot([left, right], [level, level], color=colour, lw=3, solid_capstyle="butt", zorder=3, alpha=0.85)
        mark = "X" if anomaly.convicts else "|"
        edge, width, front = (LIGHT["paper"], 0.8, 5) if anomaly.convicts else (colour, 1.2, 4)
        axes.plot([left], [level], marker=mark, ms=8.5, mew=width, mec=edge, color=colour, zorder=front)
    named = next((anomaly for anomaly in mine if anomaly.convicts), mine[-1])
    when = f", during {' and '.join(named.during)}" if named.during else ", with no fault at work"
    text = f"{shorten(named.by, 16)}: {shorten(named.operation, 50)} at {seconds(named.time)}{shorten(when, 44)}"
    at = named.time / SECOND
    width = axes.get_position().width * WIDTH
    left_edge = at / (end / SECOND) * width
    align = "left" if left_edge + 0.075 * len(text) < width else "right" if left_edge > 0.075 * len(text) else "center"
    axes.text(
        at if align != "center" else end / SECOND / 2, lane + 0.25, text, ha=align, va="center", fontsize=8.5,
        color=LIGHT["violation"], bbox={"fc": LIGHT["paper"], "ec": "none", "pad": 1.2, "alpha": 0.85}, zorder=4,
    )  # fmt: skip
