"""All protocols side by side in the same scenarios: what an operation costs, and what each fault does to those who ask.

    python -m benchmarks.protocols [--columns raft/log,zab/log] [--write]

Takes every mode of the registry that promises something and serves reads and writes, mutants aside; ``--write``
replaces benchmarks/protocols.md and docs/images/protocols.png. Everything is simulated, so the same code gives the same
table.

The figures, over five nodes with a disk that takes 1 ms to sync, and clients at no distance. For the first three, links
take exactly 5 ms one way (a round trip is 10 ms), and ten sessions ask at most 50 operations a second in all (a
closed loop), wherever they happen to be if any server will do:

messages    Packets that nodes send to each other, for each operation that completed, in 4 s without a fault that begin
            when a leader is settled; heartbeats and other upkeep are among them. Of updates alone, and of reads alone.
bytes       The same packets, each with the length of its message as JSON (`msgspec.json`), without any header.
latency     From the call to the answer, median over the same operations, in round trips; the syncs are part of it.

For the others they take 1 to 5 ms, and 100 operations a second are asked, half of them reads:

recovery    From the crash of the leader to the first update that completes after it, by seed: median and worst. The
            leader is down for 3 s; in Paxos, where nobody leads for longer than one instance, it is who won the last.
available   The share of the 100 ms windows, from the start of a fault to 3 s later, in which an update completed; and
            the same of reads. Where every node is down for the first 600 ms of them, it is 80 % at most.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.registry import Registry
from bench.run import Recording, Unfit, execute, plan
from checkers import Operation
from scenarios.decode import decode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "benchmarks" / "protocols.md"
PICTURE = ROOT / "docs" / "images" / "protocols.png"

SECOND = 1_000_000_000  # of the history's nanoseconds
ROUND_TRIP = 10_000_000
SETTLED = 1 * SECOND
FAULT_LENGTH = 3 * SECOND
WINDOW = SECOND // 10
COST_SEED, RECOVERY_SEEDS, FAULT_SEEDS = 0, range(20), range(10)

COST = """
duration  = "5s"
protocols = ["raft"]
[cluster]
nodes   = 5
latency = "5ms"
[workload]
kind    = "kv"
clients = 10
think   = "100ms..300ms"
mix     = { %s = 1 }
"""

FAULT = """
duration  = "5s"
heal      = "4700ms"
protocols = ["raft"]
[cluster]
nodes = 5
[workload]
kind = "kv"
rate = "100/s"
mix  = { read = 1, write = 1 }
"""

FAULTS = {
    "leader crash": 'kind = "crash"\nnode = "leader"\nfor = "3s"',
    "leader cut off": 'kind = "partition"\ngroups = [["leader"], ["rest"]]\nfor = "3s"',
    "leader paused": 'kind = "pause"\nnode = "leader"\nfor = "3s"',
    "follower crash": 'kind = "crash"\nnode = "follower"\nfor = "3s"',
    "10 % loss": 'kind = "loss"\nlink = "all -> all"\nrate = 0.1\nfor = "3s"',
    "delay": 'kind = "delay"\nlink = "all -> all"\nby = "exponential 30ms"\nfor = "3s"',
    "all down 0.6 s": "",
}
"""Each lasts 3 s from 1.5 s on, but for the last, in which every node is down at once; a delay is 30 ms on average."""


class Cost(msgspec.Struct, frozen=True):
    """What an operation of one kind costs: packets, bytes, and round trips until the answer (median)."""

    messages: float
    bytes: float
    round_trips: float


class Row(msgspec.Struct, frozen=True):
    """One column of scenarios; what a fault does is missing where the protocol cannot be put through it."""

    column: str
    update: Cost
    read: Cost
    recovery: tuple[float, float] | None  # seconds: median, worst
    available: dict[str, tuple[float, float] | None]  # by fault: shares, of updates and of reads


@cache
def registry() -> Registry:
    return Registry.load()


def columns() -> list[str]:
    """Every mode whose clients are promised something."""
    return [
        f"{name}/{mode}"
        for name, protocol in registry().protocols.items()
        if not protocol.mutant_of and {"read", "write"} <= protocol.operations
        for mode, of in protocol.modes.items()
        if of.promises is not None
    ]


def promised(column: str) -> tuple[str, ...]:
    """What the clients of a mode are promised."""
    return registry().column(column)[3].promised


def run(text: str, column: str, seed: int, *, trace: bool = False) -> Recording:
    """One run. Raises `Unfit` where the protocol cannot be put through the scenario."""
    scenario = decode(text, "comparison.toml", registry().kinds())
    return execute(plan("comparison", scenario, column, seed, registry()), registry(), trace=trace)


# -------------------------------------------------------------------------------------------------------------- figures


def cost(column: str, function: str) -> Cost:
    """What one operation costs when nothing goes wrong and all are of this function."""
    recording = run(COST % function, column, COST_SEED, trace=True)
    latencies = [
        operation.return_time - operation.time
        for operation in _answered(recording)
        if operation.return_time is not None and operation.time >= SETTLED
    ]
    assert recording.trace is not None
    sizes = [
        len(msgspec.json.encode(step.what))
        for step in recording.trace
        if step.event == "send" and SETTLED <= step.time < 5 * SECOND and _between_nodes(step.node, step.peer or "")
    ]
    return Cost(len(sizes) / len(latencies), sum(sizes) / len(latencies), statistics.median(latencies) / ROUND_TRIP)


def _between_nodes(sender: str, to: str) -> bool:
    return sender.startswith("n") and to.startswith("n")


def _answered(recording: Recording) -> list[Operation]:
    """The operations that completed, without the final reads."""
    return [each for each in recording.history.operations() if each.type == "ok" and not each.final]


def faulty(fault: str) -> str:
    """The scenario with one fault in it."""
    if FAULTS[fault]:
        return f'{FAULT}[[faults]]\nat = "1500ms"\n{FAULTS[fault]}\n'
    crashes = (f'[[faults]]\nat = "1500ms"\nkind = "crash"\nnode = "n{i}"\nfor = "600ms"\n' for i in range(1, 6))
    return FAULT + "".join(crashes)


def _began(recording: Recording) -> int | None:
    """When the first fault struck; None if it never did."""
    return next((event.time for event in recording.history.nemesis() if event.f != "heal"), None)


def recovery(column: str) -> tuple[float, float] | None:
    """How long no update completed after the leader crashed, in seconds: median and worst of the seeds."""
    gaps = []
    for seed in RECOVERY_SEEDS:
        try:
            recording = run(faulty("leader crash"), column, seed)
        except Unfit:
            return None
        began = _began(recording)
        ends = [each.return_time for each in _answered(recording) if each.f != "read" and each.return_time is not None]
        later = [end - began for end in ends if began is not None and end > began]
        if not later:
            raise AssertionError(f"{column} with seed {seed} never served an update after its leader had crashed")
        gaps.append(min(later) / SECOND)
    return statistics.median(gaps), max(gaps)


def available(column: str, fault: str) -> tuple[float, float] | None:
    """The shares of windows with a completed update, and with a completed read, while a fault lasts."""
    served: dict[str, int] = {"write": 0, "read": 0}
    windows = 0
    for seed in FAULT_SEEDS:
        try:
            recording = run(faulty(fault), column, seed)
        except Unfit:
            return None
        began = _began(recording)
        assert began is not None, "faults strike at a fixed time"
        windows += FAULT_LENGTH // WINDOW
        for f in served:
            ends = [each.return_time for each in _answered(recording) if each.f == f and each.return_time is not None]
            served[f] += len({(end - began) // WINDOW for end in ends if began <= end < began + FAULT_LENGTH})
    return served["write"] / windows, served["read"] / windows


def row(column: str) -> Row:
    """Everything about one protocol and mode."""
    faults = {fault: available(column, fault) for fault in FAULTS}
    return Row(column, cost(column, "write"), cost(column, "read"), recovery(column), faults)


# ---------------------------------------------------------------------------------------------------------------- table


def cells(of: Cost) -> list[str]:
    """One operation's cost in the table."""
    return [f"{of.messages:.1f}", f"{of.bytes:,.0f}", f"{of.round_trips:.2f}"]


