"""Runs for the tests of the bench: from a scenario's text, or of a shipped scenario, in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.protocol import NodeClass, Protocol
from bench.registry import Registry
from bench.run import Recording, Result, execute, judge, plan
from checkers.trace import Step
from scenarios.decode import decode, load

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = Registry.load()


class Run(NamedTuple):
    """A recording and what is to be said of it."""

    recording: Recording
    result: Result

    @property
    def steps(self) -> list[Step]:
        assert self.recording.trace is not None
        return list(self.recording.trace)


def run(
    text: str,
    column: str = "raft/log",
    *,
    seed: int = 0,
    registry: Registry = REGISTRY,
    overrides: Sequence[str] = (),
) -> Run:
    """Run a scenario that is written in the test."""
    scenario = decode(text, "test.toml", registry.kinds(), overrides)
    recording = execute(plan("test", scenario, column, seed, registry), registry)
    return Run(recording, judge(recording, registry))


def with_protocol(name: str, protocol: Protocol) -> Registry:
    """The registry with one more protocol."""
    return Registry({**REGISTRY.protocols, name: protocol}, REGISTRY.faults, REGISTRY.workloads)


def with_raft(node: NodeClass) -> Registry:
    """The registry with a node class of the test's own as "own/log"."""
    raft = REGISTRY.protocols["raft"]
    return with_protocol("own", replace(raft, modes={"log": replace(raft.modes["log"], node=node)}))


def shipped() -> Iterator[tuple[str, str]]:
    """Every shipped scenario, by its path below scenarios/, with each of its columns."""
    for path in sorted((ROOT / "scenarios").rglob("*.toml")):
        for column in load(path, REGISTRY.kinds()).protocols:
            yield path.relative_to(ROOT / "scenarios").with_suffix("").as_posix(), column


def record_shipped(
    name: str, column: str, seed: int = 0, overrides: Sequence[str] = (), *, trace: bool = True
) -> Recording:
    """Run a shipped scenario afresh, without judging it."""
    scenario = load(ROOT / "scenarios" / f"{name}.toml", REGISTRY.kinds(), overrides)
    return execute(plan(name, scenario, column, seed, REGISTRY), REGISTRY, trace=trace)


def run_shipped(name: str, column: str, seed: int = 0, overrides: Sequence[str] = (), *, trace: bool = True) -> Run:
    """Run a shipped scenario afresh."""
    recording = record_shipped(name, column, seed, overrides, trace=trace)
    return Run(recording, judge(recording, REGISTRY))


@lru_cache(maxsize=64)
def kept(name: str, column: str, seed: int = 0) -> Run:
    """Run a shipped scenario, once for all tests of this process."""
    return run_shipped(name, column, seed)


def digest(recording: Recording) -> str:
    """The sha256 of everything that one plan must reproduce byte for byte."""
    assert recording.trace is not None
    whole = hashlib.sha256()
    lines = msgspec.json.Encoder().encode_lines
    whole.update(lines(list(recording.history.events())))
    whole.update(lines(list(recording.observations)))
    whole.update(recording.trace.encode())
    whole.update(msgspec.json.encode(recording.counters))
    return whole.hexdigest()
