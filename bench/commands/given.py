"""What the words on the command line mean: scenarios, protocols, seeds, plugins."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

import scenarios
from bench.commands import BadUsage
from bench.registry import BadPlugin, Registry
from scenarios.decode import load
from scenarios.problems import BadScenario, Problem
from scenarios.schema import Scenario
from scenarios.units import nearest, quoted

SHIPPED = Path(scenarios.__file__).parent
_SEEDS = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
_LARGEST_SEED = 2**63 - 1


class Case(msgspec.Struct, frozen=True):
    """A scenario that is to be run: its name in the store, where it stands, and its columns with their modes."""

    name: str
    path: str
    scenario: Scenario
    columns: tuple[str, ...]


def plugins(files: Iterable[str], folder: Path = Path()) -> tuple[str, ...]:
    """The plugins of the project in a folder (``[tool.aftershock]``), by default the working one, and these files."""
    found: Any = []
    project = folder / "pyproject.toml"
    if project.is_file():
        try:
            table = tomllib.loads(project.read_text("utf-8")).get("tool", {}).get("aftershock", {})
            found = table.get("plugins", [])
        except (OSError, ValueError, AttributeError) as error:
            raise BadPlugin(f"{project}: {error}") from None
        if not isinstance(found, list) or not all(isinstance(file, str) for file in found):
            raise BadPlugin(f'{project}: tool.aftershock.plugins is a list of files, such as ["mine.py"]')
    return tuple(dict.fromkeys(os.path.abspath(file) for file in [*(folder / file for file in found), *files]))


def seeds(text: str) -> range:
    """The seeds of "A-B", both ends included. Raises `BadUsage`."""
    match = _SEEDS.fullmatch(text.strip())
    if not match:
        raise BadUsage(f"--seeds {text}: expected FIRST-LAST, such as 0-49")
    first, last = int(match[1]), int(match[2])
    if first > last:
        raise BadUsage(f"--seeds {text}: the first is larger than the last; did you mean {last}-{first}?")
    if last > _LARGEST_SEED:
        raise BadUsage(f"--seeds {text}: a seed is at most {_LARGEST_SEED}")
    return range(first, last + 1)


def columns(names: Iterable[str], registry: Registry) -> tuple[str, ...]:
    """Protocols with their modes. Raises `BadUsage` with a line for each that is not known."""
    found, wrong = [], []
    kinds = registry.kinds()
    for name in names:
        try:
            protocol, mode = kinds.column(name)
            found.append(f"{protocol}/{mode}")
        except KeyError:
            wrong.append(f"-p {name}: {_no_column(name, registry)}")
    if wrong:
        raise BadUsage("\n".join(wrong))
    return tuple(dict.fromkeys(found))


def _no_column(name: str, registry: Registry) -> str:
    protocol, _, mode = name.partition("/")
    if protocol in registry.protocols:
        modes = tuple(registry.protocols[protocol].modes)
        meant = nearest(mode, modes)
        hint = f"; did you mean {quoted(f'{protocol}/{meant}')}?" if meant else f"; it has {', '.join(modes)}"
        return f"{protocol} has no mode {quoted(mode)}{hint}"
    meant = nearest(protocol, registry.protocols)
    hint = f"; did you mean {quoted(meant)}?" if meant else f"; there are {', '.join(sorted(registry.protocols))}"
    return f"there is no protocol {quoted(protocol)}{hint}"


def shipped() -> dict[str, Path]:
    """The scenarios that come with Aftershock, by name: their path below the folder, without ".toml"."""
    found = sorted(SHIPPED.rglob("*.toml"))
    return {path.relative_to(SHIPPED).with_suffix("").as_posix(): path for path in found}


def cases(words: Sequence[str], settings: Sequence[str], chosen: Sequence[str], registry: Registry) -> list[Case]:
    """Every scenario that these words mean, decoded. Raises `BadUsage` or `BadScenario` with all that is wrong."""
    wrong: list[str] = []
    paths: list[Path] = []
    for word in words:
        try:
            paths += files(word)
        except BadUsage as error:
            wrong.append(str(error))
    once = {path.resolve(): path for path in reversed(paths)}
    paths = [path for path in dict.fromkeys(paths) if once[path.resolve()] is path]
    stems: dict[str, Path] = {}
    for path in paths:
        if path.stem in stems:
            wrong.append(f"{path}: {stems[path.stem]} has the same name, and so the same place for its runs")
        stems.setdefault(path.stem, path)
    if wrong:
        raise BadUsage("\n".join(wrong))
    kinds = registry.kinds()
    only = columns(chosen, registry)
    overrides = [*settings, *([f"protocols={json.dumps(only)}"] if only else [])]
    found: list[Case] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            scenario = load(path, kinds, overrides)
        except BadScenario as bad:
            problems += bad.problems
            continue
        full = dict.fromkeys("/".join(kinds.column(name)) for name in scenario.protocols)
        found.append(Case(path.stem, str(path), scenario, tuple(full)))
    if problems:
        raise BadScenario(dict.fromkeys(problems))
    return found


def files(word: str, folders: Iterable[Path] = (Path(),)) -> list[Path]:
    """The files that one word means: a file, what is in a folder, or a shipped scenario.

    A file or folder is looked for in each of ``folders`` in turn. Raises `BadUsage` when the word means nothing.
    """
    for path in (folder / word for folder in folders):
        if path.is_file():
            return [path]
        if path.is_dir():
            if inside := sorted(path.rglob("*.toml")):
                return inside
            raise BadUsage(f"{word}: this folder holds no scenario (*.toml)")
    known = shipped()
    if word in known:
        return [known[word]]
    if named := [path for path in known.values() if path.stem == word]:
        return named
    if inside := [path for name, path in known.items() if name.startswith(f"{word.rstrip('/')}/")]:
        return inside
    names = {name.rpartition("/")[2]: name for name in known}
    meant = nearest(word.removesuffix(".toml"), [*known, *names])
    hint = f"; did you mean {quoted(meant)}?" if meant else "; `aftershock list scenarios` shows what is shipped"
    raise BadUsage(f"{quoted(word)}: there is no such file, folder or shipped scenario{hint}")
