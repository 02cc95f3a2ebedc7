"""From TOML to a `Scenario`, strictly: nothing unknown, nothing missing, nothing that could not happen.

Values are converted field by field, so that everything that is wrong is found in one pass; what converted is then
judged as a whole by `rules`. Only when something is wrong is the text scanned a second time, for the line numbers.
Whatever the text holds, the answer is a `Scenario` or a `BadScenario`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
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
from scenarios.problems import BadScenario, Problem
from scenarios.rules import Draft, FaultDraft, Finding, check, cluster_of
from scenarios.schema import Cluster, Expect, Expectation, Fault, Kinds, Scenario
from scenarios.source import LARGEST, TOO_LONG, Key, lines_of, number, parse
from scenarios.units import Link, Misread, Probability, Span, Target, nearest, quoted

_SIXTY_FOUR_BITS = range(-(2**63), 2**63)
_TOP = {field.key: field for field in fields(Scenario)}
_TABLES = ("cluster", "workload", "faults", "expect", "protocol", "at-least")
_MISSING: Any = object()
_LASTS = ("duration", "lasts", "length", "until", "during")  # what people write for a fault's `for`


def load(path: str | os.PathLike[str], kinds: Kinds, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in a file; `overrides` are the command line's KEY=VALUE. Raises BadScenario."""
    source = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(4 * LARGEST + 1)
        if len(content) > 4 * LARGEST:
            raise BadScenario([Problem(source, 0, "", TOO_LONG)])
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadScenario([Problem(source, line, "", "is not text in UTF-8")]) from None
    except BadScenario:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadScenario([Problem(source, 0, "", f"cannot be read: {reason[:1].lower()}{reason[1:]}")]) from None
    return decode(text.replace("\r\n", "\n"), source, kinds, overrides)


