"""Judge histories: load anything, decide which consistency it satisfies, and prove it when it does not.

This package stands alone: copied into an environment with numpy and msgspec it works, with numba it is faster.

>>> from checkers import History, check
>>> history = History.from_events([
...     ("invoke", 1, "write", 5), ("ok", 1, "write", 5), ("invoke", 2, "read", None), ("ok", 2, "read", 5)])
>>> bool(check(history, "linearizable"))
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checkers import models
    from checkers.consistency import check
    from checkers.history import BadHistory, Event, History, Operation
    from checkers.model import ILLEGAL, Model
    from checkers.models.infer import infer_model
    from checkers.observations import Observation, Observations
    from checkers.recorder import Recorder
    from checkers.verdict import Outcome, Verdict

__all__ = [
    "ILLEGAL",
    "BadHistory",
    "Event",
    "History",
    "Model",
    "Observation",
    "Observations",
    "Operation",
    "Outcome",
    "Recorder",
    "Verdict",
    "check",
    "infer_model",
    "models",
]

# Nothing is imported before it is asked for: numpy alone takes a tenth of a second.
_HOME = {
    "ILLEGAL": "checkers.model",
    "BadHistory": "checkers.history",
    "Event": "checkers.history",
    "History": "checkers.history",
    "Model": "checkers.model",
    "Observation": "checkers.observations",
    "Observations": "checkers.observations",
    "Operation": "checkers.history",
    "Outcome": "checkers.verdict",
    "Recorder": "checkers.recorder",
    "Verdict": "checkers.verdict",
    "check": "checkers.consistency",
    "infer_model": "checkers.models.infer",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "models":
        return import_module("checkers.models")
    if name not in _HOME:
        raise AttributeError(f"module 'checkers' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
