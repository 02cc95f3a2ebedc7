"""Stories of Paxos, Multi-Paxos, the synod and primary-backup, in their own words."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.node import (
    Answer,
    Append,
    CancelTimer,
    Command,
    Effect,
    Message,
    NodeId,
    Observe,
    Request,
    Save,
    Send,
    SetTimer,
    Snapshot,
    Truncate,
)
from bench.parts.machine import MachineState
from bench.protocols.multipaxos import LeaseMultiPaxos, MultiPaxos
from bench.protocols.multipaxos import Parameters as MultiPaxosParameters
from bench.protocols.paxos import Parameters as PaxosParameters
from bench.protocols.paxos import Paxos
from bench.protocols.primary_backup import Entry, PrimaryBackup, SyncPrimaryBackup
from bench.protocols.primary_backup import Parameters as PrimaryBackupParameters
from bench.protocols.synod import Parameters as SynodParameters
from bench.protocols.synod import Synod
from tests.bench import story
from tests.bench.sansio import Cluster, Packet

THREE = ("n1", "n2", "n3")


def multipaxos(
    ids: tuple[NodeId, ...] = THREE, node: type[MultiPaxos] = MultiPaxos, *, snapshot_every: int = 100
) -> Cluster:
    parameters = MultiPaxosParameters(snapshot_every=snapshot_every)
    return Cluster(ids, lambda id: node(id, ids, parameters))


def paxos(ids: tuple[NodeId, ...] = THREE, node: type[Paxos] = Paxos) -> Cluster:
    return Cluster(ids, lambda id: node(id, ids, PaxosParameters()))


def primary_backup(node: type[PrimaryBackup], entries_max: int = 64) -> Cluster:
    return Cluster(THREE, lambda id: node(id, THREE, PrimaryBackupParameters(entries_max=entries_max)))


def synod(node: type[Synod] = Synod) -> Cluster:
    return Cluster(THREE, lambda id: node(id, THREE, SynodParameters()))


def packet(cluster: Cluster, kind: type[Message], sender: NodeId, to: NodeId) -> Packet:
    """The oldest message of this type on this link."""
    return next(p for p in cluster.wire if isinstance(p.message, kind) and (p.sender, p.to) == (sender, to))


class Story(story.Story):
    """Told by the steps that a test takes, message by message."""

    folder = Path(__file__).with_name("transcripts")

    def state(self, id: NodeId) -> str:
        return state(self.cluster, id)

    def effect(self, effect: Effect) -> str:
        return effect_in_words(effect)

    def wait(self, milliseconds: int) -> None:
        self.cluster.now += milliseconds * 1000
        self.lines += ["", f"-- {self.cluster.now // 1000} ms"]

    def deliver(self, kind: type[Message], sender: NodeId, to: NodeId) -> None:
        arriving = packet(self.cluster, kind, sender, to)
        self.write(f"{sender} -> {to}: {words(arriving.message)}", to, self.arrive(arriving))

    def lose(self, kind: type[Message], sender: NodeId, to: NodeId) -> None:
        lost = packet(self.cluster, kind, sender, to)
        self.cluster.wire.remove(lost)
        self.lines += ["", f"{sender} -> {to}: {words(lost.message)}   LOST"]

    def lose_all(self, node: NodeId) -> None:
        """Whatever is under way from or to this node is lost."""
        for lost in [p for p in self.cluster.wire if node in (p.sender, p.to)]:
            self.lose(type(lost.message), lost.sender, lost.to)

    def ask(self, client: NodeId, sequence: int, command: Command, node: NodeId) -> None:
        self.cluster.ask(client, sequence, command, node)
        self.deliver(Request, client, node)

    def settle(self) -> None:
        """Deliver all that is under way, in the order of sending."""
        while self.cluster.wire:
            oldest = self.cluster.wire[0]
            self.deliver(type(oldest.message), oldest.sender, oldest.to)


def state(cluster: Cluster, id: NodeId) -> str:
    """What a reader of the story wants to know of a node."""
    node = cluster.nodes[id]
    if isinstance(node, MultiPaxos):
        accepted = " ".join(f"[{p.slot} in {p.ballot}: {shown(p.value)}]" for _, p in sorted(node.accepted.items()))
        role = f"{node.role.value} with ballot {node.ballot}" if node.ballot else node.role.value
        trimmed = f", trimmed up to {node.chosen.trimmed}" if node.chosen.trimmed else ""
        told = f"{role}; promised {node.promised}; accepted {accepted or 'nothing'}"
        lease = ""
        if isinstance(node, LeaseMultiPaxos) and node.granted_until > cluster.now:
            lease = f"; {node.granted_to or 'somebody'} has its lease until {node.granted_until // 1000} ms"
        return f"{told}; chosen {node.chosen.watermark}{trimmed}{lease}"
    if isinstance(node, PrimaryBackup):
        log = " ".join(shown(entry) for entry in node.log.between(1, node.log.last)) or "empty"
        held = "; ".join(f"{other} has {held}" for other, held in node.held.items()) if node.primary == id else ""
        safe = f"safe {node.safe}" if isinstance(node, SyncPrimaryBackup) else ""
        parts = [
            f"{node.role.value} in epoch {node.epoch}",
            f"obeys {node.primary or 'nobody'}",
            f"log {log}",
            safe,
            held,
        ]
        return "; ".join(part for part in parts if part)
    if isinstance(node, Synod):
        return "; ".join(_key(node, key) for key in sorted({*node.promised, *node.decided})) or "idle"
    assert isinstance(node, Paxos)
    instance = node.chosen.watermark + 1
    vote = node.votes.get(instance)
    cast = "no vote" if vote is None else f"voted in {vote.ballot} for {shown(vote.value)}"
    trying = f" with ballot {node.ballot}" if node.ballot else ""
    return f"{node.phase.value}{trying}; instance {instance}: promised {node.promised.get(instance, 0)}, {cast}"


def _key(node: Synod, key: str) -> str:
    attempt, vote = node.attempts.get(key), node.votes.get(key)
    told = [f"{key}: promised {node.promised.get(key, 0)}"]
    told += [f"voted in {vote.ballot} for {shown(vote.value)}"] if vote is not None else []
    told += [f"tries ballot {attempt.ballot}"] if attempt is not None and not attempt.given_up else []
    told += [f"decided {shown(node.decided[key])}"] if key in node.decided else []
    return ", ".join(told)


def shown(value: object) -> str:
    match value:
        case Request(session, sequence, command):
            return f"{session}#{sequence} {command}"
        case Entry(epoch, request):
            return f"[{epoch} {shown(request)}]"
        case None:
            return "–"
        case MachineState(values, answers):
            return f"{{{', '.join(f'{key} = {held}' for key, held in values)}; {', '.join(map(answered, answers))}}}"
        case tuple():
            return f"({', '.join(map(shown, value))})"
        case msgspec.Struct():
            return words(value)
        case _:
            return str(value)


def answered(answer: tuple[str, Answer]) -> str:
    return f"{answer[0]}#{answer[1].sequence} answered"


def words(value: msgspec.Struct) -> str:
    """A message or record by the names of its fields."""
    if isinstance(value, Request):
        return f"Request {shown(value)}"
    fields = [f"{name} {shown(getattr(value, name))}" for name in value.__struct_fields__]
    return f"{type(value).__name__} {', '.join(fields)}"


def effect_in_words(effect: Effect) -> str:
    match effect:
        case Send(to, message):
            return f"send {to}: {words(message)}"
        case SetTimer(timer, span):
            return f"set {timer} timer: {span}"
        case CancelTimer(timer):
            return f"cancel {timer} timer"
        case Save(name, record):
            return f"save {name}: {record}"
        case Append(records):
            return f"append {', '.join(shown(record) for record in records)}"
        case Snapshot(blob, upto):
            return f"snapshot instead of records up to {upto}: {words(blob)}"
        case Truncate(index):
            return f"truncate from {index} on"
        case Observe(what, term, slot, digest):
            about = [f"term {term}" if term else "", f"slot {slot}" if slot else "", digest or ""]
            return " ".join(["observe", what, *(part for part in about if part)])
        case _:
            raise TypeError(f"no effect of these protocols: {effect}")
