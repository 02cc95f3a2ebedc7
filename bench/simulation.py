"""Simulated time: every enabled event happens when its drawn delay is over; ties break in scheduling order.

Driven by simpy through callbacks on bare events. A process generator per message or an inbox `Store` would cost
several times as much and order nothing better: simpy's queue of (time, priority, number) already is the order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy

from bench.host import Enabled, Host


class Due(simpy.Event):
    """A simpy event that is triggered from the start; ``what`` happens when it is due."""

    _ok = True
    _value = None

    def __init__(self, callbacks: list[Callable[[Due], None]], at: int, what: Any) -> None:
        self.callbacks = callbacks
        self.at = at  # the moment when it is due; asking the environment for it would cost a call
        self.what = what


class Simulation:
    """A chooser that follows simulated time, in whole microseconds."""

    def __init__(self) -> None:
        self._environment = simpy.Environment(initial_time=0)
        self._schedule = self._environment.schedule
        self._happen: list[Callable[[Due], None]] = []
        self._call: list[Callable[[Due], None]] = [self._call_back]
        self.now = 0

    def drive(self, host: Host) -> None:
        """The host whose events happen here."""
        happen = host.happen

        def due(event: Due) -> None:
            self.now = event.at
            happen(event.what)

        self._happen = [due]

    def enable(self, event: Enabled, delay: int) -> None:
        self._schedule(Due(self._happen, self.now + delay, event), delay=delay)

    def call_at(self, time: int, callback: Callable[[], None]) -> None:
        """Call something at a moment that is not in the past."""
        self._schedule(Due(self._call, time, callback), delay=time - self.now)

    def _call_back(self, event: Due) -> None:
        self.now = event.at
        event.what()

    def advance(self, until: int) -> None:
        """Let everything happen that is due before ``until``."""
        if until > self.now:
            self._environment.run(until=until)
            self.now = until