def table(rows: Sequence[Row]) -> str:
    """The page of the comparison."""
    lines = [
        "# Protocols side by side",
        "",
        "Written by `make compare`; what each figure is, is defined in [protocols.py](protocols.py). All of it is",
        "simulated: five nodes, a sync takes 1 ms. The synod is not among them: it serves decisions alone.",
        "",
        "## What an operation costs without faults",
        "",
        "A round trip takes 10 ms, ten sessions ask at most 50 operations a second in all.",
        "",
        "| | promises | update: messages | bytes | round trips | read: messages | bytes | round trips |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for each in rows:
        shown = [each.column, ", ".join(promised(each.column)), *cells(each.update), *cells(each.read)]
        lines.append(f"| {' | '.join(shown)} |")
    lines += [
        "",
        "## Without a leader",
        "",
        f"From the crash of the leader to the first update served after it, {len(RECOVERY_SEEDS)} seeds. Links take 1",
        "to 5 ms, 100 operations a second, half of them reads.",
        "",
        "| | median | worst |",
        "|---|--:|--:|",
    ]
    for each in rows:
        shown = ["–", "–"] if each.recovery is None else [f"{seconds * 1000:,.0f} ms" for seconds in each.recovery]
        lines.append(f"| {each.column} | {' | '.join(shown)} |")
    lines += [
        "",
        "## Availability while a fault lasts",
        "",
        f"Windows of 100 ms in which an update was served / a read was served, {len(FAULT_SEEDS)} seeds of 3 s each;",
        "links and load are the same. Where all are down for 0.6 s, nobody can reach more than 80 %.",
        "",
        f"| | {' | '.join(FAULTS)} |",
        "|---" + "|--:" * len(FAULTS) + "|",
    ]
    for each in rows:
        shares = [
            "–" if share is None else f"{share[0]:.0%} / {share[1]:.0%}" for share in map(each.available.get, FAULTS)
        ]
        lines.append(f"| {each.column} | {' | '.join(shares)} |")
    return "\n".join(lines) + "\n"


# -------------------------------------------------------------------------------------------------------------- picture


def draw(rows: Sequence[Row]) -> Figure:
    """The comparison as a picture; call it inside `reports.drawing.style`."""
    from reports.drawing import figure
    from reports.palette import LIGHT

    height = 1.5 + 0.62 * len(rows)
    drawn = figure(height)
    half, bottom = 0.31 * len(rows) / height, 0.1 / height
    upper = bottom + half + 0.8 / height
    names = [each.column for each in rows]
    left, wide, gap = 0.155, 0.18, 0.034
    panels = [
        ("messages per operation", [(each.update.messages, each.read.messages) for each in rows], "{:.1f}"),
        ("kB per operation", [(each.update.bytes / 1000, each.read.bytes / 1000) for each in rows], "{:.2f}"),
        ("round trips to the answer", [(each.update.round_trips, each.read.round_trips) for each in rows], "{:.2f}"),
    ]
    for number, (title, pairs, form) in enumerate(panels):
        axes = drawn.add_axes((left + number * (wide + gap), upper, wide, half))
        _bars(axes, pairs, form)
        _named(axes, title, names if number == 0 else None)
    axes = drawn.add_axes((left + 3 * (wide + gap), upper, wide, half))
    _recoveries(axes, rows)
    _named(axes, "leader\u2019s crash to update, ms", None)
    grid = drawn.add_axes((left, bottom, 4 * wide + 3 * gap, half))
    _availability(grid, rows)
    _named(grid, "", names)
    key = 1 - 0.2 / height
    drawn.text(left, key, "\u25a0 updates", color=LIGHT["ok"], va="center")
    drawn.text(left + 0.085, key, "\u25a0 reads", color=LIGHT["info"], va="center")
    drawn.text(left + 3 * (wide + gap), key, "\u25cf median   | worst seed", color=LIGHT["ok"], va="center")
    told = "windows of 100 ms in which an update was served, while the fault lasts; the tick: a read"
    drawn.text(left, bottom + half + 0.42 / height, told, va="center")
    return drawn


def _named(axes: Axes, title: str, names: list[str] | None) -> None:
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_yticks(range(len(names or [])), names or [])
    axes.tick_params(axis="y", length=0, labelsize=9)


def _bars(axes: Axes, pairs: Sequence[tuple[float, float]], form: str) -> None:
    """Two bars a row, the update's above the read's, each with its figure behind it."""
    from reports.palette import LIGHT

    most = max(max(pair) for pair in pairs)
    for lane, pair in enumerate(pairs):
        for value, offset, colour in zip(pair, (-0.19, 0.19), ("ok", "info"), strict=True):
            axes.barh(lane + offset, value, height=0.34, color=LIGHT[colour], zorder=2)
            axes.text(value + most * 0.02, lane + offset, form.format(value), va="center", fontsize=7.5, zorder=3)
    axes.set_xlim(0, most * 1.24)
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)


