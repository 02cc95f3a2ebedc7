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
from typing import TYPE_CHECKING, Any

from bench.draws import Draw, sampler, stream
from bench.node import Message, NodeId
from scenarios.units import Span

if TYPE_CHECKING:
    import networkx

Edge = tuple[NodeId, NodeId]
Rule = Callable[[Message], tuple[int, ...]]


class Link:
    """One direction between two machines."""

    __slots__ = ("draw", "last", "rules", "sent")

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.last = 0  # when the newest packet arrives; only FIFO links look at it
        self.rules: list[tuple[str, Rule]] = []
        self.sent: Counter[type[Message]] = Counter()


class Network:
    """Links between all machines, with the faults of the moment."""

    def __init__(self, topology: networkx.DiGraph[NodeId], seed: int, *, fifo: bool = False) -> None:
        self.fifo = fifo
        self.cuts: Counter[Edge] = Counter()  # how many faults cut an edge at the moment
        self.dropped = 0
        self.duplicated = 0
        self._links: dict[NodeId, dict[NodeId, Link]] = {}
        for sender, to, latency in topology.edges(data="latency"):
            draw = sampler(latency, stream(seed, "latency", f"{sender}->{to}"))
            self._links.setdefault(sender, {})[to] = Link(draw)

    def route(self, sender: NodeId, to: NodeId, message: Message, now: int) -> tuple[int, ...]:
        """The delays, in microseconds, after which copies of a packet arrive; none when it is lost."""
        link = self._links[sender][to]
        link.sent[type(message)] += 1
        delay = link.draw()  # drawn even if the packet is lost, so that a fault moves no other packet
        if self.cuts and self.cuts[sender, to]:
            self.dropped += 1
            return ()
        if not link.rules and not self.fifo:
            return (delay,)
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

    # ------------------------------------------------------------------------------------------------------------ faults

    def is_cut(self, sender: NodeId, to: NodeId) -> bool:
        return self.cuts[sender, to] > 0

    def cut(self, edges: Iterable[Edge]) -> None:
        self.cuts.update(edges)

    def mend(self, edges: Iterable[Edge]) -> None:
        """Undo one `cut` of these edges; an edge that two faults cut stays cut until both are over."""
        self.cuts.subtract(edges)
        self.cuts += Counter()  # forgets the edges that nobody cuts any more

    def add_rule(self, name: str, edges: Iterable[Edge], rule: Callable[[Edge], Rule]) -> None:
        """Lay a rule over links; ``rule`` makes one per link, so that each link has draws of its own."""
        for sender, to in edges:
            self._links[sender][to].rules.append((name, rule((sender, to))))

    def remove_rule(self, name: str, edges: Iterable[Edge] | None = None) -> None:
        """Take the rules of this name off some links, or off all."""
        chosen = edges if edges is not None else [(a, b) for a, row in self._links.items() for b in row]
        for sender, to in chosen:
            link = self._links[sender][to]
            link.rules = [item for item in link.rules if item[0] != name]

    # ---------------------------------------------------------------------------------------------------------- counters

    def sent_by_type(self) -> dict[str, int]:
        """Packets sent, by message type in alphabetical order."""
        total: Counter[type[Message]] = Counter()
        for row in self._links.values():
            for link in row.values():
                total.update(link.sent)
        return dict(sorted((kind.__name__, count) for kind, count in total.items()))

    def sent_by_link(self) -> dict[str, int]:
        """Packets sent, by link, of the links that were used."""
        return {
            f"{sender}->{to}": link.sent.total()
            for sender, row in self._links.items()
            for to, link in row.items()
            if link.sent
        }

    def loudest(self) -> str:
        sent = self.sent_by_type()
        kind = max(sent, key=lambda name: sent[name])
        return f"{kind} ({sent[kind]:,} sent)"


def topology(
    nodes: Iterable[NodeId], clients: Iterable[NodeId], latency: Span, client_latency: Span, links: Mapping[str, Span]
) -> networkx.DiGraph[NodeId]:
    """Every node linked to every other, every client to every node; ``links`` overrides the latency of some.

    A key of ``links`` is a node ("n5": all its links to nodes, both ways), or a pair ("n1->n2": one direction,
    "n1 - n2": both). A pair outranks a node, and between two nodes that are both named the one listed later counts.
    """
    import networkx as nx

    graph: Any = nx.DiGraph()
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
