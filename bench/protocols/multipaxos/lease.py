"""Multi-Paxos whose leader answers reads from memory while it holds a lease.

Chandra, Griesemer & Redstone, "Paxos Made Live", 2007, §5.2; leases are Gray & Cheriton's, 1989. An acceptor that
grants one has promised its leader's ballot, on disk, and promises nothing to anybody else until it has run out on its
own clock. While a majority's grants run nobody else can be elected, so nothing is chosen that the leader has not
proposed, and what it has executed is the newest there is.

The clocks of two machines are never compared. The acceptor counts from when it was asked, and so from later than the
leader, which counts from before it asks and for a shorter time, in case its clock is the slower one. Whether the lease
still runs is looked up when a read is answered: an answer that leaves later, since its process was paused then, was
right when it was made, and that was while its client waited.

A leader gives up when what a majority has granted it was asked for longer ago than a lease lasts, and longer than the
longest election timeout. Otherwise it could keep a few acceptors from promising anything to somebody whom a majority
hears, and nobody would lead for ever.

A leader begins to answer from memory when it has executed all that it found when it was elected: what its predecessor
has acknowledged is among that. Without a lease a read is a command like any other. Grants are not on disk: an acceptor
that has been restarted grants what it is asked for, but for as long as a lease lasts it promises nothing to anybody who
has not been granted a new one. The promises that went with the forgotten grants it remembers, so whoever it grants one
now leads in the same ballot or in a higher one.
"""

from __future__ import annotations

from bench.draws import longest
from bench.node import Answer, Message, NodeId, Outbox, Request, Saved
from bench.protocols.multipaxos.server import ELECTION, MultiPaxos, Parameters, Prepare, Role

_MILLION = 1_000_000


class Renew(Message, frozen=True):
    """The leader of ``ballot`` asks for a lease; ``asked`` is its own clock, and only it can make sense of that."""

    ballot: int
    asked: int


class Granted(Message, frozen=True):
    """The lease that was asked for is granted."""

    ballot: int
    asked: int


class LeaseMultiPaxos(MultiPaxos):
    """A server that grants leases to whoever leads, and reads under its own."""

    def __init__(self, me: NodeId, members: tuple[NodeId, ...], parameters: Parameters) -> None:
        super().__init__(me, members, parameters)
        self.now = 0  # on the local clock
        # Acceptor; volatile
        self.granted_to: NodeId | None = None
        self.granted_until = 0
        # Leader
        self.asked: dict[NodeId, int] = {}  # when we asked for the newest lease that this acceptor has granted
        self.since = 0  # when we stood for election
        self.recovered = 0  # the last slot that earlier leaders may have used
        self.patience = max(longest(parameters.election_timeout), parameters.lease)

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        self.now = now
        self._wait_out()
        super().on_start(saved, now, out)

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        self.now = now
        match message:
            case Renew():
                self._on_renew(sender, message, out)
            case Granted():
                self._on_granted(sender, message)
            case _:
                super().on_message(sender, message, now, out)

    def on_timer(self, timer: str, now: int, out: Outbox) -> None:
        self.now = now
        super().on_timer(timer, now, out)

    # --------------------------------------------------------------------------------------------------------- granting

    def _wait_out(self) -> None:
        """What was granted before the restart is forgotten, and it may run for a whole lease from now on."""
        self.granted_until = self.now + self.parameters.lease

    def _grant(self, leader: NodeId) -> None:
        self.granted_to, self.granted_until = leader, self.now + self.parameters.lease

    def _may_promise(self, candidate: NodeId) -> bool:
        """To whom the lease was granted stands for election only when it does not use it any more.

        It stands in a higher ballot than that of the lease, which was promised, and ballots grow: it has given that up.
        """
        return candidate == self.granted_to or self.now >= self.granted_until

    def _on_renew(self, leader: NodeId, m: Renew, out: Outbox) -> None:
        """Who grants has promised: a late request of a deposed leader must not take the place of its successor's.

        Whoever asks in a higher ballot than that of a grant that still runs, or is forgotten, has been elected since; a
        majority was no longer bound by that grant, and so nobody reads under it.
        """
        if m.ballot < self.promised:
            return  # somebody may lead already who knows nothing of this lease
        if m.ballot > self.promised:
            self._yield_to(m.ballot, out)
            self._promise(m.ballot, out)
        self._grant(leader)
        out.send(leader, Granted(m.ballot, m.asked))

    def _on_prepare(self, candidate: NodeId, m: Prepare, out: Outbox) -> None:
        if m.ballot < self.promised or self._may_promise(candidate):
            super()._on_prepare(candidate, m, out)

    # ---------------------------------------------------------------------------------------------------------- holding

    def _campaign(self, out: Outbox) -> None:
        if not self._may_promise(self.me):
            out.set_timer(ELECTION, self.parameters.election_timeout)
            return
        self.asked, self.since = {}, self.now
        super()._campaign(out)

    def _lead_if_promised(self, out: Outbox) -> None:
        super()._lead_if_promised(out)
        if self.role is Role.LEADER:
            self.recovered = self.next_slot - 1

    def _heartbeat(self, out: Outbox) -> None:
        if self.now - self._granted_since() > self.patience:
            self._give_up(out)
            return
        super()._heartbeat(out)
        self._grant(self.me)
        self.asked[self.me] = self.now
        for other in self.others:
            out.send(other, Renew(self.ballot, self.now))

    def _on_granted(self, acceptor: NodeId, m: Granted) -> None:
        if self.role is Role.LEADER and m.ballot == self.ballot:
            self.asked[acceptor] = max(m.asked, self.asked.get(acceptor, m.asked))

    def _granted_since(self) -> int:
        """When we asked for the newest lease that a majority has granted, or began to ask."""
        return sorted(self.asked.values(), reverse=True)[self.majority - 1] if self._is_granted() else self.since

    def _is_granted(self) -> bool:
        return len(self.asked) >= self.majority

    def _holds_lease(self) -> bool:
        """Whether the grants of a majority run, whichever clock is slow, by no more than the drift that is allowed."""
        drift = self.parameters.clock_drift
        lasts = self.parameters.lease * (_MILLION - drift) // (_MILLION + drift)
        return self.role is Role.LEADER and self._is_granted() and self.now < self._granted_since() + lasts

    # ---------------------------------------------------------------------------------------------------------- clients

    def _on_request(self, client: NodeId, m: Request, out: Outbox) -> None:
        if m.command.f == "read" and self._holds_lease() and self.chosen.watermark >= self.recovered:
            out.send(client, Answer(m.sequence, self.machine.store.read(m.command.key)))
        else:
            super()._on_request(client, m, out)
