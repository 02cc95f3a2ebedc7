"""Checkers against brute force on many random histories: ``python -m tests.checkers.sweep --histories 100000``.

Every verdict must agree with the oracle's, with the plain search and with the compiled one, which must also look at the
same configurations; every witness must be invalid, closed under reads-from, and minimal.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from random import Random

from checkers import History, Model, Operation, Verdict, check, models
from checkers.parts import Columns
from checkers.search import Search
from tests.checkers import generate, oracle

INITIAL = {"counter": 0, "kv-append": ""}


class Disagreement(AssertionError):
    """A history on which the checkers and the oracle differ; the message holds all of it."""


def one(model: str, seed: int, *, compiled: bool) -> str:
    """Judge one history in every way; the outcome, or `Disagreement`."""
    random = Random(f"{model}-{seed}")
    history = generate.history(random, generate.shape(random, model))
    expected = oracle.linearizable(history, model, INITIAL.get(model))
    verdict = check(history, "linearizable", model)
    where = f"{model}, seed {seed}\n" + "\n".join(map(str, history.operations())) + f"\n{verdict}"
    if verdict.outcome == "unknown":
        if not expected or any(op.type == "ok" for op in history.operations()):
            raise Disagreement(f"unknown: {where}")
        return "unknown"
    if bool(verdict) != expected:
        raise Disagreement(f"the oracle says {expected}: {where}")
    searches(history, models.by_name(model), expected, where, compiled=compiled)
    if not verdict:
        witness(history, model, verdict, where)
    return str(verdict.outcome)


def searches(history: History, model: Model, expected: bool, where: str, *, compiled: bool) -> None:
    """Every search of every part, whole and cut short, plain and compiled."""
    parts, table = Columns(history, model).parts(model)
    outcomes = []
    for part in parts:
        plain = Search(part, table)
        while not plain.run(1 << 40, 3):
            pass
        outcomes.append(plain.outcome)
        if not compiled:
            continue
        from checkers.compiled import CompiledSearch

        for limit in (plain.steps // 2, 1 << 40):
            again, twin = Search(part, table), CompiledSearch(part, table)
            again.run(limit)
            while not twin.run(limit):
                pass
            for name in ("outcome", "steps", "level", "longest", "stuck", "foreseen"):
                if getattr(again, name) != getattr(twin, name):
                    raise Disagreement(f"{name} of the compiled search differs after {limit} steps: {where}")
    if all(outcomes) != expected:
        raise Disagreement(f"the search says {outcomes}: {where}")


def rests(model: Model, op: Operation, other: Operation) -> bool:
    return op is not other and other.index < op.end and not model.observes(other) and model.rests_on(op, other)


def witness(history: History, name: str, verdict: Verdict, where: str) -> None:
    """It proves what it says: invalid by itself, closed, and nothing of it can go."""
    model = models.by_name(name)
    ops: list[Operation] = list(verdict.witness)
    kept = {op.index for op in ops}

    def valid(indices: set[int]) -> bool:
        return oracle.linearizable(history.filter(lambda op: op.index in indices), name, INITIAL.get(name))

    if valid(kept):
        raise Disagreement(f"the witness is valid: {where}")
    if not verdict.details["minimal"]:
        raise Disagreement(f"the witness was given up: {where}")
    for op in ops:
        gone = {op.index}
        while more := {
            p.index for p in ops if p.index not in gone and any(rests(model, p, q) for q in ops if q.index in gone)
        }:
            gone |= more
        if not valid(kept - gone):
            raise Disagreement(f"{op} is not needed: {where}")
        # What was never answered has causes only as far as somebody who did return rests on it.
        until = op.end
        if op.type == "info":
            until = max((p.end for p in ops if p.type != "info" and rests(model, p, op)), default=-1)
        for other in history.operations():
            if (
                other.key == op.key
                and other.type != "fail"
                and other.index < until
                and other.index not in kept
                and rests(model, op, other)
            ):
                raise Disagreement(f"{op} rests on {other}, which is missing: {where}")


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
