"""The page and the JSON Schema say what the code does."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from scenarios.decode import decode
from scenarios.fields import fields
from scenarios.json_schema import json_schema
from scenarios.reference import reference, sample
from scenarios.schema import Cluster, Fault, Scenario
from tests.scenarios.small_kinds import KINDS, SCENARIO, RaftParameters, Registers

PAGE = reference(KINDS)


def test_the_page_names_every_key_kind_event_and_checker() -> None:
    classes = [Scenario, Cluster, Fault, Registers, RaftParameters, *KINDS.faults.values()]
    for key in {field.key for cls in classes for field in fields(cls)} - {"cluster", "workload", "faults", "expect"}:
        assert f"`{key}`" in PAGE or f"[{key}" in PAGE, key
    for word in (*KINDS.events, *KINDS.checkers, *KINDS.protocols):
        assert word in PAGE


def test_every_key_on_the_page_is_described() -> None:
    rows = re.findall(r"^\| `[^`]+` \|.*$", PAGE, re.MULTILINE)
    assert len(rows) > 30
    for row in rows:
        cells = re.split(r"(?<!\\)\s*\|\s*", row.strip("| "))
        assert all(cells), row


def test_every_example_on_the_page_is_toml() -> None:
    examples = re.findall(r"\| `([a-z-]+ = [^\n]+)` \|$", PAGE, re.MULTILINE)
    assert len(examples) > 30
    for example in examples:
        assert tomllib.loads(example)


@pytest.mark.parametrize("kind", KINDS.faults)
def test_the_sample_of_every_fault_decodes(kind: str) -> None:
    [fault] = decode(sample(KINDS, kind), "x", KINDS).faults
    assert type(fault) is KINDS.faults[kind]


def test_the_page_shows_only_the_first_paragraph_of_a_kind() -> None:
    assert "Cuts the cluster into groups that cannot reach each other." in PAGE
    assert "More is not printed." not in PAGE


def test_the_page_shows_the_lines_that_answer_common_mistakes() -> None:
    assert 'cut.toml:13: a time or rate must be quoted: at = "2s"' in PAGE
    assert 'did you mean "nodes"?' in PAGE
    assert "needs a kind, such as" in PAGE


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """As much of JSON Schema as ours uses."""
    if "anyOf" in schema and not any(accepts(one, value) for one in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(accepts(one, value) for one in schema["oneOf"]) != 1:
        return False
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        return False
    if isinstance(value, dict):
        properties, names = dict(schema.get("properties", {})), schema.get("propertyNames", {})
        for pattern, one in schema.get("patternProperties", {}).items():
            properties |= {name: one for name in value if re.search(pattern, name)}
        further = schema.get("additionalProperties", {})
        return (
            schema.get("type", "object") == "object"
            and set(schema.get("required", ())) <= set(value)
            and all(accepts(names, name) for name in value)
            and (further is not False or set(value) <= set(properties))
            and all(accepts(properties.get(name, further), item) for name, item in value.items())
        )
    if isinstance(value, list):
        items, least = schema.get("items", {}), schema.get("minItems", 0)
        return schema.get("type", "array") == "array" and len(value) >= least and all(accepts(items, i) for i in value)
    types: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    kind = schema.get("type")
    if kind is not None and (kind not in types or not isinstance(value, types[kind])):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def test_the_schema_is_json_and_accepts_what_decodes() -> None:
    schema = json_schema(KINDS)
    assert json.loads(json.dumps(schema)) == schema
    assert accepts(schema, tomllib.loads(SCENARIO))
    for kind in KINDS.faults:
        assert accepts(schema, tomllib.loads(sample(KINDS, kind)))
    for bounds in ("t=50ms", "k=2", "t=50ms,k=2", " k = 2, t = 50ms"):
        text = SCENARIO.replace('agreement = "valid"', f'"bounded-staleness:{bounds}" = "valid"', 1)
        decode(text, "x", KINDS)
        assert accepts(schema, tomllib.loads(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"20s"', '"20"'),
        ("nodes   = 5", "nodes = 100"),
        ("nodes   = 5", "node = 5"),
        ('kind   = "partition"', 'kind = "partitio"'),
        ('kind   = "partition"', ""),
        ('"raft", ', '"raff", '),
        ("cas = 2", "cat = 2"),
        ("chance = 0.25", "chance = 1.25"),
        ('at     = "2s"', 'at = "2s"\non = "committed"'),
        ('agreement = "valid"', 'agreement = "vali"'),
        ('agreement = "valid"', '"bounded-staleness:t=50ms" = "vali"'),
        ('agreement = "valid"', '"bounded-staleness:d=50ms" = "valid"'),
        ('agreement = "valid"', '"bounded-staleness:t" = "valid"'),
        ('agreement = "valid"', '"agreement:t=50ms" = "valid"'),
        ("reads = 100", "reads = -1"),
        ('"n1 - c2"', '"n1 c2"'),
        ('"50/s"', '"50"'),
        ('"200ms..400ms"', '"200..400ms"'),
    ],
)
def test_the_schema_refuses_what_does_not_decode(old: str, new: str) -> None:
    text = SCENARIO.replace(old, new, 1)
    assert text != SCENARIO
    with pytest.raises(ValueError, match="x:"):
        decode(text, "x", KINDS)
    assert not accepts(json_schema(KINDS), tomllib.loads(text))
