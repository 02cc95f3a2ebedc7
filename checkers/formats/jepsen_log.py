"""Jepsen's text log: ``INFO  jepsen.util - 0<TAB>:invoke<TAB>:read<TAB>nil``, between lines about other things.

A line belongs to the history when a process, one of :invoke :ok :fail :info, an f and a value follow each other. What
stands in the place of the value of a failure or of an unanswered operation is the error, if it is not the value asked.
"""

from __future__ import annotations

import re
from typing import Any

from checkers.formats import edn
from checkers.history import BadHistory, History, Line, token

_LINE = re.compile(
    r"(?:^|.*?\s)(?P<process>:?[\w-]+)\s+:(?P<type>invoke|ok|fail|info)\s+:(?P<f>[^\s]+)(?:\s+(?P<rest>.*))?$"
)


def read(data: bytes, name: str) -> History:
    lines: list[Line] = []
    numbers: list[int] = []
    asked: dict[int | str, Any] = {}
    for number, text in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        match = _LINE.match(text)
        if match is None:
            if re.search(r"\s:(?:invoke|ok|fail|info)(\s|$)", text):
                raise BadHistory(f"{name}:{number}: expected a process, a type, an f and a value: {text.strip()[:80]}")
            continue
        who = match["process"].removeprefix(":")
        process: int | str = int(who) if who.isdigit() else who
        rest = (match["rest"] or "nil").strip()
        reader = edn._Reader(rest, name)
        try:
            value = edn.plain(reader.value())
        except BadHistory as bad:
            raise BadHistory(f"{name}:{number}: {str(bad).partition(': ')[2]}") from None
        error = rest[reader.at :].strip() or None
        line = Line(type=match["type"], process=process, f=match["f"], value=value, error=error)  # type: ignore[arg-type]
        if process != "nemesis":
            if line.type == "invoke":
                asked[process] = value
            elif line.type in ("fail", "info") and token(value) != token(asked.get(process)):
                line.value, line.error = asked.get(process), rest
        lines.append(line)
        numbers.append(number)
    if not lines:
        raise BadHistory(f"{name}:1: there is no line of a Jepsen log here")
    return History.from_lines(lines, lambda position: f"{name}:{numbers[position]}")
