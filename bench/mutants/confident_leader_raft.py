"""Raft whose leader answers reads from memory without asking anybody whether it still leads (against §8).

Found in early etcd (etcd issue 741, 2014) and consul (hashicorp/consul issue 54): a leader that was cut off goes on
answering with values that its successor has replaced.
"""

from __future__ import annotations

from bench.protocols.raft import PROTOCOL as RAFT
from bench.protocols.raft import LeaderLocalRaft


class ConfidentLeaderRaft(LeaderLocalRaft):
    """Mode ``leader-local``, sold as linearizable."""


PROTOCOL = RAFT.mutant("raft/log", ConfidentLeaderRaft, "the leader answers reads from memory (against §8)")
