"""What is wrong with a scenario: all of it at once, a line each, with file, line, path and the word that was meant."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from scenarios.units import quoted


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong. `line` is 0 where there is none: a missing file, or a value from the command line."""

    source: str
    line: int
    path: str
    what: str
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.line else self.source
        path = f" {self.path}:" if self.path else ""
        hint = f"; did you mean {quoted(self.hint)}?" if self.hint else ""
        # Whatever a file or an argument held, the line stays a single one and can be printed.
        line = f"{where}:{path} {self.what}{hint}"
        return "".join(
            c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in line
        )


class BadScenario(ValueError):
    """A scenario that cannot be run; `problems` holds everything that is wrong with it, in the order of its lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)
