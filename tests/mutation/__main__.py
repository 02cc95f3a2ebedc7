"""Mutation testing of the checkers: ``python -m tests.mutation [--only MODULE] [--slice K/N | --sample N] [--update]``.

With ``--update`` the list is brought up to date: what is killed or can no longer be made goes, what is new comes in as
open, to be looked at.

Every module is broken in small ways, one at a time (`tests.mutation.mutants`), and each mutant is handed to the trials
of its module (`tests.mutation.trials`) in a process of its own, forked from one that has drawn all histories and asked
the oracles already. A mutant that gets past all of them has survived. Survivors stand in `survivors/` with their
reasons; one that is missing there, or one that is explained there and does not survive, makes the exit code 1.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import json
import os
import resource
import signal
import sys
import time
import tomllib
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

# The compiled kernels run as the plain Python that they also are: nothing is compiled, and mutants of them are cheap.
os.environ["NUMBA_DISABLE_JIT"] = "1"

from tests.mutation.mutants import Mutant, Source

ROOT = Path(__file__).resolve().parents[2]
SURVIVORS = Path(__file__).with_name("survivors")  # a file for each module
OPEN = "open"  # how the reason of a survivor begins that nobody has explained yet
NEW = "open: new, and not looked at"
_HEAD = """# Mutants of checkers/{module}.py that get past all trials: what was changed in
# which line, and why nothing notices. Brought up to date by `python -m tests.mutation --update`.
# A reason that begins with "open" is none yet."""
Name = tuple[str, str, str]  # module, line, change
_MARGIN = 3.0  # how many times longer than the original a mutant may take, and
_LEAST = 1.0  # seconds that it may take in any case
_MEMORY = 1 << 30  # bytes that it may need beyond what there is


def survivors() -> dict[Name, str]:
    """The reasons on record."""
    return {
        (path.stem, line, change): entry["why"]
        for path in sorted(SURVIVORS.glob("*.toml"))
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["survivor"]
        for line, changes in entry["changes"].items()
        for change in changes
    }


def record(reasons: dict[Name, str]) -> None:
    """Write the lists anew: a file per module, reasons and lines in the order in which they come."""
    grouped: dict[str, dict[str, dict[str, list[str]]]] = {path.stem: {} for path in SURVIVORS.glob("*.toml")}
    for (module, line, change), why in reasons.items():
        grouped.setdefault(module, {}).setdefault(why, {}).setdefault(line, []).append(change)
    for module, whys in grouped.items():
        path = SURVIVORS / f"{module}.toml"
        if not whys:
            path.unlink()
            continue
        text = [_HEAD.format(module=module.replace(".", "/"))]
        for why, changes in whys.items():
            text.append(f"\n[[survivor]]\nwhy = {_quoted(why)}\n[survivor.changes]")
            text += [f"{_quoted(line)} = [{', '.join(map(_quoted, made))}]" for line, made in changes.items()]
        path.write_text("\n".join(text) + "\n", encoding="utf-8")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # which is a string of TOML, too


def exchange(module: ModuleType, tree: ast.Module, loaded: list[tuple[ModuleType, list[tuple[str, str]]]]) -> None:
    """Put a mutant in the place of a module, and in every module that has taken names from it."""
    before = dict(vars(module))
    exec(compile(tree, str(module.__file__), "exec"), vars(module))
    _bind(module, before, loaded)
    for other, taken in loaded:
        # A class that was derived from one that has changed has to be made again.
        bases = {name for name, of in taken if of.rpartition(".")[0] == module.__name__ and name[0].isupper()}
        if other.__name__.startswith("checkers.models.") and bases:
            before = dict(vars(other))
            exec(compile(Path(str(other.__file__)).read_text(encoding="utf-8"), other.__name__, "exec"), vars(other))
            _bind(other, before, loaded)


def _bind(module: ModuleType, before: dict[str, Any], loaded: list[tuple[ModuleType, list[tuple[str, str]]]]) -> None:
    """Give the module's new names to everybody who has taken the old ones."""
    now = {id(old): vars(module)[name] for name, old in before.items() if callable(old)}
    for other, taken in loaded:
        if other is module:
            continue
        for name, value in list(vars(other).items()):
            if id(value) in now:
                setattr(other, name, now[id(value)])
        for name, of in taken:
            if of.rpartition(".")[0] == module.__name__:
                setattr(other, name, getattr(module, of.rpartition(".")[2]))


def _loaded() -> list[tuple[ModuleType, list[tuple[str, str]]]]:
    """The modules of checkers and tests, each with the names that it has taken from where."""
    found = []
    for name, module in sorted(sys.modules.items()):
        if name.startswith(("checkers", "tests.")) and getattr(module, "__file__", None):
            tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
            taken = [
                (alias.asname or alias.name, f"{node.module}.{alias.name}")
                for node in tree.body
                if isinstance(node, ast.ImportFrom)
                for alias in node.names
            ]
            found.append((module, taken))
    return found


