"""Majorities: any two of them share a member (Gifford 1979; every protocol here rests on it)."""

from __future__ import annotations

from collections.abc import Iterable


def majority(members: int) -> int:
    """The least number of members of which any two groups intersect."""
    return members // 2 + 1


def reached_by_majority(positions: Iterable[int]) -> int:
    """The highest position that a majority has reached, given the position that each member has reached."""
    ordered = sorted(positions, reverse=True)
    return ordered[majority(len(ordered)) - 1]
