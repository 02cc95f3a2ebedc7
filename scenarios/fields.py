"""The fields of a parameter class, as decoding, writing, the JSON Schema and the documentation all see them.

A kind of fault, workload or protocol describes its parameters once, as an annotated frozen struct; here the
annotations are read, once per class. A field's type is one of: bool, int, float, str, a Literal of strings, one of the
written classes of `units` (or any class with `parse`, `EXPECTED` and `EXAMPLE`), another struct, a tuple or a dict of
these, or such a type or None.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Protocol, TypeGuard, Union, get_args, get_origin, runtime_checkable

import msgspec
from msgspec import Meta

from scenarios.units import Probability


@runtime_checkable
class Written(Protocol):
    """A class whose values are written as strings; `parse` raises ValueError, best a `Misread`."""

    EXPECTED: str
    EXAMPLE: str

    def parse(self, text: str) -> object: ...


class Field(msgspec.Struct, frozen=True):
    """One parameter: its attribute in Python, its key in TOML, its type without annotations, and what is said of it."""

    attribute: str
    key: str
    type: Any
    meta: Meta
    required: bool
    default: Any


@cache
def fields(cls: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The parameters of a struct class in the order of their declaration."""
    found = []
    for field in msgspec.structs.fields(cls):
        kind, meta = bare(field.type)
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        found.append(Field(field.name, field.encode_name, kind, meta, field.required, default))
    return tuple(found)


def bare(annotation: Any) -> tuple[Any, Meta]:
    """A type without its annotations, and the constraints and descriptions that they held."""
    said = Meta()
    while get_origin(annotation) is Annotated:
        annotation, *metas = get_args(annotation)
        for meta in metas:
            if isinstance(meta, Meta):
                said = meta
    return annotation, said


def alternatives(kind: Any) -> tuple[Any, ...]:
    """The types of a union, without None, which is written by leaving the key out; of any other type, itself."""
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(one for one in get_args(kind) if one is not types.NoneType)
    return (kind,)


def is_struct(kind: Any) -> TypeGuard[type[msgspec.Struct]]:
    """Whether a value of this type is a table of fields, and not a string with a grammar of its own."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct) and not is_written(kind)


def is_written(kind: Any) -> bool:
    return isinstance(kind, type) and isinstance(kind, Written) and not issubclass(kind, Probability)


def bounds(meta: Meta) -> str:
    """ " from 1 to 99", " of at least 1", or nothing."""
    low = meta.ge if meta.ge is not None else meta.gt
    high = meta.le if meta.le is not None else meta.lt
    least = "more than" if meta.gt is not None else "at least"
    most = "less than" if meta.lt is not None else "at most"
    if meta.ge is not None and meta.le is not None and meta.le < 2**53:
        return f" from {low} to {high}"
    parts = [f"{least} {low}"] if low is not None else []
    parts += [f"{most} {high}"] if high is not None and high < 2**53 else []
    return f" of {' and '.join(parts)}" if parts else ""


def expected(kind: Any, meta: Meta | None = None) -> str:
    """What a value of this type looks like, in words: "a whole number from 1 to 99"."""
    kind, inner = bare(kind)
    meta = meta if meta is not None else inner
    options = alternatives(kind)
    if len(options) > 1:
        return " or ".join(expected(one) for one in options)
    kind, inner = bare(options[0])
    origin, arguments = get_origin(kind), get_args(kind)
    if (isinstance(kind, type) and issubclass(kind, Probability)) or is_written(kind):
        return str(kind.EXPECTED)
    if kind is bool:
        return "true or false"
    if kind is int:
        return f"a whole number{bounds(meta)}"
    if kind is float:
        return f"a number{bounds(meta)}"
    if kind is str:
        return "text in quotes"
    if origin is Literal:
        return one_of(arguments)
    if origin is tuple:
        return f"an array such as {example(kind)}"
    if is_mapping(kind):
        return f"a table such as {example(kind)}"
    if is_struct(kind):
        return f"a table with {_joined([field.key for field in fields(kind)], 'and')}"
    raise TypeError(f"a scenario cannot hold a {kind!r}")


def is_mapping(kind: Any) -> bool:
    origin = get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def example(kind: Any, meta: Meta | None = None) -> str:
    """A value of this type as TOML."""
    kind, own = bare(kind)
    kind, inner = bare(alternatives(kind)[0])
    meta = next((one for one in (inner, own, meta) if one is not None and one != Meta()), Meta())
    origin, arguments = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Probability):
        return kind.EXAMPLE
    if is_written(kind):
        return f'"{kind.EXAMPLE}"'
    if kind is bool:
        return "true"
    if kind is int or kind is float:
        least = meta.ge if meta.ge is not None else 0
        return str(max(1, least)) if kind is int else str(max(0.5, least))
    if origin is Literal:
        return f'"{arguments[0]}"'
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"[{example(arguments[0])}]"
        return f"[{', '.join(example(one) for one in arguments)}]"
    if is_mapping(kind):
        key = example(arguments[0]).strip('"')
        return f"{{ {key} = {example(arguments[1])} }}"
    if is_struct(kind):
        return f"{{ {', '.join(f'{one.key} = {example(one.type, one.meta)}' for one in fields(kind))} }}"
    return '"…"'


def one_of(words: Iterable[str]) -> str:
    """`"a"`, `"a" or "b"`, `one of "a", "b" and "c"`."""
    shown = [f'"{word}"' for word in words]
    if len(shown) == 1:
        return shown[0]
    return f"one of {_joined(shown, 'or')}" if len(shown) > 2 else " or ".join(shown)


def _joined(words: list[str], conjunction: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
