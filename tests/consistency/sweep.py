"""Every checker against brute force on many random histories: ``python -m tests.consistency.sweep [--histories N]``.

Checkers of histories that are drawn alike share them, and on each history no edge of the lattice may be broken. Where
a checker is tried on several kinds of objects, these share its number. Ends with 1 at the first disagreement, which it
prints; else it prints a row per checker: how many histories, and which share of those that were decided is valid.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.consistency.subjects import SUBJECTS, pools, shared


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000, help="per checker")
    parser.add_argument("--start", type=int, default=0, help="the first number")
    parser.add_argument("--only", default="", help="checkers whose name contains this, with those that share histories")
    arguments = parser.parse_args()
    print("| checker | histories | valid | unknown | s |\n|---|---:|---:|---:|---:|")
    for names in pools().values():
        if not any(arguments.only in name for name in names):
            continue
        began, tally = time.process_time(), Counter[tuple[str, str]]()
        what, of, _ = names[0].partition(" of ")
        kinds = sum(other.startswith(what + of) for other in SUBJECTS) if of else 1
        count = -(-arguments.histories // kinds)
        try:
            for number in range(arguments.start, arguments.start + count):
                # Long histories take the models of one order a while: every fifth will do for all the edges.
                edges = names[0] == "linearizable" or number % 5 == 0
                tally.update(shared(names, number, edges=edges).items())
        except AssertionError as error:
            print(error, file=sys.stderr)
            return 1
        taken = time.process_time() - began
        for name in names:
            valid, invalid, unknown = (tally[name, kind] for kind in ("valid", "invalid", "unknown"))
            share = valid / max(valid + invalid, 1)
            row = f"| {name} | {count:,} | {share:.0%} | {unknown / count:.0%} |"
            print(row + (f" {taken:.0f} |" if name == names[0] else " |"), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
