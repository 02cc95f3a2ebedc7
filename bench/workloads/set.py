"""Elements added to a few sets, which are read as wholes (Jepsen's set-full)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Annotated, Literal

import msgspec

from bench.node import Command
from bench.traffic import MIX, Calls, Keys, Traffic, Weight

Function = Literal["add", "read"]


class SetWorkload(Traffic, frozen=True, kw_only=True, tag="set"):
    """Clients add elements to a few sets and read them; no element is added twice.

    Nothing overwrites an element, so that a lost one is missing from every read to come. Who asks, and when, is as in
    `kv`. There are many sets rather than a large one, because an answer carries the whole set.
    """

    mix: Annotated[dict[Function, Weight], MIX] = msgspec.field(default_factory=lambda: {"add": 3, "read": 1})
    keys: Keys = 10

    @property
    def model(self) -> str:
        return "set"

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(self.mix) | {"read"}

    def commands(self, seed: int) -> Callable[[], Command]:
        calls = Calls(self, self.mix.items(), seed)
        fresh = count(1)

        def draw() -> Command:
            key, function = calls.key(), calls.function()
            return Command("add", key, next(fresh)) if function == "add" else Command("read", key)

        return draw
