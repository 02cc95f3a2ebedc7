"""What the commands do, one file each. The command line itself, with its options and exit codes, is `bench.cli`."""

from __future__ import annotations

from collections.abc import Iterable

AS_EXPECTED, DIFFERS, BAD_INPUT, UNDECIDED = 0, 1, 2, 3


class BadUsage(ValueError):
    """Something that was asked for on the command line and cannot be had; a line for each."""


def merged(codes: Iterable[int]) -> int:
    """One exit code for several: bad input before a difference, a difference before the undecided."""
    seen = set(codes)
    return next((code for code in (BAD_INPUT, DIFFERS, UNDECIDED) if code in seen), AS_EXPECTED)
