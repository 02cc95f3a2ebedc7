"""A history: what the clients of a system asked, what they were answered, and when; and the faults in between.

The words are Jepsen's. An operation is an ``invoke`` event followed by ``ok`` (it took effect in between), ``fail`` (it
had no effect) or ``info`` (nobody knows: it may take effect at any later moment, or never). One process has at most one
operation open at a time; an operation whose completion is missing is ``info``. Real-time precedence is by index alone.
Events are kept as columns: numpy arrays of codes beside tables of distinct values, so that a million events load in
about a second and a checker need not touch Python objects. Events and operations are views built on demand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EventType = Literal["invoke", "ok", "fail", "info"]
Process = int | str
Key = str | int | None

NEMESIS = "nemesis"
TYPES: tuple[EventType, ...] = ("invoke", "ok", "fail", "info")
INVOKE, OK, FAIL, INFO = range(4)
_LONG = 16  # a list of more elements is not shown whole
READS = frozenset({"read", "get"})  # an ok of these carries what was read, even when that is nil
UNTIMED = -1


class BadHistory(ValueError):
    """The input is not a history, or not one of this model; the message is one line and says where."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a history. ``time`` is in nanoseconds, or -1 where the source has no clock.

    ``session`` is the client across process numbers (default: the process), ``node`` the replica that answered,
    ``result`` a second answer beside the value (false: refused), ``final`` marks the reads of the quiet end.
    """

    index: int
    time: int = UNTIMED
    type: EventType
    process: Process
    session: Process | None = None
    node: str | None = None
    f: str
    key: Key = None
    value: Any
    result: Any = None
    error: Any = None
    final: bool = False

    def __str__(self) -> str:
        when = "" if self.time < 0 else f"{seconds(self.time)}  "
        key = "" if self.key is None else f" {self.key}"
        return f"{self.index}  {when}process {self.process}  {self.type} {self.f}{key} {show(self.value)}"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation: its invocation, and its completion if it has one.

    ``index`` and ``time`` are the invocation's; ``return_index`` and ``return_time`` the completion's, None without
    one. ``type`` is "ok", "fail" or "info". ``value`` is what was read, written or appended, for a cas ``[old, new]``.
    An ``info`` operation is never over, whenever its completion was recorded.
    """

    index: int
    return_index: int | None
    time: int
    return_time: int | None
    type: EventType
    process: Process
    session: Process
    node: str | None
    f: str
    key: Key
    value: Any
    result: Any
    error: Any
    final: bool

    @property
    def end(self) -> float:
        """The index after which it can no longer take effect: infinite for info."""
        return float("inf") if self.type == "info" or self.return_index is None else self.return_index

    @property
    def call(self) -> str:
        """What was asked and answered, as in ``cas x 1 -> 2 refused``."""
        key = "" if self.key is None else f" {show(self.key)}"
        if self.f in READS:
            return f"{self.f}{key} -> {show(self.value) if self.type == 'ok' else '?'}"
        if self.f == "cas" and isinstance(self.value, (list, tuple)) and len(self.value) == 2:
            body = f"{self.f}{key} {show(self.value[0])} -> {show(self.value[1])}"
        else:
            body = f"{self.f}{key}" + ("" if self.value is None else f" {show(self.value)}")
        if self.result is False:
            body += " refused"
        elif self.result is not None and self.result is not True:
            body += f" -> {show(self.result)}"
        return body

    def __str__(self) -> str:
        ended = "never answered" if self.type == "info" or self.return_index is None else str(self.return_index)
        if self.time >= 0:
            until = "?" if ended == "never answered" or self.return_time is None else seconds(self.return_time)
            when = f"{seconds(self.time)} to {until} (events {self.index}, {ended})"
        else:
            when = f"events {self.index}, {ended}"
        failed = "" if self.type != "fail" else " failed"
        return f"{self.call}{failed} by process {self.process}, {when}"


