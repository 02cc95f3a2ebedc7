"""Chance: keyed streams, whole numbers, the same everywhere."""

from __future__ import annotations

import decimal
import math
import subprocess
import sys
from collections import Counter
from random import Random
from statistics import NormalDist, fmean

import pytest

from bench.draws import _exponential, _lognormal, below, chance, longest, pick, sampler, shuffled, stream
from scenarios.units import Span
from tests.bench.runs import ROOT

MANY = 40_000

FIRST: dict[str, list[object]] = {
    "stream": [1092294195],
    "constant": [7, 7, 7, 7],
    "uniform": [4220, 3110, 3429, 4034],
    "exponential": [23987, 5032, 6501, 3084],
    "lognormal": [5960, 8986, 9353, 5984],
    "shuffled": ["b", "a", "c", "e", "f", "d"],
}


def drawn(span: Span, many: int = MANY, seed: int = 0) -> list[int]:
    draw = sampler(span, stream(seed, "test", str(span)))
    return [draw() for _ in range(many)]


def quantile(values: list[int], share: float) -> int:
    return sorted(values)[int(share * len(values))]


def test_the_first_draws_of_every_shape_are_what_they_were() -> None:
    """These numbers hold on every platform and Python; when they change, every recorded seed means another run."""
    assert [stream(0, "latency", "n1->n2").getrandbits(32)] == FIRST["stream"]
    assert drawn(Span.constant(7), 4) == FIRST["constant"]
    assert drawn(Span.uniform(1_000, 5_000), 4) == FIRST["uniform"]
    assert drawn(Span.exponential(10_000), 4) == FIRST["exponential"]
    assert drawn(Span.lognormal(10_000, 500), 4) == FIRST["lognormal"]
    assert list(shuffled("abcdef", stream(7, "order"))) == FIRST["shuffled"]


def test_a_uniform_span_draws_both_of_its_ends_and_everything_between_alike() -> None:
    counted = Counter(drawn(Span.uniform(3, 7)))
    assert sorted(counted) == [3, 4, 5, 6, 7]
    assert all(abs(count - MANY / 5) < 5 * math.sqrt(MANY / 5) for count in counted.values())


def test_an_exponential_span_has_its_mean_and_its_quantiles() -> None:
    values = drawn(Span.exponential(1_000_000))
    assert fmean(values) == pytest.approx(1_000_000, rel=0.03)
    for share in (0.1, 0.5, 0.9, 0.99):
        assert quantile(values, share) == pytest.approx(-1_000_000 * math.log(1 - share), rel=0.05)
    assert max(values) <= 1_000_000 * math.log(4096)


def test_a_lognormal_span_has_its_median_and_its_spread() -> None:
    values = drawn(Span.lognormal(1_000_000, 800))
    for share in (0.05, 0.5, 0.95):
        expected = 1_000_000 * math.exp(0.8 * NormalDist().inv_cdf(share))
        assert quantile(values, share) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("sigma", [0, 500, 2_500])
def test_the_tables_are_the_quantiles(sigma: int) -> None:
    """Computed here by floating point and by the standard library, there by `decimal`."""
    points = [1 / 4096, *(i / 1024 for i in range(1, 1024)), 4095 / 4096]
    assert len(_exponential()) == len(points)
    for found, u in zip(_exponential(), points, strict=True):
        assert abs(found - -1e6 * math.log1p(-u)) <= 1
    for found, u in zip(_lognormal(sigma), points, strict=True):
        assert found == pytest.approx(1e6 * math.exp(sigma / 1000 * NormalDist().inv_cdf(u)), rel=1e-6, abs=2)


SPANS = [
    Span.constant(7),
    Span.uniform(3, 9_000),
    Span.exponential(20_000),
    Span.lognormal(20_000, 0),
    Span.lognormal(20_000, 900),
]


@pytest.mark.parametrize("span", SPANS, ids=str)
def test_the_longest_draw_is_drawn_when_all_bits_are_ones_and_nothing_is_above_it(span: Span) -> None:
    class Ones(Random):
        def getrandbits(self, k: int, /) -> int:
            return (1 << k) - 1

    assert longest(span) == sampler(span, Ones())()
    assert max(drawn(span)) <= longest(span)


def test_the_longest_draw_is_the_end_of_a_uniform_span_and_the_outermost_quantile_of_the_others() -> None:
    assert longest(Span.constant(7)) == 7
    assert longest(Span.uniform(3, 10**14)) == 10**14
    assert longest(Span.exponential(1_000_000)) == pytest.approx(1_000_000 * math.log(4096), rel=1e-4)
    outermost = NormalDist().inv_cdf(4095 / 4096)
    assert longest(Span.lognormal(1_000_000, 800)) == pytest.approx(1_000_000 * math.exp(0.8 * outermost), rel=1e-4)


@pytest.mark.parametrize("span", SPANS, ids=str)
def test_a_span_that_is_widened_draws_up_to_so_many_times_as_long(span: Span) -> None:
    assert longest(span.widened(8)) == pytest.approx(8 * longest(span), rel=1e-4)


def test_a_programs_own_decimal_context_moves_no_draw() -> None:
    code = (
        "import decimal; decimal.getcontext().prec = 4; decimal.getcontext().rounding = decimal.ROUND_UP\n"
        "from bench.draws import _exponential, _lognormal; print(hash((_exponential(), _lognormal(700))))"
    )
    assert decimal.getcontext().prec == 28
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert int(printed) == hash((_exponential(), _lognormal(700)))  # of integers, so it is the same in every process


def test_streams_of_different_purposes_entities_and_seeds_have_nothing_in_common() -> None:
    keys = [(0, "a", "b"), (0, "a", "c"), (0, "ab", ""), (1, "a", "b"), (0, "b", "a")]
    firsts = {stream(*key).getrandbits(64) for key in keys}
    assert len(firsts) == len(keys)
    one, other = stream(0, "a", "b"), stream(0, "a", "c")
    expected = [stream(0, "a", "b").getrandbits(32)]
    for _ in range(1_000):
        other.getrandbits(32)
    assert [one.getrandbits(32)] == expected


def test_below_never_reaches_its_end_and_a_chance_of_all_or_nothing_is_one() -> None:
    class Extreme(Random):
        def getrandbits(self, k: int, /) -> int:
            return (1 << k) - 1

    assert below(10, Extreme()) == 9
    assert below(1, Extreme()) == 0
    assert chance(1_000_000, Extreme())
    assert not chance(999_999, Extreme())
    assert not any(chance(0, stream(seed, "never")) for seed in range(100))
    assert abs(sum(chance(250_000, random) for random in [stream(0, "often")] for _ in range(MANY)) - MANY / 4) < 500


def test_every_order_is_drawn_alike() -> None:
    random = stream(0, "orders")
    counted = Counter(shuffled("abc", random) for _ in range(6_000))
    assert len(counted) == 6
    assert all(abs(count - 1_000) < 150 for count in counted.values())
    assert {pick("abc", random) for _ in range(100)} == set("abc")
