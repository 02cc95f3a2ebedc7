"""How fast the consistency checkers are, and how their time grows.

    python -m benchmarks.consistency [--large] [--times 3] [--write benchmarks/consistency.md]

The growth of a checker is the exponent e of time = c n^e that fits its times over several sizes n best (least squares
of the logarithms), beside the exponent that its docstring derives. Times are of this process alone, in processor time,
the least of several runs, so that others on the machine disturb them little.

The histories come from a replicated log: writes are appended to it at an instant between their call and their answer,
each session reads a copy that may trail behind but never goes back, nor behind the session's own writes. That is
osc(u), hence sequential. Two changes make it invalid: one read that returns an older value, and two replicas on which
two neighbouring writes of one key are swapped.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from checkers import History, Verdict, check
from checkers.lattice import APART, models

SESSIONS, KEYS, TRAILING, LAG = 10, 20, 0.2, 50


def replicated_log(
    random: Random,
    operations: int,
    *,
    sessions: int = SESSIONS,
    keys: int = KEYS,
    altered: bool = False,
    swapped: bool = False,
) -> History:
    """Half reads, half writes; of the reads one in five trails by 1-50 writes. Final reads, one per session and key.

    ``altered``: one read returns the oldest value of its key. ``swapped``: two sessions that have yet to see two
    neighbouring writes of one key see them in opposite orders.
    """
    log: list[tuple[int, int]] = []
    of_key: list[list[int]] = [[] for _ in range(keys)]  # places in the log
    place = [0] * sessions
    clock = [0] * sessions
    asked: list[tuple[int, int, int, int, int, bool]] = []  # call, instant, return, session, key, is a read
    for n in range(operations):
        session = n % sessions
        call = clock[session] + random.randrange(1_000, 1_000_000)
        instant = call + random.randrange(1_000, 1_000_000)
        clock[session] = instant + random.randrange(1_000, 1_000_000)
        asked.append((call, instant, clock[session], session, random.randrange(keys), random.random() < 0.5))
    asked.sort(key=lambda op: op[1])
    victim = operations * 3 // 4
    lines: list[dict[str, Any]] = []
    script: dict[int, list[int]] = {}  # what a session is going to see of one key: places in the log
    writer: list[int] = []
    for nth, (call, _, back, session, key, read) in enumerate(asked):
        fields = {"process": session, "session": session, "node": f"n{session}", "key": f"k{key}"}
        if read:
            lag = random.randint(1, LAG) if random.random() < TRAILING else 0
            place[session] = max(place[session], len(log) - lag)
            known = [at for at in of_key[key][-LAG - 2 :] if at < place[session]]
            seen = known[-1] if known else None
            if altered and nth >= victim and len(of_key[key]) > 3:
                seen, altered = of_key[key][0], False
            if script.get(session):
                seen = script[session].pop(0)
                fields["key"] = f"k{log[seen][0]}"
            value = None if seen is None else log[seen][1]
            lines.append({**fields, "f": "read", "value": value, "call": call, "return": back})
        else:
            log.append((key, nth + 1))
            of_key[key].append(len(log) - 1)
            writer.append(session)
            place[session] = len(log)
            if swapped and nth >= victim and len(of_key[key]) > 1:
                pair = of_key[key][-2:]
                fresh = [s for s in range(sessions) if place[s] <= pair[0] and s not in (writer[pair[0]], session)]
                if len(fresh) > 1:
                    script, swapped = {fresh[0]: pair[:], fresh[1]: pair[::-1]}, False
            lines.append({**fields, "f": "write", "value": nth + 1, "call": call, "return": back})
    quiet = max(clock) + 1_000_000_000
    for key in range(keys):
        for session in range(sessions):
            value = log[of_key[key][-1]][1] if of_key[key] else None
            call = quiet + key * 1_000
            fields = {"process": session, "session": session, "node": f"n{session}", "key": f"k{key}", "final": True}
            lines.append({**fields, "f": "read", "value": value, "call": call, "return": call + 500})
    return History.from_operations(lines)


MODELS = tuple(name for name in (*models(), *APART) if name != "linearizable")
SIZES = (1_250, 2_500, 5_000, 10_000)
LARGE = (*SIZES, 20_000, 40_000)
KINDS = ("log", "one read altered", "replicas swapped")
FORCED = "1 to 2"  # a few rounds of forced orders, or as many as operations; and so for places to tell a circle from
GROWTH = {
    "osc(u)": FORCED, "sequential": FORCED, "cm": FORCED, "pram": FORCED, "ccv": FORCED, **dict.fromkeys(
        ("cc", "monotonic-reads", "monotonic-writes", "read-your-writes", "writes-follow-reads", *APART), "1"
    ),
}  # fmt: skip
"""The exponents that the checkers' docstrings derive."""
PAGE = """\
# Consistency checkers: measured

`python -m benchmarks.consistency{large} --write benchmarks/consistency.md` on {processors} processors shared with
other work, Python {python}{numba}. Seconds of processor time for one history of a replicated log with {sessions}
sessions and {keys} keys, in which one read in five trails; with one read altered; with two replicas swapped for a key.
The growth is the exponent of the number of operations n that fits the times of all sizes (c n^e); theory is what the
checker's docstring derives for a fixed number of sessions. Sorting, and the rounds that forced orders take, show as a
little more than 1; the constant costs of small histories as less.

{table}
"""


