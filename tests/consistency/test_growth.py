"""The figures of ``benchmarks.consistency`` are what it says that they are."""

from __future__ import annotations

import importlib
import re

import pytest

from benchmarks import consistency
from checkers.consistency import ALIASES


def test_a_power_law_has_its_exponent() -> None:
    sizes = (100, 200, 400, 3_200)
    for exponent in (1.0, 1.5, 2.0):
        assert consistency.growth(sizes, [3e-6 * n**exponent for n in sizes]) == pytest.approx(exponent)


@pytest.mark.parametrize("name", consistency.MODELS)
def test_the_theory_is_that_of_the_checkers_docstring(name: str) -> None:
    module = importlib.import_module(f"checkers.{ALIASES.get(name, name).replace('-', '_')}")
    text = module.judge.__doc__
    if "grows as in" in text:
        module = importlib.import_module(re.findall(r"`(checkers\.\w+)`", text)[0])
        text = module.judge.__doc__
    found = re.findall(r"growth (\d)", text, re.IGNORECASE)
    worst = re.findall(r"(?:and growth|in n where\s+a few rounds do,) (\d)", " ".join(text.split()))
    assert " to ".join(dict.fromkeys([found[0], *worst])) == consistency.GROWTH[name]


def test_a_small_table_has_a_line_for_each_history_and_model_and_fills_the_page() -> None:
    lines = list(consistency.rows((60, 120), ("cc", "eventual"), 1))
    assert len(lines) == 2 + 3 * 2
    assert [line.count("|") for line in lines] == [8] * len(lines)
    assert lines[2].startswith("| log | cc | ")
    page = consistency.page("\n".join(lines), large=True)
    assert "--large --write benchmarks/consistency.md" in page
    assert page.endswith(f"{lines[-1]}\n")
