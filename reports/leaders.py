"""Who led in which term, and when: a lane per node, read from what the nodes announced.

A node leads from its `lead` observation until it announces to follow, campaigns, restarts or goes down. A leader that
has not heard of a newer term still believes that it leads; that stretch is hatched, and it is where stale reads live.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from checkers import Observations
from reports.drawing import WIDTH, bands, figure, strip, strip_height, time_axis
from reports.palette import LIGHT
from reports.subject import Subject
from reports.timeline import Fault, extent, faults, heal_of
from reports.words import SECOND, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LANE = 0.34  # inches


class Reign(msgspec.Struct, frozen=True):
    """`node` leads in `term` from `start` to `end`; from `superseded` on, if set, a newer term has a leader."""

    node: str
    term: int
    start: int
    end: int
    superseded: int | None = None


def reigns(observations: Observations, bad: Sequence[Fault], end: int) -> tuple[Reign, ...]:
    """Every stretch of leadership, in order of its start; one that is still open ends at `end`."""
    crashes = [(fault.start, node) for fault in bad if fault.kind == "crash" for node in fault.nodes]
    steps = [(item.time, 1, item.node, item.what, item.term or 0) for item in observations]
    steps += [(time, 0, node, "crash", 0) for time, node in crashes]
    open_: dict[str, tuple[int, int]] = {}  # node: term, start
    closed: list[tuple[str, int, int, int]] = []

    def close(node: str, time: int) -> None:
        if node in open_:
            term, start = open_.pop(node)
            closed.append((node, term, start, time))

    for time, _, node, what, term in sorted(steps, key=lambda step: step[:2]):
        match what:
            case "lead":
                if node not in open_ or open_[node][0] != term:
                    close(node, time)
                    open_[node] = (term, time)
            case "follow" | "campaign" | "start" | "crash":
                close(node, time)
            case _:
                pass
    for node in sorted(open_):
        close(node, end)
    closed.sort(key=lambda reign: (reign[2], reign[1], reign[0]))
    result = []
    for node, term, start, until in closed:
        newer = [other[2] for other in closed if other[1] > term and start <= other[2] < until]
        result.append(Reign(node, term, start, until, max(start, min(newer)) if newer else None))
    return tuple(result)


def draw(subject: Subject) -> Figure:
    """The chart; call it inside `drawing.style`."""
    bad, heal, end = faults(subject), heal_of(subject), extent(subject)
    ruled = reigns(subject.observations, bad, end)
    nodes = subject.nodes or tuple(sorted({item.node for item in subject.observations}))
    top = strip_height(bad, heal, 0, end)
    lanes = max(1, len(nodes)) * LANE
    drawn = figure(lanes + 0.95 + top)
    height = drawn.get_figheight()
    main = drawn.add_axes((0.075, 0.5 / height, 0.905, lanes / height))
    time_axis(main, 0, end)
    main.set_ylim(max(1, len(nodes)) - 0.5, -0.5)
    main.set_yticks(range(len(nodes)), [shorten(node, 9) for node in nodes])
    main.tick_params(axis="y", length=0)
    if top:
        strip(drawn.add_axes((0.075, (0.55 + lanes) / height, 0.905, top / height)), bad, heal, 0, end)
    bands(main, bad, heal)
    for lane in range(len(nodes)):
        main.axhline(lane, color=LIGHT["rule"], lw=0.8, zorder=1)
    place = {node: lane for lane, node in enumerate(nodes)}
    _down(main, bad, place)
    inches_per_second = 0.905 * WIDTH / max(end / SECOND, 1e-9)
    for reign in ruled:
        if reign.node in place:
            _bar(main, reign, place[reign.node], inches_per_second)
    marks = [item for item in subject.observations.of("campaign") if item.node in place]
    main.plot(
        [item.time / SECOND for item in marks], [place[item.node] for item in marks], ls="", marker="|", ms=13, mew=1.2,
        color=LIGHT["ink"], zorder=6,
    )  # fmt: skip
    if not ruled:
        main.text(
            0.5, 0.5, "no node announced that it leads", transform=main.transAxes, ha="center", va="center",
            color=LIGHT["muted"], bbox={"fc": LIGHT["paper"], "ec": "none", "pad": 3},
        )  # fmt: skip
    _legend(drawn, ruled, bool(marks), bad)
    return drawn


def _bar(axes: Axes, reign: Reign, lane: int, inches_per_second: float) -> None:
    turn = reign.superseded if reign.superseded is not None else reign.end
    start, end = reign.start / SECOND, reign.end / SECOND
    axes.barh(lane, turn / SECOND - start, left=start, height=0.56, color=LIGHT["ok"], lw=0, zorder=4)
    if reign.superseded is not None:
        axes.barh(
            lane, end - turn / SECOND, left=turn / SECOND, height=0.56, color=LIGHT["ok-tint"], edgecolor=LIGHT["ok"],
            lw=0.8, hatch="////", zorder=4,
        )  # fmt: skip
    label = f"term {reign.term}"
    for text in (label, str(reign.term)):
        if (turn / SECOND - start) * inches_per_second > 0.075 * len(text) + 0.06:
            axes.text(
                start + (turn / SECOND - start) / 2, lane, text, ha="center", va="center_baseline", fontsize=8,
                color=LIGHT["paper"], zorder=5,
            )  # fmt: skip
            return


def _down(axes: Axes, bad: Sequence[Fault], place: dict[str, int]) -> None:
    """Crashed and paused nodes, on their own lanes."""
    for fault in bad:
        if fault.kind not in ("crash", "pause"):
            continue
        for node in fault.nodes:
            if node in place:
                axes.barh(
                    place[node], (fault.end - fault.start) / SECOND, left=fault.start / SECOND, height=0.3,
                    color=LIGHT["node-edge"], alpha=1.0 if fault.kind == "crash" else 0.45, lw=0, zorder=3,
                )  # fmt: skip


def _legend(drawn: Figure, ruled: Sequence[Reign], campaigns: bool, bad: Sequence[Fault]) -> None:
    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Artist] = []
    if ruled:
        entries.append(Patch(color=LIGHT["ok"], label="leads"))
    if any(reign.superseded is not None for reign in ruled):
        entries.append(
            Patch(
                fc=LIGHT["ok-tint"],
                ec=LIGHT["ok"],
                hatch="////",
                lw=0.8,
                label="still believes so; a newer term has a leader",
            )
        )
    if campaigns:
        entries.append(Line2D([], [], ls="", marker="|", ms=9, color=LIGHT["ink"], label="stands for election"))
    if any(fault.kind == "crash" for fault in bad):
        entries.append(Patch(color=LIGHT["node-edge"], label="down"))
    if any(fault.kind == "pause" for fault in bad):
        entries.append(Patch(color=LIGHT["node-edge"], alpha=0.45, label="paused"))
    if entries:
        drawn.legend(
            handles=entries, loc="upper left", bbox_to_anchor=(0.07, 1.0), ncols=len(entries), frameon=False,
            fontsize=8, handletextpad=0.5, handlelength=1.4, columnspacing=1.6, borderaxespad=0.3,
        )  # fmt: skip
