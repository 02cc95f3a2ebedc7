"""What a scenario must satisfy as a whole: that everything it names exists and all that it asks for can happen.

The rules judge a draft, which holds whatever converted, so that one wrong value does not hide what is wrong elsewhere.
A rule speaks only of what is certain: whether a name is bound in time can depend on the run, and then nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from scenarios.fields import fields
from scenarios.schema import Expect, Fault, Kinds
from scenarios.source import Key
from scenarios.units import NAME, WORDS, Duration, Link, Span, Target, nearest, quoted

_CHAINED = re.compile(r"(\S+)\s+(starts|ends)")


class Finding(msgspec.Struct, frozen=True):
    """Something wrong, where it stands in the tree, in words, and perhaps the right word."""

    key: Key
    what: str
    hint: str | None = None


class FaultDraft(msgspec.Struct, frozen=True):
    """A fault as far as it converted; `built` is None when not all of it did."""

    name: str
    key: Key
    cls: type[Fault]
    table: dict[str, Any]
    values: dict[str, Any]
    built: Fault | None


class Draft(msgspec.Struct, frozen=True):
    """A scenario as far as it converted; `nodes` and `clients` are None where nobody knows."""

    top: dict[str, Any]
    faults: list[FaultDraft]
    nodes: int | None
    clients: int | None

    @property
    def drawn(self) -> bool:
        """Whether this scenario is a recording's own: its times were drawn, and however they fell, they are as run."""
        return self.top.get("seed") is not None

    @property
    def heal(self) -> int | None:
        duration, heal = self.top.get("duration"), self.top.get("heal")
        return heal if heal is not None or duration is None else duration // 2


def check(draft: Draft, kinds: Kinds, replaced: bool) -> list[Finding]:
    """Everything that is wrong with the draft as a whole.

    `replaced` says that the protocols were chosen on the command line, so that the file may speak of others.
    """
    return [
        *_times(draft),
        *_columns(draft, kinds, replaced),
        *(
            Finding(("at-least", counter), f"a counter cannot be less than 0, and is {least}")
            for counter, least in draft.top.get("at_least", {}).items()
            if least < 0
        ),
        *_names(draft),
        *_starts(draft, kinds),
        *_targets(draft, kinds),
    ]


def _times(draft: Draft) -> Iterator[Finding]:
    duration, heal = draft.top.get("duration"), draft.top.get("heal")
    if duration == 0:
        yield Finding(("duration",), "a run lasts longer than nothing")
    elif duration is not None and heal is not None and heal > duration:
        yield Finding(
            ("heal",), f"is {heal}, but the run lasts only {duration}; nobody would be there to make progress"
        )


def _columns(draft: Draft, kinds: Kinds, replaced: bool) -> Iterator[Finding]:
    columns: dict[tuple[str, str], str] = {}
    complete = "protocols" in draft.top
    for index, name in enumerate(draft.top.get("protocols", ())):
        try:
            column = kinds.column(name)
        except KeyError:
            complete = False
            yield unknown_column(("protocols", index), name, kinds)
            continue
        if column in columns:
            also = "" if columns[column] == name else f", as {quoted(columns[column])}"
            yield Finding(("protocols", index), f"{quoted(name)} is there already{also}")
        columns[column] = name
    expect = draft.top.get("expect", Expect())
    for name in expect.columns:
        try:
            column = kinds.column(name)
        except KeyError:
            yield unknown_column(("expect", name), name, kinds)
            continue
        meant = [one for one in columns if one == column or ("/" not in name and one[0] == name)]
        if complete and not replaced and not meant:
            near = nearest(name, columns.values())
            yield Finding(("expect", name), f"{quoted(name)} is not among this scenario's protocols", near)


