"""What two workers make of a sweep: their speed-up beside that of two bare busy loops, and what handing it a run costs.

    python -m benchmarks.workers [ROUNDS]

Both speed-ups are taken in turns in the same measurement, so that a machine that is busy with other things slows both.
The cost of a run is the processor time of the process that hands it out, receives its results and writes its row.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from bench import ledger
from bench.commands import given
from bench.commands.crew import Crew, Job, enlist, hand
from bench.registry import Registry

SCENARIO, COLUMN, RUNS = "bad-network", "raft/log", 8


def busy(rounds: int) -> int:
    """A loop that needs nothing but a processor."""
    total = 0
    for i in range(rounds):
        total += i * i % 7
    return total


def spin(pool: ProcessPoolExecutor, rounds: int) -> list[int]:
    """As many busy loops as a sweep has runs."""
    return list(pool.map(busy, [rounds] * RUNS))


def elapsed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(rounds: int) -> None:
    registry = Registry.load()
    (case,) = given.cases([SCENARIO], [], [COLUMN], registry)
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, spawn, enlist, ((),)) as one,
        ProcessPoolExecutor(2, spawn, enlist, ((),)) as two,
        tempfile.TemporaryDirectory() as folder,
        ledger.opened(Path(folder), "benchmark") as book,
    ):
        crews = {1: Crew(registry, partial(hand, one, ()), 1), 2: Crew(registry, partial(hand, two, ()), 2)}
        handing: list[float] = []

        def sweep(width: int, first: int) -> None:
            began = time.process_time()
            for _, results in crews[width].results(Job(case, COLUMN, first + i) for i in range(RUNS)):
                book.write(results)
            handing.append((time.process_time() - began) / RUNS)

        sweep(1, 10**6)
        sweep(2, 10**6)
        loop = round(0.3 * 2_000_000 / elapsed(lambda: busy(2_000_000)))
        handing.clear()
        loops: list[float] = []
        runs: list[float] = []
        each: list[float] = []
        for number in range(rounds):
            bare = [elapsed(partial(spin, pool, loop)) for pool in (one, two)]
            swept = [elapsed(partial(sweep, width, number * RUNS)) for width in (1, 2)]
            loops.append(bare[0] / bare[1])
            runs.append(swept[0] / swept[1])
            each.append(swept[0] / RUNS)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {rounds} rounds of {RUNS} runs of {SCENARIO}\n")
    print("| | median |\n|---|---|")
    print(f"| speed-up of two busy loops | {statistics.median(loops):.2f} |")
    print(f"| speed-up of two workers | {statistics.median(runs):.2f} |")
    shares = [ours / bare for ours, bare in zip(runs, loops, strict=True)]
    print(f"| of that of the loops | {statistics.median(shares):.2f} |")
    print(f"| a run, one worker | {statistics.median(each) * 1000:.0f} ms |")
    print(f"| handing it out and keeping its row | {statistics.median(handing) * 1000:.2f} ms |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
