"""Stories: a cluster without a host, played step by step and written down as a page that a person can follow.

Each step is one handler: what happened, the effects in their order, and the state that it left where it changed. Every
step also checks that a copy of the cluster does the same. Pages are kept in a folder ``transcripts`` beside the test.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path

from bench.node import Effect, NodeId
from tests.bench.sansio import Cluster, Packet


class Story(ABC):
    """Told by the steps that a test takes; a protocol says what its messages, effects and states are in words."""

    folder: Path

    def __init__(self, title: str, cluster: Cluster) -> None:
        self.cluster = cluster
        self.lines = [title, "=" * len(title)]
        self._shown = {id: self.state(id) for id in cluster.ids}

    @abstractmethod
    def state(self, id: NodeId) -> str:
        """What a reader wants to know of a node."""

    @abstractmethod
    def effect(self, effect: Effect) -> str:
        """Empty for one that is left out."""

    def say(self, text: str) -> None:
        self.lines += ["", f"# {text}"]

    def ring(self, id: NodeId, timer: str) -> None:
        twin = self.cluster.fork()
        effects = self.cluster.ring(id, timer)
        self._same(twin, id, twin.ring(id, timer), effects)
        self.write(f"{id}: {timer} timer", id, effects)

    def arrive(self, packet: Packet) -> list[Effect]:
        """Let a packet arrive, and write nothing."""
        twin = self.cluster.fork()
        effects = self.cluster.deliver(packet)
        self._same(twin, packet.to, twin.deliver(packet), effects)
        return effects

    def restart(self, id: NodeId) -> None:
        twin = self.cluster.fork()
        effects = self.cluster.start(id)
        self._same(twin, id, twin.start(id), effects)
        self.write(f"{id}: crashes, and starts again with what is on its disk", id, effects)

    def write(self, step: str, id: NodeId, effects: list[Effect]) -> None:
        self.lines += ["", step, *(f"    {text}" for effect in effects if (text := self.effect(effect)))]
        self.write_state(id)

    def write_state(self, id: NodeId) -> None:
        now = self.state(id)
        if now != self._shown[id]:
            self.lines.append(f"  {id} is {now}")
            self._shown[id] = now

    def _same(self, twin: Cluster, id: NodeId, theirs: list[Effect], ours: list[Effect]) -> None:
        assert theirs == ours
        assert twin.nodes == self.cluster.nodes
        assert hash(twin.nodes[id]) == hash(self.cluster.nodes[id])
        assert all(twin.nodes[other] is not self.cluster.nodes[other] for other in twin.nodes)

    def check(self, name: str) -> None:
        """Compare with the page that is kept; with AFTERSHOCK_REGENERATE=1 keep this one instead."""
        text = "\n".join(self.lines) + "\n"
        path = self.folder / f"{name}.txt"
        if os.environ.get("AFTERSHOCK_REGENERATE"):
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.read_bytes() == text.encode(), (
            f"{path.name} tells another story: read it, then AFTERSHOCK_REGENERATE=1"
        )
