"""A history taken apart for a search: independent parts, each a few columns of small integers.

Operations that a model cannot tell apart (same f, value, answer) share a class, so that a model's step is asked once
for each state and class and then remembered. What failed is dropped, and so is a read that nobody saw the answer of.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from checkers.history import FAIL, INFO, OK, BadHistory, History, Operation
from checkers.model import ILLEGAL, Illegal, Keyed, Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = 1 << 62  # the return of an operation that is never over
REFUSED = -1  # in a table of steps: this state cannot give that answer
DOOMED = -3  # nor can any state that it leads to, short of a reset
_BLIND = object()  # every state from which no answer that was given can come, short of a reset
_BACK = 64  # resets that an observer is compared with at most; what it saw is nearly always one of the newest


class Part:
    """Operations of one part, in order of invocation.

    ``numbers`` are their numbers in the history, ``classes`` index the table of steps, ``begins`` and ``ends`` are
    positions of events, `NEVER` for info.
    """

    __slots__ = ("begins", "classes", "ends", "name", "numbers")

    def __init__(
        self, name: Hashable, numbers: list[int], classes: list[int], begins: list[int], ends: list[int]
    ) -> None:
        self.name = name
        self.numbers = numbers
        self.classes = classes
        self.begins = begins
        self.ends = ends

    def __len__(self) -> int:
        return len(self.numbers)

    def only(self, kept: Iterable[int]) -> Part:
        """The part that holds only these, given as places in this one, in order."""
        rows = list(kept)
        return Part(
            self.name,
            [self.numbers[i] for i in rows],
            [self.classes[i] for i in rows],
            [self.begins[i] for i in rows],
            [self.ends[i] for i in rows],
        )


class Steps:
    """A model's transitions, filled on demand: ``rows[state][class]`` is the next state, or `REFUSED`."""

    def __init__(self, model: Model, samples: Sequence[Operation]) -> None:
        self.model = model
        self.samples = samples  # one operation of each class
        self.looks_ahead = type(model).doomed is not Model.doomed
        self.observes = [model.observes(sample) for sample in samples]
        answers = [s for s, observes in zip(samples, self.observes, strict=True) if observes and s.type != "info"]
        self._foreseen = model.foresees(answers) if self.looks_ahead else None
        self.states: list[Any] = [model.initial]
        self._ids: dict[Any, int] = {model.initial: 0}
        self.rows: list[dict[int, int]] = [{}]

    def after(self, state: int, kind: int) -> int:
        """The next state, or `REFUSED`, or `DOOMED`."""
        known = self.rows[state].get(kind)
        return self.fill(state, kind) if known is None else known

    def fill(self, state: int, kind: int) -> int:
        """Ask the model, and remember."""
        before, sample = self.states[state], self.samples[kind]
        after = self.model.step(before, sample) if self._foreseen is None else self._step(before, kind)
        if isinstance(after, Illegal):
            doomed = self.observes[kind] and (before is _BLIND or self.model.doomed(before, sample))
            known = DOOMED if doomed else REFUSED
        else:
            known = self._ids.setdefault(after, len(self.states))
            if known == len(self.states):
                self.states.append(after)
                self.rows.append({})
            if known != state and self.observes[kind]:
                raise ValueError(f"{self.model.name} says that {sample.call} only observes, yet it changes a state")
        self.rows[state][kind] = known
        return known

    def _step(self, state: Any, kind: int) -> Any:
        """The model's step, but of states from which no answer can come before a reset there is only `_BLIND`."""
        sample = self.samples[kind]
        if state is _BLIND:
            if self.observes[kind]:
                return state if sample.type == "info" else ILLEGAL
            if not self.model.resets(sample):
                return state
            state = self.model.initial
        after = self.model.step(state, sample)
        assert self._foreseen is not None
        return after if self.observes[kind] or self._foreseen(after) else _BLIND


class Ahead:
    """What a search may foresee (see `Model.doomed`), per operation and per return; nothing where the model is silent.

    ``since[i]``: no reset that begins after this position can, short of others, lead to what observer ``i`` has seen,
    so that from then on either the state on hand leads to it, or a reset that is open, or nothing does. `NEVER` for
    what does not observe.
    ``watch``: of the observers for which that holds at a return, the one that ends last, if it is still to be invoked
    then; else -1.
    ``resets``: those that are open at a return.
    """

    __slots__ = ("resets", "since", "watch")

    def __init__(self, part: Part, table: Steps, returns: Sequence[int]) -> None:
        self.since = [NEVER] * len(part)
        self.watch = [-1] * len(returns)
        self.resets: list[list[int]] = [[]] * len(returns)
        if not table.looks_ahead:
            return
        begins, ends, observes = part.begins, part.ends, table.observes
        resetting = [not observes[kind] and table.model.resets(sample) for kind, sample in enumerate(table.samples)]
        resets = [i for i in range(len(part)) if resetting[part.classes[i]]]
        self._since(part, table, resets, [i for i in returns if observes[part.classes[i]]])
        waiting = sorted((i for i in returns if observes[part.classes[i]]), key=self.since.__getitem__, reverse=True)
        present: list[int] = []
        come, last = 0, None
        for level, i in enumerate(returns):
            before = come
            while come < len(resets) and begins[resets[come]] < ends[i]:
                come += 1
            present = [reset for reset in (*present, *resets[before:come]) if ends[reset] >= ends[i]]
            while waiting and self.since[waiting[-1]] < ends[i]:
                ready = waiting.pop()
                last = ready if last is None or ends[ready] > ends[last] else last
            if last is not None and begins[last] > ends[i]:
                self.watch[level] = last
            self.resets[level] = present

    def _since(self, part: Part, table: Steps, resets: list[int], observers: list[int]) -> None:
        """From each observer back over the resets that began before it ended, to the first that may lead to it."""
        reset_begins = [part.begins[i] for i in resets]
        for i in observers:
            place = bisect_left(reset_begins, part.ends[i])
            farthest = max(place - _BACK, 0)
            while place > farthest and self._leaves_doomed(table, part.classes[resets[place - 1]], part.classes[i]):
                place -= 1
            self.since[i] = reset_begins[place - 1] if place else -1

    @staticmethod
    def _leaves_doomed(table: Steps, reset: int, kind: int) -> bool:
        if not table.model.resets_forget:
            return False
        left = table.after(0, reset)
        return left >= 0 and table.after(left, kind) == DOOMED


