"""A protocol, a fault and a workload of one's own: one file, and nothing else changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.registry import BadPlugin, Registry
from bench.run import Unfit
from tests.bench.runs import run

SINGLE = '''
"""One server that holds everything; whoever else is asked says who it is."""
from __future__ import annotations
import msgspec
from bench.node import Message, Node, NodeId, Outbox, Refusal, Request, Saved
from bench.parts.keyvalue import KeyValue
from bench.protocol import Mode, Protocol

class Parameters(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    server: str = "n1"

class Single(Node):
    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        self.me, self.server, self.store = me, parameters.server, KeyValue()

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        for command in saved.log:
            self.store.apply(0, command)
        if self.me == self.server:
            out.observe("lead", term=1)

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        assert isinstance(message, Request)
        if self.me != self.server:
            out.send(sender, Refusal(message.sequence, self.server))
            return
        self.keep(message, out)
        out.send(sender, self.store.apply(message.sequence, message.command))

    def keep(self, message: Request, out: Outbox) -> None:
        if message.command.f != "read":
            out.append((message.command,))

class Forgetful(Single):
    def keep(self, message: Request, out: Outbox) -> None: ...

PROTOCOL = Protocol(
    summary="one server",
    parameters=Parameters,
    modes={"durable": Mode(Single, promises="linearizable"), "memory": Mode(Forgetful, promises="linearizable")},
    operations=frozenset({"read", "write", "cas"}),
    sessions=False,
    recovers_within=lambda parameters: 1_500_000,
    observes=frozenset({"lead"}),
)
'''

BLACKOUT = '''
"""Everybody is cut off from everybody."""
from bench.actions import Cut, Mend
from bench.fault import FaultKind, Inflicted

class Blackout(FaultKind, frozen=True, kw_only=True, tag="blackout"):
    """Nobody hears anybody, clients included."""
    needs = frozenset({NEEDS})

    def inflict(self, cast):
        nodes = cast.resolve(())
        from scenarios.units import Link
        edges = cast.edges(Link.parse("all - all")) + cast.edges(Link.parse("all - clients"))
        return Inflicted("all", nodes, (Cut(edges),), (Mend(edges),))
'''

SCENARIO = """
duration = "6s"
heal = "3s"
protocols = ["single/durable", "single/memory"]
[cluster]
nodes = 3
latency = "1ms"
[workload]
kind = "kv"
clients = 3
keys = 2
[protocol.single]
server = "n2"
[[faults]]
kind = "crash"
at = "1500ms"
node = "n2"
for = "300ms"
[[faults]]
kind = "blackout"
at = "2500ms"
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    single, blackout = tmp_path / "single.py", tmp_path / "blackout.py"
    single.write_text(SINGLE)
    blackout.write_text(BLACKOUT.replace("NEEDS", '"partition"'))
    yield single, blackout
    for stem in ("single", "blackout"):
        sys.modules.pop(f"aftershock_plugin_{stem}", None)


def test_a_protocol_and_a_fault_in_files_of_ones_own_run_and_are_judged(plugins: tuple[Path, Path]) -> None:
    registry = Registry.load(plugins)
    good = run(SCENARIO, "single/durable", registry=registry)
    assert good.result.status == "as expected", good.result.notes
    assert good.recording.counters["ok"] > 200
    assert good.recording.counters["faults of blackout"] == 1
    assert {op.node for op in good.recording.history.operations() if op.type == "ok"} == {"n2"}
    bad = run(SCENARIO, "single/memory", registry=registry)
    assert bad.result.status == "not as expected"
    assert any(note.startswith("linearizable is invalid") for note in bad.result.notes)


def test_a_fault_that_needs_what_a_system_cannot_do_is_refused_before_the_run(plugins: tuple[Path, Path]) -> None:
    plugins[1].write_text(BLACKOUT.replace("NEEDS", '"clock"'))
    with pytest.raises(Unfit, match=r"blackout.* needs a system with: clock"):
        run(SCENARIO, "single/durable", registry=Registry.load(plugins))


