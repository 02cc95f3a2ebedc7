"""How much a search may spend: steps decide alike everywhere, time and memory only guard."""

from __future__ import annotations

import time

MEMORY_MAX = 2 << 30  # bytes of the search's own tables, unless told otherwise


class Budget:
    """A running account. ``steps`` counts configurations looked at; ``timeout`` is seconds from now."""

    def __init__(self, *, steps: int | None = None, timeout: float | None = None, memory: int | None = None) -> None:
        self.steps_max = steps
        self.memory_max = MEMORY_MAX if memory is None else memory
        self.timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def late(self) -> bool:
        """Whether the time is up."""
        return self._deadline is not None and time.monotonic() >= self._deadline
