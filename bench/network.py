"""The network: who is connected to whom, how long packets take, and what the faults of the moment do to them.

Packets are datagrams: each takes its own time, may overtake another (unless the cluster asks for FIFO links), and is
lost silently. A fault is a rule on a link: a function from a packet to the delays of its copies. ``()`` is lost,
``(0,)`` untouched, ``(d,)`` delayed, ``(0, d)`` duplicated; rules compose, each seeing the copies that the one before
it let through. A cut is kept apart from the rules because a packet is judged by it twice, when it is sent and when it
would arrive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from bench.draws import Draw, sampler, stream
from bench.node import Message, NodeId
from scenarios.units import Span

if TYPE_CHECKING:
    import networkx

    Topology = networkx.DiGraph[NodeId]

Edge = tuple[NodeId, NodeId]
Rule = Callable[[Message], tuple[int, ...]]


class Link:
    """One direction between two machines."""

    __slots__ = ("draw", "edge", "last", "rules", "sent")

    def __init__(self, edge: Edge, draw: Draw) -> None:
        self.edge = edge
        self.draw = draw
        self.last = 0  # when the newest packet arrives; only FIFO links look at it
        self.rules: list[tuple[str, Rule]] = []
        self.sent: dict[type[Message], int] = {}

    def travel(self, message: Message) -> int:
        """Count a packet and draw how long it takes: even if it is lost, so that a fault moves no other packet."""
        kind = type(message)
        self.sent[kind] = self.sent.get(kind, 0) + 1
        return self.draw()


class Network:
    """Links between all machines, with the faults of the moment. While it is ``calm``, every packet just travels."""

    def __init__(self, topology: Topology, seed: int, *, fifo: bool = False) -> None:
        self.fifo = fifo
        self.calm = not fifo
        self.cuts: Counter[Edge] = Counter()  # how many faults cut an edge at the moment
        self.dropped = 0
        self.duplicated = 0
        self._links: dict[NodeId, dict[NodeId, Link]] = {}
        latency: Span
        for sender, to, latency in topology.edges(data="latency"):
            draw = sampler(latency, stream(seed, "latency", f"{sender}->{to}"))
            self._links.setdefault(sender, {})[to] = Link((sender, to), draw)

    def link(self, sender: NodeId, to: NodeId) -> Link:
        return self._links[sender][to]

    def route(self, link: Link, message: Message, delay: int, now: int) -> tuple[int, ...]:
        """The delays, in microseconds, after which copies of a packet arrive that takes ``delay`` on the bare link."""
        if self.cuts[link.edge]:
            self.dropped += 1
            return ()
        extra: tuple[int, ...] = (0,)
        for _, rule in link.rules:
            extra = tuple(sooner + later for sooner in extra for later in rule(message))
        self.dropped += not extra
        self.duplicated += max(0, len(extra) - 1)
        delays = tuple(delay + more for more in extra)
        return self._in_order(link, delays, now) if self.fifo else delays

    def _in_order(self, link: Link, delays: Iterable[int], now: int) -> tuple[int, ...]:
        arrivals = []
        for delay in delays:
            link.last = max(link.last, now + delay)
            arrivals.append(link.last - now)
        return tuple(arrivals)

    # ----------------------------------------------------------------------------------------------------------- faults

    def cut(self, edges: Iterable[Edge]) -> None:
        self.cuts.update(edges)
        self._look_around()

    def mend(self, edges: Iterable[Edge]) -> None:
        """Undo one `cut` of these edges; an edge that two faults cut stays cut until both are over."""
        self.cuts.subtract(edges)
        self.cuts += Counter()  # forgets the edges that nobody cuts any more
        self._look_around()

    def add_rule(self, name: str, edges: Iterable[Edge], rule: Callable[[Edge], Rule]) -> None:
        """Lay a rule over links; ``rule`` makes one per link, so that each link has draws of its own."""
        for edge in edges:
            self.link(*edge).rules.append((name, rule(edge)))
        self._look_around()

    def remove_rule(self, name: str, edges: Iterable[Edge] | None = None) -> None:
        """Take the rules of this name off some links, or off all."""
        for link in self._every() if edges is None else [self.link(*edge) for edge in edges]:
            link.rules = [item for item in link.rules if item[0] != name]
        self._look_around()

    def _look_around(self) -> None:
        self.calm = not (self.fifo or self.cuts or any(link.rules for link in self._every()))

    def _every(self) -> Iterable[Link]:
        return (link for row in self._links.values() for link in row.values())

    # --------------------------------------------------------------------------------------------------------- counters

    def sent_by_type(self) -> dict[str, int]:
        """Packets sent, by message type in alphabetical order."""
        total: Counter[str] = Counter()
        for link in self._every():
            total.update({kind.__name__: count for kind, count in link.sent.items()})
        return dict(sorted(total.items()))

    def sent_by_link(self) -> dict[str, int]:
        """Packets sent, by link, of the links that were used."""
        return {"->".join(link.edge): sum(link.sent.values()) for link in self._every() if link.sent}

    def loudest(self) -> str:
        sent = self.sent_by_type()
        if not sent:
            return "none: not one was sent"
        kind = max(sent, key=lambda name: sent[name])
        return f"{kind} ({sent[kind]:,} sent)"


def topology(
    nodes: Iterable[NodeId], clients: Iterable[NodeId], latency: Span, client_latency: Span, links: Mapping[str, Span]
) -> Topology:
    """Every node linked to every other, every client to every node; ``links`` overrides the latency of some.

    A key of ``links`` is a node ("n5": all its links to nodes, both ways), or a pair ("n1->n2": one direction,
    "n1 - n2": both). A pair outranks a node, and between two nodes that are both named the one listed later counts.
    """
    import networkx as nx

    graph: Topology = nx.DiGraph()
    members = tuple(nodes)
    graph.add_edges_from(((a, b) for a in members for b in members if a != b), latency=latency)
    for client in clients:
        graph.add_edges_from(((client, node) for node in members), latency=client_latency)
        graph.add_edges_from(((node, client) for node in members), latency=client_latency)

    def is_pair(name: str) -> bool:
        return "-" in name

    for name, span in sorted(links.items(), key=lambda item: is_pair(item[0])):
        if is_pair(name):
            sender, to = (part.strip() for part in name.replace("->", "-").split("-"))
            edges = [(sender, to)] if "->" in name else [(sender, to), (to, sender)]
        else:
            edges = [pair for other in members if other != name for pair in ((name, other), (other, name))]
        for edge in edges:
            graph.edges[edge]["latency"] = span
    return graph