class History:
    """Events in order of their index, immutable. Build one with ``load`` or a ``from_…`` constructor.

    Raises `BadHistory` when completions do not match invocations, indices repeat, or a field has a wrong type.
    """

    __slots__ = (
        "completions",
        "errors",
        "f",
        "finals",
        "indices",
        "invocations",
        "keyed",
        "nodes",
        "processes",
        "results",
        "sessions",
        "times",
        "types",
        "values",
    )

    # Columns over events; those that no event fills are None. Kernels read them, nobody writes them.
    indices: NDArray[np.int64]
    times: NDArray[np.int64]
    types: NDArray[np.int8]
    processes: Coded
    sessions: Coded | None
    nodes: Coded | None
    f: Coded
    keyed: Coded | None
    values: Coded
    results: Coded | None
    errors: Coded | None
    finals: NDArray[np.bool_] | None
    # Columns over operations, in order of invocation: positions of events, -1 without a completion.
    invocations: NDArray[np.int64]
    completions: NDArray[np.int64]

    def __init__(self) -> None:
        raise TypeError("a History is built by load, from_events, from_operations or from_columns")

    # -- construction ---------------------------------------------------------------------------------------------

    @classmethod
    def from_events(cls, events: Iterable[Event | Mapping[str, Any] | Sequence[Any]]) -> History:
        """From `Event` values, dicts of their fields, or tuples ``(type, process, f, [key,] value)``, in order.

        A missing ``index`` is the position. ``type``, ``process`` and ``f`` are required.
        """
        lines: list[Any] = []
        for position, event in enumerate(events):
            if isinstance(event, Event):
                lines.append(event)
                continue
            if not isinstance(event, Mapping):
                event = _fields(event, position)
            try:
                lines.append(msgspec.convert(event, Line))
            except msgspec.ValidationError as error:
                raise BadHistory(f"event {position}: {error}") from None
        return cls.from_lines(lines, lambda position: f"event {position}")

    @classmethod
    def from_operations(cls, operations: Iterable[Operation | Mapping[str, Any]]) -> History:
        """From `Operation` values, or dicts with ``process, f, value, call, return`` and any other field of an event.

        ``call`` and ``return`` are times in nanoseconds; without ``return`` the operation is ``info``. Operations that
        touch at one instant are concurrent. Processes that overlap with themselves are refused.
        """
        events: list[tuple[tuple[int, int, int, int], dict[str, Any]]] = []
        for position, item in enumerate(operations):
            fields: dict[str, Any] = msgspec.structs.asdict(item) if isinstance(item, Operation) else dict(item)
            timed = not isinstance(item, Operation) or item.time >= 0
            at: Any
            until: Any
            if isinstance(item, Operation):
                at, until = (item.time, item.return_time) if timed else (item.index, item.return_index)
                kept = {"type": fields["type"]}
                if item.session == item.process:
                    fields["session"] = None
            else:
                at, until, kept = fields.pop("call", None), fields.pop("return", None), {}
            for name in ("index", "return_index", "time", "return_time", "type"):
                value = fields.pop(name, None)
                if name == "type" and value is not None:
                    kept["type"] = value
            if not isinstance(at, int) or not isinstance(until, int | None):
                raise BadHistory(f"operation {position}: call and return must be integers (nanoseconds)")
            if until is not None and until < at:
                raise BadHistory(f"operation {position}: it returned at {until}, before its call at {at}")
            kind = kept.get("type", "info" if until is None else "ok")
            stamp = {"time": at} if timed else {}
            # All calls of an instant come before all returns of it: touching operations are concurrent. A process
            # whose call touches its own previous return keeps its order through the third component.
            events.append(((at, 0, position, 0), {**fields, **stamp, "type": "invoke", "result": None, "error": None}))
            if until is not None:
                stamp = {"time": until} if timed else {}
                events.append(((until, 1, position, 1), {**fields, **stamp, "type": kind}))
        events.sort(key=lambda pair: pair[0])
        return cls.from_events(_untangled([fields for _, fields in events]))

    @classmethod
    def from_columns(cls, **columns: Sequence[Any] | NDArray[Any]) -> History:
        """From one sequence per field of `Event` (``type``, ``process``, ``f``, ``value`` and any other), over
        events.
        """
        unknown = sorted(set(columns) - set(Line.__struct_fields__))
        if unknown:
            raise BadHistory(f"there is no column {unknown[0]!r}; columns are {', '.join(Line.__struct_fields__)}")
        plain = {
            name: list(column.tolist()) if isinstance(column, np.ndarray) else list(column)
            for name, column in columns.items()
        }
        sizes = {name: len(column) for name, column in plain.items()}
        if len(set(sizes.values())) > 1:
            raise BadHistory(
                "columns differ in length: " + ", ".join(f"{name} has {size}" for name, size in sizes.items())
            )
        missing = [name for name in ("type", "process", "f") if name not in plain]
        if missing:
            raise BadHistory(f"the column {missing[0]!r} is missing")
        names = list(plain)
        return cls.from_events(dict(zip(names, row, strict=True)) for row in zip(*plain.values(), strict=True))

    @classmethod
    def from_lines(cls, lines: Sequence[Event | Line], where: Callable[[int], str]) -> History:
        """From decoded lines; ``where(position)`` names a line in the message of a `BadHistory`."""
        columns = Columns()
        columns.extend(lines)
        return cls._build(columns, where)

    @classmethod
    def _build(cls, columns: Columns, where: Callable[[int], str]) -> History:
        history = object.__new__(cls)
        n = len(columns.type)
        history.types = _codes(columns.type, {name: code for code, name in enumerate(TYPES)}, np.int8)
        history.indices = columns.indices(where)
        history.times = np.fromiter(columns.time, np.int64, n)
        history.processes = coded(columns.process)
        history.f = coded(columns.f)
        history.keyed = coded_or_none(columns.key)
        history.values = coded(columns.value)
        history.sessions = coded_or_none(columns.session)
        history.nodes = coded_or_none(columns.node)
        history.results = coded_or_none(columns.result)
        history.errors = coded_or_none(columns.error)
        history.finals = np.fromiter(columns.final, np.bool_, n) if True in columns.final else None
        if n and (order := _order(history.indices, where)) is not None:
            history = history._rows(order, pair=False)
            history._pair(lambda position: where(int(order[position])))
        else:
            history._pair(where)
        return history

    def _pair(self, where: Callable[[int], str]) -> None:
        """Match each completion with the invocation before it of the same process."""
        clients = np.flatnonzero(self.processes.codes != self.processes.code(NEMESIS))
        process = self.processes.codes[clients]
        # numpy sorts 16-bit integers by radix, several times faster than wider ones.
        narrow = process.astype(np.uint16) if len(self.processes.table) < 1 << 16 else process
        order = np.argsort(narrow, kind="stable")
        at, process = clients[order], process[order]
        invoke = self.types[at] == INVOKE
        same = np.zeros(len(at), np.bool_)
        same[1:] = process[1:] == process[:-1]
        after_invoke = np.zeros(len(at), np.bool_)
        after_invoke[1:] = same[1:] & invoke[:-1]
        wrong = np.flatnonzero(invoke == after_invoke)
        # A first invoke of a process has no predecessor: that is the one legal case of equality.
        wrong = wrong[~(invoke[wrong] & ~same[wrong])] if len(wrong) else wrong
        wrong = wrong[~(invoke[wrong] & ~after_invoke[wrong])] if len(wrong) else wrong
        if len(wrong):
            first = int(at[wrong].min())
            who, what = self.processes[first], TYPES[self.types[first]]
            if what == "invoke":
                raise BadHistory(f"{where(first)}: process {who!r} invokes again while its last operation is open")
            raise BadHistory(f"{where(first)}: {what} of process {who!r} without an invoke before it")
        completion = np.full(len(self.types), -1, np.int64)
        done = np.flatnonzero(after_invoke & ~invoke)
        completion[at[done - 1]] = at[done]
        for column, name in ((self.f, "f"), (self.keyed, "key")):
            if column is not None:
                self._agree(column, name, at[done - 1], at[done], where)
        mask = self.types[clients] == INVOKE
        self.invocations = clients[mask].astype(np.int64)
        self.completions = completion[self.invocations]

    def _agree(
        self, column: Coded, name: str, asked: NDArray[Any], answered: NDArray[Any], where: Callable[[int], str]
    ) -> None:
        """A completion that says what it completes must say what was asked."""
        codes = column.codes[answered]
        wrong = np.flatnonzero((codes != column.codes[asked]) & (codes != column.code(None)))
        if len(wrong):
            first = wrong[answered[wrong].argmin()]
            before, after = int(asked[first]), int(answered[first])
            raise BadHistory(
                f"{where(after)}: process {self.processes[after]!r} completes {name} {show(column[after])}, "
                f"but has invoked {name} {show(column[before])} ({where(before)})"
            )

    def _rows(self, rows: NDArray[Any], *, pair: bool = True) -> History:
        """The events at these positions, in this order."""
        part = object.__new__(History)
        part.indices, part.times, part.types = self.indices[rows], self.times[rows], self.types[rows]
        part.processes, part.f, part.values = self.processes.rows(rows), self.f.rows(rows), self.values.rows(rows)
        for name in ("sessions", "nodes", "keyed", "results", "errors"):
            column: Coded | None = getattr(self, name)
            setattr(part, name, None if column is None else column.rows(rows))
        part.finals = None if self.finals is None else self.finals[rows]
        if pair:
            part._pair(lambda position: f"event {position}")
        return part

    # -- files ----------------------------------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        source: str | Path | bytes | BinaryIO,
        *,
        format: str | None = None,
        failed_cas: Literal["dropped", "observed"] = "dropped",
    ) -> History:
        """Read a file, bytes or an open binary stream ("-": standard input); the format is found by its content.

        Formats: "jsonl", "edn" (also Porcupine's kv log), "jepsen-log". With ``failed_cas="observed"`` a cas that
        failed counts as an answer, "it did not match", as Porcupine reads such logs. Raises `BadHistory`, whose message
        names the file and the line, and `OSError`.
        """
        from checkers import formats

        if isinstance(source, (str, Path)) and str(source) != "-":
            name, data = str(source), Path(source).read_bytes()
        elif isinstance(source, bytes):
            name, data = "input", source
        else:
            stream: BinaryIO = sys.stdin.buffer if isinstance(source, (str, Path)) else source
            name, data = str(getattr(stream, "name", "input")), stream.read()
        history = formats.read(data, name, format)
        return history.observing_failed_cas() if failed_cas == "observed" else history

    def dump(self, path: str | Path, *, format: str | None = None) -> None:
        """Write "jsonl" (the default) or "edn" (the default for ``*.edn``), atomically."""
        from checkers import formats

        formats.write(self, Path(path), format or ("edn" if str(path).endswith(".edn") else "jsonl"))

    # -- views ----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many events there are, of clients and of the nemesis."""
        return len(self.types)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, History)
            and len(self) == len(other)
            and all(a == b for a, b in zip(self.events(), other.events(), strict=True))
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<History: {len(self.invocations)} operations, {len(self)} events>"

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def event(self, position: int) -> Event:
        """The event at this position (its ``index`` may be another number)."""
        return Event(
            index=int(self.indices[position]),
            time=int(self.times[position]),
            type=TYPES[self.types[position]],
            process=self.processes[position],
            session=None if self.sessions is None else self.sessions[position],
            node=None if self.nodes is None else self.nodes[position],
            f=self.f[position],
            key=None if self.keyed is None else self.keyed[position],
            value=self.values[position],
            result=None if self.results is None else self.results[position],
            error=None if self.errors is None else self.errors[position],
            final=self.finals is not None and bool(self.finals[position]),
        )

    def events(self) -> Iterator[Event]:
        """All events in order."""
        return map(self.event, range(len(self)))

    def nemesis(self) -> list[Event]:
        """The faults: events of process "nemesis"."""
        code = self.processes.code(NEMESIS)
        return [self.event(int(position)) for position in np.flatnonzero(self.processes.codes == code)]

    def operation(self, number: int) -> Operation:
        """The operation with this number, counted by invocation from 0."""
        at, done = int(self.invocations[number]), int(self.completions[number])
        last = at if done < 0 else done
        kind: EventType = "info" if done < 0 else TYPES[self.types[done]]
        session = None if self.sessions is None else self.sessions[at]
        f = self.f[at]
        value = self.values[at]
        if kind == "ok" and (f in READS or self.values[done] is not None):
            value = self.values[done]
        return Operation(
            index=int(self.indices[at]),
            return_index=None if done < 0 else int(self.indices[done]),
            time=int(self.times[at]),
            return_time=None if done < 0 or self.times[done] < 0 else int(self.times[done]),
            type=kind,
            process=self.processes[at],
            session=self.processes[at] if session is None else session,
            node=None if self.nodes is None else (self.nodes[last] or self.nodes[at]),
            f=f,
            key=None if self.keyed is None else self.keyed[at],
            value=value,
            # As with the value, only an ok answers: what an info or a fail carries beside the question says nothing.
            result=self.results[done] if kind == "ok" and self.results is not None else None,
            error=None if self.errors is None else self.errors[last],
            final=self.finals is not None and bool(self.finals[at] or self.finals[last]),
        )

    def operations(self) -> list[Operation]:
        """All operations of clients, in order of invocation; those that failed are among them."""
        return [self.operation(number) for number in range(len(self.invocations))]

    def keys(self) -> list[Key]:
        """The distinct keys of clients' operations, in order of first use."""
        if self.keyed is None:
            return []
        codes = self.keyed.codes[self.invocations]
        return [key for code in dict.fromkeys(codes.tolist()) if (key := self.keyed.table[code]) is not None]

    def filter(self, keep: Callable[[Operation], bool] | None = None, **fields: Any) -> History:
        """The history of those operations only: ``filter(key="x")``, ``filter(lambda op: op.type != "fail")``.

        Indices stay as they are. Faults stay.
        """
        for name in fields:
            if name not in Operation.__struct_fields__:
                raise ValueError(f"an operation has no field {name!r}")
        rows = np.ones(len(self), np.bool_)
        for number, operation in enumerate(self.operations()):
            kept = all(getattr(operation, name) == value for name, value in fields.items())
            if not (kept and (keep is None or keep(operation))):
                rows[self.invocations[number]] = False
                if self.completions[number] >= 0:
                    rows[self.completions[number]] = False
        return self._rows(np.flatnonzero(rows))

    def merge(self, *others: History) -> History:
        """One history of several recorded side by side with one clock, interleaved by time.

        Events of different histories at one instant count as concurrent. A process or session number that another
        history already uses is replaced by a fresh number; the nemesis stays one. Raises `BadHistory` without times.
        """
        taken: set[Process] = set()
        merged: list[tuple[tuple[int, int, int, int], dict[str, Any]]] = []
        for nth, history in enumerate((self, *others)):
            if len(history) and int(history.times.min()) < 0:
                raise BadHistory("merge needs the time of every event")
            own: dict[Process, Process] = {NEMESIS: NEMESIS}
            fresh = max((p for p in taken if isinstance(p, int)), default=-1) + 1
            fresh = max(fresh, max((p for p in history._names() if isinstance(p, int)), default=-1) + 1)
            for name in history._names():
                own[name] = name
                if name in taken and name != NEMESIS:
                    own[name], fresh = fresh, fresh + 1
            taken.update(own.values())
            for position, event in enumerate(history.events()):
                fields = {name: getattr(event, name) for name in Event.__struct_fields__ if name != "index"}
                fields["process"] = own[event.process]
                fields["session"] = None if event.session is None else own[event.session]
                merged.append(((event.time, event.type != "invoke", nth, position), fields))
        merged.sort(key=lambda pair: pair[0])
        return History.from_events(_untangled([fields for _, fields in merged]))

    def _names(self) -> list[Process]:
        names = list(self.processes.table)
        return (
            names
            if self.sessions is None
            else list(dict.fromkeys(names + [s for s in self.sessions.table if s is not None]))
        )

    def observing_failed_cas(self) -> History:
        """The same history in which a cas that failed is an answer: ``ok`` with ``result: false``."""
        changed = []
        for event in self.events():
            if event.type == "fail" and event.f == "cas":
                event = msgspec.structs.replace(event, type="ok", result=False)
            changed.append(event)
        return History.from_lines(changed, lambda position: f"event {position}")