def decode(text: str, source: str, kinds: Kinds, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in a text; `source` is what its problems call it. Raises BadScenario with all that is wrong."""
    tree, text, problems = parse(text, source)
    flags, refused = override(tree, overrides)
    problems += refused
    reader = _Reader(kinds, replaced="protocols" in {key[0] for key in flags})
    scenario = reader.scenario(tree)
    if not problems and not reader.findings and scenario is not None:
        return scenario
    lines = lines_of(text)
    problems += [_locate(finding, source, lines, flags, reader.names) for finding in reader.findings]
    raise BadScenario(sorted(dict.fromkeys(problems), key=lambda problem: problem.line))


# --- KEY=VALUE from the command line ---


def override(tree: dict[str, Any], flags: Sequence[str]) -> tuple[dict[Key, str], list[Problem]]:
    """Sets in a parsed scenario what each "KEY=VALUE" says; returns which keys were set by which, and what was wrong.

    KEY is dotted, with quotes round a part that holds a dot itself; faults go by name or by index. VALUE is TOML if it
    reads as TOML, and otherwise is taken as the text that it is.
    """
    set_by: dict[Key, str] = {}
    problems: list[Problem] = []
    for flag in flags:
        try:
            set_by[_set(tree, flag)] = flag
        except Misread as wrong:
            problems.append(Problem(_shown(flag), 0, "", wrong.what, wrong.hint))
    return set_by, problems


def _shown(flag: str) -> str:
    return f"-s {flag if len(flag) <= 100 else flag[:99] + '…'}"


def _set(tree: dict[str, Any], flag: str) -> Key:
    name, equals, written = flag.partition("=")
    parts = [part.strip("\"'") for part in re.findall(r'"[^"]*"|\'[^\']*\'|[^."\']+', name.strip())]
    if not equals or not parts or re.search(r"^\.|\.$|\.\.", name.strip()):
        raise Misread("expected KEY=VALUE, such as cluster.nodes=3")
    try:
        flag.encode()
    except UnicodeEncodeError:
        raise Misread("is not Unicode text") from None
    value = _toml_or_text(written.strip())
    here: Any = tree
    key: Key = ()
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(here, list):
            index = _index(here, part, ".".join(parts[:depth]))
            key = (*key, index)
            if last:
                here[index] = value
            else:
                here = here[index]
        elif isinstance(here, dict):
            key = (*key, part)
            if last:
                here[part] = value
            else:
                here = here.setdefault(part, {})
        else:
            raise Misread(f"{'.'.join(parts[:depth])} is {_described(here)} and has no key {quoted(part)}")
    return key


def _index(items: list[Any], part: str, where: str) -> int:
    """The position in an array that a part of a key means: an index, or a fault's name."""
    if re.fullmatch(r"[0-9]{1,6}", part):
        if int(part) >= len(items):
            raise Misread(f"{where} has {len(items)} entries, counted from 0; there is no {part}")
        return int(part)
    names = fault_names(items)
    if part in names:
        return names.index(part)
    known = f"they are {', '.join(map(quoted, names))}" if names else "there are none"
    raise Misread(f"{where} has none called {quoted(part)}; {known}", nearest(part, names))


def _toml_or_text(written: str) -> Any:
    try:
        tree = tomllib.loads(f"v = {written}", parse_float=number)
    except (ValueError, RecursionError):
        return written
    return tree["v"] if set(tree) == {"v"} else written


def fault_names(tables: Iterable[object]) -> list[str]:
    """What each fault is called: the name that it gives itself, or its kind and a number that no other has."""
    known: list[dict[str, Any]] = [table if isinstance(table, dict) else {} for table in tables]
    taken = {name for table in known if isinstance(name := table.get("name"), str)}
    counts: dict[str, int] = {}
    names: list[str] = []
    for table in known:
        written, kind = table.get("name"), table.get("kind")
        kind = kind if isinstance(kind, str) else "fault"
        counts[kind] = counts.get(kind, 0) + 1
        if isinstance(written, str) and written:
            names.append(written)
            continue
        while f"{kind}-{counts[kind]}" in taken:
            counts[kind] += 1
        names.append(f"{kind}-{counts[kind]}")
    return names


# --- Where a problem stands ---


def _locate(
    finding: Finding, source: str, lines: Mapping[Key, int], flags: Mapping[Key, str], names: Sequence[str]
) -> Problem:
    prefixes = [finding.key[:length] for length in range(len(finding.key), 0, -1)]
    line = 0
    for prefix in prefixes:
        if prefix in flags:
            source, line = _shown(f"{flags[prefix]}"), 0
            break
        if prefix in lines:
            line = lines[prefix]
            break
    return Problem(source, line, _path(finding.key, names), finding.what, finding.hint)


def _path(key: Key, names: Sequence[str]) -> str:
    """ "faults.cut.groups" of ("faults", 0, "groups", 1): faults go by name, places in other arrays are left out."""
    parts = []
    for depth, part in enumerate(key):
        if isinstance(part, str):
            parts.append(part if re.fullmatch(r"[A-Za-z0-9_>-]+", part) else quoted(part))
        elif depth == 1 and key[0] == "faults":
            name = names[part] if part < len(names) else str(part)
            parts.append(name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name))
    return ".".join(parts)


# --- Values ---


def _described(raw: object) -> str:
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


