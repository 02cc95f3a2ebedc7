"""Zab step by step: stories of synchronisation and of two elections, written down as pages that a person can follow.

Every step is one handler: what happened, its effects in order, and the state that it left. Signs of life and the stamps
of channels are left out. AFTERSHOCK_REGENERATE=1 writes the pages anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.node import (
    Answer,
    Append,
    CancelTimer,
    Command,
    Effect,
    Message,
    NodeId,
    Observe,
    Refusal,
    Request,
    Save,
    Send,
    SetTimer,
    Truncate,
)
from bench.parts.channel import Close, Ping
from bench.protocols.zab import (
    FINALIZE,
    SYNCED,
    TICK,
    Ack,
    AckE,
    AckLD,
    CEpoch,
    Commit,
    CommitLD,
    Diff,
    NewEpoch,
    NewLeader,
    Notification,
    Parameters,
    Propose,
    Role,
    Snap,
    Transaction,
    Trunc,
    Zab,
)
from tests.bench import story
from tests.bench.sansio import Cluster, Packet

IDS = ("n1", "n2", "n3")


class Story(story.Story):
    """A story of three servers, some of which may be away."""

    folder = Path(__file__).with_name("transcripts")

    def __init__(self, title: str) -> None:
        super().__init__(title, Cluster(IDS, lambda id: Zab(id, IDS, Parameters())))
        self.away: set[NodeId] = set()
        self._asked = 0
        self._quiet = False

    def quietly(self, text: str, steps: Callable[[], None]) -> None:
        """Steps that the page only sums up."""
        self.say(text)
        self._quiet = True
        steps()
        self._quiet = False
        for id in IDS:
            if id not in self.away:
                self.write_state(id)

    # ------------------------------------------------------------------------------------------------------------ steps

    def deliver(self, packet: Packet) -> None:
        effects = self.arrive(packet)
        if not isinstance(packet.message, Ping):
            self.write(f"{packet.sender} -> {packet.to}: {message(packet.message)}", packet.to, effects)

    def ask(self, node: NodeId, value: int) -> None:
        self._asked += 1
        self.deliver(self.cluster.ask("c1", self._asked, Command("write", "x", value), node))

    def settle(self) -> None:
        """Deliver what is under way in the order of sending, and ring what is due at once, until nothing is left."""
        while True:
            self.cluster.wire = [p for p in self.cluster.wire if not self.away & {p.sender, p.to}]
            due = [id for id in IDS if SYNCED in self.cluster.timers[id] and id not in self.away]
            if due:
                self.ring(due[0], SYNCED)
            elif self.cluster.wire:
                self.deliver(self.cluster.wire[0])
            else:
                return

    def deliver_until(self, kind: type[Message], to: NodeId) -> None:
        """Deliver what is under way up to the first message of this type to this node, which stays under way."""
        while not (isinstance(self.cluster.wire[0].message, kind) and self.cluster.wire[0].to == to):
            self.deliver(self.cluster.wire[0])

    def ticks(self, *ids: NodeId, count: int = 1) -> None:
        for _ in range(count):
            for id in ids:
                self.ring(id, TICK)
            self.settle()

    def elect(self, *ids: NodeId) -> None:
        """These look for a leader until one is established."""
        for _ in range(20):
            self.ticks(*ids)
            for id in ids:
                if FINALIZE in self.cluster.timers[id]:
                    self.ring(id, FINALIZE)
            self.settle()
            if any(self.zab(id).role is Role.LEADING for id in ids) and all(
                self.zab(id).role is not Role.LOOKING for id in ids
            ):
                return
        raise AssertionError("nobody was elected")

    def lose(self, id: NodeId) -> None:
        """Nothing reaches this node any more, and nothing comes from it."""
        self.away.add(id)

    def find(self, *ids: NodeId) -> None:
        self.away -= set(ids)

    def restart(self, id: NodeId) -> None:
        self.cluster.wire = [p for p in self.cluster.wire if p.sender != id]
        super().restart(id)

    def zab(self, id: NodeId) -> Zab:
        node = self.cluster.nodes[id]
        assert isinstance(node, Zab)
        return node

    # ----------------------------------------------------------------------------------------------------------- words

    def write(self, step: str, id: NodeId, effects: list[Effect]) -> None:
        if self._quiet:
            return
        if "timer" not in step or any(self.effect(effect) for effect in effects):
            super().write(step, id, effects)
        else:
            self.write_state(id)

    def effect(self, effect: Effect) -> str:
        return effect_in_words(effect) or ""

    def state(self, id: NodeId) -> str:
        node = self.zab(id)
        doing = node.role.value
        if node.role is not Role.LOOKING:
            doing += f" {node.leader}, {node.phase.value}" if node.role is Role.FOLLOWING else f", {node.phase.value}"
        history = " ".join(str(node.log[index].zxid) for index in range(1, node.log.last + 1)) or "nothing"
        epochs = f"epoch {node.current_epoch} (accepted {node.accepted_epoch})"
        return f"{doing}; {epochs}; history {history}; delivered {node.delivered}"


def transactions(items: tuple[Transaction, ...]) -> str:
    return " ".join(f"{item.zxid} ({item.command})" for item in items) or "nothing"


def message(m: Message) -> str:
    match m:
        case Notification(_, round, vote, role):
            return f"Notification round {round}, {role.value}: {vote.candidate} with epoch {vote.epoch}, {vote.zxid}"
        case CEpoch(epoch):
            return f"CEPOCH accepted {epoch}"
        case NewEpoch(epoch):
            return f"NEWEPOCH {epoch}"
        case AckE(None, zxid):
            return f"ACK-E accepted before, history ends at {zxid}"
        case AckE(epoch, zxid):
            return f"ACK-E current epoch {epoch}, history ends at {zxid}"
        case Diff(items):
            return f"DIFF {transactions(items)}"
        case Trunc(zxid, items):
            return f"TRUNC to {zxid}, then {transactions(items)}"
        case Snap(items):
            return f"SNAP {transactions(items)}"
        case NewLeader(epoch):
            return f"NEWLEADER {epoch}"
        case AckLD(epoch):
            return f"ACK(NEWLEADER) {epoch}"
        case CommitLD(zxid):
            return f"UPTODATE {zxid}"
        case Propose(item):
            return f"PROPOSE {transactions((item,))}"
        case Ack(zxid):
            return f"ACK {zxid}"
        case Commit(zxid):
            return f"COMMIT {zxid}"
        case Close():
            return "close"
        case Request(session, sequence, command):
            return f"request {session}#{sequence} {command}"
        case Answer(sequence, value):
            return f"answer #{sequence} {value}"
        case Refusal(sequence, hint):
            return f"refusal #{sequence}, perhaps {hint}"
        case _:
            raise TypeError(f"no message of Zab: {m}")


def effect_in_words(effect: Effect) -> str | None:
    match effect:
        case Send(_, Ping()):
            return None
        case Send(to, m):
            return f"send {to}: {message(m)}"
        case Save(name, record):
            return f"save {name}: {record}"
        case Append(items):
            return f"append {transactions(tuple(items))}"
        case Truncate(index):
            return f"truncate from {index}"
        case SetTimer(timer, span):
            return None if timer == TICK else f"set {timer} timer: {span}"
        case CancelTimer(timer):
            return f"cancel {timer} timer"
        case Observe(what, term, slot, digest):
            of = "".join(f" {word} {number}" for word, number in (("term", term), ("slot", slot)) if number is not None)
            return f"observe {what}{of}" + (f": {digest}" if digest else "")
        case _:
            raise TypeError(f"no effect of Zab: {effect}")


# ---------------------------------------------------------------------------------------------------------------- tests


def led_by_n3(title: str) -> Story:
    story = Story(title)
    story.quietly("n3 is elected for its id and leads epoch 1; x = 1 is delivered everywhere.", lambda: start(story))
    return story


def start(story: Story) -> None:
    story.settle()
    story.elect(*IDS)
    story.ask("n3", 1)
    story.settle()


def test_a_follower_that_missed_transactions_gets_a_diff() -> None:
    story = led_by_n3("DIFF: what a follower has missed")

    def miss() -> None:
        story.lose("n1")
        for value in (2, 3):
            story.ask("n3", value)
            story.settle()
        story.ticks("n2", "n3", count=6)
        for _ in range(6):
            story.ring("n1", TICK)

    story.quietly("n1 hears nothing while x = 2 and x = 3 are delivered, and looks for a leader.", miss)
    story.say("n1 is back: the others tell it whom they follow, and that is a quorum.")
    story.find("n1")
    story.ring("n1", TICK)
    story.settle()
    story.check("diff")
    assert story.zab("n1").delivered == 3
    assert story.zab("n1").current_epoch == 1


def test_what_a_deposed_leader_alone_had_proposed_is_truncated() -> None:
    story = led_by_n3("TRUNC: what only a deposed leader had")
    story.say("n3 is cut off, and proposes x = 2 and x = 3 to nobody.")
    story.lose("n3")
    story.ask("n3", 2)
    story.ask("n3", 3)

    def depose() -> None:
        for _ in range(7):
            story.ring("n3", TICK)
        story.ticks("n1", "n2", count=6)
        story.elect("n1", "n2")
        story.ask("n2", 4)
        story.settle()

    story.quietly("n3 gives up; n1 and n2 make n2 the leader of epoch 2, and x = 4 is delivered.", depose)
    story.say("n3 is back. Its history is n2's up to 1.1; what is behind it in epoch 1 n2 has not.")
    story.find("n3")
    story.ring("n3", TICK)
    story.settle()
    story.check("trunc")
    assert [str(story.zab("n3").log[i].zxid) for i in (1, 2)] == ["1.1", "2.1"]


def test_a_history_that_ends_in_an_epoch_unknown_to_the_leader_is_replaced() -> None:
    story = led_by_n3("SNAP: a history that ends in an epoch of which the leader knows nothing")

    def second() -> None:
        story.lose("n3")
        story.ticks("n1", "n2", count=6)
        story.elect("n1", "n2")
        story.cluster.wire.clear()
        story.lose("n1")
        story.ask("n2", 2)
        for _ in range(7):
            story.ring("n2", TICK)
        story.find("n3")
        for _ in range(7):
            story.ring("n3", TICK)
        story.cluster.wire.clear()
        story.lose("n2")
        for _ in range(7):
            story.ring("n1", TICK)
        story.cluster.wire.clear()
        story.find("n1")
        story.elect("n1", "n3")
        leader = "n1" if story.zab("n1").role is Role.LEADING else "n3"
        story.ask(leader, 3)
        story.settle()

    story.quietly("n2 leads epoch 2 and proposes 2.1 to nobody; then it is away, and epoch 3 has 3.1.", second)
    assert story.zab("n2").role is Role.LOOKING
    assert story.zab("n2").last_zxid.epoch == 2
    story.say("n2 is back. The leader has nothing of epoch 2, and cannot tell where the histories part.")
    story.find("n2")
    story.ring("n2", TICK)
    story.settle()
    story.check("snap")
    assert [str(story.zab("n2").log[i].zxid) for i in (1, 2)] == ["1.1", "3.1"]


def test_the_leader_of_the_first_of_two_elections_commits_nothing_that_the_second_does_not_keep() -> None:
    story = led_by_n3("Two elections close together: nothing counts before a quorum has acknowledged NEWLEADER")

    def alone() -> None:
        story.lose("n3")
        story.ask("n3", 2)
        for _ in range(7):
            story.ring("n3", TICK)
        for _ in range(7):
            story.ring("n1", TICK)
            story.ring("n2", TICK)
        story.cluster.wire.clear()

    story.quietly("n3 is cut off, proposes x = 2 to nobody, and gives up; the others look for a leader, too.", alone)
    story.say("The first election: n3 and n1 find each other, and n3 has the newer history.")
    story.lose("n2")
    story.find("n3")
    story.ring("n3", TICK)
    story.ring("n1", TICK)
    story.cluster.wire = [p for p in story.cluster.wire if "n2" not in (p.sender, p.to)]
    while not (FINALIZE in story.cluster.timers["n3"] and FINALIZE in story.cluster.timers["n1"]):
        story.deliver(story.cluster.wire[0])
        story.cluster.wire = [p for p in story.cluster.wire if "n2" not in (p.sender, p.to)]
    story.ring("n3", FINALIZE)
    story.ring("n1", FINALIZE)
    story.deliver_until(Diff, "n1")
    assert story.zab("n3").delivered == 1  # x = 2 is in its history, and nowhere else
    story.say("n1 crashes before it has the history, and n3 is cut off. The second election: n1 and n2.")
    story.cluster.wire.clear()
    story.restart("n1")
    story.lose("n3")
    story.find("n2")
    story.elect("n1", "n2")
    story.ask("n2", 3)
    story.settle()
    story.check("two-elections")
    assert [str(story.zab("n1").log[i].zxid) for i in (1, 2)] == ["1.1", "3.1"]
    assert story.zab("n1").delivered == story.zab("n2").delivered == 2
