"""Every invariant, by a stream of announcements that breaks it and one that nearly does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checkers import (
    History,
    Observation,
    Observations,
    Outcome,
    Verdict,
    agreement,
    committed_log_durability,
    exactly_once,
    invariants,
    leader_completeness,
    leadership,
    prefix_consistency,
    primary_order,
    requirements,
    validity,
)
from checkers.observations import commands, order, runs, terms
from checkers.verdict import invalid, unknown, valid

Check = Callable[[Observations], Verdict]

ASKED = History.from_events(
    [
        {"type": "invoke", "process": 1, "session": "c1", "f": "write", "key": "x", "value": 5},
        {"type": "ok", "process": 1, "session": "c1", "f": "write", "key": "x", "value": 5},
        {"type": "invoke", "process": 2, "session": "c2", "f": "read", "key": "x", "value": None},
        {"type": "ok", "process": 2, "session": "c2", "f": "read", "key": "x", "value": 5},
        {"type": "invoke", "process": 1, "session": "c1", "f": "cas", "key": "x", "value": [5, 6]},
        {"type": "info", "process": 1, "session": "c1", "f": "cas", "key": "x", "value": [5, 6]},
        {"type": "invoke", "process": 3, "session": "shed", "f": "write", "key": "x", "value": 7},
        {"type": "fail", "process": 3, "session": "shed", "f": "write", "key": "x", "value": 7},
    ]
)


def stream(text: str) -> Observations:
    """Announcements, one a line: the node, the word, t3 for term 3, s4 for slot 4, and a digest behind a colon."""
    found = []
    for time, line in enumerate(line for line in text.strip().splitlines() if line.strip()):
        head, _, digest = line.partition(":")
        node, what, *fields = head.split()
        numbers = {"term" if field[0] == "t" else "slot": int(field[1:]) for field in fields}
        found.append(Observation(time * 1_000_000, node, what, digest=digest.strip() or None, **numbers))
    return Observations(found)


def said(verdict: Verdict) -> list[str]:
    """The witness, without its times."""
    return [" ".join(str(item).split()[2:]) for item in verdict.witness]


def valid_for(history: History) -> Check:
    return lambda observations: validity.check(observations, history)


def durable(replicas: int) -> Check:
    return lambda observations: committed_log_durability.check(observations, replicas)


LOGS = """
n1 lead t1
n1 append t1 s1
n2 append t1 s1
n1 commit t1 s1
n1 decide t1 s1: c1#1 write x = 5
"""

CASES: list[tuple[str, Check, str, str, str]] = [
    (
        "no two replicas decide differently for one slot",
        agreement.check,
        "n1 decide s1: c1#1 write x = 5\n n2 decide s1: c2#1 read x",
        "n1 decide s1: c1#1 write x = 5\n n2 decide s2: c2#1 read x",
        "slot 1 was decided twice: n1 learned “c1#1 write x = 5”, n2 learned “c2#1 read x”",
    ),
    (
        "what is decided was invoked",
        valid_for(ASKED),
        "n1 decide s1: c1#3 write x = 5",
        "n1 decide s1: c1#2 cas x 5 -> 6\n n1 decide s2: no-op of term 2",
        "slot 1 was decided by n1 as c1#3 write x = 5, which nobody invoked",
    ),
    (
        "what is decided is what was invoked, to the last value",
        valid_for(ASKED),
        "n1 decide s1: c1#2 cas x 5 -> 7",
        "n1 decide s1: 3.1 c1#2 cas x 5 -> 6",
        "slot 1 was decided by n1 as c1#2 cas x 5 -> 7, but cas x 5 -> 6 was invoked",
    ),
    (
        "every command of a batch was invoked",
        valid_for(ASKED),
        "n1 decide s1: c2#1 read x; c9#1 read x",
        "n1 decide s1: c2#1 read x; c1#1 write x = 5",
        "slot 1 was decided by n1 as c9#1 read x, which nobody invoked",
    ),
    (
        "what was shed was never invoked",
        valid_for(ASKED),
        "n1 decide s1: shed#1 write x = 7",
        "n1 decide s1: c2#1 read x",
        "slot 1 was decided by n1 as shed#1 write x = 7, which nobody invoked",
    ),
    (
        "a decision says what it decides",
        valid_for(ASKED),
        "n1 decide s1: 3fa9c1d2",
        "n1 decide s1: no-op",
        "slot 1 was decided by n1 as “3fa9c1d2”, which is neither a command nor a no-op",
    ),
    (
        "a term has one leader",
        leadership.check,
        "n1 lead t2\n n3 lead t2",
        "n1 lead t2\n n3 lead t3\n n1 lead t2",
        "term 2 has two leaders: n1 and then n3",
    ),
    (
        "no slot is decided before the one in front of it",
        prefix_consistency.check,
        "n1 start\n n1 decide s1: a\n n2 decide s1: a\n n1 decide s3: c",
        "n1 start\n n1 decide s1: a\n n2 decide s1: a\n n1 decide s2: b",
        "n1 decided slot 3 right after slot 1, and not slot 2",
    ),
    (
        "no slot is decided twice in one life",
        prefix_consistency.check,
        "n1 start\n n1 decide s1: a\n n1 decide s1: a",
        "n1 start\n n1 decide s1: a\n n1 start\n n1 decide s1: a",
        "n1 decided slot 1 right after slot 1, and not slot 2",
    ),
    (
        "a new life begins with the first slot",
        prefix_consistency.check,
        "n1 start\n n1 decide s1: a\n n1 start\n n1 decide s2: b",
        "n1 start\n n1 decide s1: a\n n1 start\n n1 install s1\n n1 decide s2: b",
        "n1 decided slot 2 first after its start, and not slot 1",
    ),
    (
        "behind an installed state comes the next slot",
        prefix_consistency.check,
        "n1 install s7\n n1 decide s9: a",
        "n1 install s7\n n1 decide s8: a",
        "n1 decided slot 9 right after installing the state behind slot 7, and not slot 8",
    ),
    (
        "a later leader has what was committed",
        leader_completeness.check,
        LOGS + "n3 append t1 s1 \n n3 truncate s1 \n n3 lead t2",
        LOGS + "n3 append t1 s1 \n n3 lead t2",
        "n3 leads term 2 without slot 1 of term 1, which n1 knew to be committed in term 1: its log ends with slot 0",
    ),
    (
        "a later leader has the very entry that was committed",
        leader_completeness.check,
        LOGS + "n3 append t2 s1 \n n3 lead t3",
        LOGS + "n3 append t2 s1 \n n3 truncate s1 \n n3 append t1 s1 \n n3 lead t3",
        "n3 leads term 3 without slot 1 of term 1, which n1 knew to be committed in term 1: "
        "it has an entry of term 2 there",
    ),
    (
        "what was committed in an earlier term counts, even if that is said later",
        leader_completeness.check,
        "n3 lead t2 \n n3 append t2 s1 \n n1 append t1 s1 \n n1 commit t1 s1 \n n1 decide t1 s1: c1#1 read x",
        "n3 lead t2 \n n3 append t1 s1 \n n1 append t1 s1 \n n1 commit t2 s1 \n n1 decide t1 s1: c1#1 read x",
        "n3 leads term 2 without slot 1 of term 1, which n1 knew to be committed in term 1: its log ends with slot 0",
    ),
    (
        "a leader that starts anew has what it finds on its disk",
        leader_completeness.check,
        LOGS + "n2 start \n n2 recover s0: nothing \n n2 lead t2",
        LOGS + "n2 start \n n2 recover s1: 1 of term 1 \n n2 lead t2",
        "n2 leads term 2 without slot 1 of term 1, which n1 knew to be committed in term 1: its log ends with slot 0",
    ),
    (
        "a decided slot is on the disks of a majority",
        durable(3),
        "n1 append t1 s1 \n n1 decide t1 s1: a",
        "n1 append t1 s1 \n n3 append t1 s1 \n n1 decide t1 s1: a",
        "n1 decided slot 1 of term 1, which is in the logs on disk of only 1 of 3 replicas",
    ),
    (
        "a decided slot stays on the disks of a majority",
        durable(3),
        LOGS + "n2 truncate s1",
        LOGS + "n3 append t1 s1 \n n2 truncate s1",
        "slot 1 of term 1, decided by n1, is in the logs on disk of only 1 of 3 replicas now that n2 has lost it",
    ),
    (
        "what is not found at a restart is lost",
        durable(3),
        LOGS + "n1 append t1 s2 \n n2 start \n n2 recover s0: nothing",
        LOGS + "n2 append t1 s2 \n n2 start \n n2 recover s1: 1 of term 1",
        "slot 1 of term 1, decided by n1, is in the logs on disk of only 1 of 3 replicas now that n2 has lost it",
    ),
    (
        "an entry of another term is not the one that was decided",
        durable(3),
        LOGS + "n2 append t2 s1",
        LOGS + "n2 append t1 s3 \n n2 truncate s2",
        "slot 1 of term 1, decided by n1, is in the logs on disk of only 1 of 3 replicas now that n2 has lost it",
    ),
    (
        "changes of a later primary come later",
        primary_order.check,
        "n1 decide t2 s1: 2.1 c1#1 read x \n n1 decide t1 s2: 1.1 c2#1 read x",
        "n1 decide t2 s1: 2.1 c1#1 read x \n n2 decide t1 s1: 1.1 c2#1 read x",
        "n1 delivered a change of term 1 after one of 2, against global primary order",
    ),
    (
        "terms of a log never go down, with slots for numbers",
        primary_order.check,
        "n1 decide t2 s1: c1#1 read x \n n1 decide t1 s2: c2#1 read x",
        "n1 decide t1 s1: c1#1 read x \n n1 decide t2 s2: c2#1 read x \n n1 decide t2 s3: c3#1 read x",
        "n1 delivered a change of term 1 after one of 2, against global primary order",
    ),
    (
        "no change of a primary is left out",
        primary_order.check,
        "n1 decide t1 s1: 1.1 c1#1 read x \n n1 decide t1 s2: 1.3 c2#1 read x",
        "n1 decide t1 s1: 1.1 c1#1 read x \n n1 decide t1 s2: 1.2 c2#1 read x \n n1 decide t3 s3: 3.1 c1#2 read x",
        "n1 delivered number 3 of term 1 right after number 1 of term 1, against local primary order",
    ),
    (
        "the first change of a primary is not left out",
        primary_order.check,
        "n1 decide t1 s1: 1.1 c1#1 read x \n n1 decide t2 s2: 2.2 c2#1 read x",
        "n1 decide t1 s1: 1.1 c1#1 read x \n n1 install s9 \n n1 decide t2 s10: 2.2 c2#1 read x",
        "n1 delivered number 2 of term 2 right after number 1 of term 1, against local primary order",
    ),
    (
        "a new life begins with the first change",
        primary_order.check,
        "n1 start \n n1 decide t1 s1: 1.2 c1#1 read x",
        "n1 start \n n1 install s1 \n n1 decide t1 s2: 1.2 c1#1 read x",
        "n1 delivered number 2 of term 1 first of all, against local primary order",
    ),
    (
        "no command takes effect twice",
        exactly_once.check,
        "n1 decide s1: c1#1 read x \n n1 decide s2: c1#1 read x",
        "n1 decide s1: c1#1 read x \n n1 skip s2: c1#1 \n n1 decide s2: c1#1 read x \n n1 decide s3: c1#2 read x",
        "n1 carried c1#1 out in slot 1 and again in slot 2",
    ),
    (
        "a skipped slot does not excuse another",
        exactly_once.check,
        "n1 decide s1: c1#1 read x \n n1 skip s2: c1#1 \n n1 decide s2: c1#1 read x \n n1 decide s3: c1#1 read x",
        "n1 decide s1: c1#1 read x \n n2 decide s1: c1#1 read x",
        "n1 carried c1#1 out in slot 1 and again in slot 3",
    ),
    (
        "no command of a batch takes effect twice",
        exactly_once.check,
        "n1 decide s1: c1#1 read x; c2#1 read x \n n1 decide s2: c3#1 read x; c2#1 read x",
        "n1 decide s1: c1#1 read x; c2#1 read x \n n1 start \n n1 decide s1: c1#1 read x; c2#1 read x",
        "n1 carried c2#1 out in slot 1 and again in slot 2",
    ),
    (
        "what an installed state holds has taken effect",
        exactly_once.check,
        "n1 decide s1: c1#1 read x \n n2 install s1 \n n2 decide s2: c1#1 read x",
        "n1 decide s1: c1#1 read x \n n2 install s0 \n n2 decide s1: c1#1 read x",
        "n2 carried c1#1 out in slot 1 and again in slot 2",
    ),
    (
        "what a protocol requires of itself holds",
        requirements.check,
        "n1 violated: terms only grow",
        "n1 decide s1: terms only grow",
        "n1 broke a requirement: terms only grow",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "broken", "reason"), [case[1:3] + case[4:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_breach_is_told_with_the_announcements_that_prove_it(check: Check, broken: str, reason: str) -> None:
    observations = stream(broken)
    verdict = check(observations)
    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, reason)
    assert verdict.witness
    proof = [item for item in verdict.witness if isinstance(item, Observation)]
    assert [item for item in observations if item in proof] == proof, "in the order in which they were made"


@pytest.mark.parametrize(("check", "near"), [(case[1], case[3]) for case in CASES], ids=[c[0] for c in CASES])
def test_what_nearly_breaks_it_does_not(check: Check, near: str) -> None:
    assert check(stream(near)).outcome is Outcome.VALID


@pytest.mark.parametrize(
    "check",
    [
        agreement.check, valid_for(ASKED), leadership.check, prefix_consistency.check, leader_completeness.check,
        durable(3), primary_order.check, exactly_once.check,
    ],
)  # fmt: skip
def test_who_saw_nothing_says_so(check: Check) -> None:
    assert check(stream("n1 start")).outcome is Outcome.UNKNOWN


def test_the_proof_of_a_lost_entry_says_of_every_replica_why_it_counts_or_does_not() -> None:
    lost = stream(LOGS + "n3 append t1 s1 \n n2 append t1 s2 \n n3 recover s0: nothing \n n2 truncate s1")
    verdict = durable(3)(lost)
    assert said(verdict) == [
        "n1 append term 1 slot 1",
        "n1 decide term 1 slot 1 c1#1 write x = 5",
        "n3 recover slot 0 nothing",
        "n2 truncate slot 1",
    ]


def test_the_proof_of_an_incomplete_leader_names_the_commit_and_what_its_log_has_instead() -> None:
    verdict = leader_completeness.check(stream(LOGS + "n3 append t2 s1 \n n3 append t2 s2 \n n3 lead t3"))
    assert said(verdict) == [
        "n1 commit term 1 slot 1",
        "n1 decide term 1 slot 1 c1#1 write x = 5",
        "n3 append term 2 slot 1",
        "n3 lead term 3",
    ]


def test_a_command_that_was_invoked_otherwise_is_shown_beside_its_decision() -> None:
    verdict = validity.check(stream("n1 decide s1: c1#1 write x = 6"), ASKED)
    assert [str(getattr(item, "f", "")) for item in verdict.witness] == ["write", ""]


def test_all_invariants_together_are_broken_when_one_is() -> None:
    good, bad, mute = valid("validity", ""), invalid("agreement", "slot 3"), unknown("leadership", "")
    assert invariants.check([good, bad, mute]).outcome is Outcome.INVALID
    assert invariants.check([good, bad]).reason == "broken: agreement"
    assert invariants.check([good, mute]).outcome is Outcome.VALID
    assert invariants.check([mute]).outcome is Outcome.UNKNOWN


def test_digests_are_read_as_they_are_written() -> None:
    batch = commands("c1#2 write x = a; b; 2.1 c2#1 cas x 1 -> 2")
    assert batch == (("c1#2", "write x = a; b"), ("c2#1", "cas x 1 -> 2"))
    assert commands("no-op of term 4") == ()
    assert (order("12.34 c1#1 read x"), order("c1#1 write x = 1.5 ")) == ((12, 34), None)
    for log in ([], [1], [1, 1, 2, 5, 5, 5]):
        assert list(terms(runs(log))) == log
