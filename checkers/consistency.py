"""One entry point for every consistency: a name finds a module of this package that defines ``judge``.

A new consistency is one new file, ``checkers/<name>.py``, with a ``NAME`` and a
``judge(history, model, budget) -> Verdict``. One that has parameters of its own names them after these three, and
converts them in ``allowed(**parameters)``, which raises `ValueError` for those that make no sense.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import checkers
from checkers.budget import Budget
from checkers.history import BadHistory, History
from checkers.model import Model
from checkers.models import by_name
from checkers.models.infer import infer_model
from checkers.verdict import Verdict, unknown

ALIASES = {"strong": "linearizable", "weak": "bounded-staleness", "osc(u)": "osc-u", "causal": "cm"}


@cache
def _parameters(module: ModuleType) -> tuple[str, ...]:
    return tuple(signature(module.judge).parameters)[3:]


def parameters(consistency: str) -> tuple[str, ...]:
    """What a consistency can be told beside the history, the model and the budget: ``("t", "k")``, or nothing.

    Raises `ValueError` for an unknown consistency.
    """
    return _parameters(_module(consistency))


def requested(text: str) -> tuple[str, dict[str, Any]]:
    """A consistency and its parameters, in their order, from "bounded-staleness:t=50ms,k=2" or a name alone.

    Raises `ValueError` that says what was expected, for parameters that make no sense as for those that do not exist.
    """
    name, colon, rest = text.partition(":")
    if not colon:
        return name, {}
    told: dict[str, Any] = {}
    for pair in rest.split(","):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            raise ValueError(f"expected MODEL:NAME=VALUE, such as bounded-staleness:t=50ms, not {pair!r}")
        if key in told:
            raise ValueError(f"{key} is given twice")
        told[key] = value
    module = _module(name)
    _refuse(name, module, told)
    module.allowed(**told)
    return name, {key: told[key] for key in _parameters(module) if key in told}


def _refuse(consistency: str, module: ModuleType, told: Iterable[str]) -> None:
    own = _parameters(module)
    for name in told:
        if name not in own:
            raise ValueError(f"{consistency} has no parameter {name!r}" + (f"; it has {', '.join(own)}" if own else ""))


def check(
    history: History,
    consistency: str = "linearizable",
    model: Model | str | None = None,
    *,
    steps: int | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    **parameters: Any,
) -> Verdict:
    """Judge a history against a consistency model.

    ``model`` is what the clients talk to: a `Model`, its name, or None to infer it from the operations. ``steps``
    bounds
    the search in configurations and is deterministic; ``timeout`` (seconds) and ``memory`` (bytes of the search's own
    tables, 2 GiB if not given) guard from outside, and a verdict they cut short is unknown and not reproducible.

    ``parameters`` are the consistency's own, such as ``t="50ms"`` of bounded-staleness.

    Raises `BadHistory` for operations that the model does not know and `ValueError` for an unknown consistency.
    """
    module = _module(consistency)
    _refuse(consistency, module, parameters)
    codes = history.f.codes[history.invocations]
    txn = history.f.code("txn")
    if txn >= 0 and (codes == txn).any():
        at = int(history.indices[history.invocations[int((codes == txn).argmax())]])
        raise BadHistory(f'event {at}: transactions (f = "txn") are not judged yet')
    if len(history.invocations) == 0:
        return unknown(ALIASES.get(consistency, consistency), "the history has no operations")
    if model is None:
        model = infer_model(history)
    if isinstance(model, str):
        model = by_name(model)
    verdict: Verdict = module.judge(history, model, Budget(steps=steps, timeout=timeout, memory=memory), **parameters)
    return verdict


def consistencies() -> list[str]:
    """The names that `check` accepts, without aliases."""
    found = []
    for info in iter_modules(checkers.__path__):
        if (
            not info.ispkg
            and not info.name.startswith(_NOT_CONSISTENCIES)
            and _judges(import_module(f"checkers.{info.name}"))
        ):
            found.append(info.name.replace("_", "-"))
    return found


_NOT_CONSISTENCIES = ("compiled", "consistency")  # looking in would import a compiler, or this module again


def _judges(module: ModuleType) -> bool:
    """A part of a checker may have a ``judge`` of its own; a consistency has a name as well."""
    return hasattr(module, "judge") and hasattr(module, "NAME")


def _module(name: str) -> ModuleType:
    stem = ALIASES.get(name, name).replace("-", "_")
    if stem.isidentifier() and find_spec(f"checkers.{stem}") is not None:
        module = import_module(f"checkers.{stem}")
        if _judges(module):
            return module
    known = ", ".join(sorted([*consistencies(), *(alias for alias, of in ALIASES.items() if of in consistencies())]))
    raise ValueError(f"there is no consistency {name!r}; known are {known}")
