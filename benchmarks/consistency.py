"""How fast the consistency checkers are, and how their time grows: ``python -m benchmarks.consistency``.

The histories come from a replicated log: writes are appended to it at an instant between their call and their answer,
each session reads a copy that may trail behind but never goes back, nor behind the session's own writes. That is
osc(u), hence sequential. Two changes make it invalid: one read that returns an older value, and two replicas on which
two neighbouring writes of one key are swapped.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from checkers import History, check
from checkers.lattice import APART, models, strongest

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
LARGE = (*models()[-3:], "monotonic-reads", *APART)


def measure(run: Any, times: int) -> tuple[float, Any]:
    """Median seconds and the answer."""
    taken, answer = [], None
    for _ in range(times):
        began = time.perf_counter()
        answer = run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken), answer


def rows(size: int, names: tuple[str, ...], times: int) -> Iterator[tuple[str, str, float, str, float]]:
    """The history, the model, seconds, the outcome, and how much slower than half the size."""
    for kind in ("log", "one read altered", "replicas swapped"):
        both = [
            replicated_log(Random(1), n, altered=kind.startswith("one"), swapped=kind.startswith("rep"))
            for n in (size // 2, size)
        ]
        for name in names:
            half, _ = measure(lambda h=both[0], n=name: check(h, n, model="kv"), times)
            full, verdict = measure(lambda h=both[1], n=name: check(h, n, model="kv"), times)
            yield kind, name, full, verdict.outcome.value, full / half
        if size <= 10_000:
            full, found = measure(lambda h=both[1]: strongest(h, "kv"), 1)
            yield kind, "strongest", full, " ".join(found.strongest) or "none", float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also 100,000 operations")
    parser.add_argument("--times", type=int, default=3, help="how often each is run; the median counts")
    arguments = parser.parse_args()
    check(replicated_log(Random(0), 4_000), "cm", model="kv")  # what is compiled is compiled before anything is timed
    print("| operations | history | model | s | outcome | ×half |\n|---:|---|---|---:|---|---:|")
    for size, names in ((10_000, MODELS), (100_000, LARGE)):
        if size > 10_000 and not arguments.large:
            break
        for kind, name, taken, outcome, growth in rows(size, names, arguments.times):
            print(f"| {size:,} | {kind} | {name} | {taken:.3f} | {outcome} | {growth:.1f} |", flush=True)


if __name__ == "__main__":
    main()
