"""A few mutants of every checker are killed, or survive for a reason on record; `make mutate` makes all of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.mutants import Source

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants are forked")
def test_a_sample_of_mutants_of_every_checker_is_killed_or_explained() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--sample", "2"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    total = re.search(r"\| all \| (\d+) \| (\d+) \|", done.stdout)
    assert total is not None
    assert int(total[1]) >= 40
    assert int(total[2]) >= 0.5 * int(total[1])


SOURCE = """
def between(low: int, value: int, high: int) -> bool:
    if low <= value < high and not value == 1:
        return any((low & 2, high))
    return f"{value > 1}" == ""
"""


def test_mutants_are_the_faults_that_the_page_names_and_never_in_messages() -> None:
    mutants = Source(SOURCE).mutants
    assert [mutant.change for mutant in mutants] == [
        "if low <= value < high and (not value == 1) → if not (low <= value < high and (not value == 1))",
        "low <= value < high and (not value == 1) → not value == 1",
        "low <= value < high and (not value == 1) → low <= value < high",
        "low <= value < high → low < value < high",
        "low <= value < high → low <= value <= high",
        "not value == 1 → value == 1",
        "value == 1 → value != 1",
        "1 → 2",
        "any → all",
        "low & 2 → 2",
        "low & 2 → low",
        "2 → 3",
        "f'{value > 1}' == '' → f'{value > 1}' != ''",
    ]
    for mutant in mutants:
        compile(Source(SOURCE).broken(mutant), "mutant", "exec")