class Line(msgspec.Struct, kw_only=True):
    """An event as it stands in a file, where most fields may be missing."""

    index: int | None = None
    time: int | None = None
    type: EventType
    process: Process
    session: Process | None = None
    node: str | None = None
    f: str
    key: Key = None
    value: Any = None
    result: Any = None
    error: Any = None
    final: bool = False


class Columns:
    """Columns under construction; lines are let go of as soon as they have been taken apart."""

    def __init__(self) -> None:
        self.index: list[int | None] = []
        self.time: list[int] = []
        self.type: list[EventType] = []
        self.process: list[Process] = []
        self.session: list[Process | None] = []
        self.node: list[str | None] = []
        self.f: list[str] = []
        self.key: list[Key] = []
        self.value: list[Any] = []
        self.result: list[Any] = []
        self.error: list[Any] = []
        self.final: list[bool] = []

    def extend(self, lines: Sequence[Event | Line]) -> None:
        self.index += [line.index for line in lines]
        self.time += [UNTIMED if line.time is None else line.time for line in lines]
        self.type += [line.type for line in lines]
        self.process += [line.process for line in lines]
        self.session += [line.session for line in lines]
        self.node += [line.node for line in lines]
        self.f += [line.f for line in lines]
        self.key += [line.key for line in lines]
        self.value += [line.value for line in lines]
        self.result += [line.result for line in lines]
        self.error += [line.error for line in lines]
        self.final += [line.final for line in lines]

    def indices(self, where: Callable[[int], str]) -> NDArray[np.int64]:
        if None not in self.index:
            return np.fromiter((index for index in self.index if index is not None), np.int64, len(self.index))
        for position, index in enumerate(self.index):
            if index is not None:
                hole = self.index.index(None)
                raise BadHistory(f"{where(hole)}: it has no index, but {where(position)} has one")
        return np.arange(len(self.index), dtype=np.int64)


