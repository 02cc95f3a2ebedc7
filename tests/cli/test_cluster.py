"""`--scheduler`: the same sweep on a Dask cluster, to the same bytes; what is wrong with a cluster, in lines."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.commands import BadUsage, given
from bench.commands import cluster as subject
from bench.commands.crew import Job
from bench.registry import Registry

from .conftest import SHORT, Command, contents

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

ROOT = Path(__file__).parents[2]
NAPS = '''\
"""Raft under a name of its own, and a fault."""
from bench.faults.pause import Pause
from bench.protocols.raft import PROTOCOL
class Nap(Pause, frozen=True, kw_only=True, tag="nap"):
    """Stands still."""
'''
NAP = '[[faults]]\nkind = "nap"\nat = "1s"\nfor = "300ms"\nnode = "leader"\n'


def started(workers: int, threads: int) -> Any:
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=threads, processes=True, dashboard_address=None, silence_logs=50
    )


@pytest.fixture(scope="module")
def pair() -> Iterator[Any]:
    """A cluster of two processes."""
    with started(2, 1) as cluster:
        yield cluster


@pytest.fixture
def address(pair: Any) -> str:
    return str(pair.scheduler_address)


def rows(ledger: Path) -> int:
    if not ledger.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as book:
            return int(book.execute("SELECT count(*) FROM result").fetchone()[0])
    except sqlite3.OperationalError:  # it is being made
        return 0


def when_under_way(ledger: Path, act: Callable[[], object]) -> threading.Thread:
    """Does something to a sweep in this process once it has its first results."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        while rows(ledger) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


LOG = Path("runs/short/raft/log/sweep.sqlite")


def test_a_cluster_comes_to_what_two_local_workers_come_to(aftershock: Command, undrawn: None, address: str) -> None:
    here = aftershock("run", "short.toml", "--seeds", "3-8", "--workers", "2", "--out", "here")
    there = aftershock("run", "short.toml", "--seeds", "3-8", "--scheduler", address, "--out", "there")
    assert (there.code, there.err) == (0, "")
    assert here.code == 0
    assert contents(Path("here")) == contents(Path("there"))


def test_verify_on_a_cluster_records_the_same_baseline(aftershock: Command, address: str) -> None:
    Path("guarantees.toml").write_text('[[guarantees]]\nscenarios = ["short.toml"]\nseeds = "0-2"\n')
    baselines = []
    for where in (("--workers", "1"), ("--scheduler", address)):
        ran = aftershock("verify", "--update", *where)
        assert ran.code in (0, 3), ran.err
        baselines.append(Path("guarantees.lock").read_bytes())
        Path("guarantees.lock").unlink()
    assert baselines[0] == baselines[1]


def test_plugins_travel_with_the_jobs(aftershock: Command, undrawn: None, address: str) -> None:
    Path("naps.toml").write_text(SHORT + NAP)
    found = []
    for late in ("", "late"):  # the second time the workers know a plugin of this name, with another content
        Path("naps.py").write_text(NAPS.replace('"nap"', f'"{late}nap"'))
        Path("naps.toml").write_text(SHORT + NAP.replace('"nap"', f'"{late}nap"'))
        flags = ("--plugin", "naps.py", "-p", "naps/log", "--seeds", "0-2", "--no-report")
        ran = aftershock("run", "naps.toml", *flags, "--scheduler", address, "--out", f"{late}there")
        assert (ran.code, ran.err) == (0, "")
        assert aftershock("run", "naps.toml", *flags, "--workers", "1", "--out", f"{late}here").code == 0
        found.append(Path(f"{late}there/naps/naps/log/results.jsonl").read_bytes())
        assert found[-1] == Path(f"{late}here/naps/naps/log/results.jsonl").read_bytes()
    assert found[0]


