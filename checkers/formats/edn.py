"""EDN as Jepsen and Knossos write histories: a map a line, or one vector of maps; also Porcupine's key-value logs.

A keyword becomes a string without its colon, a set a list, a ratio or a big decimal a number as a string. Tagged values
lose their tag, and so do records (``#jepsen.history.Op{…}``). A value ``[key value]`` of Jepsen's independent keys is
recognised when every operation of the file has one. Nothing here is evaluated.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from checkers.history import FAIL, OK, TYPES, BadHistory, Event, History, Line, token

_TOKEN = re.compile(
    r"""(?P<space>[\s,]+|;[^\n]*)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<open>\#\{|[\[({]) | (?P<close>[\])}])
      | (?P<discard>\#_) | (?P<char>\\(?:newline|space|tab|return|formfeed|backspace|u[0-9a-fA-F]{4}|.))
      | (?P<symbolic>\#\#-?[A-Za-z]+) | (?P<meta>\^) | (?P<tag>\#[^\s,\[\](){}";]+)
      | (?P<atom>[^\s,\[\](){}";\\^\#][^\s,\[\](){}";]*)""",
    re.VERBOSE | re.DOTALL,
)
_INTEGER = re.compile(r"[+-]?\d+N?$")
_FLOAT = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?M?$")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_CHARS = {"newline": "\n", "space": " ", "tab": "\t", "return": "\r", "formfeed": "\f", "backspace": "\b"}
_NESTED_MAX = 200


class Keyword(str):
    """A keyword while it is being read; elsewhere it is a string."""


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.at = 0
        self._counted, self._lines = 0, 1

    def line(self, at: int) -> int:
        self._lines += self.text.count("\n", self._counted, at)
        self._counted = at
        return self._lines

    def bad(self, at: int, what: str) -> BadHistory:
        return BadHistory(f"{self.name}:{self.text.count(chr(10), 0, at) + 1}: {what}")

    def token(self) -> tuple[str, str, int] | None:
        while self.at < len(self.text):
            match = _TOKEN.match(self.text, self.at)
            if match is None:
                what = "a string without an end" if self.text[self.at] == '"' else f"unexpected {self.text[self.at]!r}"
                raise self.bad(self.at, what)
            start, self.at = self.at, match.end()
            kind = match.lastgroup
            assert kind is not None
            if kind != "space":
                return kind, match.group(), start
        return None

    def value(self, depth: int = 0) -> Any:
        """The next value; `_END` at the end of the text."""
        found = self.token()
        if found is None:
            return _END
        kind, text, at = found
        if depth > _NESTED_MAX:
            raise self.bad(at, f"nested deeper than {_NESTED_MAX}")
        match kind:
            case "open":
                return self._collection(text, at, depth)
            case "close":
                raise self.bad(at, f"unexpected {text!r}")
            case "string":
                return self._string(text, at)
            case "discard" | "meta":
                if self.value(depth + 1) is _END:
                    raise self.bad(at, "nothing follows")
                return self.value(depth)
            case "tag":
                value = self.value(depth + 1)
                if value is _END:
                    raise self.bad(at, f"no value after the tag {text}")
                return value
            case "symbolic":
                return text[2:]
            case "char":
                name = text[1:]
                return _CHARS.get(name) or (chr(int(name[1:], 16)) if len(name) == 5 else name)
            case _:
                return self._atom(text)

    def _string(self, text: str, at: int) -> str:
        def unescape(match: re.Match[str]) -> str:
            code = match.group(1)
            if code[0] == "u" and len(code) == 5:
                return chr(int(code[1:], 16))
            return _ESCAPES.get(code, code)

        return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", unescape, text[1:-1], flags=re.DOTALL) if "\\" in text else text[1:-1]

    @staticmethod
    def _atom(text: str) -> Any:
        if text[0] == ":":
            return Keyword(text[1:])
        if text in ("nil", "true", "false"):
            return {"nil": None, "true": True, "false": False}[text]
        if _INTEGER.match(text):
            return int(text.rstrip("N"))
        if _FLOAT.match(text):
            return float(text.rstrip("M"))
        return text  # a symbol, or a ratio

    def _collection(self, opened: str, at: int, depth: int) -> Any:
        closing = {"[": "]", "(": ")", "{": "}", "#{": "}"}[opened]
        items = []
        while True:
            before = self.at
            found = self.token()
            if found is None:
                raise self.bad(at, f"{opened!r} is never closed")
            if found[0] == "close":
                if found[1] != closing:
                    raise self.bad(found[2], f"expected {closing!r}, found {found[1]!r}")
                break
            if found[0] == "discard":
                if self.value(depth + 1) is _END:
                    raise self.bad(found[2], "nothing follows")
                continue
            self.at = before
            items.append(self.value(depth + 1))
        if opened != "{":
            return items
        if len(items) % 2:
            raise self.bad(at, "a map needs a value for every key")
        try:
            return dict(zip(map(_name, items[::2]), items[1::2], strict=True))
        except TypeError:
            raise self.bad(at, "a map with a collection as key") from None


class _End:
    pass


_END = _End()
_TAGGED_MAP = re.compile(r"\s*[{\[(]")


def _name(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


def read(data: bytes, name: str) -> History:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadHistory(f"{name}:{data.count(10, 0, error.start) + 1}: not UTF-8") from None
    reader = _Reader(text, name)
    maps: list[tuple[Any, int]] = []
    while True:
        while (space := _TOKEN.match(text, reader.at)) is not None and space.lastgroup == "space":
            reader.at = space.end()
        start = reader.at
        opening = text[start : start + 1]
        if opening in ("[", "(") and not maps:
            reader.at += 1
            _vector(reader, maps, start, "]" if opening == "[" else ")")
            continue
        value = reader.value()
        if value is _END:
            break
        maps.append((value, start))
    lines, numbers = [], []
    for value, start in maps:
        number = reader.line(start)
        lines.append(_line(value, f"{name}:{number}"))
        numbers.append(number)
    if lines and all(line.index is None for line in lines) is False and any(line.index is None for line in lines):
        for line in lines:
            line.index = None
    _independent(lines)
    return History.from_lines(lines, lambda position: f"{name}:{numbers[position]}")


def _vector(reader: _Reader, maps: list[tuple[Any, int]], start: int, closing: str) -> None:
    """The items of the outermost vector, each with where it starts."""
    while True:
        before = reader.at
        found = reader.token()
        if found is None:
            raise reader.bad(start, "the vector of events is never closed")
        if found[0] == "close":
            if found[1] != closing:
                raise reader.bad(found[2], f"expected {closing!r}, found {found[1]!r}")
            return
        if found[0] == "discard":
            reader.value()
            continue
        reader.at = before
        value = reader.value()
        maps.append((value, found[2]))


def _line(fields: Any, where: str) -> Line:
    if not isinstance(fields, dict):
        raise BadHistory(
            f"{where}: expected a map such as {{:process 0, :type :invoke, :f :read, :value nil}}, "
            f"found {_short(fields)}"
        )
    known = {str(name): plain(value) for name, value in fields.items() if isinstance(name, Keyword)}
    taken = {name: value for name, value in known.items() if name in Line.__struct_fields__ and value is not None}
    for name in ("type", "process", "f"):
        if name not in taken:
            raise BadHistory(f"{where}: the event has no :{name}")
    if isinstance(taken.get("time"), float):
        taken["time"] = int(taken["time"])
    if isinstance(taken.get("key"), (bool, float, list, dict)):
        taken["key"] = repr(taken["key"])
    try:
        return msgspec.convert(taken, Line)
    except msgspec.ValidationError as error:
        raise BadHistory(f"{where}: {error}") from None


def _short(value: Any) -> str:
    text = repr(plain(value))
    return text if len(text) < 40 else text[:37] + "..."


def plain(value: Any) -> Any:
    """Keywords as strings, all the way down."""
    if isinstance(value, Keyword):
        return str(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {_json_key(key): plain(item) for key, item in value.items()}
    return value


def _json_key(key: Any) -> str:
    return str(key) if isinstance(key, str) else repr(key)


def _independent(lines: list[Line]) -> None:
    """Split values ``[key value]`` of Jepsen's independent tests, if every operation has one."""
    asked = [line for line in lines if line.type == "invoke" and line.process != "nemesis"]
    for line in asked:
        pair = line.value
        if line.key is not None or not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], int | str)):
            return
        if line.f == "cas" and not (isinstance(pair[1], list) and len(pair[1]) == 2):
            return
        if line.f == "txn":
            return
    if not asked:
        return
    keys: dict[Any, Any] = {}
    for line in lines:
        if line.process == "nemesis":
            continue
        if line.type == "invoke":
            keys[line.process] = line.value[0]
        line.key = keys.get(line.process)
        if isinstance(line.value, list) and len(line.value) == 2 and token(line.value[0]) == token(line.key):
            line.value = line.value[1]
        else:
            line.value = None


