"""Zab's local modes: every server serves sessions of its own, and answers their reads from what it has delivered.

As in ZooKeeper updates alone are transactions, which the server of a session hands to the leader and answers once it
has carried them out itself. So a read can be stale, but a session finds what it has written and never goes back
(Lev-Ari et al. 2017: ordered sequential consistency).
"""

from __future__ import annotations

from bench.node import Answer, NodeId, Outbox, Request, require
from bench.parts.channel import Framed
from bench.protocols.zab.messages import Forward, Role, Sync, SyncReply, Transaction
from bench.protocols.zab.server import Parameters, Phase, Zab


class LocalZab(Zab):
    """A session's reads and updates are answered by its own server, from what that one has delivered.

    A session refuses a server that is behind what it has seen elsewhere. A server without a leader serves nobody, nor
    does one that has not been told yet (UPTODATE) how much of its history is committed. One that loses its leader
    refuses those who wait for their updates, as ZooKeeper closes their connections: whether these survive, it cannot
    know.
    """

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        super().__init__(me, members, parameters)
        self.updates: dict[str, tuple[NodeId, Request]] = {}  # by session: the newest one that waits for its answer

    def _serves(self, m: Request) -> bool:
        return self.serving and self.delivered >= m.seen

    def _read(self, client: NodeId, m: Request, out: Outbox) -> None:
        if self._serves(m):
            out.send(client, Answer(m.sequence, self.machine.store.read(m.command.key), position=self.delivered))
        else:
            self._refuse(client, m, out)

    def _update(self, client: NodeId, m: Request, out: Outbox) -> None:
        """Have the leader propose it, unless it has been carried out here or is under way."""
        if not self._serves(m):
            self._refuse(client, m, out)
            return
        answer = self.machine.answer(m)
        if answer is not None:
            out.send(client, answer)
        elif not self.machine.is_stale(m) and not self._is_under_way(m):
            self.updates[m.session] = (client, m)
            if self.role is Role.LEADING:
                self._propose(m, out)
            else:
                assert self.leader is not None
                self._send(self.leader, Forward(m), out)

    def _is_under_way(self, m: Request) -> bool:
        return m.session in self.updates and self.updates[m.session][1].sequence >= m.sequence

    def _handle(self, sender: NodeId, message: Framed, out: Outbox) -> None:
        match message:
            case Forward(request):
                self._on_forward(request, out)
            case _:
                super()._handle(sender, message, out)

    def _on_forward(self, request: Request, out: Outbox) -> None:
        """Propose a follower's update; what was carried out here is on its way to that follower already."""
        require(self.phase is Phase.BROADCAST, "a follower serves sessions only under an established leader")
        if self.machine.answer(request) is None and not self.machine.is_stale(request):
            self._propose(request, out)

    def _answer(self, index: int, transaction: Transaction, answer: Answer | None, out: Outbox) -> None:
        """Tell the session that waits here for this update; one that waits for an older one has gone on."""
        client, m = self.updates.get(transaction.session, (None, None))
        if client is None or m is None or m.sequence > transaction.sequence:
            return
        del self.updates[transaction.session]
        if m.sequence == transaction.sequence and answer is not None:
            out.send(client, answer)

    def _look(self, out: Outbox) -> None:
        super()._look(out)
        updates, self.updates = self.updates, {}
        for client, m in updates.values():
            self._refuse(client, m, out)


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
            super()._read(*read, out)

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
