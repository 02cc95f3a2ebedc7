"""Zab: a primary's changes, delivered by everybody in the order in which primaries made them.

Junqueira, Reed & Serafini, "Zab: High-performance broadcast for primary-backup systems", DSN 2011; where the paper is
silent, as ZooKeeper does it. Every transaction has a zxid: the epoch of the leader that proposed it, and a counter. A
would-be leader asks a quorum which epochs they have accepted, and has them promise a higher one (phase 1, discovery);
makes their histories equal to its own (phase 2, synchronisation); and then proposes transactions, each committed once
a quorum has it on disk (phase 3, broadcast). Whoever loses its leader, or its quorum, begins again.

Phase 0 is ZooKeeper's Fast Leader Election: servers that look for a leader tell each other whom they would elect, and
adopt the best vote they hear of, by (current epoch, last zxid, id), until a quorum agrees. Simplified: ZooKeeper keeps
votes of this round and of a settled ensemble in two tables with different rules; here is one table of what each server
said last, and two rules that read it. No safety rests on phase 0, which only has to name a likely leader: phases 1 and
2 make sure that there is one leader in an epoch, and that it has everything that was ever committed. As in ZooKeeper
the leader's own history is the one that everybody gets, and a leader that finds a follower ahead of it gives up; in
the paper it would fetch that follower's history.

Both need channels in which nothing is lost, doubled or reordered while they last (section II): `bench.parts.channel`.
What is durable before what: the accepted epoch before its promise (ACK-E) and before the same epoch is current, the
history before the current epoch, the current epoch before ACK(NEWLEADER), a transaction before its ACK. What comes
before the current epoch is more than an order of writes, since of two writes that no sync has covered a crash may keep
either one: the epoch is saved when a message has come in answer to what was sent behind the other write, or else, by a
follower and in a cluster of one, when a timer rings that was set behind it.

Modes. ``log``: every operation, a read too, is a transaction, so it is linearizable. ``local``: as in ZooKeeper a
session asks its own server. That one answers reads from what it has delivered, once its leader has told it how much of
its history is committed; updates alone are transactions, which it hands to the leader and answers when it has delivered
them. So a read can be stale, but a session never goes back (Lev-Ari et al. 2017: ordered sequential consistency).
``sync``: before a read the server has its leader bring it up to date; a deposed leader that does not know it yet does
that as well, so reads can still be stale. Unlike in ZooKeeper there is no connection between a session and its server:
what the session has seen travels with its requests. Sessions are as in Raft: an operation that is proposed twice takes
effect once.

Not here: observers, dynamic membership, and snapshots on disk (a SNAP carries the whole history).
"""

from __future__ import annotations

from bench.draws import longest
from bench.parts.keyvalue import OPERATIONS
from bench.protocol import Mode, Protocol
from bench.protocols.zab.local import LocalZab, SyncZab
from bench.protocols.zab.messages import (
    NOTHING,
    Ack,
    AckE,
    AckLD,
    CEpoch,
    Commit,
    CommitLD,
    Diff,
    Forward,
    NewEpoch,
    NewLeader,
    Notification,
    Propose,
    Role,
    Snap,
    Sync,
    SyncReply,
    Transaction,
    Trunc,
    Vote,
    Zxid,
)
from bench.protocols.zab.server import FINALIZE, SYNCED, TICK, Follower, Parameters, Phase, Zab, digest

__all__ = [
    "FINALIZE", "NOTHING", "PROTOCOL", "SYNCED", "TICK", "Ack", "AckE", "AckLD",
    "CEpoch", "Commit", "CommitLD", "Diff", "Follower", "Forward", "LocalZab", "NewEpoch", "NewLeader",
    "Notification", "Parameters", "Phase", "Propose", "Role", "Snap", "Sync", "SyncReply",
    "SyncZab", "Transaction", "Trunc", "Vote", "Zab", "Zxid", "digest",
]  # fmt: skip


def four_elections(parameters: Parameters) -> int:
    """Each may have to wait until silence is noticed, and then for a leader that does not find its quorum."""
    ticks = (parameters.sync_limit + parameters.init_limit) * longest(parameters.tick_time)
    return 4 * (ticks + longest(parameters.finalize_wait))


PROTOCOL = Protocol(
    summary="a leader's changes, broadcast in its order and through fresh epochs (Junqueira, Reed & Serafini 2011)",
    parameters=Parameters,
    modes={
        "log": Mode(Zab, promises="linearizable"),
        "local": Mode(LocalZab, promises="osc-u", breaks=("linearizable",), reads_anywhere=True, updates_at_home=True),
        "sync": Mode(SyncZab, promises="osc-u", breaks=("linearizable",), reads_anywhere=True, updates_at_home=True),
    },
    operations=OPERATIONS,
    observes=frozenset(
        {"lead", "follow", "campaign", "vote", "append", "truncate", "recover", "commit", "decide", "skip"}
    ),
    sessions=True,
    recovers_within=four_elections,
)
