"""Reads an explanation as a careful person would: each line against the history, and whether the lines prove it.

A line may rest on the history alone (who followed whom in a session, who read whose write, who was answered before
whom), or on an order that other lines give. Nothing here is taken from the checkers but the text and the witness.
Initial values are nil.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from checkers import History, Operation, Verdict, check, models, sequential
from tests.checkers.oracle import RULES
from tests.consistency import oracle

_LINES = {
    "session": "{b} follows {a} in session {s}",
    "read": "{b} read what {a} wrote",
    "time": "{a} was answered before {b} was invoked",
    "initial": "{a} returned the initial value, so it comes before {b}",
    "later": "{a} comes before {b}, because the latter follows {c}, whose value it returned",
    "earlier": "{a} comes before {b}, because {c} follows it and returned what the latter wrote",
    "viewed": "{a} comes before {b}, in the view of session {s}, because {c} follows it and returned what the latter "
    "wrote",
    "too old": "{a} returned what {c} wrote, but {b} comes in between",
    "nothing": "{a} returned the initial value, but {b} comes before it",
}


def _pattern(line: str) -> re.Pattern[str]:
    for name in "abc":
        line = line.replace("{" + name + "}", rf"(?P<{name}>\S.*?) \(event (?P<{name}_at>\d+)\)", 1)
    return re.compile(line.replace("{s}", "(?P<s>.*)") + "$")


_PATTERNS = {kind: _pattern(line) for kind, line in _LINES.items()}
_MAY_SAY = {
    "cc": {"session", "read", "too old", "nothing"},
    "ccv": {"session", "read", "too old", "nothing", "earlier"},
    "cm": {"session", "read", "too old", "nothing", "viewed"},
    "pram": {"session", "read", "nothing", "viewed"},
    "sequential": {"session", "read", "nothing", "initial", "later", "earlier"},
    "osc(u)": {"session", "read", "nothing", "initial", "later", "earlier", "time"},
}


def saw(op: Operation) -> tuple[Any] | None:
    """The value that an answer shows, in a tuple."""
    if op.type != "ok" or (op.f == "cas" and op.result is False):
        return None
    if op.f in oracle.READS:
        return (op.value,)
    return (op.value[0],) if op.f == "cas" else (None,) if op.f == "delete" and op.result is False else None


def wrote(op: Operation) -> tuple[Any] | None:
    if op.f in oracle.READS or (op.type == "ok" and op.result is False):
        return None
    return (None,) if op.f == "delete" else (op.value[1] if op.f == "cas" else op.value,)


def read_from(op: Operation, other: Operation) -> bool:
    return op.key == other.key and saw(op) is not None and saw(op) == wrote(other)


def closed(history: History, events: Iterable[int]) -> set[int]:
    """These operations, the writes whose values they saw where that is certain, and so on, by event."""
    ops = oracle.done(history)
    at = {op.index: op for op in ops}
    found, todo = set(events), list(events)
    while todo:
        op = at[todo.pop()]
        writers = [other.index for other in ops if read_from(op, other)]
        if len(writers) == 1 and saw(op) != (None,) and writers[0] not in found:
            found.add(writers[0])
            todo.append(writers[0])
    return found


def check_reasons(history: History, verdict: Verdict) -> None:
    """Raise AssertionError for a line that is not true, or lines that prove nothing."""
    at = {op.index: op for op in history.operations()}
    witness = {op.index for op in verdict.witness}
    lines = verdict.details["reasons"]
    assert lines
    assert len(set(lines)) == len(lines), "told twice"
    named: set[int] = set()
    read: list[tuple[str, dict[str, Operation], str | None]] = []
    for line in lines:
        kind, match = next((kind, m) for kind, pattern in _PATTERNS.items() if (m := pattern.match(line)))
        assert kind in _MAY_SAY[verdict.checker], line
        ops = {name: at[int(match[f"{name}_at"])] for name in "abc" if name in match.groupdict()}
        assert all(op.call == match[name] for name, op in ops.items()), line
        named |= {op.index for op in ops.values()}
        read.append((kind, ops, match.groupdict().get("s")))
    assert named <= witness
    if verdict.checker in ("sequential", "osc(u)"):
        assert closed(history, witness) == witness, "a value is there without its writer"
    else:
        assert closed(history, named) == witness, "the witness is what is spoken of, and whose values it saw"
    known: set[tuple[int, int]] = set()
    views = {str(session) for kind, _, session in read if kind == "viewed"}
    assert len(views) <= 1
    if verdict.checker in ("pram", "cm"):
        if read[0][0] == "nothing":
            views.add(_name(read[0][1]["a"]))
        own = {_name(ops["b"]) for kind, ops, _ in read if kind == "read"} if verdict.checker == "pram" else set()
        assert len(views | own) <= 1, "in one view there are the reads of one session"
    waiting = []
    for kind, ops, session in read:
        a, b, c = ops["a"], ops["b"], ops.get("c")
        match kind:
            case "session":
                assert oracle.session_before(a, b)
                assert _name(a) == session
            case "read":
                assert read_from(b, a)
            case "time":
                assert oracle.real_time_before(a, b)
                assert wrote(a) is not None
                assert wrote(b) is not None
            case "initial":
                assert saw(a) == (None,)
                assert wrote(b) is not None
                assert a.key == b.key
            case "later":
                assert c is not None
                assert read_from(a, c)
                assert b.key == c.key
                assert wrote(b) is not None
                assert len({a.index, b.index, c.index}) == 3
                waiting.append((c, b, a, b))
                continue
            case "earlier" | "viewed":
                assert c is not None
                assert read_from(c, b)
                assert a.key == b.key
                assert wrote(a) is not None
                assert len({a.index, b.index, c.index}) == 3
                assert kind == "earlier" or _name(c) == session
                waiting.append((a, c, a, b))
                continue
            case _:
                assert ops is read[0][1], "what is to be shown comes first"
                continue
        known.add((a.index, b.index))
    while waiting:
        order = _closure(known)
        rests = [entry for entry in waiting if (entry[0].index, entry[1].index) in order]
        assert rests, "an order that nothing shows"
        known |= {(a.index, b.index) for _, _, a, b in rests}
        waiting = [entry for entry in waiting if entry not in rests]
    order = _closure(known)
    kind, ops, _ = read[0]
    pattern = verdict.details.get("pattern")
    if kind in ("nothing", "too old"):
        a, b = ops["a"], ops["b"]
        assert (b.index, a.index) in order
        assert wrote(b) is not None
        assert a.key == b.key
        if kind == "nothing":
            assert saw(a) == (None,)
        else:
            assert read_from(a, ops["c"])
            assert (ops["c"].index, b.index) in order
        told = ["WriteCORead"] if kind == "too old" else ["WriteHBInitRead", "WriteCOInitRead"]
    else:
        assert any((event, event) in order for event in named), "no circle"
        told = ["CyclicCO", "CyclicCF", "CyclicHB"]
    assert pattern is None or pattern in told
    forced = any(kind in ("viewed", "earlier") for kind, _, _ in read)
    assert forced == (pattern == "CyclicCF") or pattern not in (
        "CyclicCO",
        "CyclicCF",
        "WriteCOInitRead",
        "WriteCORead",
    )


def uncertain(history: History) -> tuple[Operation, str] | None:
    """What a causal model cannot judge, and why: first of reads whose writer is not certain, then of any cas that is
    known by halves.
    """
    ops = oracle.done(history)
    shown = {(op.key, *value) for op in ops if (value := saw(op)) is not None}
    there = [op for op in ops if op.type == "ok" or (op.key, *(wrote(op) or ())) in shown]
    for op in there:
        nil = saw(op) == (None,)
        count = sum(read_from(op, other) for other in there) + nil
        if count > 1:
            return op, f"its value has {count} writers" + (", the initial value is one" if nil else "")
    for op in there:
        if op.f == "cas" and (op.type == "info" or op.result is False):
            refused = op.type == "ok"
            why = (
                "a refused cas says only what was not there" if refused else "when it found the old value is not known"
            )
            return op, why
    return None


def _name(op: Operation) -> str:
    return f'"{op.session}"' if isinstance(op.session, str) else str(op.session)


def _closure(pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    place = {event: nth for nth, event in enumerate(sorted({event for pair in pairs for event in pair}))}
    back = list(place)
    return {(back[a], back[b]) for a, b in oracle.closure({(place[a], place[b]) for a, b in pairs}, len(place))}


_STUCK = re.compile(
    r"(?P<n>\d+) operations?: no order respects their sessions(?P<time> and the real time of updates)?; "
    r"at best (?P<first>.+) can come first, and then none of (?P<stuck>.+) can be next$"
)


def check_dead_end(verdict: Verdict, ends: set[tuple[str, frozenset[str]]]) -> None:
    """The order that is told can begin so, leads as far as any, and then none of those that are named fits."""
    match = _STUCK.match(verdict.reason)
    assert match, verdict.reason
    assert int(match["n"]) == len(verdict.witness)
    assert bool(match["time"]) == (verdict.checker == "osc(u)")
    assert (match["first"], frozenset(match["stuck"].split("; "))) in ends, (verdict.reason, ends)


def beginnings(ops: list[Operation], model: str, before: Any) -> set[tuple[str, frozenset[str]]]:
    """The beginnings of orders that hold the most answered operations, each with what every session has next."""
    rule, most, ends = RULES[model], -1, set[tuple[str, frozenset[str]]]()

    def go(order: list[Operation], states: dict[Any, Any]) -> None:
        nonlocal most
        left = [op for op in ops if op not in order]
        answered = sum(op.type == "ok" for op in order)
        if answered > most:
            most = answered
            ends.clear()
        if answered == most:
            coming = {
                f"{op.call} (event {op.index}, session {_name(op)})"
                for op in left
                if op.type == "ok" and not any(oracle.session_before(other, op) for other in left)
            }
            ends.add((", ".join(op.call for op in order) or "nothing", frozenset(coming)))
        for op in left:
            if not any(before(other, op) for other in left):
                for after in rule(states.get(op.key), op):
                    go([*order, op], {**states, op.key: after})

    go([], {})
    return ends


_TRUTH: dict[str, Any] = {
    "sequential": oracle.sequential, "osc(u)": oracle.osc_u,
    "cc": oracle.cc, "ccv": oracle.ccv, "cm": oracle.cm, "pram": oracle.pram,
}  # fmt: skip
_LARGEST = 7  # operations of a witness that brute force is asked about


class Case:
    """A history, and what brute force says of pieces of it: asked once."""

    def __init__(self, history: History, model: str) -> None:
        self.history = history
        self.model = model
        self._asked: dict[tuple[str, frozenset[int]], bool] = {}
        self._ends: dict[tuple[str, frozenset[int]], Any] = {}

    def holds(self, name: str, kept: frozenset[int]) -> bool:
        """Whether these operations alone satisfy a consistency."""
        if (name, kept) not in self._asked:
            history = self.history.filter(lambda op: op.index in kept)
            truth = _TRUTH[name]
            self._asked[name, kept] = truth(history, self.model) if name in ("sequential", "osc(u)") else truth(history)
        return self._asked[name, kept]

    def _judged(self, history: History, name: str, forced: bool) -> Verdict:
        usual, sequential._FORCED = sequential._FORCED, 0 if forced else 1 << 30
        try:
            return check(history, name, self.model)
        finally:
            sequential._FORCED = usual

    def explained(self, name: str, *, forced: bool = True) -> str:
        """Judge it, check whatever is said, and return what that was about. ``forced``: forced orders come first."""
        verdict = self._judged(self.history, name, forced)
        kept = frozenset(op.index for op in verdict.witness)
        causal = name not in ("sequential", "osc(u)")
        if verdict.outcome != "invalid":
            left = uncertain(self.history) if causal else None
            if left is not None:
                told = f"no violation among the rest, but {left[0]} cannot be judged: {left[1]}"
                assert verdict.reason == told
                return "cannot be judged"
            assert verdict.outcome == "valid" or "nothing to judge" in verdict.reason, verdict
            return str(verdict.outcome)
        if not causal:
            self._minimal(verdict, name, kept)
        # Brute force over views and causes knows nothing of deletes, nor of a cas that is known by halves.
        plain = all(
            op.f != "delete" and op.result is not False and (op.f, op.type) != ("cas", "info") for op in verdict.witness
        )
        if len(kept) <= _LARGEST and (plain or not causal):
            assert not self.holds(name, kept), verdict
        if verdict.details.get("method") == "versions":
            return "versions"
        thin_air = "nobody wrote" in verdict.reason
        if not causal and forced and "reasons" not in verdict.details and not thin_air:
            # Then forced orders do not refute the witness, and the search told why there is none.
            again = self._judged(self.history.filter(lambda op: op.index in kept), name, forced)
            assert again.details["method"] in ("search", "versions") or "nobody wrote" in again.reason, verdict
        assert causal or "reasons" not in verdict.details or verdict.details["method"] == "forced"
        if "reasons" in verdict.details:
            assert verdict.reason.endswith("; ".join(verdict.details["reasons"]))
            check_reasons(self.history, verdict)
            return "reasons"
        if thin_air:
            [op] = verdict.witness
            first = next(
                op for op in oracle.done(self.history)
                if saw(op) not in (None, (None,)) and not any(read_from(op, o) for o in oracle.done(self.history))
            )  # fmt: skip
            assert op == first
            assert verdict.reason.removeprefix("ThinAirRead: ") == f"{op} saw a value that nobody wrote"
            return "thin air"
        if len(kept) <= _LARGEST:
            if (name, kept) not in self._ends:
                before = oracle.session_before if name == "sequential" else oracle.osc_u_before
                self._ends[name, kept] = beginnings(list(verdict.witness), self.model, before)
            check_dead_end(verdict, self._ends[name, kept])
        return "dead end"

    def _minimal(self, verdict: Verdict, name: str, kept: frozenset[int]) -> None:
        """Without any operation, and whatever rests on it, there is an order."""
        assert verdict.details["minimal"] or len(kept) > _LARGEST
        rests = models.by_name(self.model).rests_on
        for gone in verdict.witness if len(kept) <= _LARGEST else ():
            dropped = [gone]
            for op in dropped:
                dropped += [other for other in verdict.witness if other not in dropped and rests(other, op)]
            rest = kept - {op.index for op in dropped}
            assert not rest or self.holds(name, rest), (verdict, gone)
