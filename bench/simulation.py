"""Simulated time: every enabled event happens when its drawn delay is over; ties break in scheduling order.

Driven by simpy through callbacks on bare events. A process generator per message or an inbox `Store` would cost
several times as much and order nothing better: simpy's queue of (time, priority, number) already is the order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy

from bench.host import Enabled, Host


class Simulation:
    """A chooser that follows simulated time, in whole microseconds."""

    def __init__(self) -> None:
        self._environment = simpy.Environment(initial_time=0)
        self._host: Host | None = None

    def drive(self, host: Host) -> None:
        """The host whose events happen here."""
        self._host = host
        self._happen = [lambda due: host.happen(due.value)]

    @property
    def now(self) -> int:
        return self._environment.now  # type: ignore[return-value]  # ints go in, so ints come out

    def enable(self, event: Enabled, delay: int) -> None:
        self._schedule(self._happen, event, delay)

    def call_at(self, time: int, callback: Callable[[], None]) -> None:
        """Call something at a moment that is not in the past."""
        self._schedule([lambda _: callback()], None, time - self.now)

    def _schedule(self, callbacks: list[Callable[[simpy.Event], None]], value: Any, delay: int) -> None:
        due = simpy.Event(self._environment)
        due.callbacks = callbacks
        due._ok, due._value = True, value
        self._environment.schedule(due, delay=delay)

    def advance(self, until: int) -> None:
        """Let everything happen that is due before ``until``."""
        self._environment.run(until=until)
