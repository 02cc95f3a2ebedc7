"""Prints what digests.txt holds, as this process finds it."""

from __future__ import annotations

from tests.bench.runs import digest, record_shipped, shipped

if __name__ == "__main__":
    for name, column in sorted(shipped()):
        print(name, column, digest(record_shipped(name, column)))
