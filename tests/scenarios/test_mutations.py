"""Whatever happens to a scenario's text, it decodes or is refused in lines that can be printed; never anything else."""

from __future__ import annotations

from random import Random

import pytest

from scenarios.decode import decode
from scenarios.problems import BadScenario
from scenarios.schema import Scenario
from tests.scenarios.mutations import mutations
from tests.scenarios.small_kinds import KINDS, SCENARIO


def judged(text: str, flags: tuple[str, ...] = ()) -> Scenario | BadScenario:
    try:
        return decode(text, "mutated.toml", KINDS, flags)
    except BadScenario as bad:
        return bad


@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_scenario_decodes_or_is_refused_line_by_line(seed: int) -> None:
    refused = 0
    for text in mutations(SCENARIO, seed):
        result = judged(text)
        if isinstance(result, Scenario):
            continue
        refused += 1
        assert result.problems
        assert str(result).count("\n") == len(result.problems) - 1
        for problem in result.problems:
            str(problem).encode("utf-8")
            assert str(problem).isprintable()
            assert 0 <= problem.line <= text.count("\n") + 1
    # A mutation that changes nothing that matters is no test; most must hurt.
    assert refused >= 200


def test_mutations_are_the_same_for_the_same_seed_and_nearly_all_different() -> None:
    assert list(mutations(SCENARIO, 7)) == list(mutations(SCENARIO, 7))
    assert len(set(mutations(SCENARIO, 7))) > 250


def test_any_flag_of_the_command_line_is_obeyed_or_refused() -> None:
    keys = [
        "cluster.nodes",
        "faults.0.at",
        "faults.cut.groups.0.0",
        "why",
        "",
        ".",
        "a..b",
        "faults",
        "faults.9.at",
        "x",
        "faults.cut.groups.0.0.0",
        'expect."raft/log".linearizable',
        '"',
        "cluster",
        "faults.lose-1.only.nth",
    ]
    values = [
        "3",
        "",
        '"',
        "[",
        "{",
        "2s",
        "nan",
        "1\nx=2",
        "\udcff",
        "[1,",
        "9" * 5000,
        "[" * 3000,
        "{ a = 1 }",
        '"9s"',
    ]
    obeyed = 0
    for key in keys:
        for value in values:
            result = judged(SCENARIO, (f"{key}={value}",))
            obeyed += isinstance(result, Scenario)
            if isinstance(result, BadScenario):
                str(result).encode("utf-8")
    assert obeyed > 10


def test_random_bytes_are_refused() -> None:
    random = Random(1)
    for length in (0, 1, 10, 200):
        for _ in range(50):
            text = "".join(chr(random.getrandbits(8)) for _ in range(length))
            assert isinstance(judged(text), BadScenario)
