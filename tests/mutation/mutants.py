"""Small faults, made mechanically from a module's syntax tree.

A comparison is shifted by one or negated, a condition negated, a term of an ``and``, ``or``, ``&``, ``|`` or a ``not``
dropped, a small number raised by one, ``any`` exchanged with ``all`` and ``min`` with ``max``. Nothing is done to
annotations, nor inside of messages.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from zlib import crc32

import msgspec

_SHIFT: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_NEGATED = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)  # to shift these is to negate them
_TWINS = {"any": "all", "all": "any", "min": "max", "max": "min"}
_LARGEST = 2  # numbers up to which one more is a fault; above it they are sizes and budgets


class Mutant(msgspec.Struct, frozen=True):
    """What was done where. ``line`` is the source line, stripped, and ``change`` the piece of it before and after.

    These two, with a number where they repeat, are its name in the list of survivors: it outlives other edits.
    """

    number: int
    at: int  # the line's number
    line: str
    change: str

    @property
    def lot(self) -> int:
        """A number that depends on the name alone, to draw samples by."""
        return crc32(f"{self.line}|{self.change}".encode())


class Source:
    """A module's tree; ``mutants`` are all its faults, and ``broken`` makes one of them."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self._faults = _faults(self.tree)
        lines, met = text.splitlines(), Counter[tuple[str, str]]()
        self.mutants: list[Mutant] = []
        for number, (node, nth) in enumerate(self._faults):
            at, _ = _place(node)
            line = lines[at - 1].strip()
            after = copy.deepcopy(node)
            change = f"{_text(node)} → {_text(_changed(after, nth))}"
            met[line, change] += 1
            if met[line, change] > 1:
                change += f" ({met[line, change]})"
            self.mutants.append(Mutant(number, at, line, change))

    def broken(self, mutant: Mutant) -> ast.Module:
        """The tree with this fault; the tree on hand is used up."""
        node, nth = self._faults[mutant.number]
        changed = _changed(node, nth)
        if changed is not node:
            _replace(self.tree, node, changed)
        return ast.fix_missing_locations(self.tree)


def _text(node: ast.AST) -> str:
    match node:
        case ast.If() | ast.While():
            return f"{'if' if isinstance(node, ast.If) else 'while'} {ast.unparse(node.test)}"
        case ast.IfExp():
            return f"… if {ast.unparse(node.test)}"
        case ast.comprehension():
            return " ".join(f"if {ast.unparse(test)}" for test in node.ifs)
        case _:
            return ast.unparse(node)


def _faults(tree: ast.Module) -> list[tuple[ast.AST, int]]:
    """Nodes, and which of their faults, from top to bottom."""
    left: set[int] = set()
    for node in ast.walk(tree):
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            left.update(map(id, ast.walk(hint)) if hint is not None else ())
        if isinstance(node, ast.JoinedStr):
            left.update(map(id, ast.walk(node)))
        # A minus and its number are one number, and a condition that is negated as a whole is so once.
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            left.add(id(node.operand))
        for test in getattr(node, "ifs", [getattr(node, "test", None)]):
            if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
                left.add(id(test))
    found = [(node, nth) for node in ast.walk(tree) if id(node) not in left for nth in _ways(node)]
    return sorted(found, key=lambda fault: _place(fault[0]))


def _place(node: ast.AST) -> tuple[int, int]:
    at = node.target if isinstance(node, ast.comprehension) else node
    return getattr(at, "lineno", 0), getattr(at, "col_offset", 0)


def _ways(node: ast.AST) -> list[int]:
    match node:
        case ast.Compare():
            return [nth for nth, op in enumerate(node.ops) if type(op) in _SHIFT]
        case ast.BoolOp():
            return list(range(len(node.values)))
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
            return [0, 1]
        case ast.UnaryOp(op=ast.Not() | ast.Invert()):
            return [0]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)):
            return [0] if type(value) is int and value <= _LARGEST else []
        case ast.If() | ast.While() | ast.IfExp():
            return [0] if _negatable(node.test) else []
        case ast.comprehension():
            return [nth for nth, test in enumerate(node.ifs) if _negatable(test)]
        case ast.Constant():
            return [0] if type(node.value) is int and node.value <= _LARGEST else []
        case ast.Name():
            return [0] if node.id in _TWINS else []
        case _:
            return []


def _negatable(test: ast.expr) -> bool:
    if isinstance(test, ast.Name) and test.id == "TYPE_CHECKING":
        return False
    single = isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], _NEGATED)
    return not isinstance(test, ast.Constant) and not single


def _changed(node: ast.AST, nth: int) -> ast.AST:
    """The node after the fault: itself, changed, or what stands in its place."""
    match node:
        case ast.Compare():
            node.ops[nth] = _SHIFT[type(node.ops[nth])]()
        case ast.BoolOp():
            if len(node.values) == 2:
                return node.values[1 - nth]
            del node.values[nth]
        case ast.BinOp():
            return node.left if nth else node.right
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as number):
            assert isinstance(number.value, int)
            number.value -= 1
        case ast.UnaryOp():
            return node.operand
        case ast.If() | ast.While() | ast.IfExp():
            node.test = _negated(node.test)
        case ast.comprehension():
            node.ifs[nth] = _negated(node.ifs[nth])
        case ast.Constant():
            assert isinstance(node.value, int)
            node.value += 1
        case ast.Name():
            node.id = _TWINS[node.id]
        case _:
            raise AssertionError(node)
    return node


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.UnaryOp(ast.Not(), test)


def _replace(tree: ast.AST, node: ast.AST, by: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, name, by)
            elif isinstance(value, list):
                value[:] = [by if item is node else item for item in value]
