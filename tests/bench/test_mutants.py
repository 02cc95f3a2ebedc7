"""Every mutant is convicted by the scenario that is named after it, and the protocol that it mutates passes there."""

from __future__ import annotations

import os

import pytest

from bench.registry import CHECKERS, CONSISTENCIES
from tests.bench.runs import REGISTRY, ROOT, run_shipped, shipped

SEEDS = range(50) if os.environ.get("AFTERSHOCK_FULL") else range(3)
COLUMNS = [(name, column) for name, column in sorted(shipped()) if name.startswith("mutants/")]


def test_every_mutant_has_its_scenario_beside_the_protocol_that_it_mutates() -> None:
    for mutant, protocol in REGISTRY.mutants().items():
        assert {(f"mutants/{mutant}", mutant), (f"mutants/{mutant}", protocol.mutant_of)} <= set(COLUMNS)
    assert {path.stem for path in (ROOT / "scenarios" / "mutants").glob("*.toml")} == set(REGISTRY.mutants())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_every_seed_convicts_the_mutant_and_acquits_the_protocol(name: str, column: str, seed: int) -> None:
    seen = run_shipped(name, column, seed, trace=False)
    assert seen.result.status == "as expected", seen.result.notes
    protocol, mode = REGISTRY.column(column)[1::2]
    due = {*mode.promised, *CHECKERS[len(CONSISTENCIES) :]}
    broken = {each.name for each in seen.result.judged if each.verdict.outcome == "invalid"} & due
    assert bool(broken) == (protocol.mutant_of is not None)
    if broken:
        assert any(each.expected == "invalid" and each.name in broken for each in seen.result.judged)