class Bench:
    """One module on the bench: its trials, run once on the original; what oracles say of witnesses is remembered."""

    def __init__(self, name: str) -> None:
        from tests.mutation.trials import TRIALS

        self.name = name
        self.module = import_module(f"checkers.{name}")
        self.text = Path(str(self.module.__file__)).read_text(encoding="utf-8")
        self.source = Source(self.text)
        self.mutants = self.source.mutants
        self.trials = list(TRIALS[name]())
        began = time.process_time()
        for trial in self.trials:
            trial()
        self.seconds = time.process_time() - began
        self.loaded = _loaded()  # only now: a checker is imported when it is first asked for
        gc.freeze()  # a child's collector would write to, and so copy, all that it shares with this process

    def survives(self, mutant: Mutant) -> bool:
        """Whether a mutant gets past all trials without a disagreement, a failure, or taking forever."""
        child = os.fork()
        if child == 0:
            try:
                signal.setitimer(signal.ITIMER_PROF, max(_MARGIN * self.seconds, _LEAST))
                with contextlib.suppress(OSError, ValueError):
                    pages = int(Path("/proc/self/statm").read_text().split()[0])
                    most = pages * resource.getpagesize() + _MEMORY
                    resource.setrlimit(resource.RLIMIT_AS, (most, most))
                with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
                    exchange(self.module, self.source.broken(mutant), self.loaded)
                    for trial in self.trials:
                        trial()
            except BaseException:
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        return status == 0


def chosen(benches: list[str], arguments: argparse.Namespace) -> Iterator[tuple[str, list[Mutant]]]:
    """The mutants to make, by module."""
    first, _, stride = arguments.slice.partition("/")
    for name in benches:
        module = ROOT / "checkers" / (name.replace(".", "/") + ".py")
        mutants = Source(module.read_text(encoding="utf-8")).mutants
        if arguments.sample:
            # Drawn by their names: a change elsewhere in the module leaves the sample as it is.
            mutants = sorted(mutants, key=lambda mutant: mutant.lot)[: arguments.sample]
        yield name, [m for nth, m in enumerate(mutants) if nth % int(stride) == (int(first) - 1) % int(stride)]


def main() -> int:
    from tests.mutation.trials import TRIALS

    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", choices=list(TRIALS), action="append", metavar="MODULE", help="only this one")
    parser.add_argument("--slice", default="1/1", metavar="K/N", help="every N-th mutant of each, from the K-th on")
    parser.add_argument("--sample", type=int, metavar="N", help="so many mutants of each module, drawn by their names")
    parser.add_argument("--update", action="store_true", help="bring the lists of survivors up to date")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)  # hashes overflow, as they do when compiled
    reasons, kept = survivors(), survivors()
    rows: list[tuple[str, int, int, int]] = []
    wrong = 0
    for name, mutants in chosen(arguments.only or list(TRIALS), arguments):
        bench, alive = Bench(name), 0
        began = time.perf_counter()
        for mutant in mutants:
            survives = bench.survives(mutant)
            reason = reasons.pop((name, mutant.line, mutant.change), None)
            alive += survives
            if survives:
                kept.setdefault((name, mutant.line, mutant.change), NEW)
            else:
                kept.pop((name, mutant.line, mutant.change), None)
            if survives != (reason is not None):
                # What is open may be settled: then it should go from the list, but nothing is wrong.
                wrong += survives or not str(reason).startswith(OPEN)
                verb = "survived" if survives else "is listed as a survivor, but was killed"
                print(
                    f"checkers/{name.replace('.', '/')}.py:{mutant.at}: {mutant.change}\n    {mutant.line}\n    {verb}"
                )
                sys.stdout.flush()
        rows.append((name, len(mutants), len(mutants) - alive, alive))
        print(
            f"  {name}: {len(mutants)} mutants, {alive} alive; trials {bench.seconds:.1f} s; "
            f"{time.perf_counter() - began:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    if arguments.slice == "1/1" and not arguments.sample:
        # What is left speaks of mutants that can no longer be made.
        for module, line, change in reasons:
            if not arguments.only or module in arguments.only:
                wrong += 1
                del kept[module, line, change]
                print(f"{SURVIVORS.name}/{module}.toml: there is no mutant {change!r} of {line!r}")
    if arguments.update:
        record(kept)
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows), sum(row[3] for row in rows)))
    print("| module | mutants | killed | survivors |\n|---|---:|---:|---:|")
    for module, made, killed, alive in rows:
        print(f"| {module} | {made:,} | {killed:,} | {alive:,} |")
    still = sum(
        why.startswith(OPEN) for (module, _, _), why in survivors().items() if module in {row[0] for row in rows}
    )
    print(f"{wrong} differ from what is on record" if wrong else "all survivors are listed with their reasons")
    print(f"{still} of those listed are open: nobody has explained them yet")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
