"""Latency over time: every operation at its invocation, the time to its answer on a logarithmic axis.

Colour is the outcome, shape is the operation. An operation that nobody answered stands, hollow and with an upward mark,
at the time after which its client gave up: its latency is at least that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from checkers import Operation
from reports.drawing import bands, figure, strip, strip_height, time_axis
from reports.palette import LIGHT, outcome_colour
from reports.subject import Subject
from reports.timeline import extent, faults, heal_of, interval
from reports.words import MILLISECOND, SECOND

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHAPES = {"read": "o", "write": "s", "cas": "D"}
OTHER_SHAPES = ("P", "X", "v", "<", ">", "h")
VECTOR_LIMIT = 1_500  # beyond it, points inside an SVG are a picture
TREND_FROM = 200  # answered operations from which a median says more than the points


def shapes(kinds: Sequence[str]) -> dict[str, str]:
    """The marker of each operation that occurs; those without one of their own take turns, in order of name."""
    known = {f: SHAPES[f] for f in SHAPES if f in kinds}
    others = sorted(set(kinds) - set(SHAPES))
    return known | {f: OTHER_SHAPES[i % len(OTHER_SHAPES)] for i, f in enumerate(others)}


def frame(shown: Sequence[Operation], end: int) -> pd.DataFrame:
    """A row per operation: `at` (s), `latency` (ms; to its timeout or `end` if unanswered), `f`, `outcome`."""
    import pandas as pd

    lasted = [interval(operation, end) for operation in shown]
    return pd.DataFrame(
        {
            "at": [operation.time / SECOND for operation in shown],
            "latency": [(until - at) / MILLISECOND for at, until in lasted],
            "f": [operation.f for operation in shown],
            "outcome": [operation.type for operation in shown],
        }
    )


def phases(subject: Subject) -> pd.DataFrame:
    """Operations, answers and latency quantiles (ms) before, during and after the faults, in that order.

    An operation belongs to the phase in which it was invoked; final reads are left out. Columns: `phase`, `operations`,
    `ok`, `info`, `fail`, `p50`, `p99`, `max` (of those answered ok; NaN when there are none).
    """
    import pandas as pd

    bad = faults(subject)
    heal = heal_of(subject)
    shown = [operation for operation in subject.history.operations() if not operation.final]
    table = frame(shown, extent(subject))

    def phase(at: int) -> str:
        if any(fault.start <= at < fault.end for fault in bad):
            return "while faults last"
        if bad and heal is not None and at >= heal:
            return "after the heal"
        return "calm, before the heal" if bad else "calm"

    table["phase"] = [phase(operation.time) for operation in shown]
    rows = []
    for name in ("calm", "calm, before the heal", "while faults last", "after the heal"):
        part = table[table["phase"] == name]
        if part.empty:
            continue
        answered = part.loc[part["outcome"] == "ok", "latency"]
        counted = part["outcome"].value_counts()
        rows.append(
            {
                "phase": name,
                "operations": len(part),
                **{outcome: int(counted.get(outcome, 0)) for outcome in ("ok", "fail", "info")},
                "p50": answered.quantile(0.5),
                "p99": answered.quantile(0.99),
                "max": answered.max(),
            }
        )
    return pd.DataFrame(rows, columns=["phase", "operations", "ok", "fail", "info", "p50", "p99", "max"])


def draw(subject: Subject) -> Figure:
    """The chart; call it inside `drawing.style`."""
    bad, heal, end = faults(subject), heal_of(subject), extent(subject)
    shown = subject.history.operations()
    top = strip_height(bad, heal, 0, end)
    drawn = figure(3.5 + top)
    height = drawn.get_figheight()
    main = drawn.add_axes((0.075, 0.5 / height, 0.905, 2.62 / height))
    time_axis(main, 0, end)
    if top:
        above = drawn.add_axes((0.075, 3.17 / height, 0.905, top / height))
        strip(above, bad, heal, 0, end)
    main.set_ylabel("latency (ms)")
    if not shown:
        main.set_yticks([])
        main.text(0.5, 0.5, "no operations", transform=main.transAxes, ha="center", va="center", color=LIGHT["muted"])
        bands(main, bad, heal)
        return drawn
    table = frame(shown, end)
    _scale(main, table)
    bands(main, bad, heal)
    _points(main, table)
    _trend(main, table, end)
    _legend(drawn, main, table, height)
    return drawn


def _scale(axes: Axes, table: pd.DataFrame) -> None:
    """A logarithmic axis with a line of its own for 0, below it; column `height` is where each point stands."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    some = table.loc[table["latency"] > 0, "latency"]
    low, high = (float(some.min()), float(some.max())) if len(some) else (1.0, 1.0)
    if high < low * 10:  # less than a decade: a log axis would show no number at all
        low, high = low / 2.5, high * 2.5
    zero = low / 4 if len(some) < len(table) else None
    table["height"] = table["latency"].where(table["latency"] > 0, zero if zero is not None else low)
    ticks = [10.0**power for power in range(-6, 9) if low / 1.5 <= 10.0**power <= high * 2]
    axes.set_yscale("log")
    axes.set_ylim(low / 1.5 if zero is None else zero / 1.6, high * 2)
    axes.yaxis.set_major_locator(FixedLocator(ticks if zero is None else [zero, *ticks]))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda y, _: "0" if y == zero else f"{y:,.0f}" if y >= 1 else f"{y:g}")
    )
    axes.yaxis.set_minor_locator(
        FixedLocator([tick * n for tick in [ticks[0] / 10, *ticks] for n in range(2, 10) if tick * n >= low])
    )
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(True, axis="y")


