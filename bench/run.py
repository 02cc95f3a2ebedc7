"""One run, from a scenario to what is to be said of it: plan, run, check, compare with what was promised.

Every step takes a frozen value and returns one, and each can be saved and taken up again:

    Scenario -> plan -> Plan -> execute -> Recording -> judge -> Outcome

A plan has every draw of operations and faults made; a run is a function of its plan alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from bench.conductor import Conductor
from bench.draws import shuffled, stream
from bench.fault import FaultKind
from bench.protocol import Mode, Protocol
from bench.registry import CHECKERS, Registry, answerable, spelled
from bench.system import System
from bench.workload import Operation, WorkloadKind
from checkers import (
    History,
    Observations,
    Outcome,
    Verdict,
    agreement,
    check,
    committed_log_durability,
    exactly_once,
    invariants,
    leader_completeness,
    leadership,
    prefix_consistency,
    primary_order,
    progress,
    requirements,
    validity,
)
from checkers.consistency import requested
from checkers.lattice import Standing, models, strongest
from checkers.logs import WORDS
from checkers.trace import Trace
from checkers.verdict import unknown
from reports.subject import Judged
from scenarios.schema import Expect, Expectation, Fault, Scenario

STEPS = 20_000_000  # of each search; the same everywhere
STANDING_STEPS = 2_000  # of a search for a model that nothing is expected of: what is decided takes a few hundred
OPERATIONS_MAX = 2_000_000
_EVENTS_PER_SECOND = 20_000

Status = Literal["as expected", "not as expected", "undecided"]
SeedStatus = Literal[Status, "unbroken"]
"""Of one seed alone: what may break and did not is wrong only if it does so on every seed that was run."""

IN_ORDER: frozenset[SeedStatus] = frozenset({"as expected", "unbroken"})
"""What a seed may be, as one of several."""


class Unfit(ValueError):
    """A scenario that this protocol or system cannot be put through; one line that says why."""


class Plan(msgspec.Struct, frozen=True):
    """One run to be: the scenario as resolved (one column, its seed, every fault explicit) and every operation."""

    name: str
    scenario: Scenario
    operations: tuple[Operation, ...]

    @property
    def seed(self) -> int:
        assert self.scenario.seed is not None
        return self.scenario.seed

    @property
    def column(self) -> str:
        return self.scenario.protocols[0]


class Recording(msgspec.Struct, frozen=True):
    """What a run has left behind. ``cut_short`` says why it ended before its time: a storm, or a broken invariant."""

    plan: Plan
    history: History
    observations: Observations
    trace: Trace | None
    counters: Mapping[str, int]
    never_started: tuple[str, ...]
    cut_short: tuple[Literal["storm", "invariant"], str] | None


class Result(msgspec.Struct, frozen=True):
    """What is to be said of a recording. ``notes`` are the reasons why it is undecided or not as expected."""

    judged: tuple[Judged, ...]
    standing: Standing
    status: SeedStatus
    notes: tuple[str, ...]


# ----------------------------------------------------------------------------------------------------------------- plan


def plan(name: str, scenario: Scenario, column: str, seed: int, registry: Registry) -> Plan:
    """Make every draw of a scenario for one column ("raft/log") and one seed.

    Raises `Unfit` when the protocol does not know what the workload asks for, `BadPlugin` when a plugin's code fails.
    """
    with answerable(f"{name}, {column}, seed {seed}"):
        return _plan(name, scenario, column, seed, registry)


def _plan(name: str, scenario: Scenario, column: str, seed: int, registry: Registry) -> Plan:
    protocol_name, protocol, mode, _ = registry.column(column)
    parameters = scenario.protocol.get(protocol_name)
    workload = scenario.workload
    assert isinstance(workload, WorkloadKind)
    unknown = sorted(workload.operations - protocol.operations)
    if unknown:
        known = ", ".join(sorted(protocol.operations))
        raise Unfit(f"{protocol_name} knows no {', '.join(unknown)}: it serves {known}")
    if (expected := workload.size(scenario)) > OPERATIONS_MAX:
        raise Unfit(f"the workload plans about {expected:,} operations, at most {OPERATIONS_MAX:,} can be")
    nodes = scenario.cluster.ids
    faults: list[Fault] = []
    for index, fault in enumerate(scenario.faults):
        assert isinstance(fault, FaultKind)
        if fault.stops_clients():
            raise Unfit(f"the fault {fault.name} is about a client: clients can be cut off, but not crashed or paused")
        if not fault.optional and (missing := fault.awaits() - protocol.observes):
            said = " or ".join(sorted(missing))
            raise Unfit(f"the fault {fault.name} waits for something that {protocol_name} never announces: {said}")
        faults += fault.planned(scenario, nodes, stream(seed, "fault", str(index)))
    demands = scenario.expect.of(protocol_name, mode)
    for checker, wanted in demands.items():
        if wanted != "any" and (why := _inapplicable(checker, protocol)):
            raise Unfit(f"{checker} is expected to be {wanted}, but {protocol_name} {why}")
    core = scenario.core
    if scenario.heal_core and not core:
        core = tuple(sorted(shuffled(nodes, stream(seed, "core"))[: len(nodes) // 2 + 1], key=nodes.index))
    resolved = msgspec.structs.replace(
        scenario,
        seed=seed,
        protocols=(f"{protocol_name}/{mode}",),
        heal=scenario.heals_at,
        core=core,
        faults=tuple(faults),
        expect=Expect(demands),
        protocol={} if parameters is None else {protocol_name: parameters},
    )
    return Plan(name, resolved, workload.plan(resolved, nodes, seed))


# -------------------------------------------------------------------------------------------------------------- execute


def simulated(plan: Plan, protocol: Protocol, mode: Mode, *, trace: bool) -> System:
    """The simulated cluster of a plan."""
    from bench.systems.simulated import Simulated

    scenario = plan.scenario
    workload = scenario.workload
    assert isinstance(workload, WorkloadKind)
    nodes = scenario.cluster.ids
    name = plan.column.partition("/")[0]
    clients = [session.id for session in workload.sessions(nodes)]
    return Simulated(
        scenario.cluster,
        mode,
        scenario.protocol.get(name) or protocol.parameters(),
        [*clients, *(f"f{i}" for i in range(1, len(nodes) + 1))],
        plan.seed,
        patience=workload.patience,
        retries=protocol.sessions,
        requires=protocol.requires,
        events_max=scenario.events_max or scenario.duration * _EVENTS_PER_SECOND // 1_000_000 + _EVENTS_PER_SECOND,
        trace=trace,
    )


def execute(plan: Plan, registry: Registry, *, trace: bool = True) -> Recording:
    """Run a plan.

    Raises `Unfit` when the system lacks an ability that a fault needs, `BadPlugin` when the code of a plugin fails.
    """
    with answerable(f"{plan.name}, {plan.column}, seed {plan.seed}"):
        return _execute(plan, registry, trace)


def _execute(plan: Plan, registry: Registry, trace: bool) -> Recording:
    _, protocol, _, mode = registry.column(plan.column)
    cluster = simulated(plan, protocol, mode, trace=trace)
    for fault in plan.scenario.faults:
        assert isinstance(fault, FaultKind)
        missing = fault.needs - cluster.abilities
        if missing:
            raise Unfit(f"the fault {fault.name} needs a system with: {', '.join(sorted(missing))}")
    conducted = Conductor(plan.scenario, plan.operations, cluster, reads_anywhere=mode.reads_anywhere).run()
    history = History.from_events(conducted.events)
    observations = Observations(cluster.observations())
    ended = conducted.ended
    counters = {**_count(history, observations, cluster.nodes), **conducted.counters, **cluster.counters()}
    return Recording(
        plan,
        history,
        observations,
        cluster.trace(),
        dict(sorted(counters.items())),
        conducted.never_started,
        None if ended is None else (ended.kind, ended.reason),
    )


_WRITES = ("write", "add", "increment", "decrement", "propose")


def _count(history: History, observations: Observations, nodes: Container[str]) -> dict[str, int]:
    """Figures that `[at-least]` can ask for and the report prints."""
    operations = [operation for operation in history.operations() if not operation.final]
    types = Counter(operation.type for operation in operations)
    done = Counter(operation.f for operation in operations if operation.type == "ok")
    said = Counter(observation.what for observation in observations)
    return {
        "operations": len(operations),
        **{kind: types[kind] for kind in ("ok", "fail", "info")},
        "reads": done["read"],
        "writes": sum(done[f] for f in _WRITES),
        "cas": done["cas"],
        "cas-refused": sum(op.f == "cas" and op.type == "ok" and op.result is False for op in operations),
        "shed": 0,
        "faults": 0,
        "leader-changes": 0,
        "leader-changes-under-load": 0,
        "elections": said["lead"],
        "campaigns": said["campaign"],
        "votes": said["vote"],
        "decisions": said["decide"],
        "truncations": said["truncate"],
        "starts": sum(each.what == "start" and each.node in nodes for each in observations),
    }


# ---------------------------------------------------------------------------------------------------------------- judge


def judge(recording: Recording, registry: Registry, *, demanded: bool = False) -> Result:
    """Check a recording and compare every verdict with what was promised or what the scenario expects.

    ``demanded`` leaves out what is only worth knowing: models that may hold or not, and where the history stands
    among those that nobody asked for. The status is the same. Raises `BadPlugin` when a plugin's code fails.
    """
    with answerable(f"{recording.plan.name}, {recording.plan.column}, seed {recording.plan.seed}"):
        return _judge(recording, registry, demanded)


def _judge(recording: Recording, registry: Registry, demanded: bool) -> Result:
    plan = recording.plan
    name, protocol, mode_name, mode = registry.column(plan.column)
    named = plan.scenario.expect.of(name, mode_name)
    expected = {**_promised(mode), **named}
    if named.get(invariants.NAME, "valid") != "valid":  # then none of them is demanded that is not named itself
        expected |= {each: "any" for each in invariants.SINGLE if each not in named}
    if recording.cut_short is not None and progress.NAME not in named:
        expected[progress.NAME] = "any"  # there was no time for it
    summed = expected.get(invariants.NAME, "any") != "any"
    names = [
        each
        for each, wanted in expected.items()
        if not demanded or wanted != "any" or (summed and each in invariants.SINGLE)
    ]
    names.sort(key=lambda each: CHECKERS.index(each.partition(":")[0]))  # bounds follow a colon
    verdicts = {
        checker: _check(checker, recording, protocol, mode)
        for checker in names
        if checker != invariants.NAME and not _inapplicable(checker, protocol)
    }
    if summed:
        verdicts[invariants.NAME] = invariants.check([verdicts[each] for each in invariants.SINGLE if each in verdicts])
    judged = tuple(
        Judged(checker, verdicts[checker], expected[checker], _fits(verdicts[checker], expected[checker]))
        for checker in names
        if checker in verdicts
    )
    notes = [
        f"{each.name} is {each.verdict.outcome}, expected {each.expected}"
        for each in judged
        if not each.as_expected and each.verdict.outcome is not Outcome.UNKNOWN
    ]
    wrong = bool(notes)
    notes += [
        f"{each.name} is undecided: {each.verdict.reason}"
        for each in judged
        if not each.as_expected and each.verdict.outcome is Outcome.UNKNOWN
    ]
    if recording.cut_short is not None and recording.cut_short[0] == "storm":
        notes.append(f"storm: {recording.cut_short[1]}")
    elif recording.cut_short is None:
        notes += [f"the fault {fault} never started" for fault in recording.never_started]
        notes += _met_nothing(recording)
        notes += [
            f"{counter} reached {recording.counters.get(counter, 0):,}, at least {least:,} wanted"
            for counter, least in plan.scenario.at_least.items()
            if recording.counters.get(counter, 0) < least
        ]
    status: SeedStatus = "not as expected" if wrong else "undecided" if notes else "as expected"
    if status == "as expected" and any(
        each.expected == "breakable" and each.verdict.outcome is Outcome.VALID for each in judged
    ):
        status = "unbroken"
    return Result(judged, _standing(recording, judged, demanded), status, tuple(notes))


def _met_nothing(recording: Recording) -> Iterator[str]:
    """Of every fault that is about one type of messages, when nobody sent any: perhaps none is called so."""
    sent = [each.removeprefix("packets of ") for each in recording.counters if each.startswith("packets of ")]
    for fault in recording.plan.scenario.faults:
        assert isinstance(fault, FaultKind)
        wanted = fault.about()
        if wanted and wanted not in sent and not fault.optional and fault.name not in recording.never_started:
            yield f"the fault {fault.name} met no {wanted}; what was sent: {', '.join(sent)}"


def _promised(mode: Mode) -> dict[str, Expectation]:
    """What holds of every run unless the scenario says otherwise, and what is worth knowing of this mode."""
    expected: dict[str, Expectation] = dict.fromkeys(("linearizable", *map(spelled, mode.breaks)), "any")
    return expected | dict.fromkeys((*map(spelled, mode.promised), *invariants.SINGLE, progress.NAME), "valid")


def _fits(verdict: Verdict, expected: Expectation) -> bool:
    """Whether one seed's verdict is in order; "breakable" asks for a breach in one of several seeds: see `merge`."""
    match expected:
        case "any":
            return True
        case "breakable":
            return verdict.outcome is not Outcome.UNKNOWN
        case _:
            return verdict.outcome == expected


