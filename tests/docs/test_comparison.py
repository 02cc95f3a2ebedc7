"""The published comparison of protocols is what the code would measure now; `make compare` writes it again."""

from __future__ import annotations

import pytest

from benchmarks.protocols import FAULTS, PICTURE, TABLE, Cost, Row, cells, columns, cost, draw, faulty, registry, table
from reports.drawing import png, style
from scenarios.decode import decode

SAME = Cost(11.5, 1291, 1.2)
ROWS = [
    Row("raft/log", SAME, SAME, (0.243, 0.325), dict.fromkeys(FAULTS, (0.9, 0.8))),
    Row("paxos/log", SAME, SAME, None, {**dict.fromkeys(FAULTS, (1.0, 1.0)), "leader crash": None}),
]


@pytest.mark.parametrize("column", columns())
def test_what_an_operation_costs_is_what_the_table_says(column: str) -> None:
    text = TABLE.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith(f"| {column} |"))
    published = [cell.strip() for cell in line.split("|")[3:-1]]
    assert cells(cost(column, "write")) + cells(cost(column, "read")) == published, "run make compare"


def test_every_mode_that_promises_something_has_its_row_and_no_mutant_has_one() -> None:
    assert {
        "raft/log",
        "raft/follower-session",
        "multipaxos/log",
        "paxos/log",
        "primary_backup/async",
        "primary_backup/sync",
        "zab/log",
        "zab/local",
        "zab/sync",
    } <= set(columns())
    assert not {column.partition("/")[0] for column in columns()} & set(registry().mutants())
    assert "raft/leader-local" not in columns()


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_a_scenario_that_can_be_read(fault: str) -> None:
    scenario = decode(faulty(fault), "comparison.toml", registry().kinds())
    assert len(scenario.faults) == (5 if fault == "all down 0.6 s" else 1)


def test_a_protocol_without_a_leader_has_no_figures_for_its_crash() -> None:
    lines = table(ROWS).splitlines()
    assert "| paxos/log | – | – |" in lines
    assert next(line for line in lines if line.startswith("| paxos/log | – | 100%"))
    assert "| raft/log | 243 ms | 325 ms |" in lines


def test_the_picture_is_drawn_of_any_rows() -> None:
    with style("test"):
        assert png(draw(ROWS)).startswith(b"\x89PNG")
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
