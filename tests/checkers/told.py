"""What is said of versions, read sentence by sentence against the history, and the orders that are said to end.

Nothing here asks the checker: what an operation saw and when it was open is all that counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from checkers import Operation
from checkers.history import show
from checkers.model import Illegal, Model

_OP = r"<(?P<{}>\d+)>"
_A, _B, _W = (_OP.format(name) for name in "abw")


class _Sentence:
    """What it says of two operations and a witness of two elements, the kinds that they are of, and whether ``a`` comes
    before ``b`` then.
    """

    def __init__(self, pattern: str, true: Callable[..., bool], *, orders: bool = False) -> None:
        self.pattern = re.compile(pattern + "$")
        self.true = true
        self.orders = orders


def _read(op: Operation) -> list[str] | None:
    """What a read saw, as it is shown."""
    return [show(element) for element in op.value or ()] if op.f == "read" else None


def _added(op: Operation) -> str | None:
    return None if op.f == "read" else show(op.value)


def _over(a: Operation, b: Operation) -> bool:
    return a.end < b.index


def _saw(op: Operation, *elements: str) -> bool:
    seen = _read(op)
    return seen is not None and all(element in seen for element in elements)


def _missed(op: Operation, element: str) -> bool:
    seen = _read(op)
    return seen is not None and element not in seen


def _apart(w: Operation, x: str, how: str, y: str) -> bool:
    seen = _read(w) or []
    return _saw(w, x) and (_missed(w, y) if how == "and not" else _saw(w, y) and seen.index(x) < seen.index(y))


_CONTRADICTIONS = [
    _Sentence(
        rf"{_A} saw (?P<x>\S+) twice, which was added once",
        lambda a, x, ops: (_read(a) or []).count(x) > 1 and len(_of(ops, a, x)) <= 1,
    ),
    _Sentence(
        rf"{_A} saw (?P<x>\S+) and not (?P<y>\S+), {_B} saw (?P=y) and not (?P=x): neither can have come first",
        lambda a, b, x, y, ops: a.key == b.key and _saw(a, x) and _missed(a, y) and _saw(b, y) and _missed(b, x),
    ),
    _Sentence(
        rf"as element (?P<n>\d+) {_A} saw (?P<x>\S+), but {_B} saw (?P<y>\S+)",
        lambda a, b, n, x, y, ops: (
            a.key == b.key and [(_read(op) or [])[int(n) - 1] for op in (a, b)] == [x, y] != [y, x]
        ),
    ),
    _Sentence(
        rf"{_A} saw (?P<x>\S+), which nobody had added",
        lambda a, x, ops: _saw(a, x) and not any(op.index < a.end for op in _of(ops, a, x)),
    ),
]
_LATE = [
    _Sentence(
        rf"{_A} did not see (?P<x>\S+), though {_B} was over before it was invoked",
        lambda a, b, x, ops: a.key == b.key and _missed(a, x) and _added(b) == x and _over(b, a),
    ),
    _Sentence(
        rf"{_A} did not see (?P<x>\S+), though {_B} had seen it and was over before it was invoked",
        lambda a, b, x, ops: a.key == b.key and _missed(a, x) and _saw(b, x) and _over(b, a),
    ),
    _Sentence(
        rf"{_W} saw (?P<x>\S+) (?P<how>and not|before) (?P<y>\S+), though {_B} was over before {_A} was invoked",
        lambda a, b, w, x, y, how, ops: a.key == b.key == w.key
        and (_added(a), _added(b)) == (x, y) and _apart(w, x, how, y) and (how == "and not" or a.f == "append")
        and _over(b, a),
    ),
]  # fmt: skip
_STEPS = [
    _Sentence(
        rf"{_B} saw (?P<x>\S+), {_A} did not",
        lambda a, b, x, ops: a.key == b.key and _saw(b, x) and _missed(a, x),
        orders=True,
    ),
    _Sentence(
        rf"{_A} did not see what {_B} added",
        lambda a, b, ops: a.key == b.key and _missed(a, str(_added(b))) and _added(b) is not None,
        orders=True,
    ),
    _Sentence(
        rf"{_B} saw what {_A} added",
        lambda a, b, ops: a.key == b.key and _added(a) is not None and _saw(b, str(_added(a))),
        orders=True,
    ),
    _Sentence(
        rf"{_W} saw (?P<x>\S+) (?P<how>and not|before) (?P<y>\S+), so {_A} came before {_B}",
        lambda a, b, w, x, y, how, ops: a.key == b.key == w.key
        and (_added(a), _added(b)) == (x, y) and _apart(w, x, how, y) and (how == "and not" or a.f == "append"),
        orders=True,
    ),
    _Sentence(
        rf"{_B} follows {_A} in session (?P<s>\S+)",
        lambda a, b, s, ops: show(a.session) == show(b.session) == s and _over(a, b),
        orders=True,
    ),
    _Sentence(
        rf"{_A} was answered before {_B} was invoked",
        lambda a, b, ops: _over(a, b) and a.f != "read" != b.f,
        orders=True,
    ),
]  # fmt: skip


def _of(ops: Sequence[Operation], read: Operation, element: str) -> list[Operation]:
    """Who added an element to the object that was read."""
    return [op for op in ops if op.key == read.key and _added(op) == element and op.type != "fail"]


def explained(name: str, ops: Sequence[Operation], reasons: Sequence[str], witness: Sequence[Operation]) -> None:
    """Raise AssertionError for a sentence that is not true, that speaks of what is not in the witness, or that this
    consistency cannot say; and for steps that are no circle, or go a way round.
    """
    known = {str(op): op for op in ops}
    steps: list[tuple[int, int]] = []
    follows: list[bool] = []
    for reason in reasons:
        text = reason
        for told, op in known.items():
            text = text.replace(told, f"<{op.index}>")
        kinds = [*_CONTRADICTIONS, *(_LATE if name == "linearizable" else _STEPS)]
        kind, match = next((kind, match) for kind in kinds if (match := kind.pattern.match(text)))
        at = {op.index: op for op in ops}
        meant: dict[str, Any] = {
            part: at[int(said)] if part in "abw" else said for part, said in match.groupdict().items()
        }
        assert kind.true(**meant, ops=ops), reason
        assert {op.index for op in meant.values() if isinstance(op, Operation)} <= {op.index for op in witness}, reason
        assert kind.orders or len(reasons) == 1
        if kind.orders:
            steps.append((meant["a"].index, meant["b"].index))
            follows.append("s" in meant)
            assert name == "osc(u)" or "answered before" not in reason
    for n, (_, to) in enumerate(steps):
        after = (n + 1) % len(steps)
        assert steps[after][0] == to, "each step begins where the last one ended, in a circle"
        assert not (follows[n] and follows[after]), "what is in one session is so from its first to its last"
    assert len({a for a, _ in steps}) == len(steps), "no operation is passed twice"


def shortest(name: str, ops: Sequence[Operation]) -> int:
    """Of how many operations the shortest circle is, if each but the last leads to one that has to come after it: in
    its session the next to be answered, or any of its object or, for osc(u), any addition that was invoked later.
    """
    done = [op for op in ops if op.type == "ok" or (op.type == "info" and any(_sees(op, read) for read in ops))]
    reads = [op for op in done if op.f == "read"]

    def before(a: Operation, b: Operation) -> bool:
        if a.session == b.session and _over(a, b):
            return not any(a.session == c.session and _over(a, c) and _over(c, b) for c in done)
        if name == "osc(u)" and a.f != "read" != b.f and _over(a, b):
            return True
        if a.key != b.key:
            return False
        if a.f == "read":
            return not _sees(b, a) if b.f != "read" else any(not _saw(a, x) for x in _read(b) or [])
        if b.f == "read":
            return _sees(a, b)
        x, y = str(_added(a)), str(_added(b))
        ordered = a.f == "append"
        return any(
            r.key == a.key and (_apart(r, x, "and not", y) or (ordered and _apart(r, x, "before", y))) for r in reads
        )

    leads = {a.index: [b.index for b in done if b is not a and before(a, b)] for a in done}
    best = 0
    for base in leads:
        ring, length, met = {base}, 1, {base}
        while ring and (not best or length < best):
            after = {to for at in ring for to in leads[at]}
            if base in after:
                best = length
                break
            ring, length, met = after - met, length + 1, met | after
    return best


def _sees(addition: Operation, read: Operation) -> bool:
    return addition.f != "read" and addition.key == read.key and read.type == "ok" and _saw(read, str(_added(addition)))


def ended(model: Model, ops: Sequence[Operation], longest: Sequence[Operation], stuck: Operation) -> None:
    """Raise AssertionError unless the order can come first, and nothing that the reads allow goes on with ``stuck``."""
    state = model.initial
    for n, op in enumerate(longest):
        state = model.step(state, op)
        assert not isinstance(state, Illegal)
        assert not any(_over(later, op) for later in longest[n + 1 :])
    assert stuck not in longest
    begun = [*longest, stuck]
    rest = [op for op in ops if op.key == stuck.key and op not in begun and op.type != "fail"]
    rest = [op for op in rest if op.type == "ok" or op.f != "read"]
    first = not any(_over(other, op) for other in rest for op in begun)
    assert not (first and _goes_on(model, model.step(state, stuck), rest)), "what is stuck can come next"


def _goes_on(model: Model, state: Any, rest: list[Operation]) -> bool:
    """Whether some order of the rest explains all that was answered, whenever it was."""
    if isinstance(state, Illegal):
        return False
    if all(op.type != "ok" for op in rest):
        return True
    return any(_goes_on(model, model.step(state, op), [other for other in rest if other is not op]) for op in rest)
