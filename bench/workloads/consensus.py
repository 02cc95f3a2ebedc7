"""Proposals to objects that decide once, one object after another."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bench.node import Command
from bench.traffic import MIX, Calls, Keys, Traffic, Weight

Function = Literal["propose", "read"]


class ConsensusWorkload(Traffic, frozen=True, kw_only=True, tag="consensus"):
    """Clients propose a value each for the same key, learn which one is decided, and go on to the next key.

    A proposal is answered with the decision: the first one, for ever (Herlihy 1991). So there is a race for every key,
    and those who are late still learn the decision. Every proposed value is unique. `readers` read any of the keys.
    Who asks, and when, is as in `kv`.
    """

    mix: Annotated[dict[Function, Weight], MIX] = msgspec.field(default_factory=lambda: {"propose": 4, "read": 1})
    keys: Keys = 100
    calls: Annotated[
        int,
        Meta(ge=1, description="Operations on a key before the next one's turn; after the last, the first's again."),
    ] = 10

    @property
    def model(self) -> str:
        return "consensus"

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(self.mix) | {"read"}

    def commands(self, seed: int) -> Callable[[], Command]:
        calls = Calls(self, self.mix.items(), seed)
        numbers = count()

        def draw() -> Command:
            number = next(numbers)
            key = f"k{number // self.calls % self.keys}"
            return Command("read", key) if calls.function() == "read" else Command("propose", key, number)

        return draw
