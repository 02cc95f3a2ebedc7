"""A scenario as TOML that a person can read: defaults left out, times as "150ms", every fault with its name.

What is written decodes to an equal scenario, so a recording's own `scenario.toml` together with its operations is
enough to run it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from scenarios.fields import fields, is_written
from scenarios.schema import Expect, Fault, Kinds, Scenario, Workload
from scenarios.units import Probability

if TYPE_CHECKING:
    from tomlkit.items import Item, Table

_NOTHING: Mapping[str, object] = {}


def dumps(scenario: Scenario, kinds: Kinds, extra: Mapping[str, object] = _NOTHING) -> str:
    """The scenario as TOML; `extra` becomes comments at its head, such as {"recorded by": "aftershock 0.1"}.

    Raises KeyError when a fault or workload is of a kind that `kinds` does not have.
    """
    import tomlkit

    document = tomlkit.document()
    for key, value in extra.items():
        words = " ".join(f"{key}: {value}".split())
        document.add(tomlkit.comment("".join(c if c.isprintable() else "?" for c in words)))
    for field in fields(Scenario):
        value = getattr(scenario, field.attribute)
        if not field.required and value == field.default:
            continue
        match field.key:
            case "cluster":
                document.add("cluster", _table(value))
            case "workload":
                document.add("workload", _table(value, kind_of(value, kinds)))
            case "faults":
                faults = tomlkit.aot()
                for fault in value:
                    faults.append(_table(fault, kind_of(fault, kinds)))
                document.add("faults", faults)
            case "expect":
                document.add("expect", _expect(value))
            case "protocol":
                protocols = tomlkit.table(is_super_table=True)
                for name, parameters in value.items():
                    protocols.add(name, _table(parameters))
                document.add("protocol", protocols)
            case "at-least":
                table = tomlkit.table()
                for counter, least in value.items():
                    table.add(counter, least)
                document.add("at-least", table)
            case key:
                document.add(key, _item(value))
    # An empty line sets tables apart; a scenario without its defaults is short enough to be read at a glance.
    lines: list[str] = []
    for line in tomlkit.dumps(document).split("\n"):
        if line.startswith("[") and lines and lines[-1]:
            lines.append("")
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n"


def kind_of(parameters: Fault | Workload, kinds: Kinds) -> str:
    """The kind under which these parameters are registered. Raises KeyError when there is none."""
    known: Mapping[str, type[msgspec.Struct]] = kinds.faults if isinstance(parameters, Fault) else kinds.workloads
    for kind, cls in known.items():
        if type(parameters) is cls:
            return kind
    raise KeyError(type(parameters).__name__)


def plain(value: object) -> Any:
    """A parameter's value as TOML and JSON know it: strings, numbers, lists, tables."""
    match value:
        case Probability():
            return float(str(value))
        case bool() | str() | float():
            return value
        case tuple():
            return [plain(item) for item in value]
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case _ if is_written(type(value)):
            return str(value)
        case int():
            return int(value)
        case _ if isinstance(value, msgspec.Struct):
            return said(value)
        case _:
            raise TypeError(f"a scenario cannot hold {value!r}")


def said(parameters: msgspec.Struct) -> dict[str, Any]:
    """What a table of these parameters says: every key whose value is not the default."""
    return {
        field.key: plain(value)
        for field in fields(type(parameters))
        if (value := getattr(parameters, field.attribute)) is not None and (field.required or value != field.default)
    }


def _table(parameters: msgspec.Struct, kind: str | None = None) -> Table:
    import tomlkit

    table = tomlkit.table()
    values = said(parameters)
    # A fault opens with its name and kind, then says when; what it does comes after.
    first = [key for key in ("name", "at", "on", "nth", "after", "for") if kind is not None and key in values]
    if "name" in first:
        table.add("name", _item(values["name"]))
    if kind is not None:
        table.add("kind", kind)
    for key in [*first, *values]:
        if key not in table:
            table.add(key, _item(values[key]))
    return table


def _expect(expect: Expect) -> Table:
    import tomlkit

    table = tomlkit.table()
    for checker, expectation in expect.all.items():
        table.add(checker, expectation)
    for column, expectations in expect.columns.items():
        inner = tomlkit.table()
        for checker, expectation in expectations.items():
            inner.add(checker, expectation)
        table.add(column, inner)
    return table


def _item(value: Any) -> Item:
    """A value on one line, or, if it is an array too long for that, one element a line."""
    import tomlkit

    value = plain(value) if not isinstance(value, list | dict) else value
    if isinstance(value, dict):
        inline = tomlkit.inline_table()
        for key, item in value.items():
            inline.add(key, _item(item))
        return inline
    if isinstance(value, list):
        array = tomlkit.array()
        for item in value:
            array.append(_item(item))
        array.multiline(len(array.as_string()) > 90)
        return array
    written: Item = tomlkit.item(value)
    return written