def encode(history: History) -> bytes:
    """A map a line. A cas that was refused is written as Jepsen has it: ``:fail``."""
    refused: set[int] = set()
    if history.results is not None:
        false = history.results.code(False)
        for position in range(len(history)):
            if (
                history.types[position] == OK
                and history.results.codes[position] == false
                and history.f[position] == "cas"
            ):
                refused.add(position)
    keyed = bool(history.keys())
    out = []
    for position, event in enumerate(history.events()):
        out.append(_event(event, TYPES[FAIL] if position in refused else event.type, keyed))
    return ("\n".join(out) + "\n" if out else "").encode()


def _event(event: Event, kind: str, keyed: bool) -> str:
    value = event.value
    process = f":{event.process}" if event.process == "nemesis" else _edn(event.process)
    fields = [f":index {event.index}"]
    if event.time >= 0:
        fields.append(f":time {event.time}")
    fields += [f":type :{kind}", f":process {process}", f":f {_keyword(event.f)}"]
    if keyed and event.process != "nemesis":
        value = [event.key, value]
    fields.append(f":value {_edn(value)}")
    if event.result is not None and not (event.f == "cas" and isinstance(event.result, bool)):
        fields.append(f":result {_edn(event.result)}")
    for name in ("session", "node", "error"):
        if getattr(event, name) is not None:
            fields.append(f":{name} {_edn(getattr(event, name))}")
    if event.final:
        fields.append(":final true")
    return "{" + ", ".join(fields) + "}"


def _keyword(name: str) -> str:
    return f":{name}" if re.fullmatch(r"[A-Za-z*!?<>=+_-][\w.*!?<>=+-]*", name) else _edn(name)


def _edn(value: Any) -> str:
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return (
                '"'
                + value.replace("\\", "\\\\")
                .replace('"', '\\"')
                .replace("\n", "\\n")
                .replace("\t", "\\t")
                .replace("\r", "\\r")
                + '"'
            )
        case list() | tuple():
            return "[" + " ".join(map(_edn, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{_edn(key)} {_edn(item)}" for key, item in value.items()) + "}"
        case set() | frozenset():
            return "#{" + " ".join(sorted(map(_edn, value))) + "}"
        case _:
            return _edn(str(value))
