"""The logs on the disks of replicas, followed through what the replicas announce of them.

An entry is known by its slot and its term: in one term there is one leader, which puts one entry into a slot (Log
Matching, Ongaro & Ousterhout 2014, Figure 3). A replica that is down still has its disk; what it finds there when it
starts again it announces with ``recover``.
"""

from __future__ import annotations

from checkers.observations import Observation, Observations, terms

WORDS = ("append", "truncate", "recover")
"""What replicas say of their logs."""


class Logs:
    """The terms of the entries in every replica's log, slot by slot from 1."""

    def __init__(self) -> None:
        self._terms: dict[str, list[int]] = {}

    def of(self, node: str) -> list[int]:
        """The terms of one replica's log; it stays the same list."""
        return self._terms.setdefault(node, [])

    def take(self, said: Observation) -> tuple[int, list[int]]:
        """Follow one announcement: the first slot that may differ from before, and the terms that stood there."""
        log = self.of(said.node)
        slot = said.slot or 0
        if said.what == "append":
            if slot == len(log) + 1:
                log.append(said.term or 0)
                return slot, []
            lost = log[slot - 1 :] if slot <= len(log) else []
            del log[slot - 1 :]
            first = len(log) + 1
            log.extend([said.term or 0] * (slot - len(log)))
            return first, lost
        if said.what == "truncate":
            lost = log[slot - 1 :]
            del log[slot - 1 :]
            return slot, lost
        found = list(terms(said.digest or ""))
        same = 0
        while same < min(len(found), len(log)) and found[same] == log[same]:
            same += 1
        lost = log[same:]
        log[same:] = found[same:]
        return same + 1, lost

    def hold(self, slot: int, term: int) -> list[str]:
        """The replicas whose logs hold the entry of ``slot`` that is of ``term``."""
        return [node for node, log in self._terms.items() if slot <= len(log) and log[slot - 1] == term]


def testimony(observations: Observations, slot: int, until: Observation) -> list[Observation]:
    """Why each replica's log has what it has at ``slot`` as of the announcement ``until``, one announcement for each.

    It is the last one that put an entry there or took one away; of a log that never came so far, the last one at all.
    """
    logs = Logs()
    last: dict[str, Observation] = {}
    touched: set[str] = set()
    for said in observations:
        if said.what in WORDS:
            first, lost = logs.take(said)
            if first <= slot < first + max(len(lost), len(logs.of(said.node)) - first + 1):
                touched.add(said.node)
                last[said.node] = said
            elif said.node not in touched:
                last[said.node] = said
        if said is until:
            break
    return list(last.values())
