"""Kinds of our own for these tests: small, but with a parameter of every type that a scenario can hold."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bench.registry import spelled
from scenarios.schema import BoundsKind, Fault, Kinds, ProtocolKind, Workload
from scenarios.units import Duration, Link, Probability, Rate, Span, Target


class Partition(Fault, frozen=True):
    """Cuts the cluster into groups that cannot reach each other.

    More is not printed.
    """

    groups: Annotated[
        tuple[tuple[Target, ...], ...],
        Meta(min_length=1, description="Who stays together.", examples=[[["leader as old", "any"], ["rest"]]]),
    ]


class Crash(Fault, frozen=True):
    """Stops a node; it comes back with what its disk holds."""

    node: Annotated[Target, Meta(description="Which one.")]
    torn: Annotated[bool, Meta(description="Whether the last record is torn.")] = False


class MessageRule(msgspec.Struct, frozen=True, rename="kebab"):
    """Which messages are meant."""

    type: str
    link: Link | None = None
    nth: Annotated[int, Meta(ge=1)] = 1


class Lose(Fault, frozen=True):
    """Loses packets."""

    chance: Annotated[Probability, Meta(description="Of every packet.")] = Probability(1_000_000)
    links: Annotated[tuple[Link, ...], Meta(description="Where.")] = ()
    only: Annotated[MessageRule | None, Meta(description="Which messages.")] = None

    def __post_init__(self) -> None:
        if self.chance == 0:
            raise ValueError("a chance of 0 loses nothing")


class Registers(Workload, frozen=True):
    """Reads and writes registers."""

    clients: Annotated[int, Meta(ge=1, le=1000, description="How many sessions.")] = 5
    rate: Annotated[Rate | None, Meta(description="Of all clients together; without it, a closed loop.")] = None
    mix: Annotated[
        dict[Literal["read", "write", "cas"], Annotated[int, Meta(ge=0)]], Meta(description="How often each.")
    ] = msgspec.field(default_factory=lambda: {"read": 1, "write": 1})
    think: Annotated[Span, Meta(description="Between two operations.")] = Span("constant", 0, 0)
    skew: Annotated[float, Meta(ge=0, le=4, description="Of the keys.")] = 0.0
    readers: Annotated[tuple[Target, ...], Meta(description="Nodes that readers are pinned to.")] = ()


class RaftParameters(msgspec.Struct, frozen=True, rename="kebab"):
    """How impatient Raft is."""

    election_timeout: Annotated[Span, Meta(description="Drawn anew every time.")] = Span("uniform", 150_000, 300_000)
    heartbeat: Annotated[Duration, Meta(description="Between two heartbeats.")] = Duration(50_000)
    flavour: Annotated[str, Meta(description="Of no consequence.")] = "vanilla"


class NoParameters(msgspec.Struct, frozen=True):
    """Nothing to set."""


KINDS = Kinds(
    faults={"partition": Partition, "crash": Crash, "lose": Lose},
    workloads={"registers": Registers},
    protocols={
        "raft": ProtocolKind(RaftParameters, ("log", "leader-local")),
        "gossip": ProtocolKind(NoParameters, ()),
    },
    events=("leader-elected", "vote-granted", "entry-appended", "committed"),
    checkers=("linearizable", "bounded-staleness", "agreement", "leadership", "progress"),
    bounds={"bounded-staleness": BoundsKind(("t", "k"), "t=50ms,k=2", spelled)},
)

SCENARIO = """\
why       = "The leader is cut off with one follower: it must fall silent, the majority must go on."
duration  = "20s"
heal      = "9s"                          # faults end here
protocols = ["raft", "raft/leader-local", "gossip"]

[cluster]
nodes   = 5
latency = "1ms..5ms"
links   = { "n5" = "40ms..60ms", "n1->n2" = "10ms" }

[workload]
kind    = "registers"
clients = 5
rate    = "50/s"
mix     = { read = 5, write = 3, cas = 2 }

[[faults]]
name   = "cut"
kind   = "partition"
at     = "2s"
for    = "3s"
groups = [
    ["leader as old", "any"],
    ["rest"],                             # the majority
]

[[faults]]
kind = "crash"
on   = "cut ends"
node = "old"
for  = "600ms"

[[faults]]
kind   = "lose"
on     = "vote-granted"
nth    = 2
after  = "10ms"
chance = 0.25
links  = ["trigger -> all", "n1 - c2"]
only   = { type = "AppendEntries", link = "leader -> rest", nth = 3 }

[expect]
agreement = "valid"

[expect."raft/leader-local"]
linearizable = "breakable"

[protocol.raft]
election-timeout = "200ms..400ms"

[at-least]
elections = 2
reads = 100
"""