class Coded:
    """A column of codes into a table of distinct values, in order of first use."""

    __slots__ = ("_lookup", "codes", "table")

    def __init__(self, codes: NDArray[np.int32], table: list[Any]) -> None:
        self.codes = codes
        self.table = table
        self._lookup: dict[Hashable, int] | None = None

    def __getitem__(self, position: int) -> Any:
        return self.table[self.codes[position]]

    def code(self, value: Any) -> int:
        """The code of a value, -1 if it does not occur."""
        if self._lookup is None:
            self._lookup = {token(item): code for code, item in enumerate(self.table)}
        return self._lookup.get(token(value), -1)

    def rows(self, rows: NDArray[Any]) -> Coded:
        return Coded(self.codes[rows], self.table)


_PLAIN = frozenset({type(None), str, int})


def coded(values: list[Any]) -> Coded:
    if set(map(type, values)) <= _PLAIN:
        table = list(dict.fromkeys(values))
        return Coded(_codes(values, {value: code for code, value in enumerate(table)}, np.int32), table)
    tokens = list(map(token, values))
    first: dict[Hashable, Any] = {}
    for name, value in zip(tokens, values, strict=True):
        first.setdefault(name, value)
    return Coded(_codes(tokens, {name: code for code, name in enumerate(first)}, np.int32), list(first.values()))


