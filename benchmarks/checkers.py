"""How fast histories are loaded and judged; run ``python -m benchmarks.checkers``, which prints a Markdown table.

Every figure is the median of five runs, from the `History` in memory to the `Verdict`, witness and first compilation
excluded. ``--porcupine PROGRAM`` puts Porcupine beside it: a small program of the reader's own around its
CheckEventsTimeout, called as ``PROGRAM cas|append SECONDS FILE...`` on files that this script writes (see
`interchange`), which prints ``{"FILE": {"ms": median, "verdict": "Ok"}}``.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Literal

from checkers import History, Verdict, check, explain
from checkers.verdict import invalid

SHARED = Path(__file__).resolve().parents[2] / "shared" / "histories"


def simulated(
    random: Random,
    operations: int,
    clients: int,
    ask: Callable[[Random, int], tuple[str, Any, Any]],
    apply: Callable[[dict[Any, Any], str, Any, Any], tuple[Any, Any]],
    *,
    info: float = 0.0,
    corrupt: int | None = None,
) -> bytes:
    """JSON Lines of a valid history: clients in a closed loop, each operation applied at a moment inside its interval.

    ``ask`` draws f, key and value; ``apply`` changes the state and returns value and result. With ``corrupt`` the
    first read from that operation on gets the oldest answer given on its key: the history is invalid, as a rule.
    """
    points: list[tuple[float, int, int]] = []  # time, 0 invoke 1 apply 2 return, operation
    asked = []
    clocks, process = [0.0] * clients, list(range(clients))
    owner, fate = [], []
    next_process = clients
    for n in range(operations):
        client = n % clients
        begin = clocks[client] + random.random()
        applied = begin + random.random()
        end = applied + random.random()
        clocks[client] = end
        asked.append(ask(random, n))
        owner.append(process[client])
        lost = random.random() < info
        fate.append(lost)
        points.append((begin, 0, n))
        if not lost or random.random() < 0.5:
            points.append((applied + (random.random() * 20 if lost else 0), 1, n))
        if lost:
            process[client], next_process = next_process, next_process + 1
        points.append((end, 2, n))
    points.sort()
    states: dict[Any, Any] = {}
    answers: list[tuple[Any, Any]] = [(value, None) for _, _, value in asked]
    old: dict[Any, Any] = {}
    lines = []
    for index, (at, kind, n) in enumerate(points):
        f, key, value = asked[n]
        if kind == 1:
            answers[n] = apply(states, f, key, value)
            if f in ("read", "get"):
                if corrupt is not None and n >= corrupt and old.get(key, answers[n][0]) != answers[n][0]:
                    answers[n], corrupt = (old[key], None), None
                old.setdefault(key, answers[n][0])
            continue
        type_ = "invoke" if kind == 0 else "info" if fate[n] else "ok"
        said, result = (value, None) if type_ != "ok" else answers[n]
        event = {"index": index, "time": int(at * 1e6), "type": type_, "process": owner[n], "f": f, "value": said}
        if key is not None:
            event["key"] = key
        if result is not None:
            event["result"] = result
        lines.append(json.dumps(event, separators=(",", ":")))
    return ("\n".join(lines) + "\n").encode()


def apply_register(states: dict[Any, Any], f: str, key: Any, value: Any) -> tuple[Any, Any]:
    if f == "read":
        return states.get(key), None
    if f == "cas":
        if states.get(key) != value[0]:
            return value, False
        states[key] = value[1]
        return value, True
    states[key] = value
    return value, None


def apply_append(states: dict[Any, Any], f: str, key: Any, value: Any) -> tuple[Any, Any]:
    if f == "get":
        return states.get(key, ""), None
    states[key] = value if f == "put" else states.get(key, "") + value
    return value, None


def ask_register(random: Random, n: int) -> tuple[str, Any, Any]:
    return ("read", None, None) if random.random() < 0.5 else ("write", None, n)


def ask_kv(keys: int) -> Callable[[Random, int], tuple[str, Any, Any]]:
    """Zipf keys and unique values; a cas expects what this workload last wrote on the key, which is often still
    there.
    """
    weights = [1 / (rank + 1) for rank in range(keys)]
    total, bounds = 0.0, []
    for weight in weights:
        total += weight
        bounds.append(total)
    last: dict[int, int] = {}

    def ask(random: Random, n: int) -> tuple[str, Any, Any]:
        from bisect import bisect

        key = bisect(bounds, random.random() * total)
        draw = random.random()
        if draw < 0.5:
            return "read", key, None
        if draw < 0.8 or key not in last:
            last[key] = n
            return "write", key, n
        expected, last[key] = last[key], n
        return "cas", key, [expected, n]

    return ask


def without_refused(data: bytes) -> bytes:
    """A refused cas as Jepsen has it: a failure."""
    refused = b'"result":false}'
    return b"\n".join(
        line.replace(b'"type":"ok"', b'"type":"fail"') if line.endswith(refused) else line for line in data.split(b"\n")
    )


def ask_append(keys: int) -> Callable[[Random, int], tuple[str, Any, Any]]:
    def ask(random: Random, n: int) -> tuple[str, Any, Any]:
        key = str(random.randrange(keys))
        draw = random.random()
        return (
            ("get", key, None)
            if draw < 0.5
            else ("put", key, f"x {n} y")
            if draw < 0.52
            else ("append", key, f"x {n} y")
        )

    return ask


def interchange(history: History, path: Path, *, append: bool) -> None:
    """What the program around Porcupine reads: a tab-separated event a line.

    ``c ID KEY OP A B`` calls (OP is r, w, c; g, p, a for strings), ``r ID v VALUE`` returns a read, ``r ID y`` and
    ``r ID n`` a success and a refusal, ``r ID u`` at the end something that was never answered.
    """
    events: list[tuple[float, str]] = []
    names = (
        {"get": "g", "put": "p", "append": "a"}
        if append
        else {"read": "r", "get": "r", "write": "w", "put": "w", "cas": "c"}
    )
    for number, op in enumerate(
        o for o in history.operations() if o.type != "fail" and not (o.type == "info" and o.f in ("read", "get"))
    ):
        first, second = op.value if op.f == "cas" else (op.value, "")
        if op.f in ("read", "get"):
            first = ""
        events.append((op.index, f"c\t{number}\t{op.key}\t{names[op.f]}\t{_nil(first)}\t{_nil(second)}"))
        if op.type == "info":
            answer = "u"
        elif op.f in ("read", "get"):
            answer = f"v\t{op.value or '' if append else _nil(op.value)}"
        else:
            answer = "n" if op.result is False else "y"
        events.append((op.end, f"r\t{number}\t{answer}"))
    events.sort(key=lambda event: event[0])
    path.write_text("\n".join(line for _, line in events) + "\n")


def _nil(value: Any) -> str:
    return "nil" if value is None else str(value)


def median(run: Callable[[], Any], times: int = 5) -> float:
    """Seconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


