"""What people write in a scenario's strings, and the exact values the bench keeps of it.

Quantities ("150ms", "1ms..5ms", "50/s", 0.25) become integers: time is microseconds, a probability millionths. Nothing
here is ever a float, so a quantity reads back as exactly what was written. Targets ("leader as old", "2 any") and links
("n1 -> n2") stay symbolic: they say whom a fault means, and are resolved when it starts.

Every class has `parse`, which raises `Misread` with one line that says what was expected, and a `str` that parses back.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import ClassVar, Literal, Self

import msgspec

MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}

LONGEST = 100_000 * MICROSECONDS["h"]
"""The longest time that can be written, in microseconds: eleven years, whose nanoseconds still fit in 64 bits."""

Shape = Literal["constant", "uniform", "exponential", "lognormal"]
Who = Literal["node", "client", "clients", "leader", "follower", "any", "rest", "all", "trigger", "named"]

TIME = r"[0-9]+(\.[0-9]+)?(us|ms|s|m|h)"
NAME = r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_TIME = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?(us|ms|s|m|h)")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_RATE = re.compile(r"([0-9]{1,9})/([0-9.]*)(us|ms|s|m|h)")
_TARGET = re.compile(rf"(?:([0-9]{{1,4}})\s+)?({NAME})(?:\s+as\s+({NAME}))?")
_NUMBERED = re.compile(r"([nc])([0-9]+)")

WORDS: tuple[Who, ...] = ("leader", "follower", "any", "rest", "all", "clients", "trigger")
"""The targets that are words of the language and so cannot be bound by "as NAME"."""


class Misread(ValueError):
    """Text that is not what it should be: `what` is wrong, and perhaps the `hint` is the right word."""

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what if hint is None else f"{what}; did you mean {quoted(hint)}?")
        self.what = what
        self.hint = hint


def quoted(text: str, longest: int = 60) -> str:
    """The text in double quotes on one line, shortened if it is long, and printable whatever it holds."""
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in json.dumps(shown, ensure_ascii=False)
    )


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word that was probably meant, or None when none is near."""
    lowered = {known.lower(): known for known in words}
    close = difflib.get_close_matches(word[:100].lower(), list(lowered), 1, 0.6)
    return lowered[close[0]] if close else None


class Duration(int):
    """A length of time in microseconds, written "500us", "150ms", "2s", "1.5s", "1m" or "2h"; never negative."""

    __slots__ = ()

    PATTERN: ClassVar[str] = f"^{TIME}$"
    EXPECTED: ClassVar[str] = 'a time such as "150ms" or "2s"'
    EXAMPLE: ClassVar[str] = "2s"
    UNITS: ClassVar[tuple[str, ...]] = ("s", "ms")

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(_time(text, cls.EXPECTED))

    def __str__(self) -> str:
        # The largest unit in which the number is short; whole minutes and hours only, since "1.5m" makes people think.
        length = int(self)
        for unit in ("h", "m"):
            if length and length % MICROSECONDS[unit] == 0:
                return f"{length // MICROSECONDS[unit]}{unit}"
        unit = "s" if length >= 1_000_000 or length == 0 else "ms" if length >= 1_000 else "us"
        return f"{_decimal(length, MICROSECONDS[unit])}{unit}"