def history_of(kind: str, size: int) -> History:
    return replicated_log(Random(1), size, altered=kind.startswith("one"), swapped=kind.startswith("rep"))


def measure(run: Callable[[], Verdict], times: int) -> tuple[float, Verdict]:
    """The least processor seconds, and the answer."""
    taken: list[tuple[float, Verdict]] = []
    for _ in range(times):
        began = time.process_time()
        answer = run()
        taken.append((time.process_time() - began, answer))
    return min(taken, key=lambda each: each[0])


def growth(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The exponent e of the power law c n^e that is nearest to the times, in the least squares of logarithms."""
    return statistics.linear_regression([math.log(n) for n in sizes], [math.log(s) for s in seconds]).slope


def rows(sizes: Sequence[int], names: Sequence[str], times: int) -> Iterator[str]:
    """A line of the table for each kind of history and model."""
    yield "| history | model | " + " | ".join(f"{n:,}" for n in sizes) + " | growth | theory | verdict |"
    yield "|---|---|" + "---:|" * len(sizes) + "---:|---|---|"
    for kind in KINDS:
        histories = [history_of(kind, size) for size in sizes]
        for name in names:
            found = [measure(partial(check, history, name, model="kv"), times) for history in histories]
            seconds = [taken for taken, _ in found]
            outcomes = ", ".join(dict.fromkeys(str(verdict.outcome) for _, verdict in found))
            figures = " | ".join(f"{taken:.3f}" for taken in seconds)
            yield f"| {kind} | {name} | {figures} | {growth(sizes, seconds):.2f} | {GROWTH[name]} | {outcomes} |"


def page(table: str, *, large: bool) -> str:
    """What ``--write`` writes."""
    try:
        import numba

        compiled = f", numba {numba.__version__}"
    except ImportError:
        compiled = ", no numba"
    return PAGE.format(
        large=" --large" if large else "", processors=os.cpu_count(), python=platform.python_version(), numba=compiled,
        sessions=SESSIONS, keys=KEYS, table=table,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="also 20,000 and 40,000 operations")
    parser.add_argument("--times", type=int, default=3, help="how often each is run; the least counts")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="also write the table into this page")
    arguments = parser.parse_args()
    for name in MODELS:  # what is compiled or imported is so before anything is timed
        check(replicated_log(Random(0), 4_000), name, model="kv")
    lines = []
    for line in rows(LARGE if arguments.large else SIZES, MODELS, arguments.times):
        print(line, flush=True)
        lines.append(line)
    if arguments.write is not None:
        arguments.write.write_text(page("\n".join(lines), large=arguments.large), encoding="utf-8")


if __name__ == "__main__":
    main()