class Porcupine:
    """The other side, if it is at hand; None where it has no answer."""

    def __init__(self, program: str | None, limit: int) -> None:
        self.program = program
        self.limit = limit

    def ms(self, histories: list[History], *, append: bool) -> float | None:
        if self.program is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for nth, history in enumerate(histories):
                path = Path(folder) / f"{nth}.tsv"
                interchange(history, path, append=append)
                paths.append(str(path))
            kind = "append" if append else "cas"
            out = subprocess.run(
                [self.program, kind, str(self.limit), *paths], capture_output=True, text=True, check=True
            ).stdout
        answers = json.loads(out).values()
        if any(answer["verdict"] == "Unknown" for answer in answers):
            return None
        return float(sum(answer["ms"] for answer in answers))


def rows(porcupine: Porcupine, quick: bool) -> Iterator[tuple[str, float, float | None]]:
    """What was done, our milliseconds, Porcupine's."""
    if SHARED.is_dir():
        with (SHARED / "etcd-jepsen" / "verdicts.tsv").open() as table:
            names = [row[0] for row in list(csv.reader(table, delimiter="\t"))[1:]]
        readings: tuple[Literal["dropped", "observed"], ...] = ("dropped", "observed")
        for reading in readings:
            logs = [History.load(SHARED / "etcd-jepsen" / name, failed_cas=reading) for name in names]
            taken = sum(median(partial(check, log, model="cas-register")) for log in logs)
            yield f"{len(logs)} etcd logs, failed cas {reading}", taken * 1e3, porcupine.ms(logs, append=False)
    for size, clients in ((10_000, 10), (100_000, 10), (1_000_000, 100)):
        if quick and size > 100_000:
            break
        data = simulated(Random(1), size, clients, ask_register, apply_register)
        history = History.load(data)
        if size == 1_000_000:
            yield (
                f"load {len(history):,} events of JSON Lines",
                median(partial(History.load, data), 3) * 1e3,
                None,
            )
        other = porcupine.ms([history], append=False) if size <= 10_000 else None
        yield (
            f"register, unique values, {clients} clients, {size:,} operations",
            median(partial(check, history, model="register")) * 1e3,
            other,
        )
        del data, history
    size = 100_000 if quick else 1_000_000
    history = History.load(without_refused(simulated(Random(2), size, 100, ask_kv(1_000), apply_register, info=0.02)))
    yield (
        f"kv with cas, unique values, {size:,} operations, 1,000 keys, 2 % info, failed cas dropped",
        median(lambda: check(history, model="kv"), 3) * 1e3,
        None,
    )
    for size in (2_000, 10_000):
        for bad in (None, size - size // 10):
            grown = History.load(simulated(Random(3), size, 50, ask_append(10), apply_append, corrupt=bad))
            kind = "ok" if bad is None else "one stale get"
            ours = timed(grown, "kv-append")
            yield f"kv-append, 50 clients, {size:,} operations, {kind}", ours, porcupine.ms([grown], append=True)
    for clients in (5, 10, 20):
        mixed = History.load(simulated(Random(4), 4_000, clients, _small_range, apply_register))
        yield (
            f"kv, 4 keys, 5 values, refused cas kept, {clients} clients, 4,000 operations",
            timed(mixed, "kv"),
            porcupine.ms([mixed], append=False),
        )
    for share in (0.0, 0.01, 0.02, 0.05):
        lossy = History.load(simulated(Random(5), 2_000, 10, _small_range, apply_register, info=share))
        yield (
            f"kv, 4 keys, 5 values, 10 clients, 2,000 operations, {share:.0%} info",
            timed(lossy, "kv"),
            porcupine.ms([lossy], append=False),
        )


def timed(history: History, model: str) -> float:
    """Milliseconds; infinite if it is still undecided after a minute."""
    if check(history, model=model, timeout=60).outcome == "unknown":
        return float("inf")
    return median(partial(check, history, model=model), 3) * 1e3


def _small_range(random: Random, n: int) -> tuple[str, Any, Any]:
    key, draw = random.randrange(4), random.random()
    if draw < 0.5:
        return "read", key, None
    if draw < 0.8:
        return "write", key, random.randrange(5)
    return "cas", key, [random.randrange(5), random.randrange(5)]


def _no_witness(name: str, *_: Any) -> Verdict:
    return invalid(name, "not explained: the time of a witness is not part of these figures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--porcupine", help="a program around Porcupine")
    parser.add_argument("--limit", type=int, default=60, help="seconds that Porcupine may take for one history")
    parser.add_argument("--quick", action="store_true", help="leave out the histories of a million operations")
    arguments = parser.parse_args()
    explain.conflict = explain.refuted = _no_witness  # type: ignore[assignment]
    # Compile before anything is timed.
    from checkers import compiled, models
    from checkers.parts import Columns

    history = History.from_events([("invoke", 0, "write", 1), ("ok", 0, "write", 1)])
    (part,), table = Columns(history, models.by_name("register")).parts(models.by_name("register"))
    compiled.CompiledSearch(part, table).run(10)
    print("| work | ms | Porcupine, ms | ratio |\n|---|---:|---:|---:|")
    for what, ours, theirs in rows(Porcupine(arguments.porcupine, arguments.limit), arguments.quick):
        other = "-" if theirs is None else f"{theirs:,.1f}"
        ratio = "-" if theirs is None else f"{theirs / ours:,.1f}"
        print(f"| {what} | {ours:,.1f} | {other} | {ratio} |", flush=True)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"\nlargest resident size: {largest >> 10} MiB; Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
