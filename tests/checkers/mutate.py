"""Mutation testing of the deciding code: ``python -m tests.checkers.mutate`` breaks it in small ways, one at a time.

Mutants are made mechanically from the syntax tree: a comparison is shifted or negated, a condition negated, a term of
an ``and``, ``or``, ``&``, ``|`` dropped, a number moved by one. Each runs in a process of its own against the oracle;
one that still agrees on every history has survived. Survivors must stand in `REASONS`, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import ast
import copy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ("checkers/search.py", "checkers/zones.py", "checkers/parts.py")

# Survivors that are no faults, by file and a piece of the original line.
REASONS: dict[tuple[str, str], str] = {
    ("checkers/search.py", "self.steps >= steps"): "how finely a search is cut up changes no verdict",
    ("checkers/search.py", "work"): "how finely a search is cut up changes no verdict",
    ("checkers/search.py", "tried"): "twins are tried again: slower, and exact",
    ("checkers/search.py", "_free"): "bits are not reused: more of them, and exact",
    ("checkers/search.py", "other & used"): "fewer configurations are recognised as seen: slower, and exact",
    ("checkers/search.py", "doomed"): "no looking ahead: slower, and exact",
    ("checkers/search.py", "_watch"): "no looking ahead: slower, and exact",
    ("checkers/search.py", "_foreseen"): "the prefix that is explained is longer than it need be",
    ("checkers/search.py", "len(path) > "): "which of several longest orders is shown",
    ("checkers/search.py", "self.counted"): "the account of steps, which test_budgets holds",
    ("checkers/search.py", "self._extend"): "how far ahead the open operations are worked out",
    ("checkers/search.py", "len(self._open) <= level"): "how far ahead the open operations are worked out",
    ("checkers/search.py", "left < 0"): "no model that looks ahead refuses a reset",
    ("checkers/search.py", "_next_reset"): "no looking ahead: slower, and exact",
    ("checkers/search.py", "_ahead"): "no looking ahead: slower, and exact",
    ("checkers/search.py", "waits"): "no looking ahead: slower, and exact",
    ("checkers/search.py", "_entries"): "memory is only estimated",
    ("checkers/search.py", "return True"): "what run answers only ends a slice",
    ("checkers/search.py", "return False"): "what run answers only ends a slice",
    ("checkers/parts.py", "observer_ends"): "no looking ahead: slower, and exact",
    ("checkers/parts.py", "looks_ahead"): "no looking ahead: slower, and exact",
    ("checkers/parts.py", "by_key"): "keys share classes or not: the same parts",
    ("checkers/zones.py", "places <= 4"): "which of two equal numberings is used",
    ("checkers/zones.py", "kind.step is Register.step"): "zones are not used: the search decides, slower",
    ("checkers/zones.py", "writers > 1"): "zones are not used: the search decides, slower",
    ("checkers/zones.py", "if not pairs and"): "which of two equal numberings is used",
    ("checkers/zones.py", "info & writes"): "a read among them writes nothing that is looked at",
    ("checkers/zones.py", "self.keys = 1"): "a spare key without operations",
    ("checkers/zones.py", "width = max"): "spare numbers between keys",
    ("checkers/zones.py", "f < s"): "f and s are never equal: they are places of different events",
    ("checkers/zones.py", "2 * depth"): "stages keep their order",
    ("checkers/zones.py", "self._keep & (self.key"): "a larger set to make smaller",
    (
        "checkers/parts.py",
        "reads[self.f]",
    ): "only a read that was invoked with a value shows it, which test_history does",
    ("checkers/parts.py", "in model.operations"): "bad input, which test_history has refused",
    ("checkers/zones.py", "isinstance(pair"): "bad input, which test_history has refused",
    ("checkers/zones.py", "is_cas & (columns.value"): "which of several bad operations is named",
    ("checkers/zones.py", "[*table, None]"): "a spare number for a value",
    ("checkers/zones.py", "the start"): "wording",
    ("checkers/zones.py", "bit_length"): "one more round of pointer doubling",
    ("checkers/zones.py", "depth > len(root)"): "guards a number that a circle makes large",
}

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
            yield getattr(node, "lineno", 0), what, ast.unparse(ast.fix_missing_locations(changed))


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


RUN = """
import importlib.util, sys
name, histories = sys.argv[1], int(sys.argv[2])
source = sys.stdin.read()
class Loader:
    def create_module(self, spec): return None
    def exec_module(self, module): exec(compile(source, name, "exec"), module.__dict__)
class Finder:
    def find_spec(self, wanted, path=None, target=None):
        return importlib.util.spec_from_loader(name, Loader()) if wanted == name else None
sys.meta_path.insert(0, Finder())
from tests.checkers import generate, sweep, test_looking_ahead, test_zones
for cast in test_zones.CASTS:
    test_zones.test_zones_agree_with_brute_force_at_random_moments(cast)
for first in (0, "start"):
    test_zones.test_another_first_value_is_respected(first)
test_looking_ahead.test_two_removes_together_may_empty_a_set_though_neither_does_alone()
models = generate.FAST if name == "checkers.zones" else generate.MODELS
for seed in range(histories):
    sweep.one(models[seed % len(models)], seed, compiled=False)
"""


def killed(module: str, source: str, histories: int) -> bool:
    """Whether a mutant disagrees, fails or hangs."""
    command = [sys.executable, "-c", RUN, module, str(histories)]
    try:
        run = subprocess.run(command, input=source, text=True, capture_output=True, cwd=ROOT, timeout=120)
    except subprocess.TimeoutExpired:
        return True
    return run.returncode != 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=2_000, help="per mutant")
    parser.add_argument("--file", choices=FILES, action="append", help="only this one")
    parser.add_argument("--every", type=int, default=1, help="take every n-th mutant only")
    arguments = parser.parse_args()
    total = dead = 0
    unexplained = []
    for file in arguments.file or FILES:
        source = (ROOT / file).read_text()
        lines = source.splitlines()
        module = file.removesuffix(".py").replace("/", ".")
        for nth, (line, what, changed) in enumerate(mutants(source)):
            if nth % arguments.every:
                continue
            total += 1
            if killed(module, changed, arguments.histories):
                dead += 1
                continue
            text = lines[line - 1].strip() if line else ""
            reason = next((why for (where, piece), why in REASONS.items() if where == file and piece in text), None)
            print(f"survived  {file}:{line}  {what}  {text}\n          {reason or 'UNEXPLAINED'}", flush=True)
            if reason is None:
                unexplained.append((file, line))
    print(f"{total} mutants, {dead} killed, {total - dead} survived, {len(unexplained)} of them unexplained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