class Span(msgspec.Struct, frozen=True):
    """A length of time that is drawn: constant, uniform, exponential or lognormal, in microseconds.

    Written "10ms", "1ms..5ms" (uniform, both ends included), "exponential 10ms" (its mean) or
    "lognormal 10ms 0.5" (its median and the sigma of its logarithm, kept in thousandths). For the last two, `low` and
    `high` both hold the mean or the median: the longest time that is drawn is `bench.draws.longest`. Use the
    constructors: they keep equal spans equal.
    """

    shape: Shape
    low: int
    high: int
    sigma: int = 0

    PATTERN: ClassVar[str] = rf"^({TIME}|{TIME}\.\.{TIME}|exponential {TIME}|lognormal {TIME} [0-9]+(\.[0-9]{{1,3}})?)$"
    EXPECTED: ClassVar[str] = 'a time such as "10ms", "1ms..5ms", "exponential 10ms" or "lognormal 10ms 0.5"'
    EXAMPLE: ClassVar[str] = "1ms..5ms"
    UNITS: ClassVar[tuple[str, ...]] = ("s", "ms")

    @classmethod
    def constant(cls, length: int) -> Self:
        return cls("constant", length, length)

    @classmethod
    def uniform(cls, low: int, high: int) -> Self:
        return cls("uniform", low, high) if low != high else cls("constant", low, high)

    @classmethod
    def exponential(cls, mean: int) -> Self:
        return cls("exponential", mean, mean)

    @classmethod
    def lognormal(cls, median: int, sigma: int) -> Self:
        """`sigma` in thousandths."""
        return cls("lognormal", median, median, sigma)

    @classmethod
    def parse(cls, text: str) -> Self:
        words = text.split()
        match words:
            case [word] if ".." in word:
                first, _, last = word.partition("..")
                if _NUMBER.fullmatch(first) and _TIME.fullmatch(last):
                    unit = last.lstrip("0123456789.")
                    raise Misread(f"{quoted(text)} lacks a unit", f"{first}{unit}..{last}")
                low, high = _time(first, cls.EXPECTED, text), _time(last, cls.EXPECTED, text)
                if low > high:
                    raise Misread(f"{quoted(text)} runs backwards", f"{last}..{first}")
                return cls.uniform(low, high)
            case [word]:
                return cls.constant(_time(word, cls.EXPECTED, text))
            case ["exponential", mean]:
                return cls.exponential(_time(mean, cls.EXPECTED, text))
            case ["lognormal", median, sigma]:
                if not _NUMBER.fullmatch(sigma) or (thousandths := Decimal(sigma) * 1000) % 1 or thousandths > 10_000:
                    raise Misread(f"{quoted(text)}: sigma is a number from 0 to 10 with at most three decimals")
                return cls.lognormal(_time(median, cls.EXPECTED, text), int(thousandths))
            case [shape, *_] if shape.isalpha() and (close := nearest(shape, ("exponential", "lognormal"))):
                correction = None if shape == close else " ".join([close, *words[1:]])
                raise Misread(f"{quoted(text)} is no time; expected {cls.EXPECTED}", correction)
        raise Misread(f"{quoted(text)} is no time; expected {cls.EXPECTED}")

    def widened(self, factor: int) -> Self:
        """Its longest draw, or its mean or median, times `factor`; the shortest of a constant or uniform one stays.

        So who draws from it anew keeps a chance to be early, and two who drew the same constant are parted.
        """
        match self.shape:
            case "constant" | "uniform":
                return self.uniform(self.low, self.high * factor)
            case "exponential":
                return self.exponential(self.low * factor)
            case "lognormal":
                return self.lognormal(self.low * factor, self.sigma)

    def __str__(self) -> str:
        match self.shape:
            case "constant":
                return str(Duration(self.low))
            case "uniform":
                both = (Duration(self.low), Duration(self.high))
                return f"{both[0]}..{both[1]}" if self.low != self.high else str(both[0])
            case "exponential":
                return f"exponential {Duration(self.low)}"
            case "lognormal":
                return f"lognormal {Duration(self.low)} {_decimal(self.sigma, 1000)}"