def test_a_workload_that_asks_for_what_a_protocol_does_not_serve_is_refused(plugins: tuple[Path, Path]) -> None:
    plugins[0].write_text(
        plugins[0].read_text().replace('frozenset({"read", "write", "cas"})', 'frozenset({"read", "write"})')
    )
    with pytest.raises(Unfit, match=r"single knows no cas: it serves read, write"):
        run(SCENARIO, "single/durable", registry=Registry.load(plugins))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1", "defines no PROTOCOL, no fault and no workload"),
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("x = (", "was never closed"),
    ],
)
def test_a_file_that_is_no_plugin_says_why(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "odd.py"
    path.write_text(text)
    with pytest.raises(BadPlugin, match=why) as error:
        Registry.load([path])
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("promise", "why"),
    [
        ("bounded-staleness:t=50", "single/durable: bounded-staleness:t=50: t is a stretch of time"),
        ("bounded-staleness:d=1", "single/durable: bounded-staleness:d=1: bounded-staleness has no parameter 'd'"),
        ("progress:t=1s", "single/durable: progress:t=1s: "),
        ("serious", "single/durable: 'serious' is no checker; the checkers are linearizable, "),
    ],
)
def test_a_promise_that_cannot_be_judged_is_refused(tmp_path: Path, promise: str, why: str) -> None:
    path = tmp_path / "single.py"
    text = SINGLE.replace('promises="linearizable"', f'promises="{promise}"')
    assert text != SINGLE
    path.write_text(text)
    with pytest.raises(BadPlugin, match=why):
        Registry.load([path])


def test_a_plugin_that_is_missing_or_takes_a_name_that_is_taken_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadPlugin, match="no such Python file"):
        Registry.load([tmp_path / "absent.py"])
    again = tmp_path / "raft.py"
    again.write_text("from bench.protocols.raft import PROTOCOL")
    with pytest.raises(BadPlugin, match="there is a protocol called raft already"):
        Registry.load([again])
    sys.modules.pop("aftershock_plugin_raft", None)


def test_a_plugin_that_fails_while_it_is_loaded_says_where(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("PROTOCOL = undefined_name")
    with pytest.raises(BadPlugin, match="undefined_name"):
        Registry.load([path])


def test_a_plugin_whose_code_fails_in_a_run_is_told_where_and_in_which_run(plugins: tuple[Path, Path]) -> None:
    text = plugins[0].read_text()
    lines = text.splitlines()
    (start,) = (number for number, line in enumerate(lines) if "def on_message" in line)
    lines.insert(start + 1, "        self.nothing_of_that_name += 1")
    plugins[0].write_text("\n".join(lines))
    with pytest.raises(BadPlugin) as failed:
        run(SCENARIO, "single/durable", seed=3, registry=Registry.load(plugins))
    assert f"{plugins[0]}:{start + 2}: in on_message: AttributeError" in str(failed.value)
    assert "single/durable, seed 3" in str(failed.value)


def test_a_node_without_its_handlers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "single.py"
    path.write_text(SINGLE.replace("def on_message", "def on_messages"))
    with pytest.raises(BadPlugin, match=r"single/\w+: \w+ lacks on_message$"):
        Registry.load([path])


def test_a_plugin_that_fails_when_it_is_judged_is_told_as_well(plugins: tuple[Path, Path]) -> None:
    stated = "recovers_within=lambda parameters: 1_500_000"
    text = plugins[0].read_text()
    assert stated in text
    plugins[0].write_text(text.replace(stated, "recovers_within=lambda parameters: parameters.nothing"))
    with pytest.raises(BadPlugin, match=r"single.py:\d+: in <lambda>: AttributeError: .*nothing"):
        run(SCENARIO, "single/durable", registry=Registry.load(plugins))
