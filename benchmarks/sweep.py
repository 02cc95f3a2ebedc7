"""What random faults find: correct Raft must pass every seed, and each mutant must be caught in enough of them.

    python -m benchmarks.sweep [--seeds 0-1999] [--workers 2] [--write benchmarks/sweep.md]

Runs the scenario `random-faults` for correct Raft on every seed, half of the seeds with 3 nodes and half with 5, and
for the mutants on the same seeds (`--mutant-seeds` of them). Exits with 1 if correct Raft is ever convicted, if fewer
than 80 % of its runs see the leader change while operations are under way, or if a mutant stays below its bar.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import msgspec

from bench.registry import Registry
from bench.run import execute, judge, plan
from checkers import Outcome
from scenarios.decode import load

SCENARIO = Path(__file__).parent.parent / "scenarios" / "random-faults.toml"
BARS = {"careless_voter_raft": 0.40, "confident_leader_raft": 0.20, "truncating_raft": 0.03, "hasty_raft": 0.0}
BUSY = 0.80


class Seen(msgspec.Struct, frozen=True):
    """One run: which checkers convicted or could not decide, and whether a leader changed under load."""

    seed: int
    invalid: tuple[str, ...]
    unknown: tuple[str, ...]
    busy: bool
    storm: bool


@cache
def _registry() -> Registry:
    return Registry.load()


def run(job: tuple[str, int, int]) -> Seen:
    """One seed of one protocol on so many nodes."""
    protocol, nodes, seed = job
    registry = _registry()
    scenario = load(SCENARIO, registry.kinds(), (f"cluster.nodes={nodes}",))
    recording = execute(plan("random-faults", scenario, protocol, seed, registry), registry, trace=False)
    judged = judge(recording, registry).judged
    return Seen(
        seed,
        tuple(each.name for each in judged if each.verdict.outcome is Outcome.INVALID),
        tuple(each.name for each in judged if each.verdict.outcome is Outcome.UNKNOWN),
        recording.counters["leader-changes-under-load"] > 0,
        recording.cut_short is not None and recording.cut_short[0] == "storm",
    )


def sweep(protocol: str, seeds: Iterable[int], workers: int) -> tuple[str, list[Seen]]:
    """A row of the table, and the runs behind it; seeds take turns between 3 and 5 nodes."""
    jobs = [(protocol, 3 if seed % 2 else 5, seed) for seed in seeds]
    with ProcessPoolExecutor(workers) as pool:
        runs = list(pool.map(run, jobs, chunksize=10))
    convicted = sum(bool(each.invalid) for each in runs)
    by = Counter(name for each in runs for name in each.invalid)
    undecided = sum(bool(each.storm or (each.unknown and not each.invalid)) for each in runs)
    busy = sum(each.busy for each in runs) / len(runs)
    whom = ", ".join(f"{name} {count}" for name, count in sorted(by.items())) or "–"
    share = f"{convicted:,} | {convicted / len(runs):.1%}"
    return f"| {protocol} | {len(runs):,} | {share} | {whom} | {undecided} | {busy:.1%} |", runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0-1999", help="inclusive")
    parser.add_argument("--mutant-seeds", type=int, default=300, help="how many of them the mutants run")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", type=Path, help="write the table there, too")
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    lines = [
        "| protocol | runs | convicted | share | by | undecided | leader changed under load |",
        "|---|---:|---:|---:|---|---:|---:|",
    ]
    print("\n".join(lines), flush=True)
    failures = []
    for protocol in ("raft", *BARS):
        row, runs = sweep(protocol, seeds if protocol == "raft" else seeds[: arguments.mutant_seeds], arguments.workers)
        print(row, flush=True)
        lines.append(row)
        share = sum(bool(each.invalid) for each in runs) / len(runs)
        if protocol != "raft":
            if share < BARS[protocol]:
                failures.append(f"{protocol} was caught in {share:.1%} of the runs, {BARS[protocol]:.0%} wanted")
            continue
        failures += [f"raft seed {each.seed}: {', '.join(each.invalid)}" for each in runs if each.invalid]
        if sum(each.busy for each in runs) < BUSY * len(runs):
            failures.append(f"the leader changed under load in fewer than {BUSY:.0%} of the runs")
    if arguments.write is not None:
        head = (__doc__ or "").partition("\n\n")[0]
        arguments.write.write_text(f"# Random faults\n\n{head}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
