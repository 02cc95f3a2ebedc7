"""The results of a sweep on disk as they come: ``sweep.sqlite`` in the folder of its column, a row for each seed.

Every result is committed before the next is waited for, so a sweep that is interrupted or killed takes up where it
stopped. A row is found by its seed and by a digest of all that it is a function of: the scenario as decoded, the
column, Aftershock's own code and that of plugins. After a change to any of them the old rows are simply not found.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import msgspec

import bench
import checkers
import scenarios
from bench.registry import Registry
from bench.store import BadRun, Results
from scenarios.schema import Scenario
from scenarios.write import dumps

NAME = "sweep.sqlite"
_SCHEMA = "CREATE TABLE IF NOT EXISTS result (digest TEXT, seed INTEGER, row BLOB, PRIMARY KEY (digest, seed))"


def digest(scenario: Scenario, column: str, registry: Registry, plugins: Sequence[str], *, purpose: str = "") -> str:
    """What the results of a column are a function of, besides the seed; ``purpose`` keeps the rows of one use apart."""
    found = hashlib.sha256(code())
    for plugin in plugins:
        found.update(Path(plugin).read_bytes() + b"\0")
    found.update(f"{purpose}\0".encode() if purpose else b"")
    found.update(f"{column}\0{dumps(scenario, registry.kinds())}".encode())
    return found.hexdigest()


@cache
def code() -> bytes:
    """A digest of the modules that make and judge runs, as they were when it was first asked for."""
    found = hashlib.sha256()
    for package in (bench, checkers, scenarios):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            found.update(f"{path.relative_to(root.parent).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return found.digest()


class Ledger:
    """The rows of one digest; `of` gives those of another. Raises `BadRun` when the file cannot be read or written."""

    def __init__(self, path: Path, digest: str, connection: sqlite3.Connection) -> None:
        self._path = path
        self._digest = digest
        self._connection = connection

    def of(self, digest: str) -> Ledger:
        """The rows of another digest in the same file."""
        return Ledger(self._path, digest, self._connection)

    def seeds(self) -> frozenset[int]:
        """Which seeds have a result."""
        with _telling(self._path):
            rows = self._connection.execute("SELECT seed FROM result WHERE digest = ?", (self._digest,))
            return frozenset(seed for (seed,) in rows)

    def read(self, seed: int) -> Results:
        """The result of a seed that has one."""
        with _telling(self._path):
            (row,) = self._connection.execute(
                "SELECT row FROM result WHERE digest = ? AND seed = ?", (self._digest, seed)
            ).fetchone()
        try:
            return msgspec.json.decode(row, type=Results)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRun(f"{self._path} is damaged at seed {seed}: {error}; remove it to start anew") from None

    def forget(self) -> None:
        """Drop all of these rows."""
        with _telling(self._path), self._connection:
            self._connection.execute("DELETE FROM result WHERE digest = ?", (self._digest,))

    def write(self, results: Results) -> None:
        """Keep a result; another process that swept the same seed had the same one."""
        with _telling(self._path), self._connection:
            self._connection.execute(
                "INSERT OR IGNORE INTO result VALUES (?, ?, ?)",
                (self._digest, results.seed, msgspec.json.encode(results)),
            )


@contextmanager
def opened(folder: Path, digest: str, name: str = NAME) -> Iterator[Ledger]:
    """The ledger in a column's folder, which is made if need be. Raises `BadRun`."""
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRun(f"{folder} cannot be written: {(error.strerror or str(error)).lower()}") from None
    with _telling(path):
        connection = sqlite3.connect(path, timeout=60)
    try:
        with _telling(path), connection:
            connection.execute("PRAGMA journal_mode = WAL")  # where the file system cannot, sqlite keeps its own way
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
        yield Ledger(path, digest, connection)
    finally:
        connection.close()


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turns what sqlite refuses into one line."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise BadRun(f"{path} cannot be used: {error}") from None
    except sqlite3.DatabaseError as error:
        raise BadRun(f"{path} is damaged: {error}; remove it to start anew") from None
