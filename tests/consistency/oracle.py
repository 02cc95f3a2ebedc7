"""Brute force for every consistency, straight from the definitions and independent of the checkers.

Nothing here is imported from the code under test but the history itself. Orders are enumerated, so about eight
operations are the limit. Reads and writes only, except for `sequential` and `osc_u`, which take any rule of
`tests.checkers.oracle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import permutations
from typing import Any

from checkers import History, Operation
from tests.checkers.oracle import RULES, Rule

READS = ("read", "get")


def done(history: History) -> list[Operation]:
    """What has to be explained, or may have happened."""
    return [op for op in history.operations() if op.type != "fail" and not (op.type == "info" and op.f in READS)]


def session_before(a: Operation, b: Operation) -> bool:
    """Session order: after an answer everything that the session invokes later."""
    return a.session == b.session and a.type == "ok" and a.return_index is not None and a.return_index < b.index


def real_time_before(a: Operation, b: Operation) -> bool:
    return a.type == "ok" and a.return_index is not None and a.return_index < b.index


# ---- one order of all operations


def sequential(history: History, model: str) -> bool:
    return _one_order(done(history), RULES[model], session_before)


def osc_u(history: History, model: str) -> bool:
    return _one_order(done(history), RULES[model], osc_u_before)


def osc_u_before(a: Operation, b: Operation) -> bool:
    """Session order, and real time among updates: whatever may change the object, so not a read, and not an operation
    whose answer says that it did nothing.
    """

    def update(op: Operation) -> bool:
        same = op.f == "cas" and op.value[0] == op.value[1] and op.type == "ok"
        return op.f not in READS and not (op.type == "ok" and op.result is False) and not same

    return session_before(a, b) or (update(a) and update(b) and real_time_before(a, b))


def linearizable(history: History, model: str) -> bool:
    return _one_order(done(history), RULES[model], real_time_before)


def _one_order(ops: list[Operation], rule: Rule, before: Any) -> bool:
    n = len(ops)
    waits = [sum(1 << j for j in range(n) if before(ops[j], ops[i])) for i in range(n)]
    must = sum(1 << i for i in range(n) if ops[i].type == "ok")
    seen: set[Any] = set()

    def search(placed: int, states: dict[Any, Any]) -> bool:
        if placed & must == must:
            return True
        mark = (placed, repr(sorted(states.items(), key=repr)))
        if mark in seen:
            return False
        seen.add(mark)
        for i, op in enumerate(ops):
            if placed >> i & 1 or waits[i] & ~placed:
                continue
            for after in rule(states.get(op.key), op):
                if search(placed | 1 << i, {**states, op.key: after}):
                    return True
        return False

    return search(0, {})


# ---- reads and writes, every value written once


def ambiguous(history: History) -> bool:
    """Whether some read could have seen the values of two writes, or of none and one."""
    for read in (op for op in done(history) if op.f in READS):
        writers = [op for op in done(history) if op.f not in READS and op.key == read.key and op.value == read.value]
        if len(writers) + (read.value is None) > 1:
            return True
    return False


def reads(op: Operation) -> bool:
    """A cas that matched reads and writes, in one."""
    return op.f in READS or op.f == "cas"


def found(op: Operation) -> Any:
    return op.value[0] if op.f == "cas" else op.value


def left(op: Operation) -> Any:
    return op.value[1] if op.f == "cas" else op.value


class Causes:
    """Reads-from and causal order: the transitive closure of session order and reads-from, by Warshall."""

    def __init__(self, history: History) -> None:
        ops = done(history)
        seen = {(op.key, found(op)) for op in ops if op.type == "ok" and reads(op)}
        self.ops = ops = [op for op in ops if op.type == "ok" or (op.key, left(op)) in seen]
        self.writes = [i for i, op in enumerate(ops) if op.f not in READS]
        self.writer: dict[int, int | None] = {}  # of what was read
        self.thin_air = False
        for i, op in enumerate(ops):
            if reads(op):
                writers = [j for j in self.writes if ops[j].key == op.key and left(ops[j]) == found(op)]
                self.writer[i] = writers[0] if writers else None
                self.thin_air |= not writers and found(op) is not None
        n = range(len(ops))
        self.session = {(a, b) for a in n for b in n if session_before(ops[a], ops[b])}
        self.order = closure(self.session | {(w, r) for r, w in self.writer.items() if w is not None}, len(ops))
        self.cyclic = any((i, i) in self.order for i in n)

    def reads_well(self, sequence: Iterable[int], judged: set[int]) -> bool:
        """Whether the judged reads of a sequence return the last write before them."""
        last: dict[Any, int] = {}
        for i in sequence:
            if i in self.writer and i in judged and last.get(self.ops[i].key) != self.writer[i]:
                return False
            if i in self.writes:
                last[self.ops[i].key] = i
        return True


def closure(pairs: set[tuple[int, int]], n: int) -> set[tuple[int, int]]:
    closed = set(pairs)
    for k in range(n):
        for i in range(n):
            if (i, k) in closed:
                closed |= {(i, j) for j in range(n) if (k, j) in closed}
    return closed


def orders(nodes: list[int], before: set[tuple[int, int]]) -> Iterator[list[int]]:
    """Every total order of the nodes that respects ``before``."""
    if not nodes:
        yield []
    for node in nodes:
        if not any((other, node) in before for other in nodes if other != node):
            for rest in orders([other for other in nodes if other != node], before):
                yield [node, *rest]


def cc(history: History) -> bool:
    """Each read has an order of its causal past in which it alone has to make sense."""
    causes = Causes(history)
    if causes.thin_air or causes.cyclic:
        return False
    for read in causes.writer:
        past = [i for i in causes.writes if (i, read) in causes.order]
        if not any(causes.reads_well([*order, read], {read}) for order in orders(past, causes.order)):
            return False
    return True


def cm(history: History) -> bool:
    """Each session has an order of all that it knows in the end, in which all its own reads make sense."""
    causes = Causes(history)
    return not causes.thin_air and not causes.cyclic and _views(causes, causes.order)


def pram(history: History) -> bool:
    """Each session has an order of all writes and its own reads; only the order of sessions counts."""
    causes = Causes(history)
    if causes.thin_air:
        return False
    return _views(causes, causes.session)


def _views(causes: Causes, before: set[tuple[int, int]]) -> bool:
    ops = causes.ops
    for session in dict.fromkeys(op.session for op in ops):
        own = {i for i in causes.writer if ops[i].session == session}
        nodes = [i for i in range(len(ops)) if i in causes.writes or i in own]
        if not any(causes.reads_well(order, own) for order in orders(nodes, before)):
            return False
    return True


def ccv(history: History) -> bool:
    """One order of all writes; each read returns the last of its causal past in it."""
    causes = Causes(history)
    if causes.thin_air or causes.cyclic:
        return False
    for order in orders(causes.writes, causes.order):
        for read in causes.writer:
            past = [w for w in order if (w, read) in causes.order]
            if not causes.reads_well([*past, read], {read}):
                break
        else:
            return True
    return False


# ---- session guarantees


class Guarantees:
    """The definitions of docs/consistency.md, quantifier by quantifier."""

    def __init__(self, history: History) -> None:
        self.causes = Causes(history)
        self.ops = self.causes.ops
        self.reads = list(self.causes.writer)
        self.writes = self.causes.writes

    def so(self, a: int, b: int) -> bool:
        return (a, b) in self.causes.session

    def older(self, read: int, write: int) -> bool:
        """What the read saw is known to be older than this write, on one key."""
        if self.ops[read].key != self.ops[write].key:
            return False
        seen = self.causes.writer[read]
        return seen is None or self.so(seen, write)

    def read_your_writes(self) -> bool:
        return not any(self.so(w, r) and self.older(r, w) for r in self.reads for w in self.writes)

    def monotonic_reads(self) -> bool:
        for r2 in self.reads:
            for r1 in self.reads:
                w = self.causes.writer[r1]
                if self.so(r1, r2) and w is not None and self.older(r2, w):
                    return False
        for first, between, last in permutations(self.reads, 3):
            if self.so(first, between) and self.so(between, last):
                a, b, c = (self.causes.writer[r] for r in (first, between, last))
                if self.ops[first].key == self.ops[between].key == self.ops[last].key and a == c != b:
                    return False
        return True

    def monotonic_writes(self) -> bool:
        return not any(
            self.so(r1, r2) and self.so(w1, w2) and self._finds_not(r2, w1, w2)
            for r1 in self.reads
            for r2 in self.reads
            for w2 in [self.causes.writer[r1]]
            if w2 is not None
            for w1 in self.writes
        )

    def writes_follow_reads(self) -> bool:
        return not any(
            self.so(r1, r2) and (self.so(seen, w2) or seen == w2) and self._finds_not(r2, w1, w2)
            for r1 in self.reads
            for r2 in self.reads
            for w2 in [self.causes.writer[r1]]
            if w2 is not None
            for seen in self.reads
            for w1 in [self.causes.writer[seen]]
            if w1 is not None
        )

    def _finds_not(self, read: int, w1: int, w2: int) -> bool:
        same = w1 != w2 and self.ops[w1].key == self.ops[w2].key
        return self.older(read, w1) or (same and self.causes.writer[read] == w1)


def guarantee(history: History, name: str) -> bool:
    judge = Guarantees(history)
    return not judge.causes.thin_air and bool(getattr(judge, name.replace("-", "_"))())


# ---- bounded staleness


def _observes(op: Operation) -> bool:
    """A read, or an answer that says that nothing was done."""
    same = op.f == "cas" and op.type == "ok" and op.value[0] == op.value[1]
    return op.f in READS or same or (op.type == "ok" and op.result is False)


def smallest_t(history: History) -> int | None:
    """The smallest Δ, by trying every one at which anything changes; None if no Δ is enough."""
    ops = done(history)
    starts = [op.time for op in ops if _observes(op)]
    moments = [event.time for event in history.events()]
    for t in sorted({0, 1, *(start - at for start in starts for at in moments if start > at), max(moments) + 1}):

        def before(a: Operation, b: Operation, t: int = t) -> bool:
            earlier = real_time_before(a, b)
            if not t or not _observes(b) or not earlier:
                return earlier
            return a.return_time is not None and a.return_time < b.time - t

        if _one_order(ops, RULES["kv"], before):
            return t
    return None


def smallest_k(history: History) -> int | None:
    """The smallest k such that reads of the last k versions have an order in real time; None if there is none."""
    ops = done(history)

    def rule(k: int) -> Rule:
        def step(state: Any, op: Operation) -> Iterator[Any]:
            versions = state or [None]
            if _observes(op):
                # Whatever is observed must fit one of the versions; what changes something sees the last one.
                if any(after == version for version in versions[-k:] for after in RULES["kv"](version, op)):
                    yield versions
            else:
                for after in RULES["kv"](versions[-1], op):
                    if not (op.f == "cas" and versions[-1] != op.value[0]):
                        yield [*versions, after][-k:]

        return step

    for k in range(1, len(ops) + 2):
        if _one_order(ops, rule(k), real_time_before):
            return k
    return None


def k_bounds(history: History) -> tuple[int, int | None]:
    """What is certain of k where some k is enough, and what the order that has writes as they were invoked needs.

    Certain are the versions that began after the write of what was read was over, and were over before the read began.
    In that order every read stands as early as real time and its write allow. It is one only where each key was but
    read and written, and each value that was read has one writer; else there is no upper bound, and only the keys of
    which that is true count.
    """
    ops = done(history)
    low = high = 1
    simple = True
    for key in {op.key for op in ops}:
        mine = [op for op in ops if op.key == key]
        reads = [op for op in mine if op.f in READS]
        seen = {op.value for op in reads}
        writes = [op for op in mine if op.f in ("write", "put") and not (op.type == "ok" and op.result is False)]
        writes = [op for op in writes if op.type == "ok" or op.value in seen]
        known = {op.index for op in reads} | {op.index for op in mine if op.f in ("write", "put")}
        written = [None, *(op.value for op in writes)]
        if any(op.index not in known for op in mine) or any(written.count(value) > 1 for value in seen):
            simple = False
            continue

        position: dict[int, int] = {}  # of a read: how many writes come before it
        for read in reads:
            place = written.index(read.value)
            before = [nth for nth, write in enumerate(writes, start=1) if real_time_before(write, read)]
            before += [position[other.index] for other in reads if real_time_before(other, read)]
            position[read.index] = max([place, *before])
            between = [
                op
                for op in writes
                if (not place or real_time_before(writes[place - 1], op)) and real_time_before(op, read)
            ]
            low, high = max(low, 1 + len(between)), max(high, 1 + position[read.index] - place)
    return low, high if simple else None


# ---- the quiet end


def final_groups(history: History) -> tuple[list[list[Operation]], bool]:
    """The answered final reads of each key, and whether the quiet end was quiet and complete."""
    ops = [op for op in history.operations() if op.type != "fail"]
    marked = [op for op in ops if op.final]
    if not marked:
        return [], False
    begin = min(op.index for op in marked)
    quiet = not any(
        not op.final and op.f not in READS and op.type == "ok" and (op.return_index or 0) > begin for op in ops
    )
    if not quiet:
        return [], False
    replicas = {op.node for op in ops if op.node is not None}
    groups, complete = [], True
    for key in {op.key for op in ops}:
        reads = [op for op in marked if op.key == key and op.type == "ok"]
        groups.append(reads)
        complete &= bool(reads) and replicas <= {op.node for op in reads}
    return groups, complete


def _holds(model: str, op: Operation) -> Any:
    if model == "set":
        return sorted(set(op.value or []))
    if model == "list":
        return list(op.value or [])
    return (op.value or 0) if model == "counter" else op.value


def _updates(history: History, key: Any) -> list[Operation]:
    """What may have changed a key: an answer that says that nothing was done is believed."""
    ops = [op for op in history.operations() if op.type != "fail" and op.key == key and op.f not in READS]
    return [op for op in ops if not (op.type == "ok" and op.result is False)]


def _left(op: Operation) -> Any:
    """What an update of a register leaves."""
    return None if op.f == "delete" else op.value[1] if op.f == "cas" else op.value


def eventual(history: History, model: str) -> bool | None:
    """None: unknown."""
    groups, complete = final_groups(history)
    for reads in groups:
        for read in reads:
            if any(_holds(model, read) != _holds(model, other) for other in reads):
                return False
            updates = _updates(history, read.key)
            if model == "kv" and read.value is not None and all(_left(op) != read.value for op in updates):
                return False
            added = [op.value for op in updates if op.f in ("add", "append")]
            if model in ("set", "list") and any(item not in added for item in read.value or []):
                return False
    return True if complete else None


def converged(history: History, model: str) -> dict[str, int | None]:
    """Per key, how long after the last answered update somebody was still answered something else than in the end."""
    found: dict[str, int | None] = {}
    for reads in final_groups(history)[0]:
        mine = [op for op in history.operations() if op.key == reads[0].key and op.type == "ok"]
        ends = [op.return_time for op in mine if op.f not in READS and op.return_time is not None]
        late = [
            op.return_time
            for op in mine
            if op.f in READS and op.return_time is not None and _holds(model, op) != _holds(model, reads[0])
        ]
        name = "" if reads[0].key is None else str(reads[0].key)
        found[name] = max([0, *(time - max(ends) for time in late)]) if ends else None
    return found


def no_lost_writes(history: History, model: str) -> bool | None:
    """None: unknown."""
    groups, complete = final_groups(history)
    if groups and len({op.session for op in history.operations() if op.final}) == 1:
        complete = all(groups)  # one session reads the system
    for reads in groups:
        for read in reads:
            mine = _updates(history, read.key)
            if not any(
                _keeps(model, read, mine, subset) for subset in _subsets([op for op in mine if op.type == "info"])
            ):
                return False
    keys = {op.key for op in history.operations()}
    if not complete or not any(op.type == "ok" for key in keys for op in _updates(history, key)):
        return None
    return True


def figures(history: History, model: str) -> dict[str, Any]:
    """What became of the elements of sets or lists, as the docstring of `checkers.no_lost_writes` defines it."""
    ops = [op for op in history.operations() if op.type != "fail"]
    lost, never, stale, back, twice, worst = [], [], [], [], [], 0
    for key in {op.key for op in ops}:
        updates = _updates(history, key)
        reads = [op for op in ops if op.key == key and op.f in READS and op.type == "ok"]
        final = [op for op in reads if op.final]
        for element in {item for op in reads for item in op.value or []} | {op.value for op in updates}:
            place = element if key is None else [key, element]
            adds = [op for op in updates if op.f != "remove" and op.value == element]
            removes = [op for op in updates if op.f == "remove" and op.value == element]
            often = max(len(adds), 1) if model == "list" else 1
            if any((op.value or []).count(element) > often for op in reads):
                twice.append(place)
            if not adds:
                continue
            having = [op for op in reads if element in (op.value or [])]
            if not having:
                never.append(place)
            if any(op.type == "ok" and all(real_time_before(add, op) for add in adds) for op in removes):
                back += [place] * any(op in having for op in final)
            proofs = [op for op in [*adds, *having] if op.type == "ok"]
            if removes or not proofs:
                continue
            proof = min(proofs, key=lambda op: op.return_index or 0)
            missed = [op for op in reads if real_time_before(proof, op) and op not in having]
            if any(op not in having for op in final):
                lost.append(place)
            elif missed:
                stale.append(place)
                worst = max(worst, *(op.time - (proof.return_time or 0) for op in missed))
    named = {"lost": lost, "never-read": never, "stale": stale, "resurrected": back, "duplicated": twice}
    return {**{name: sorted(places, key=str) for name, places in named.items()}, "worst-stale": worst}


def _subsets(ops: list[Operation]) -> Iterator[list[Operation]]:
    for bits in range(1 << len(ops)):
        yield [op for i, op in enumerate(ops) if bits >> i & 1]


def _keeps(model: str, read: Operation, mine: list[Operation], happened: list[Operation]) -> bool:
    """Whether the final read keeps all that was acknowledged, if just these unanswered operations happened."""
    certain = [op for op in mine if op.type == "ok"]
    if model == "counter":
        changes = [
            (-1 if op.f == "decrement" else 1) * (1 if op.value is None else op.value) for op in certain + happened
        ]
        return bool((read.value or 0) == sum(changes))
    if model == "list":
        left = list(read.value or [])
        for op in certain:
            if op.value not in left:
                return False
            left.remove(op.value)
        return True
    if model == "set":
        return all(
            op.value in (read.value or [])
            or any(
                other.f == "remove" and other.value == op.value and not real_time_before(other, op)
                for other in [*certain, *happened]
            )
            for op in certain
            if op.f == "add"
        )
    if not certain:
        return True
    # Some write of the value may have been the last: nothing acknowledged began after it was over.
    return any(
        _left(op) == read.value and not any(real_time_before(op, other) for other in certain)
        for op in [*certain, *happened]
    )
