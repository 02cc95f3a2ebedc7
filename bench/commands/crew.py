"""Many runs on several processors, through `concurrent.futures.Executor`: here, in processes, or wherever that leads.

Workers only run and judge, without a trace, and store nothing; what a run comes to is a function of its plan, so it
does not matter where it was run, nor in which order.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import cache, partial

import msgspec

from bench.commands.given import Case
from bench.registry import Registry
from bench.run import execute, judge, plan
from bench.store import Results

AHEAD = 4
"""Runs handed out for each worker: enough that none waits for us, few enough that an interrupt loses little."""

LOOK = 2.0  # seconds without a result until somebody looks after the workers


class Job(msgspec.Struct, frozen=True):
    """One run to be: a scenario, one of its columns, a seed, and whether only what is demanded is judged."""

    case: Case
    column: str
    seed: int
    demanded: bool = False


class Crew:
    """Who runs jobs: this process when ``submit`` is None, or ``width`` workers behind it.

    ``look`` is called while nothing comes, and raises when nothing will.
    """

    def __init__(
        self,
        registry: Registry,
        submit: Callable[[Job], Future[Results]] | None,
        width: int,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self.width = width
        self._registry = registry
        self._submit = submit
        self._look = look

    def results(self, jobs: Iterable[Job]) -> Generator[tuple[Job, Results]]:
        """What each job came to, as soon as it is done and so in no particular order."""
        if self._submit is None:
            for job in jobs:
                yield job, run(job, self._registry)
            return
        running: dict[Future[Results], Job] = {}
        for job in jobs:
            running[self._submit(job)] = job
            if len(running) >= AHEAD * self.width:
                yield from self._done(running)
        while running:
            yield from self._done(running)

    def _done(self, running: dict[Future[Results], Job]) -> Iterator[tuple[Job, Results]]:
        """Waits until one at least is done, and takes all that are."""
        done, _ = wait(running, LOOK, FIRST_COMPLETED)
        while not done:
            self._look()
            done, _ = wait(running, LOOK, FIRST_COMPLETED)
        for future in [future for future in running if future in done]:
            yield running.pop(future), future.result()


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def crew(
    registry: Registry, plugins: tuple[str, ...], workers: int | None, jobs: int, scheduler: str | None = None
) -> Iterator[Crew]:
    """As many workers as are wanted, as there are processors, and as there is work for; or those of a Dask cluster."""
    if scheduler is not None:
        from bench.commands.cluster import cluster

        with cluster(scheduler, registry, plugins) as hands:
            yield hands
        return
    width = max(1, min(workers or processors(), jobs))
    if width == 1:
        yield Crew(registry, None, 1)
        return
    pool = ProcessPoolExecutor(width, multiprocessing.get_context("spawn"), enlist, (plugins,))
    try:
        with _deaf_to_interrupts():
            for _ in range(width):
                pool.submit(os.getpid)  # a pool starts a process for every task that finds none idle
        yield Crew(registry, partial(hand, pool, plugins), width)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    pool.shutdown(cancel_futures=True)  # there are some left when a sweep has stopped at its first failure


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile ignore Ctrl-C from birth: it is the parent's to answer.

    Left to themselves they would print a traceback until `enlist` is reached, which is half a second after their start.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def enlist(plugins: tuple[str, ...]) -> None:
    """Prepare a worker: with its plugins it knows what is sent to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _loaded(plugins)
    gc.freeze()  # what is loaded stays, and a run makes few cycles: collecting seldom saves a twentieth of it
    gc.set_threshold(50_000, 20, 100)


def _end_with_the_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@cache
def _loaded(plugins: tuple[str, ...]) -> Registry:
    return Registry.load(plugins)


def hand(pool: Executor, plugins: tuple[str, ...], job: Job) -> Future[Results]:
    """Give a job to a pool of enlisted workers."""
    return pool.submit(_enlisted, job, plugins)


def _enlisted(job: Job, plugins: tuple[str, ...]) -> Results:
    return run(job, _loaded(plugins))


def run(job: Job, registry: Registry) -> Results:
    """Plan, run and judge one job, without a trace."""
    planned = plan(job.case.name, job.case.scenario, job.column, job.seed, registry)
    recording = execute(planned, registry, trace=False)
    return Results.of(recording, judge(recording, registry, demanded=job.demanded))
