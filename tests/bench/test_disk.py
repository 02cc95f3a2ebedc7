"""Effects leave in order, syncs are shared, and a crash keeps what it may keep."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from bench.draws import stream
from bench.host import Disk, Host
from bench.network import Network, topology
from bench.node import Append, Message, Node, NodeId, Outbox, Save, Saved, Snapshot, Truncate
from bench.simulation import Simulation
from checkers.observations import Observation
from checkers.trace import Step
from scenarios.units import Span

SYNC, HOP = 5_000, 1_000
SLOW = Span.constant(SYNC)


class Note(Message, frozen=True):
    """A message that says something."""

    text: str


class Puppet(Node):
    """Does what it is told, and remembers what it was handed."""

    def __init__(self) -> None:
        self.saved: Saved | None = None
        self.heard: list[tuple[str, int]] = []

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        self.saved = saved

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        assert isinstance(message, Note)
        self.heard.append((message.text, now))

    def on_timer(self, timer: str, now: int, out: Outbox) -> None:
        self.heard.append((timer, now))

    def on_choice(self, tag: str, k: int, now: int, out: Outbox) -> None:
        self.heard.append((f"{tag} {k}", now))


class Stage:
    """Two puppets: what a does is seen by what b hears, and when."""

    def __init__(self, fsync: Span = SLOW, seed: int = 0) -> None:
        self.time = Simulation()
        self.steps: list[Step | Observation] = []
        self.network = Network(topology(("a", "b"), (), Span.constant(HOP), Span.constant(0), {}), seed)
        self.host = Host(self.network, self.time, seed, events_max=10_000, trace=self.steps.append)
        self.time.drive(self.host)
        for id in ("a", "b"):
            self.host.add(id, Puppet, fsync)
            self.host.start(id)

    def do(self, *effects: Callable[[Outbox], None]) -> None:
        """Have a record these effects in one handler."""

        def handler(now: int, out: Outbox) -> None:
            for effect in effects:
                effect(out)

        self.host.call("a", handler)

    def at(self, time: int, callback: Callable[[], None]) -> None:
        self.time.call_at(time, callback)

    def puppet(self, id: NodeId) -> Puppet:
        node = self.host.processes[id].node
        assert isinstance(node, Puppet)
        return node

    def heard(self, id: NodeId = "b") -> list[tuple[str, int]]:
        """What it was handed, each with the simulated time."""
        clock = self.host.processes[id].clock
        return [(text, now - clock) for text, now in self.puppet(id).heard]

    def count(self, event: str) -> int:
        return sum(isinstance(step, Step) and step.event == event for step in self.steps)


def say(text: str) -> Callable[[Outbox], None]:
    return lambda out: out.send("b", Note(text))


def save(record: object, name: str = "it") -> Callable[[Outbox], None]:
    return lambda out: out.save(name, record)


def append(*entries: object) -> Callable[[Outbox], None]:
    return lambda out: out.append(entries)


# -------------------------------------------------------------------------------------------------------------- order


def test_nothing_overtakes_a_write_that_is_not_durable() -> None:
    stage = Stage()
    stage.do(say("before"), save(1), say("after"))
    stage.at(1_000, lambda: stage.do(say("later, and with nothing to save")))
    stage.at(2_000, lambda: stage.do(append("x"), say("last")))
    stage.time.advance(100_000)
    assert stage.heard() == [
        ("before", HOP),
        ("after", SYNC + HOP),
        ("later, and with nothing to save", SYNC + HOP),
        ("last", 2 * SYNC + HOP),  # its append came during the first sync, so it waited for the next
    ]


@pytest.mark.parametrize("fsync", [0, SYNC])
def test_every_kind_of_effect_waits_its_turn(fsync: int) -> None:
    stage = Stage(Span.constant(fsync))
    stage.do(
        save(1),
        lambda out: out.observe("seen"),
        lambda out: out.set_timer("ring", Span.constant(100)),
        lambda out: out.choose("one of one", 1),
    )
    assert [seen.what for seen in stage.host.observations] == ["start", "start"] + ["seen"] * (not fsync)
    stage.time.advance(100_000)
    assert [(seen.what, seen.time) for seen in stage.host.observations if seen.what == "seen"] == [
        ("seen", fsync * 1000)
    ]
    assert stage.heard("a") == [("one of one 0", fsync), ("ring", fsync + 100)]


def test_writes_of_one_handler_share_a_sync_and_those_made_during_it_share_the_next() -> None:
    stage = Stage()
    stage.do(save(1), append("x"), save(2, "other"))
    for time in (1_000, 2_000, 4_999):
        stage.at(time, lambda: stage.do(append("y"), say("y")))
    stage.time.advance(100_000)
    assert (stage.count("write"), stage.count("sync")) == (6, 2)
    assert {time for _, time in stage.heard()} == {2 * SYNC + HOP}


def test_a_disk_that_needs_no_time_still_takes_the_write_first() -> None:
    stage = Stage(Span.constant(0))
    stage.do(append("x"), say("x"))
    assert stage.host.processes["a"].disk.log == ["x"]
    stage.time.advance(100_000)
    assert stage.heard() == [("x", HOP)]


def test_a_timer_that_is_put_off_fires_once_at_its_last_moment_and_a_cancelled_one_never() -> None:
    stage = Stage()

    def timer(length: int) -> Callable[[Outbox], None]:
        return lambda out: out.set_timer("t", Span.constant(length))

    stage.do(timer(1_000))
    stage.at(500, lambda: stage.do(timer(5_000)))  # later
    stage.at(600, lambda: stage.do(timer(200)))  # and sooner
    stage.at(700, lambda: stage.do(timer(3_000)))
    stage.at(5_000, lambda: stage.do(timer(1_000)))
    stage.at(5_500, lambda: stage.do(lambda out: out.cancel_timer("t")))
    stage.time.advance(100_000)
    assert stage.heard("a") == [("t", 3_700)]


# -------------------------------------------------------------------------------------------------------------- crash


def outcomes(
    *writes: Save | Append | Truncate | Snapshot, durable: tuple[str, ...] = ("old",)
) -> set[tuple[object, tuple[object, ...]]]:
    """What over many seeds can be on disk, as (the record "it", the log), when these writes were not synced yet."""
    found = set()
    for seed in range(400):
        disk = Disk()
        disk.write(Save("it", "old"))
        disk.write(Append(durable))
        disk.settle(disk.written)
        for write in writes:
            disk.write(write)
        disk.crash(stream(seed, "crash"))
        assert (disk.durable, disk.syncing, len(disk.pending)) == (disk.written, False, 0)
        found.add((disk.records["it"], tuple(disk.log)))
    return found


def test_a_crash_keeps_any_prefix_of_the_appends_that_no_sync_has_covered() -> None:
    logs = {log for _, log in outcomes(Append(("a", "b")), Append(("c",)))}
    assert logs == {("old",), ("old", "a"), ("old", "a", "b"), ("old", "a", "b", "c")}


def test_a_crash_keeps_any_of_the_saves_whatever_it_keeps_of_the_log() -> None:
    found = outcomes(Save("it", "new"), Append(("a",)), Save("it", "newer"))
    assert found == set(product(("old", "new", "newer"), (("old",), ("old", "a"))))


def test_a_truncation_is_lost_or_kept_in_its_place() -> None:
    logs = {log for _, log in outcomes(Truncate(1), Append(("a",)), Truncate(1), Append(("b",)))}
    assert logs == {("old",), (), ("a",), ("b",)}


def snapshots(*writes: Append | Truncate | Snapshot) -> set[tuple[object, int, tuple[object, ...]]]:
    """As `outcomes`, as (the snapshot, up to which entry, the log behind it); entries 1 and 2 are durable."""
    found = set()
    for seed in range(400):
        disk = Disk()
        disk.write(Append(("1", "2")))
        disk.settle(disk.written)
        for write in writes:
            disk.write(write)
        disk.crash(stream(seed, "crash"))
        saved = disk.saved()
        found.add((saved.snapshot, saved.upto, saved.log))
    return found


def test_a_snapshot_takes_the_place_of_the_entries_that_it_stands_for_and_the_others_keep_their_numbers() -> None:
    disk = Disk()
    for write in (Append(("1", "2", "3")), Snapshot("1-2", 2), Append(("4", "5")), Truncate(5), Snapshot("1-3", 3)):
        disk.write(write)
    disk.settle(disk.written)
    assert disk.saved() == Saved({}, ("4",), "1-3", 3)


def test_a_snapshot_from_elsewhere_goes_beyond_the_log_and_an_older_one_or_a_cut_into_it_changes_nothing() -> None:
    disk = Disk()
    for write in (Append(("1", "2")), Snapshot("1-7", 7), Append(("8",)), Snapshot("1", 1)):
        disk.write(write)
    disk.settle(disk.written)
    assert disk.saved() == Saved({}, ("8",), "1-7", 7)
    disk.write(Truncate(3))
    disk.settle(disk.written)
    assert disk.saved() == Saved({}, (), "1-7", 7)


def test_a_crash_keeps_a_snapshot_whole_or_not_at_all_and_only_with_what_was_written_before_it() -> None:
    assert snapshots(Append(("3",)), Snapshot("1-2", 2), Append(("4",))) == {
        (None, 0, ("1", "2")),
        (None, 0, ("1", "2", "3")),
        ("1-2", 2, ("3",)),
        ("1-2", 2, ("3", "4")),
    }


def test_a_crash_loses_nothing_that_was_synced() -> None:
    for seed in range(50):
        stage = Stage(seed=seed)
        stage.do(save("durable"), append(1, 2))
        stage.time.advance(SYNC + 1)
        stage.do(save("perhaps"), append(3, 4), lambda out: out.truncate(2), append(5))
        stage.host.crash("a")
        stage.host.start("a")
        saved = stage.puppet("a").saved
        assert saved is not None
        assert saved.records["it"] in ("durable", "perhaps")
        assert saved.log[:1] == (1,)
        assert saved.log in ((1, 2), (1, 2, 3), (1, 2, 3, 4), (1,), (1, 5))


def test_what_waited_for_the_disk_dies_with_the_process_and_old_syncs_and_timers_mean_nothing_to_the_next() -> None:
    stage = Stage()
    stage.do(lambda out: out.set_timer("old", Span.constant(20_000)), save(1), say("promise"))
    stage.at(2_000, lambda: stage.host.crash("a"))
    stage.at(3_000, lambda: stage.host.start("a"))
    stage.at(4_000, lambda: stage.do(save(2), say("new")))  # the sync of before would be over at 5,000
    stage.time.advance(100_000)
    assert stage.heard() == [("new", 4_000 + SYNC + HOP)]
    assert stage.heard("a") == []


@pytest.mark.parametrize("fsync", [0, SYNC])
@pytest.mark.parametrize(("effects", "said"), [(1, "1"), (2, "1"), (3, "1"), (4, "13"), (5, "134"), (6, "1346")])
def test_a_process_dies_after_so_many_effects_in_the_middle_of_a_handler(effects: int, said: str, fsync: int) -> None:
    """The two writes are made at once, and the rest leaves after their sync: so 2 and 5 count before 3, 4 and 6."""
    stage = Stage(Span.constant(fsync))
    stage.host.crash_after("a", effects)
    stage.do(say("1"), append("2"), say("3"), say("4"), save("5"), say("6"))
    stage.time.advance(100_000)
    process = stage.host.processes["a"]
    assert "".join(text for text, _ in stage.heard()) == said
    assert not process.alive
    if effects == 1:
        assert (process.disk.log, process.disk.records) == ([], {})
    if effects > 3:  # what was said rests on it
        assert (process.disk.log, process.disk.records) == (["2"], {"it": "5"})


# -------------------------------------------------------------------------------------------------------------- pause


def test_a_paused_process_keeps_its_effects_back_while_its_disk_goes_on() -> None:
    stage = Stage()
    stage.do(save(1), say("after"))
    stage.at(1_000, lambda: stage.host.pause("a"))
    stage.at(20_000, lambda: stage.host.resume("a"))
    stage.time.advance(10_000)
    assert stage.host.processes["a"].disk.records == {"it": 1}
    stage.time.advance(100_000)
    assert stage.heard() == [("after", 20_000 + HOP)]


def test_after_a_pause_everything_is_handled_in_the_order_in_which_it_came() -> None:
    stage = Stage()
    stage.host.call("b", lambda now, out: out.set_timer("ring", Span.constant(3_500)))
    stage.at(2_000, lambda: stage.host.pause("b"))
    for time in (2_000, 3_000, 4_000):
        stage.at(time, lambda time=time: stage.do(say(f"sent at {time}")))  # type: ignore[misc]
    stage.at(50_000, lambda: stage.host.resume("b"))
    stage.time.advance(100_000)
    assert [text for text, _ in stage.heard()] == ["sent at 2000", "ring", "sent at 3000", "sent at 4000"]
    assert {time for _, time in stage.heard()} == {50_000}


def test_a_process_that_is_paused_again_while_it_catches_up_goes_on_where_it_was() -> None:
    stage = Stage()
    stage.host.watchers["stop"] = [lambda _: stage.host.pause("b")]
    puppet = stage.puppet("b")

    def stop_once(sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        Puppet.on_message(puppet, sender, message, now, out)
        if len(puppet.heard) == 2:
            out.observe("stop")

    puppet.on_message = stop_once  # type: ignore[method-assign]
    stage.host.pause("b")
    stage.do(*(say(str(i)) for i in range(5)))
    stage.at(50_000, lambda: stage.host.resume("b"))
    stage.at(60_000, lambda: stage.do(say("5")))
    stage.at(80_000, lambda: stage.host.resume("b"))
    stage.time.advance(100_000)
    assert stage.heard() == [("0", 50_000), ("1", 50_000), *((str(i), 80_000) for i in range(2, 6))]


def test_a_crash_ends_a_pause_and_loses_what_had_queued() -> None:
    stage = Stage()
    stage.host.pause("b")
    stage.do(say("lost"))
    stage.at(10_000, lambda: stage.host.crash("b"))
    stage.at(20_000, lambda: stage.host.start("b"))
    stage.at(30_000, lambda: stage.do(say("heard")))
    stage.time.advance(100_000)
    assert stage.heard() == [("heard", 30_000 + HOP)]
