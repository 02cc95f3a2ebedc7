"""The session guarantees in detail: every claim of a sentence holds, and the corner cases of who knew what."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest

from checkers import History, Operation, check
from checkers.history import show
from tests.consistency import oracle
from tests.consistency.diagrams import drawn
from tests.consistency.subjects import SUBJECTS

NAMES = ("read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads")
_CALL = r"[^()]*? \(event (\d+)\)"
_SAW = rf"{_CALL} of session (.+?) returned (?:the initial value|what {_CALL} wrote), older than {_CALL}, "
_HAD_READ = rf"although it had read {_CALL} in {_CALL}, which session (.+?) wrote after "
TOLD = {
    "read-your-writes": rf"{_SAW}which the session had made before",
    "monotonic-reads": rf"{_SAW}which the session had read in {_CALL}",
    "monotonic-writes": rf"{_SAW}{_HAD_READ}{_CALL}",
    "writes-follow-reads": rf"{_SAW}{_HAD_READ}it had read {_CALL} in {_CALL}",
}
_AGAIN = (
    rf"{_CALL} of session (.+?) returned what {_CALL} wrote, "
    rf"which the session had read in {_CALL} and seen replaced in {_CALL}"
)


def _saw(read: Operation, write: Operation) -> bool:
    return oracle.reads(read) and (read.key, oracle.found(read)) == (write.key, oracle.left(write))


def _claims(name: str, verdict: Any, ops: dict[str, Any]) -> list[bool]:
    """What the sentence says, claim by claim."""

    def known(part: str | None) -> Any:
        return ops.get(str(part), part)

    again = re.fullmatch(_AGAIN, verdict.reason)
    if name == "monotonic-reads" and again:
        read, session, source, first, then = map(known, again.groups())
        return [
            session == show(read.session), _saw(read, source), _saw(first, source), not _saw(then, source),
            then.key == read.key, oracle.session_before(first, then), oracle.session_before(then, read),
        ]  # fmt: skip
    found = re.fullmatch(TOLD[name], verdict.reason)
    assert found, verdict.reason
    read, session, source, missed, *rest = map(known, found.groups())
    claims = [session == show(read.session), read.key == missed.key, not _saw(read, missed)]
    claims.append(_saw(read, source) if source is not None else oracle.found(read) is None)
    by_session = source is None or oracle.session_before(source, missed)
    if name == "read-your-writes":
        return [*claims, by_session, oracle.session_before(missed, read)]
    if name == "monotonic-reads":
        return [*claims, by_session, _saw(rest[0], missed), oracle.session_before(rest[0], read)]
    w2, seen, writer, w1, *before = rest
    claims += [_saw(seen, w2), oracle.session_before(seen, read), writer == show(w2.session)]
    if name == "monotonic-writes":
        claims.append(oracle.session_before(w1, w2))
    else:
        claims += [_saw(before[0], w1), before[0] is w2 or oracle.session_before(before[0], w2)]
    # It missed w1, or w2 by returning what that had replaced.
    return [*claims, by_session if missed is w1 else missed is w2 and source is w1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("also", ["", " with cas"])
def test_every_claim_of_a_sentence_is_true_and_what_it_names_is_shown(name: str, also: str) -> None:
    told = 0
    for number in range(100):
        history = SUBJECTS[name + also].generate(Random(f"claims/{number}"))
        verdict = check(history, name, model="kv")
        if verdict.outcome != "invalid" or "nobody wrote" in verdict.reason:
            continue
        ops: dict[str, Any] = {str(op.index): op for op in history.operations()}
        assert all(_claims(name, verdict, ops)), (verdict, _claims(name, verdict, ops))
        named = re.findall(r"\(event (\d+)\)", verdict.reason)
        assert {ops[event].index for event in named} <= {op.index for op in verdict.witness}
        assert verdict.details["session"] == ops[named[0]].session
        told += 1
    assert told >= 20


@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_nobody_wrote_breaks_every_guarantee_whoever_else_was_there(name: str) -> None:
    for picture, at in (("a: [x?7]", 0), ("a: [x=1]\nb:       [x?1]  [x?7]  [x?8]", 4)):
        verdict = check(drawn(picture), name, model="kv")
        assert verdict.outcome == "invalid"
        assert verdict.reason.startswith('read "x" -> 7 ')
        assert verdict.reason.endswith(" saw a value that nobody wrote")
        assert [op.index for op in verdict.witness] == [at]


def _sessions(lines: list[tuple[str, str, Any]]) -> History:
    """One call after another, as session, f and value on one key; f ends in "?" where it was never answered."""
    events: list[dict[str, Any]] = []
    for number, (session, f, value) in enumerate(lines):
        common = {"process": number, "session": session, "f": f.rstrip("?"), "key": "x"}
        events.append({**common, "type": "invoke", "value": None if f == "read" else value})
        events.append({**common, "type": "info" if f.endswith("?") else "ok", "value": value})
    return History.from_events(events)


@pytest.mark.parametrize(
    ("theirs", "broken"),
    [
        # It read 2 before it wrote it, and then replaced it by 3: who has seen 3 must not find 2 again.
        ([("read", 2), ("write", 2), ("write", 3)], True),
        # What it wrote first was never answered and may have come after all: 3 replaced nothing that is known.
        ([("write?", 3), ("read", 2), ("write", 2)], False),
        ([("write?", 3), ("write", 1), ("read", 2), ("write", 2)], False),
    ],
)
def test_who_reads_what_it_only_writes_later_has_replaced_it_by_what_it_writes_after_that(
    theirs: list[tuple[str, Any]], broken: bool
) -> None:
    history = _sessions([*(("a", *call) for call in theirs), *(("b", "read", value) for value in (2, 3, 2))])
    assert oracle.guarantee(history, "writes-follow-reads") is not broken
    assert check(history, "writes-follow-reads", model="kv").outcome == ("invalid" if broken else "valid")
