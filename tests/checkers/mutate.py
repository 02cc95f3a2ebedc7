"""Mutation testing of the deciding code: ``python -m tests.checkers.mutate`` breaks it in small ways, one at a time.

Mutants are made mechanically from the syntax tree: a comparison is shifted or negated, a condition negated, a term of
an ``and``, ``or``, ``&``, ``|`` dropped, a number moved by one. Each runs in a process of its own against the oracle;
one that still agrees on every history has survived. Survivors must stand in `REASONS`, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.checkers import (
    generate,
    sweep,
    test_explanations,
    test_history,
    test_looking_ahead,
    test_search,
    test_zones,
)

ROOT = Path(__file__).resolve().parents[2]
FILES = ("checkers/search.py", "checkers/zones.py", "checkers/parts.py")

# Survivors that are no faults: file, the whole line, what was done to it (the beginning of it), and why.
REASONS: tuple[tuple[str, str, str, str], ...] = (
    (
        "checkers/search.py",
        "self._ahead = ahead and table.looks_ahead",
        "term 1 dropped",
        "a table of a model that does not look ahead calls nothing doomed: slower, and exact",
    ),
    (
        "checkers/parts.py",
        "kind = np.where(done >= 0, history.types[done], INFO)",
        "number raised by one",
        "equivalent: no answer is the first event",
    ),
    (
        "checkers/parts.py",
        "return [-1] * len(returns), [[]] * len(returns), [0] * len(returns)",
        "number raised by one",
        "not read where the model does not look ahead",
    ),
    (
        "checkers/parts.py",
        "keys: list[int] = [0] * n if self.key is None else self.key.tolist()",
        "number raised by one",
        "equivalent: any one number for all, where there are no keys",
    ),
    (
        "checkers/search.py",
        "if i < 0 or part.begins[i] < part.ends[self._returns[level]]:",
        "comparison shifted",
        "equivalent: what was invoked first is open or over at every return, and no two events share a position",
    ),
    (
        "checkers/search.py",
        "if left < 0 or self._after(left, kind) != DOOMED:",
        "term 0 dropped",
        "equivalent: the one model whose resets forget never refuses a reset",
    ),
    (
        "checkers/search.py",
        "if left < 0 or self._after(left, kind) != DOOMED:",
        "comparison shifted",
        "state 0 is the first one, for kv-append the empty string, from which no get is doomed: the same answer",
    ),
    (
        "checkers/search.py",
        "if left < 0 or self._after(left, kind) != DOOMED:",
        "number raised by one",
        "state 0 is the first one, for kv-append the empty string, from which no get is doomed: the same answer",
    ),
    (
        "checkers/zones.py",
        "return isinstance(model, Register) and kind.step is Register.step and kind.partition is Register.partition",
        "term 0 dropped",
        "equivalent: both callers have asked isinstance before",
    ),
    (
        "checkers/zones.py",
        "self.negative = refused & (kinds[columns.f] == _CAS)",
        "left term dropped",
        "keys with any cas are searched as well after zones found nothing: slower, and exact",
    ),
    (
        "checkers/zones.py",
        "self.horizon = len(history) + 1",
        "number raised by one",
        "equivalent: any number above every position will do",
    ),
    (
        "checkers/zones.py",
        "depth[depth > len(root)] = 0  # only on a circle",
        "number raised by one",
        "the depths on a circle are never used: the circle is reported first",
    ),
    (
        "checkers/zones.py",
        "backward = np.flatnonzero(f >= s)",
        "comparison shifted",
        "f and s are equal only for a first value that nobody saw, which lies before every forward zone",
    ),
    (
        "checkers/zones.py",
        "values = table if nil >= 0 else [*table, None]",
        "comparison shifted",
        "a spare number: nil, where it has code 0, is listed a second time, and nobody uses that one",
    ),
    (
        "checkers/search.py",
        "return self._foreseen >= 0",
        "comparison shifted",
        "equivalent: it is -1 or the position of an end, which is never 0",
    ),
    (
        "checkers/search.py",
        "waits = observes[part.classes[i]] and part.ends[i] <= until and not placed & bits[i]",
        "term 0 dropped",
        "equivalent: a table of steps calls nothing doomed but what observes",
    ),
    (
        "checkers/zones.py",
        "before = np.where(new_block[starts], -1, latest[starts - 1])",
        "number raised by one, column 47",
        "equivalent: no end lies before -1",
    ),
    (
        "checkers/zones.py",
        "if place not in observer or (self.columns.info[observer[place]] and not self.columns.info[row]):",
        "term 0 dropped, column 46",
        "which of several answered reads a witness keeps with an unanswered write",
    ),
    (
        "checkers/zones.py",
        "conflict = self._inside(root, 2 * depth + (np.arange(m + self.keys) < m) * 1, kind, begins, ends, cas, key)",
        "number raised by one",
        "equivalent: a first value, a write, its reads, a cas, its reads, … still stand in this order",
    ),
    (
        "checkers/zones.py",
        "writer = np.full(places, -1, np.int64)",
        "number raised by one",
        "never read: every value looked up here has a writer, the others were reported or left to the search",
    ),
)

_SHIFT: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, what was done, and the new source."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    types: set[int] = set()
    for node in nodes:
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            types.update(map(id, ast.walk(hint)) if hint is not None else ())
    for place, node in enumerate(nodes):
        if id(node) in types:
            continue
        for nth, what in enumerate(_ways(node)):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[place]
            _apply(changed, target, nth)
            yield (
                getattr(node, "lineno", 0),
                f"{what}, column {getattr(node, 'col_offset', -1) + 1}",
                ast.unparse(ast.fix_missing_locations(changed)),
            )


def _ways(node: ast.AST) -> list[str]:
    match node:
        case ast.Compare():
            return ["comparison shifted"] if type(node.ops[0]) in _SHIFT else []
        case ast.BoolOp():
            return [f"term {n} dropped" for n in range(len(node.values))]
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
            return ["left term dropped", "right term dropped"]
        case ast.If() | ast.While() if not isinstance(node.test, (ast.Constant, ast.Name)):
            return ["condition negated"]
        case ast.Constant() if type(node.value) is int and abs(node.value) <= 2:
            return ["number raised by one"]
        case _:
            return []


def _apply(tree: ast.AST, node: ast.AST, nth: int) -> None:
    match node:
        case ast.Compare():
            node.ops[0] = _SHIFT[type(node.ops[0])]()
        case ast.BoolOp():
            _replace(tree, node, node.values[1 - nth] if len(node.values) == 2 else None, nth)
        case ast.BinOp():
            _replace(tree, node, node.right if nth == 0 else node.left, nth)
        case ast.If() | ast.While():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.Constant() if isinstance(node.value, int):
            node.value = node.value + 1
        case _:
            raise AssertionError(node)


def _replace(tree: ast.AST, node: ast.BoolOp | ast.BinOp, by: ast.expr | None, nth: int) -> None:
    if by is None:
        assert isinstance(node, ast.BoolOp)
        del node.values[nth]
        return
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, name, by)
            elif isinstance(value, list):
                value[:] = [by if item is node else item for item in value]


def exchange(module: str, source: str) -> None:
    """Put a mutant in the place of a module, in every module that has taken names from it."""
    target = importlib.import_module(module)
    before = dict(vars(target))
    exec(compile(source, module, "exec"), vars(target))
    now = {id(old): vars(target)[name] for name, old in before.items() if callable(old)}
    for name, other in list(sys.modules.items()):
        if name.startswith(("checkers", "tests.checkers")):
            for taken, value in list(vars(other).items()):
                if id(value) in now:
                    setattr(other, taken, now[id(value)])


def trial(module: str, histories: int) -> None:
    """Everything that a mutant has to get past: brute force, the compiled search, and the tests that are quick."""
    first = 200
    names = generate.FAST if module == "checkers.zones" else generate.MODELS
    for seed in range(first):
        sweep.one(names[seed % len(names)], seed, compiled=module != "checkers.zones")
    for tests in (test_search, test_looking_ahead, test_explanations, test_history, test_zones):
        for called, test in list(vars(tests).items()):
            if called.startswith("test_") and not test.__code__.co_argcount:
                test()
    if module == "checkers.zones":
        for cast in test_zones.CASTS:
            test_zones.test_zones_agree_with_brute_force_at_random_moments(cast)
        for initial in (0, "start"):
            test_zones.test_another_first_value_is_respected(initial)
    for seed in range(first, histories):
        sweep.one(names[seed % len(names)], seed, compiled=False)


def killed(module: str, source: str, histories: int) -> bool:
    """Whether a mutant disagrees, fails or hangs, in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            seconds = 8 + histories // 100  # several times what the original takes
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
                exchange(module, source)
                trial(module, histories)
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return status != 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=400, help="per mutant")
    parser.add_argument("--file", choices=FILES, action="append", help="only this one")
    parser.add_argument("--slice", default="1/8", metavar="K/N", help="every N-th mutant, from the K-th on; 1/1: all")
    arguments = parser.parse_args()
    from checkers import compiled as _compiled  # noqa: F401, before any fork

    first, _, stride = arguments.slice.partition("/")
    total = dead = 0
    unexplained = []
    for file in arguments.file or FILES:
        source = (ROOT / file).read_text()
        lines = source.splitlines()
        module = file.removesuffix(".py").replace("/", ".")
        for nth, (line, what, changed) in enumerate(mutants(source)):
            if (nth - int(first) + 1) % int(stride):
                continue
            total += 1
            if killed(module, changed, arguments.histories):
                dead += 1
                continue
            text = lines[line - 1].strip() if line else ""
            reason = next(
                (why for where, code, way, why in REASONS if (where, code) == (file, text) and what.startswith(way)),
                None,
            )
            print(f"survived  {file}:{line}  {what}  {text}\n          {reason or 'UNEXPLAINED'}", flush=True)
            if reason is None:
                unexplained.append((file, line))
    print(f"{total} mutants, {dead} killed, {total - dead} survived, {len(unexplained)} of them unexplained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
