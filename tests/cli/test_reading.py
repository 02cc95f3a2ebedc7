"""`aftershock report`, `log`, `list` and `schema`: what is stored and what there is, made readable."""

from __future__ import annotations

import json
import re
import webbrowser
from pathlib import Path

import pytest

from .conftest import Command

STEP = re.compile(r" *(\d+\.\d{6})  (\S+(?: -> \S+)?|----) ")


def test_a_report_can_be_drawn_again_from_what_is_stored(
    aftershock: Command, convicted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = convicted / "report.html"
    first = page.read_bytes()
    charts = {path.name: path.read_bytes() for path in (convicted / "charts").iterdir()}
    for path in [page, *(convicted / "charts").iterdir()]:
        path.unlink()
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    ran = aftershock("report", "latest", "--open")
    assert (ran.code, ran.out) == (0, f"{page}\n")
    assert opened == [page.resolve().as_uri()]
    # The page of the first drawing was stored elsewhere, and names its folder in the line that replays it.
    line = re.compile(rb"aftershock replay \S+?(?=<)")
    assert line.sub(b"", page.read_bytes()) == line.sub(b"", first)
    assert {path.name: path.read_bytes() for path in (convicted / "charts").iterdir()} == charts


def test_a_run_that_lacks_its_results_has_no_report(aftershock: Command, convicted: Path) -> None:
    (convicted / "results.json").write_text('{"scenario": 3}')
    ran = aftershock("report", convicted)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "results.json" in ran.err


def test_results_that_know_other_models_are_refused_in_one_line(aftershock: Command, convicted: Path) -> None:
    path = convicted / "results.json"
    results = json.loads(path.read_text())
    results["standing"][3]["model"] = "perfect"
    path.write_text(json.dumps(results))
    ran = aftershock("report", convicted)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "the standing is not of the models that are known here" in ran.err


def test_the_log_tells_the_trace_in_order_with_the_faults_in_it(aftershock: Command, convicted: Path) -> None:
    ran = aftershock("log", "latest")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    times = [float(found[1]) for line in lines if (found := STEP.match(line))]
    assert len(times) == len(lines) > 1000
    assert times == sorted(times)
    assert sum("---- partition cut starts: " in line for line in lines) == 1
    assert "AppendEntries term=1" in ran.out


def test_the_log_can_be_narrowed_to_a_node_a_time_and_a_message(aftershock: Command, convicted: Path) -> None:
    ran = aftershock("log", "latest", "--node", "n2", "--from", "500ms", "--to", "1.5s", "--messages", "AppendEntries")
    lines = [line for line in ran.out.splitlines() if "----" not in line]
    assert len(lines) > 10
    assert all(re.search(r"\bn2\b", line) and "AppendEntries" in line for line in lines)
    assert all(0.5 <= float(line.split()[0]) <= 1.5 for line in lines)
    rows = json.loads(aftershock("log", "latest", "--node", "n2", "--from", "500ms", "--to", "1.5s", "--json").out)
    assert {row["node"] for row in rows} > {"n2"}
    assert all(0.5e9 <= row["time"] <= 1.5e9 for row in rows)


def test_a_packet_is_dropped_on_the_way_on_which_it_was_sent(aftershock: Command, convicted: Path) -> None:
    ways: dict[str, set[str]] = {}
    for line in aftershock("log", "latest").out.splitlines():
        if found := re.search(r"  (\S+ -> \S+) +(?:send|deliver|drop|ignore) .*#(\d+)$", line):
            ways.setdefault(found[2], set()).add(found[1])
    assert len(ways) > 500
    assert all(len(way) == 1 for way in ways.values())


def test_the_log_finds_the_violation(aftershock: Command, convicted: Path, acquitted: Path) -> None:
    results = json.loads((convicted / "results.json").read_text())
    stale = results["verdicts"][0]["witness"][-1]["operation"]
    ran = aftershock("log", "latest", "--around-violation")
    times = [float(line.split()[0]) for line in ran.out.splitlines()]
    assert times[0] >= stale["time"] / 1e9 - 0.1001
    assert times[-1] <= stale["return_time"] / 1e9 + 0.1001
    assert re.search(rf"{stale['time'] / 1e9:.6f}  {stale['session']} -> {stale['node']} +send +Request", ran.out)
    none = aftershock("log", acquitted, "--around-violation")
    assert (none.code, none.out) == (2, "")
    assert "no violation" in none.err


def test_a_trace_that_is_damaged_is_one_line(aftershock: Command, acquitted: Path) -> None:
    path = acquitted / "trace.jsonl.gz"
    whole = path.read_bytes()
    for content in (whole[:-100], b"no gzip", whole[:100] + b"xx" + whole[102:], b""):
        path.write_bytes(content)
        ran = aftershock("log", acquitted)
        assert ran.code == 2
        assert ran.err.count("\n") == 1
        assert str(path) in ran.err
    path.unlink()
    assert "without a trace" in aftershock("log", acquitted).err


def test_everything_that_there_is_has_a_line(aftershock: Command) -> None:
    ran = aftershock("list")
    assert (ran.code, ran.err) == (0, "")
    tables = json.loads(aftershock("list", "--json").out)
    assert list(tables) == ["scenarios", "protocols", "mutants", "faults", "workloads", "models", "checkers"]
    for name, table in tables.items():
        assert table, name
        for item, words in table.items():
            assert words.strip(), f"{name}: {item} says nothing of itself"
            assert "\n" not in words
            assert item in ran.out
        alone = aftershock("list", name).out.splitlines()
        assert [line.split()[0] for line in alone] == list(table)


def test_every_shipped_scenario_that_is_listed_is_found(aftershock: Command) -> None:
    from bench.commands import given
    from bench.registry import Registry

    names = list(json.loads(aftershock("list", "scenarios", "--json").out)["scenarios"])
    found = given.cases(names, [], [], Registry.load())
    assert [case.path for case in found] == [str(path) for path in given.shipped().values()]
    assert len({case.name for case in found}) == len(names)


def test_the_schema_is_json(aftershock: Command) -> None:
    ran = aftershock("schema")
    assert ran.code == 0
    assert json.loads(ran.out)["type"] == "object"