class Rate(msgspec.Struct, frozen=True):
    """So many per so long, written "50/s", "3/m" or "1/10s"; ``count`` events per ``per`` microseconds."""

    count: int
    per: int

    PATTERN: ClassVar[str] = r"^[0-9]+/([0-9]+(\.[0-9]+)?)?(us|ms|s|m|h)$"
    EXPECTED: ClassVar[str] = 'a rate such as "50/s" or "1/10s"'
    EXAMPLE: ClassVar[str] = "50/s"
    UNITS: ClassVar[tuple[str, ...]] = ("/s",)

    @classmethod
    def parse(cls, text: str) -> Self:
        found = _RATE.fullmatch(text.replace(" ", ""))
        if not found:
            raise Misread(f"{quoted(text)} is no rate; expected {cls.EXPECTED}")
        count, per = int(found[1]), _time((found[2] or "1") + found[3], cls.EXPECTED, text)
        if count == 0 or per == 0:
            raise Misread(f"{quoted(text)}: a rate is at least one per some time; expected {cls.EXPECTED}")
        return cls(count, per)

    def __str__(self) -> str:
        units = {length: unit for unit, length in MICROSECONDS.items()}
        return f"{self.count}/{units.get(self.per) or Duration(self.per)}"


class Probability(int):
    """A chance in millionths, written as a number from 0 to 1 with at most six decimals."""

    __slots__ = ()

    EXPECTED: ClassVar[str] = "a number from 0 to 1 with at most six decimals"
    EXAMPLE: ClassVar[str] = "0.05"

    @classmethod
    def of(cls, number: float | Decimal) -> Self:
        exact = number if isinstance(number, Decimal) else Decimal(repr(number))
        # NaN and infinity fail the first comparison's guard; what passes it is small enough to multiply exactly.
        if not exact.is_finite() or not 0 <= exact <= 1 or exact != exact.quantize(Decimal("0.000001")):
            raise Misread(f"{number} is no probability; expected {cls.EXPECTED}")
        return cls(int(exact * 1_000_000))

    @classmethod
    def parse(cls, text: str) -> Self:
        if not _NUMBER.fullmatch(text):
            raise Misread(f"{quoted(text)} is no probability; expected {cls.EXPECTED}")
        return cls.of(Decimal(text))

    def __str__(self) -> str:
        return _decimal(int(self), 1_000_000)


class Target(msgspec.Struct, frozen=True):
    """Whom a fault means: ``[COUNT] WHO [as NAME]``, resolved once, when the fault starts.

    `who` says which kind of target it is. `of` holds the node ("n3"), the client ("c2") or, for "named", the name that
    an earlier fault bound; it is empty for the words. `alias` is the name that this target binds, or empty.
    """

    who: Who
    of: str = ""
    count: int = 1
    alias: str = ""

    PATTERN: ClassVar[str] = rf"^\s*([0-9]+\s+)?{NAME}(\s+as\s+{NAME})?\s*$"
    EXPECTED: ClassVar[str] = 'a target such as "leader", "n3", "2 any", "rest" or "leader as old"'
    EXAMPLE: ClassVar[str] = "leader as old"

    @classmethod
    def parse(cls, text: str) -> Self:
        found = _TARGET.fullmatch(text.strip())
        if not found:
            raise Misread(f"{quoted(text)} is no target; expected {cls.EXPECTED}")
        number, word, alias = found[1], found[2], found[3] or ""
        who: Who = "named"
        for known in WORDS:
            if word == known:
                who = known
        if numbered := _NUMBERED.fullmatch(word):
            if numbered[2].startswith("0"):
                raise Misread(f"{quoted(text)}: {'nodes' if word[0] == 'n' else 'clients'} count from {word[0]}1")
            who = "node" if word[0] == "n" else "client"
        if word == "as" or (who == "named" and word.lower() in WORDS):
            raise Misread(f"{quoted(text)} is no target", None if word == "as" else text.replace(word, word.lower()))
        if number is not None and who not in ("any", "follower"):
            # "2 followers" is what one would say in English.
            singular = word.removesuffix("s")
            meant = {"any": "any", "follower": "follower"}.get(singular) or nearest(word, ("any", "follower"))
            raise Misread(
                f'{quoted(text)}: only "any" and "follower" take a count', meant and text.replace(word, meant)
            )
        if number is not None and int(number) == 0:
            raise Misread(f"{quoted(text)}: a count is at least 1")
        if alias and (alias in (*WORDS, "as") or _NUMBERED.fullmatch(alias)):
            raise Misread(f"{quoted(text)}: {quoted(alias)} already means something; bind another name")
        of = word if who in ("node", "client", "named") else ""
        return cls(who, of, int(number or 1), alias)

    @property
    def number(self) -> int:
        """The 3 of "n3" or "c3"; 0 for any other target."""
        return int(self.of[1:]) if self.who in ("node", "client") else 0

    def __str__(self) -> str:
        count = f"{self.count} " if self.count != 1 else ""
        return f"{count}{self.of or self.who}{f' as {self.alias}' if self.alias else ''}"


