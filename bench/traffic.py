"""What the shipped workloads share: who asks, when, and of which key; what is asked is theirs to say."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from itertools import accumulate
from typing import Annotated

from msgspec import Meta

from bench.draws import sampler, stream, weighted
from bench.node import Command, NodeId
from bench.workload import Operation, Session, WorkloadKind
from scenarios.schema import Scenario
from scenarios.units import Duration, Probability, Rate, Span

Keys = Annotated[int, Meta(ge=1, le=100_000, description="How many keys; they are called k0, k1, …")]
Weight = Annotated[int, Meta(ge=1)]
MIX = Meta(min_length=1, description="How often each function is drawn, relative to the others.")


class Traffic(WorkloadKind, frozen=True, kw_only=True):
    """Clients and readers that operate on a few keys."""

    clients: Annotated[int, Meta(ge=1, le=999, description="How many sessions.")] = 5
    rate: Annotated[Rate | None, Meta(description="Operations of all clients together (open loop).")] = None
    think: Annotated[Span, Meta(description="The pause of a client between two operations (closed loop).")] = (
        Span.uniform(10_000, 30_000)
    )
    keys: Keys = 4
    skew: Annotated[
        Probability,
        Meta(description="The exponent of a Zipf distribution over the keys; 0: all alike, 0.99: as in YCSB."),
    ] = Probability(0)
    readers: Annotated[
        int, Meta(ge=0, le=999, description="Further sessions that only read, each pinned to a node.")
    ] = 0
    read_every: Annotated[Span, Meta(description="The pause of a reader between two reads.")] = Span.constant(20_000)
    sessions_max: Annotated[
        int, Meta(ge=1, le=9_999, description="Sessions in an open loop at most; beyond them an arrival is shed.")
    ] = 50
    timeout: Annotated[
        Duration, Meta(description="How long a client waits for an answer before it gives up: the outcome is `info`.")
    ] = Duration(1_000_000)

    @abstractmethod
    def commands(self, seed: int) -> Callable[[], Command]:
        """Draws what the clients ask for, one command at each call."""

    @property
    def patience(self) -> Duration:
        return self.timeout

    def sessions(self, nodes: tuple[NodeId, ...]) -> tuple[Session, ...]:
        opened = max(self.clients, self.sessions_max) if self.rate else self.clients
        clients = [Session(f"c{i}") for i in range(1, opened + 1)]
        readers = [Session(f"r{i + 1}", nodes[i % len(nodes)]) for i in range(self.readers)]
        return (*clients, *readers)

    def size(self, scenario: Scenario) -> int:
        asked = scenario.duration * self.rate.count // self.rate.per if self.rate else 0
        rounds = 0 if self.rate else _enough(scenario.duration, self.think) * self.clients
        return asked + rounds + self.readers * _enough(scenario.duration, self.read_every)

    def plan(self, scenario: Scenario, nodes: tuple[NodeId, ...], seed: int) -> tuple[Operation, ...]:
        plan = self._arrivals(scenario, seed) if self.rate else self._rounds(scenario, seed)
        keys, weights = self._names(), self._weights()
        for number in range(1, self.readers + 1):
            random = stream(seed, "reader", f"r{number}")
            key, pause = weighted(keys, weights, random), sampler(self.read_every, random)
            for _ in range(_enough(scenario.duration, self.read_every)):
                plan.append(Operation("read", key(), session=f"r{number}", after=pause()))
        return tuple(plan)

    def _arrivals(self, scenario: Scenario, seed: int) -> list[Operation]:
        """Open loop: a Poisson process of this rate."""
        assert self.rate is not None
        random = stream(seed, "arrivals")
        gap = sampler(Span.exponential(self.rate.per * 1000 // self.rate.count), random)  # in nanoseconds
        draw = self.commands(seed)
        plan: list[Operation] = []
        now = gap()
        while now < scenario.duration * 1000:
            command = draw()
            plan.append(Operation(command.f, command.key, command.value, at=now // 1000))
            now += gap()
        return plan

    def _rounds(self, scenario: Scenario, seed: int) -> list[Operation]:
        """Closed loop: as many operations for each client as it could finish if every answer came at once."""
        draw = self.commands(seed)
        pauses = [sampler(self.think, stream(seed, "think", f"c{i}")) for i in range(1, self.clients + 1)]
        plan = []
        for _ in range(_enough(scenario.duration, self.think)):
            for client, pause in enumerate(pauses, 1):
                command = draw()
                plan.append(Operation(command.f, command.key, command.value, session=f"c{client}", after=pause()))
        return plan

    def final(self) -> tuple[Command, ...]:
        return tuple(Command("read", key) for key in self._names())

    def _names(self) -> tuple[str, ...]:
        return tuple(f"k{key}" for key in range(self.keys))

    def _weights(self) -> tuple[int, ...]:
        """Cumulative weights of the keys, as whole numbers: 1 / rank to the power of the skew."""
        if not self.skew:
            return tuple(range(1, self.keys + 1))
        with localcontext(Context(prec=20, rounding=ROUND_HALF_EVEN)):
            exponent = Decimal(int(self.skew)) / 1_000_000
            weights = [(-exponent * Decimal(rank).ln()).exp() for rank in range(1, self.keys + 1)]
        return tuple(accumulate(int(weight * 1_000_000) or 1 for weight in weights))


class Calls:
    """Draws a ``key`` and a ``function``, alike for every workload; what else one draws comes from ``random``, too."""

    def __init__(self, traffic: Traffic, mix: Iterable[tuple[str, int]], seed: int) -> None:
        self.random = stream(seed, "operations")
        self.key = weighted(traffic._names(), traffic._weights(), self.random)
        functions = tuple(mix)
        weights = tuple(accumulate(weight for _, weight in functions))
        self.function = weighted(tuple(name for name, _ in functions), weights, self.random)


def _enough(duration: int, pause: Span) -> int:
    """As many operations as fit into the duration if only the pauses took time, and no more than one a millisecond."""
    return duration // max(pause.low if pause.shape == "uniform" else pause.low // 4, 1_000) + 1
