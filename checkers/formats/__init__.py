"""Files of histories: JSON Lines, Jepsen's EDN, Jepsen's text log, Porcupine's key-value log. Found by content."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from checkers.history import BadHistory

if TYPE_CHECKING:
    from checkers.history import History

FORMATS = ("jsonl", "edn", "jepsen-log")
_ARRAY = re.compile(rb'\s*\[\s*\{\s*"')
_LOG = re.compile(rb"(?m)^[^{\[;\n]*?\s:(?:invoke|ok|fail|info)\s+:\S")


def detect(data: bytes) -> str:
    """The format of these bytes: JSON Lines open with a quoted name, EDN with a keyword or a bracket."""
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n,")
    if re.match(rb'\{\s*("|\})', start):
        return "jsonl"
    if re.match(rb"[{\[;#(]", start):
        return "edn"
    if _LOG.search(data):
        return "jepsen-log"
    return "jsonl"


def read(data: bytes, name: str, format: str | None = None) -> History:
    """Decode bytes read from the file ``name``."""
    if format is None and _ARRAY.match(data):
        raise BadHistory(f"{name}:1: this is a JSON array; write one event a line (JSON Lines)")
    if format is None and data.startswith(b"JEPSEN"):
        raise BadHistory(f"{name} is Jepsen's binary store; its history.edn, in the same folder, can be read")
    match format or detect(data):
        case "jsonl":
            from checkers.formats import jsonl

            return jsonl.read(data, name)
        case "edn":
            from checkers.formats import edn

            return edn.read(data, name)
        case "jepsen-log":
            from checkers.formats import jepsen_log

            return jepsen_log.read(data, name)
        case other:
            raise BadHistory(f"there is no format {other!r}; formats are {', '.join(FORMATS)}")


def write(history: History, path: Path, format: str) -> None:
    """Write atomically: a reader sees the old file or the whole new one."""
    match format:
        case "jsonl":
            from checkers.formats import jsonl

            data = jsonl.encode(history)
        case "edn":
            from checkers.formats import edn

            data = edn.encode(history)
        case other:
            raise BadHistory(f"histories are written as jsonl or edn, not as {other!r}")
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(data)
    os.replace(partial, path)
