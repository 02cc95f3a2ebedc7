"""TOML text as a tree of plain values, and where in the text each of them stands.

The standard library's parser says nothing about positions and stops at the first mistake. Positions are looked up here
by a second, light scan that runs only once something is wrong. And the mistakes of syntax that everybody makes (a time
without quotes, an inline table over several lines, a slash in a table header) are mended on the way, each becoming a
problem of its own, so that the rest of the file can still be judged.
"""

from __future__ import annotations

import os
import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any

from scenarios.problems import BadScenario, Problem
from scenarios.units import quoted

Key = tuple[str | int, ...]
"""Where a value stands in the tree: ("faults", 0, "groups", 1)."""

LARGEST = 300_000
"""Characters; a scenario is some dozens of lines, and a file beyond this is something else."""
TOO_LONG = f"is longer than {LARGEST:,} characters, too long for a scenario"

_STRING = r'"""(?:\\[\s\S]|(?!""")[\s\S])*"{3,5}|' r"'''(?:(?!''')[\s\S])*'{3,5}|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'"
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_KEY = re.compile(rf"[A-Za-z0-9_-]+|{_STRING}")
_SCALAR = re.compile(rf"{_STRING}|[^,\]}}#\n]+")
_AT_LINE = re.compile(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)
_HEADER = re.compile(r"^(\s*\[\[?)([^\[\]#\"']+)(\]\]?\s*(?:#.*)?)$")
_QUANTITY = re.compile(r"[0-9.]+\s?(us|ms|s|m|h)\b.*|[0-9]+\s?/.*")


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file, its lines ending in a newline alone. Raises BadScenario when there is none to be had."""
    source = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(4 * LARGEST + 1)
        if len(content) > 4 * LARGEST:
            raise BadScenario([Problem(source, 0, "", TOO_LONG)])
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadScenario([Problem(source, line, "", "is not text in UTF-8")]) from None
    except BadScenario:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadScenario([Problem(source, 0, "", f"cannot be read: {reason[:1].lower()}{reason[1:]}")]) from None


def parse(text: str, source: str) -> tuple[dict[str, Any], str, list[Problem]]:
    """The tree of a TOML text, the text as mended, and the mistakes that were mended; decimals are `Decimal`.

    Raises BadScenario for a text that cannot be read at all.
    """
    problems: list[Problem] = []

    def stop(line: int, what: str) -> BadScenario:
        return BadScenario([*problems, Problem(source, line, "", what)])

    if len(text) > LARGEST:
        raise stop(0, TOO_LONG)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise stop(text.count("\n", 0, error.start) + 1, "is not Unicode text") from None
    # Every pass mends at least one line, and no line twice in one way; the bound is a guard.
    for _ in range(50):
        try:
            return tomllib.loads(text, parse_float=number), text, problems
        except RecursionError:
            raise stop(0, "is nested too deeply") from None
        except ValueError as error:
            found = _AT_LINE.match(str(error))
            what = found[1] if found else str(error)
            line = int(found[2]) if found and found[2] else text.rstrip().count("\n") + 1
            mended = _mend(text, line) if found else None
            if mended is None:
                raise stop(line if found else 0, _in_words(what, text, line)) from None
            text, what = mended
            problems.append(Problem(source, line, "", what))
    raise stop(0, "has too many mistakes to read")


def number(text: str) -> Decimal | float:
    """A decimal exactly as written; infinities, NaN and what is beyond all use are floats, which compare quietly."""
    try:
        exact = Decimal(text)
    except DecimalException:
        return float(text)
    return exact if exact.is_finite() and abs(exact.adjusted()) < 100 else float(text)


def _in_words(what: str, text: str, line: int) -> str:
    """A parser's message as people would say it."""
    shown = text.splitlines()[line - 1].strip() if 0 < line <= len(text.splitlines()) else ""
    if what.startswith("Cannot overwrite a value"):
        return f"{quoted(shown)} sets what is already set above"
    if what.startswith("Cannot declare"):
        return f"{quoted(shown)}: this table is already there above"
    if "Exceeds the limit" in what:
        return "holds a number that is far too large"
    return f"is not TOML: {what[:1].lower()}{what[1:]}, in {quoted(shown)}" if shown else f"is not TOML: {what}"


