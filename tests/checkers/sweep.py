"""Checkers against brute force on many random histories: ``python -m tests.checkers.sweep --histories 100000``.

Every verdict must agree with the oracle's, with the plain search and with the compiled one, which must also look at the
same configurations; every witness must be invalid, closed under reads-from, and minimal.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import msgspec

from checkers import History, Model, Operation, Verdict, check, models
from checkers.parts import Columns, Part, Steps
from checkers.search import Search
from tests.checkers import generate, oracle

if TYPE_CHECKING:
    from checkers.compiled import CompiledSearch

_ENTRIES = 6  # where the compiled search keeps how many configurations it remembers
INITIAL = {"counter": 0, "kv-append": ""}


class Disagreement(AssertionError):
    """A history on which the checkers and the oracle differ; the message holds all of it."""


class Case(msgspec.Struct, frozen=True, gc=False):
    """A history with what the oracle says of it. ``known`` remembers what it says of parts of it, by their indices.

    ``object`` says who rests on whom: it is made with the case, before any mutant of its model.
    """

    model: str
    object: Model
    seed: int
    history: History
    expected: bool
    known: dict[frozenset[int], bool]

    def valid(self, kept: frozenset[int]) -> bool:
        """What the oracle says of these operations alone."""
        if kept not in self.known:
            part = self.history.filter(lambda op: op.index in kept)
            self.known[kept] = oracle.linearizable(part, self.model, INITIAL.get(self.model))
        return self.known[kept]

    def problem(self, what: str) -> Disagreement:
        operations = "\n".join(map(str, self.history.operations()))
        return Disagreement(f"{what}: {self.model}, seed {self.seed}\n{operations}")


def drawn(model: str, seed: int) -> Case:
    """A random history of the model, and what is true of it."""
    random = Random(f"{model}-{seed}")
    history = generate.history(random, generate.shape(random, model))
    return Case(
        model, models.by_name(model), seed, history, oracle.linearizable(history, model, INITIAL.get(model)), {}
    )


def one(model: str, seed: int, *, compiled: bool) -> str:
    """Judge one history in every way; the outcome, or `Disagreement`."""
    case = drawn(model, seed)
    found = verdict(case)
    if found is None:
        return "unknown"
    searches(case, compiled=compiled)
    if not found:
        witness(case, found)
    return str(found.outcome)


def verdict(case: Case) -> Verdict | None:
    """The verdict, which the oracle confirms; None if it rightly is unknown."""
    found = check(case.history, "linearizable", case.model)
    if found.outcome == "unknown":
        if not case.expected or any(op.type == "ok" for op in case.history.operations()):
            raise case.problem("unknown")
        return None
    if bool(found) != case.expected:
        raise case.problem(f"the oracle says {case.expected}, the verdict is {found}")
    return found


def searches(case: Case, *, compiled: bool) -> None:
    """Every search of every part, whole and cut short, plain and compiled."""
    model = models.by_name(case.model)
    parts, table = Columns(case.history, model).parts(model)
    outcomes = []
    for part in parts:
        plain = Search(part, table)
        while not plain.run(1 << 40, 3):
            pass
        outcomes.append(plain.outcome)
        if not compiled:
            continue
        difference = twins(part, table, plain.steps // 2, 1 << 40)
        if difference:
            raise case.problem(f"{difference} of the compiled search differs")
    if all(outcomes) != case.expected:
        raise case.problem(f"the searches say {outcomes}")


def twins(part: Part, table: Steps, *limits: int) -> str:
    """In what the compiled search differs from the plain one after so many steps; nothing if it does not.

    Each asks the model by itself.
    """
    from checkers.compiled import CompiledSearch

    one = told(Search(part, Steps(table.model, table.samples)), *limits)
    two = told(CompiledSearch(part, Steps(table.model, table.samples)), *limits)
    return ", ".join(dict.fromkeys(name for a, b in zip(one, two, strict=True) for name in a if a[name] != b[name]))


def told(search: Search | CompiledSearch, *limits: int, work: int = 7) -> list[dict[str, object]]:
    """What a search knows after so many steps each; it pauses whenever it has seen so many returns."""
    known = []
    for limit in limits:
        while not _goes_on(search, limit, work):
            pass
        names = ("outcome", "steps", "level", "longest", "stuck", "foreseen", *(["limit"] * (search.outcome is False)))
        remembered = search._entries if isinstance(search, Search) else int(search._control[_ENTRIES])
        known.append({**{name: getattr(search, name) for name in names}, "remembered": remembered})
    return known


def _goes_on(search: Search | CompiledSearch, limit: int, work: int) -> bool:
    if not isinstance(search, Search):
        search._work = work  # it sets its own pace
    return search.run(limit, work)


def rests(model: Model, op: Operation, other: Operation) -> bool:
    in_time = other.index < op.end or op.f in model.rest_on_later
    return op is not other and in_time and not model.observes(other) and model.rests_on(op, other)


def witness(case: Case, found: Verdict) -> None:
    """It proves what it says: invalid by itself, closed, and nothing of it can go."""
    model = case.object
    ops: list[Operation] = list(found.witness)
    kept = frozenset(op.index for op in ops)
    if case.valid(kept):
        raise case.problem(f"the witness is valid: {found}")
    if not found.details["minimal"]:
        raise case.problem(f"the witness was given up: {found}")
    for op in ops:
        gone = {op.index}
        while more := {
            p.index for p in ops if p.index not in gone and any(rests(model, p, q) for q in ops if q.index in gone)
        }:
            gone |= more
        if not case.valid(kept - gone):
            raise case.problem(f"{op} is not needed: {found}")
        # What was never answered has causes only as far as somebody who did return rests on it.
        until = op.end
        if op.type == "info":
            until = max((p.end for p in ops if p.type != "info" and rests(model, p, op)), default=-1)
        for other in case.history.operations():
            if (
                other.key == op.key
                and other.type != "fail"
                and other.index < until
                and other.index not in kept
                and rests(model, op, other)
            ):
                raise case.problem(f"{op} rests on {other}, which is missing: {found}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000, help="of each model")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    try:
        from checkers import compiled as _compiled

        with_compiler = bool(_compiled)
    except ImportError:
        with_compiler = False
    counts: Counter[tuple[str, str]] = Counter()
    for nth in range(arguments.histories * len(generate.MODELS)):
        model = generate.MODELS[nth % len(generate.MODELS)]
        try:
            counts[model, one(model, arguments.start + nth, compiled=with_compiler)] += 1
        except Disagreement as disagreement:
            print(disagreement)
            return 1
    for model in generate.MODELS:
        print(
            f"{model:14} " + "  ".join(f"{counts[model, kind]:7,} {kind}" for kind in ("valid", "invalid", "unknown"))
        )
    print(f"{sum(counts.values()):,} histories, no disagreement, compiled: {'yes' if with_compiler else 'no'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
