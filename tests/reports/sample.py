"""Synthetic runs to draw: built by arithmetic alone, so that every process sees the same ones.

Run as a script, it writes the report of each into a folder: ``python tests/reports/sample.py OUT``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from checkers import History, Observation, Observations, Outcome, Verdict
from checkers.lattice import Standing, models
from reports.subject import Judged, Subject

MS = 1_000_000
S = 1_000 * MS
NODES = ("n1", "n2", "n3", "n4", "n5")


class Dice:
    """A small generator with a state of its own (Lehmer, 48271 modulo 2^31 - 1)."""

    def __init__(self, seed: int) -> None:
        self.state = seed * 2 + 1

    def below(self, n: int) -> int:
        self.state = self.state * 48271 % 0x7FFFFFFF
        return self.state % n


def nemesis(at: int, kind: str, name: str, phase: str, nodes: list[str], what: str) -> tuple[int, dict[str, Any]]:
    value = {"fault": name, "phase": phase, "nodes": nodes, "what": what}
    return at, {"type": "info", "process": "nemesis", "f": kind, "value": value}


def operation(
    start: int, end: int | None, process: int, f: str, key: Any, value: Any, kind: str = "ok", **more: Any
) -> list[tuple[int, dict[str, Any]]]:
    session = more.pop("session", f"c{process % 10 + 1}")
    shared = {"process": process, "session": session, "f": f, "key": key}
    node = more.pop("node", "n2")
    asked = None if f == "read" else value
    events = [(start, {"type": "invoke", "value": asked, **shared})]
    if end is not None:
        events.append((end, {"type": kind, "value": value, "node": node, **shared, **more}))
    return events


def history(events: list[tuple[int, dict[str, Any]]]) -> History:
    return History.from_events({**fields, "time": at} for at, fields in sorted(events, key=lambda pair: pair[0]))


def traffic(
    dice: Dice, count: int, duration: int, cut: tuple[int, int], down: tuple[int, int]
) -> list[tuple[int, dict[str, Any]]]:
    """Closed-loop clients on four keys; slower and sometimes unanswered while something is broken."""
    events: list[tuple[int, dict[str, Any]]] = []
    free = [dice.below(20 * MS) for _ in range(5)]
    process = list(range(5))
    for values in range(1, count + 1):
        client = min(range(5), key=lambda c: free[c])
        start = free[client]
        if start >= duration:
            break
        f = ("read", "read", "read", "write", "cas")[dice.below(5)]
        key = "wxyz"[dice.below(4)]
        broken = cut[0] <= start < cut[0] + 700 * MS or down[0] <= start < down[0] + 250 * MS
        lasts = (3 + dice.below(6)) * MS + dice.below(MS) + (dice.below(4) == 0) * dice.below(20 * MS)
        kind, result = "ok", None
        value: Any = values if f == "write" else [values, values + 1] if f == "cas" else values
        if broken:
            lasts = (60 + dice.below(500)) * MS
            if dice.below(3) == 0:
                kind, lasts = "info", 1_000 * MS
        elif dice.below(60) == 0:
            kind = "fail"
        if f == "cas" and kind == "ok":
            result = dice.below(3) != 0
        events += operation(
            start, start + lasts, process[client], f, key, value, kind,
            session=f"c{client + 1}", node=NODES[dice.below(5)], result=result,
            error="timeout" if kind == "info" else None,
        )  # fmt: skip
        if kind == "info":
            process[client] += 5
        free[client] = start + lasts + (duration * 5 // count) * (50 + dice.below(100)) // 100
    return events


def faults(cut: tuple[int, int], down: tuple[int, int], heal: int) -> list[tuple[int, dict[str, Any]]]:
    return [
        nemesis(cut[0], "partition", "cut", "starts", ["n1", "n3"], "n1 n3 | n2 n4 n5"),
        nemesis(cut[1], "partition", "cut", "ends", ["n1", "n3"], "n1 n3 | n2 n4 n5"),
        nemesis(down[0], "crash", "crash", "starts", ["n1"], "n1"),
        nemesis(down[1], "crash", "crash", "ends", ["n1"], "n1"),
        (heal, {"type": "info", "process": "nemesis", "f": "heal", "value": {"fault": "heal", "phase": "starts"}}),
    ]


def elections(cut: int, down: int, restart: int) -> list[Observation]:
    found = [Observation(time=0, node=node, what="start") for node in NODES]
    found += [Observation(time=210 * MS, node="n1", what="campaign", term=1)]
    found += [Observation(time=214 * MS, node=node, what="vote", term=1) for node in ("n2", "n3")]
    found += [Observation(time=218 * MS, node="n1", what="lead", term=1)]
    found += [Observation(time=223 * MS, node=node, what="follow", term=1) for node in NODES[1:]]
    found += [Observation(time=cut + 260 * MS, node="n4", what="campaign", term=2)]
    found += [Observation(time=cut + 420 * MS, node="n2", what="campaign", term=3)]
    found += [Observation(time=cut + 430 * MS, node="n2", what="lead", term=3)]
    found += [Observation(time=cut + 3_004 * MS, node="n1", what="follow", term=3)]
    found += [Observation(time=restart, node="n1", what="start")]
    return sorted(found, key=lambda item: item.time)


def valid_run(count: int = 1_000, duration: int = 20 * S) -> Subject:
    cut, down = (2 * S, 5 * S), (5 * S, 5_600 * MS)
    events = traffic(Dice(7), count, duration - S, cut, down) + faults(cut, down, 9 * S)
    for i, node in enumerate(NODES):
        events += operation(
            duration + i * 4 * MS, duration + i * 4 * MS + 3 * MS, 1_000 + i, "read", "x", 900, node=node, final=True,
            session=f"final-{node}",
        )  # fmt: skip
    return Subject(
        scenario="partition-leader",
        why="The leader is cut off with one follower: it must fall silent, the majority must go on.",
        protocol="raft/log",
        seed=0,
        nodes=NODES,
        duration=duration,
        heal=9 * S,
        history=history(events),
        observations=Observations(elections(*(cut[0], down[0], down[1]))),
        judged=(
            Judged("linearizable", verdict(Outcome.VALID, "linearizable", "1,012 operations on 4 keys"), "valid", True),
            Judged("agreement", verdict(Outcome.VALID, "agreement", "498 slots"), "valid", True),
            Judged(
                "leadership", verdict(Outcome.VALID, "leadership", "3 terms, never two leaders in one"), "valid", True
            ),
            Judged(
                "progress",
                verdict(Outcome.VALID, "progress", "first commit 312 ms after heal (bound 2 s)"),
                "valid",
                True,
            ),
        ),
        counters={
            "operations": 1012,
            "elections": 2,
            "reads": 640,
            "messages": 48_211,
            "dropped": 1_204,
            "commits": 498,
        },
        status="as expected",
        replay="aftershock run partition-leader -p raft/log --seed 0",
    )


def verdict(outcome: Outcome, checker: str, reason: str, witness: tuple[Any, ...] = (), **details: Any) -> Verdict:
    return Verdict(outcome=outcome, checker=checker, reason=reason, witness=witness, details=details)


def stale_run() -> Subject:
    base = valid_run(600, 12 * S)
    cut, down = (2 * S, 5 * S), (5 * S, 5_600 * MS)
    events = traffic(Dice(11), 500, 11 * S, cut, down) + faults(cut, down, 7 * S)
    events += operation(1_902 * MS, 1_915 * MS, 503, "write", "x", 41, session="c3", node="n1")
    events += operation(2_871 * MS, 2_889 * MS, 501, "write", "x", 42, session="c1", node="n2")
    events += operation(2_893 * MS, 2_902 * MS, 504, "read", "x", 42, session="c4", node="n4")
    events += operation(3_240 * MS, 3_241 * MS, 506, "read", "x", 41, session="r1", node="n1")
    told = history(events)
    proof = tuple(op for op in told.operations() if isinstance(op.process, int) and 500 <= op.process < 600)
    stale = next(op for op in proof if op.process == 506)
    reason = (
        "r1 read x = 41 from n1 at 3.240000 s, but c1's write of 42 had been acknowledged at 2.889000 s, "
        "and nobody wrote 41 again in between"
    )
    bad = verdict(
        Outcome.INVALID,
        "linearizable",
        reason,
        proof,
        stuck=[stale.index],
        key="x",
        longest=[op.index for op in proof[:3]],
    )
    lower = models()[models().index("sequential") :]
    standing = Standing(
        holds=lower[1:], fails=models()[:2], undecided=lower[:1], strongest=("cm", "ccv"),
        because=dict.fromkeys(lower[3:], "cm"), apart={},
        verdicts={
            "linearizable": bad, "osc(u)": verdict(Outcome.INVALID, "osc(u)", "read & write <disagree>"),
            "sequential": verdict(Outcome.UNKNOWN, "sequential", "undecided after 10,000 steps"),
            "cm": verdict(Outcome.VALID, "cm", "512 operations"), "ccv": verdict(Outcome.VALID, "ccv", "as many"),
        },
    )  # fmt: skip
    return replace(
        base, protocol="raft/leader-local", history=told, duration=12 * S, heal=7 * S, standing=standing,
        judged=(Judged("linearizable", bad, "invalid", True), *base.judged[1:]),
        replay="aftershock run partition-leader -p raft/leader-local --seed 0",
    )  # fmt: skip


def split_brain() -> Subject:
    base = valid_run(300, 12 * S)
    proof = (
        Observation(time=2_200 * MS, node="n1", what="decide", slot=17, digest="3fa9c1d2"),
        Observation(time=2_260 * MS, node="n3", what="decide", slot=17, digest="3fa9c1d2"),
        Observation(time=4_100 * MS, node="n2", what="decide", slot=17, digest="b07712ee"),
    )
    bad = verdict(Outcome.INVALID, "agreement", "slot 17 was decided twice: 3fa9c1d2 by n1, b07712ee by n2", proof)
    dull = verdict(
        Outcome.UNKNOWN, "linearizable", "the search stopped after 2,000,000 steps on key x with 412 operations"
    )
    judged = (
        Judged("linearizable", dull, "valid", False),
        Judged("agreement", bad, "valid", False),
        *base.judged[2:],
    )
    return replace(
        base, scenario="split-brain", judged=judged, status="not as expected", protocol="mutants/forgetful_raft"
    )


def busy_run() -> Subject:
    base = valid_run(5_000, 60 * S)
    dice = Dice(3)
    events = traffic(Dice(5), 5_000, 59 * S, (2 * S, 5 * S), (5 * S, 6 * S))
    kinds = ("partition", "crash", "pause", "delay", "loss", "duplication")
    observed = [Observation(time=0, node=node, what="start") for node in NODES]
    for i in range(24):
        at = S + i * 2 * S + dice.below(S)
        until = at + 300 * MS + dice.below(3 * S)
        kind = kinds[dice.below(6)]
        nodes = [NODES[dice.below(5)]]
        what = nodes[0] if kind in ("crash", "pause") else f"{nodes[0]} | rest"
        events += [nemesis(at, kind, f"{kind}-{i + 1}", "starts", nodes, what)]
        events += [nemesis(until, kind, f"{kind}-{i + 1}", "ends", nodes, what)]
        term = i + 1
        leader = NODES[(NODES.index(nodes[0]) + 1) % 5]
        observed += [
            Observation(time=at + 150 * MS, node=leader, what="campaign", term=term),
            Observation(time=at + 170 * MS, node=leader, what="lead", term=term),
            *(
                Observation(time=at + 180 * MS + until - at, node=n, what="follow", term=term)
                for n in NODES
                if n != leader
            ),
        ]
    events.append(
        (52 * S, {"type": "info", "process": "nemesis", "f": "heal", "value": {"fault": "heal", "phase": "starts"}})
    )
    observed.sort(key=lambda item: item.time)
    return replace(
        base, scenario="random-faults", history=history(events), observations=Observations(observed), heal=52 * S,
        why="Twenty-four faults drawn at random, one after another and some at once.",
    )  # fmt: skip


def small_run() -> Subject:
    base = valid_run(20, 4 * S)
    events = operation(500 * MS, 512 * MS, 1, "write", "x", 1) + operation(600 * MS, 604 * MS, 2, "read", "x", 1)
    events += operation(700 * MS, None, 3, "cas", "x", [1, 2])
    nothing = verdict(Outcome.UNKNOWN, "progress", "no fault, so nothing to recover from")
    return replace(
        base, scenario="three-operations", history=history(events), duration=2 * S, heal=0,
        why="As little as a run can be.",
        observations=Observations([]), judged=(*base.judged[:1], Judged("progress", nothing, "any", True)), counters={},
    )  # fmt: skip


def empty_run() -> Subject:
    nothing = verdict(Outcome.UNKNOWN, "linearizable", "there is nothing to judge")
    return replace(
        small_run(), scenario="empty", history=History.from_events([]), nodes=(), duration=0, why="",
        judged=(Judged("linearizable", nothing, "valid", False),), status="undecided",
    )  # fmt: skip


def nasty_run() -> Subject:
    evil = "<script>alert('x')</script>"
    long = "v" * 700 + " $x_1$ \\frac{1}{2}"
    events = operation(100 * MS, 140 * MS, 1, "write", evil, long, session=evil, node=evil)
    events += operation(
        150 * MS, 190 * MS, 2, "write", evil, {"a": [1, None, {"b": "\x00\x1b[31m\u202e"}]}, session="c\n2", node="n$1$"
    )
    events += operation(200 * MS, 230 * MS, 3, "read", evil, long, session="c" * 90, node="n2")
    events += operation(210 * MS, 1_210 * MS, 4, "weird & <b>op</b>", 7, None, "info", session="c4")
    events += [
        nemesis(50 * MS, "partition", evil, "starts", [evil, "n2"], evil * 4),
        (900 * MS, {"type": "info", "process": "nemesis", "f": "kill", "value": "n1"}),
    ]
    told = history(events)
    proof = tuple(told.operations())
    reason = f"{evil} read {long}"
    bad = verdict(
        Outcome.INVALID, "linearizable", reason, proof, stuck=[proof[2].index], key=evil, longest=[proof[0].index]
    )
    return replace(
        small_run(), scenario=evil, why=f"{evil} & {long}", protocol=evil, nodes=(evil, "n2"), history=told,
        status="not as expected",
        judged=(Judged(evil, bad, "valid", False),), counters={evil: 1}, replay=f"aftershock run '{evil}' --seed 0",
        observations=Observations([Observation(time=10 * MS, node="n2", what="lead", term=10**12)]),
    )  # fmt: skip


def replace(subject: Subject, **changes: Any) -> Subject:
    return Subject(**{name: changes.get(name, getattr(subject, name)) for name in Subject.__struct_fields__})


SUBJECTS = {
    "valid": valid_run,
    "stale": stale_run,
    "split": split_brain,
    "busy": busy_run,
    "small": small_run,
    "empty": empty_run,
    "nasty": nasty_run,
}


def main() -> None:
    from reports import page

    for name, build in SUBJECTS.items():
        page.write(build(), Path(sys.argv[1]) / name)


if __name__ == "__main__":
    main()