# --- Mending ---


def _mend(text: str, line: int) -> tuple[str, str] | None:
    """The text with the mistake on this line mended, and the mistake in words; None when it is none of the known ones.

    No mending moves a line.
    """
    lines = text.split("\n")
    if not 0 < line <= len(lines):
        return None
    here = lines[line - 1]
    if header := _HEADER.match(here):
        names = [part.strip() for part in header[2].split(".")]
        if any(re.search(r"[^A-Za-z0-9_-]", name) for name in names) and all(names):
            fixed = ".".join(name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"' for name in names)
            lines[line - 1] = f"{header[1]}{fixed}{header[3]}"
            return "\n".join(lines), f"a name with other than letters, digits and dashes is quoted: [{fixed}]"
        return None
    if bounded := re.fullmatch(r"(\s*)([\w-]+:[^\"'#]*?)(\s*=\s*)([\"'].*)", here):
        fixed = f'"{bounded[2]}"'
        lines[line - 1] = f"{bounded[1]}{fixed}{bounded[3]}{bounded[4]}"
        return "\n".join(lines), f"a name with its bounds is quoted: {fixed} = …"
    if bare := _bare_word(here):
        start, end = bare
        word = here[start:end]
        lines[line - 1] = f'{here[:start]}"{word}"{here[end:]}'
        key = re.match(r"\s*([A-Za-z0-9_-]+)\s*=\s*$", here[:start])
        shown = f'{key[1]} = "{word}"' if key else f'"{word}"'
        kind = "a time or rate" if _QUANTITY.fullmatch(word) else "text"
        return "\n".join(lines), f"{kind} must be quoted: {shown}"
    start_of_line = sum(len(one) + 1 for one in lines[: line - 1])
    if (brace := _open_brace(here)) is not None:
        return _join_table(text, start_of_line + brace)
    if trailing := re.search(r",(\s*)\}", here):
        mended = f"{here[: trailing.start()]}{trailing[1]}}}{here[trailing.end() :]}"
        lines[line - 1] = mended
        return "\n".join(lines), "an inline table has no comma before its closing brace"
    return None


def _pieces(line: str) -> list[tuple[str, int, int]]:
    """A line cut into strings, comments, brackets and what lies between, with their positions."""
    pattern = re.compile(
        rf"(?P<string>{_STRING})|(?P<comment>#.*)|(?P<mark>[\[\]{{}},=])|(?P<plain>[^\"'#\[\]{{}},=]+|.)"
    )
    return [(found.lastgroup or "", found.start(), found.end()) for found in pattern.finditer(line)]


def _bare_word(line: str) -> tuple[int, int] | None:
    """Where on the line a value stands that lacks its quotes: after "=" or inside an array."""
    open_marks: list[str] = []
    expecting = "=" not in line  # a line of an array that began above
    for kind, start, end in _pieces(line):
        token = line[start:end]
        if kind == "mark":
            if token in "[{":
                open_marks.append(token)
            elif token in "]}" and open_marks:
                open_marks.pop()
            in_array = open_marks[-1:] == ["["] or (not open_marks and "=" not in line)
            expecting = token == "=" or (token in "[," and in_array)
        elif kind == "plain" and expecting and (word := token.strip()):
            if re.fullmatch(r"[^\s\"'\\]+( [^\s\"'\\]+)*", word) and not _is_value(word):
                at = start + token.index(word)
                return at, at + len(word)
            expecting = False
        elif kind == "string":
            expecting = False
    return None


def _is_value(word: str) -> bool:
    try:
        return len(tomllib.loads(f"v = {word}")) == 1
    except ValueError:
        return False


def _open_brace(line: str) -> int | None:
    """Where the inline table begins that the line opens and does not close."""
    opened: list[int] = []
    for _, start, end in _pieces(line):
        if line[start:end] == "{":
            opened.append(start)
        elif line[start:end] == "}" and opened:
            opened.pop()
    return opened[0] if opened else None


def _join_table(text: str, brace: int) -> tuple[str, str] | None:
    """The inline table that opens at `brace` on one line; the line breaks it held follow that line, so none moves."""
    depth, at, joined, breaks = 0, brace, "", 0
    token = re.compile(rf"(?P<string>{_STRING})|(?P<comment>#[^\n]*)|(?P<break>\r?\n[ \t]*)|(?P<other>[\s\S])")
    while found := token.match(text, at):
        at = found.end()
        match found.lastgroup:
            case "comment":
                continue
            case "break":
                breaks += 1
                joined += " "
                continue
            case "other":
                depth += {"{": 1, "}": -1}.get(found[0], 0)
            case _:
                pass  # a brace in a string means nothing
        joined += found[0]
        if depth == 0:
            break
    if depth != 0 or breaks == 0:
        return None
    joined = re.sub(r",\s*\}$", " }", joined)
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    mended = text[:brace] + joined + text[at:end] + "\n" * breaks + text[end:]
    return mended, "an inline table { … } stays on one line; for several lines, write it as a [table]"


# --- Positions ---


def lines_of(text: str) -> Mapping[Key, int]:
    """The line, counted from 1, of every key, table header and array element of a text that `parse` accepts."""
    try:
        return _Lines(text).found
    except (RecursionError, ValueError):
        return {}  # then problems name the file and the path only


class _Lines:
    """One pass over the text; it need not refuse anything, since the real parser has read it already."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.breaks = [index for index, c in enumerate(text) if c == "\n"]
        self.found: dict[Key, int] = {}
        self.counts: dict[Key, int] = {}  # arrays of tables: how many tables so far
        prefix: Key = ()
        while self._skip(_SPACE) < len(text):
            if text[self.at] == "[":
                prefix = self._header()
            else:
                self._pair(prefix)

    def _skip(self, what: re.Pattern[str]) -> int:
        if found := what.match(self.text, self.at):
            self.at = found.end()
        return self.at

    def _expect(self, what: str) -> None:
        if not self.text.startswith(what, self.at):
            raise ValueError(what)
        self.at += len(what)

    def _mark(self, key: Key, at: int) -> None:
        self.found.setdefault(key, bisect_right(self.breaks, at - 1) + 1)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(_BLANK)
            found = _KEY.match(self.text, self.at)
            if not found:
                raise ValueError("key")
            self.at = found.end()
            parts.append(found[0] if found[0][0] not in "\"'" else tomllib.loads(f"k = {found[0]}")["k"])
            self._skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _header(self) -> Key:
        start = self.at
        several = self.text.startswith("[[", start)
        self.at += 2 if several else 1
        parts = self._key()
        self._expect("]]" if several else "]")
        key: Key = ()
        for depth, part in enumerate(parts, 1):
            key = (*key, part)
            self._mark(key, start)
            if several and depth == len(parts):
                self.counts[key] = self.counts.get(key, 0) + 1
            if key in self.counts:
                key = (*key, self.counts[key] - 1)
                self._mark(key, start)
        return key

    def _pair(self, prefix: Key) -> None:
        start = self.at
        key = prefix
        for part in self._key():
            key = (*key, part)
            self._mark(key, start)
        self._expect("=")
        self._skip(_BLANK)
        self._value(key)

    def _value(self, key: Key) -> None:
        opening = self.text[self.at : self.at + 1]
        if opening == "[":
            self._inside("]", lambda index: self._element((*key, index)))
        elif opening == "{":
            self._inside("}", lambda _: self._pair(key))
        elif self._skip(_SCALAR) == len(self.text) and not opening:
            raise ValueError("value")

    def _inside(self, closing: str, read: Callable[[int], None]) -> None:
        self.at += 1
        index = 0
        while self._skip(_SPACE) < len(self.text) and self.text[self.at] != closing:
            before = self.at
            read(index)
            index += 1
            self._skip(_SPACE)
            if self.text.startswith(",", self.at):
                self.at += 1
            if self.at == before:
                raise ValueError("nothing read")
        self._expect(closing)

    def _element(self, key: Key) -> None:
        self._mark(key, self.at)
        self._value(key)
