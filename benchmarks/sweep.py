"""What random faults find: every safe mode must keep its promise on every seed, and each mutant be caught often enough.

    python -m benchmarks.sweep [--seeds 0-9999] [--mutant-seeds 300] [--only NAME] [--workers N | --scheduler ADDRESS]
                               [--out runs] [--write benchmarks/sweep.md]

Runs the scenario `random-faults` for every protocol and mode that promises something, on all of the seeds, and for
every mutant on the first of them: odd seeds with 3 nodes, even ones with 5; who does not serve its workload is asked
for decisions (the workload `consensus`). A run is judged by what the mode promises and by the invariants, and by
nothing else. "Slowest recovery" is the longest time from `heal` until the first operation that was asked since had been
served. Every result is kept at once, so the same command takes up an interrupted sweep. Exits with 1 if a safe
mode is convicted on any seed, naming the line that runs it again; if Raft saw the leader change under load in fewer
than 80 % of its runs; or if a mutant that has a bar is caught in fewer.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec

from aftershock import __main__ as command
from bench import ledger, store
from bench.commands import BadUsage, given, publish
from bench.commands.crew import Crew, Job, crew
from bench.commands.given import Case
from bench.ledger import Ledger
from bench.registry import BadPlugin, Registry
from bench.run import plan
from bench.store import BadRun, Results
from checkers import Outcome, progress

SCENARIO = "random-faults"
NODES = (5, 3)  # of even seeds, of odd seeds
BARS = {"careless_voter_raft": 0.40, "confident_leader_raft": 0.20, "truncating_raft": 0.03}
BUSY = {"raft/log": 0.80}
OTHERWISE = ("workload.kind=consensus", "workload.keys=40")  # asked of those who do not serve the scenario's workload
UNDER_LOAD = "leader-changes-under-load"
NAMED = 20  # violations of a column that are named
ABOUT = "`make sweep-protocols` runs 10,000 seeds of each safe mode; this table says of how many it is."
HEAD = [
    "| protocol | seeds | convicted | share | by | undecided | leader changed under load | slowest recovery (bound) |",
    "|---|---:|---:|---:|---|---:|---:|---:|",
]


class Swept(msgspec.Struct, frozen=True):
    """What a column came to, in the order of the seeds."""

    column: str
    mutant: bool
    overrides: tuple[str, ...]  # of the scenario, besides its nodes
    rows: tuple[Results, ...]

    @property
    def convicted(self) -> list[Results]:
        return [row for row in self.rows if row.status == "not as expected"]

    @property
    def busy(self) -> float:
        """The share of runs in which a leader changed while operations were under way."""
        return sum(row.counters.get(UNDER_LOAD, 0) > 0 for row in self.rows) / len(self.rows)

    def line(self) -> str:
        """Its row of the table."""
        by = Counter(name for row in self.convicted for name in _broken(row))
        whom = ", ".join(f"{name} {count:,}" for name, count in sorted(by.items())) or "–"
        share = f"{len(self.convicted):,} | {len(self.convicted) / len(self.rows):.1%}"
        undecided = sum(row.status == "undecided" for row in self.rows)
        figures = f"{undecided:,} | {self.busy:.1%} | {self.slowest}"
        return f"| {self.column} | {len(self.rows):,} | {share} | {whom} | {figures} |"

    @property
    def slowest(self) -> str:
        """The longest time from heal until the first operation asked since was served, and what is allowed."""
        told = [said.details for row in self.rows for said in row.verdicts if said.checker == progress.NAME]
        taken = [(of["recovered_after_ns"], of["bound_ns"]) for of in told if "recovered_after_ns" in of]
        return "{:,.0f} ms ({:,.0f} ms)".format(*(time / 1e6 for time in max(taken))) if taken else "–"

    def failures(self) -> Iterator[str]:
        """What must not be, a line each."""
        protocol = self.column.partition("/")[0]
        share = len(self.convicted) / len(self.rows)
        if self.mutant:
            if share < BARS.get(protocol, 0.0):
                yield f"{self.column} was caught in {share:.1%} of the runs, {BARS[protocol]:.0%} wanted"
            return
        for row in self.convicted[:NAMED]:
            settings = " ".join(f"-s {each}" for each in (f"cluster.nodes={_nodes(row.seed)}", *self.overrides))
            yield (
                f"{self.column} seed {row.seed}: {'; '.join(row.notes)}\n"
                f"    aftershock run {SCENARIO} -p {self.column} --seed {row.seed} {settings}"
            )
        if len(self.convicted) > NAMED:
            yield f"{self.column}: and {len(self.convicted) - NAMED:,} more"
        if self.busy < BUSY.get(self.column, 0.0):
            yield f"{self.column}: the leader changed under load in {self.busy:.1%} of the runs only"


def _broken(row: Results) -> list[str]:
    """The checkers that said another thing than was expected."""
    return [said.checker for said in row.verdicts if not said.as_expected and said.outcome is not Outcome.UNKNOWN]


def _nodes(seed: int) -> int:
    return NODES[seed % 2]


def columns(registry: Registry, only: str = "") -> Iterator[tuple[str, bool]]:
    """Every column that promises something, the safe ones first, and whether it is a mutant's."""
    for mutant in (False, True):
        for name, protocol in registry.protocols.items():
            for mode in protocol.modes:
                promises = protocol.modes[mode].promises is not None and (protocol.mutant_of is not None) == mutant
                if promises and only in f"{name}/{mode}":
                    yield f"{name}/{mode}", mutant


