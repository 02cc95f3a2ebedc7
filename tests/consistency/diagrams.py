"""The examples of docs/consistency.md: a line per session, time from left to right, ``[x=1]`` writes and ``[x?1]``
reads.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from checkers import History

DOCS = Path(__file__).resolve().parents[2] / "docs" / "consistency.md"


class Example(msgspec.Struct, frozen=True):
    """A named history and the strongest models that the page says it satisfies."""

    name: str
    history: History
    strongest: tuple[str, ...]


def drawn(text: str) -> History:
    """The history of such a picture; each column is a millisecond."""
    operations: list[dict[str, Any]] = []
    for line in text.strip("\n").splitlines():
        session = line.split(":")[0].strip()
        for found in re.finditer(r"\[(\w+)([=?])([\w-]+)\]", line):
            key, kind, value = found.groups()
            operations.append({
                "process": session, "f": "write" if kind == "=" else "read", "key": key,
                "value": None if value == "-" else int(value),
                "call": found.start() * 1_000_000, "return": (found.end() - 1) * 1_000_000,
            })  # fmt: skip
    return History.from_operations(operations)


def examples() -> list[Example]:
    """All examples of the page."""
    blocks = re.findall(r"```\nhistory (\S+)\n(.*?)strongest: (.*?)\n```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return [Example(name, drawn(picture), tuple(models.split(", "))) for name, picture, models in blocks]
