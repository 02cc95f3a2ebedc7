"""Exactly-once application: no replica carries out one operation of a client twice.

Raft §8 and Ongaro's thesis §6.3: a client that gets no answer asks again, so a command may well be decided in two
slots; sessions make sure that it takes effect in the first of them only. A replica that leaves one out announces that
it skips it. Judged within each life of a replica: a restart begins with an empty state, which is built anew.
"""

from __future__ import annotations

from checkers.observations import Observation, Observations, commands
from checkers.verdict import Verdict, invalid, unknown, valid

NAME = "exactly-once"


def check(observations: Observations) -> Verdict:
    """Judge the ``decide`` and ``skip`` observations of a run; decisions that name no command are passed over."""
    applied: dict[str, dict[str, Observation]] = {}  # by node: by operation: the decision that it took effect in
    skipped: dict[str, set[tuple[int | None, str | None]]] = {}
    known: dict[str | None, tuple[str, ...]] = {}
    decided = skips = 0
    for said in observations.of("start", "install", "skip", "decide"):
        node = said.node
        if said.what == "decide":
            names = known.get(said.digest)
            if names is None:
                names = known[said.digest] = _operations(said.digest)
            mine, passed = applied.setdefault(node, {}), skipped.get(node)
            for name in names:
                if passed and (said.slot, name) in passed:
                    continue
                decided += 1
                before = mine.setdefault(name, said)
                if before is not said:
                    reason = f"{node} carried {name} out in slot {before.slot} and again in slot {said.slot}"
                    return invalid(NAME, reason, (before, said), operation=name)
        elif said.what == "skip":
            skips += 1
            skipped.setdefault(node, set()).add((said.slot, said.digest))
        else:
            skipped.pop(node, None)
            applied[node] = _taken_over(observations, said) if said.what == "install" else {}
    if not decided:
        return unknown(NAME, "no command was ever decided")
    return valid(NAME, f"{decided:,} commands carried out, {skips:,} repeated ones skipped", skips=skips)


def _taken_over(observations: Observations, install: Observation) -> dict[str, Observation]:
    """What a state that is taken over holds: the operations in its slots, by their first decision anywhere."""
    slots: set[int | None] = set()
    held: dict[str, Observation] = {}
    for decision in observations.of("decide"):
        if decision.slot not in slots and (decision.slot or 0) <= (install.slot or 0):
            slots.add(decision.slot)
            held |= {name: decision for name in _operations(decision.digest) if name not in held}
    return held


def _operations(digest: str | None) -> tuple[str, ...]:
    try:
        return tuple(operation for operation, _ in commands(digest or ""))
    except ValueError:  # for validity to judge
        return ()
