"""Stories of Raft, in its words."""

from __future__ import annotations

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
from bench.protocols.raft import Appended, AppendEntries, Entry, Parameters, Raft, RequestVote, Role, Vote
from tests.bench.sansio import Cluster, Packet
from tests.bench.story import Story

_PARAMETERS = Parameters()


class Transcript(Story):
    """A story of Raft."""

    folder = Path(__file__).with_name("transcripts")

    def __init__(self, title: str, ids: tuple[NodeId, ...], parameters: Parameters = _PARAMETERS) -> None:
        super().__init__(title, Cluster(ids, lambda id: Raft(id, ids, parameters)))

    def deliver(self, kind: type[Message], sender: NodeId, to: NodeId) -> None:
        """Let the oldest message of this type on this link arrive."""
        packet = self.packet(kind, sender, to)
        self.write(f"{sender} -> {to}: {message(packet.message)}", to, self.arrive(packet))

    def ask(self, client: NodeId, sequence: int, command: Command, node: NodeId) -> None:
        self.cluster.ask(client, sequence, command, node)
        self.deliver(Request, client, node)

    def settle(self) -> None:
        """Deliver all that is under way, in the order of sending."""
        while self.cluster.wire:
            packet = self.cluster.wire[0]
            self.deliver(type(packet.message), packet.sender, packet.to)

    def lose(self, kind: type[Message], sender: NodeId, to: NodeId) -> None:
        packet = self.packet(kind, sender, to)
        self.cluster.wire.remove(packet)
        self.lines += ["", f"{sender} -> {to}: {message(packet.message)}   LOST"]

    def lose_all(self, node: NodeId) -> None:
        """Whatever is under way from or to this node is lost."""
        for packet in list(self.cluster.wire):
            if node in (packet.sender, packet.to):
                self.lose(type(packet.message), packet.sender, packet.to)

    def packet(self, kind: type[Message], sender: NodeId, to: NodeId) -> Packet:
        return next(p for p in self.cluster.wire if isinstance(p.message, kind) and (p.sender, p.to) == (sender, to))

    def raft(self, id: NodeId) -> Raft:
        node = self.cluster.nodes[id]
        assert isinstance(node, Raft)
        return node

    def state(self, id: NodeId) -> str:
        node = self.raft(id)
        log = " ".join(entry(node.log[index]) for index in range(1, node.log.last + 1)) or "empty"
        parts = [f"{node.role.value} of term {node.term}", f"voted {node.voted_for or 'for nobody'}", f"log {log}"]
        parts.append(f"committed {node.commit_index}")
        if node.role is Role.LEADER:
            parts += (
                f"{other} has {p.match}, next {p.next}{' (probing)' if p.probing else ''}"
                for other, p in sorted(node.progress.items())
            )
        return "; ".join(parts)

    def effect(self, effect: Effect) -> str:
        return effect_in_words(effect)


def entry(item: Entry) -> str:
    return f"[{item.term}]" if item.command is None else f"[{item.term} {item.command}]"


def entries(items: object) -> str:
    assert isinstance(items, tuple)
    return " ".join(entry(item) for item in items)


def message(m: Message) -> str:
    match m:
        case RequestVote(term, index, log_term):
            return f"RequestVote term {term}, my log ends at {index} of term {log_term}"
        case Vote(term, granted):
            return f"Vote term {term}, {'yes' if granted else 'no'}"
        case AppendEntries(term, previous, previous_term, items, commit):
            what = entries(items) or "nothing"
            return f"AppendEntries term {term}, after {previous} of term {previous_term}: {what}; committed {commit}"
        case Appended(term, previous, None, hint):
            return f"Appended term {term}, after {previous}: no, perhaps {hint}"
        case Appended(term, previous, match):
            return f"Appended term {term}, after {previous}: all up to {match}"
        case Request(session, sequence, command):
            return f"Request {session}#{sequence} {command}"
        case Answer(sequence, value, result):
            return f"Answer #{sequence} {value}" + ("" if result is None else f", {'done' if result else 'refused'}")
        case Refusal(sequence, hint):
            return f"Refusal #{sequence}" + ("" if hint is None else f", ask {hint}")
        case _:
            raise TypeError(f"no message of Raft: {m}")


def effect_in_words(effect: Effect) -> str:
    match effect:
        case Send(to, m):
            return f"send {to}: {message(m)}"
        case SetTimer(timer, span):
            return f"set {timer} timer: {span}"
        case CancelTimer(timer):
            return f"cancel {timer} timer"
        case Save(name, (term, vote)):
            return f"save {name}: {term}, {vote or 'nobody'}"
        case Append(items):
            return f"append {entries(items)}"
        case Truncate(index):
            return f"truncate from {index} on"
        case Observe(what, term, slot, digest):
            about = [
                f"term {term}" if term is not None else "",
                f"slot {slot}" if slot is not None else "",
                digest or "",
            ]
            return " ".join(["observe", what, *(part for part in about if part)])
        case _:
            raise TypeError(f"no effect of Raft: {effect}")
