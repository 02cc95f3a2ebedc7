"""The scenario language as JSON Schema (draft 2020-12), for editors that complete and check TOML.

It says what single tables may hold. What only the whole can say (a name that nobody binds, a fault after heal) is left
to `decode`, which is the judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from scenarios.fields import alternatives, bare, fields, is_mapping, is_struct, is_written
from scenarios.schema import Cluster, Expectation, Fault, Kinds, Scenario
from scenarios.units import Probability
from scenarios.write import plain

Schema = dict[str, Any]


def json_schema(kinds: Kinds) -> Schema:
    """The schema of a scenario that may name these kinds."""
    top = _struct(Scenario, besides=("cluster", "workload", "faults", "expect", "protocol", "at-least"))
    top["properties"] |= {
        "cluster": _struct(Cluster),
        "workload": {"oneOf": _kinds(kinds.workloads)},
        "faults": {"type": "array", "items": {"oneOf": _kinds(kinds.faults)}},
        "expect": _expect(kinds),
        "protocol": {
            "type": "object",
            "properties": {name: _struct(kind.parameters) for name, kind in kinds.protocols.items()},
            "additionalProperties": False,
        },
        "at-least": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
    }
    top["properties"]["protocols"]["items"] = {"enum": _columns(kinds)}
    top["required"] += ["workload"]
    for field in fields(Scenario):
        if field.meta.description:
            top["properties"][field.key].setdefault("description", field.meta.description)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Aftershock scenario",
        "description": _first_paragraph(Scenario),
        **top,
    }


def _columns(kinds: Kinds) -> list[str]:
    return [
        name
        for protocol, kind in kinds.protocols.items()
        for name in (protocol, *(f"{protocol}/{mode}" for mode in kind.modes))
    ]


def _kinds(known: Mapping[str, type[Fault]] | Mapping[str, type[Any]]) -> list[Schema]:
    schemas = []
    for kind, cls in known.items():
        schema = _struct(cls)
        schema["properties"] = {"kind": {"const": kind}, **schema["properties"]}
        schema["required"] = ["kind", *schema["required"]]
        if issubclass(cls, Fault):
            schema["oneOf"] = [{"required": ["at"]}, {"required": ["on"]}]
        schemas.append(schema)
    return schemas


def _expect(kinds: Kinds) -> Schema:
    words = {"enum": list(get_args(Expectation))}
    checkers = dict.fromkeys(kinds.checkers, words)
    bounded = {}
    for checker, bounds in kinds.bounds.items():
        one = rf" *({'|'.join(map(re.escape, bounds.parameters))}) *=[^,=]+"
        bounded[f"^{re.escape(checker)}:{one}(,{one})*$"] = words
    patterns = {"patternProperties": bounded} if bounded else {}
    column = {"type": "object", "properties": checkers, **patterns, "additionalProperties": False}
    return {
        "type": "object",
        "properties": {**checkers, **dict.fromkeys(_columns(kinds), column)},
        **patterns,
        "additionalProperties": False,
    }


def _struct(cls: type[msgspec.Struct], besides: tuple[str, ...] = ()) -> Schema:
    properties: Schema = {}
    required = []
    for field in fields(cls):
        if field.key in besides:
            continue
        schema = _type(field.type, field.meta)
        if field.required:
            required.append(field.key)
        elif field.default is not None:
            schema["default"] = plain(field.default)
        if field.meta.description:
            schema["description"] = field.meta.description
        if field.meta.examples:
            schema["examples"] = list(field.meta.examples)
        properties[field.key] = schema
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"description": _first_paragraph(cls), **schema}


def _first_paragraph(cls: type[Any]) -> str:
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def _type(kind: Any, meta: Meta) -> Schema:
    kind, own = bare(kind)
    meta = own if own != Meta() else meta
    options = alternatives(kind)
    if len(options) > 1:
        return {"anyOf": [_type(option, Meta()) for option in options]}
    kind, own = bare(options[0])
    meta = own if own != Meta() else meta
    origin, arguments = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Probability):
        return {"type": "number", "minimum": 0, "maximum": 1}
    if is_written(kind):
        pattern = getattr(kind, "PATTERN", None)
        return {"type": "string", **({"pattern": pattern} if pattern else {}), "examples": [kind.EXAMPLE]}
    if kind is bool:
        return {"type": "boolean"}
    if kind is int or kind is float:
        names = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
        limits = {name: limit for short, name in names.items() if (limit := getattr(meta, short)) is not None}
        return {"type": "integer" if kind is int else "number", **limits}
    if kind is str:
        return {"type": "string"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        limits = {"minItems": meta.min_length, "maxItems": meta.max_length}
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            items: Schema = {"items": _type(arguments[0], Meta())}
        else:
            items = {"prefixItems": [_type(one, Meta()) for one in arguments]}
            limits = {"minItems": len(arguments), "maxItems": len(arguments)}
        return {"type": "array", **items, **{name: limit for name, limit in limits.items() if limit is not None}}
    if is_mapping(kind):
        names_of = {"propertyNames": _type(arguments[0], Meta())} if arguments[0] is not str else {}
        return {"type": "object", **names_of, "additionalProperties": _type(arguments[1], Meta())}
    if is_struct(kind):
        return _struct(kind)
    raise TypeError(f"a scenario cannot hold a {kind!r}")
