"""Where a history stands among the consistency models: the lattice, with what holds, what fails and what is open.

A line leads from each model to those that it implies, on its right. What holds is ticked, what fails is crossed out,
and what could not be decided has a question mark, so that no colour is needed to tell them apart; the strongest that
hold have a thick edge. Below a model stands what was expected of it, where a verdict of the run speaks of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from checkers import Outcome
from checkers.lattice import EDGES, Standing, models, weaker
from reports.drawing import WIDTH, figure
from reports.palette import LIGHT
from reports.subject import Judged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches: the middle of each model's box. Implications lead to the right and cross twice.
PLACES: dict[str, tuple[float, float]] = {
    "linearizable": (0.85, 1.2),
    "osc(u)": (2.45, 1.2),
    "sequential": (4.0, 1.2),
    "ccv": (5.55, 1.85),
    "cm": (5.55, 0.65),
    "pram": (7.05, 1.35),
    "cc": (7.05, 0.5),
    "monotonic-reads": (9.15, 2.1),
    "monotonic-writes": (9.15, 1.5),
    "read-your-writes": (9.15, 0.9),
    "writes-follow-reads": (9.15, 0.3),
}
HEIGHT, BOX = 2.45, 0.3  # inches, of the drawing and of a box
MARKS = {Outcome.VALID: "✓", Outcome.INVALID: "✗", Outcome.UNKNOWN: "?"}
_FILL = {Outcome.VALID: "heal-tint", Outcome.INVALID: "violation-tint", Outcome.UNKNOWN: "info-tint"}
_EDGE = {Outcome.VALID: "heal", Outcome.INVALID: "violation", Outcome.UNKNOWN: "info"}
_SAID = {"valid": "promised", "invalid": "expected to fail", "breakable": "may break"}


class Place(msgspec.Struct, frozen=True):
    """One model in words: what came of it, and why."""

    model: str
    outcome: Outcome
    why: str


def frontier(standing: Standing) -> tuple[Place, ...]:
    """What decides all the rest: the strongest models that hold, the weakest that fail, and what is open."""
    shown = [
        *standing.strongest,
        *(name for name in standing.fails if not set(weaker(name)) & set(standing.fails)),
        *standing.undecided,
    ]
    return tuple(Place(name, standing.outcome(name), standing.why(name)) for name in shown)


def informative(standing: Standing) -> bool:
    """Whether a picture says more than the verdict on the strongest model does."""
    return models()[0] not in standing.holds and bool(standing.holds or standing.fails)


def sentence(standing: Standing) -> str:
    """The standing in a sentence."""
    count = len(models())
    if len(standing.holds) == count:
        return f"The history is {models()[0]}, and so all {count} models hold."
    if not standing.strongest:
        return "None of the models holds." if not standing.undecided else "No model is known to hold."
    *others, last = standing.strongest
    if not others:
        return f"The strongest that holds is {last}."
    return f"The strongest that hold are {', '.join(others)} and {last}."


def draw(standing: Standing, expected: Mapping[str, Judged]) -> Figure:
    """The chart; call it inside `drawing.style`. ``expected`` are verdicts of the run, by the models' names here."""
    drawn = figure(HEIGHT)
    axes = drawn.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, HEIGHT)
    axes.axis("off")
    for above, below in EDGES:
        (x, y), (to_x, to_y) = PLACES[above], PLACES[below]
        both = {standing.outcome(above), standing.outcome(below)} == {Outcome.VALID}
        axes.plot(
            [x + _half(above), to_x - _half(below)], [y, to_y],
            color=LIGHT["heal" if both else "stale"], lw=1.4 if both else 1.0, zorder=1, solid_capstyle="butt",
        )  # fmt: skip
    for name in models():
        _box(axes, name, standing, expected.get(name))
    return drawn


def _half(name: str) -> float:
    """Half the width of a model's box, in inches: boxes above each other are alike."""
    return 0.045 * max(len(other) for other in PLACES if PLACES[other][0] == PLACES[name][0]) + 0.25


def _box(axes: Axes, name: str, standing: Standing, judged: Judged | None) -> None:
    from matplotlib.patches import FancyBboxPatch

    (x, y), half, outcome = PLACES[name], _half(name), standing.outcome(name)
    best = name in standing.strongest
    edge = LIGHT[_EDGE[outcome]]
    line = (0, (3, 2)) if outcome is Outcome.UNKNOWN else "-"
    axes.add_patch(
        FancyBboxPatch(
            (x - half, y - BOX / 2), 2 * half, BOX, boxstyle="round,pad=0,rounding_size=0.07",
            facecolor=LIGHT[_FILL[outcome]], edgecolor=edge, lw=2.4 if best else 1.0, ls=line, zorder=2,
        )
    )  # fmt: skip
    axes.text(
        x, y - 0.01, f"{MARKS[outcome]} {name}", ha="center", va="center", fontsize=9, zorder=3, color=edge,
        fontweight="bold" if best else "normal",
    )  # fmt: skip
    if judged is not None and judged.expected in _SAID:
        axes.text(
            x, y - BOX / 2 - 0.04, _SAID[judged.expected], ha="center", va="top", fontsize=7.5, color=LIGHT["muted"],
            zorder=3,
        )  # fmt: skip


def _listed(standing: Standing) -> Iterator[str]:
    for title, names in (("hold", standing.holds), ("fail", standing.fails), ("are open", standing.undecided)):
        if names:
            yield f"{', '.join(names)} {title}"


def told(standing: Standing) -> str:
    """The picture for those who cannot see it."""
    return "; ".join(_listed(standing))