def unknown_column(key: Key, name: str, kinds: Kinds) -> Finding:
    protocol, slash, mode = name.partition("/")
    if slash and protocol in kinds.protocols:
        modes = kinds.protocols[protocol].modes
        hint = nearest(mode, modes)
        there_are = "" if hint else f"; it has {', '.join(modes) or 'none'}"
        return Finding(key, f"{protocol} has no mode {quoted(mode)}{there_are}", hint and f"{protocol}/{hint}")
    known = [*kinds.protocols, *(f"{name}/{mode}" for name, kind in kinds.protocols.items() for mode in kind.modes)]
    hint = nearest(name, known)
    there_are = "" if hint else f"; there are {', '.join(sorted(kinds.protocols))}"
    return Finding(key, f"{quoted(name)} is no protocol{there_are}", hint)


# --- When faults start ---


def _names(draft: Draft) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, fault in enumerate(draft.faults):
        if not re.fullmatch(NAME, fault.name):
            yield Finding(
                (*fault.key, "name"), "a name is made of letters, digits and dashes, and begins with a letter"
            )
        if first.setdefault(fault.name, index) != index:
            yield Finding((*fault.key, "name"), f"another fault is called {quoted(fault.name)} already")


def _chain(draft: Draft, kinds: Kinds) -> dict[int, tuple[int, str]]:
    """By index of a fault: the index of the fault whose start or end starts it, and which of the two."""
    names = [fault.name for fault in draft.faults]
    chain = {}
    for index, fault in enumerate(draft.faults):
        on = fault.values.get("on")
        if on is not None and on not in kinds.events and (found := _CHAINED.fullmatch(on)) and found[1] in names:
            chain[index] = (names.index(found[1]), found[2])
    return chain


def _starts(draft: Draft, kinds: Kinds) -> Iterator[Finding]:
    chain = _chain(draft, kinds)
    names = [fault.name for fault in draft.faults]
    for index, fault in enumerate(draft.faults):
        if "at" in fault.table and "on" in fault.table:
            yield Finding(fault.key, 'starts either "at" a time or "on" an event, not both; a delay is called "after"')
        elif "at" not in fault.table and "on" not in fault.table and not _starts_by_itself(fault.cls):
            yield Finding(fault.key, 'needs a start: at = "2s", or on = "leader-elected"')
        for key in ("nth", "after"):
            if key in fault.table and "on" not in fault.table:
                yield Finding((*fault.key, key), 'goes with "on", and this fault has none')
        if "nth" in fault.table and index in chain and fault.values.get("nth", 1) > 1:
            yield Finding((*fault.key, "nth"), "every fault starts and ends once only")
        on = fault.values.get("on")
        if on is not None and on not in kinds.events and index not in chain:
            yield _unknown_event((*fault.key, "on"), on, names, kinds)
    in_cycles: set[int] = set()
    for index in chain:
        cycle = [index]
        while (parent := chain.get(cycle[-1])) and parent[0] not in cycle:
            cycle.append(parent[0])
        if parent and parent[0] == index and index not in in_cycles:
            in_cycles.update(cycle)
            waits = " waits for ".join(names[one] for one in [*cycle, index])
            yield Finding((*draft.faults[index].key, "on"), f"can never start: {waits}")
    for index, fault in enumerate(draft.faults):
        low, high = _window(draft, chain, index)
        where = (*fault.key, "at" if "at" in fault.values else "on")
        if draft.heal is None or index in in_cycles or draft.drawn:
            continue
        if low > draft.heal or ("at" in fault.values and high is not None and high > draft.heal):
            verb = "would start" if low > draft.heal else "could start"
            late = Duration(low if low > draft.heal else high or 0)
            healed = f"everything has healed at {Duration(draft.heal)}"
            unsaid = "" if draft.top.get("heal") is not None else " (half of duration, since no heal is given)"
            yield Finding(where, f"{verb} at {late}, when {healed}{unsaid}")


def _starts_by_itself(cls: type[Fault]) -> bool:
    """Whether a kind of fault says when it starts if the scenario does not."""
    return any(field.attribute in ("at", "on") and field.default is not None for field in fields(cls))


