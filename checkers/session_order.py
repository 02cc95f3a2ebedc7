"""Reads and writes in the order of their sessions, each read with the write whose value it saw.

This is the ground of the causal and session models, which know no time: only who came first in a session, and who read
whose write. Both are certain when a value that was read has one writer on its key; a read that could have seen several
writes (or the initial value as well as a write of it) is left out, which can hide a violation but never make one. What
was never answered and never seen may not have happened, and is left out too: no model can tell.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable
from typing import Any

from checkers import zones
from checkers.history import BadHistory, History, Operation, show
from checkers.model import Model, freeze
from checkers.parts import Columns

INITIAL = -1  # the source of a read that saw the initial value


class SessionOrder:
    """The nodes are reads and writes; a cas that matched is a read and, right after it, a write.

    The lists run over nodes in order of invocation. Of one session, ``a`` comes before ``b`` exactly when ``a`` was
    answered and ``rank[a] < rank[b]``: what was never answered comes before nothing.
    ``nowhere`` are reads of values that nobody wrote. ``outside`` is the first operation that neither reads nor writes,
    ``left_out`` the first whose source is not certain, ``partly`` the first cas that is not known in full: one that did
    not match, or was seen and never answered, which counts as a write alone; all with the reason, or None.
    """

    def __init__(self, history: History, model: Model) -> None:
        self.history = history
        self.number: list[int] = []
        self.session: list[int] = []
        self.rank: list[int] = []
        self.answered: list[bool] = []
        self.reads: list[bool] = []
        self.key: list[int] = []
        self.source: list[int] = []  # of a read: the node of a write, or INITIAL; of a write: itself
        self.nowhere: list[int] = []
        self.outside: tuple[int, str] | None = None
        self.left_out: tuple[int, str] | None = None
        self.partly: tuple[int, str] | None = None
        self.sessions: list[list[int]] = []  # answered nodes, in order
        columns = Columns(history, model)
        self.operations = len(columns)
        self.completed = columns.completed
        if not zones.applies(model):
            if len(columns):
                self.outside = (int(columns.numbers[0]), f"the model {model.name} is more than reads and writes")
            return
        self._read(columns, model)

    def _read(self, columns: Columns, model: Model) -> None:
        history = columns.history
        values = [freeze(value) for value in history.values.table]
        initial = model.initial
        names = history.f.table
        session_of = sessions_of(history)
        ids: dict[Hashable, int] = {}
        ends: list[list[int]] = []  # of the answered operations of each session
        width: list[list[int]] = []  # how many nodes there are up to each of them
        wrote: dict[tuple[int, Hashable], list[int]] = {}
        saw: list[tuple[int, Hashable]] = []
        nobody = [0] * len(columns)
        results = nobody if columns.result is None else columns.result.tolist()
        refusal = -2 if history.results is None else history.results.code(False)
        keys = nobody if columns.key is None else columns.key.tolist()
        asked = (columns.numbers, columns.f, columns.value, columns.info, columns.begins, columns.ends)
        number_f_value_info_begin_end = zip(*(column.tolist() for column in asked), strict=True)
        rows = [
            (*row, result, key) for row, result, key in zip(number_f_value_info_begin_end, results, keys, strict=True)
        ]
        seen = self._seen(rows, names, values, history, refusal)
        for number, f, code, info, begin, end, result, key in rows:
            name, value = names[f], values[code]
            refused = not info and result == refusal
            raw = session_of[number]
            session = ids.setdefault(raw, len(ids))
            if session == len(ends):
                ends.append([])
                width.append([0])
                self.sessions.append([])
            before = bisect_left(ends[session], begin)
            if not info and before < len(ends[session]):
                op = history.operation(number)
                raise BadHistory(f"event {op.index}: session {show(op.session)} has another operation open already")
            parts: list[tuple[bool, Any]] = []
            if name in ("read", "get") or (name == "delete" and refused):
                parts.append((True, None if name == "delete" else value))
            elif name == "cas":
                if refused:
                    self.partly = self.partly or (number, "a refused cas says only what was not there")
                else:
                    old, new = freeze(history.values.table[code][0]), freeze(history.values.table[code][1])
                    if info and (key, new) not in seen:
                        continue
                    if info:
                        self.partly = self.partly or (number, "when it found the old value is not known")
                    parts += [(False, new)] if info else [(True, old), (False, new)]
            elif not refused:
                written = None if name == "delete" else value
                if info and (key, written) not in seen:
                    continue
                parts.append((False, written))
            for reads, value in parts:
                node = len(self.number)
                self.number.append(number)
                self.session.append(session)
                self.rank.append(width[session][before] if info else len(self.sessions[session]))
                self.answered.append(not info)
                self.reads.append(reads)
                self.key.append(key)
                self.source.append(node)
                if not info:
                    self.sessions[session].append(node)
                if reads:
                    saw.append((node, value))
                else:
                    wrote.setdefault((key, value), []).append(node)
            if not info:
                ends[session].append(end)
                width[session].append(len(self.sessions[session]))
        self._sources(saw, wrote, initial)

    def _seen(self, rows: list[Any], names: list[str], values: list[Any], history: History, refusal: int) -> set[Any]:
        """The values that answered operations saw, by key."""
        seen: set[Any] = set()
        for _, f, code, info, _, _, result, key in rows:
            name = names[f]
            if info:
                continue
            if name in ("read", "get"):
                seen.add((key, values[code]))
            elif name == "cas" and result != refusal:
                seen.add((key, freeze(history.values.table[code][0])))
            elif name == "delete" and result == refusal:
                seen.add((key, None))
        return seen

    def _sources(
        self, saw: list[tuple[int, Hashable]], wrote: dict[tuple[int, Hashable], list[int]], initial: Hashable
    ) -> None:
        uncertain: set[int] = set()
        for node, value in saw:
            writers = wrote.get((self.key[node], value), [])
            if value == initial and not writers:
                self.source[node] = INITIAL
            elif len(writers) == 1 and value != initial:
                self.source[node] = writers[0]
            elif not writers:
                self.nowhere.append(node)
                uncertain.add(node)
            else:
                count = len(writers) + (value == initial)
                why = f"its value has {count} writers" + (", the initial value is one" if value == initial else "")
                self.left_out = self.left_out or (self.number[node], why)
                uncertain.add(node)
        if uncertain:
            self._drop(uncertain)

    def _drop(self, gone: set[int]) -> None:
        """Take reads out; ranks may have holes."""
        kept = [node for node in range(len(self.number)) if node not in gone]
        place = {node: new for new, node in enumerate(kept)}
        self.nowhere = [self.number[node] for node in self.nowhere]
        self.source = [INITIAL if self.source[node] == INITIAL else place[self.source[node]] for node in kept]
        for name in ("number", "session", "rank", "answered", "reads", "key"):
            column = getattr(self, name)
            setattr(self, name, [column[node] for node in kept])
        self.sessions = [[place[node] for node in nodes if node not in gone] for nodes in self.sessions]

    def __len__(self) -> int:
        return len(self.number)

    def before(self, a: int, b: int) -> bool:
        """Whether ``a`` comes before ``b`` in the session of both; False if their sessions differ."""
        return self.answered[a] and self.session[a] == self.session[b] and self.rank[a] < self.rank[b]

    def operation(self, node: int) -> Operation:
        return self.history.operation(self.number[node])

    def call(self, node: int) -> str:
        """The operation in short, told apart from others by its event: ``write x 1 (event 4)``."""
        op = self.operation(node)
        return f"{op.call} (event {op.index})"

    def name(self, node: int) -> str:
        return show(self.operation(node).session)

    def witness(self, nodes: list[int]) -> list[Operation]:
        """These operations, and the writes whose values they saw."""
        return [self.history.operation(number) for number in self.numbers(nodes)]

    def numbers(self, nodes: list[int]) -> list[int]:
        """The numbers of these operations, and of the writes whose values they saw, in order."""
        found: set[int] = set()
        todo = list(nodes)
        while todo:
            node = todo.pop()
            if self.number[node] in found:
                continue
            found.add(self.number[node])
            # A cas is two nodes, the read right before the write: the witness needs the source of its read.
            for near in (node - 1, node):
                if self.number[near] == self.number[node] and self.source[near] != INITIAL:
                    todo.append(self.source[near])
        return sorted(found)


def counted(number: int, noun: str) -> str:
    """``1 session``, ``2,000 sessions``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def sessions_of(history: History) -> list[Hashable]:
    """The session of each operation, by number: the process where none is named."""
    at = history.invocations
    processes = history.processes
    if history.sessions is None:
        return processes.codes[at].tolist()  # type: ignore[no-any-return]
    table = history.sessions.table
    named = history.sessions.codes[at].tolist()
    own = processes.codes[at].tolist()
    return [processes.table[p] if table[s] is None else table[s] for s, p in zip(named, own, strict=True)]
