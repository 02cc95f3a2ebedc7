"""What every chart shares: a figure with fixed type and colours, fault bands, the heal line, reproducible files.

The same input gives the same bytes on one machine: the bundled font, no dates in the metadata, ids of an SVG drawn from
a fixed salt. No chart goes through pyplot, so nothing global is touched.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from reports.palette import LIGHT, fault_tint, themed
from reports.timeline import Fault
from reports.words import SECOND, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 10.5  # inches of every chart
DPI = 150
SVG_DPI = 144  # of what is rasterised inside an SVG
MAX_LANES = 5  # rows of the fault strip; what finds no row is drawn as a band only


@contextmanager
def style(salt: str) -> Iterator[None]:
    """The settings under which a chart is built and saved; `salt` keeps the ids of two charts on one page apart."""
    # Without a place for its cache, or while it makes one, it goes on and says so: that is no news of a run.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib

    settings: dict[Any, Any] = {
        "font.family": ["DejaVu Sans"],
        "font.size": 9,
        "svg.hashsalt": salt,
        "svg.fonttype": "path",
        "axes.edgecolor": LIGHT["rule"],
        "axes.labelcolor": LIGHT["muted"],
        "axes.titlecolor": LIGHT["ink"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": False,
        "xtick.color": LIGHT["rule"],
        "ytick.color": LIGHT["rule"],
        "xtick.labelcolor": LIGHT["muted"],
        "ytick.labelcolor": LIGHT["muted"],
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "text.color": LIGHT["ink"],
        "text.parse_math": False,  # a value may hold a dollar sign
        "grid.color": LIGHT["grid"],
        "grid.linewidth": 0.8,
        "hatch.linewidth": 0.8,
        "path.simplify": True,
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        yield


def figure(height: float) -> Figure:
    """An empty figure of the shared width; `height` in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=LIGHT["paper"])
    FigureCanvasAgg(drawn)
    return drawn


def png(drawn: Figure) -> bytes:
    """The chart as PNG, on white."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def svg(drawn: Figure, name: str, label: str) -> str:
    """The chart as an inline SVG element that follows the page's theme; `label` is its text for those who cannot see.

    Ids are prefixed with `name`, since several drawings share one page.
    """
    import html

    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    drawn.savefig(buffer, format="svg", dpi=SVG_DPI, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"^<svg\b[^>]*>", _opening(text, label, html.escape), text, count=1)
    return themed(text)


def _opening(text: str, label: str, escape: Any) -> str:
    """The opening tag of an SVG, with its view box only: the page decides the size."""
    box = re.search(r'viewBox="([^"]*)"', text)
    assert box is not None, "matplotlib writes a view box"
    name = escape(label, quote=True).replace("\\", "\\\\")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{box.group(1)}" role="img" aria-label="{name}">'
    )


def time_axis(axes: Axes, start: int, end: int) -> None:
    """A horizontal axis in seconds from `start` to `end` (nanoseconds)."""
    time_limits(axes, start, end)
    axes.set_xlabel("simulated time (s)")
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(length=3)


def time_limits(axes: Axes, start: int, end: int) -> None:
    """From `start` to `end`, with a little air, so that a mark on the last instant is whole."""
    axes.set_xlim(start / SECOND, (max(end, start + 1) + (end - start) * 0.006) / SECOND)


def bands(axes: Axes, faults: Sequence[Fault], heal: int | None) -> None:
    """Shade the time of every fault behind the data, and mark where everything heals."""
    for fault in faults:
        axes.axvspan(
            fault.start / SECOND, fault.end / SECOND, color=LIGHT[fault_tint(fault.kind)], alpha=0.75, lw=0, zorder=0
        )
    low, high = axes.get_xlim()
    if heal is not None and low <= heal / SECOND <= high:
        axes.axvline(heal / SECOND, color=LIGHT["heal"], lw=1.2, ls=(0, (4, 2)), zorder=1)


def strip_height(faults: Sequence[Fault], heal: int | None, start: int, end: int, inches: float = WIDTH - 1.5) -> float:
    """Inches that `strip` needs for these faults; 0 when there is nothing to name."""
    rows = [name.row for name in _names(faults, heal, start, end, inches)]
    return 0.2 * (max(rows) + 1) + 0.06 if rows else 0.0


def strip(axes: Axes, faults: Sequence[Fault], heal: int | None, start: int, end: int) -> None:
    """A bar with its name for every fault, over the chart whose time axis it shares, and where they all end."""
    inches = axes.get_position().width * WIDTH
    names = _names(faults, heal, start, end, inches)
    count = max((name.row for name in names), default=0) + 1
    time_limits(axes, start, end)
    axes.set_ylim(count, 0)
    axes.axis("off")
    for name in names:
        fault = name.fault
        tone = LIGHT["heal"] if fault.kind == HEAL else LIGHT[f"{fault_tint(fault.kind)}-edge"]
        left, right = max(fault.start, start) / SECOND, min(fault.end, end) / SECOND
        if fault.kind == HEAL:
            axes.plot([left, left], [name.row + 0.1, count], color=tone, lw=1.2, ls=(0, (4, 2)))
        else:
            fill = LIGHT[fault_tint(fault.kind)]
            axes.barh(name.row + 0.5, right - left, left=left, height=0.78, color=fill, edgecolor=tone, lw=0.6)
        x, align, text = {
            "inside": ((left + right) / 2, "center", name.text),
            "right": (right, "left", f" {name.text}"),
            "left": (left, "right", f"{name.text} "),
        }[name.side]
        axes.text(x, name.row + 0.52, text, ha=align, va="center", fontsize=7.5, color=tone)


Side = Literal["inside", "right", "left"]
HEAL, HEALED = "heal", "all faults end"
NAME = 24  # characters of a fault's name in the strip


class Name(msgspec.Struct, frozen=True):
    """A fault's place in the strip: its row, its text, and on which side of its bar that stands."""

    fault: Fault
    row: int
    text: str
    side: Side


