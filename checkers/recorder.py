"""Record the history of a service of one's own: from threads or asyncio, an event a line, written as it happens.

Each event is one ``write`` to a file opened for appending, so it has left this process when the call returns and a
SIGKILL loses at most the operation under way. An operation that was left without an answer, by an exception or a
cancellation, may still take effect: it is recorded as ``info``, and its client goes on under a new process number.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import msgspec

from checkers.history import INFO, NEMESIS, TYPES, Event, EventType, History, Key

_UNSET: Any = object()


class Recorder:
    """Writes a new history to ``path`` (JSON Lines, an existing file is replaced).

    ``fail_on`` lists exceptions that prove that an operation had no effect, as a refused connection does. ``origin`` is
    the instant of `time.monotonic_ns` that counts as 0; recorders of several processes that share it can be merged.
    ``sync`` asks the disk itself to confirm every event, which survives a loss of power and is slow.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fail_on: tuple[type[BaseException], ...] = (),
        origin: int | None = None,
        sync: bool = False,
    ) -> None:
        self.path = Path(path)
        self._fail_on = tuple(fail_on)
        self._sync = sync
        self._lock = threading.Lock()
        self._encoder = msgspec.json.Encoder(enc_hook=repr)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        self._origin = time.monotonic_ns() if origin is None else origin
        self._index = 0
        self._processes = 0
        self._sessions = 0

    def client(self, node: str | None = None) -> Client:
        """A new session; ``node`` is the replica it talks to, if it keeps to one."""
        with self._lock:
            session = self._sessions
            self._sessions += 1
        return Client(self, session, node)

    def fault(self, f: str, value: Any = None) -> None:
        """Note a fault, such as ``fault("partition", ["n1"])``: an event of process "nemesis"."""
        self._write(type="info", process=NEMESIS, f=f, value=value)

    def history(self) -> History:
        """What has been recorded so far; operations under way are ``info`` in it."""
        with self._lock:
            data = self.path.read_bytes()
        return History.load(data, format="jsonl")

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        with self._lock:
            file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _fresh_process(self) -> int:
        with self._lock:
            self._processes += 1
            return self._processes - 1

    def _write(self, **fields: Any) -> None:
        # The stamp and the place in the file are taken under one lock, so that index, time and line agree.
        with self._lock:
            if self._file < 0:
                raise ValueError("the recorder is closed")
            event = Event(index=self._index, time=time.monotonic_ns() - self._origin, **fields)
            line = self._encoder.encode(event) + b"\n"
            while line:
                line = line[os.write(self._file, line) :]
            if self._sync:
                os.fsync(self._file)
            self._index += 1


class Client:
    """One session. It has at most one operation open at a time."""

    def __init__(self, recorder: Recorder, session: int, node: str | None) -> None:
        self._recorder = recorder
        self.session = session
        self.node = node
        self.process = recorder._fresh_process()
        self._open: OpenOperation | None = None

    def operation(self, f: str, *, key: Key = None, value: Any = None, final: bool = False) -> OpenOperation:
        """An operation to be entered with ``with``; its invocation is stamped on entry.

        Raises `RuntimeError` on entry while another operation of this client is open.
        """
        return OpenOperation(self._recorder, self, f, key, value, final)


class OpenOperation:
    """An operation between its invocation and its answer."""

    def __init__(self, recorder: Recorder, client: Client, f: str, key: Key, value: Any, final: bool) -> None:
        self._recorder = recorder
        self._client = client
        self._f, self._key, self._value, self._final = f, key, value, final
        self._state: Literal["new", "open", "done"] = "new"

    def ok(self, value: Any = _UNSET, *, result: Any = None, node: str | None = None) -> None:
        """It took effect. ``value`` is what a read saw; ``result=False`` says that it was answered, and refused."""
        self._complete("ok", self._value if value is _UNSET else value, result=result, node=node)

    def fail(self, error: Any = None) -> None:
        """It had no effect, for certain."""
        self._complete("fail", self._value, error=error)

    def __enter__(self) -> OpenOperation:
        client = self._client
        if self._state != "new":
            raise RuntimeError("an operation is entered once")
        if client._open is not None:
            raise RuntimeError(
                f"session {client.session} has an operation open ({client._open._f}): "
                "one client, one operation at a time"
            )
        client._open = self
        try:
            self._write("invoke", self._value)
        except BaseException:
            client._open = None
            raise
        self._state = "open"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._state == "done":
            return
        if error is None:
            self._complete("info", self._value, error="left without an answer")
        elif isinstance(error, self._recorder._fail_on):
            self._complete("fail", self._value, error=_say(error))
        else:
            self._complete("info", self._value, error=_say(error))

    def _complete(
        self, kind: EventType, value: Any, *, result: Any = None, node: str | None = None, error: Any = None
    ) -> None:
        if self._state != "open":
            raise RuntimeError(
                "the operation is answered already" if self._state == "done" else "the operation was not entered"
            )
        self._state = "done"
        try:
            self._write(kind, value, result=result, node=node, error=error)
        finally:
            self._client._open = None
            if kind == TYPES[INFO]:
                self._client.process = self._recorder._fresh_process()

    def _write(
        self, kind: EventType, value: Any, *, result: Any = None, node: str | None = None, error: Any = None
    ) -> None:
        client = self._client
        self._recorder._write(
            type=kind,
            process=client.process,
            session=client.session,
            node=node or client.node,
            f=self._f,
            key=self._key,
            value=value,
            result=result,
            error=error,
            final=self._final,
        )


def _say(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
