"""A client session: one operation at a time, sent to one node after another until it is answered or out of time.

It follows a refusing node's hint, otherwise asks another node after a pause. It sends an operation that may already
have arrived once more only where the protocol has sessions, so that twice is as good as once. What is unanswered when
the time is over is ``info``: it may still take effect, or have done so. A session that is pinned to a node asks only
that node, and takes a refusal for an answer: a read then fails. An update is ``info``, for it may be under way: the
node may have handed it on before, or the network brought it twice, and what was refused is a copy.
"""

from __future__ import annotations

from bench.node import Answer, Command, Complete, Message, Node, NodeId, Outbox, Refusal, Request, Saved, Span
from checkers.progress import REFUSED

TIMEOUT, RETRY, BACKOFF = "timeout", "retry", "backoff"
_RETRY = Span.constant(300_000)
_BACKOFF = Span.uniform(5_000, 25_000)


class Client(Node):
    """One session. ``retries`` says whether an unanswered operation may be sent again.

    With ``reads_at_home`` every node answers reads: the session has a home, which it asks for all of its reads and
    leaves only when it gets no answer there, and sends the rest to whoever leads; with ``updates_at_home`` it asks its
    home for those, too.
    """

    def __init__(
        self,
        me: NodeId,
        nodes: tuple[NodeId, ...],
        timeout: Span,
        *,
        retries: bool,
        pinned: NodeId | None = None,
        reads_at_home: bool = False,
        updates_at_home: bool = False,
    ) -> None:
        self.me = me
        self.nodes = nodes
        self.timeout = timeout
        self.retries = retries and pinned is None
        self.pinned = pinned
        self.reads_at_home = reads_at_home
        self.updates_at_home = updates_at_home
        self.target = pinned
        self.home = pinned
        self.seen = 0
        self.sequence = 0
        self.command: Command | None = None
        self.refused_by: set[NodeId] = set()  # since the last pause; two nodes may name each other as the leader

    def on_start(self, saved: Saved, now: int, out: Outbox) -> None:
        if self.target is None:
            out.choose("first node", len(self.nodes))

    def on_choice(self, tag: str, k: int, now: int, out: Outbox) -> None:
        if tag == "first node":
            self.target = self.nodes[k]
            self.home = self.home or self.target
        elif self.command is None or tag != self._elsewhere:
            return  # picked for an operation that is over
        elif self._at_home:
            self.home = ([node for node in self.nodes if node != self.home] or self.nodes)[k]
        else:
            self.target = ([node for node in self.nodes if node != self.target] or self.nodes)[k]
        if self.command is not None:
            self._ask(out)

    def invoke(self, command: Command, now: int, out: Outbox) -> None:
        """Start the next operation; the one before must be over."""
        assert self.command is None, f"{self.me} has an operation under way"
        self.sequence += 1
        self.command = command
        self.refused_by.clear()
        out.set_timer(TIMEOUT, self.timeout)
        if self.target is not None:  # else it is being chosen
            self._ask(out)

    @property
    def _at_home(self) -> bool:
        if self.command is None:
            return False
        return self.reads_at_home if self.command.f == "read" else self.updates_at_home

    def _ask(self, out: Outbox) -> None:
        asked = self.home if self._at_home else self.target
        assert self.command is not None
        assert asked is not None
        out.send(asked, Request(self.me, self.sequence, self.command, self.seen if self.reads_at_home else 0))
        if self.retries:
            out.set_timer(RETRY, _RETRY)

    def on_message(self, sender: NodeId, message: Message, now: int, out: Outbox) -> None:
        assert isinstance(message, (Answer, Refusal)), f"a client knows no {type(message).__name__}"
        if self.command is None or message.sequence != self.sequence:
            return  # a late copy, or the answer to an operation that was given up
        if isinstance(message, Answer):
            self.seen = max(self.seen, message.position)
            if not self._at_home:
                self.target = sender
            self._over(Complete("ok", sender, message.value, message.result), out)
        elif self.pinned is not None:
            self._over(Complete("fail" if self.command.f == "read" else "info", sender, error=REFUSED), out)
        elif sender == (self.home if self._at_home else self.target):
            self._go_elsewhere(sender, message.hint, out)

    def _go_elsewhere(self, refused_by: NodeId, hint: NodeId | None, out: Outbox) -> None:
        self.refused_by.add(refused_by)
        if hint is not None and hint not in self.refused_by and not self._at_home:
            self.target = hint
            self._ask(out)
        else:
            out.cancel_timer(RETRY)
            out.set_timer(BACKOFF, _BACKOFF)

    def on_timer(self, timer: str, now: int, out: Outbox) -> None:
        if self.command is None:
            return
        if timer == TIMEOUT:
            if self._at_home and self.pinned is None:
                self.home = None  # it did not answer in time: another may
            self._over(Complete("info", error="timeout"), out)
            if self.pinned is None:
                self.target = None
                out.choose("first node", len(self.nodes))
        else:
            self.refused_by.clear()
            out.choose(self._elsewhere, max(1, len(self.nodes) - 1))  # after a refusal, or when no answer came

    @property
    def _elsewhere(self) -> str:
        return f"another node for operation {self.sequence}"

    def _over(self, completion: Complete, out: Outbox) -> None:
        self.command = None
        for timer in (TIMEOUT, RETRY, BACKOFF):
            out.cancel_timer(timer)
        out.complete(completion)