def _inapplicable(checker: str, protocol: Protocol) -> str:
    """Why a checker has nothing to look at in this protocol's runs; nothing if it has."""
    if checker == requirements.NAME and not protocol.requires:
        return "is a mutant: what it requires of itself is not looked at"
    unsaid = _NEEDS.get(checker, frozenset()) - protocol.observes
    return f"never announces: {', '.join(sorted(unsaid))}" if unsaid else ""


def _check(checker: str, recording: Recording, protocol: Protocol, mode: Mode) -> Verdict:
    """One verdict on a recording."""
    observations = recording.observations
    match checker:
        case "agreement":
            return agreement.check(observations)
        case "validity":
            return validity.check(observations, recording.history)
        case "leadership":
            return leadership.check(observations)
        case "prefix-consistency":
            return prefix_consistency.check(observations)
        case "leader-completeness":
            return leader_completeness.check(observations)
        case "committed-log-durability":
            return committed_log_durability.check(observations, recording.plan.scenario.cluster.nodes)
        case "primary-order":
            return primary_order.check(observations)
        case "exactly-once":
            return exactly_once.check(observations)
        case "requirements":
            return requirements.check(observations)
        case "progress":
            return _progress(recording, protocol, mode)
        case _:
            workload = recording.plan.scenario.workload
            assert isinstance(workload, WorkloadKind)
            name, bounds = requested(checker)
            verdict = check(recording.history, name, model=workload.model, steps=STEPS, **bounds)
            return msgspec.structs.replace(verdict, checker=checker) if bounds else verdict


