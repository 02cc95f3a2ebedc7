"""The bound that a protocol states for its recovery counts the longest time that can be drawn, whatever its shape."""

from __future__ import annotations

import msgspec
import pytest

from bench.draws import longest
from scenarios.units import Span
from tests.bench.runs import REGISTRY

BOUNDS = {
    "raft": ("election_timeout", 10, 3_000_000),
    "multipaxos": ("election_timeout", 10, 3_000_000),
    "paxos": ("patience", 15, 3_000_000),
    "synod": ("patience", 15, 3_000_000),
    "primary_backup": ("suspect_after", 10, 3_000_000),
    "zab": ("finalize_wait", 4, 2_680_000),
}


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("span", [Span.exponential(400_000), Span.lognormal(300_000, 700)], ids=str)
def test_the_stated_bound_counts_the_longest_draw_of_a_span_with_a_tail(name: str, span: Span) -> None:
    field, times, default = BOUNDS[name]
    protocol = REGISTRY.protocols[name]
    parameters = protocol.parameters()
    assert protocol.recovers_within(parameters) == default
    drawn = msgspec.structs.replace(parameters, **{field: span})
    constant = msgspec.structs.replace(parameters, **{field: Span.constant(longest(span))})
    assert protocol.recovers_within(drawn) == protocol.recovers_within(constant) >= times * longest(span)
