"""Reads, writes and compare-and-sets on a few keys."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bench.draws import below
from bench.node import Command
from bench.traffic import MIX, Calls, Traffic, Weight

Function = Literal["read", "write", "cas"]


class KeyValueWorkload(Traffic, frozen=True, kw_only=True, tag="kv"):
    """Clients read, write and compare-and-set a few keys.

    With `rate` the loop is open: operations arrive at drawn times, whoever is free takes one, a new session is opened
    when nobody is, and latency counts from the arrival. Without it the loop is closed: each client invokes its next
    operation `think` after the last. `readers` only read, each pinned to one node in turn and in a closed loop: a
    client that waits for a write to be answered is blocked in the very window in which a stale read could be seen.
    """

    mix: Annotated[dict[Function, Weight], MIX] = msgspec.field(
        default_factory=lambda: {"read": 5, "write": 3, "cas": 2}
    )
    values: Annotated[
        int | None, Meta(ge=2, description="Values are drawn from so many; without it, every written value is unique.")
    ] = None

    @property
    def model(self) -> str:
        return "kv"

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(self.mix) | {"read"}

    def commands(self, seed: int) -> Callable[[], Command]:
        """A cas expects the value that was planned last for its key, so that many of them match."""
        calls = Calls(self, self.mix.items(), seed)
        fresh = count(1)
        newest: dict[str, int] = {}

        def draw() -> Command:
            key, function = calls.key(), calls.function()
            if function == "read":
                return Command("read", key)
            new = next(fresh) if self.values is None else below(self.values, calls.random)
            old = newest.get(key) if self.values is None else below(self.values, calls.random)
            newest[key] = new
            return Command("write", key, new) if function == "write" else Command("cas", key, (old, new))

        return draw