def _recoveries(axes: Axes, rows: Sequence[Row]) -> None:
    """A dot at the median, a line to the worst seed."""
    from reports.palette import LIGHT

    worst = max((each.recovery[1] for each in rows if each.recovery is not None), default=1.0) * 1000
    for lane, each in enumerate(rows):
        if each.recovery is None:
            axes.text(0, lane, "nobody leads", va="center", fontsize=7.5, color=LIGHT["muted"])
            continue
        middle, end = (seconds * 1000 for seconds in each.recovery)
        axes.plot([middle, end], [lane, lane], color=LIGHT["ok"], lw=1.4, zorder=2)
        axes.plot([end], [lane], marker="|", ms=8, mew=1.4, color=LIGHT["ok"], zorder=2)
        axes.plot([middle], [lane], marker="o", ms=6, color=LIGHT["ok"], zorder=3)
        axes.text(end + worst * 0.03, lane, f"{middle:,.0f} … {end:,.0f}", va="center", fontsize=7.5)
    axes.set_xlim(0, worst * 1.6)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)


def _availability(axes: Axes, rows: Sequence[Row]) -> None:
    """A cell per fault, filled as far as updates were served; a tick where reads were."""
    from reports.palette import LIGHT

    for lane, each in enumerate(rows):
        for place, fault in enumerate(FAULTS):
            share = each.available[fault]
            axes.barh(lane, 0.9, left=place + 0.02, height=0.72, color=LIGHT["panel"], zorder=1)
            if share is None:
                axes.text(place + 0.47, lane, "–", ha="center", va="center", color=LIGHT["muted"])
                continue
            updates, reads = share
            axes.barh(lane, 0.9 * updates, left=place + 0.02, height=0.72, color=LIGHT["ok"], alpha=0.3, zorder=2)
            axes.plot(
                [place + 0.02 + 0.9 * reads] * 2, [lane - 0.36, lane + 0.36], color=LIGHT["info"], lw=1.6, zorder=3
            )
            beside = place + 0.06 + 0.9 * max(updates, reads) if reads < 0.5 else place + 0.08  # clear of the tick
            axes.text(beside, lane, f"{updates:.0%}", va="center", fontsize=8.5, zorder=4)
    axes.set_xlim(0, len(FAULTS))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks([place + 0.47 for place in range(len(FAULTS))], list(FAULTS))
    axes.tick_params(axis="x", length=0, top=False, labeltop=True, bottom=False, labelbottom=False, labelsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", help="only these, parted by commas")
    parser.add_argument("--write", action="store_true", help="replace benchmarks/protocols.md and the picture")
    chosen = parser.parse_args(arguments)
    rows = [row(column) for column in (chosen.columns.split(",") if chosen.columns else columns())]
    text = table(rows)
    print(text, end="")
    if chosen.write:
        from reports.drawing import png, style

        TABLE.write_text(text, encoding="utf-8")
        with style("protocols"):
            PICTURE.write_bytes(png(draw(rows)))


if __name__ == "__main__":
    main()