def _standing(recording: Recording, judged: Sequence[Judged], demanded: bool) -> Standing:
    """Where the history stands among all models: what was judged decides most of it, a small budget the rest."""
    workload = recording.plan.scenario.workload
    assert isinstance(workload, WorkloadKind)
    known = {name: unknown(name, "not asked for") for name in models()} if demanded else {}
    known |= {each.verdict.checker: each.verdict for each in judged}
    return strongest(recording.history, workload.model, steps=STANDING_STEPS, known=known, apart=False)


def _progress(recording: Recording, protocol: Protocol, mode: Mode) -> Verdict:
    if recording.cut_short is not None:
        return unknown(progress.NAME, f"the run was cut short: {recording.cut_short[1]}")
    scenario = recording.plan.scenario
    workload = scenario.workload
    assert isinstance(workload, WorkloadKind)
    nodes = scenario.cluster.ids
    home = {session.id: session.pinned for session in workload.sessions(nodes)}
    pinned = frozenset(id for id, node in home.items() if node is not None)
    core = scenario.core or nodes
    parameters = scenario.protocol.get(recording.plan.column.partition("/")[0]) or protocol.parameters()
    return progress.check(
        recording.history,
        heal=scenario.heals_at * 1000,
        bound=protocol.recovers_within(parameters) * 1000,
        end=scenario.duration * 1000,
        refused=frozenset() if mode.reads_anywhere else pinned,
        excused=frozenset(id for id, node in home.items() if node is not None and node not in core),
        once=pinned if protocol.sessions else frozenset(home),
        observations=recording.observations if {"commit", "decide"} <= protocol.observes else None,
        replicas=core,
    )


