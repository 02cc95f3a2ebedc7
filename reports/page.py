"""One self-contained page per run: what was promised, what happened, and the proof where the two differ.

Everything is inside the file: drawings as SVG that follow the reader's light or dark theme, no script, nothing fetched
(a content policy in the page says so). The same charts lie beside it as PNG.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from checkers import Observation, Operation, Outcome, invariants
from checkers.lattice import Standing
from reports import lattice, palette
from reports.lattice import Place
from reports.proof import convicting, headline
from reports.subject import Judged, Subject, compact
from reports.words import MILLISECOND, SECOND, plain, plural, seconds, shorten, span, told

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.figure import Figure

TEMPLATES = Path(__file__).parent / "templates"
_PER_LINK = "packets on "
WITNESS_LINES = 200  # witness items in words on one page


class Chart(msgspec.Struct, frozen=True):
    """A drawing: its file's stem, its heading, a sentence on how to read it, and the drawing itself for the page."""

    name: str
    title: str
    caption: str
    svg: str


class Line(msgspec.Struct, frozen=True):
    """An item of a witness in words."""

    text: str
    convicts: bool
    during: str


class Among(msgspec.Struct, frozen=True):
    """Where the history stands among the consistency models: in a sentence, as a picture, and what decides it."""

    sentence: str
    picture: Chart | None
    places: tuple[Place, ...]


class Violation(msgspec.Struct, frozen=True):
    """An invalid verdict with its proof, in words and as a picture (None where there is nothing to draw)."""

    judged: Judged
    headline: str | None
    lines: tuple[Line, ...]
    left_out: int
    picture: Chart | None


def write(subject: Subject, folder: str | Path) -> Path:
    """Draw the run into `folder`: ``charts/*.png`` and ``report.html``, whose path is returned.

    Files are replaced whole. Raises `OSError` where the folder cannot be written.
    """
    folder = Path(folder)
    (folder / "charts").mkdir(parents=True, exist_ok=True)
    charts, violations = _draw(subject, folder / "charts")
    among = None if subject.standing is None else stands(subject.standing, subject.judged, folder / "charts")
    page = folder / "report.html"
    replace(page, render(subject, charts, violations, among).encode("utf-8", "replace"))
    return page


def stands(standing: Standing, judged: Sequence[Judged] = (), folder: Path | None = None) -> Among | None:
    """What a page says of a standing, None where nothing is decided; the picture goes into ``folder`` as well."""
    if not standing.holds and not standing.fails:
        return None
    if not lattice.informative(standing):
        return Among(lattice.sentence(standing), None, ())
    expected = {each.verdict.checker: each for each in judged}
    picture = _chart(
        folder, "consistency", "Among the consistency models", partial(lattice.draw, standing, expected),
        f"Every history of a model is one of those that lines lead to, on its right. Here {lattice.told(standing)}.",
    )  # fmt: skip
    return Among(lattice.sentence(standing), picture, lattice.frontier(standing))


def render(subject: Subject, charts: list[Chart], violations: list[Violation], among: Among | None) -> str:
    """The page as text."""
    import pandas as pd

    from reports.latency import phases
    from reports.timeline import faults, heal_of

    table = phases(subject)
    quantiles = ("p50", "p99", "max")
    rows = [
        {
            name: ("–" if pd.isna(row[name]) else span(round(row[name] * MILLISECOND)))
            if name in quantiles
            else row[name]
            for name in table
        }
        for row in table.to_dict("records")
    ]
    sessions = {str(operation.session) for operation in subject.history.operations() if not operation.final}
    heal = heal_of(subject)
    counters = sorted(subject.counters.items())
    return environment().get_template("report.html").render(
        subject=subject,
        judged=compact(subject.judged, lambda verdict: f"{verdict.checker} ({verdict.reason})"),
        facts=[plural(len(subject.nodes), "node"), plural(len(sessions), "client"),
               plural(len(subject.history.invocations), "operation"), f"{subject.duration / SECOND:g} s simulated"],
        status_tone={"as expected": "good", "not as expected": "bad"}.get(subject.status, "open"),
        tones={"valid": "good", "invalid": "bad", "unknown": "open"},
        violations=violations,
        among=among,
        charts=charts,
        phases=rows,
        faults=faults(subject),
        heal=None if heal is None else seconds(heal),
        counters=[item for item in counters if not item[0].startswith(_PER_LINK)],
        links=[(name.removeprefix(_PER_LINK), count) for name, count in counters if name.startswith(_PER_LINK)],
    )  # fmt: skip


