"""Every checker agrees with brute force on random small histories; ``python -m tests.consistency.sweep`` takes many
more.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from checkers import check
from checkers.lattice import APART, models, weaker
from tests.consistency import generate, oracle
from tests.consistency.diagrams import drawn
from tests.consistency.subjects import SUBJECTS, compare

HISTORIES = 250


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_checker_agrees_with_brute_force(name: str) -> None:
    tally: Counter[str] = Counter()
    for number in range(HISTORIES):
        tally[compare(name, number)] += 1
    # Neither answer may be rare, or agreement would mean little.
    assert 0.3 <= tally["valid"] / (tally["valid"] + tally["invalid"]) <= 0.7, tally


def test_what_a_sweep_once_found_stays_right() -> None:
    """A session that read its own write before it made it, and then overwrote it."""
    history = drawn("""
        s0: [x?3]       [y?-]        [y?2]         [x?6] [y?7]
        s1: [x=1] [y=2] [x?-] [x=4] [y?5] [y=5] [x=6] [y=7] [x?6] [y?7] [x=8] [y?5]
        s2: [x=3]
    """)
    assert check(history, "writes-follow-reads", model="kv").outcome == "invalid"
    assert not oracle.guarantee(history, "writes-follow-reads")


@pytest.mark.parametrize("part", range(4))
def test_verdicts_are_monotone_along_every_edge_of_the_lattice(part: int) -> None:
    for number in range(part, 800, 4):
        random = Random(f"monotone/{number}")
        history = SUBJECTS[random.choice(("cm", "monotonic-reads", "cm with cas"))].generate(random)
        outcome = {name: check(history, name, model="kv").outcome for name in models()}
        for name in models():
            for below in weaker(name):
                assert not (outcome[name] == "valid" and outcome[below] == "invalid"), (name, below, list(history))
                assert "unknown" not in (outcome[name], outcome[below])


def test_the_random_histories_separate_neighbours_too() -> None:
    """The generator is not so tame that models never differ."""
    separated = set()
    for number in range(400):
        random = Random(f"apart/{number}")
        history = generate.wild(random, 12, 3, 2, old=0.5)
        outcome = {name: check(history, name, model="kv").outcome for name in models()}
        separated |= {(a, b) for a in outcome for b in outcome if (outcome[a], outcome[b]) == ("valid", "invalid")}
    assert {
        ("osc(u)", "linearizable"),
        ("sequential", "osc(u)"),
        ("ccv", "sequential"),
        ("cc", "monotonic-reads"),
    } <= separated


def test_models_apart_are_named_by_their_modules() -> None:
    from checkers.consistency import consistencies

    assert {name.replace("osc(u)", "osc-u") for name in (*models(), *APART)} == set(consistencies())