def coded_or_none(values: list[Any]) -> Coded | None:
    return None if values.count(None) == len(values) else coded(values)


def _codes(values: Sequence[Any], lookup: Mapping[Any, int], dtype: Any) -> NDArray[Any]:
    if len(lookup) == 1:
        return np.zeros(len(values), dtype)
    return np.fromiter(map(lookup.__getitem__, values), dtype, len(values))


def token(value: Any) -> Hashable:
    """A hashable stand-in that is equal exactly for equal JSON values: true is not 1, and a list is not a map."""
    kind = type(value)
    if kind in _PLAIN:
        return value  # type: ignore[no-any-return]
    if kind is bool or kind is float:
        return (kind, repr(value))
    if kind is list or kind is tuple:
        return (list, *map(token, value))
    if kind is dict:
        return (dict, frozenset((token(key), token(item)) for key, item in value.items()))
    if kind is set or kind is frozenset:
        return (set, frozenset(map(token, value)))
    return (kind, value)


def _order(indices: NDArray[np.int64], where: Callable[[int], str]) -> NDArray[Any] | None:
    """The permutation that sorts events by index, None if they are sorted; a repeated index is refused."""
    if bool((indices[1:] > indices[:-1]).all()):
        return None
    order = np.argsort(indices, kind="stable")
    again = np.flatnonzero(indices[order][1:] == indices[order][:-1])
    if len(again):
        position = int(order[again[0] + 1])
        raise BadHistory(f"{where(position)}: index {indices[position]} occurs twice")
    return order