def test_a_plugin_that_needs_its_neighbours_is_refused_in_a_line(
    aftershock: Command, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("naps.py").write_text("import neighbour_of_naps\n" + NAPS)
    Path("neighbour_of_naps.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    ran = aftershock("run", "short.toml", "--plugin", "naps.py", "--seeds", "0-2", "--scheduler", address)
    assert ran.code == 2
    assert ran.err == (
        "on a worker, where it is alone: naps.py: ModuleNotFoundError: No module named 'neighbour_of_naps'\n"
    )


def test_workers_with_another_aftershock_are_named(
    aftershock: Command, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.ledger.code", lambda: b"of another release")  # here, and of the scheduler, which is here
    ran = aftershock("run", "short.toml", "--seeds", "0-2", "--scheduler", address)
    assert ran.code == 2
    head, *workers = ran.err.splitlines()
    assert head.startswith(f"--scheduler {address}: scheduler and workers need the Aftershock that is here")
    assert len(workers) == 2
    assert all(
        line.startswith("  worker tcp://")
        and line.endswith(": its code differs; install the same version, then restart it")
        for line in workers
    )
    assert not Path("runs/short").exists()


def test_a_worker_that_joins_late_with_another_aftershock_does_nothing() -> None:
    (case,) = given.cases(["steady"], [], ["raft/log"], Registry.load())
    with pytest.raises(BadUsage, match="a worker has joined that has another Aftershock: its code differs"):
        subject.received(pickle.dumps(Job(case, "raft/log", 0)), (), subject.Code(b"of another release", ()))
    installed = subject.Code(subject.code().digest, ("aftershock.faults: nap = theirs 1.0",))
    with pytest.raises(BadUsage, match=r"its installed plugins are none, here aftershock.faults: nap = theirs 1\.0"):
        subject.received(pickle.dumps(Job(case, "raft/log", 0)), (), installed)


def test_what_is_no_cluster_is_told_in_a_line(aftershock: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "CONNECT", 1)
    with socket.socket() as deaf:  # bound, and not listening
        deaf.bind(("127.0.0.1", 0))
        closed = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        for flags, said in {
            ("--seeds", "0-1", "--scheduler", "localhost:8786"): "expected tcp://HOST:PORT",
            ("--seeds", "0-1", "--scheduler", "tcp://localhost"): "expected tcp://HOST:PORT",
            ("--seeds", "0-1", "--scheduler", "tcp://localhost:99999"): "expected tcp://HOST:PORT",
            ("--seeds", "0-1", "--scheduler", closed): "no Dask scheduler answers there",
            ("--seeds", "0-1", "--scheduler", closed, "--workers", "2"): "exclude each other",
            ("--scheduler", closed): "add --seeds",
        }.items():
            ran = aftershock("run", "short.toml", *flags)
            assert (ran.code, ran.out) == (2, "")
            assert said in ran.err
            assert ran.err.count("\n") == 1
    assert not Path("runs/short").exists()


def test_whoever_answers_and_is_no_scheduler_is_not_waited_for(
    aftershock: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "CONNECT", 1)
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            visitor, _ = web.accept()
            with visitor:
                visitor.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                time.sleep(8)

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{web.getsockname()[1]}"
        ran = aftershock("run", "short.toml", "--seeds", "0-1", "--scheduler", address)
    assert ran.code == 2
    assert ran.err.startswith(f"--scheduler {address}: no Dask scheduler answers there")


def test_without_dask_the_line_says_what_to_install(aftershock: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    ran = aftershock("run", "short.toml", "--seeds", "0-1", "--scheduler", "tcp://127.0.0.1:8786")
    assert ran.code == 2
    assert ran.err == "--scheduler needs Dask, which is not installed: pip install 'aftershock[dask]'\n"


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(
    aftershock: Command, undrawn: None, pair: Any, address: str
) -> None:
    with distributed.Client(address, set_as_default=False) as client:
        victim = next(iter(client.run(os.getpid).values()))
    killing = when_under_way(LOG, lambda: os.kill(victim, signal.SIGKILL))
    ran = aftershock("run", "short.toml", "-p", "raft/log", "--seeds", "0-11", "--scheduler", address)
    killing.join()
    assert (ran.code, ran.err) == (0, "")
    assert (
        aftershock("run", "short.toml", "-p", "raft/log", "--seeds", "0-11", "--workers", "2", "--out", "here").code
        == 0
    )
    assert contents(Path("runs")) == contents(Path("here"))


def test_a_cluster_without_workers_is_refused_or_given_up(
    aftershock: Command, undrawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "CONNECT", 1)
    monkeypatch.setattr(subject, "ALONE", 1)
    with started(0, 1) as cluster:
        address = cluster.scheduler_address
        flags = ("run", "short.toml", "-p", "raft/log", "--seeds", "0-19")
        ran = aftershock(*flags, "--scheduler", address)
        assert ran.code == 2
        assert ran.err == f"--scheduler {address}: it has no worker; start one: dask worker {address}\n"
        cluster.scale(1)
        monkeypatch.setattr(subject, "CONNECT", 30)
        leaving = when_under_way(LOG, lambda: cluster.scale(0))
        ran = aftershock(*flags, "--scheduler", address)
        leaving.join()
    assert ran.code == 2
    assert ran.err.startswith(f"--scheduler {address}: it has no worker any more; the same `aftershock run")
    kept = rows(LOG)
    assert 2 <= kept < 20
    ran = aftershock(*flags, "--workers", "2")
    assert ran.code == 0
    assert f"{kept} of them known from before" in ran.out


APART = """
import sys, time
from distributed import LocalCluster
if __name__ == "__main__":
    options = dict(n_workers=1, threads_per_worker=4, processes=True, dashboard_address=None, silence_logs=50)
    with LocalCluster(**options) as cluster:
        print(cluster.scheduler_address, flush=True)
        time.sleep(600)
"""


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A cluster in processes of its own: one worker with four threads. The scheduler's process, and its address."""
    program = tmp_path / "apart.py"
    program.write_text(APART)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    ) as scheduler:  # fmt: skip
        assert scheduler.stdout is not None
        try:
            yield scheduler, scheduler.stdout.readline().strip()
        finally:
            os.killpg(scheduler.pid, signal.SIGKILL)


def test_threads_of_one_worker_do_not_mix_runs_up_and_a_lost_scheduler_loses_no_result(
    aftershock: Command, undrawn: None, apart: tuple[subprocess.Popen[str], str]
) -> None:
    scheduler, address = apart
    flags = ("run", "short.toml", "-p", "raft/log", "--seeds", "0-199")
    killing = when_under_way(LOG, lambda: os.killpg(scheduler.pid, signal.SIGKILL))
    ran = aftershock(*flags, "--scheduler", address)
    killing.join()
    assert ran.code == 2
    assert ran.err == (
        f"--scheduler {address}: the scheduler has gone away; the same `aftershock run --seeds` takes a sweep up where "
        "it stopped\n"
    )
    kept = rows(LOG)
    assert 2 <= kept < 200
    few = ("run", "short.toml", "-p", "raft/log", "--seeds", "0-7")
    assert aftershock(*few, "--workers", "1").code == 0
    assert aftershock(*few, "--workers", "1", "--out", "here").code == 0
    assert contents(Path("runs")) == contents(Path("here"))


def test_an_interrupt_ends_a_sweep_and_takes_back_what_the_cluster_has_not_done(
    tmp_path: Path, pair: Any, address: str
) -> None:
    (tmp_path / "short.toml").write_text(SHORT)
    words = [sys.executable, "-m", "aftershock", "run", "short.toml", "-p", "raft/log", "--seeds", "0-99999"]
    sweep = subprocess.Popen(
        [*words, "--scheduler", address], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while rows(tmp_path / LOG) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert sweep.poll() is None
    sweep.send_signal(signal.SIGINT)
    out, err = sweep.communicate(timeout=30)
    assert (sweep.returncode, out, err) == (130, "", "")
    while pair.scheduler.tasks and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not pair.scheduler.tasks