def _points(axes: Axes, table: pd.DataFrame) -> None:
    many = len(table)
    size = 26.0 if many <= 300 else 14.0 if many <= VECTOR_LIMIT else 8.0
    alpha = 0.9 if many <= 300 else 0.6 if many <= VECTOR_LIMIT else 0.4
    markers = shapes(sorted(set(table["f"])))
    for outcome in ("ok", "fail", "info"):  # the rare ones on top
        colour = LIGHT[outcome_colour(outcome)]
        for f, marker in markers.items():
            part = table[(table["outcome"] == outcome) & (table["f"] == f)]
            if part.empty:
                continue
            hollow = outcome == "info"
            rare = len(part) <= VECTOR_LIMIT and outcome != "ok"
            axes.scatter(
                part["at"], part["height"], s=max(size, 16.0) if hollow else size, marker=marker,
                facecolors="none" if hollow else colour, edgecolors=colour, linewidths=0.9 if hollow else 0,
                alpha=0.9 if rare else alpha, rasterized=many > VECTOR_LIMIT and not rare, zorder=4 if rare else 3,
            )  # fmt: skip
            if hollow:
                axes.scatter(
                    part["at"], part["height"] * 1.28, s=16, marker="^", color=colour, linewidths=0,
                    alpha=0.9, zorder=4,
                )  # fmt: skip


def _trend(axes: Axes, table: pd.DataFrame, end: int) -> None:
    """The median of what took any time, in windows of a sixtieth of the run."""
    answered = _timed(table)
    if len(answered) < TREND_FROM:
        return
    width = max(end / SECOND / 60, 1e-6)
    windows = (answered["at"] // width).astype(int)
    medians = answered.groupby(windows, sort=True)["latency"].median()
    whole = medians.reindex(range(int(medians.index.min()), int(medians.index.max()) + 1))
    axes.plot([(i + 0.5) * width for i in whole.index], whole.to_numpy(), color=LIGHT["paper"], lw=2.4, zorder=5)
    axes.plot([(i + 0.5) * width for i in whole.index], whole.to_numpy(), color=LIGHT["ink"], lw=1.1, zorder=5)


def _timed(table: pd.DataFrame) -> pd.DataFrame:
    """What was answered ok, and not at once: a read from a leader's memory would drown all others."""
    return table[(table["outcome"] == "ok") & (table["latency"] > 0)]


def _legend(drawn: Figure, axes: Axes, table: pd.DataFrame, height: float) -> None:
    from matplotlib.lines import Line2D

    counted = table["outcome"].value_counts()
    entries: list[Line2D] = []
    words = {"ok": "ok", "fail": "fail (no effect)", "info": "info (no answer: at least this)"}
    for outcome, text in words.items():
        if counted.get(outcome, 0):
            colour = LIGHT[outcome_colour(outcome)]
            face = "none" if outcome == "info" else colour
            entries.append(
                Line2D([], [], ls="", marker="o", ms=5, color=colour, mfc=face, label=f"{text}  {counted[outcome]:,}")
            )
    for f, marker in shapes(sorted(set(table["f"]))).items():
        count = int((table["f"] == f).sum())
        entries.append(Line2D([], [], ls="", marker=marker, ms=5, color=LIGHT["muted"], label=f"{f}  {count:,}"))
    if len(_timed(table)) >= TREND_FROM:
        entries.append(
            Line2D(
                [],
                [],
                color=LIGHT["ink"],
                lw=1.3,
                label="median of ok" if (table["latency"] > 0).all() else "median of ok, 0 left out",
            )
        )
    drawn.legend(
        handles=entries, loc="upper left", bbox_to_anchor=(0.07, 1.0), ncols=len(entries), frameon=False,
        fontsize=8, handletextpad=0.4, columnspacing=1.4, borderaxespad=0.3,
    )  # fmt: skip
