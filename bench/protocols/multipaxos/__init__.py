"""Multi-Paxos: a sequence of consensus instances, all led by one distinguished proposer.

Lamport, "Paxos Made Simple", 2001, §3; where it is silent, van Renesse & Altinbuken, "Paxos Made Moderately Complex",
2015 (PMMC). Every slot of a sequence of commands is an instance of Paxos (§2.2), but one prepare request covers all
slots from the proposer's first unchosen one on. When a majority has promised to ignore lower ballots, the proposer
leads: for every slot in which some promise names an accepted value it proposes the one of the highest ballot, for the
holes between them a no-op, and from then on each command costs one accept request per acceptor, and any number of them
may be under way at once. A value is chosen once a majority has accepted it in the same ballot.

Every node is proposer, acceptor and learner at once. Here: the leader's election by timeout, with a randomised pause
for whoever is preempted (PMMC §3.1), so that duels end; promises and accepted values that are durable before they are
told; learning by a piggybacked watermark, below which everything is chosen; a replica that has missed something asks
for it, and a promise hands over what its acceptor knows to be chosen; client sessions; snapshots. Not here: other
memberships (PMMC §4.5), and, but for leases, a leader that gives up when it hears from no majority: nothing answers an
idle heartbeat. So, but for leases, one that is heard and hears nobody leads for as long as its links stay so.

Snapshots (PMMC §4.2; Chandra, Griesemer & Redstone, "Paxos Made Live", 2007, §5.5). Every so many slots a replica puts
its state on disk, with the table of sessions, and forgets what it has accepted and learnt up to there; each does so
when it likes, and asks nobody. Who needs a slot that is trimmed elsewhere is sent the state instead. An acceptor that
has trimmed promises about the slots behind its snapshot alone, and a proposer for which that is not enough must have
the state first. Simplified: the state is small, and so it travels in one message and is made when it is asked for.

Modes. ``log``: a read is a command like any other, so it is linearizable. ``lease``: the leader answers reads from
memory while a majority has granted it a lease (`lease.py`); linearizable as long as clocks keep to their bound.

The number that the observations give as ``term`` is the ballot, which names its proposer (`parts/ballot.py`). The log
on disk is a journal of accepted values, the last one of a slot counts; which values are chosen is not on disk, and is
learnt again after a restart. The leader writes a value to its own disk before it asks the others, as `raft.py` does.
"""

from __future__ import annotations

from bench.draws import longest
from bench.parts.keyvalue import OPERATIONS
from bench.protocol import Mode, Protocol
from bench.protocols.multipaxos.lease import Granted, LeaseMultiPaxos, Renew
from bench.protocols.multipaxos.server import (
    ELECTION,
    HEARTBEAT,
    Accept,
    Accepted,
    Checkpoint,
    Heartbeat,
    Learn,
    Learned,
    MultiPaxos,
    Nack,
    Parameters,
    Prepare,
    Promise,
    PValue,
    Role,
    State,
    Value,
    digest,
)

__all__ = [
    "ELECTION", "HEARTBEAT", "PROTOCOL", "Accept", "Accepted", "Checkpoint", "Granted", "Heartbeat", "Learn", "Learned",
    "LeaseMultiPaxos", "MultiPaxos", "Nack", "PValue", "Parameters", "Prepare", "Promise", "Renew", "Role", "State",
    "Value", "digest",
]  # fmt: skip


def ten_election_timeouts(parameters: Parameters) -> int:
    return 10 * max(longest(parameters.election_timeout), parameters.lease)


PROTOCOL = Protocol(
    summary="a sequence of Paxos instances, led by one distinguished proposer (Lamport 2001, §3)",
    parameters=Parameters,
    modes={
        "log": Mode(MultiPaxos, promises="linearizable"),
        "lease": Mode(LeaseMultiPaxos, promises="linearizable"),
    },
    operations=OPERATIONS,
    observes=frozenset(
        {"lead", "follow", "campaign", "vote", "append", "commit", "decide", "skip", "snapshot", "install"}
    ),
    sessions=True,
    recovers_within=ten_election_timeouts,
)
