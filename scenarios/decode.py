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
from typing import Any

from msgspec import Meta

from scenarios.fields import fields
from scenarios.problems import BadScenario, Problem
from scenarios.rules import Draft, FaultDraft, Finding, check, cluster_of
from scenarios.schema import Cluster, Expect, Expectation, Fault, Kinds, Scenario
from scenarios.source import Key, lines_of, number, parse, read_text
from scenarios.tables import MISSING, Tables, described, shown_example
from scenarios.units import Link, Misread, Span, Target, nearest, quoted

_TOP = {field.key: field for field in fields(Scenario)}
_TABLES = ("cluster", "workload", "faults", "expect", "protocol", "at-least")
_LASTS = ("duration", "lasts", "length", "until", "during")  # what people write for a fault's `for`


def load(path: str | os.PathLike[str], kinds: Kinds, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in a file; `overrides` are the command line's KEY=VALUE. Raises BadScenario."""
    return decode(read_text(path), os.fspath(path), kinds, overrides)


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
    parted = re.match(r"""((?:"[^"]*"|'[^']*'|[^="'])*)=(.*)""", flag, re.DOTALL)  # not at one inside of quotes
    name, equals, written = (parted[1], "=", parted[2]) if parted else flag.partition("=")
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
            raise Misread(f"{'.'.join(parts[:depth])} is {described(here)} and has no key {quoted(part)}")
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


class _Reader(Tables):
    """Converts a scenario's tree and collects what is wrong with it."""

    def __init__(self, kinds: Kinds, replaced: bool) -> None:
        self.kinds = kinds
        self.replaced = replaced  # the command line chose the protocols; the file may speak of others
        super().__init__()
        self.names: list[str] = []
        self.tree: dict[str, Any] = {}
        self.nodes: int | None = Cluster().nodes
        self.clients: int | None = None
        self.strays: set[str] = set()  # top-level keys that were found below a table's header

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
                    value = self.wrong((name,), f"expected a table [{name}], not {described(tree[name])}")
                if value is not MISSING:
                    top[_TOP[name].attribute] = value
        faults = self.faults(raw_faults)
        for field in fields(Scenario):
            if field.required and field.key not in tree and field.key not in self.strays:
                if field.key == "workload":
                    self.wrong((), f'a scenario needs a [workload], such as kind = "{min(self.kinds.workloads)}"')
                else:
                    self.wrong(
                        (), f"a scenario needs {quoted(field.key)}, such as {field.key} = {shown_example(field)}"
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
        return MISSING if len(self.findings) > before else Cluster(**values)

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
            return MISSING
        before = len(self.findings)
        values: dict[str, Any] = {}
        self.read(cls, table, ("workload",), f"a {table['kind']} workload", ("kind",), values)
        if len(self.findings) > before:
            return MISSING
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
        self.wrong((*key, "kind"), f"{described(raw)} is no kind of {noun}{there_are}", hint)
        return None

    def faults(self, raw: object) -> list[FaultDraft]:
        drafts: list[FaultDraft] = []
        if not isinstance(raw, list):
            one = "faults are written [[faults]], one header for each"
            self.wrong(("faults",), one if isinstance(raw, dict) else f"{one}, not {described(raw)}")
            return drafts
        for index, table in enumerate(raw):
            key: Key = ("faults", index)
            if not isinstance(table, dict):
                self.wrong(key, f"a fault is a table [[faults]], not {described(table)}")
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
            if isinstance(raw, dict) and (bounds := self.kinds.bounds.get(name)):
                self.wrong(("expect", name), f'bounds stand in the name: "{name}:{bounds.example}" = "valid"')
            elif isinstance(raw, dict):
                columns[name] = {}
                for checker, one in raw.items():
                    self.expectation(checker, one, ("expect", name, checker), columns[name])
            else:
                self.expectation(name, raw, ("expect", name), everywhere)
        return Expect(everywhere, columns)

    def expectation(self, checker: str, raw: object, key: Key, into: dict[str, Expectation]) -> None:
        name, colon, rest = checker.partition(":")
        if colon and name in self.kinds.checkers:
            checker = self.bounded(checker, key)
        elif checker not in self.kinds.checkers:
            if checker.partition("/")[0] in self.kinds.protocols:
                header = checker if re.fullmatch(r"[A-Za-z0-9_-]+", checker) else f'"{checker}"'
                self.wrong(key, f"what is expected of one protocol has a table of its own: [expect.{header}]")
                return
            hint = nearest(name, self.kinds.checkers)
            hint = hint and hint + colon + rest
            there_are = "" if hint else f"; the checkers are {', '.join(sorted(self.kinds.checkers))}"
            self.wrong(key, f"{quoted(checker)} is no checker{there_are}", hint)
        value = self.value(Expectation, raw, key, Meta())
        if value is not MISSING:
            if checker in into:
                self.wrong(key, f"{quoted(checker)} is there already")
            into[checker] = value

    def bounded(self, checker: str, key: Key) -> str:
        """A checker with its bounds, spelled in the one way."""
        name = checker.partition(":")[0]
        if name not in self.kinds.bounds:
            others = "".join(f'; "{one}:{bounds.example}" does' for one, bounds in self.kinds.bounds.items())
            self.wrong(key, f"{name} takes no bounds{others}", name)
            return checker
        try:
            return self.kinds.bounds[name].spelled(checker)
        except ValueError as error:
            self.wrong(key, str(error))
            return checker

    def protocol(self, table: dict[str, Any]) -> Any:
        parameters: dict[str, Any] = {}
        for name, raw in table.items():
            key: Key = ("protocol", name)
            if name not in self.kinds.protocols:
                self.wrong(key, f"{quoted(name)} is no protocol", nearest(name, self.kinds.protocols))
            elif not isinstance(raw, dict):
                self.wrong(key, f"expected a table [protocol.{name}], not {described(raw)}")
            else:
                parameters[name] = self.struct(self.kinds.protocols[name].parameters, raw, key, name)
        return parameters

    def at_least(self, table: dict[str, Any]) -> Any:
        return self.value(dict[str, int], table, ("at-least",), Meta())

    # Tables of fields

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
        else:
            super().stray(key, name, noun, known, strict)