def _unknown_event(key: Key, on: str, names: Sequence[str], kinds: Kinds) -> Finding:
    if found := _CHAINED.fullmatch(on):
        hint = nearest(found[1], names)
        there_are = "" if hint or not names else f"; the faults are {', '.join(names)}"
        return Finding(key, f"no fault is called {quoted(found[1])}{there_are}", hint and f"{hint} {found[2]}")
    hint = nearest(on, [*kinds.events, *(f"{name} {verb}" for name in names for verb in ("starts", "ends"))])
    there_are = "" if hint else f'; the events are {", ".join(kinds.events)}, "NAME starts" and "NAME ends"'
    return Finding(key, f"{quoted(on)} is no event{there_are}", hint)


def _window(
    draft: Draft, chain: dict[int, tuple[int, str]], index: int, seen: tuple[int, ...] = ()
) -> tuple[int, int | None]:
    """The earliest and the latest instant at which a fault can start; None where nobody knows a latest."""
    values = draft.faults[index].values
    if "at" in values and values["at"] is not None:
        return _bounds(values["at"])
    if index not in chain or index in seen:
        return 0, None
    parent, event = chain[index]
    spans = [_window(draft, chain, parent, (*seen, index)), _bounds(values.get("after", Span.constant(0)))]
    if event == "ends":
        # Without a length of its own a fault ends when everything heals, or sooner if it is over by its nature.
        lasts = draft.faults[parent].values.get("lasts")
        spans.append(_bounds(lasts) if lasts is not None else (0, None))
    highs = [high for _, high in spans if high is not None]
    return sum(low for low, _ in spans), sum(highs) if len(highs) == len(spans) else None


def _bounds(span: Span) -> tuple[int, int | None]:
    return (span.low, span.high) if span.shape in ("constant", "uniform") else (0, None)


# --- Whom faults mean ---


def _leaves(value: object, key: Key) -> Iterator[tuple[Key, Target | Link]]:
    """Every target and link inside a parameter's value, and where it stands."""
    if isinstance(value, Target | Link):
        yield key, value
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, (*key, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, (*key, name))
    elif isinstance(value, msgspec.Struct):
        for field in fields(type(value)):
            yield from _leaves(getattr(value, field.attribute), (*key, field.key))


def _targets(draft: Draft, kinds: Kinds) -> Iterator[Finding]:
    chain = _chain(draft, kinds)
    bound: dict[str, int] = {}
    everyone: list[list[tuple[Key, Target]]] = []
    for index, fault in enumerate(draft.faults):
        targets: list[tuple[Key, Target]] = []
        for field in fields(fault.cls):
            value = fault.values.get(field.attribute)
            own = list(_leaves(value, (*fault.key, field.key)))
            yield from _group(draft, [(key, one) for key, one in own if isinstance(one, Target)])
            for key, leaf in own:
                targets += [(key, leaf.sender), (key, leaf.receiver)] if isinstance(leaf, Link) else [(key, leaf)]
        yield from _picked(draft, fault)
        everyone.append(targets)
        for key, target in targets:
            if target.alias and bound.setdefault(target.alias, index) != index:
                other = draft.faults[bound[target.alias]].name
                yield Finding(key, f"{quoted(target.alias)} is bound already, by {other}; bind another name")
            elif target.alias and next(where for where, one in targets if one.alias == target.alias) != key:
                yield Finding(key, f"{quoted(target.alias)} is bound twice in this fault; bind another name")
    for index, (fault, targets) in enumerate(zip(draft.faults, everyone, strict=True)):
        seen: set[str] = set()
        for key, target in targets:
            finding = _target(draft, kinds, fault, key, target)
            if finding is None and target.who == "named":
                finding = _named(draft, chain, index, key, target, bound, seen)
            if finding is not None:
                yield finding
            seen.add(target.alias)


def _target(draft: Draft, kinds: Kinds, fault: FaultDraft, key: Key, target: Target) -> Finding | None:
    match target.who:
        case "node" if draft.nodes is not None and target.number > draft.nodes:
            return Finding(key, f"there is no {target.of}: {cluster_of(draft.nodes)}")
        case "client" if draft.clients is not None and target.number > draft.clients:
            return Finding(key, f"there is no {target.of}: the workload has c1 … c{draft.clients}")
        case "trigger":
            on = fault.values.get("on")
            if "on" not in fault.table or (on is not None and on not in kinds.events and _CHAINED.fullmatch(on)):
                return Finding(key, '"trigger" is the node whose event started the fault; here no node\'s event does')
        case _:
            pass
    return None


