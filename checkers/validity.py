"""Validity: only a command that some client has invoked, or a no-op, is ever decided.

The non-triviality of consensus (Lamport 2001, "Paxos Made Simple", §1: only a value that has been proposed may be
chosen), and the integrity of atomic broadcast. A decision names its client, the number of the operation among that
client's, and the command; all three are compared with the history.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from checkers.history import History
from checkers.observations import Observations, commands
from checkers.progress import SHED
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "validity"


def check(observations: Observations, history: History) -> Verdict:
    """Judge the ``decide`` observations of a run by what its clients invoked."""
    invoked = _invoked(history)
    seen: set[str | None] = set()
    named: set[str] = set()
    for decision in observations.of("decide"):
        digest = decision.digest
        if digest in seen:
            continue
        seen.add(digest)
        where = f"slot {decision.slot} was decided by {decision.node}"
        try:
            found = commands(digest or "")
        except ValueError:
            return invalid(NAME, f"{where} as “{digest}”, which is neither a command nor a no-op", (decision,))
        for operation, words in found:
            asked = invoked.get(operation)
            if asked is None:
                return invalid(NAME, f"{where} as {operation} {words}, which nobody invoked", (decision,))
            if (invocation := _words(history, asked)) != words:
                reason = f"{where} as {operation} {words}, but {invocation} was invoked"
                return invalid(NAME, reason, (history.operation(asked), decision))
            named.add(operation)
    if not seen:
        return unknown(NAME, "nothing was ever decided")
    return valid(NAME, f"{len(named):,} commands, each invoked by a client", commands=len(named))


def _invoked(history: History) -> dict[str, int]:
    """Every operation by its name "c1#3": its number in the history."""
    counts: Counter[Any] = Counter()
    found = {}
    named = history.processes if history.sessions is None else history.sessions
    for number, (at, code) in enumerate(
        zip(history.invocations.tolist(), named.codes[history.invocations].tolist(), strict=True)
    ):
        session = named.table[code]
        if session is None:  # then it is that of its process
            session = history.processes[at]
        if session != SHED:
            counts[session] += 1
            found[f"{session}#{counts[session]}"] = number
    return found


def _words(history: History, number: int) -> str:
    """What was invoked, in the words of a digest."""
    at = int(history.invocations[number])
    f, value = history.f[at], history.values[at]
    key = None if history.keyed is None else history.keyed[at]
    if f == "read":
        return f"read {key}"
    if f == "cas" and isinstance(value, (list, tuple)) and len(value) == 2:
        return f"cas {key} {value[0]} -> {value[1]}"
    return f"write {key} = {value}" if f == "write" else f"{f} {key} {value}"
