"""What the clients talk to, as a sequential object: an initial state and a step.

A model of one's own needs nothing but these two:

    class Stack(Model):
        initial = ()
        def step(self, state, op):
            if op.f == "push":
                return (op.value, *state)
            if op.type == "info":                      # nobody knows what was popped
                return state[1:] if state else ILLEGAL
            return state[1:] if state and state[0] == op.value else ILLEGAL

States must be hashable and equal exactly when they are the same. `step` must be a function of the state and of the
operation's f, key, value, result and type: it is called once for each such pair and remembered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar, Final, final

from checkers.history import READS, Operation

# Any hashable value is a state.
State = Any


@final
class Illegal:
    """The answer of a step that cannot happen."""

    def __repr__(self) -> str:
        return "ILLEGAL"

    def __bool__(self) -> bool:
        return False


ILLEGAL: Final = Illegal()


class Model(ABC):
    """A sequential object. ``initial`` is its first state; ``step`` returns the next one, or `ILLEGAL`.

    An operation of type "info" has no known answer: its ``result`` is None, its ``value`` is what was asked, and its
    step must allow every answer that is possible. Those in `reads` that have no answer are not asked about.
    """

    initial: State = None
    operations: ClassVar[frozenset[str] | None] = None  # the f that it knows; None: left to step
    reads: ClassVar[frozenset[str]] = READS  # the f that never change a state

    @property
    def name(self) -> str:
        """What a verdict calls it: built-in models by their file's name, others by their class."""
        module = type(self).__module__
        return (
            module.rpartition(".")[2].replace("_", "-")
            if module.startswith("checkers.models.")
            else type(self).__name__
        )

    @abstractmethod
    def step(self, state: State, op: Operation) -> State | Illegal:
        """The state after ``op`` was answered as it was, or `ILLEGAL` if this state cannot give that answer."""

    def partition(self, op: Operation) -> Hashable:
        """The part of the object that ``op`` touches; parts are judged one by one. By default there is one part."""
        return None

    def refusal(self, op: Operation) -> str | None:
        """Why ``op`` makes no sense to this model, None if it does."""
        if self.operations is not None and op.f not in self.operations:
            return f"the model {self.name} does not know {op.f!r}; it knows {', '.join(sorted(self.operations))}"
        return None

    def observes(self, op: Operation) -> bool:
        """Whether ``op``, answered as it was, changes no state at all: a search may then place it as soon as it fits.

        False is always safe. By default the operations named in `reads` do, and nothing else.
        """
        return op.f in self.reads

    def doomed(self, state: State, op: Operation) -> bool:
        """Whether only an operation that `resets` could lead from ``state`` to one that gives the answer of ``op``.

        Where states only grow, this lets a search look ahead. False is always safe. Asked of operations that observe.
        """
        return False

    def resets(self, op: Operation) -> bool:
        """Whether ``op`` may undo that; True is always safe."""
        return True

    # Whether what a reset leaves never depends on the state before it, as with a put: then more can be foreseen.
    resets_forget: ClassVar[bool] = False

    def foresees(self, answers: Sequence[Operation]) -> Callable[[State], bool] | None:
        """A quick test whether a state is not `doomed` for one at least of these observed answers; None: there is none.

        States that fail it are then taken for one, as nothing before the next reset can tell them apart. Only for a
        model whose resets forget, and whose other operations are possible in every state.
        """
        return None

    def rests_on(self, op: Operation, other: Operation) -> bool:
        """Whether the answer of ``op`` may rest on ``other`` having happened: a witness keeps the two together.

        It must be true whenever dropping ``other`` from a valid history could make ``op`` impossible. It is never asked
        of an ``other`` that only observes.
        """
        return other.f not in self.reads and other.result is not False

    # The f of which that holds even for what began after they had ended; of all others it is not asked then.
    rest_on_later: ClassVar[frozenset[str]] = frozenset()

    def describe(self, state: State) -> str:
        """A state in words, for explanations."""
        from checkers.history import show

        return show(thaw(state))


class Keyed(Model):
    """A model with one independent object per key."""

    def partition(self, op: Operation) -> Hashable:
        return op.key


PLAIN = frozenset({int, str, float, type(None)})  # types of values that are hashable states as they are


def freeze(value: Any) -> Hashable:
    """A JSON value as a hashable state that is equal exactly for equal values: lists become tuples, true is not 1."""
    kind = type(value)
    if kind in PLAIN:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return _TRUE if value else _FALSE
    if kind is list or kind is tuple:
        return tuple(map(freeze, value))
    if kind is dict:
        return frozenset((freeze(key), freeze(item)) for key, item in value.items())
    if kind is set or kind is frozenset:
        return frozenset(map(freeze, value))
    return value  # type: ignore[no-any-return]


class _Truth:
    def __init__(self, value: bool) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


_TRUE, _FALSE = _Truth(True), _Truth(False)


def thaw(state: Any) -> Any:
    """Undo `freeze` for display, as far as it goes."""
    if isinstance(state, _Truth):
        return state.value
    if isinstance(state, tuple):
        return [thaw(item) for item in state]
    if isinstance(state, frozenset):
        return sorted((thaw(item) for item in state), key=repr)
    return state
