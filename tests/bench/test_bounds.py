"""How stale a read may be is expected of a run like any model: with its bounds, several of them if one likes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.protocol import Protocol
from tests.bench.runs import REGISTRY, Run, kept, run, with_protocol

BEHIND = """
duration  = "6s"
heal      = "3s"
protocols = ["raft/follower-local"]
[cluster]
nodes = 3
[workload]
kind    = "kv"
clients = 3
readers = 3
keys    = 1
[[faults]]
kind   = "partition"
at     = "1s"
for    = "1500ms"
groups = [["follower"], ["rest"]]
[expect]
sequential = "any"
"bounded-staleness:t=1s" = "{}"
"bounded-staleness:k=1" = "invalid"
bounded-staleness = "valid"
"bounded-staleness:t=3s" = "valid"
"""


def _outcomes(seen: Run) -> dict[str, str]:
    return {each.name: str(each.verdict.outcome) for each in seen.result.judged if "stale" in each.name}


def test_each_bound_is_judged_by_itself_and_one_that_does_not_hold_fails_the_run() -> None:
    seen = run(BEHIND.format("valid"), "raft/follower-local")
    assert _outcomes(seen) == {
        "bounded-staleness:t=1s": "invalid",
        "bounded-staleness:k=1": "invalid",
        "bounded-staleness": "valid",
        "bounded-staleness:t=3s": "valid",
    }
    assert all(each.verdict.checker == each.name for each in seen.result.judged if "stale" in each.name)
    assert (seen.result.status, seen.result.notes) == (
        "not as expected", ("bounded-staleness:t=1s is invalid, expected valid",),
    )  # fmt: skip
    assert run(BEHIND.format("invalid"), "raft/follower-local").result.status == "as expected"


@pytest.mark.parametrize(("bound", "outcome"), [("t=1s", "invalid"), (" t = 3s", "valid"), ("t=3s, k=1", "invalid")])
def test_a_mode_can_promise_a_bound_and_a_scenario_can_expect_otherwise(bound: str, outcome: str) -> None:
    raft = REGISTRY.protocols["raft"]
    modes = {"bounded": replace(raft.modes["follower-local"], also=(f"bounded-staleness:{bound}",))}
    registry = with_protocol("own", Protocol(**{**vars(raft), "modes": modes}))
    text = BEHIND.replace("raft/follower-local", "own").partition("[expect]")[0]
    promised = run(text, "own/bounded", registry=registry)
    [name] = _outcomes(promised)
    assert name == "bounded-staleness:" + bound.replace(" ", "")
    assert _outcomes(promised)[name] == outcome
    assert promised.result.status == ("as expected" if outcome == "valid" else "not as expected")
    otherwise = run(f'{text}[expect]\n"{name}" = "{outcome}"', "own/bounded", registry=registry)
    assert otherwise.result.status == "as expected"


def test_a_follower_that_remembers_is_two_seconds_behind_and_not_three() -> None:
    found = _outcomes(kept("stale-followers", "raft/follower-session"))
    assert found == {"bounded-staleness:t=2s": "invalid", "bounded-staleness:t=3s": "valid"}
