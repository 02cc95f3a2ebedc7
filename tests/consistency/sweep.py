"""Every checker against brute force on many random histories: ``python -m tests.consistency.sweep [--histories N]``.

Ends with 1 at the first disagreement, which it prints; else it prints a row per checker with the share of valid ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.consistency.subjects import SUBJECTS, compare


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000, help="per checker")
    parser.add_argument("--only", default="", help="checkers whose name contains this")
    arguments = parser.parse_args()
    print("| checker | histories | valid | unknown | s |\n|---|---:|---:|---:|---:|")
    for name in SUBJECTS:
        if arguments.only not in name:
            continue
        began, tally = time.perf_counter(), Counter[str]()
        try:
            for number in range(arguments.histories):
                tally[compare(name, number)] += 1
        except AssertionError as error:
            print(error, file=sys.stderr)
            return 1
        share, unknown = tally["valid"] / arguments.histories, tally["unknown"] / arguments.histories
        taken = time.perf_counter() - began
        print(f"| {name} | {arguments.histories:,} | {share:.0%} | {unknown:.0%} | {taken:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