class Link(msgspec.Struct, frozen=True):
    """The links from one target to another: "A -> B" one way, "A - B" both ways."""

    sender: Target
    receiver: Target
    both: bool = False

    PATTERN: ClassVar[str] = rf"^\s*([0-9]+\s+)?{NAME}(\s*->\s*|\s+-\s+)([0-9]+\s+)?{NAME}\s*$"
    EXPECTED: ClassVar[str] = 'a link such as "leader -> all" (one way) or "n1 - n2" (both ways)'
    EXAMPLE: ClassVar[str] = "leader -> all"

    @classmethod
    def parse(cls, text: str) -> Self:
        both = "->" not in text
        ends = re.split(r"\s+-\s+" if both else "->", text)
        if len(ends) != 2:
            close = re.fullmatch(r"\s*(\w+)\s*(?:-|<->|--)\s*(\w+)\s*", text)
            raise Misread(f"{quoted(text)} is no link; expected {cls.EXPECTED}", close and f"{close[1]} - {close[2]}")
        if both is False and ends[0].rstrip().endswith("<"):
            meant = f"{ends[0].rstrip()[:-1].strip()} - {ends[1].strip()}"
            raise Misread(f"{quoted(text)} is no link; expected {cls.EXPECTED}", meant)
        sender, receiver = Target.parse(ends[0]), Target.parse(ends[1])
        if sender.alias or receiver.alias:
            raise Misread(f'{quoted(text)}: a link binds no names; "as NAME" belongs in a fault\'s other targets')
        if sender == receiver and sender.who in ("node", "client", "leader"):
            raise Misread(f"{quoted(text)}: both ends are the same")
        return cls(sender, receiver, both)

    def __str__(self) -> str:
        return f"{self.sender} {'-' if self.both else '->'} {self.receiver}"


def _time(text: str, expected: str, whole: str | None = None) -> int:
    """Microseconds of "150ms", exactly; `whole` is the text that it is a part of."""
    shown = quoted(text if whole is None else whole)
    found = _TIME.fullmatch(text)
    if not found:
        if _NUMBER.fullmatch(text):
            raise Misread(f"{shown} has no unit; expected {expected}")
        if text.startswith("-") and _TIME.fullmatch(text[1:]):
            raise Misread(f"{shown} is negative; expected {expected}")
        raise Misread(f"{shown} is no time; expected {expected}")
    decimals = found[2] or ""
    scale: int = 10 ** len(decimals)
    length, finer = divmod(int(found[1] + decimals) * MICROSECONDS[found[3]], scale)
    if length > LONGEST:
        raise Misread(f"{shown} is too long; expected at most {Duration(LONGEST)}")
    if finer:
        raise Misread(f"{shown} is finer than a microsecond; expected {expected}")
    return length


def _decimal(count: int, unit: int) -> str:
    """The quotient in decimals, exactly: (1500, 1000) is "1.5"; unit is a power of ten."""
    whole, rest = divmod(count, unit)
    return f"{whole}.{str(rest).rjust(len(str(unit)) - 1, '0').rstrip('0')}" if rest else str(whole)