class _Reader:
    """Converts a tree and collects what is wrong with it; a value that did not convert is `_MISSING`."""

    def __init__(self, kinds: Kinds, replaced: bool) -> None:
        self.kinds = kinds
        self.replaced = replaced  # the command line chose the protocols; the file may speak of others
        self.findings: list[Finding] = []
        self.names: list[str] = []
        self.tree: dict[str, Any] = {}
        self.nodes: int | None = Cluster().nodes
        self.clients: int | None = None
        self.strays: set[str] = set()  # top-level keys that were found below a table's header

    def wrong(self, key: Key, what: str, hint: str | None = None) -> Any:
        self.findings.append(Finding(key, what, hint))
        return _MISSING

    # The whole

    def scenario(self, tree: dict[str, Any]) -> Scenario | None:
        self.tree = tree
        top: dict[str, Any] = {}
        raw_faults = tree.get("faults", [])
        self.names = fault_names(raw_faults) if isinstance(raw_faults, list) else []
        for key, raw in tree.items():
            if key not in _TOP:
                self.unknown_top(key)
            elif key not in _TABLES:
                self.put(top, _TOP[key], raw, (key,))
        for name, read in (
            ("cluster", self.cluster),
            ("workload", self.workload),
            ("expect", self.expect),
            ("protocol", self.protocol),
            ("at-least", self.at_least),
        ):
            if name in tree:
                if isinstance(tree[name], dict):
                    value = read(tree[name])
                else:
                    value = self.wrong((name,), f"expected a table [{name}], not {_described(tree[name])}")
                if value is not _MISSING:
                    top[_TOP[name].attribute] = value
        faults = self.faults(raw_faults)
        for field in fields(Scenario):
            if field.required and field.key not in tree and field.key not in self.strays:
                if field.key == "workload":
                    self.wrong((), f'a scenario needs a [workload], such as kind = "{min(self.kinds.workloads)}"')
                else:
                    self.wrong(
                        (), f"a scenario needs {quoted(field.key)}, such as {field.key} = {_shown_example(field)}"
                    )
        draft = Draft(top, faults, self.nodes, self.clients)
        self.findings += check(draft, self.kinds, self.replaced)
        if self.findings:
            return None
        return Scenario(**top, faults=tuple(fault.built for fault in faults if fault.built is not None))

    def unknown_top(self, key: str) -> None:
        if home := self.home(key):
            self.wrong((key,), f"belongs in {home}")
        elif key == "fault":
            self.wrong((key,), "faults are written [[faults]], one header for each", "faults")
        else:
            self.wrong((key,), f"a scenario has no key {quoted(key)}", nearest(key, _TOP))

    def home(self, key: str) -> str | None:
        """The table that has this key, when there is one only."""
        if key in {field.key for field in fields(Cluster)}:
            return "[cluster]" if key not in {field.key for field in fields(Fault)} else None
        workloads = {field.key for cls in self.kinds.workloads.values() for field in fields(cls)}
        faults = {field.key for cls in self.kinds.faults.values() for field in fields(cls)}
        return "[workload]" if key in workloads - faults else None

    def cluster(self, table: dict[str, Any]) -> Any:
        before = len(self.findings)
        values: dict[str, Any] = {}
        self.read(Cluster, table, ("cluster",), "a cluster", (), values)
        self.nodes = values.get("nodes", None if "nodes" in table else self.nodes)
        values["links"] = self.links(values.get("links", {}))
        return _MISSING if len(self.findings) > before else Cluster(**values)

    def links(self, written: dict[str, Span]) -> dict[str, Span]:
        """Latencies by "n5" or "n1->n2"; both directions of "n1 - n2" are spelt out."""
        links: dict[str, Span] = {}
        for name, latency in written.items():
            key: Key = ("cluster", "links", name)
            try:
                if "-" in name:
                    link = Link.parse(name)
                    ends: tuple[Target, ...] = (link.sender, link.receiver)
                    both = (f"{link.receiver}->{link.sender}",) if link.both else ()
                    spelt = (f"{link.sender}->{link.receiver}", *both)
                else:
                    ends = (Target.parse(name),)
                    spelt = (name.strip(),)
            except Misread as wrong:
                self.wrong(key, wrong.what, wrong.hint)
                continue
            if any(end.who != "node" or end.alias for end in ends):
                self.wrong(key, f'{quoted(name)} is no link of nodes; expected "n5", "n1->n2" or "n1 - n2"')
                continue
            for end in ends:
                if self.nodes is not None and end.number > self.nodes:
                    self.wrong(key, f"there is no {end.of}: {cluster_of(self.nodes)}")
            for one in spelt:
                if one in links:
                    self.wrong(key, f"the latency of {one} is given already")
                links[one] = latency
        return links

    def workload(self, table: dict[str, Any]) -> Any:
        cls = self.kind("workload", table, ("workload",), self.kinds.workloads)
        if cls is None:
            return _MISSING
        before = len(self.findings)
        values: dict[str, Any] = {}
        self.read(cls, table, ("workload",), f"a {table['kind']} workload", ("kind",), values)
        if len(self.findings) > before:
            return _MISSING
        workload = self.build(cls, values, ("workload",))
        # An open loop opens further sessions when all are busy.
        names = ("clients",) if getattr(workload, "rate", None) is None else ("clients", "sessions_max")
        numbers = [getattr(workload, name, None) for name in names]
        self.clients = max((one for one in numbers if isinstance(one, int)), default=None)
        return workload

    def kind(self, noun: str, table: dict[str, Any], key: Key, known: Mapping[str, type[Any]]) -> type[Any] | None:
        if "kind" not in table:
            example_kind = min(known, default="…")
            self.wrong(
                key, f'a {noun} needs a kind, such as kind = "{example_kind}"; the kinds are {", ".join(sorted(known))}'
            )
            return None
        raw = table["kind"]
        if isinstance(raw, str) and raw in known:
            return known[raw]
        hint = nearest(raw, known) if isinstance(raw, str) else None
        there_are = "" if hint else f"; the kinds are {', '.join(sorted(known))}"
        self.wrong((*key, "kind"), f"{_described(raw)} is no kind of {noun}{there_are}", hint)
        return None

    def faults(self, raw: object) -> list[FaultDraft]:
        drafts: list[FaultDraft] = []
        if not isinstance(raw, list):
            one = "faults are written [[faults]], one header for each"
            self.wrong(("faults",), one if isinstance(raw, dict) else f"{one}, not {_described(raw)}")
            return drafts
        for index, table in enumerate(raw):
            key: Key = ("faults", index)
            if not isinstance(table, dict):
                self.wrong(key, f"a fault is a table [[faults]], not {_described(table)}")
                drafts.append(FaultDraft(self.names[index], key, Fault, {"at": None}, {}, None))
                continue
            cls = self.kind("fault", table, key, self.kinds.faults)
            values: dict[str, Any] = {}
            before = len(self.findings)
            article = "a fault" if cls is None else f"a {table['kind']} fault"
            self.read(cls or Fault, table, key, article, ("kind",), values, strict=cls is not None)
            values["name"] = self.names[index]
            built = None
            if cls is not None and len(self.findings) == before:
                built = self.build(cls, values, key)
            drafts.append(FaultDraft(self.names[index], key, cls or Fault, table, values, built))
        return drafts

    def expect(self, table: dict[str, Any]) -> Any:
        everywhere: dict[str, Expectation] = {}
        columns: dict[str, dict[str, Expectation]] = {}
        for name, raw in table.items():
            if isinstance(raw, dict):
                columns[name] = {}
                for checker, one in raw.items():
                    self.expectation(checker, one, ("expect", name, checker), columns[name])
            else:
                self.expectation(name, raw, ("expect", name), everywhere)
        return Expect(everywhere, columns)

    def expectation(self, checker: str, raw: object, key: Key, into: dict[str, Expectation]) -> None:
        if checker not in self.kinds.checkers:
            if checker.partition("/")[0] in self.kinds.protocols:
                header = checker if re.fullmatch(r"[A-Za-z0-9_-]+", checker) else f'"{checker}"'
                self.wrong(key, f"what is expected of one protocol has a table of its own: [expect.{header}]")
                return
            hint = nearest(checker, self.kinds.checkers)
            there_are = "" if hint else f"; the checkers are {', '.join(sorted(self.kinds.checkers))}"
            self.wrong(key, f"{quoted(checker)} is no checker{there_are}", hint)
        value = self.value(Expectation, raw, key, Meta())
        if value is not _MISSING:
            into[checker] = value

    def protocol(self, table: dict[str, Any]) -> Any:
        parameters: dict[str, Any] = {}
        for name, raw in table.items():
            key: Key = ("protocol", name)
            if name not in self.kinds.protocols:
                self.wrong(key, f"{quoted(name)} is no protocol", nearest(name, self.kinds.protocols))
            elif not isinstance(raw, dict):
                self.wrong(key, f"expected a table [protocol.{name}], not {_described(raw)}")
            else:
                parameters[name] = self.struct(self.kinds.protocols[name].parameters, raw, key, name)
        return parameters

    def at_least(self, table: dict[str, Any]) -> Any:
        return self.value(dict[str, int], table, ("at-least",), Meta())

    # Tables of fields

    def struct(
        self, cls: type[msgspec.Struct], table: dict[str, Any], key: Key, noun: str, besides: tuple[str, ...] = ()
    ) -> Any:
        """A struct of a table, or _MISSING; `besides` are keys that the caller reads itself."""
        before = len(self.findings)
        values: dict[str, Any] = {}
        self.read(cls, table, key, noun, besides, values)
        if len(self.findings) > before:
            return _MISSING
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
                self.wrong(key, f"{noun} needs {quoted(name)}, such as {name} = {_shown_example(field)}")

    def stray(self, key: Key, name: str, noun: str, known: Sequence[str], strict: bool) -> None:
        """A key that its table does not have; most often one of the top level, written below a table's header."""
        if name in _LASTS and "for" in known and (name not in _TOP or name in self.tree):
            self.wrong(key, f'{noun} has no {quoted(name)}; how long it lasts is called "for"')
        elif name in _TOP and name not in _TABLES:
            already = " (and stands there already)" if name in self.tree else ""
            self.strays.add(name)
            self.wrong(key, f"{quoted(name)} belongs above the first [table]{already}")
        elif strict and (home := self.home(name)):
            self.wrong(key, f"{noun} has no {quoted(name)}; it belongs in {home}")
        elif strict:
            hint = nearest(name, known)
            has = "" if hint else f"; it has {', '.join(known)}" if known else "; it has none"
            self.wrong(key, f"{noun} has no {quoted(name)}{has}", hint)

    def put(self, into: dict[str, Any], field: Field, raw: object, key: Key) -> None:
        value = self.value(field.type, raw, key, field.meta)
        if value is not _MISSING:
            into[field.attribute] = value

    # Single values

    def value(self, kind: Any, raw: object, key: Key, meta: Meta) -> Any:
        """The raw value as one of this type, or _MISSING after saying what is wrong."""
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
        return self.wrong(key, f"expected {expected(kind, meta)}, not {_described(raw)}")

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
            attempt = _Reader(self.kinds, self.replaced)
            attempt.tree = self.tree
            value = attempt.value(option, raw, key, meta)
            if value is not _MISSING and not attempt.findings:
                return value
        return self.wrong(key, f"expected {' or '.join(expected(one) for one in options)}, not {_described(raw)}")

    def probability(self, kind: type[Probability], raw: object, key: Key) -> Any:
        if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
            return self.wrong(key, f"expected {kind.EXPECTED}, not {_described(raw)}")
        try:
            return kind.of(raw)
        except ValueError:
            return self.wrong(key, f"expected {kind.EXPECTED}, not {_described(raw)}")

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
            shown = _described(raw)
            named = f"{key[-1]} = " if isinstance(key[-1], str) else ""
            ways = " or ".join(f'{named if not n else ""}"{shown}{unit}"' for n, unit in enumerate(units))
            return self.wrong(key, f"{shown} has no unit; write {ways}")
        return self.wrong(key, f"expected {kind.EXPECTED}, not {_described(raw)}")

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
        return _MISSING if any(value is _MISSING for value in values) else tuple(values)

    def mapping(self, kind: Any, arguments: tuple[Any, ...], raw: dict[str, Any], key: Key, meta: Meta) -> Any:
        of_key, of_value = arguments
        if len(raw) < (meta.min_length or 0):
            return self.wrong(key, f"expected at least {meta.min_length}, such as {example(kind)}")
        values = {
            self.value(of_key, name, (*key, name), Meta()): self.value(of_value, item, (*key, name), Meta())
            for name, item in raw.items()
        }
        return _MISSING if any(one is _MISSING for pair in values.items() for one in pair) else values


def _shown_example(field: Field) -> str:
    """How the key could be filled in: the field's own example, or one made from its type."""
    if field.meta.examples:
        first = field.meta.examples[0]
        return f'"{first}"' if isinstance(first, str) else str(first).replace("'", '"')
    return example(field.type, field.meta)