_NEEDS = {
    agreement.NAME: frozenset({"decide"}),
    validity.NAME: frozenset({"decide", "commit"}),
    leadership.NAME: frozenset({"lead"}),
    prefix_consistency.NAME: frozenset({"decide", "commit"}),
    leader_completeness.NAME: frozenset({"lead", "commit", "decide", *WORDS}),
    committed_log_durability.NAME: frozenset({"decide", *WORDS}),
    primary_order.NAME: frozenset({"decide", "recover"}),
    exactly_once.NAME: frozenset({"decide", "skip"}),
}
"""What a protocol must announce for a checker to apply; where it does not, there is no verdict to merge.

Who announces commits decides commands, slot after slot; who does not may decide a value under each of many names.
"""


def merge(results: Sequence[Result]) -> tuple[Status, tuple[str, ...]]:
    """What several seeds of one column say together: a "breakable" model must have been broken by one of them."""
    notes = []
    undecided = any(result.status == "undecided" for result in results)
    for each in results[0].judged if results and not undecided else ():
        if each.expected == "breakable":
            verdicts = [judged.verdict for result in results for judged in result.judged if judged.name == each.name]
            if not any(verdict.outcome is Outcome.INVALID for verdict in verdicts):
                notes.append(f"{each.name} was not seen to break")
    statuses = {result.status for result in results}
    if notes or "not as expected" in statuses:
        return "not as expected", tuple(notes)
    return ("undecided" if "undecided" in statuses else "as expected"), ()
