"""The final reads of a history: what each replica held of each key after the quiescent point.

The point is marked by the reads themselves (``final``): when the first of them is invoked, nobody else may be under
way, or what follows is not quiet. Replicas are the nodes that the event ``heal`` of the nemesis names, since these are
whole then; without it the nodes that answered anything; where nobody names nodes, readers stand for replicas.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from checkers.history import READS, History, Operation, show
from checkers.model import Model, freeze
from checkers.models.consensus import Consensus
from checkers.models.counter import Counter
from checkers.models.list import AppendList
from checkers.models.register import Register
from checkers.models.set import ElementSet


class FinalReads:
    """``reads`` are the final reads that were answered, by key. ``problem`` says why there is nothing to judge, or
    None.
    """

    def __init__(self, history: History, model: Model) -> None:
        told = history.operations()
        self.asked = [op for op in told if op.final]
        self.operations = [op for op in told if op.type != "fail"]
        for op in self.operations:
            _known(model, op)
        self.reads: dict[Any, list[Operation]] = {}
        for op in self.operations:
            if op.final and op.f in READS and op.type == "ok":
                self.reads.setdefault(op.key, []).append(op)
        self.updates = [op for op in self.operations if op.f not in READS]
        self.healed = healed(history)
        self.shape = shape_of(model)
        self.problem = self._problem(history, model)

    def _problem(self, history: History, model: Model) -> str | None:
        if self.shape is None:
            return (
                f"final reads of the model {model.name} are not judged; register, kv, set, counter, list, consensus are"
            )
        if not self.asked:
            return "no read is marked final: there is no quiescent point"
        start = min(op.index for op in self.asked)
        for op in self.operations:
            if not op.final and op.f not in READS and op.end != float("inf") and op.end > start:
                return f"{op} was under way when the final reads began: that point is not quiet"
        return None

    def missing(self) -> str | None:
        """A replica that was not read, in words; None if every key was read on every replica."""
        answering = [op.node for op in self.operations if op.node is not None]
        return self._missing(answering if self._alone or self.healed is None else self.healed)

    def unasked(self) -> str | None:
        """As `missing`, but a single session that asks for every key reads the system, whoever answers it."""
        return self._missing([]) if self._alone else self.missing()

    @property
    def _alone(self) -> bool:
        return len({op.session for op in self.asked}) == 1

    def _missing(self, nodes: Sequence[str]) -> str | None:
        keys = list(dict.fromkeys(op.key for op in self.operations))
        replicas: list[Hashable] = list(dict.fromkeys(nodes))
        for key in keys:
            read = {replica(op) for op in self.reads.get(key, ())}
            named = "" if key is None else f" of key {show(key)}"
            if not read:
                return f"no final read{named} was answered"
            lacking = [node for node in replicas if node not in read]
            if lacking:
                return f"replica {lacking[0]} answered no final read{named}"
        return None


def healed(history: History) -> tuple[str, ...] | None:
    """The nodes that are whole after the faults, if the nemesis says so."""
    for event in history.nemesis():
        if event.f == "heal" and isinstance(event.value, dict) and isinstance(event.value.get("nodes"), (list, tuple)):
            return tuple(map(str, event.value["nodes"]))
    return None


def replica(op: Operation) -> Hashable:
    """The replica that a read speaks of."""
    return op.node if op.node is not None else ("session", str(op.session))


def shape_of(model: Model) -> str | None:
    """What reads of this model return: one value, a set or a list of elements, a sum, or a decision."""
    if isinstance(model, Register):
        return "register"
    if isinstance(model, ElementSet):
        return "set"
    if isinstance(model, AppendList):
        return "list"
    if isinstance(model, Consensus):
        return "decision"
    return "counter" if isinstance(model, Counter) else None


def content(shape: str, op: Operation) -> Hashable:
    """What a read returned, comparable between replicas."""
    match shape:
        case "set":
            return frozenset(freeze(item) for item in op.value or ())
        case "list":
            return tuple(freeze(item) for item in op.value or ())
        case "counter":
            return op.value or 0
        case _:
            return freeze(op.value)


def happened(op: Operation) -> bool:
    """Whether an update may have changed anything: one whose answer says no did not. A proposal is answered with the
    decision, which may be false.
    """
    return op.result is not False or op.f == "propose"


def _known(model: Model, op: Operation) -> None:
    from checkers.parts import refuse

    refuse(model, op)
