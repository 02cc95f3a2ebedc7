"""The search of `checkers.search`, compiled: the same configurations in the same order, hence the same steps.

The compiled part knows no model. It looks transitions up in a hash table, and comes back to Python when one is missing,
when its tables must grow, and every few milliseconds. Importing this module imports numba (0.4 s) and raises
ImportError without it; where the compiled code cannot be cached, it is compiled anew in each process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from checkers.parts import DOOMED, NEVER, Ahead, Part, Steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = 63  # of a word: the sign stays out of it
_RUNNING, _PAUSED, _VALID, _INVALID, _MISSING, _FULL = range(6)
(
    _LEVEL,
    _STATE,
    _ENTERING,
    _COUNTED,
    _STEPS,
    _FRAMES,
    _ENTRIES,
    _LENGTH,
    _TOP,
    _BEST,
    _SHARED,
    _ASK_STATE,
    _ASK_CLASS,
    _FORESEEN,
) = range(14)
_NOWHERE = -2  # in place of a state: the table does not know this step yet
_FEW_CLASSES = 256  # up to here a model's whole row is filled at once
_TARGET = 0.015  # seconds that one call into compiled code should take


def _compile(function: Callable[..., Any]) -> Any:
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # there is no place for a cache
        return numba.njit(nogil=True)(function)


@_compile
def _find(keys: NDArray[np.int64], values: NDArray[np.int64], key: int) -> int:
    at = (key * 0x9E3779B97F4A7C1 ^ (key >> 15)) & (len(keys) - 1)
    while keys[at] != -1:
        if keys[at] == key:
            return int(values[at])
        at = (at + 1) & (len(keys) - 1)
    return _NOWHERE


@_compile
def _store(
    keys: NDArray[np.int64], values: NDArray[np.int64], new: NDArray[np.int64], after: NDArray[np.int64]
) -> None:
    for n in range(len(new)):
        at = (new[n] * 0x9E3779B97F4A7C1 ^ (new[n] >> 15)) & (len(keys) - 1)
        while keys[at] != -1 and keys[at] != new[n]:
            at = (at + 1) & (len(keys) - 1)
        keys[at] = new[n]
        values[at] = after[n]


@_compile
def _hash(entry: NDArray[np.int64], words: int) -> int:
    h = entry[0] * 0x2545F4914F6CDD1D ^ entry[1] * 0x9E3779B97F4A7C1
    for w in range(words):
        h = (h ^ (h >> 29) ^ entry[2 + w]) * 0xBF58476D1CE4E5B
    return int(h ^ (h >> 32))


@_compile
def _relink(
    entries: NDArray[np.int64], count: int, words: int, heads: NDArray[np.int32], links: NDArray[np.int32]
) -> None:
    heads[:] = -1
    for e in range(count):
        h = _hash(entries[e], words) & (len(heads) - 1)
        links[e] = heads[h]
        heads[h] = e


@_compile
def _layout(
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    answered: NDArray[np.int64],
    returns: NDArray[np.int64],
    starts: NDArray[np.int64],
    opens: NDArray[np.int32],
    slots: NDArray[np.int64],
) -> int:
    """Who is open at each return, in order of return, and a slot for each that nobody open with it shares."""
    now = np.zeros(len(answered), np.int32)
    free = np.zeros(len(answered), np.int64)
    count, spare, used, invoked = 0, 0, 0, 0
    for level in range(len(returns)):
        if level > 0:
            free[spare] = slots[now[0]]
            spare += 1
            for k in range(count - 1):
                now[k] = now[k + 1]
            count -= 1
        until = ends[returns[level]]
        while invoked < len(answered) and begins[answered[invoked]] < until:
            i = answered[invoked]
            invoked += 1
            if spare > 0:
                spare -= 1
                slots[i] = free[spare]
            else:
                slots[i] = used
                used += 1
            k = count
            while k > 0 and ends[now[k - 1]] > ends[i]:
                now[k] = now[k - 1]
                k -= 1
            now[k] = i
            count += 1
        for k in range(count):
            opens[starts[level] + k] = now[k]
    return used


@_compile
def _run(
    control: NDArray[np.int64],
    current: NDArray[np.int64],
    entries: NDArray[np.int64],
    links: NDArray[np.int32],
    heads: NDArray[np.int32],
    frame_entry: NDArray[np.int64],
    frame_next: NDArray[np.int64],
    frame_length: NDArray[np.int64],
    path: NDArray[np.int64],
    best: NDArray[np.int64],
    returns: NDArray[np.int64],
    starts: NDArray[np.int64],
    opens: NDArray[np.int32],
    word: NDArray[np.int64],
    bit: NDArray[np.int64],
    classes: NDArray[np.int64],
    observes: NDArray[np.bool_],
    infos: NDArray[np.int64],
    info_counts: NDArray[np.int64],
    info_twin: NDArray[np.int64],
    watch: NDArray[np.int64],
    ends: NDArray[np.int64],
    since: NDArray[np.int64],
    reset_starts: NDArray[np.int64],
    resets: NDArray[np.int64],
    ahead: bool,
    forget: bool,
    keys: NDArray[np.int64],
    values: NDArray[np.int64],
    width: int,
    words: int,
    steps_max: int,
    work: int,
) -> int:
    """See `checkers.search.Search.run`, which this follows line by line."""
    level, state, entering, counted = control[_LEVEL], control[_STATE], control[_ENTERING], control[_COUNTED]
    steps, frames, count, length = control[_STEPS], control[_FRAMES], control[_ENTRIES], control[_LENGTH]
    top, best_length, shared = control[_TOP], control[_BEST], control[_SHARED]
    last = len(returns)
    status = _RUNNING
    while True:
        if entering:
            if (not counted and steps >= steps_max) or work <= 0:
                status = _PAUSED
                break
            if not counted:
                steps += 1
                counted = True
            while level < last:
                for k in range(starts[level], starts[level + 1]):
                    i = opens[k]
                    kind = classes[i]
                    if not observes[kind] or current[word[i]] & bit[i]:
                        continue
                    after = _find(keys, values, state * width + kind)
                    if after == _NOWHERE:
                        control[_ASK_STATE], control[_ASK_CLASS] = state, kind
                        status = _MISSING
                        break
                    if after >= 0:
                        current[word[i]] |= bit[i]
                        path[length] = i
                        length += 1
                if status == _MISSING:
                    break
                before = level
                while level < last and current[word[returns[level]]] & bit[returns[level]]:
                    current[word[returns[level]]] ^= bit[returns[level]]
                    level += 1
                if level == before:
                    break
                work -= level - before
                if work <= 0 and level < last:
                    status = _PAUSED
                    break
            if status != _RUNNING:
                break
            work -= 1
            if count == len(entries):
                status = _FULL
                break
            if level > top or (level == top and length > best_length):
                top = level
                for k in range(shared, length):
                    best[k] = path[k]
                shared = length
                best_length = length
            if level == last:
                status = _VALID
                break
            doomed = False
            if ahead:
                # The open observers that no further reset leads to, then the last such one still to be invoked.
                stop = starts[level + 1]
                now = ends[returns[level]]
                for k in range(starts[level], stop + 1):
                    w = watch[level] if k == stop else opens[k]
                    if k == stop:
                        if w == -1:
                            continue
                    elif since[w] >= now or current[word[w]] & bit[w]:
                        continue
                    after = _find(keys, values, state * width + classes[w])
                    if after == _NOWHERE:
                        control[_ASK_STATE], control[_ASK_CLASS] = state, classes[w]
                        status = _MISSING
                        break
                    if after != DOOMED:
                        continue
                    doomed = True
                    for r in range(reset_starts[level], reset_starts[level + 1]):
                        reset = resets[r]
                        if current[word[reset]] & bit[reset]:
                            continue
                        if not forget:
                            doomed = False
                            break
                        left = _find(keys, values, state * width + classes[reset])
                        if left == _NOWHERE:
                            control[_ASK_STATE], control[_ASK_CLASS] = state, classes[reset]
                            status = _MISSING
                            break
                        if left < 0:
                            doomed = False
                            break
                        after = _find(keys, values, left * width + classes[w])
                        if after == _NOWHERE:
                            control[_ASK_STATE], control[_ASK_CLASS] = left, classes[w]
                            status = _MISSING
                            break
                        if after != DOOMED:
                            doomed = False
                            break
                    if status == _MISSING:
                        break
                    if doomed:
                        control[_FORESEEN] = max(control[_FORESEEN], ends[w])
                        break
                if status == _MISSING:
                    break
            entries[count, 0] = level
            entries[count, 1] = state
            for w in range(len(current)):
                entries[count, 2 + w] = current[w]
            h = _hash(entries[count], words) & (len(heads) - 1)
            e = heads[h]
            entering = False
            dominated = doomed
            while e >= 0 and not dominated:
                same = True
                for w in range(2 + words):
                    if entries[e, w] != entries[count, w]:
                        same = False
                        break
                if same:
                    for w in range(2 + words, entries.shape[1]):
                        if entries[e, w] & ~entries[count, w]:
                            same = False
                            break
                    dominated = same
                e = links[e]
            if not dominated:
                links[count] = heads[h]
                heads[h] = count
                frame_entry[frames] = count
                frame_next[frames] = 0
                frame_length[frames] = length
                frames += 1
                count += 1
        if frames == 0:
            status = _INVALID
            break
        frame = frames - 1
        entry = frame_entry[frame]
        length = frame_length[frame]
        shared = min(shared, length)
        level, state = entries[entry, 0], entries[entry, 1]
        low, high = starts[level], starts[level + 1]
        place = frame_next[frame]
        chosen, after = -1, _NOWHERE
        while place < high - low:
            i = opens[low + place]
            kind = classes[i]
            place += 1
            if observes[kind] or entries[entry, 2 + word[i]] & bit[i]:
                continue
            twin = False
            for k in range(low, low + place - 1):
                j = opens[k]
                if classes[j] == kind and not entries[entry, 2 + word[j]] & bit[j]:
                    twin = True
                    break
            if twin:
                continue
            after = _find(keys, values, state * width + kind)
            if after == _NOWHERE:
                control[_ASK_STATE], control[_ASK_CLASS] = state, kind
                place -= 1
                status = _MISSING
                break
            if after >= 0:
                chosen = i
                break
        if chosen < 0 and status == _RUNNING:
            while place - (high - low) < info_counts[level]:
                nth = place - (high - low)
                place += 1
                i = infos[nth]
                twin_of = info_twin[nth]
                if entries[entry, 2 + word[i]] & bit[i]:
                    continue
                if twin_of >= 0 and not entries[entry, 2 + word[infos[twin_of]]] & bit[infos[twin_of]]:
                    continue
                after = _find(keys, values, state * width + classes[i])
                if after == _NOWHERE:
                    control[_ASK_STATE], control[_ASK_CLASS] = state, classes[i]
                    place -= 1
                    status = _MISSING
                    break
                if after >= 0 and after != state:
                    chosen = i
                    break
        frame_next[frame] = place
        if status == _MISSING:
            break
        if chosen < 0:
            frames -= 1
            continue
        for w in range(len(current)):
            current[w] = entries[entry, 2 + w]
        current[word[chosen]] |= bit[chosen]
        path[length] = chosen
        length += 1
        state = after
        while level < last and current[word[returns[level]]] & bit[returns[level]]:
            current[word[returns[level]]] ^= bit[returns[level]]
            level += 1
        entering, counted = True, False
    control[_LEVEL], control[_STATE], control[_ENTERING], control[_COUNTED] = level, state, entering, counted
    control[_STEPS], control[_FRAMES], control[_ENTRIES], control[_LENGTH] = steps, frames, count, length
    control[_TOP], control[_BEST], control[_SHARED] = top, best_length, shared
    return int(status)


class CompiledSearch:
    """As `checkers.search.Search`, from the beginning."""

    def __init__(self, part: Part, table: Steps) -> None:
        self.part = part
        self.table = table
        self.outcome: bool | None = None
        self.counted = 0
        n = len(part)
        begins, ends = np.array(part.begins, np.int64), np.array(part.ends, np.int64)
        self._classes = np.array(part.classes, np.int64)
        answered = np.flatnonzero(ends != NEVER)
        infos = np.flatnonzero(ends == NEVER)
        returns = answered[np.argsort(ends[answered], kind="stable")]
        invoked = np.searchsorted(begins[answered], ends[returns])
        starts = np.zeros(len(returns) + 1, np.int64)
        np.cumsum(invoked - np.arange(len(returns)), out=starts[1:])
        opens = np.zeros(int(starts[-1]), np.int32)
        slots = np.zeros(n, np.int64)
        used = _layout(begins, ends, answered, returns, starts, opens, slots)
        self._words = -(-used // _BITS)
        slots[infos] = self._words * _BITS + np.arange(len(infos))
        self._returns, self._starts, self._opens, self._infos = returns, starts, opens, infos
        self._word, self._bit = slots // _BITS, np.left_shift(np.int64(1), slots % _BITS)
        self._info_counts = np.searchsorted(begins[infos], ends[returns])
        twin: dict[int, int] = {}
        self._twins = np.zeros(len(infos), np.int64)
        for nth, kind in enumerate(self._classes[infos].tolist()):
            self._twins[nth] = twin.get(kind, -1)
            twin[kind] = nth
        self._current = np.zeros(self._words + -(-len(infos) // _BITS), np.int64)
        self._control = np.zeros(14, np.int64)
        self._control[_ENTERING] = True
        ahead = Ahead(part, table, returns.tolist())
        reset_starts = np.zeros(len(returns) + 1, np.int64)
        np.cumsum([len(row) for row in ahead.resets], out=reset_starts[1:])
        flat = np.array([i for row in ahead.resets for i in row], np.int64)
        watch, since = np.array(ahead.watch, np.int64), np.array(ahead.since, np.int64)
        self._watch = (watch, ends, since, reset_starts, flat)
        self._ahead = (table.looks_ahead, table.model.resets_forget)
        self._entries = np.zeros((1024, 2 + len(self._current)), np.int64)
        self._links, self._heads = np.zeros(1024, np.int32), np.full(2048, -1, np.int32)
        # As long as any order is, and one frame for each beginning of it that is not all of it.
        self._path, self._best, self._frames = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros((3, n), np.int64)
        self._observes = np.array(table.observes, np.bool_)
        self._keys, self._values, self._known = np.full(4096, -1, np.int64), np.zeros(4096, np.int64), 0
        self._work = 2_000
        width = len(table.samples)
        self._learn(
            [(state * width + kind, after) for state, row in enumerate(table.rows) for kind, after in row.items()]
        )

    @property
    def steps(self) -> int:
        return int(self._control[_STEPS])

    @property
    def level(self) -> int:
        return int(self._control[_TOP])

    @property
    def memory(self) -> int:
        """Bytes of the tables."""
        return int(
            sum(
                a.nbytes
                for a in (self._entries, self._links, self._heads, self._opens, self._frames, self._keys, self._values)
            )
        )

    def run(self, steps: int, work: int | None = None) -> bool:
        """As `Search.run`, but False comes after a few milliseconds, whatever ``work`` is."""
        began = time.perf_counter()
        while self.outcome is None:
            status = _run(
                self._control, self._current, self._entries, self._links, self._heads, *self._frames, self._path,
                self._best,
                self._returns, self._starts, self._opens, self._word, self._bit, self._classes, self._observes,
                self._infos, self._info_counts, self._twins, *self._watch, *self._ahead, self._keys, self._values,
                len(self.table.samples), self._words, steps, self._work,
            )  # fmt: skip
            if status == _MISSING:
                self._ask(int(self._control[_ASK_STATE]), int(self._control[_ASK_CLASS]))
                if time.perf_counter() - began > _TARGET:
                    return False
            elif status == _FULL:
                self._grow()
            elif status == _PAUSED:
                taken = time.perf_counter() - began
                self._work = (
                    self._work * 2
                    if taken < _TARGET
                    else max(self._work // 2, 64)
                    if taken > 2 * _TARGET
                    else self._work
                )
                control = self._control
                return bool(control[_STEPS] >= steps and not control[_COUNTED])
            else:
                self.outcome = status == _VALID
        return True

    def _ask(self, state: int, kind: int) -> None:
        """Have the model fill a whole row if it is short, else the one entry."""
        width = len(self.table.samples)
        row, fill = self.table.rows[state], self.table.fill
        kinds = range(width) if width <= _FEW_CLASSES else (kind,)
        self._learn([(state * width + k, row[k] if k in row else fill(state, k)) for k in kinds])

    def _learn(self, facts: list[tuple[int, int]]) -> None:
        if not facts:
            return
        self._known += len(facts)
        if 2 * self._known > len(self._keys):
            size = 1 << (4 * self._known).bit_length()
            used = self._keys != -1
            old_keys, old_values = self._keys[used], self._values[used]
            self._keys, self._values = np.full(size, -1, np.int64), np.zeros(size, np.int64)
            _store(self._keys, self._values, old_keys, old_values)
        new = np.array(facts, np.int64)
        _store(self._keys, self._values, new[:, 0].copy(), new[:, 1].copy())

    def _grow(self) -> None:
        size = 2 * len(self._entries)
        entries = np.zeros((size, self._entries.shape[1]), np.int64)
        entries[: len(self._entries)] = self._entries
        self._entries, self._links, self._heads = entries, np.zeros(size, np.int32), np.zeros(2 * size, np.int32)
        _relink(self._entries, int(self._control[_ENTRIES]), self._words, self._heads, self._links)

    @property
    def longest(self) -> list[int]:
        return [int(i) for i in self._best[: int(self._control[_BEST])]]

    @property
    def stuck(self) -> list[int]:
        """See `Search.stuck`."""
        level = self.level
        if level >= len(self._returns):
            return []
        placed = set(self.longest)
        return [int(i) for i in self._opens[self._starts[level] : self._starts[level + 1]] if int(i) not in placed]

    @property
    def limit(self) -> int:
        """See `Search.limit`."""
        return max(self.part.ends[int(self._returns[self.level])], int(self._control[_FORESEEN]))

    @property
    def foreseen(self) -> bool:
        """See `Search.foreseen`."""
        return int(self._control[_FORESEEN]) > 0
