"""Is there an order? The search of Wing & Gong (1993) as improved by Lowe (2017), in plain Python.

Returns are visited in order. At each, its operation must take its place if it has not: it, or others that are open
first (just in time: nothing is placed before it has to be). A configuration is how far we are, which open operations
have been placed, and the state; one that was seen is not looked at again. Three things keep it small, and all are
exact:
an operation that only observes is placed as soon as it fits the state; of open operations of one class only the one
that must end first is tried; and a configuration that has used up more of the unanswered operations than one seen
before, and is else the same, can do nothing that the other could not.
"""

from __future__ import annotations

import sys
from bisect import insort
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from checkers.parts import DOOMED, NEVER, Ahead, Part, Steps

_BYTES = 250  # of memory for a remembered configuration, measured


class _Frame(msgspec.Struct, gc=False):
    """A configuration with what is left to try from it; not collected, so it must never lead back to its search."""

    level: int
    placed: int
    used: int
    length: int  # of the path that led here
    choices: Iterator[tuple[int, int, bool]]


class Search:
    """A search of one part that can stop after any number of steps and go on later.

    ``outcome`` is None until it is known. ``longest`` is the longest order found, as places in the part; ``level`` is
    how many returns it satisfies; ``stuck`` are the operations that were open then and could not come next.
    """

    def __init__(self, part: Part, table: Steps, *, ahead: bool = True) -> None:
        self.part = part
        self.table = table
        self.outcome: bool | None = None
        self.steps = 0
        self.counted = 0  # the steps that somebody has accounted for
        ends = part.ends
        self._returns = sorted((i for i in range(len(part)) if ends[i] != NEVER), key=ends.__getitem__)
        self._ahead = Ahead(part, table, self._returns) if ahead and table.looks_ahead else None
        self._foreseen = 0  # the end of the latest operation that a state on the way was found not to lead to
        self._infos = [i for i in range(len(part)) if ends[i] == NEVER]
        self._bit = [0] * len(part)  # of an open operation, among those that are open with it
        for nth, i in enumerate(self._infos):
            self._bit[i] = 1 << nth
        self._open: list[list[int]] = []  # per return: who is open just before it, in order of return
        self._info_count: list[int] = []  # per return: how many unanswered ones were invoked before it
        self._now: list[tuple[int, int]] = []
        self._free: list[int] = []
        self._bits = 0
        self._invoked = 0
        self._seen: dict[tuple[int, int, int], list[int]] = {}
        self._entries = 0
        self._frames: list[_Frame] = []
        self._path: list[int] = []
        self._enter: tuple[int, int, int, int, bool] | None = (0, 0, 0, 0, False)
        self._best: list[int] = []
        self._shared = 0  # how much of the best order is also the beginning of the present one
        self.level = 0
        self._extend(0)

    @property
    def memory(self) -> int:
        """Bytes of the tables, about."""
        return self._entries * _BYTES

    def _extend(self, level: int) -> None:
        """Work out who is open at each return up to this one."""
        begins, ends = self.part.begins, self.part.ends
        while len(self._open) <= level and len(self._open) < len(self._returns):
            if self._open:
                _, gone = self._now.pop(0)
                self._free.append(self._bit[gone])
            until = ends[self._returns[len(self._open)]]
            infos = self._info_count[-1] if self._info_count else 0
            while self._invoked < len(begins) and begins[self._invoked] < until:
                i = self._invoked
                self._invoked += 1
                if ends[i] == NEVER:
                    infos += 1
                    continue
                if self._free:
                    self._bit[i] = self._free.pop()
                else:
                    self._bit[i] = 1 << self._bits
                    self._bits += 1
                insort(self._now, (ends[i], i))
            self._open.append([i for _, i in self._now])
            self._info_count.append(infos)

    def run(self, steps: int, work: int = sys.maxsize) -> bool:
        """Go on until the outcome is known or one step more than ``steps`` in all is needed; then return True.

        Otherwise return False after visiting about ``work`` returns.
        """
        if self.outcome is not None:
            return True
        returns, opens, bits, classes = self._returns, self._open, self._bit, self.part.classes
        rows, fill, path, frames, seen = self.table.rows, self.table.fill, self._path, self._frames, self._seen
        observes = self.table.observes
        last = len(returns)
        enter = self._enter
        while True:
            if enter is not None:
                level, placed, used, state, counted = enter
                if (self.steps >= steps and not counted) or work <= 0:
                    self._enter = enter
                    return self.steps >= steps and not counted
                self.steps += not counted
                while level < last:
                    row = rows[state]
                    for i in opens[level]:
                        kind = classes[i]
                        if not observes[kind] or placed & bits[i]:
                            continue
                        after = row.get(kind)
                        if after is None:
                            after = fill(state, kind)
                        if after >= 0:
                            placed |= bits[i]
                            path.append(i)
                    before = level
                    while placed & bits[returns[level]]:
                        placed ^= bits[returns[level]]
                        level += 1
                        if level == last:
                            break
                        if level == len(opens):
                            self._extend(level)
                    if level == before:
                        break
                    work -= level - before
                    if work <= 0 and level < last:
                        self._enter = (level, placed, used, state, True)
                        return False
                work -= 1
                if level > self.level or (level == self.level and len(path) > len(self._best)):
                    self.level = level
                    self._best[self._shared :] = path[self._shared :]
                    self._shared = len(path)
                if level == last:
                    self.outcome = True
                    return True
                enter = None
                doomed = self._doomed(level, placed, used, state)
                others = [] if doomed else seen.setdefault((level, placed, state), [])
                for other in others:
                    if other & used == other:
                        doomed = True
                        break
                if not doomed:
                    others.append(used)
                    self._entries += 1
                    choices = _choices(
                        opens[level],
                        islice(self._infos, self._info_count[level]),
                        placed,
                        used,
                        state,
                        bits,
                        classes,
                        self.table,
                    )
                    frames.append(_Frame(level, placed, used, len(path), choices))
            if not frames:
                self.outcome = False
                return True
            frame = frames[-1]
            level, placed, used = frame.level, frame.placed, frame.used
            if len(path) > frame.length:
                del path[frame.length :]
                self._shared = min(self._shared, frame.length)
            choice = next(frame.choices, None)
            if choice is None:
                frames.pop()
                continue
            i, after, answered = choice
            path.append(i)
            if answered:
                placed |= bits[i]
                while level < last and placed & bits[returns[level]]:
                    placed ^= bits[returns[level]]
                    level += 1
                    if level == len(opens):
                        self._extend(level)
            else:
                used |= bits[i]
            enter = (level, placed, used, after, False)

    def _doomed(self, level: int, placed: int, used: int, state: int) -> bool:
        """Whether the state cannot lead to what an operation still to be placed has seen."""
        if self._ahead is None:
            return False
        bits, since = self._bit, self._ahead.since
        now = self.part.ends[self._returns[level]]
        resets = self._ahead.resets[level]
        for i in self._open[level]:
            if since[i] < now and not placed & bits[i] and self._lost(i, resets, placed, used, state):
                return True
        i = self._ahead.watch[level]
        return i != -1 and self._lost(i, resets, placed, used, state)

    def _lost(self, i: int, resets: list[int], placed: int, used: int, state: int) -> bool:
        """Whether neither the state, nor any that an open reset can leave, leads to what ``i`` has seen."""
        kind, ends, after = self.part.classes[i], self.part.ends, self.table.after
        if after(state, kind) != DOOMED:
            return False
        for reset in resets:
            if (used if ends[reset] == NEVER else placed) & self._bit[reset]:
                continue
            if not self.table.model.resets_forget:
                return False
            left = after(state, self.part.classes[reset])
            if left < 0 or after(left, kind) != DOOMED:
                return False
        self._foreseen = max(self._foreseen, ends[i])
        return True

    @property
    def longest(self) -> list[int]:
        return list(self._best)

    @property
    def stuck(self) -> list[int]:
        """Open at the first return that no order satisfies, and not placed in the longest order."""
        if self.level >= len(self._returns):
            return []
        placed = set(self._best)
        return [i for i in self._open[self.level] if i not in placed]

    @property
    def limit(self) -> int:
        """A position such that what began before it has no order: the first return that no order satisfies, or
        foreseen.
        """
        return max(self.part.ends[self._returns[self.level]], self._foreseen)

    @property
    def foreseen(self) -> bool:
        """Whether states were given up because of operations further on: then ``longest`` may stop short."""
        return self._foreseen > 0


def _choices(
    open_: list[int],
    infos: Iterable[int],
    placed: int,
    used: int,
    state: int,
    bits: list[int],
    classes: list[int],
    table: Steps,
) -> Iterator[tuple[int, int, bool]]:
    """What may come next and changes something: first those that were answered, the one that ends first before all.

    It knows no search: one that is dropped with its frames is then free at once, by reference counts alone.
    """
    row, fill, observes = table.rows[state], table.fill, table.observes
    tried: set[int] = set()
    for i in open_:
        kind = classes[i]
        if placed & bits[i] or kind in tried or observes[kind]:
            continue
        tried.add(kind)
        after = row.get(kind)
        if after is None:
            after = fill(state, kind)
        if after >= 0:
            yield i, after, True
    # Only then those that were never answered: they need not be placed at all.
    for nth, i in enumerate(infos):
        kind = classes[i]
        if used >> nth & 1 or kind in tried:
            continue
        tried.add(kind)
        after = row.get(kind)
        if after is None:
            after = fill(state, kind)
        if after >= 0 and after != state:
            yield i, after, False
