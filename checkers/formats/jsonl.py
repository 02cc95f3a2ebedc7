"""JSON Lines: one event a line, the fields of `checkers.history.Event`; fields that are not ours are ignored."""

from __future__ import annotations

import gc
from typing import Any

import msgspec

from checkers.history import BadHistory, Columns, History, Line

_CHUNK = 1 << 22  # bytes decoded at once, so that a million decoded lines never stand in memory together
_decoder = msgspec.json.Decoder(Line)


def read(data: bytes, name: str) -> History:
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    columns = Columns()
    collecting = gc.isenabled()
    gc.disable()  # nothing decoded here can form a cycle, and the collector would walk it all again and again
    try:
        start = 0
        while start < len(data):
            end = data.find(b"\n", start + _CHUNK)
            end = len(data) if end < 0 else end
            try:
                columns.extend(_decoder.decode_lines(data[start:end]))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                raise _bad_line(data, name) from None
            start = end + 1
        return History._build(columns, lambda position: f"{name}:{_line_number(data, position)}")
    finally:
        if collecting:
            gc.enable()


def encode(history: History) -> bytes:
    return msgspec.json.Encoder(enc_hook=_plain).encode_lines(list(history.events()))


def _plain(value: Any) -> Any:
    return str(value)


def _lines(data: bytes) -> list[tuple[int, bytes]]:
    return [(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]


def _line_number(data: bytes, position: int) -> int:
    lines = _lines(data)
    return lines[position][0] if position < len(lines) else len(lines)


def _bad_line(data: bytes, name: str) -> BadHistory:
    """Find the first line that does not decode, and say what is wrong with it."""
    for number, line in _lines(data):
        try:
            _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            text = str(error).split("\n")[0] or type(error).__name__
            return BadHistory(f"{name}:{number}: {text}")
    return BadHistory(f"{name}: not JSON Lines: events must stand one a line")
