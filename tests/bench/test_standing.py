"""Where a run's history stands among the consistency models: decided once, stored, told where it is news."""

from __future__ import annotations

import msgspec
import pytest

from bench.run import judge
from bench.store import Results
from checkers import Outcome, Verdict, check, lattice
from reports.terminal import strongest
from tests.bench.runs import REGISTRY, Run, kept


def asked_of(run: Run, monkeypatch: pytest.MonkeyPatch, *, demanded: bool = False) -> list[str]:
    """What the standing has judged beyond what the run had judged already."""
    asked = []

    def counting(history: object, name: str, *rest: object, **more: object) -> Verdict:
        asked.append(name)
        return check(history, name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(lattice, "check", counting)
    judge(run.recording, REGISTRY, demanded=demanded)
    return asked


def test_a_linearizable_run_is_everything_and_nothing_more_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    run = kept("partition-leader", "raft/log")
    standing = run.result.standing
    assert standing.strongest == ("linearizable",)
    assert standing.holds == lattice.models()
    assert set(standing.because.values()) == {"linearizable"}
    assert asked_of(run, monkeypatch) == []
    assert strongest(standing) is None


def test_a_run_that_broke_linearizability_is_told_by_what_still_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    run = kept("partition-leader", "raft/leader-local")
    standing = run.result.standing
    assert standing.fails == ("linearizable",)
    assert standing.strongest == ("osc(u)",)
    assert asked_of(run, monkeypatch) == ["osc(u)"], "sequential was judged by the run, and decides the rest"
    assert strongest(standing) == "osc(u)"


def test_the_weakest_that_fails_decides_all_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run = kept("stale-followers", "raft/follower-local")
    standing = run.result.standing
    assert set(standing.strongest) == {"monotonic-writes", "monotonic-reads", "writes-follow-reads"}
    assert standing.because == {
        "osc(u)": "sequential",
        **dict.fromkeys(("cm", "ccv", "cc", "pram"), "read-your-writes"),
    }
    assert set(asked_of(run, monkeypatch)) == {"read-your-writes", *standing.strongest}


@pytest.mark.parametrize(
    ("scenario", "column"), [("stale-followers", "raft/follower-local"), ("partition-leader", "raft/leader-local")]
)
def test_what_is_not_demanded_need_not_be_judged(scenario: str, column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = kept(scenario, column)
    result = judge(run.recording, REGISTRY, demanded=True)
    assert result.judged == tuple(each for each in run.result.judged if each.expected != "any")
    assert (result.status, result.notes) == (run.result.status, run.result.notes)
    assert asked_of(run, monkeypatch, demanded=True) == []
    for name in lattice.models():
        found = result.standing.outcome(name)
        assert found in (Outcome.UNKNOWN, run.result.standing.outcome(name)), name


@pytest.mark.parametrize("column", ["raft/log", "raft/leader-local"])
def test_results_hold_the_standing_and_give_it_back(column: str) -> None:
    run = kept("partition-leader", column)
    results = Results.of(run.recording, run.result)
    assert [each.model for each in results.standing] == list(lattice.models())
    again = msgspec.json.decode(results.encode(), type=Results)
    found, standing = again.result().standing, run.result.standing
    for name in ("holds", "fails", "undecided", "strongest", "because"):
        assert getattr(found, name) == getattr(standing, name)
    assert all(found.why(name) == standing.why(name) for name in lattice.models())
    assert Results.of(run.recording, again.result()).encode() == results.encode()


def test_what_cannot_be_decided_in_the_budget_is_open_and_said() -> None:
    models = lattice.models()
    standing = lattice.Standing(
        holds=models[3:], fails=models[:2], undecided=models[2:3], strongest=models[3:5], because={}, apart={},
        verdicts={name: Verdict(outcome=Outcome.UNKNOWN, checker=name, reason="") for name in models},
    )  # fmt: skip
    assert strongest(standing) == "cm, ccv; undecided: sequential"
