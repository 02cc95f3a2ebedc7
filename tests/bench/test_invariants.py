"""Invariants of whole runs: which apply to a protocol, what a scenario may expect of them, and who is convicted."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from bench.node import Command, NodeId, Outbox, Request
from bench.protocols.raft import Raft
from checkers import Outcome, Verdict, invariants
from reports.subject import Judged, compact
from tests.bench.runs import REGISTRY, Run, kept, run, with_protocol, with_raft

SHORT = """
duration = "3s"
heal = "2s"
protocols = ["raft"]
[cluster]
nodes = 3
[workload]
kind = "kv"
clients = 3
"""

OF_LOGS = {"leader-completeness", "committed-log-durability", "primary-order"}


class InventiveRaft(Raft):
    """Knows better what clients want."""

    def _propose(self, client: NodeId, m: Request, out: Outbox) -> None:
        if m.command.f == "write":
            m = msgspec.structs.replace(m, command=Command("write", m.command.key, 4711))
        super()._propose(client, m, out)


class SkippingRaft(Raft):
    """Applies the newest of what is committed, and leaves out what is older."""

    def _commit(self, index: int, out: Outbox) -> None:
        if self.me == "n1":
            self.last_applied = max(self.last_applied, index - 1)
        super()._commit(index, out)


class UnloggedRaft(Raft):
    """Counts what it has sent as stored: every follower has everything, or so its leader says."""

    def _advance_commit(self, out: Outbox) -> None:
        self._commit(self.log.last, out)


def verdict(seen: Run, name: str) -> Verdict:
    return next(each.verdict for each in seen.result.judged if each.name == name)


@pytest.mark.parametrize(
    ("node", "name"),
    [
        (InventiveRaft, "validity"),
        (SkippingRaft, "prefix-consistency"),
        (SkippingRaft, "primary-order"),
        (UnloggedRaft, "committed-log-durability"),
    ],
)
def test_who_breaks_an_invariant_is_convicted_of_it(node: type[Raft], name: str) -> None:
    seen = run(SHORT, "own", registry=with_raft(node))
    assert verdict(seen, name).outcome is Outcome.INVALID
    assert verdict(run(SHORT, "raft"), name).outcome is Outcome.VALID


@pytest.mark.parametrize("column", ["raft/log", "zab/log"])
def test_everything_applies_to_a_log_of_terms(column: str) -> None:
    judged = run(SHORT, column).result.judged
    assert {each.name for each in judged if each.verdict} >= set(invariants.SINGLE)


@pytest.mark.parametrize("column", ["paxos/log", "multipaxos/log"])
def test_what_is_about_such_logs_does_not_apply_to_paxos(column: str) -> None:
    judged = run(SHORT, column).result.judged
    assert {each.name for each in judged if each.verdict} & set(invariants.SINGLE) == set(invariants.SINGLE) - OF_LOGS
    assert not {each.name for each in judged} & OF_LOGS


def test_who_announces_nothing_is_held_to_its_own_requirements_alone() -> None:
    silent = replace(REGISTRY.protocols["raft"], observes=frozenset())
    seen = run(SHORT, "own", registry=with_protocol("own", silent))
    assert {each.name for each in seen.result.judged} & set(invariants.SINGLE) == {"requirements"}


def test_a_scenario_may_demand_that_some_invariant_breaks_without_saying_which() -> None:
    some = run(SHORT + '[expect]\ninvariants = "invalid"\n', "own", registry=with_raft(SkippingRaft))
    together = next(each for each in some.result.judged if each.name == "invariants")
    assert (together.as_expected, together.verdict.reason) == (True, "broken: prefix-consistency, primary-order")
    assert {each.expected for each in some.result.judged if each.name in invariants.SINGLE} == {"any"}
    none = run(SHORT + '[expect]\ninvariants = "invalid"\n', "raft")
    assert "invariants is valid, expected invalid" in none.result.notes


def test_what_is_named_beside_all_keeps_what_is_expected_of_it() -> None:
    text = SHORT + '[expect]\ninvariants = "any"\nprefix-consistency = "valid"\n'
    seen = run(text, "own", registry=with_raft(SkippingRaft))
    assert seen.result.notes[0] == "prefix-consistency is invalid, expected valid"
    assert "invariants" not in {each.name for each in seen.result.judged}


def test_those_that_hold_are_told_as_one() -> None:
    shown = compact(kept("restart-everybody", "raft/log").result.judged)
    assert [each.name for each in shown] == ["linearizable", "invariants", "progress"]
    assert shown[1].verdict.reason == ", ".join(invariants.SINGLE)


def test_one_that_is_broken_is_told_by_itself() -> None:
    judged = run(SHORT, "own", registry=with_raft(SkippingRaft)).result.judged
    shown = {each.name: each for each in compact(judged)}
    assert shown["prefix-consistency"].verdict.outcome is Outcome.INVALID
    assert "prefix-consistency" not in shown["invariants"].verdict.reason
    alone = Judged("agreement", judged[0].verdict, "any", True)
    assert compact([alone]) == [alone]