class Columns:
    """The operations of a history that a checker has to explain, as arrays in order of invocation.

    ``f``, ``value``, ``result`` and ``key`` are codes into the history's tables (-1: none); ``info`` marks those that
    were never answered.
    """

    def __init__(self, history: History, model: Model) -> None:
        self.history = history
        done = history.completions
        kind = np.where(done >= 0, history.types[done], INFO)
        self.completed = int((kind == OK).sum())
        f = history.f.codes[history.invocations]
        reads = np.array([name in model.reads for name in history.f.table], np.bool_)
        keep = (kind != FAIL) & ~((kind == INFO) & reads[f])
        self._known(model, f[keep], np.flatnonzero(keep))
        self.numbers: NDArray[np.int64] = np.flatnonzero(keep)
        at, done = history.invocations[keep], done[keep]
        self.info: NDArray[np.bool_] = kind[keep] == INFO
        self.f: NDArray[np.int32] = f[keep]
        self.begins: NDArray[np.int64] = at
        self.ends: NDArray[np.int64] = np.where(self.info, NEVER, done)
        asked, answered = history.values.codes[at], history.values.codes[done]
        # An ok carries the value; one that left it out keeps the invocation's, except that a read may have seen nil.
        said = ~self.info & ((answered != history.values.code(None)) | reads[self.f])
        self.value: NDArray[np.int32] = np.where(said, answered, asked)
        self.key: NDArray[np.int32] | None = None if history.keyed is None else history.keyed.codes[at]
        self.result: NDArray[np.int32] | None = None
        if history.results is not None:
            self.result = np.where(self.info, history.results.code(None), history.results.codes[done]).astype(np.int32)

    def _known(self, model: Model, f: NDArray[np.int32], numbers: NDArray[np.int64]) -> None:
        if model.operations is None:
            return
        known = np.array([name in model.operations for name in self.history.f.table], np.bool_)
        strange = np.flatnonzero(~known[f])
        if len(strange):
            refuse(model, self.history.operation(int(numbers[strange[0]])))

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def refused(self) -> NDArray[np.bool_]:
        """Which operations were answered with no (``result: false``)."""
        results = self.history.results
        if results is None:
            return np.zeros(len(self), np.bool_)
        found: NDArray[np.bool_] = (self.result == results.code(False)) & ~self.info
        return found

    def rows(self, rows: NDArray[Any]) -> Columns:
        """Some of them, in the order given."""
        part = object.__new__(Columns)
        part.history, part.completed = self.history, self.completed
        for name in ("numbers", "info", "f", "begins", "ends", "value", "key", "result"):
            column = getattr(self, name)
            setattr(part, name, None if column is None else column[rows])
        return part

    def parts(self, model: Model) -> tuple[list[Part], Steps]:
        """One part per independent piece of the model's object, in order of first use, and their table of steps.

        Raises `BadHistory` for an operation that makes no sense to the model.
        """
        by_key = type(model).partition is Keyed.partition and self.key is not None
        n = len(self)
        nothing = [0] * n
        keys: list[int] = nothing if self.key is None else self.key.tolist()
        columns = zip(
            self.f.tolist(),
            self.value.tolist(),
            nothing if self.result is None else self.result.tolist(),
            self.info.tolist(),
            nothing if by_key else keys,
            strict=True,
        )
        numbers = self.numbers.tolist()
        ids: dict[tuple[Any, ...], int] = {}
        classes = [ids.setdefault(row, len(ids)) for row in columns]
        samples: list[Operation] = []
        for number, kind in zip(numbers, classes, strict=True):
            if kind == len(samples):
                sample = self.history.operation(number)
                refuse(model, sample)
                samples.append(sample)
        where: list[Hashable]
        if by_key:
            assert self.history.keyed is not None
            table = self.history.keyed.table
            where = [table[key] for key in keys]
        else:
            home = [model.partition(sample) for sample in samples]
            where = [home[kind] for kind in classes]
        found: dict[Hashable, Part] = {}
        for name, number, kind, begin, end in zip(
            where, numbers, classes, self.begins.tolist(), self.ends.tolist(), strict=True
        ):
            part = found.get(name)
            if part is None:
                part = found[name] = Part(name, [], [], [], [])
            part.numbers.append(number)
            part.classes.append(kind)
            part.begins.append(begin)
            part.ends.append(end)
        return list(found.values()), Steps(model, samples)


def refuse(model: Model, op: Operation) -> None:
    """Raise `BadHistory` if the operation makes no sense to the model."""
    reason = model.refusal(op)
    if reason is not None:
        raise BadHistory(f"event {op.index}: {reason}")
