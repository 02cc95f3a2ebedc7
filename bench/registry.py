"""What there is: protocols, mutants, faults and workloads, by name.

The folder is the registry: the stem of a file in ``bench/protocols``, or the name of a folder there, is a protocol's
name, and so for the other kinds.
A third party adds to it through entry points (groups ``aftershock.protocols``, ``.faults``, ``.workloads``), through
``plugins = ["mine.py"]`` in the table ``[tool.aftershock]`` of the ``pyproject.toml`` in the working directory, or with
``--plugin FILE``; such a file may define a ``PROTOCOL`` (under the file's stem), fault classes and workload classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from bench.fault import EVENTS, FaultKind
from bench.protocol import Mode, Protocol
from bench.workload import WorkloadKind
from checkers import invariants
from scenarios.schema import BoundsKind, Kinds, ProtocolKind

CONSISTENCIES = (
    "linearizable",
    "osc-u",
    "sequential",
    "cm",
    "ccv",
    "cc",
    "pram",
    "read-your-writes",
    "monotonic-reads",
    "monotonic-writes",
    "writes-follow-reads",
    "bounded-staleness",
    "eventual",
    "no-lost-writes",
)
"""What clients may be promised, the strongest first; finding the modules that judge them would import them all."""

BOUNDED = "bounded-staleness"
"""The one of these that can be told how much it allows: ``bounded-staleness:t=50ms,k=2``."""

CHECKERS = (*CONSISTENCIES, *invariants.SINGLE, invariants.NAME, "progress")
"""Every verdict that a run can have, in the order in which they are shown."""


_plugins: set[str] = set()
"""The top-level modules that came as plugins, in this process."""


class BadPlugin(ValueError):
    """A plugin that cannot be used; one line that says why."""


@contextmanager
def answerable(doing: str) -> Iterator[None]:
    """What fails in a plugin's code is told as the plugin's failure: where, and doing what. Raises `BadPlugin`."""
    try:
        yield
    except Exception as error:
        frames = [
            (frame, line)
            for frame, line in traceback.walk_tb(error.__traceback__)
            if str(frame.f_globals.get("__name__")).partition(".")[0] in _plugins
        ]
        if not frames:
            raise
        frame, line = frames[-1]
        code = frame.f_code
        where = f"{code.co_filename}:{line}: in {code.co_name}"
        raise BadPlugin(f"{where}: {type(error).__name__}: {error}\n  ({doing})") from error


def _known(column: str, checker: str) -> None:
    """Raise `BadPlugin` for what a mode says of a checker that there is not, or cannot be so bounded."""
    if checker.partition(":")[0] not in CHECKERS:
        raise BadPlugin(f"{column}: {checker!r} is no checker; the checkers are {', '.join(CHECKERS)}")
    try:
        spelled(checker)
    except ValueError as error:
        raise BadPlugin(f"{column}: {checker}: {error}") from None


def _called(node: object) -> str:
    return getattr(node, "__name__", repr(node))


def spelled(checker: str) -> str:
    """A consistency with its bounds, spelled in the one way: no blanks, and the bounds in their order.

    Raises `ValueError` for bounds that make no sense.
    """
    from checkers.consistency import requested

    name, bounds = requested(checker)
    return name + ":" * bool(bounds) + ",".join(f"{key}={value}" for key, value in bounds.items())


@dataclass
class Registry:
    """Everything that can be named in a scenario or on the command line."""

    protocols: dict[str, Protocol] = field(default_factory=dict)
    faults: dict[str, type[FaultKind]] = field(default_factory=dict)
    workloads: dict[str, type[WorkloadKind]] = field(default_factory=dict)

    @classmethod
    def load(cls, plugins: Iterable[str | Path] = ()) -> Registry:
        """The built-in ones, those of installed distributions, and those of these files. Raises `BadPlugin`."""
        registry = cls()
        for folder in ("protocols", "mutants", "faults", "workloads"):
            package = importlib.import_module(f"bench.{folder}")
            for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
                registry.add(importlib.import_module(f"bench.{folder}.{module.name}"), module.name)
        installed = entry_points()
        for group in ("protocols", "faults", "workloads"):
            for point in sorted(installed.select(group=f"aftershock.{group}"), key=lambda point: point.name):
                whose = f"the installed plugin {point.name} ({point.module})"
                registry._take(partial(importlib.import_module, point.module), point.name, whose)
        for plugin in plugins:
            registry.add_file(Path(plugin))
        return registry

    def add(self, module: ModuleType, name: str) -> bool:
        """Take what a module defines; false when it defines nothing that is known here."""
        found = False
        protocol = getattr(module, "PROTOCOL", None)
        if isinstance(protocol, Protocol):
            for mode, of in protocol.modes.items():
                if unwritten := getattr(of.node, "__abstractmethods__", None):
                    raise BadPlugin(f"{name}/{mode}: {_called(of.node)} lacks {', '.join(sorted(unwritten))}")
                for model in (*of.promised, *of.breaks):
                    _known(f"{name}/{mode}", model)
            self._put(self.protocols, name, protocol, "protocol")
            found = True
        for item in vars(module).values():
            if isinstance(item, type) and item.__module__ == module.__name__:
                if issubclass(item, FaultKind) and isinstance(tag := item.__struct_config__.tag, str):
                    self._put(self.faults, tag, item, "fault")
                    found = True
                elif issubclass(item, WorkloadKind) and isinstance(tag := item.__struct_config__.tag, str):
                    self._put(self.workloads, tag, item, "workload")
                    found = True
        return found

    @staticmethod
    def _put(table: dict, name: str, item: object, kind: str) -> None:  # type: ignore[type-arg]
        if name in table:
            raise BadPlugin(f"there is a {kind} called {name} already")
        table[name] = item

    def add_file(self, path: Path) -> None:
        """Take what a Python file defines."""
        name = f"aftershock_plugin_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        loader = spec.loader if spec is not None else None
        if spec is None or loader is None or not path.is_file():
            raise BadPlugin(f"{path}: no such Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module

        def load() -> ModuleType:
            loader.exec_module(module)
            return module

        self._take(load, path.stem, str(path))

    def _take(self, load: Callable[[], ModuleType], name: str, whose: str) -> None:
        """Load a plugin and take what it defines."""
        try:
            module = load()
        except Exception as error:  # whatever it is, it is the plugin's
            raise BadPlugin(f"{whose}: {type(error).__name__}: {error}") from error
        _plugins.add(module.__name__.partition(".")[0])
        if not self.add(module, name):
            raise BadPlugin(f"{whose}: defines no PROTOCOL, no fault and no workload")

    def kinds(self) -> Kinds:
        """What scenarios may name."""
        from checkers.consistency import parameters

        return Kinds(
            faults=self.faults,
            workloads=self.workloads,
            protocols={
                name: ProtocolKind(parameters=protocol.parameters, modes=tuple(protocol.modes))
                for name, protocol in self.protocols.items()
            },
            events=tuple(EVENTS),
            checkers=CHECKERS,
            bounds={BOUNDED: BoundsKind(parameters(BOUNDED), "t=50ms,k=2", spelled)},
        )

    def column(self, column: str) -> tuple[str, Protocol, str, Mode]:
        """The protocol and mode that "raft/log" or "raft" name. Raises `KeyError` with the name that is not known."""
        name, _, mode = column.partition("/")
        protocol = self.protocols[name]
        mode = mode or protocol.default_mode
        return name, protocol, mode, protocol.modes[mode]

    def mutants(self) -> Mapping[str, Protocol]:
        return {name: protocol for name, protocol in self.protocols.items() if protocol.mutant_of}
