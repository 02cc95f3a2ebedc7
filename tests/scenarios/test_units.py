"""The small grammars: everything written reads back, everything else is refused with what was expected."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.units import LONGEST, Duration, Link, Misread, Probability, Rate, Span, Target, nearest, quoted

times = st.integers(0, LONGEST) | st.sampled_from([0, 1, 999, 1_000, 1_500, 999_999, 10**6, 6 * 10**7, LONGEST])
spans = st.one_of(
    times.map(Span.constant),
    st.tuples(times, times).map(lambda ends: Span.uniform(min(ends), max(ends))),
    times.map(Span.exponential),
    st.tuples(times, st.integers(0, 10_000)).map(lambda both: Span.lognormal(*both)),
)
nodes = st.integers(1, 99).map(lambda number: Target("node", f"n{number}"))
names = st.sampled_from(["old", "old-leader", "x1", "A_b", "cut"])
plain_targets = st.one_of(
    nodes,
    st.integers(1, 99).map(lambda number: Target("client", f"c{number}")),
    st.sampled_from(["clients", "leader", "rest", "all", "trigger"]).map(lambda who: Target(who)),  # type: ignore[arg-type]  # noqa: PLW0108
    st.tuples(st.sampled_from(["any", "follower"]), st.integers(1, 9)).map(lambda both: Target(both[0], "", both[1])),  # type: ignore[arg-type]
    names.map(lambda name: Target("named", name)),
)
targets = st.tuples(plain_targets, st.just("") | names).map(
    lambda both: Target(both[0].who, both[0].of, both[0].count, both[1])
)


@given(times)
def test_every_duration_reads_back_and_matches_its_pattern(length: int) -> None:
    text = str(Duration(length))
    assert Duration.parse(text) == length
    assert re.search(Duration.PATTERN, text)
    assert f"{Duration(length)}" == text


@given(spans)
def test_every_span_reads_back_and_matches_its_pattern(span: Span) -> None:
    assert Span.parse(str(span)) == span
    assert re.search(Span.PATTERN, str(span))


@given(st.integers(1, 10**9 - 1), st.integers(1, LONGEST))
def test_every_rate_reads_back_and_matches_its_pattern(count: int, per: int) -> None:
    rate = Rate(count, per)
    assert Rate.parse(str(rate)) == rate
    assert re.search(Rate.PATTERN, str(rate))


@given(st.integers(0, 1_000_000))
def test_every_probability_reads_back_from_text_and_from_a_float(millionths: int) -> None:
    probability = Probability(millionths)
    assert Probability.parse(str(probability)) == probability
    assert Probability.of(millionths / 1_000_000) == probability


@given(targets)
def test_every_target_reads_back_and_matches_its_pattern(target: Target) -> None:
    assert Target.parse(str(target)) == target
    assert re.search(Target.PATTERN, str(target))


@given(plain_targets, plain_targets, st.booleans())
def test_every_link_reads_back_and_matches_its_pattern(sender: Target, receiver: Target, both: bool) -> None:
    if sender == receiver:
        return
    link = Link(sender, receiver, both)
    assert Link.parse(str(link)) == link
    assert re.search(Link.PATTERN, str(link))


@given(st.text(max_size=30))
def test_no_text_is_more_than_misread(text: str) -> None:
    for cls in (Duration, Span, Rate, Probability, Target, Link):
        try:
            cls.parse(text)
        except Misread as wrong:
            line = str(wrong)
        else:
            line = ""
        assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [("500us", 500), ("150ms", 150_000), ("2s", 2_000_000), ("1m", 60_000_000), ("2h", 7_200_000_000), ("0s", 0),
     ("1.5s", 1_500_000), ("0.001ms", 1), ("0.00000000027777777777h", None), ("1.0000000s", 1_000_000)],
)  # fmt: skip
def test_a_duration_is_exact_or_refused(text: str, microseconds: int | None) -> None:
    if microseconds is None:
        with pytest.raises(Misread, match="finer than a microsecond"):
            Duration.parse(text)
    else:
        assert Duration.parse(text) == microseconds


@pytest.mark.parametrize(
    ("length", "text"),
    [(0, "0s"), (1, "1us"), (1_500, "1.5ms"), (150_000, "150ms"), (1_500_000, "1.5s"), (9_000_000, "9s"),
     (60_000_000, "1m"), (90_000_000, "90s"), (3_600_000_000, "1h"), (2_345_678, "2.345678s")],
)  # fmt: skip
def test_a_duration_is_printed_in_the_unit_that_reads_best(length: int, text: str) -> None:
    assert str(Duration(length)) == text


@pytest.mark.parametrize(
    ("cls", "text", "line"),
    [
        (Duration, "2", '"2" has no unit; expected a time such as "150ms" or "2s"'),
        (Duration, "-2s", '"-2s" is negative; expected a time such as "150ms" or "2s"'),
        (Duration, "2 parsecs", '"2 parsecs" is no time; expected a time such as "150ms" or "2s"'),
        (Duration, "0.5us", '"0.5us" is finer than a microsecond; expected a time such as "150ms" or "2s"'),
        (Duration, "100001h", '"100001h" is too long; expected at most 100000h'),
        (Duration, "１s", '"１s" is no time; expected a time such as "150ms" or "2s"'),
        (Span, "1..5ms", '"1..5ms" lacks a unit; did you mean "1ms..5ms"?'),
        (Span, "5ms..1ms", '"5ms..1ms" runs backwards; did you mean "1ms..5ms"?'),
        (Span, "-1ms..5ms", '"-1ms..5ms" is negative; expected'),
        (Span, "exponental 5ms", 'did you mean "exponential 5ms"?'),
        (Span, "lognormal 5ms 11", "sigma is a number from 0 to 10 with at most three decimals"),
        (Span, "lognormal 5ms 0.1234", "sigma is a number from 0 to 10 with at most three decimals"),
        (Rate, "50", '"50" is no rate; expected a rate such as "50/s" or "1/10s"'),
        (Rate, "-50/s", '"-50/s" is no rate'),
        (Rate, "0/s", "a rate is at least one per some time"),
        (Rate, "1/0s", "a rate is at least one per some time"),
        (Probability, "1.1", "expected a number from 0 to 1 with at most six decimals"),
        (Probability, "0.0000001", "expected a number from 0 to 1 with at most six decimals"),
        (Target, "n0", "nodes count from n1"),
        (Target, "c07", "clients count from c1"),
        (Target, "Leader", 'did you mean "leader"?'),
        (Target, "2 followers", 'did you mean "2 follower"?'),
        (Target, "2 leader", 'only "any" and "follower" take a count'),
        (Target, "0 any", "a count is at least 1"),
        (Target, "leader as rest", '"rest" already means something'),
        (Target, "leader as n3", '"n3" already means something'),
        (Target, "leader as", "is no target"),
        (Target, "", '"" is no target'),
        (Link, "n1-n2", 'did you mean "n1 - n2"?'),
        (Link, "n1 <-> n2", 'did you mean "n1 - n2"?'),
        (Link, "n1", "is no link"),
        (Link, "n1 -> n2 -> n3", "is no link"),
        (Link, "leader as old -> n2", "a link binds no names"),
        (Link, "n1 -> n1", "both ends are the same"),
    ],
)
def test_what_is_misread_says_what_was_expected(cls: type[Duration], text: str, line: str) -> None:
    with pytest.raises(Misread) as misread:
        cls.parse(text)
    assert line in str(misread.value)


def test_equal_ends_make_a_constant_span_so_that_equal_spans_are_equal() -> None:
    assert Span.parse("5ms..5ms") == Span.parse("5ms") == Span.uniform(5_000, 5_000) == Span.constant(5_000)


def test_a_span_is_widened_in_its_own_shape_and_not_at_its_lower_end() -> None:
    assert Span.uniform(10, 50).widened(4) == Span.uniform(10, 200)
    assert Span.constant(10).widened(4) == Span.uniform(10, 40)
    assert Span.exponential(10).widened(4) == Span.exponential(40)
    assert Span.lognormal(10, 500).widened(4) == Span.lognormal(40, 500)


@given(spans)
def test_a_span_that_is_widened_by_one_is_what_it_was(span: Span) -> None:
    assert span.widened(1) == span


def test_a_link_may_leave_out_the_spaces_round_its_arrow_but_not_round_a_dash() -> None:
    assert Link.parse("n1->n2") == Link.parse(" n1  ->  n2 ") == Link(Target("node", "n1"), Target("node", "n2"))
    assert Target.parse("old-leader") == Target("named", "old-leader")


def test_quoted_text_is_one_short_printable_line() -> None:
    assert quoted('a"b') == '"a\\"b"'
    assert quoted("a\nb\x00\u202e\udcff") == '"a\\nb\\u0000\\u202e\\udcff"'
    assert len(quoted("x" * 1000)) < 70
    assert quoted("é☃") == '"é☃"'


def test_the_nearest_word_is_near_or_none() -> None:
    assert nearest("leder", ["leader", "follower"]) == "leader"
    assert nearest("LEADER", ["leader", "follower"]) == "leader"
    assert nearest("banana", ["leader", "follower"]) is None