def _names(faults: Sequence[Fault], heal: int | None, start: int, end: int, inches: float) -> list[Name]:
    """Each fault in the first row in which its bar and name are free of the others.

    Those that fit nowhere are left out and stand as a band only; the heal comes first, so that it is always named.
    """
    length = max(1, end - start)
    shown = list(faults)
    if heal is not None and start <= heal <= end:
        shown.insert(0, Fault(HEALED, HEAL, (), "", heal, heal))
    taken: list[list[tuple[float, float]]] = [[] for _ in range(MAX_LANES)]
    names = []
    cross = 0.05 / inches  # the heal's line crosses all rows, and no name crosses it
    for fault in shown:
        left, right = (max(fault.start, start) - start) / length, (min(fault.end, end) - start) / length
        full = f"{fault.name}: {fault.what}" if fault.what and fault.what != fault.name else fault.name
        text = shorten(fault.name, NAME)
        need = _inches(text) / inches
        places: list[tuple[str, Side, float, float]]
        if _inches(full) / inches <= right - left:
            places = [(plain(full), "inside", left, right)]
        elif need <= right - left:
            places = [(text, "inside", left, right)]
        else:
            places = [
                (text, "right", left, right + need),
                (text, "left", left - need, right),
                ("", "inside", left, right),
            ]
        fits = (
            Name(fault, row, words, side)
            for words, side, a, b in places
            for row, others in enumerate(taken)
            if a >= 0 and b <= 1.01 and all(b <= c or d <= a for c, d in others)
        )
        if (name := next(fits, None)) is not None:
            a, b = next((a, b) for _, side, a, b in places if side == name.side)
            taken[name.row].append((a, b))
            names.append(name)
        if fault.kind == HEAL:
            at = (fault.start - start) / length
            for others in taken[1:]:
                others.append((at - cross, at + cross))
    return names


def _inches(text: str) -> float:
    """A generous width of a label of the strip (7.5 points)."""
    return 0.067 * len(text) + 0.12
