"""``--scheduler tcp://HOST:PORT``: a crew on a Dask cluster, through the Executor that its client offers.

A worker imports Aftershock as it is installed there, so every one is asked first which code it has, and each job says
again which it wants: a worker may join late. Plugins travel with the jobs, as the contents of their files; what such a
file reads or imports from beside it does not. Jobs set no signal handlers and share nothing but tables that are only
read, so a worker may run them in several threads.
"""

from __future__ import annotations

import pickle
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from bench import ledger
from bench.commands import BadUsage
from bench.commands.crew import Crew, Job, run
from bench.registry import BadPlugin, Registry
from bench.store import Results

if TYPE_CHECKING:
    from distributed import Client

CONNECT = 10  # seconds until a scheduler must have answered, and a worker be there
ALONE = 30  # seconds that a cluster may be without any worker, as when the last one is being restarted
TOLD = 5  # workers that are named when they differ from us
_ADDRESS = re.compile(r"tcp://(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_TAKES_UP = "the same `aftershock run --seeds` takes a sweep up where it stopped"

Shipped = tuple[tuple[str, bytes], ...]
"""Plugins: the name and the contents of each file."""


class Code(msgspec.Struct, frozen=True):
    """What results depend on besides the plan: the modules that run and judge, and installed plugins."""

    digest: bytes
    installed: tuple[str, ...]


def code() -> Code:
    """That of this process, as it was when it was first asked."""
    groups = [f"aftershock.{group}" for group in ("protocols", "faults", "workloads")]
    points = [point for group in groups for point in entry_points(group=group)]
    named = {f"{point.group}: {point.name} = {point.value} {point.dist and point.dist.version}" for point in points}
    return Code(ledger.code(), tuple(sorted(named)))


# --------------------------------------------------------------------------------------------------- in the command


@contextmanager
def cluster(address: str, registry: Registry, plugins: Sequence[str]) -> Iterator[Crew]:
    """Whoever works for the scheduler at ``address``, as wide as they have threads.

    Raises `BadUsage` when there is no such cluster, when it has another Aftershock, or when it goes away.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) < 2**16:
        raise BadUsage(f"--scheduler {address}: expected tcp://HOST:PORT, such as tcp://localhost:8786")
    shipped = tuple((Path(plugin).name, Path(plugin).read_bytes()) for plugin in plugins)
    client = _client(address)
    try:
        width = _width(client, address)
        _same_code(client, address)
        executor = client.get_executor(pure=False)
        try:
            yield Crew(registry, _Sender(executor, shipped).submit, width, _Watch(client, address).look)
        except CancelledError:
            raise BadUsage(f"--scheduler {address}: the scheduler has gone away; {_TAKES_UP}") from None
        except ImportError:
            _same_code(client, address)  # of a worker that came later
            raise
        finally:
            if client.status == "running":
                executor.shutdown(wait=False)  # cancels what is still outstanding
    finally:
        client.close(timeout=2)


def _client(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise BadUsage("--scheduler needs Dask, which is not installed: pip install 'aftershock[dask]'") from None
    _hush()
    found: Future[Client] = Future()

    def connect() -> None:
        try:
            found.set_result(Client(address, timeout=CONNECT, set_as_default=False, name="aftershock"))
        except Exception as error:
            found.set_exception(error)

    # Dask's own timeout does not cover whoever accepts a connection and then speaks of something else.
    threading.Thread(target=connect, daemon=True).start()
    try:
        return found.result(CONNECT + 5)
    except Exception as error:  # a stranger's answer, read as Dask's, fails in any way: there is no memory for it, say
        why = f": {error}".partition("\n")[0] if str(error) else ""
        raise BadUsage(f"--scheduler {address}: no Dask scheduler answers there{why}") from None


def _hush() -> None:
    """What Dask logs of a cluster that goes away is said here in a line of our own."""
    import logging

    for name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _width(client: Client, address: str) -> int:
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError:
        raise BadUsage(f"--scheduler {address}: it has no worker; start one: dask worker {address}") from None
    return max(1, sum(int(threads) for threads in client.nthreads().values()))


def _same_code(client: Client, address: str) -> None:
    """Raises `BadUsage`, with a line for each that has another Aftershock or none."""
    here = code()
    found: dict[str, Any] = {f"worker {name}": said for name, said in client.run(code, on_error="return").items()}
    try:
        found["scheduler"] = client.run_on_scheduler(code)
    except (ImportError, AttributeError) as error:
        found["scheduler"] = error
    wrong = [f"  {who}: {_difference(said, here)}" for who, said in sorted(found.items()) if said != here]
    if wrong:
        more = [f"  and {len(wrong) - TOLD:,} more"] if len(wrong) > TOLD else []
        head = f"--scheduler {address}: scheduler and workers need the Aftershock that is here, and were started with"
        raise BadUsage("\n".join([f"{head} another:", *wrong[:TOLD], *more]))


def _difference(said: object, here: Code) -> str:
    if not isinstance(said, Code):
        return f"none that can be imported ({said})"
    if said.digest != here.digest:
        return "its code differs; install the same version, then restart it"
    theirs, ours = (", ".join(each.installed) or "none" for each in (said, here))
    return f"its installed plugins are {theirs}, here {ours}"


class _Sender:
    """Hands jobs over as bytes: what is in them can be read only where their plugins are loaded."""

    def __init__(self, executor: Executor, shipped: Shipped) -> None:
        self._executor = executor
        self._shipped = shipped
        self._code = code()

    def submit(self, job: Job) -> Future[Results]:
        # Dask shows a task by its key, and names it so when the workers that ran it have died.
        key = f"{job.case.name} {job.column} seed {job.seed} {uuid4().hex}"
        sent: Any = self._executor.submit  # takes a key beside the arguments
        future: Future[Results] = sent(received, pickle.dumps(job), self._shipped, self._code, key=key)
        return future


class _Watch:
    """Notices that nobody is left who could finish anything."""

    def __init__(self, client: Client, address: str) -> None:
        self._client = client
        self._address = address
        self._seen = time.monotonic()

    def look(self) -> None:
        """Raises `BadUsage` when the cluster has been without a worker for too long."""
        try:
            anybody = bool(self._client.nthreads())
        except (OSError, TimeoutError):
            raise CancelledError from None
        now = time.monotonic()
        if anybody:
            self._seen = now
        elif now - self._seen > ALONE:
            raise BadUsage(f"--scheduler {self._address}: it has no worker any more; {_TAKES_UP}")


# ------------------------------------------------------------------------------------------------------ on a worker

_loading = threading.Lock()


def received(job: bytes, shipped: Shipped, wanted: Code) -> Results:
    """Run and judge a job, in any thread of a worker. Raises `BadUsage` when this worker cannot."""
    if code() != wanted:
        raise BadUsage(f"a worker has joined that has another Aftershock: {_difference(code(), wanted)}")
    with _loading:  # what is unpickled must find the modules of these very plugins
        registry = _loaded(shipped)
        wants: Job = pickle.loads(job)
    return run(wants, registry)


@lru_cache(maxsize=1)
def _loaded(shipped: Shipped) -> Registry:
    """What can be named with these plugins. One set at a time: the modules of the last are those that are imported."""
    with tempfile.TemporaryDirectory(prefix="aftershock-") as folder:
        files = [Path(folder, str(number), name) for number, (name, _) in enumerate(shipped)]
        for file, (_, content) in zip(files, shipped, strict=True):
            file.parent.mkdir()
            file.write_bytes(content)
        before = sys.dont_write_bytecode
        sys.dont_write_bytecode = True
        try:
            return Registry.load(files)
        except BadPlugin as error:
            message = re.sub(re.escape(folder) + r"/\d+/", "", str(error))
            raise BadUsage(f"on a worker, where it is alone: {message}") from None
        finally:
            sys.dont_write_bytecode = before
