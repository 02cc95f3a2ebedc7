"""``aftershock list``: what there is, a line each; and ``aftershock schema``."""

from __future__ import annotations

import importlib
import inspect
import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import checkers.models
from bench.commands.given import shipped
from bench.registry import CHECKERS, Registry
from checkers.consistency import consistencies
from scenarios.json_schema import json_schema

Table = dict[str, str]


def show(what: str | None, registry: Registry, *, as_json: bool) -> int:
    """Print one table, or all of them under headings."""
    tables = {name: TABLES[name](registry) for name in ([what] if what else TABLES)}
    if as_json:
        print(json.dumps(tables, indent=2, ensure_ascii=False))
        return 0
    for number, (name, table) in enumerate(tables.items()):
        if what is None:
            print(f"{'' if number == 0 else chr(10)}{name}")
        wide = max(map(len, table), default=0) + 3
        for item, words in table.items():
            print(f"{'' if what else '  '}{item:<{wide}}{words}".rstrip())
    return 0


def schema(registry: Registry) -> int:
    """Print the JSON Schema of scenarios."""
    print(json.dumps(json_schema(registry.kinds()), indent=2, ensure_ascii=False))
    return 0


def _scenarios(registry: Registry) -> Table:
    return {name: _why(path) for name, path in shipped().items()}


def _why(path: Path) -> str:
    return str(tomllib.loads(path.read_text("utf-8")).get("why", ""))


def _protocols(registry: Registry) -> Table:
    return {
        f"{name}/{mode}": f"{protocol.summary}; promises {' and '.join(of.promised) or 'nothing'}"
        for name, protocol in sorted(registry.protocols.items())
        if not protocol.mutant_of
        for mode, of in protocol.modes.items()
    }


def _mutants(registry: Registry) -> Table:
    return {name: f"{mutant.mutant_of}: {mutant.summary}" for name, mutant in sorted(registry.mutants().items())}


def _faults(registry: Registry) -> Table:
    return {name: _first(kind) for name, kind in sorted(registry.faults.items())}


def _workloads(registry: Registry) -> Table:
    return {name: _first(kind) for name, kind in sorted(registry.workloads.items())}


def _models(registry: Registry) -> Table:
    return {name: _first(importlib.import_module(_module("checkers.models", name))) for name in checkers.models.names()}


def _checkers(registry: Registry) -> Table:
    names = dict.fromkeys([*CHECKERS, *consistencies()])
    return {name: _first(importlib.import_module(_module("checkers", name))) for name in names}


def _module(package: str, name: str) -> str:
    return f"{package}.{name.replace('-', '_')}"


def _first(thing: object) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


TABLES: dict[str, Callable[[Registry], Table]] = {
    "scenarios": _scenarios,
    "protocols": _protocols,
    "mutants": _mutants,
    "faults": _faults,
    "workloads": _workloads,
    "models": _models,
    "checkers": _checkers,
}
