"""Recording one's own service: threads, asyncio, exceptions, and a process that is killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from checkers import BadHistory, History, Recorder, check


def test_every_way_out_of_an_operation_is_recorded(tmp_path: Path) -> None:
    with Recorder(tmp_path / "h.jsonl", fail_on=(ConnectionRefusedError,)) as recorder:
        client = recorder.client("n1")
        with client.operation("write", key="x", value=1) as op:
            op.ok()
        with client.operation("cas", key="x", value=[5, 6]) as op:
            op.ok(result=False)
        with client.operation("write", key="x", value=2) as op:
            op.fail("full")
        with pytest.raises(ConnectionRefusedError), client.operation("write", key="x", value=3):
            raise ConnectionRefusedError
        with pytest.raises(TimeoutError), client.operation("write", key="x", value=4):
            raise TimeoutError("no answer")
        with client.operation("read", key="x"):
            pass
        with client.operation("read", key="x", final=True) as op:
            op.ok(4)
        recorder.fault("cut", ["n1"])
        history = recorder.history()
        assert check(history, "linearizable", model="kv")
    ops = history.operations()
    assert [op.type for op in ops] == ["ok", "ok", "fail", "fail", "info", "info", "ok"]
    assert ops[1].result is False
    assert [op.process for op in ops] == [0, 0, 0, 0, 0, 1, 2]
    assert {op.session for op in ops} == {0}
    assert {op.node for op in ops} == {"n1"}
    assert ops[4].error == "TimeoutError: no answer"
    assert ops[6].final
    assert [event.f for event in history.nemesis()] == ["cut"]
    assert all(a.time <= b.time for a, b in zip(history, list(history)[1:], strict=False))


def test_a_client_has_one_operation_at_a_time(tmp_path: Path) -> None:
    with Recorder(tmp_path / "h.jsonl") as recorder:
        client = recorder.client()
        with client.operation("read") as op:
            with pytest.raises(RuntimeError, match="has an operation open"), client.operation("read"):
                raise AssertionError
            op.ok(None)
            with pytest.raises(RuntimeError, match="answered already"):
                op.ok(None)
        assert len(recorder.history()) == 2


def test_threads_make_one_history(tmp_path: Path) -> None:
    value, lock = [0], threading.Lock()
    with Recorder(tmp_path / "h.jsonl") as recorder:

        def work() -> None:
            client = recorder.client()
            for _ in range(50):
                with client.operation("increment") as op, lock:
                    value[0] += 1
                    op.ok()
                with client.operation("read") as op, lock:
                    op.ok(value[0])

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        history = recorder.history()
    assert len(history.operations()) == 400
    assert check(history, model="counter")
    assert len(history.merge()) == 800


def test_a_cancelled_task_leaves_an_unanswered_operation(tmp_path: Path) -> None:
    async def ask(recorder: Recorder) -> None:
        with recorder.client().operation("write", value=1) as op:
            await asyncio.sleep(60)
            op.ok()

    async def main(recorder: Recorder) -> None:
        task = asyncio.create_task(ask(recorder))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Recorder(tmp_path / "h.jsonl") as recorder:
        asyncio.run(main(recorder))
        (op,) = recorder.history().operations()
    assert (op.type, op.error) == ("info", "CancelledError")


def test_a_killed_process_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    program = (
        "import os, signal\n"
        "from checkers import Recorder\n"
        f"recorder = Recorder({str(tmp_path / 'h.jsonl')!r})\n"
        "client = recorder.client()\n"
        "with client.operation('write', value=1) as op:\n"
        "    op.ok()\n"
        "with client.operation('write', value=2):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    assert ended.returncode == -signal.SIGKILL
    assert [op.type for op in History.load(tmp_path / "h.jsonl").operations()] == ["ok", "info"]


def test_a_closed_recorder_says_so(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "h.jsonl")
    client = recorder.client()
    recorder.close()
    recorder.close()
    with pytest.raises(ValueError, match="closed"), client.operation("read"):
        pass
    assert recorder.history().operations() == []
    with pytest.raises(BadHistory):
        History.load(b"{")
