"""Registers whose observed values have one writer each, judged in nearly linear time (after Gibbons & Korach 1997).

The operations on one value form a block: a write, its reads, the cas that replaced it, that cas's reads, and so on; a
linearization puts each block in one piece. With f the earliest end in a block and s its latest begin, block X must
precede block Y exactly when f(X) < s(Y), and the history is linearizable exactly when every block is in order inside
and no two must precede each other. Seen as zones: forward zones [f, s] may not overlap, and none may contain a backward
zone [s, f]. All keys are judged at once, in numpy. The initial value is a write at minus infinity.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from checkers.history import Operation, show
from checkers.model import Model, freeze, thaw
from checkers.models.register import Register
from checkers.parts import NEVER, Columns, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_READ, _WRITE, _CAS, _NOTHING = range(4)
_KINDS = {"read": _READ, "get": _READ, "write": _WRITE, "put": _WRITE, "delete": _WRITE, "cas": _CAS}


class Conflict:
    """Why one key is not linearizable: a sentence, and the operations it rests on with the writers they rest on."""

    def __init__(self, key: int, reason: str, numbers: list[int], told: list[int] | None = None) -> None:
        self.key = key  # its code, 0 without keys
        self.reason = reason
        self.numbers = sorted(set(numbers))
        self.told = numbers if told is None else told  # those without which the sentence would be wrong


def applies(model: Model) -> TypeGuard[Register]:
    """Whether the model is one of the registers, unchanged."""
    kind = type(model)
    return kind.step is Register.step and kind.partition is Register.partition


def judge(columns: Columns, model: Register) -> tuple[Conflict | None, NDArray[Any]]:
    """A conflict, or the rows of the keys on which zones cannot decide: a search must.

    A cas that did not match is left out here. What is invalid without it is invalid; what is valid is searched.
    """
    return _Registers(columns, model).judge()


class _Registers:
    """The kept operations as arrays: what each saw, what it wrote, when."""

    def __init__(self, columns: Columns, model: Register) -> None:
        self.columns = columns
        history = columns.history
        n = len(columns)
        kinds = np.array([_KINDS.get(name, _NOTHING) for name in history.f.table], np.int8)
        kind = kinds[columns.f]
        is_delete = np.array([name == "delete" for name in history.f.table], np.bool_)[columns.f]
        refused = columns.refused
        ids, old, new, nil, self.values = self._values(kind == _CAS, model)
        self.initial = self.values.index(model.initial) if not isinstance(ids, range) else self._initial
        value = columns.value if isinstance(ids, range) else np.asarray(ids, np.int64)[columns.value]
        saw = value.astype(np.int64)
        wrote = saw.copy()
        cas = np.flatnonzero(kind == _CAS)
        if len(cas):
            codes = columns.value[cas]
            saw[cas], wrote[cas] = old[codes], new[codes]
            same = cas[saw[cas] == wrote[cas]]
            kind[same] = np.where(refused[same], _NOTHING, _READ)
        self.negative = refused & (kinds[columns.f] == _CAS)
        kind[refused] = np.where(kind[refused] == _READ, _READ, _NOTHING)
        if is_delete.any():
            wrote[is_delete] = saw[is_delete] = nil
            # Refused: there was nothing, which is a read of nil.
            kind[is_delete & refused] = _READ
        self.kind, self.saw, self.wrote = kind, saw, wrote
        if columns.key is None:
            self.key = np.zeros(n, np.int64)
            self.keys = 1
        else:
            self.key = columns.key.astype(np.int64)
            self.keys = len(history.keyed.table)  # type: ignore[union-attr]
        self.begins = columns.begins
        # Later than every event, and small enough to be combined with a key.
        self.horizon = len(history) + 1
        self.ends = np.where(columns.ends == NEVER, self.horizon, columns.ends)

    def _values(
        self, is_cas: NDArray[np.bool_], model: Register
    ) -> tuple[Any, NDArray[np.int64], NDArray[np.int64], int, list[Any]]:
        """Numbers for values: of each code of the history, and of the two halves of each pair that a cas used."""
        columns = self.columns
        table = columns.history.values.table
        pairs = np.unique(columns.value[is_cas]).tolist() if is_cas.any() else []
        none = np.zeros(0, np.int64)
        if not pairs and {*map(type, table), type(thaw(model.initial))} <= {int, str, type(None)}:
            # Codes will do. nil and the initial value may not occur at all: they get numbers behind the last.
            values, nil = table, columns.history.values.code(None)
            if nil < 0:
                values, nil = [*table, None], len(table)
            self._initial = nil
            if model.initial is not None:
                place = columns.history.values.code(thaw(model.initial))
                if place < 0:
                    values = [*values, model.initial]
                    place = len(values) - 1
                self._initial = place
            return range(len(values)), none, none, nil, values
        number: dict[Hashable, int] = {}
        ids = [number.setdefault(freeze(value), len(number)) for value in table]
        old, new = np.zeros(len(table), np.int64), np.zeros(len(table), np.int64)
        for code in pairs:
            pair = table[code]
            if not (isinstance(pair, (list, tuple)) and len(pair) == 2):
                at = int(columns.numbers[is_cas & (columns.value == code)][0])
                refuse(model, columns.history.operation(at))
            old[code] = number.setdefault(freeze(pair[0]), len(number))
            new[code] = number.setdefault(freeze(pair[1]), len(number))
        nil = number.setdefault(None, len(number))
        number.setdefault(model.initial, len(number))
        return ids, old, new, nil, list(number)

    def judge(self) -> tuple[Conflict | None, NDArray[Any]]:
        kind, keys = self.kind, self.keys
        observes = (kind == _READ) | (kind == _CAS)
        writes = (kind == _WRITE) | (kind == _CAS)
        place_saw, place_wrote, first, places, key_of = self._places(observes, writes)
        # An unanswered write or cas counts once somebody saw its value: to a fixpoint, for a cas saw one itself.
        info = self.columns.info
        keep = (observes | writes) & ~info
        seen = np.zeros(places, np.bool_)
        seen[place_saw[keep & observes]] = True
        self._keep, self._place_saw, self._place_wrote = keep, place_saw, place_wrote
        waiting = np.flatnonzero(info & writes)
        while len(waiting):
            wanted = seen[place_wrote[waiting]]
            if not wanted.any():
                break
            found = waiting[wanted]
            keep[found] = True
            seen[place_saw[found[kind[found] == _CAS]]] = True
            waiting = waiting[~wanted]
        # Of a value that was seen all writers are kept.
        writers = np.bincount(place_wrote[writes], minlength=places)
        writers[first] += 1
        several = np.zeros(keys, np.bool_)
        several[key_of(np.flatnonzero(seen & (writers > 1)))] = True
        orphan = seen & (writers == 0)
        if orphan.any():
            # Where a value has several writers, an unanswered cas may not have happened although its value was seen.
            certain = np.flatnonzero(keep & observes & ~(info & several[self.key]))
            lost = certain[orphan[place_saw[certain]]]
            if len(lost):
                row = int(lost[0])
                return self._conflict(
                    [row], f"{self._op(row)} saw {self._value(row)}, which nobody had written"
                ), _NO_ROWS
        undecided = several.copy()
        undecided[self.key[self.negative]] = True
        rows = np.flatnonzero(keep & ~several[self.key])
        conflict = self._blocks(rows, place_saw, place_wrote, first, places) if len(rows) else None
        return conflict, np.flatnonzero(undecided[self.key])

    def _places(self, observes: NDArray[Any], writes: NDArray[Any]) -> tuple[Any, Any, Any, int, Any]:
        """One number per key and value: of what each operation saw and wrote, and of each key's initial value."""
        width = len(self.values)
        first = np.arange(self.keys, dtype=np.int64) * width + self.initial
        saw, wrote = self.key * width + self.saw, self.key * width + self.wrote
        places = self.keys * width
        if places <= 4 * len(self.key) + 1_000:
            return saw, wrote, first, places, lambda which: which // width
        used, back = np.unique(np.concatenate((first, saw[observes], wrote[writes])), return_inverse=True)
        place_saw, place_wrote = np.zeros_like(saw), np.zeros_like(wrote)
        cut = self.keys + int(observes.sum())
        place_saw[observes], place_wrote[writes] = back[self.keys : cut], back[cut:]
        return place_saw, place_wrote, back[: self.keys], len(used), lambda which: used[which] // width

    def _blocks(self, rows: NDArray[Any], place_saw: Any, place_wrote: Any, first: Any, places: int) -> Conflict | None:
        """Judge keys whose observed values have one writer each; nodes are the rows, then one virtual write per key."""
        m = len(rows)
        kind, key = self.kind[rows], self.key[rows]
        saw, wrote = place_saw[rows], place_wrote[rows]
        begins = np.concatenate((self.begins[rows], np.full(self.keys, -1)))
        ends = np.concatenate((self.ends[rows], np.full(self.keys, -1)))
        writer = np.zeros(places, np.int64)
        made = np.flatnonzero(kind != _READ)
        writer[wrote[made]] = made
        writer[first] = np.arange(m, m + self.keys)
        reads, cas = np.flatnonzero(kind == _READ), np.flatnonzero(kind == _CAS)
        source = np.arange(m + self.keys)
        source[reads], source[cas] = writer[saw[reads]], writer[saw[cas]]
        self._rows, self._source = rows, source
        early = np.flatnonzero(ends[:m] < begins[source[:m]])
        if len(early):
            node = int(early[0])
            op, cause = self._at(node), self._at(int(source[node]))
            reason = f"{op} saw {self._value(int(rows[node]))}, but ended before {cause}, which alone wrote it, began"
            return self._conflict([int(rows[node])], reason)
        root, depth = source.copy(), np.zeros(m + self.keys, np.int64)
        if len(cas):
            conflict = self._chains(cas, saw, root, depth, m)
            if conflict is not None:
                return conflict
            root[reads] = root[source[reads]]
            depth[reads] = depth[source[reads]]
            conflict = self._inside(root, 2 * depth[:m] + (kind == _READ), begins, ends, cas)
            if conflict is not None:
                return conflict
        return self._zones(root, begins, ends, key, m)

    def _chains(self, cas: Any, saw: Any, root: Any, depth: Any, m: int) -> Conflict | None:
        """Follow every cas to the write that its chain started from, by pointer doubling."""
        replaced = np.bincount(saw[cas])
        if len(again := np.flatnonzero(replaced > 1)):
            both = cas[saw[cas] == again[0]][:2].tolist()
            a, b, cause = self._at(both[0]), self._at(both[1]), self._source[both[0]]
            what = self._value(int(self._rows[both[0]]))
            where = f"been written once, by {self._at(int(cause))}" if cause < m else "been there only at the start"
            return self._of_nodes(both, f"{a} and {b} both replaced {what}, which had {where}")
        depth[cas] = 1
        for _ in range(len(root).bit_length()):
            depth[cas] += depth[root[cas]]
            above = root[root[cas]]
            if (above == root[cas]).all():
                break
            root[cas] = above
            depth[depth > len(root)] = 0  # only on a circle
        # On a circle the doubling ends anywhere, but never at something that rests on itself alone.
        lost = cas[self._source[root[cas]] != root[cas]]
        if not len(lost):
            return None
        node = int(lost[0])
        circle = [node]
        for _ in range(len(root)):
            node = int(self._source[node])
            if node in circle:
                break
            circle.append(node)
        circle = circle[circle.index(node) :]
        ops = " needs ".join(str(self._at(i)) for i in [*circle, circle[0]])
        return self._of_nodes(circle, f"no cas of these could be the first: {ops}")

    def _inside(self, root: Any, stage: Any, begins: Any, ends: Any, cas: Any) -> Conflict | None:
        """In a block no later stage may end before an earlier one began: a running maximum of begins finds it."""
        m = len(self._rows)
        chained = np.zeros(len(root), np.bool_)
        chained[root[cas]] = True
        nodes = np.flatnonzero(chained[root[:m]])
        nodes = nodes[np.lexsort((stage[nodes], root[nodes]))]
        block, level = root[nodes], stage[nodes]
        new_block = np.concatenate(([True], block[1:] != block[:-1]))
        new_stage = new_block | np.concatenate(([True], level[1:] != level[:-1]))
        rank = np.cumsum(new_block) * (self.horizon + 2)
        latest = np.maximum.accumulate(rank + begins[nodes]) - rank
        starts = np.maximum.accumulate(np.where(new_stage, np.arange(len(nodes)), 0))
        before = np.where(new_block[starts], -1, latest[starts - 1])
        bad = np.flatnonzero(ends[nodes] < before)
        if not len(bad):
            return None
        at = int(bad[0])
        low = int(np.flatnonzero(new_block[: at + 1])[-1])
        earlier = low + int(np.argmax(begins[nodes[low : starts[at]]]))
        later, earlier = int(nodes[at]), int(nodes[earlier])
        order = f"{self._at(earlier)} must come before {self._at(later)} by the values they saw"
        reason = f"{order}, but began only after it had ended"
        return self._of_nodes([later, earlier], reason)

    def _zones(self, root: Any, begins: Any, ends: Any, key: Any, m: int) -> Conflict | None:
        total = m + self.keys
        f, s = np.full(total, self.horizon), np.full(total, -1)
        np.minimum.at(f, root, ends)
        np.maximum.at(s, root, begins)
        blocks = np.flatnonzero(root == np.arange(total))
        home = np.concatenate((key, np.arange(self.keys)))[blocks] * (self.horizon + 2) + 1
        f, s = f[blocks] + home, s[blocks] + home
        forward = np.flatnonzero(f < s)
        forward = forward[np.argsort(f[forward], kind="stable")]
        over = np.flatnonzero(s[forward][:-1] > f[forward][1:])
        if len(over):
            return self._clash(int(blocks[forward[over[0]]]), int(blocks[forward[over[0] + 1]]), root, begins, ends, m)
        backward = np.flatnonzero(f >= s)
        around = np.searchsorted(f[forward], s[backward]) - 1
        inside = np.flatnonzero((around >= 0) & (s[forward][around] > f[backward])) if len(forward) else _NO_ROWS
        if len(inside):
            return self._clash(
                int(blocks[forward[around[inside[0]]]]), int(blocks[backward[inside[0]]]), root, begins, ends, m
            )
        return None

    def _clash(self, one: int, two: int, root: Any, begins: Any, ends: Any, m: int) -> Conflict:
        """Each of two blocks must precede the other: by which operations."""
        ones, twos = np.flatnonzero(root == one), np.flatnonzero(root == two)
        end_one, end_two = int(ones[np.argmin(ends[ones])]), int(twos[np.argmin(ends[twos])])
        begin_one, begin_two = int(ones[np.argmax(begins[ones])]), int(twos[np.argmax(begins[twos])])
        a, b = self._name(one), self._name(two)
        parts = []
        if end_one < m:
            parts.append(f"{self._at(end_one)} ended before {self._at(begin_two)} began, so {a} was there before {b}")
        else:
            parts.append(f"{a} was there first")
        parts.append(f"but {self._at(end_two)} ended before {self._at(begin_one)} began, so {b} was there before {a}")
        nodes = [node for node in (end_one, begin_two, end_two, begin_one) if node < m]
        return self._of_nodes(nodes, "; ".join(parts))

    def _name(self, root: int) -> str:
        if root >= len(self._rows):
            return show(thaw(self.values[self.initial]))
        return show(thaw(self.values[int(self.wrote[self._rows[root]])]))

    def _of_nodes(self, nodes: list[int], reason: str) -> Conflict:
        return self._conflict([int(self._rows[node]) for node in nodes], reason)

    def _conflict(self, rows: list[int], reason: str) -> Conflict:
        told = [int(self.columns.numbers[row]) for row in rows]
        return Conflict(int(self.key[rows[0]]), reason, self._closed(rows), told)

    def _closed(self, rows: list[int]) -> list[int]:
        """The numbers of these, the writers whose values they saw, and who saw what an unanswered one wrote."""
        mine = np.flatnonzero(self._keep & (self.key == self.key[rows[0]]))
        writer: dict[int, int] = {}
        observer: dict[int, int] = {}
        for row in mine.tolist():
            if self.kind[row] != _READ:
                writer.setdefault(int(self._place_wrote[row]), row)
            if self.kind[row] != _WRITE:
                place = int(self._place_saw[row])
                if place not in observer or (self.columns.info[observer[place]] and not self.columns.info[row]):
                    observer[place] = row
        found, todo = set(rows), list(rows)
        while todo:
            row = todo.pop()
            causes = []
            if self.kind[row] != _WRITE:
                causes.append(writer.get(int(self._place_saw[row])))
            if self.columns.info[row]:
                causes.append(observer.get(int(self._place_wrote[row])))
            for cause in causes:
                if cause is not None and cause not in found:
                    found.add(cause)
                    todo.append(cause)
        return [int(self.columns.numbers[row]) for row in found]

    def _value(self, row: int) -> str:
        return show(thaw(self.values[int(self.saw[row])]))

    def _op(self, row: int) -> Operation:
        return self.columns.history.operation(int(self.columns.numbers[row]))

    def _at(self, node: int) -> Operation:
        return self._op(int(self._rows[node]))


_NO_ROWS: NDArray[Any] = np.zeros(0, np.int64)
