"""Zab's local modes: every server answers reads from what it has delivered.

As in ZooKeeper updates alone are transactions, so a read can be stale, but a session never goes back (Lev-Ari et al.
2017: ordered sequential consistency).
"""

from __future__ import annotations

from bench.node import Answer, NodeId, Outbox, Request
from bench.parts.channel import Framed
from bench.protocols.zab.messages import Role, Sync, SyncReply
from bench.protocols.zab.server import Parameters, Phase, Zab


class LocalZab(Zab):
    """Reads are answered by whoever is asked, from what it has delivered: ZooKeeper's reads.

    A session refuses a server that is behind what it has seen elsewhere. A server without a leader serves nobody, nor
    does one that has not been told yet (UPTODATE) how much of its history is committed.
    """

    def _read(self, client: NodeId, m: Request, out: Outbox) -> None:
        if self.serving:
            self._answer_from_memory(client, m, out)
        else:
            self._refuse(client, m, out)

    def _answer_from_memory(self, client: NodeId, m: Request, out: Outbox) -> None:
        if self.delivered < m.seen:
            self._refuse(client, m, out)
        else:
            out.send(client, Answer(m.sequence, self.machine.store.read(m.command.key), position=self.delivered))


class SyncZab(LocalZab):
    """A read is preceded by ZooKeeper's sync: the server asks its leader to let it catch up, and then answers.

    The leader replies behind the commits of all that it has proposed so far. It asks nobody whether it still leads.
    """

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        super().__init__(me, members, parameters)
        self.reads: dict[int, tuple[NodeId, Request]] = {}  # by the number of their sync
        self.syncs: list[tuple[int, NodeId, int]] = []  # of leaders: what must be delivered first, and who asked

    def _read(self, client: NodeId, m: Request, out: Outbox) -> None:
        if not self.serving:
            self._refuse(client, m, out)
            return
        number = self._fresh()
        self.reads[number] = (client, m)
        if self.role is Role.LEADING:
            self._on_sync(self.me, number, out)
        else:
            assert self.leader is not None
            self._send(self.leader, Sync(number), out)

    def _handle(self, sender: NodeId, message: Framed, out: Outbox) -> None:
        match message:
            case Sync(number):
                self._on_sync(sender, number, out)
            case SyncReply(number):
                self._on_sync_reply(number, out)
            case _:
                super()._handle(sender, message, out)

    def _on_sync(self, asking: NodeId, number: int, out: Outbox) -> None:
        self.syncs.append((self.log.last, asking, number))
        self._reply_to_syncs(out)

    def _reply_to_syncs(self, out: Outbox) -> None:
        while self.phase is Phase.BROADCAST and self.syncs and self.syncs[0][0] <= self.delivered:
            _, asking, number = self.syncs.pop(0)
            if asking == self.me:
                self._on_sync_reply(number, out)
            elif asking in self.channels:
                self._send(asking, SyncReply(number), out)

    def _on_sync_reply(self, number: int, out: Outbox) -> None:
        read = self.reads.pop(number, None)
        if read is not None:  # else it was asked in another connection
            self._answer_from_memory(*read, out)

    def _advance(self, out: Outbox) -> None:
        super()._advance(out)
        self._reply_to_syncs(out)

    def _establish_if_acknowledged(self, out: Outbox) -> None:
        super()._establish_if_acknowledged(out)
        self._reply_to_syncs(out)

    def _look(self, out: Outbox) -> None:
        super()._look(out)
        self.syncs = []
        reads, self.reads = self.reads, {}
        for client, m in reads.values():
            self._refuse(client, m, out)
