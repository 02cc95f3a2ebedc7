"""A scenario as a frozen value: the cluster, the workload, the faults and what is expected of every protocol.

The kinds of faults, workloads and protocols are not known here: each brings a parameter class of its own (a subclass
of `Fault`, `Workload`, or any frozen struct for a protocol), and `decode` is handed them as a `Kinds`.

The descriptions below are what `docs/scenarios.md` and the JSON Schema print.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from scenarios.units import Duration, Span

Expectation = Literal["valid", "invalid", "breakable", "any"]


class Cluster(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """The machines and what connects them."""

    nodes: Annotated[int, Meta(ge=1, le=99, description="How many nodes; they are called n1, n2, …")] = 5
    latency: Annotated[
        Span, Meta(description="How long a packet travels, one way, between any two nodes.", examples=["1ms..5ms"])
    ] = Span("uniform", 1_000, 5_000)
    client_latency: Annotated[
        Span,
        Meta(
            description="The same between a client and a node; 0 because latency there hides anomalies.",
            examples=["2ms"],
        ),
    ] = Span("constant", 0, 0)
    links: Annotated[
        dict[str, Span],
        Meta(
            description='Latencies of single links: `"n5"` is all of n5\'s, `"n1->n2"` one way, `"n1 - n2"` both ways.',
            examples=[{"n5": "40ms..60ms", "n1->n2": "10ms"}],
        ),
    ] = {}
    order: Annotated[
        Literal["any", "fifo"], Meta(description="Whether packets of one link may overtake each other, or never do.")
    ] = "any"
    fsync: Annotated[
        Span, Meta(description="How long a disk takes to make what was written durable.", examples=["1ms..3ms"])
    ] = Span("constant", 1_000, 1_000)

    @property
    def ids(self) -> tuple[str, ...]:
        """The names of the nodes: n1, n2, …"""
        return tuple(f"n{number}" for number in range(1, self.nodes + 1))


class Fault(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True, tag_field="kind"):
    """What every fault has: when it starts and how long it lasts. A kind of fault adds its own fields."""

    name: Annotated[
        str,
        Meta(
            description='What later faults call it (`"NAME starts"`, `"NAME ends"`) and what the report shows; without '
            "it, the kind and a number, such as `crash-2`.",
            examples=["cut"],
        ),
    ] = ""
    at: Annotated[
        Span | None,
        Meta(
            description="When it starts, after the run's start; a range is drawn once, when the run is planned.",
            examples=["2s", "1s..4s"],
        ),
    ] = None
    on: Annotated[
        str | None,
        Meta(
            description="The event that starts it instead of `at`: an event of the cluster, or another fault's start "
            "or end.",
            examples=["leader-elected", "cut ends"],
        ),
    ] = None
    nth: Annotated[int, Meta(ge=1, description="Which occurrence of that event.", examples=[2])] = 1
    after: Annotated[Span, Meta(description="How long after that event.", examples=["10ms"])] = Span("constant", 0, 0)
    lasts: Annotated[Span | None, Meta(description="How long it lasts; without it, until heal.", examples=["3s"])] = (
        msgspec.field(name="for", default=None)
    )
    optional: Annotated[
        bool, Meta(description="It may never start; otherwise a run in which it did not is undecided.")
    ] = False
    order: Annotated[
        tuple[str, ...],
        Meta(
            description='The order in which "any" and "follower" pick nodes; without it, drawn in planning.',
            examples=[["n3", "n1", "n2"]],
        ),
    ] = ()


class Workload(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True, tag_field="kind"):
    """What every workload has. A kind of workload adds its own fields."""


class Expect(msgspec.Struct, frozen=True):
    """What must come out: of every column, and of single columns (protocol, or protocol/mode)."""

    all: dict[str, Expectation] = {}
    columns: dict[str, dict[str, Expectation]] = {}

    def of(self, protocol: str, mode: str) -> dict[str, Expectation]:
        """What this scenario expects of one column, by checker: the most specific table that names a checker wins."""
        return {**self.all, **self.columns.get(protocol, {}), **self.columns.get(f"{protocol}/{mode}", {})}


class Scenario(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """One experiment: run these protocols on this cluster under this workload and these faults."""

    why: Annotated[
        str,
        Meta(
            description="What this scenario shows, in a sentence.",
            examples=["A deposed leader must fall silent."],
        ),
    ] = ""
    duration: Annotated[Duration, Meta(description="How long clients invoke operations.", examples=["20s"])]
    heal: Annotated[
        Duration | None,
        Meta(
            description="When faults end and progress is demanded; without it, at half of `duration`. The run must go "
            "on for as long as the protocol may take to recover (3 s for most), or progress is undecided.",
            examples=["9s"],
        ),
    ] = None
    heal_core: Annotated[
        bool,
        Meta(description="Heal only a connected quorum, drawn when the run is planned, and leave the rest broken."),
    ] = False
    core: Annotated[
        tuple[str, ...],
        Meta(
            description="The nodes that `heal-core` heals; without it, a majority drawn in planning.",
            examples=[["n1", "n4", "n5"]],
        ),
    ] = ()
    events_max: Annotated[
        int | None,
        Meta(
            ge=1,
            description="Inputs handed to nodes before the run is given up as a storm; without it, 20,000 a second.",
            examples=[1_000_000],
        ),
    ] = None
    seed: Annotated[
        int | None,
        Meta(
            ge=0,
            le=2**63 - 1,
            description="The seed that was run; a recording's own scenario has it.",
            examples=[7],
        ),
    ] = None
    protocols: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="One column each: a protocol's name, or name/mode; without a mode, the protocol's first.",
            examples=[["raft/log", "raft/leader-local"]],
        ),
    ]
    cluster: Cluster = Cluster()
    workload: Workload
    faults: tuple[Fault, ...] = ()
    expect: Expect = Expect()
    protocol: dict[str, msgspec.Struct] = {}
    at_least: Annotated[
        dict[str, int],
        Meta(
            description="Counters of results.json that must be reached, else nothing was tested: undecided.",
            examples=[{"elections": 2, "reads": 100}],
        ),
    ] = {}

    @property
    def heals_at(self) -> Duration:
        """When faults end, whether written or not."""
        return self.heal if self.heal is not None else Duration(self.duration // 2)


class ProtocolKind(msgspec.Struct, frozen=True):
    """What a scenario needs to know of a protocol: the parameters that it takes and the modes that it has.

    The first mode is the one that a bare name means.
    """

    parameters: type[msgspec.Struct]
    modes: tuple[str, ...]


class BoundsKind(msgspec.Struct, frozen=True):
    """What may follow a checker's name and a colon: how much it allows.

    ``spelled`` gives "bounded-staleness:t=50ms,k=2" its one spelling; it raises ValueError, in words, for bounds that
    make no sense.
    """

    parameters: tuple[str, ...]
    example: str
    spelled: Callable[[str], str]


class Kinds(msgspec.Struct, frozen=True):
    """Everything that a scenario may name; the bench's registry hands it to `decode`."""

    faults: Mapping[str, type[Fault]]
    workloads: Mapping[str, type[Workload]]
    protocols: Mapping[str, ProtocolKind]
    events: tuple[str, ...]
    checkers: tuple[str, ...]
    bounds: Mapping[str, BoundsKind] = {}

    def column(self, name: str) -> tuple[str, str]:
        """The protocol and mode of a column as written: ("raft", "log") of "raft" and of "raft/log".

        Raises KeyError when there is no such protocol or mode.
        """
        protocol, slash, mode = name.partition("/")
        modes = self.protocols[protocol].modes
        if not slash:
            return protocol, modes[0] if modes else ""
        if mode not in modes:
            raise KeyError(name)
        return protocol, mode
