"""The built-in models: the folder is the registry, and a file's stem is its model's name.

The contract is `checkers.model`. (Modules here are called list and set, which would hide the built-ins in this file.)
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from checkers.model import ILLEGAL, Illegal, Keyed, Model, freeze

__all__ = ["ILLEGAL", "Illegal", "Keyed", "Model", "by_name", "freeze", "names"]


@cache
def names() -> tuple[str, ...]:
    """The built-in models: the folder is the registry."""
    return tuple(info.name.replace("_", "-") for info in iter_modules(__path__) if info.name != "infer")


def by_name(name: str, **parameters: Any) -> Model:
    """A built-in model, for example ``by_name("kv", initial=0)``; a `ValueError` lists the names."""
    stem = name.replace("_", "-")
    if stem not in names():
        raise ValueError(f"there is no model {name!r}; models are {', '.join(names())}")
    module = import_module(f"{__name__}.{stem.replace('-', '_')}")
    model: Model = module.MODEL(**parameters)
    return model
