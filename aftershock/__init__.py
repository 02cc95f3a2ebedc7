"""Aftershock: runs consensus protocols under scripted faults, records what clients saw, and judges it.

    from aftershock import History, check

    verdict = check(History.load("history.jsonl"), "linearizable", model="cas-register")
    assert verdict, verdict

This is the public name. What it offers lives in the packages beside it and is imported when first asked for, so that
``aftershock --help`` does not wait for numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = ["ILLEGAL", "History", "Model", "Outcome", "Recorder", "Verdict", "check", "run"]

if TYPE_CHECKING:
    from aftershock.experiment import run
    from checkers import ILLEGAL, History, Model, Outcome, Recorder, Verdict, check
else:
    _HOMES = dict.fromkeys(__all__, "checkers") | {"run": "aftershock.experiment"}

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'aftershock' has no attribute {name!r}")
        import importlib

        from aftershock import siblings

        home = _HOMES[name]
        siblings.require(*(siblings.NAMES if name == "run" else ("checkers",)))
        value = globals()[name] = getattr(importlib.import_module(home), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