def _fields(event: Sequence[Any], position: int) -> dict[str, Any]:
    names = {4: ("type", "process", "f", "value"), 5: ("type", "process", "f", "key", "value")}
    if not isinstance(event, (tuple, list)) or len(event) not in names:
        raise BadHistory(f"event {position}: expected an Event, a dict, or (type, process, f, [key,] value)")
    return dict(zip(names[len(event)], event, strict=True))


def _untangled(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put a process's completion before its own next invocation where both fall on one instant."""
    out: list[dict[str, Any]] = []
    waiting: dict[Any, dict[str, Any]] = {}
    open_now: set[Any] = set()
    for event in events:
        process = event.get("process")
        if process == NEMESIS:
            out.append(event)
        elif event.get("type") == "invoke":
            if process in open_now and process not in waiting:
                waiting[process] = event
                continue
            open_now.add(process)
            out.append(event)
        else:
            out.append(event)
            open_now.discard(process)
            if process in waiting:
                out.append(waiting.pop(process))
                open_now.add(process)
    for event in waiting.values():
        out.append(event)
    return out


def seconds(time: int) -> str:
    """Nanoseconds as seconds, without a rounding that could hide an order."""
    whole, rest = divmod(time, 1_000_000_000)
    digits = f"{rest:09d}"
    return f"{whole}.{digits if rest % 1000 else digits[:6]} s"


def show(value: Any) -> str:
    """A value as JSON writes it, nil for null; of a long list both ends, and how many elements it has."""
    if value is None:
        return "nil"
    if isinstance(value, (list, tuple)) and len(value) > _LONG:
        return f"[{','.join(map(show, value[:3]))},…,{','.join(map(show, value[-6:]))}] ({len(value):,} elements)"
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError):
        return repr(value)