def environment() -> Environment:
    """The templates, with everything that they print escaped."""
    import jinja2
    from markupsafe import Markup

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.filters.update(seconds=seconds, span=span, plain=plain, shorten=shorten, number=lambda n: f"{n:,}")
    drawing: Callable[[str], Markup] = Markup  # our own drawing, whose texts are glyphs and escaped labels
    made.filters["drawing"] = drawing
    made.globals["css"] = Markup(palette.css())
    return made


def _is_proved(judged: Judged) -> bool:
    """Whether it is a violation with a proof of its own; the single invariants have those of all of them."""
    return judged.verdict.outcome is Outcome.INVALID and judged.name != invariants.NAME


def _draw(subject: Subject, folder: Path) -> tuple[list[Chart], list[Violation]]:
    from reports import anomalies, latency, leaders, witness
    from reports.timeline import during, extent, faults, interval

    charts = [
        _chart(folder, "latency", "Latency over time", partial(latency.draw, subject),
               "Every operation at the moment it was asked; its height is the time to the answer. Hollow marks with an "
               "arrow were never answered: they stand at the time after which the client gave up. "
               "On the line 0: answered at once, since a client's own link takes no time unless the scenario says so."),
        _chart(folder, "anomalies", "Anomalies over time", partial(anomalies.draw, subject),
               "A row per checker. Marks are the operations or announcements that prove a violation; the red cross is "
               "the one that the others contradict."),
        _chart(folder, "leaders", "Leaders and terms", partial(leaders.draw, subject),
               "Which node led in which term, as the nodes themselves announced it. Hatched: the node still believes "
               "that it leads while a newer term has a leader elsewhere."),
    ]  # fmt: skip
    bad, end = faults(subject), extent(subject)
    violations: list[Violation] = []
    for number, judged in enumerate(item for item in subject.judged if _is_proved(item)):
        guilty = convicting(judged.verdict)
        lines = []
        for position, item in enumerate(judged.verdict.witness[:WITNESS_LINES]):
            if isinstance(item, (Operation, Observation)):
                names = during(bad, *interval(item, end))
                lines.append(Line(told(item), position in guilty, " and ".join(names)))
            else:
                lines.append(Line(shorten(str(item), 300), False, ""))
        slug = re.sub(r"[^a-z0-9]+", "-", judged.name.lower()).strip("-")[:40] or "checker"
        if any(
            violation.picture is not None and violation.picture.name == f"witness-{slug}" for violation in violations
        ):
            slug += f"-{number + 1}"
        picture = None
        if any(isinstance(item, (Operation, Observation)) for item in judged.verdict.witness):
            picture = _chart(
                folder, f"witness-{slug}", f"The proof against {judged.name}",
                partial(witness.draw, subject, judged), shorten(judged.verdict.reason, 600),
                partial(witness.draw, subject, judged, titled=False),
            )  # fmt: skip
        violations.append(
            Violation(
                judged,
                headline(judged.verdict),
                tuple(lines),
                max(0, len(judged.verdict.witness) - WITNESS_LINES),
                picture,
            )
        )
    return charts, violations


def _chart(
    folder: Path | None,
    name: str,
    title: str,
    draw: Callable[[], Figure],
    caption: str,
    inline: Callable[[], Figure] | None = None,
) -> Chart:
    """Write the chart as PNG, where there is a folder for it, and return it for the page.

    `inline` draws the page's own version where that differs.
    """
    from reports import drawing

    with drawing.style(name):
        drawn = draw()
        if folder is not None:
            replace(folder / f"{name}.png", drawing.png(drawn))
        shown = drawn if inline is None else inline()
        return Chart(name, title, caption, drawing.svg(shown, name, f"{title}. {caption}"))


def replace(path: Path, content: bytes) -> None:
    """Write the whole file or nothing."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
