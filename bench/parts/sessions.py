"""Client sessions: an operation that is sent twice takes effect once (Raft §8; Ongaro's thesis §6.3).

The table is part of the replicated state: every replica keeps, for each session, the newest sequence number applied
and its answer, and updates it in the same step as the state machine. A session has one operation under way at a time,
so one answer per session is enough.

Simplified from the thesis: a session is opened by its first command instead of a RegisterClient entry, and never
expires. Sessions are numbered by the workload and their number is bounded, so the table cannot grow without limit.
"""

from __future__ import annotations

from bench.node import Answer


class Sessions:
    """The newest answer of every session."""

    __slots__ = ("_newest",)

    def __init__(self) -> None:
        self._newest: dict[str, Answer] = {}

    def answer(self, session: str, sequence: int) -> Answer | None:
        """The answer to this very operation, if it has been applied and nothing newer has."""
        newest = self._newest.get(session)
        return newest if newest is not None and newest.sequence == sequence else None

    def is_stale(self, session: str, sequence: int) -> bool:
        """Whether the session has gone on to a newer operation; then this one must not be applied any more."""
        newest = self._newest.get(session)
        return newest is not None and newest.sequence > sequence

    def record(self, session: str, answer: Answer) -> None:
        self._newest[session] = answer

    def state(self) -> tuple[tuple[str, Answer], ...]:
        """The table, in the order of the sessions' names."""
        return tuple(sorted(self._newest.items(), key=lambda item: item[0]))

    @classmethod
    def of(cls, state: tuple[tuple[str, Answer], ...]) -> Sessions:
        """The sessions with this table."""
        sessions = cls()
        sessions._newest = dict(state)
        return sessions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sessions) and self._newest == other._newest

    def __hash__(self) -> int:
        return hash(frozenset(self._newest.items()))
