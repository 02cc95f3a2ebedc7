"""How fast the simulator is: events per second, beside a bare simpy loop, and whether a long run slows it down.

    python -m benchmarks.simulation [--rounds 5] [--write benchmarks/simulation.md]

An event is an input handed to a node: a packet, a timer that fires, a choice, a client's operation. What a node does
not see (a sync, a timer that was put off) is not counted. The cluster is five Raft nodes under 100 operations a second
in an open loop, without faults, with history, observations and trace kept. The bare loop is simpy driven by callbacks
with 1,000 events pending that do nothing but schedule the next. Every round measures all rows in turn, in processor
time; the table shows medians over the rounds, so its ratios come from one run on one machine.
"""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import simpy

from bench.conductor import Conductor
from bench.registry import Registry
from bench.run import Plan, plan, simulated
from scenarios.decode import decode

SCENARIO = """
duration  = "{seconds}s"
protocols = ["raft/log"]

[cluster]
nodes = {nodes}

[workload]
kind = "kv"
rate = "100/s"
"""


def bare(events: int = 300_000) -> float:
    """Events per second of simpy alone, driven by callbacks, with 1,000 of them pending."""
    environment = simpy.Environment()
    seen = 0

    def due(_: simpy.Event) -> None:
        nonlocal seen
        seen += 1
        schedule(1000)

    def schedule(delay: int) -> None:
        event = simpy.Event(environment)
        event._ok, event._value = True, None
        event.callbacks.append(due)
        environment.schedule(event, delay=delay)

    for delay in range(1000):
        schedule(delay)
    began = time.process_time()
    environment.run(until=events)
    return seen / (time.process_time() - began)


def planned(registry: Registry, seconds: int, nodes: int) -> Plan:
    text = SCENARIO.format(seconds=seconds, nodes=nodes)
    return plan("benchmark", decode(text, "benchmark", registry.kinds()), "raft/log", 0, registry)


def simulate(registry: Registry, planned: Plan, *, trace: bool = True) -> tuple[float, float]:
    """Events per second, and simulated seconds per second."""
    _, protocol, _, mode = registry.column(planned.column)
    gc.collect()
    began = time.process_time()
    system = simulated(planned, protocol, mode, trace=trace)
    Conductor(planned.scenario, planned.operations, system, reads_anywhere=mode.reads_anywhere).run()
    took = time.process_time() - began
    return system.counters()["events"] / took, planned.scenario.duration / 1_000_000 / took


def measure(rounds: int) -> str:
    registry = Registry.load()
    minute, ten, three = planned(registry, 60, 5), planned(registry, 600, 5), planned(registry, 60, 3)
    rows: dict[str, Callable[[], tuple[float, float]]] = {
        "5 nodes, one simulated minute": lambda: simulate(registry, minute),
        "5 nodes, ten simulated minutes": lambda: simulate(registry, ten),
        "5 nodes, one minute, trace off": lambda: simulate(registry, minute, trace=False),
        "3 nodes, one simulated minute": lambda: simulate(registry, three),
    }
    simulate(registry, planned(registry, 5, 5))  # imports and caches
    loops: list[float] = []
    seen: dict[str, list[tuple[float, float]]] = {row: [] for row in rows}
    for _ in range(rounds):
        loops.append(bare())
        for row, run in rows.items():
            seen[row].append(run())
    loop = statistics.median(loops)
    lines = [
        f"CPython {platform.python_version()}, {platform.machine()}, medians of {rounds} rounds.",
        "",
        "| work | events/s | share of the bare loop | times real time |",
        "|---|---:|---:|---:|",
        f"| a bare simpy callback loop, 1,000 pending | {loop:,.0f} | 1 | |",
    ]
    for row, results in seen.items():
        rate = statistics.median(result[0] for result in results)
        real = statistics.median(result[1] for result in results)
        lines.append(f"| {row} | {rate:,.0f} | {rate / loop:.3f} | {real:,.0f} |")
    one, many = (statistics.median(result[0] for result in seen[row]) for row in list(rows)[:2])
    lines += ["", f"Ten minutes run at {many / one:.2f} of the rate of one."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, help="write the table there, too")
    arguments = parser.parse_args()
    table = measure(arguments.rounds)
    print(table)
    if arguments.write is not None:
        head = (__doc__ or "").partition("\n\n")[0]
        arguments.write.write_text(f"# The simulator\n\n{head}\n\n{table}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
