"""Ballot numbers: how proposals of one proposer are told from those of any other, and which of two is the later.

Lamport, "Paxos Made Simple", 2001, §2.5: different proposers choose their numbers from disjoint sets of numbers, so
two of them never use the same one. Here a ballot is ``round * members + index``: proposer ``index`` of so many has all
numbers that leave ``index`` over, and a later round is above everything that anybody used in an earlier one. Rounds
begin with 1, so 0 is below every ballot and stands for none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Voted(Protocol):
    """Anything that was accepted in some ballot."""

    @property
    def ballot(self) -> int: ...


V = TypeVar("V", bound=Voted)


def ballot_above(seen: int, index: int, members: int) -> int:
    """The ballot of proposer ``index`` in the round after that of ``seen``."""
    return (seen // members + 1) * members + index


def highest(votes: Iterable[V]) -> V | None:
    """The vote of the highest ballot, whose value is the only one that may be proposed now (rule P2c, §2.2)."""
    return max(votes, key=lambda vote: vote.ballot, default=None)
