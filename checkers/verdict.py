"""What a checker says: valid, invalid or unknown, with a reason that a person can verify and the proof."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec


class Outcome(StrEnum):
    """The three answers a checker can give; unknown is an answer, never a failure in disguise."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


_SHOWN = 150  # characters of a reason in a repr: one line, which pytest does not cut


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A checker's answer. True only when valid; ``str()`` is the whole explanation, ``repr()`` a line of it.

    ``witness`` holds the operations or observations that prove an invalid verdict, in history order. ``details`` are
    figures of the checker's own (JSON types only). ``reproducible`` is false when a timeout or memory guard fired.
    """

    outcome: Outcome
    checker: str
    reason: str
    witness: tuple[Any, ...] = ()
    details: dict[str, Any] = {}
    reproducible: bool = True

    def __bool__(self) -> bool:
        return self.outcome is Outcome.VALID

    def __repr__(self) -> str:
        reason = " ".join(self.reason.split())
        shown = reason if len(reason) <= _SHOWN else f"{reason[: _SHOWN - 1]}…"
        return f"<Verdict {self.checker}: {self.outcome}: {shown}>"

    def __str__(self) -> str:
        lines = [f"{self.checker}: {self.outcome}: {self.reason}"]
        lines += (f"  {item}" for item in self.witness)
        return "\n".join(lines)


def valid(checker: str, reason: str, **details: Any) -> Verdict:
    return Verdict(outcome=Outcome.VALID, checker=checker, reason=reason, details=details)


def invalid(checker: str, reason: str, witness: Sequence[Any] = (), **details: Any) -> Verdict:
    return Verdict(outcome=Outcome.INVALID, checker=checker, reason=reason, witness=tuple(witness), details=details)


def unknown(
    checker: str, reason: str, witness: Sequence[Any] = (), *, reproducible: bool = True, **details: Any
) -> Verdict:
    return Verdict(
        outcome=Outcome.UNKNOWN,
        checker=checker,
        reason=reason,
        witness=tuple(witness),
        details=details,
        reproducible=reproducible,
    )
