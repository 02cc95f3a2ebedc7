"""How fast histories are loaded and judged; run ``python -m benchmarks.checkers``, which prints a Markdown table.

Every figure is the median of three or five runs, from the `History` in memory to the `Verdict`, witness and first
compilation excluded. ``--logs FOLDER`` adds Porcupine's etcd logs (``etcd_*.log`` of its test data), all of them judged
one after the other. ``--porcupine PROGRAM`` puts Porcupine beside it: a small program of the reader's own around its
CheckEventsTimeout, called as ``PROGRAM cas|append SECONDS FILE...`` on files that this script writes (see
`interchange`), which prints ``{"FILE": {"ms": median, "verdict": "Ok"}}``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Literal

from checkers import History, Verdict, check, explain
from checkers.verdict import invalid

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "checker-growth.png"


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

    ``ask`` draws f, key and value; ``apply`` changes the state and returns value and result. With ``corrupt``
    one read, the first from that operation on that can be proved stale, gets an answer that had just been replaced.

    That makes the history invalid where values are unique: what it saw began with a write p (or with nothing), p had
    returned before another write w began, and w had returned before the read began. So w lies between p and the read
    in every order, but is not in what was read.
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
    replaced: dict[Any, list[tuple[int, Any, int]]] = {}  # per key: a write, what it replaced, which began with whose
    spans: dict[int, tuple[float, float]] = {}
    for at, kind, n in points:
        spans[n] = (at, at) if kind == 0 else (spans[n][0], float("inf") if fate[n] else at)
    lines = []
    for index, (at, kind, n) in enumerate(points):
        f, key, value = asked[n]
        if kind == 1:
            before = apply(states, "get", key, None)[0] if corrupt is not None else None
            answers[n] = apply(states, f, key, value)
            if corrupt is None:
                continue
            past = replaced.setdefault(key, [])
            if f in ("read", "get"):
                for write, gone, root in reversed([] if n < corrupt or fate[n] else past):
                    began = spans[root][1] if root >= 0 else -1.0
                    if began < spans[write][0] and spans[write][1] < spans[n][0]:
                        answers[n], corrupt = (gone, None), None
                        break
            elif answers[n][1] is not False:
                root = -1 if not past else past[-1][2] if asked[past[-1][0]][0] == "append" else past[-1][0]
                past.append((n, before, root))
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
    if f in ("read", "get"):
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


def apply_growing(states: dict[Any, Any], f: str, key: Any, value: Any) -> tuple[Any, Any]:
    so_far = states.setdefault(key, [])
    if f == "read":
        return list(so_far), None
    so_far.append(value)
    return value, None


def ask_growing(f: str) -> Callable[[Random, int], tuple[str, Any, Any]]:
    """A tenth of the operations read all that was added to one object."""
    return lambda random, n: ("read", None, None) if random.random() < 0.1 else (f, None, n)


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


def median(run: Callable[[], Any], times: int = 5, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds."""
    taken = []
    for _ in range(times):
        began = clock()
        run()
        taken.append(clock() - began)
    return statistics.median(taken)


class Porcupine:
    """The other side, if it is at hand; None where it has no answer."""

    def __init__(self, program: str | None, limit: int) -> None:
        self.program = program
        self.limit = limit
        self.verdicts: set[str] = set()  # of the last histories

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
        self.verdicts = {answer["verdict"] for answer in answers}
        if any(answer["verdict"] == "Unknown" for answer in answers):
            return None
        return float(sum(answer["ms"] for answer in answers))


def rows(porcupine: Porcupine, quick: bool, etcd: Sequence[Path]) -> Iterator[tuple[str, float, float | None]]:
    """What was done, our milliseconds, Porcupine's."""
    readings: tuple[Literal["dropped", "observed"], ...] = ("dropped", "observed")
    for reading in readings if etcd else ():
        logs = [History.load(path, failed_cas=reading) for path in etcd]
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
            ours = timed(grown, "kv-append", "valid" if bad is None else "invalid")
            theirs = porcupine.ms([grown], append=True)
            if theirs is not None and porcupine.verdicts != {"Ok" if bad is None else "Illegal"}:
                raise SystemExit(f"Porcupine says {porcupine.verdicts} of: {kind}")
            yield f"kv-append, 50 clients, {size:,} operations, {kind}", ours, theirs
    for model, f in (("set", "add"), ("list", "append")):
        growing = History.load(simulated(Random(6), 10_000, 10, ask_growing(f), apply_growing))
        yield f"{model}, 10 clients, 10,000 operations, a tenth of them reads", timed(growing, model), None
        sequential = median(partial(check, growing, "sequential", model), 3) * 1e3
        yield "the same, sequential", sequential, None
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


def timed(
    history: History, model: str, expected: str = "valid", clock: Callable[[], float] = time.perf_counter
) -> float:
    """Milliseconds; infinite if it is still undecided after a minute. Another verdict than expected is an error."""
    outcome = check(history, model=model, timeout=60).outcome
    if outcome == "unknown":
        return float("inf")
    if outcome != expected:
        raise SystemExit(f"a history that should be {expected} was found {outcome}")
    return median(partial(check, history, model=model), 3, clock) * 1e3


