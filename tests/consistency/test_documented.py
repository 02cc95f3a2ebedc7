"""The page about consistency models is right: its examples, its lattice, and an example for every missing edge."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest

from checkers import check
from checkers.lattice import EDGES, models, stronger, strongest, weaker
from tests.consistency import oracle
from tests.consistency.diagrams import DOCS, Example, examples
from tests.consistency.subjects import SUBJECTS

EXAMPLES = examples()


def holding(example: Example) -> set[str]:
    return {name for top in example.strongest for name in (top, *weaker(top))}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_satisfies_exactly_the_models_that_the_page_says(example: Example) -> None:
    judged = {name: check(example.history, name, model="kv") for name in models()}
    assert {name for name, verdict in judged.items() if verdict} == holding(example), judged
    assert all(verdict.outcome != "unknown" for verdict in judged.values())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_oracles_agree_with_the_page(example: Example) -> None:
    for name in models():
        expected = (
            oracle.linearizable(example.history, "kv")
            if name == "linearizable"
            else SUBJECTS[name].oracle(example.history)
        )
        assert expected == (name in holding(example)), name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_strongest_finds_the_maximal_models_and_does_no_work_twice(example: Example) -> None:
    standing = strongest(example.history, "kv")
    assert set(standing.strongest) == set(example.strongest)
    assert set(standing.holds) == holding(example)
    assert set(standing.holds) | set(standing.fails) == set(models())
    assert not set(standing.because) & set(standing.verdicts)
    for name, by in standing.because.items():
        assert name in (weaker(by) if name in standing.holds else stronger(by))


@pytest.mark.parametrize(("left", "right"), list(permutations(models(), 2)))
def test_where_there_is_no_path_an_example_separates_the_two(left: str, right: str) -> None:
    separating = [example.name for example in EXAMPLES if left in holding(example) and right not in holding(example)]
    assert bool(separating) == (right not in weaker(left))


def test_the_page_shows_the_lattice_that_is_used() -> None:
    picture = DOCS.read_text(encoding="utf-8").split("## The lattice\n```\n")[1].split("```")[0]
    edges = set()
    for line in picture.splitlines():
        levels = [[name.strip() for name in level.split(",")] for level in line.split("→")]
        for above, below in pairwise(levels):
            edges |= {(a, b) for a in above for b in below}
    assert edges == set(EDGES)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("figure-3a", "CyclicCF"),
        ("figure-3b", "WriteHBInitRead"),
        ("figure-3c", "CyclicCF"),
        ("figure-3e", "WriteCORead"),
    ],
)
def test_the_examples_of_bouajjani_show_their_bad_patterns(name: str, pattern: str) -> None:
    example = next(example for example in EXAMPLES if example.name == name)
    model = {"figure-3b": "cm", "figure-3e": "cc"}.get(name, "ccv")
    verdict = check(example.history, model, model="kv")
    assert verdict.details["pattern"] == pattern
    assert verdict.reason.startswith(pattern)
