"""What can happen to a TOML file on its way from a person: hundreds of texts near a good one, drawn from a seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import TypeVar

_T = TypeVar("_T")

_JUNK = (
    "-1",
    "0",
    "1e999",
    "nan",
    "inf",
    "-inf",
    "-0.0",
    "9" * 30,
    "9" * 5000,
    "0x" + "f" * 4000,
    "1_000",
    "true",
    '""',
    '"-2s"',
    '"0s"',
    '"99999999999h"',
    '"1ms..5"',
    '"5ms..1ms"',
    '"lognormal 1ms -3"',
    '"0/s"',
    '"-5/s"',
    "2s",
    "leader",
    "1979-05-27",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "[]",
    "{}",
    "[[]]",
    "[[[[[[]]]]]]",
    "[1, 'a', {}]",
    "{ a = { b = [1] } }",
    '{ kind = "crash" }',
    "[" * 2000 + "]" * 2000,
    "[" * 50,
    '"""',
    "'''",
    '"\\u0000"',
    '"\\ud800"',
    '"n0"',
    '"n99999999999"',
    '"0 any"',
    '"rest as rest"',
    '"a -> b -> c"',
    '" ends"',
    '"cut starts"',
    '"\N{SNOWMAN}"',
    '"\\n\\t"',
    "'\\'",
    '"' + "x" * 5000 + '"',
)
_CHARACTERS = "\x00\x07\r\t \u00e9\u2028\u202e\U0001f600\ud800[]{}()\"'\\#=.,-_/0123456789azAZ\n"
_VALUE = re.compile(r"=\s*([^\n#]+)")
_KEY = re.compile(r"^\s*([A-Za-z-]+)\s*=", re.MULTILINE)


def mutations(text: str, seed: int, count: int = 300) -> Iterator[str]:
    """`count` texts near `text`; the same ones for the same seed."""
    random = Random(seed)
    ways = (
        _truncated,
        _without_lines,
        _with_lines_twice,
        _shuffled,
        _other_value,
        _swapped_values,
        _other_key,
        _characters,
        _emptied,
        _negated,
        _unquoted,
        _spliced,
    )
    for index in range(count):
        mutated = text
        # Every way alone comes first, then several one after another.
        chosen = [ways[index % len(ways)]] if index < 10 * len(ways) else [_one(random, ways) for _ in range(3)]
        for way in chosen:
            mutated = way(mutated, random)
        yield mutated


def _below(random: Random, limit: int) -> int:
    return random.getrandbits(32) % max(limit, 1)


def _one(random: Random, items: Sequence[_T]) -> _T:
    return items[_below(random, len(items))]


def _truncated(text: str, random: Random) -> str:
    return text[: _below(random, len(text))]


def _without_lines(text: str, random: Random) -> str:
    lines = text.split("\n")
    first = _below(random, len(lines))
    del lines[first : first + 1 + _below(random, 3)]
    return "\n".join(lines)


def _with_lines_twice(text: str, random: Random) -> str:
    lines = text.split("\n")
    first = _below(random, len(lines))
    piece = lines[first : first + 1 + _below(random, 6)]
    at = _below(random, len(lines))
    return "\n".join([*lines[:at], *piece, *lines[at:]])


def _shuffled(text: str, random: Random) -> str:
    lines = text.split("\n")
    a, b = _below(random, len(lines)), _below(random, len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return "\n".join(lines)


def _replaced(text: str, random: Random, pattern: re.Pattern[str], change: Callable[[str], str]) -> str:
    """One occurrence of the pattern's group changed."""
    found = list(pattern.finditer(text))
    if not found:
        return text
    one = _one(random, found)
    return text[: one.start(1)] + change(one[1]) + text[one.end(1) :]


def _other_value(text: str, random: Random) -> str:
    return _replaced(text, random, _VALUE, lambda _: _one(random, _JUNK))


def _swapped_values(text: str, random: Random) -> str:
    values = _VALUE.findall(text)
    return _replaced(text, random, _VALUE, lambda value: _one(random, values) if values else value)


def _other_key(text: str, random: Random) -> str:
    keys = [*_KEY.findall(text), "", "kind", "name", "a.b.c", '"\\u0000"', "for", "\N{SNOWMAN}"]
    return _replaced(text, random, _KEY, lambda _: _one(random, keys))


def _characters(text: str, random: Random) -> str:
    for _ in range(1 + _below(random, 4)):
        at = _below(random, len(text) + 1)
        text = text[:at] + _one(random, _CHARACTERS) + text[at + _below(random, 2) :]
    return text


def _emptied(text: str, random: Random) -> str:
    return _replaced(text, random, re.compile(r'"([^"\n]*)"'), lambda _: _one(random, ["", " ", "-", "as", "n1 as n1"]))


def _negated(text: str, random: Random) -> str:
    return _replaced(
        text, random, re.compile(r"([0-9]+)"), lambda number: _one(random, ["-", "", "0", "9" * 20]) + number
    )


def _unquoted(text: str, random: Random) -> str:
    return _replaced(text, random, re.compile(r'("[^"\n]*")'), lambda string: string.strip('"'))


def _spliced(text: str, random: Random) -> str:
    """The head of the text with some tail of it: tables cut in the middle and joined to others."""
    return text[: _below(random, len(text))] + text[_below(random, len(text)) :]
