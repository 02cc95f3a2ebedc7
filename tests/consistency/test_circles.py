"""Which circle is told, and that one is: of several the shortest, and one behind much that only follows from it."""

from __future__ import annotations

from string import ascii_lowercase

import pytest

from checkers import Verdict, check
from tests.consistency.diagrams import drawn
from tests.consistency.proofs import Case

# Of four steps, three steps and two; the number is when they are read, so which is met first.
FOUR = "{0}0: {1}[{0}?1] [{0}{0}=1]\n{0}1: {1}[{0}{0}?1] [{0}=1]\n"
THREE = "{0}0: {1}[{0}?1] [{0}{0}=1] [{0}=1]\n"
TWO = "{0}0: {1}[{0}?1] [{0}=1]\n"


def _circles(*lines: tuple[str, str]) -> str:
    return "".join(line.format(key, " " * 2 * nth) for nth, (line, key) in enumerate(lines))


def _keys(verdict: Verdict) -> set[str]:
    return {str(op.key) for op in verdict.witness}


@pytest.mark.parametrize("model", ["cc", "ccv", "cm"])
def test_of_several_circles_a_shortest_is_told_and_of_these_the_first(model: str) -> None:
    """Also when a hundred reads that are on no circle come first."""
    fine = "s: [p=1]\n" + "".join(f"p{n}: [p?1]\n" for n in range(101))
    for before in ("", fine):
        three = check(drawn(before + _circles((FOUR, "u"), (THREE, "z"), (FOUR, "x"))), model, model="kv")
        assert [op.call for op in three.witness] == ['read "z" -> 1', 'write "z" 1']
        two = check(drawn(before + _circles((FOUR, "u"), (THREE, "z"), (TWO, "w"))), model, model="kv")
        assert _keys(two) == {"w"}
        assert _keys(check(drawn(before + _circles((FOUR, "u"), (FOUR, "x"))), model, model="kv")) == {"u", "uu"}


@pytest.mark.parametrize(("longer", "told"), [(19, {"z"}), (20, {"a", "aa"})])
def test_a_shorter_circle_is_looked_for_from_forty_reads_on_circles(longer: int, told: set[str]) -> None:
    """Two of them on each of the longer ones; what only follows from a circle does not count."""
    between = "".join(f"by{n}: [a?1] [by=1]\n" for n in range(200))
    history = drawn(_circles(*((FOUR, key) for key in ascii_lowercase[:longer]), (THREE, "z")) + between)
    assert _keys(check(history, "cc", model="kv")) == told


@pytest.mark.parametrize("model", ["cc", "cm"])
def test_a_circle_is_told_although_a_hundred_reads_that_follow_from_it_were_asked_first(model: str) -> None:
    reads = "".join(f"r{n}: [q?1]\n" for n in range(101))
    verdict = check(drawn(f"{reads}a:       [x?1] [y=1] [q=1]\nb:       [y?1] [x=1]"), model, model="kv")
    assert _keys(verdict) == {"x", "y"}
    assert verdict.details["pattern"] == "CyclicCO"
    assert len(verdict.details["reasons"]) == 4


def test_a_circle_is_told_although_reads_that_lie_between_two_were_asked_first() -> None:
    between = "".join(f"r{n}: [q?1] [s{n}=1]\n" for n in range(45))
    one = "a:       [x?1] [y=1] [q=1]\nb:       [y?1] [x=1]\n"
    other = f"c:       {' '.join(f'[s{n}?1]' for n in range(45))} [u?1] [v=1]\nd:       [v?1] [u=1]"
    verdict = check(drawn(between + one + other), "cc", model="kv")
    assert len(verdict.details["reasons"]) == 4
    assert _keys(verdict) in ({"x", "y"}, {"u", "v"})


def test_a_circle_may_be_of_forced_steps_alone() -> None:
    verdict = check(drawn("a: [x=1]\nb: [x=2]\nc:       [x?1] [x?2]\nd:       [x?2] [x?1]"), "ccv", model="kv")
    one, two = 'write "x" 1 (event 0)', 'write "x" 2 (event 1)'
    assert {line.partition(", because")[0] for line in verdict.details["reasons"] if ", because" in line} == {
        f"{one} comes before {two}",
        f"{two} comes before {one}",
    }


def test_the_first_operation_of_all_may_force_an_order_and_is_not_mistaken() -> None:
    history = drawn("b: [x?2]\na:  [x?2] [x=1]       [x?2]\nc:               [x=2]")
    assert Case(history, "kv").explained("sequential") == "reasons"


def test_what_a_session_did_between_two_operations_is_not_told() -> None:
    verdict = check(drawn("a: [x=1]\nb:       [x?1] [p=1] [q=1] [x?-]"), "cc", model="kv")
    assert [op.call for op in verdict.witness] == ['write "x" 1', 'read "x" -> 1', 'read "x" -> nil']
    assert len(verdict.details["reasons"]) == 3
