"""What two workers make of a sweep, beside two bare busy loops; what a run costs to hand out; what the plugin costs.

    python -m benchmarks.workers [--rounds 9] [--write benchmarks/workers.md]

Every round takes each sample once, next to its counterpart and every other time in the opposite order, so that what
else the machine does slows both. Speed-ups are of the fastest samples, those that were disturbed least; the share is
the median over the rounds of ours by theirs, each of one round. The cost of a run is the processor time of the process
that hands it out, receives its results and writes its row; that of the plugin is what `pytest --help` needs more of it
than with `-p no:aftershock`. Exits with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from bench import ledger
from bench.commands import given
from bench.commands.crew import Crew, Job, enlist, hand
from bench.registry import Registry

SCENARIO, COLUMN, RUNS = "bad-network", "raft/log", 8
SHARE, HANDING, PLUGIN = 0.9, 0.005, 0.010  # the bars; seconds

Sample = Callable[[], float]


def busy(rounds: int) -> int:
    """A loop that needs nothing but a processor."""
    total = 0
    for i in range(rounds):
        total += i * i % 7
    return total


def spin(pool: ProcessPoolExecutor, rounds: int) -> float:
    """As many busy loops as a sweep has runs; seconds."""
    began = time.perf_counter()
    list(pool.map(busy, [rounds] * RUNS))
    return time.perf_counter() - began


def help_of_pytest(*options: str) -> float:
    """Seconds of processor time."""
    command = [sys.executable, "-m", "pytest", "--help", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def interleaved(samples: dict[str, Sample], rounds: int) -> dict[str, list[float]]:
    """The samples of every round, by name; each is taken once before it counts."""
    seen: dict[str, list[float]] = {name: [] for name in samples}
    for take in samples.values():
        take()
    for number in range(rounds):
        for name in list(samples) if number % 2 else reversed(samples):
            seen[name].append(samples[name]())
    return seen


def measure(rounds: int) -> tuple[str, list[str]]:
    """The table, and the bars that are missed."""
    registry = Registry.load()
    (case,) = given.cases([SCENARIO], [], [COLUMN], registry)
    spawn = multiprocessing.get_context("spawn")
    handing: list[float] = []
    with (
        ProcessPoolExecutor(1, spawn, enlist, ((),)) as one,
        ProcessPoolExecutor(2, spawn, enlist, ((),)) as two,
        tempfile.TemporaryDirectory() as folder,
        ledger.opened(Path(folder), "benchmark") as book,
    ):
        crews = {1: Crew(registry, partial(hand, one, ()), 1), 2: Crew(registry, partial(hand, two, ()), 2)}

        def sweep(width: int) -> float:
            began, used = time.perf_counter(), time.process_time()
            for _, results in crews[width].results(Job(case, COLUMN, seed) for seed in range(RUNS)):
                book.write(results)
            handing.append((time.process_time() - used) / RUNS)
            return time.perf_counter() - began

        used = time.process_time()
        busy(2_000_000)
        loop = round(0.25 * 2_000_000 / (time.process_time() - used))
        for pool in (one, two):
            spin(pool, loop)
        seen = interleaved(
            {
                "loop": partial(spin, one, loop),
                "run": partial(sweep, 1),
                "loops": partial(spin, two, loop),
                "runs": partial(sweep, 2),
            },
            rounds,
        )
    helps = interleaved(
        {"without": partial(help_of_pytest, "-p", "no:aftershock"), "with": help_of_pytest}, 2 * rounds + 1
    )
    speed_ups = {name: [a / b for a, b in zip(seen[name], seen[f"{name}s"], strict=True)] for name in ("loop", "run")}
    share = statistics.median(ours / bare for ours, bare in zip(speed_ups["run"], speed_ups["loop"], strict=True))
    each = statistics.median(handing)
    more = statistics.median(a - b for a, b in zip(helps["with"], helps["without"], strict=True))

    def row(what: str, value: str, wanted: str = "") -> str:
        return f"| {what} | {value} | {wanted} |"

    fastest = {name: min(taken) for name, taken in seen.items()}
    lines = [
        f"CPython {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors, "
        f"load {os.getloadavg()[0]:.1f}; {rounds} rounds of {RUNS} runs of {SCENARIO}.",
        "",
        "| | measured | wanted |",
        "|---|---:|---:|",
        row("speed-up of two busy loops", f"{fastest['loop'] / fastest['loops']:.2f}"),
        row("speed-up of two workers", f"{fastest['run'] / fastest['runs']:.2f}"),
        row("of that of the loops in the same round, median", f"{share:.2f}", f"≥ {SHARE:.2f}"),
        row("a run, one worker", f"{fastest['run'] / RUNS * 1000:.0f} ms"),
        row("handing it out and keeping its row, median", f"{each * 1000:.2f} ms", f"≤ {HANDING * 1000:.0f} ms"),
        row("pytest --help, median", f"{statistics.median(helps['without']) * 1000:.0f} ms"),
        row("the plugin in it, median", f"{more * 1000:.1f} ms", f"≤ {PLUGIN * 1000:.0f} ms"),
    ]
    bars = {
        f"two workers reach {share:.2f} of two busy loops": share >= SHARE,
        f"handing out a run costs {each * 1000:.2f} ms": each <= HANDING,
        f"the plugin costs {more * 1000:.1f} ms": more <= PLUGIN,
    }
    return "\n".join(lines), [what for what, met in bars.items() if not met]


def main(words: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", type=Path, help="write the table there, too")
    arguments = parser.parse_args(None if words is None else list(words))
    table, missed = measure(arguments.rounds)
    print(table)
    if arguments.write is not None:
        head = (__doc__ or "").partition("\n\n")[0]
        arguments.write.write_text(f"# Workers\n\n{head}\n\n{table}\n", encoding="utf-8")
    for bar in missed:
        print(bar, file=sys.stderr)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
