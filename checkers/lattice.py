"""Which consistency models a history satisfies, and the strongest of them.

An edge from one model to another says that every history of the first is one of the second. A verdict therefore
decides others too: what is weaker than a valid one is valid, what is stronger than an invalid one is invalid, and no
work is done for either. Edges are those of the literature, for the definitions of docs/consistency.md; where there is
no path, some history separates the two. Eventual, no-lost-writes and bounded staleness stand apart: nothing implies
them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from checkers.consistency import check
from checkers.history import History
from checkers.model import Model
from checkers.models.infer import infer_model
from checkers.verdict import Outcome, Verdict

if TYPE_CHECKING:
    import networkx

EDGES: tuple[tuple[str, str], ...] = (
    ("linearizable", "osc(u)"),
    ("osc(u)", "sequential"),
    ("sequential", "cm"),
    ("sequential", "ccv"),
    ("cm", "cc"),
    ("cm", "pram"),
    ("ccv", "cc"),
    ("ccv", "monotonic-reads"),
    ("pram", "monotonic-reads"),
    ("pram", "monotonic-writes"),
    ("pram", "read-your-writes"),
    ("cc", "monotonic-writes"),
    ("cc", "read-your-writes"),
    ("cc", "writes-follow-reads"),
)
APART: tuple[str, ...] = ("bounded-staleness", "eventual", "no-lost-writes")
# After linearizable, which is what is hoped for and decides all the others when it holds, come those that never take
# long and, when they fail, decide those that may. Of the two searches the first decides both if it holds.
_TURNS = (
    "linearizable", "read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads",
    "cc", "ccv", "pram", "cm", "osc(u)", "sequential",
)  # fmt: skip


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a history stands. All models of the lattice are in one of ``holds``, ``fails`` and ``undecided``.

    ``strongest`` are the maximal ones that hold, ``because`` names for each model that was not judged itself the one
    whose verdict decided it, ``verdicts`` are those that were judged, ``apart`` those models with no edge that were.
    """

    holds: tuple[str, ...]
    fails: tuple[str, ...]
    undecided: tuple[str, ...]
    strongest: tuple[str, ...]
    because: dict[str, str]
    verdicts: dict[str, Verdict]
    apart: dict[str, Verdict]

    def outcome(self, name: str) -> Outcome:
        """What is known of a model of the lattice."""
        return Outcome.VALID if name in self.holds else Outcome.INVALID if name in self.fails else Outcome.UNKNOWN

    def why(self, name: str) -> str:
        """The reason of a model's own verdict, or whose verdict decided it."""
        by = self.because.get(name)
        if by is None:
            return self.verdicts[name].reason
        return f"as {by} {'holds' if name in self.holds else 'fails'}"

    def __str__(self) -> str:
        lines = ["strongest: " + (", ".join(self.strongest) or "none of these models holds")]
        for title, names in (("holds", self.holds), ("fails", self.fails), ("undecided", self.undecided)):
            lines += (f"  {title:<10}{name:<21}{self.why(name)}" for name in names)
        for name, verdict in self.apart.items():
            lines.append(f"  {verdict.outcome:<10}{name:<21}{verdict.reason}")
        return "\n".join(lines)


def models() -> tuple[str, ...]:
    """The models of the lattice, strongest first."""
    return tuple(dict.fromkeys(name for edge in EDGES for name in edge))


@cache
def weaker(name: str) -> tuple[str, ...]:
    """Every model that ``name`` implies, nearest first."""
    found = dict.fromkeys(below for above, below in EDGES if above == name)
    for below in tuple(found):
        found |= dict.fromkeys(weaker(below))
    return tuple(found)


@cache
def stronger(name: str) -> tuple[str, ...]:
    """Every model that implies ``name``."""
    return tuple(other for other in models() if name in weaker(other))


def maximal(names: Iterable[str]) -> tuple[str, ...]:
    """Those that no other of them implies, strongest first."""
    found = set(names)
    return tuple(name for name in models() if name in found and not found.intersection(stronger(name)))


def graph() -> networkx.DiGraph[str]:
    """The lattice to draw: models as nodes, edges from the stronger to the weaker, models apart without edges."""
    import networkx

    drawn: networkx.DiGraph[str] = networkx.DiGraph(EDGES)
    drawn.add_nodes_from(APART)
    return drawn


def strongest(
    history: History,
    model: Model | str | None = None,
    *,
    steps: int | None = None,
    timeout: float | None = None,
    known: Mapping[str, Verdict] | None = None,
    apart: bool = True,
) -> Standing:
    """Judge a history against the lattice and, unless ``apart`` is false, the models apart.

    ``steps`` and ``timeout`` are for each model; ``known`` are verdicts that somebody has reached already. Raises
    `BadHistory` as `check` does.
    """
    if model is None:
        model = infer_model(history)
    known = known or {}
    verdicts = {name: verdict for name, verdict in known.items() if name in models()}
    outcome: dict[str, Outcome] = {}
    because: dict[str, str] = {}

    def learn(name: str, found: Outcome) -> None:
        others = weaker(name) if found is Outcome.VALID else stronger(name) if found is Outcome.INVALID else ()
        outcome[name] = found
        because.pop(name, None)
        for other in others:
            if outcome.get(other, Outcome.UNKNOWN) is Outcome.UNKNOWN:
                outcome[other] = found
                because[other] = name

    for name, verdict in verdicts.items():
        if verdict.outcome is not Outcome.UNKNOWN or name not in outcome:
            learn(name, verdict.outcome)
    for name in _TURNS:
        if name not in outcome:
            verdicts[name] = check(history, name, model, steps=steps, timeout=timeout)
            learn(name, verdicts[name].outcome)
    groups = {kind: tuple(name for name in models() if outcome[name] is kind) for kind in Outcome}
    return Standing(
        holds=groups[Outcome.VALID],
        fails=groups[Outcome.INVALID],
        undecided=groups[Outcome.UNKNOWN],
        strongest=maximal(groups[Outcome.VALID]),
        because=because,
        verdicts={name: verdict for name, verdict in verdicts.items() if name not in because},
        apart={
            name: known[name] if name in known else check(history, name, model, steps=steps, timeout=timeout)
            for name in APART
            if apart or name in known
        },
    )