def _small_range(random: Random, n: int) -> tuple[str, Any, Any]:
    key, draw = random.randrange(4), random.random()
    if draw < 0.5:
        return "read", key, None
    if draw < 0.8:
        return "write", key, random.randrange(5)
    return "cas", key, [random.randrange(5), random.randrange(5)]


Line = list[tuple[float, float]]


def growth() -> dict[str, dict[str, Line]]:
    """What the picture shows: per panel, named by its horizontal axis, a line per kind of history.

    In milliseconds of processor time, which says more about growth than the clock does where others use the machine.
    """
    sizes = (1_000, 3_000, 10_000, 30_000, 100_000)
    crowds = (2, 5, 10, 20, 50)
    shares = (0.0, 0.01, 0.02, 0.05, 0.1)

    def cost(history: History, model: str) -> float:
        return timed(history, model, clock=time.process_time)

    def unique(size: int, clients: int = 10) -> float:
        return cost(History.load(simulated(Random(1), size, clients, ask_register, apply_register)), "register")

    def small(size: int, clients: int = 10, info: float = 0.0) -> float:
        return cost(History.load(simulated(Random(4), size, clients, _small_range, apply_register, info=info)), "kv")

    def strings(size: int, clients: int = 10) -> float:
        return cost(History.load(simulated(Random(3), size, clients, ask_append(10), apply_append)), "kv-append")

    lossy = ask_kv(100)

    def chains(info: float) -> float:
        data = without_refused(simulated(Random(2), 4_000, 10, lossy, apply_register, info=info))
        return cost(History.load(data), "kv")

    return {
        "operations (10 clients)": {
            UNIQUE: [(n, unique(n)) for n in sizes],
            SMALL: [(n, small(n)) for n in sizes[:4]],
            STRINGS: [(n, strings(n)) for n in sizes[:3]],
        },
        "clients (4,000 operations)": {
            UNIQUE: [(n, unique(4_000, n)) for n in crowds],
            SMALL: [(n, small(4_000, n)) for n in crowds],
            STRINGS: [(n, strings(4_000, n)) for n in crowds],
        },
        "info, % (4,000 operations, 10 clients)": {
            UNIQUE: [(100 * share, chains(share)) for share in shares],
            SMALL: [(100 * share, small(4_000, info=share)) for share in shares],
        },
    }


UNIQUE = "registers, unique values (zones)"
SMALL = "kv with cas, 4 keys, 5 values (search)"
STRINGS = "kv-append, 10 keys (search)"


def plot(path: Path, panels: dict[str, dict[str, Line]]) -> None:
    """One panel per horizontal axis, one colour and marker per kind of history."""
    from matplotlib.figure import Figure

    styles = {UNIQUE: ("#0072b2", "o"), SMALL: ("#d55e00", "s"), STRINGS: ("#009e73", "^")}
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True)
    for place, (title, lines) in zip(axes, panels.items(), strict=True):
        for name, line in lines.items():
            colour, marker = styles[name]
            place.plot(*zip(*line, strict=True), color=colour, marker=marker, label=name)
        place.set_yscale("log")
        if title.startswith("operations"):
            place.set_xscale("log")
        place.set_xlabel(title)
        place.grid(alpha=0.3)
    axes[0].set_ylabel("processor time to the verdict, ms")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _no_witness(name: str, *_: Any) -> Verdict:
    return invalid(name, "not explained: the time of a witness is not part of these figures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--porcupine", help="a program around Porcupine")
    parser.add_argument("--logs", type=Path, help="a folder with etcd_*.log")
    parser.add_argument("--limit", type=int, default=60, help="seconds that Porcupine may take for one history")
    parser.add_argument("--quick", action="store_true", help="leave out the histories of a million operations")
    parser.add_argument("--plot", action="store_true", help=f"only measure how it grows, and draw {PICTURE.name}")
    arguments = parser.parse_args()
    explain.conflict = explain.refuted = _no_witness  # type: ignore[assignment]
    # Compile before anything is timed.
    from checkers import compiled, models
    from checkers.parts import Columns

    history = History.from_events([("invoke", 0, "write", 1), ("ok", 0, "write", 1)])
    (part,), table = Columns(history, models.by_name("register")).parts(models.by_name("register"))
    compiled.CompiledSearch(part, table).run(10)
    if arguments.plot:
        panels = growth()
        for title, lines in panels.items():
            for name, line in lines.items():
                print(f"{title}; {name}: " + ", ".join(f"{x:g} {ms:.1f} ms" for x, ms in line))
        plot(PICTURE, panels)
        return
    etcd = sorted(arguments.logs.glob("etcd_*.log")) if arguments.logs else []
    if arguments.logs and not etcd:
        parser.error(f"--logs {arguments.logs}: there is no etcd_*.log")
    print("| work | ms | Porcupine, ms | ratio |\n|---|---:|---:|---:|")
    for what, ours, theirs in rows(Porcupine(arguments.porcupine, arguments.limit), arguments.quick, etcd):
        other = "-" if theirs is None else f"{theirs:,.1f}"
        ratio = "-" if theirs is None else f"{theirs / ours:,.1f}"
        print(f"| {what} | {ours:,.1f} | {other} | {ratio} |", flush=True)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"\nlargest resident size: {largest >> 10} MiB; Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
