"""Tables of TOML into structs, field by field: everything that is wrong is collected, nothing is guessed.

What a field may hold is read from its annotation (`fields`). A value that did not convert is `MISSING`, and a finding
says why; who reads a table goes on, so that one pass finds every mistake.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from scenarios.fields import (
    Field,
    alternatives,
    bare,
    example,
    expected,
    fields,
    is_mapping,
    is_struct,
    is_written,
    one_of,
)
from scenarios.rules import Finding
from scenarios.source import Key
from scenarios.units import Misread, Probability, nearest, quoted

MISSING: Any = object()
_SIXTY_FOUR_BITS = range(-(2**63), 2**63)


def described(raw: object) -> str:
    """A value that stands where another was expected."""
    match raw:
        case bool():
            return "true" if raw else "false"
        case int():
            return str(raw) if raw in _SIXTY_FOUR_BITS else "a huge number"
        case str():
            return quoted(raw)
        case Decimal() | float():
            return quoted(str(raw), 30).strip('"')
        case list():
            return "an array"
        case dict():
            return "a table"
        case _:
            return "a date or time of day"


class Tables:
    """Converts values and collects what is wrong with them."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def wrong(self, key: Key, what: str, hint: str | None = None) -> Any:
        """Note what is wrong, and return MISSING."""
        self.findings.append(Finding(key, what, hint))
        return MISSING

    # Tables of fields

    def struct(
        self, cls: type[msgspec.Struct], table: dict[str, Any], key: Key, noun: str, besides: tuple[str, ...] = ()
    ) -> Any:
        """A struct of a table, or MISSING; `besides` are keys that the caller reads itself."""
        before = len(self.findings)
        values: dict[str, Any] = {}
        self.read(cls, table, key, noun, besides, values)
        if len(self.findings) > before:
            return MISSING
        return self.build(cls, values, key)

    def build(self, cls: type[msgspec.Struct], values: dict[str, Any], key: Key) -> Any:
        try:
            return cls(**values)
        except ValueError as error:  # a parameter class may refuse combinations in __post_init__
            return self.wrong(key, str(error))

    def read(
        self,
        cls: type[msgspec.Struct],
        table: dict[str, Any],
        key: Key,
        noun: str,
        besides: tuple[str, ...],
        into: dict[str, Any],
        strict: bool = True,
    ) -> None:
        known = {field.key: field for field in fields(cls)}
        for name, raw in table.items():
            if name in known:
                self.put(into, known[name], raw, (*key, name))
            elif name not in besides:
                self.stray((*key, name), name, noun, [*known, *besides], strict)
        for name, field in known.items():
            if field.required and name not in table:
                self.wrong(key, f"{noun} needs {quoted(name)}, such as {name} = {shown_example(field)}")

    def stray(self, key: Key, name: str, noun: str, known: Sequence[str], strict: bool) -> None:
        """Refuse a key that its table does not have; unless `strict`, not all keys of the table are known."""
        if strict:
            hint = nearest(name, known)
            has = "" if hint else f"; it has {', '.join(known)}" if known else "; it has none"
            self.wrong(key, f"{noun} has no {quoted(name)}{has}", hint)

    def put(self, into: dict[str, Any], field: Field, raw: object, key: Key) -> None:
        value = self.value(field.type, raw, key, field.meta)
        if value is not MISSING:
            into[field.attribute] = value

    # Single values

    def value(self, kind: Any, raw: object, key: Key, meta: Meta) -> Any:
        """The raw value as one of this type, or MISSING after saying what is wrong."""
        kind, own = bare(kind)
        meta = own if own != Meta() else meta
        options = alternatives(kind)
        if len(options) > 1:
            return self.one_of_several(options, raw, key, meta)
        kind, own = bare(options[0])
        meta = own if own != Meta() else meta
        origin, arguments = get_origin(kind), get_args(kind)
        if isinstance(kind, type) and issubclass(kind, Probability):
            return self.probability(kind, raw, key)
        if is_written(kind):
            return self.written(kind, raw, key)
        if kind is bool and isinstance(raw, bool):
            return raw
        if kind is int and isinstance(raw, int) and not isinstance(raw, bool):
            return raw if self.within(raw, meta) else self.refused(kind, raw, key, meta)
        if kind is float and isinstance(raw, int | float | Decimal) and not isinstance(raw, bool):
            fits = -1e300 < raw < 1e300 and self.within(float(raw), meta)  # NaN is below nothing
            return float(raw) if fits else self.refused(kind, raw, key, meta)
        if kind is str and isinstance(raw, str):
            return raw
        if origin is Literal and isinstance(raw, str):
            return (
                raw
                if raw in arguments
                else self.wrong(key, f"{quoted(raw)} is not {one_of(arguments)}", nearest(raw, arguments))
            )
        if origin is tuple and isinstance(raw, list):
            return self.array(kind, arguments, raw, key, meta)
        if is_mapping(kind) and isinstance(raw, dict):
            return self.mapping(kind, arguments, raw, key, meta)
        if is_struct(kind) and isinstance(raw, dict):
            return self.struct(kind, raw, key, str(key[-1]))
        return self.refused(kind, raw, key, meta)

    def refused(self, kind: Any, raw: object, key: Key, meta: Meta) -> Any:
        return self.wrong(key, f"expected {expected(kind, meta)}, not {described(raw)}")

    def within(self, number: float, meta: Meta) -> bool:
        return (
            -(2**63) <= number < 2**63
            and (meta.ge is None or number >= meta.ge)
            and (meta.gt is None or number > meta.gt)
            and (meta.le is None or number <= meta.le)
            and (meta.lt is None or number < meta.lt)
            and (meta.multiple_of is None or number % meta.multiple_of == 0)
        )

    def one_of_several(self, options: tuple[Any, ...], raw: object, key: Key, meta: Meta) -> Any:
        for option in options:
            attempt = copy.copy(self)
            attempt.findings = []
            value = attempt.value(option, raw, key, meta)
            if value is not MISSING and not attempt.findings:
                return value
        return self.wrong(key, f"expected {' or '.join(expected(one) for one in options)}, not {described(raw)}")

    def probability(self, kind: type[Probability], raw: object, key: Key) -> Any:
        if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
            return self.wrong(key, f"expected {kind.EXPECTED}, not {described(raw)}")
        try:
            return kind.of(raw)
        except ValueError:
            return self.wrong(key, f"expected {kind.EXPECTED}, not {described(raw)}")

    def written(self, kind: Any, raw: object, key: Key) -> Any:
        if isinstance(raw, str):
            try:
                return kind.parse(raw)
            except Misread as wrong:
                return self.wrong(key, wrong.what, wrong.hint)
            except ValueError as error:  # a grammar of a plugin's own
                return self.wrong(key, str(error))
        units: tuple[str, ...] = getattr(kind, "UNITS", ())
        if units and isinstance(raw, int | Decimal) and not isinstance(raw, bool) and raw > 0:
            shown = described(raw)
            named = f"{key[-1]} = " if isinstance(key[-1], str) else ""
            ways = " or ".join(f'{named if not n else ""}"{shown}{unit}"' for n, unit in enumerate(units))
            return self.wrong(key, f"{shown} has no unit; write {ways}")
        return self.wrong(key, f"expected {kind.EXPECTED}, not {described(raw)}")

    def array(self, kind: Any, arguments: tuple[Any, ...], raw: list[Any], key: Key, meta: Meta) -> Any:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            arguments = (arguments[0],) * len(raw)
        if len(raw) != len(arguments):
            return self.wrong(key, f"expected {expected(kind)}, not {len(raw)} values")
        if len(raw) < (meta.min_length or 0):
            return self.wrong(key, f"expected at least {meta.min_length}, such as {example(kind)}")
        if meta.max_length is not None and len(raw) > meta.max_length:
            return self.wrong(key, f"expected at most {meta.max_length}, not {len(raw)}")
        values = [
            self.value(one, item, (*key, index), Meta())
            for index, (one, item) in enumerate(zip(arguments, raw, strict=True))
        ]
        return MISSING if any(value is MISSING for value in values) else tuple(values)

    def mapping(self, kind: Any, arguments: tuple[Any, ...], raw: dict[str, Any], key: Key, meta: Meta) -> Any:
        of_key, of_value = arguments
        if len(raw) < (meta.min_length or 0):
            return self.wrong(key, f"expected at least {meta.min_length}, such as {example(kind)}")
        values = {
            self.value(of_key, name, (*key, name), Meta()): self.value(of_value, item, (*key, name), Meta())
            for name, item in raw.items()
        }
        return MISSING if any(one is MISSING for pair in values.items() for one in pair) else values


def shown_example(field: Field) -> str:
    """How the key could be filled in: the field's own example, or one made from its type."""
    if field.meta.examples:
        first = field.meta.examples[0]
        return f'"{first}"' if isinstance(first, str) else str(first).replace("'", '"')
    return example(field.type, field.meta)
