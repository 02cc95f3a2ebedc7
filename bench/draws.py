"""Chance: streams of random numbers keyed by what they are for, and whole-number distributions.

Every stream belongs to one purpose and one entity ("latency of n1->n2", "operations of c3"), so one more packet on
one link moves no other draw. Only `random.Random.getrandbits` is used, whose output for an integer seed is fixed, and
the shapes that need a logarithm are tables of integers computed with `decimal`, whose results are correctly rounded
on every platform: no draw depends on the Python version or on a C library.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache
from random import Random
from statistics import NormalDist
from typing import TypeVar

from scenarios.units import Span

T = TypeVar("T")
Draw = Callable[[], int]

MILLION = 1_000_000
_CELLS = 1024  # of a quantile table; between two of its points a draw is interpolated
_TAIL = 4096  # the outermost points stand at 1/4096 and 4095/4096: longer tails are cut off there


def stream(seed: int, purpose: str, entity: str = "") -> Random:
    """The stream of draws for one purpose and entity of one seed."""
    return Random(int.from_bytes(hashlib.sha256(f"{seed}/{purpose}/{entity}".encode()).digest(), "big"))


def below(n: int, random: Random) -> int:
    """A whole number from 0 to n - 1."""
    return random.getrandbits(32) * n >> 32


def shuffled(items: Sequence[T], random: Random) -> tuple[T, ...]:
    """The items in a drawn order (Fisher-Yates)."""
    order = list(items)
    for i in range(len(order) - 1, 0, -1):
        j = below(i + 1, random)
        order[i], order[j] = order[j], order[i]
    return tuple(order)


def pick(items: Sequence[T], random: Random) -> T:
    return items[below(len(items), random)]


def weighted(items: Sequence[T], cumulative: Sequence[int], random: Random) -> Callable[[], T]:
    """A function that draws an item; the whole numbers ``cumulative`` are the sums of the items' weights so far."""
    bits, total = random.getrandbits, cumulative[-1]
    return lambda: items[bisect_right(cumulative, bits(32) * total >> 32)]


def chance(millionths: int, random: Random) -> bool:
    """True in so many cases out of a million."""
    return below(MILLION, random) < millionths


def sampler(span: Span, random: Random) -> Draw:
    """A function that draws a length of time, in microseconds, of the span's shape."""
    bits = random.getrandbits
    match span.shape:
        case "constant":
            length = span.low
            return lambda: length
        case "uniform":
            low, width = span.low, span.high - span.low + 1
            return lambda: low + (bits(32) * width >> 32)
        case "exponential":
            return _interpolated(_exponential(), span.low, bits)
        case "lognormal":
            return _interpolated(_lognormal(span.sigma), span.low, bits)


def longest(span: Span) -> int:
    """The longest time that `sampler` can draw of the span, in microseconds."""
    match span.shape:
        case "constant" | "uniform":
            return span.high
        case "exponential":
            return _interpolated(_exponential(), span.low, _all_ones)()
        case "lognormal":
            return _interpolated(_lognormal(span.sigma), span.low, _all_ones)()


def _all_ones(bits: int) -> int:
    return (1 << bits) - 1


def _interpolated(table: Sequence[int], scale: int, bits: Callable[[int], int]) -> Draw:
    def draw() -> int:
        u = bits(26)
        cell, rest = u >> 16, u & 0xFFFF
        low = table[cell]
        return (low + ((table[cell + 1] - low) * rest >> 16)) * scale // MILLION

    return draw


_EXACT = Context(prec=28, rounding=ROUND_HALF_EVEN)  # never the one that a program may have set for itself


def _points() -> list[Decimal]:
    inner = [Decimal(i) / _CELLS for i in range(1, _CELLS)]
    return [Decimal(1) / _TAIL, *inner, 1 - Decimal(1) / _TAIL]


@lru_cache(maxsize=1)
def _exponential() -> tuple[int, ...]:
    """Quantiles of the exponential distribution of mean 1, in millionths."""
    with localcontext(_EXACT):
        return tuple(int(-MILLION * (1 - u).ln()) for u in _points())


@lru_cache(maxsize=8)
def _lognormal(sigma: int) -> tuple[int, ...]:
    """Quantiles of the lognormal distribution of median 1, in millionths; ``sigma`` in thousandths."""
    with localcontext(_EXACT):
        return tuple(int(MILLION * (z * sigma / 1000).exp()) for z in _normal())


@lru_cache(maxsize=1)
def _normal() -> tuple[Decimal, ...]:
    """Quantiles of the standard normal distribution to eight places, by Newton's method on its series."""
    density = NormalDist().pdf
    quantiles = []
    with localcontext(_EXACT):
        for u in _points():
            z = Decimal(round(NormalDist().inv_cdf(float(u)), 6))
            for _ in range(3):
                z -= (_cumulative(z) - u) / Decimal(round(density(float(z)), 12))
            quantiles.append(round(z, 8))
    return tuple(quantiles)


def _cumulative(z: Decimal) -> Decimal:
    """The normal distribution function: 1/2 + phi(z) (z + z^3/3 + z^5/(3*5) + …)."""
    term = total = z
    for n in range(3, 141, 2):
        term = term * z * z / n
        total += term
    root = (2 * Decimal("3.14159265358979323846264338328")).sqrt()
    return Decimal("0.5") + (-z * z / 2).exp() * total / root