def cluster_of(nodes: int) -> str:
    return f"the cluster has {'n1 only' if nodes == 1 else f'n1 … n{nodes}'}"


def _named(
    draft: Draft,
    chain: dict[int, tuple[int, str]],
    index: int,
    key: Key,
    target: Target,
    bound: dict[str, int],
    seen: set[str],
) -> Finding | None:
    """What is wrong with a name as a target: nobody binds it, or somebody does too late."""
    binder = bound.get(target.of)
    if binder is None and any(target.of in _aliases(fault.table) for fault in draft.faults):
        return None  # it is bound by a target that did not convert
    if binder is None:
        hint = nearest(target.of, [*bound, *WORDS])
        names = f", or a name: {', '.join(sorted(bound))}" if bound else ', or a name bound by "as NAME"'
        there_are = "" if hint else f"; expected a node, a client, {', '.join(WORDS)}{names}"
        return Finding(key, f"{quoted(target.of)} is no target{there_are}", hint)
    if binder == index:
        return None if target.of in seen else Finding(key, f"{quoted(target.of)} is bound only later in this fault")
    if draft.drawn:
        return None
    low, _ = _window(draft, chain, binder)
    mine, high = _window(draft, chain, index)
    ancestor: int | None = binder
    for _ in chain:
        ancestor = chain[ancestor][0] if ancestor in chain else None
        if ancestor == index:
            high = -1
    if high is not None and (low > high or (low == high == mine and binder > index)):
        return Finding(key, f"{quoted(target.of)} is bound only later, by {draft.faults[binder].name}")
    return None


def _aliases(raw: object) -> set[str]:
    """The names that a raw table's strings bind."""
    match raw:
        case str():
            return set(re.findall(rf"\bas\s+({NAME})\s*$", raw))
        case list():
            return set().union(*map(_aliases, raw))
        case dict():
            return set().union(*map(_aliases, raw.values()))
        case _:
            return set()


def _group(draft: Draft, targets: list[tuple[Key, Target]]) -> Iterator[Finding]:
    """What is wrong with all targets of one parameter together: who is left, and how many nodes they demand."""
    rests = [key for key, target in targets if target.who == "rest"]
    for key in rests[1:]:
        yield Finding(key, '"rest" takes all that is left; a second one takes nothing')
    if draft.nodes is None:
        return
    named = {target.of for _, target in targets if target.who == "node" and target.number <= draft.nodes}
    leaders = any(target.who == "leader" for _, target in targets)
    # "any" and "follower" draw from nodes not yet named; the leader may be one of the nodes named.
    drawn = sum(target.count for _, target in targets if target.who in ("any", "follower"))
    followers = sum(target.count for _, target in targets if target.who == "follower")
    demanded = drawn + max(len(named), leaders)
    if demanded > draft.nodes:
        yield Finding(targets[0][0], f"asks for {demanded} nodes, but {cluster_of(draft.nodes)}")
    elif followers >= draft.nodes:
        yield Finding(targets[0][0], f"asks for {followers} followers, but of {draft.nodes} nodes one is the leader")


def _picked(draft: Draft, fault: FaultDraft) -> Iterator[Finding]:
    """The order in which a resolved fault picks nodes is an order of nodes."""
    picked: set[str] = set()
    for index, name in enumerate(fault.values.get("order", ())):
        key = (*fault.key, "order", index)
        found = re.fullmatch(r"n([1-9][0-9]{0,5})", name)
        if not found:
            yield Finding(key, f'{quoted(name)} is no node; expected one such as "n3"')
        elif draft.nodes is not None and int(found[1]) > draft.nodes:
            yield Finding(key, f"there is no {name}: {cluster_of(draft.nodes)}")
        elif name in picked:
            yield Finding(key, f"{name} is there already")
        picked.add(name)
