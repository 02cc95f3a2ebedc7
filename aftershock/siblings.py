"""The four packages beside this one, and what to do when a working directory has one of the same name.

Aftershock is five packages side by side. Three of them have names that many projects use for folders of their own, and
``python -m`` puts the working directory ahead of everything that is installed: ``reports`` may then be somebody else's.
The command owns its process and lets such a folder step back (`step_back`); a library does not, and says who is in
the way (`require`). Nothing is imported to find that out.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

NAMES = ("bench", "scenarios", "checkers", "reports")
HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Hidden(ImportError):
    """A sibling cannot be imported: something else bears its name, or it is not there at all."""


def step_back() -> None:
    """Moves the entries of ``sys.path`` that hide a sibling to its end, so that the installed ones are found.

    They stay importable, since a plugin may need what else is in them. For processes that are Aftershock's own; those
    that they start inherit the order.
    """
    if not any(_stranger(name) for name in NAMES):
        return
    ahead = sys.path[: _position_of_home()]
    hiding = [entry for entry in ahead if any(_provides(entry, name) for name in NAMES)]
    rest = [entry for entry in sys.path if entry not in hiding]
    home = [] if any(_is_home(entry) for entry in rest) else [HOME]
    sys.path[:] = rest + home + hiding


def require(*names: str) -> None:
    """Raises `Hidden`, with what to do about it, unless all of ``names`` would be imported from beside this package."""
    for name in names:
        stranger = _stranger(name)
        if stranger is None:
            continue
        raise Hidden(f"aftershock: {_explained(name, stranger)}", name=name, path=stranger or None)


def _explained(name: str, stranger: str) -> str:
    if not stranger:
        return (
            f"its package {name!r} is missing from {HOME}: the installation is incomplete.\n"
            "  Install it again: python -m pip install --force-reinstall aftershock"
        )
    folder = os.path.dirname(stranger)
    if name in sys.modules:
        way_out = "it was imported before Aftershock was, so Aftershock cannot have the name in this process"
    else:
        way_out = f"{folder} comes before {HOME} on sys.path"
    return (
        f"its package {name!r} is hidden by {stranger}:\n"
        f"  {way_out}.\n"
        f"  Rename that one or keep {folder} off sys.path (PYTHONPATH, pytest's rootdir), or run: aftershock"
    )


def _stranger(name: str) -> str | None:
    """What ``import name`` would find instead of the sibling: None if the sibling itself, "" if nothing."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module of that name is loaded and does not say where it comes from
        return f"a module {name!r} without a file"
    if spec is None:
        return ""
    place = _place(spec)
    folder = os.path.dirname(place)
    return None if folder and _is_home(folder) else place


def _place(spec: ModuleSpec) -> str:
    """The folder of a package, the file of a module."""
    folders = list(spec.submodule_search_locations or ())
    return folders[0] if folders else spec.origin or f"a module {spec.name!r} without a file"


def _provides(entry: str, name: str) -> bool:
    """Whether ``entry`` alone would satisfy ``import name``. A folder without ``__init__.py`` yields to any package."""
    spec = PathFinder.find_spec(name, [entry])
    return spec is not None and spec.origin is not None


def _position_of_home() -> int:
    return next((i for i, entry in enumerate(sys.path) if _is_home(entry)), len(sys.path))


def _is_home(folder: str) -> bool:
    try:
        return os.path.samefile(folder or os.curdir, HOME)
    except OSError:
        return False