def overrides_of(column: str, registry: Registry) -> tuple[str, ...]:
    """What is asked of a column instead of the scenario's workload, where it does not serve that."""
    return () if {"read", "write", "cas"} <= registry.column(column)[1].operations else OTHERWISE


def sweep(column: str, mutant: bool, seeds: range, out: Path, registry: Registry, hands: Crew) -> Swept:
    """Run every seed that has no result yet; all of them come back."""
    cases: dict[int, Case] = {}
    books: dict[int, Ledger] = {}
    known: dict[int, frozenset[int]] = {}
    overrides = overrides_of(column, registry)
    with ExitStack() as stack:
        for nodes in NODES:
            (cases[nodes],) = given.cases([SCENARIO], [f"cluster.nodes={nodes}", *overrides], [column], registry)
            plan(SCENARIO, cases[nodes].scenario, column, seeds[0], registry)  # refused at once, if at all
            digest = ledger.digest(cases[nodes].scenario, column, registry, (), purpose="demanded")
            books[nodes] = stack.enter_context(ledger.opened(store.place(out, SCENARIO, column), digest))
            known[nodes] = books[nodes].seeds()
        new = [seed for seed in seeds if seed not in known[_nodes(seed)]]
        advance: Callable[[], None] = stack.enter_context(
            publish.progress(column, len(seeds), quiet=False, known=len(seeds) - len(new))
        )
        fresh = stack.enter_context(
            closing(hands.results(Job(cases[_nodes(seed)], column, seed, demanded=True) for seed in new))
        )
        for job, results in fresh:
            books[_nodes(job.seed)].write(results)
            advance()
        return Swept(column, mutant, overrides, tuple(books[_nodes(seed)].read(seed) for seed in seeds))


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0-9999", help="inclusive")
    parser.add_argument("--mutant-seeds", type=int, default=300, help="how many of them the mutants run; 0 for none")
    parser.add_argument("--only", default="", help="columns whose name contains this")
    parser.add_argument("--workers", type=int, help="processes; by default one per processor")
    parser.add_argument("--scheduler", help="of a Dask cluster, such as tcp://host:8786")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="where results are kept")
    parser.add_argument("--write", type=Path, help="write the table there, too")
    arguments = parser.parse_args(words)
    try:
        if arguments.mutant_seeds < 0:
            raise BadUsage(f"--mutant-seeds {arguments.mutant_seeds}: expected how many, or 0 for none")
        registry = Registry.load()
        todo = [each for each in columns(registry, arguments.only) if arguments.mutant_seeds or not each[1]]
        seeds = given.seeds(arguments.seeds)
        if not todo:
            raise BadUsage(f"--only {arguments.only}: no column is called so")
        if arguments.write and arguments.only:
            raise BadUsage("--write is for the whole table: it goes without --only")
        done: list[Swept] = []
        print("\n".join(HEAD), flush=True)
        with crew(registry, (), arguments.workers, len(seeds), arguments.scheduler) as hands:
            for column, mutant in todo:
                chosen = seeds[: arguments.mutant_seeds] if mutant else seeds
                done.append(sweep(column, mutant, chosen, arguments.out, registry, hands))
                print(done[-1].line(), flush=True)
                for failure in done[-1].failures():
                    print(failure, file=sys.stderr, flush=True)
    except (BadPlugin, BadRun, BadUsage) as wrong:
        print(wrong, file=sys.stderr)
        return command.BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; the same command takes it up", file=sys.stderr)
        return command.INTERRUPTED
    if arguments.write is not None:
        table = "\n".join([*HEAD, *(each.line() for each in done)])
        head = (__doc__ or "").partition("\n\n")[0]
        arguments.write.write_text(f"# Random faults\n\n{head}\n{ABOUT}\n\n{table}\n", encoding="utf-8")
    return int(any(True for each in done for _ in each.failures()))


if __name__ == "__main__":
    sys.exit(main())
