"""What a verdict says is true, line by line, and proves what it is said to prove."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.consistency import generate
from tests.consistency.proofs import Case
from tests.consistency.subjects import SUBJECTS

ORDERS = ("sequential", "osc(u)")
OBJECTS = ("set", "queue", "kv-append")


def case(number: int) -> Case:
    """A history of a register, with all that can be asked of it or with plain reads and writes."""
    random = Random(f"proof/{number}")
    if number % 3:
        return Case(generate.mixed(random, random.randint(4, 9)), "kv")
    old, cas = random.choice((0.3, 0.6)), random.choice((0.0, 0.4))
    return Case(generate.wild(random, random.randint(6, 12), 3, 2, old=old, info=0.15, cas=cas), "kv")


def object_case(model: str, number: int) -> Case:
    return Case(SUBJECTS[f"sequential of {model}"].generate(Random(f"proof/{model}/{number}")), model)


@pytest.mark.parametrize("name", ["cc", "ccv", "cm", "pram", *ORDERS])
def test_every_line_of_an_explanation_is_true_and_together_they_prove_it(name: str) -> None:
    told = Counter(case(number).explained(name) for number in range(200))
    assert told["reasons"] > 40, told
    assert told["thin air"] > 5, told
    assert told["cannot be judged"] > 15 or name in ORDERS, told


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("model", ["kv", *OBJECTS])
def test_where_every_order_ends_is_told_truly_and_of_as_few_operations_as_can_be(model: str, name: str) -> None:
    cases = (case(number) if model == "kv" else object_case(model, number) for number in range(80))
    told = Counter(one.explained(name, forced=False) for one in cases)
    assert told["dead end"] + told["versions"] > 12, told
