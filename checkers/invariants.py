"""Invariants: all those that apply to a protocol, in one verdict: the first that is broken, or that none is.

A scenario asks for it where it does not matter which of them a faulty protocol breaks first.
"""

from __future__ import annotations

from collections.abc import Sequence

from checkers.verdict import Outcome, Verdict, invalid, unknown, valid

NAME = "invariants"
SINGLE = (
    "agreement",
    "validity",
    "leadership",
    "prefix-consistency",
    "leader-completeness",
    "committed-log-durability",
    "primary-order",
    "exactly-once",
    "requirements",
)
"""What holds of the replicas themselves, whatever clients see; each is judged by the module of its name."""


def check(verdicts: Sequence[Verdict]) -> Verdict:
    """Sum up the verdicts of the single invariants, which keep their own witnesses."""
    broken = [verdict for verdict in verdicts if verdict.outcome is Outcome.INVALID]
    if broken:
        return invalid(NAME, f"broken: {', '.join(verdict.checker for verdict in broken)}")
    held = [verdict.checker for verdict in verdicts if verdict.outcome is Outcome.VALID]
    return valid(NAME, ", ".join(held)) if held else unknown(NAME, "there was nothing to judge any of them by")
