"""Checkers against an oracle that shares no code with them; the large run is `tests.checkers.sweep`."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.checkers import generate, sweep


@pytest.mark.parametrize("model", generate.MODELS)
def test_verdicts_searches_and_witnesses_agree_with_brute_force(model: str) -> None:
    outcomes = Counter(sweep.one(model, seed, compiled=False) for seed in range(400))
    assert 0.25 * 400 <= outcomes["valid"] <= 0.75 * 400, outcomes


@pytest.mark.parametrize("model", generate.MODELS)
def test_the_compiled_search_looks_at_the_same_configurations(model: str) -> None:
    pytest.importorskip("numba")
    for seed in range(10_000, 10_040):
        sweep.one(model, seed, compiled=True)


@pytest.mark.parametrize(
    ("model", "seed"),
    [
        ("queue", 448_187),  # its witness kept an enqueue and dropped the dequeue of it
        ("list", 1_702_514),  # its witness named an append that began when a read of it was over
    ],
)
def test_what_once_differed_agrees(model: str, seed: int) -> None:
    sweep.one(model, seed, compiled=False)
