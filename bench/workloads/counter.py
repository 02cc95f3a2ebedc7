"""Numbers added to a few counters and taken from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bench.draws import below
from bench.node import Command
from bench.traffic import MIX, Calls, Keys, Traffic, Weight

Function = Literal["increment", "decrement", "read"]


class CounterWorkload(Traffic, frozen=True, kw_only=True, tag="counter"):
    """Clients increment, decrement and read a few counters.

    A change that is lost, or carried out twice, is in every read to come. Who asks, and when, is as in `kv`.
    """

    mix: Annotated[dict[Function, Weight], MIX] = msgspec.field(
        default_factory=lambda: {"increment": 4, "decrement": 1, "read": 3}
    )
    keys: Keys = 10
    step_max: Annotated[int, Meta(ge=1, description="A counter is changed by a number from 1 to this.")] = 9

    @property
    def model(self) -> str:
        return "counter"

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(self.mix) | {"read"}

    def commands(self, seed: int) -> Callable[[], Command]:
        calls = Calls(self, self.mix.items(), seed)

        def draw() -> Command:
            key, function = calls.key(), calls.function()
            return Command(function, key, None if function == "read" else 1 + below(self.step_max, calls.random))

        return draw
