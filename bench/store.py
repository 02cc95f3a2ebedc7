"""The store of runs: every step of a run on disk, so that each can be taken up again from there.

    runs/latest                                 -> the last run
    runs/<scenario>/<protocol>/<mode>/<seed>/
        scenario.toml  operations.jsonl         the plan: enough to run it again
        history.jsonl  observations.jsonl  trace.jsonl.gz
        results.json                            verdicts and counters, the same bytes for the same plan
        run.json                                what may differ: versions, command, times
        charts/*.png  report.html

A folder is prepared beside its place and moved there whole, with the recording and nothing else in it; results and
report follow one by one, each file whole. So a reader never sees a mixture of two runs, and a run that ends while it
is being judged has lost nothing of what happened.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from bench.registry import Registry
from bench.run import Plan, Recording, Result, SeedStatus
from bench.workload import Operation as Asked
from bench.workload import WorkloadKind
from checkers import History, Observation, Observations, Operation, Outcome, Verdict, lattice
from checkers.lattice import Standing
from checkers.trace import Step, Trace
from reports.subject import Judged
from scenarios.decode import load as load_scenario
from scenarios.schema import Expectation
from scenarios.write import dumps

SCENARIO, OPERATIONS = "scenario.toml", "operations.jsonl"
HISTORY, OBSERVATIONS, TRACE = "history.jsonl", "observations.jsonl", "trace.jsonl.gz"
RESULTS, FACTS, CHARTS, REPORT = "results.json", "run.json", "charts", "report.html"
_OURS = frozenset({SCENARIO, OPERATIONS, HISTORY, OBSERVATIONS, TRACE, RESULTS, FACTS, CHARTS, REPORT})
LATEST = "latest"

_T = TypeVar("_T")


class BadRun(ValueError):
    """A folder that is no run, or a place where none can be stored; one line that says which and why."""


# ------------------------------------------------------------------------------------------------------ what is written


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item of a witness: an operation, an observation, or anything else in words."""

    operation: Operation | None = None
    observation: Observation | None = None
    text: str | None = None


class Said(msgspec.Struct, frozen=True):
    """A verdict beside what was expected of it."""

    checker: str
    outcome: Outcome
    reason: str
    expected: Expectation
    as_expected: bool
    reproducible: bool
    witness: tuple[Shown, ...]
    details: dict[str, Any]


class Stood(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one consistency model: its own verdict's reason, or the model whose verdict decided it."""

    model: str
    outcome: Outcome
    reason: str = ""
    decided_by: str = ""


class Results(msgspec.Struct, frozen=True):
    """``results.json``: a function of the plan alone. No durations, no paths, no versions."""

    scenario: str
    protocol: str
    mode: str
    seed: int
    status: SeedStatus
    notes: tuple[str, ...]
    verdicts: tuple[Said, ...]
    strongest: tuple[str, ...]
    standing: tuple[Stood, ...]
    never_started: tuple[str, ...]
    cut_short: tuple[Literal["storm", "invariant"], str] | None
    counters: dict[str, int]

    @classmethod
    def of(cls, recording: Recording, result: Result) -> Results:
        protocol, _, mode = recording.plan.column.partition("/")
        return cls(
            scenario=recording.plan.name,
            protocol=protocol,
            mode=mode,
            seed=recording.plan.seed,
            status=result.status,
            notes=result.notes,
            verdicts=tuple(_said(judged) for judged in result.judged),
            strongest=result.standing.strongest,
            standing=_stood(result.standing),
            never_started=recording.never_started,
            cut_short=recording.cut_short,
            counters=dict(recording.counters),
        )

    @property
    def column(self) -> str:
        return f"{self.protocol}/{self.mode}"

    def result(self) -> Result:
        """What was decided, as `bench.run.judge` returned it."""
        return Result(tuple(_judged(said) for said in self.verdicts), _standing(self), self.status, self.notes)

    def encode(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """``run.json``: everything about a run that is not a function of its plan. ``seconds`` are wall-clock, by phase."""

    aftershock: str
    python: str
    platform: str
    command: tuple[str, ...]
    started: str
    seconds: dict[str, float]


def _said(judged: Judged) -> Said:
    verdict = judged.verdict
    return Said(
        checker=judged.name,
        outcome=verdict.outcome,
        reason=verdict.reason,
        expected=judged.expected,
        as_expected=judged.as_expected,
        reproducible=verdict.reproducible,
        witness=tuple(_shown(item) for item in verdict.witness),
        details=verdict.details,
    )


def _shown(item: object) -> Shown:
    match item:
        case Operation():
            return Shown(operation=item)
        case Observation():
            return Shown(observation=item)
        case _:
            return Shown(text=str(item))


def _judged(said: Said) -> Judged:
    verdict = Verdict(
        outcome=said.outcome,
        checker=said.checker,
        reason=said.reason,
        witness=tuple(item.operation or item.observation or item.text for item in said.witness),
        details=said.details,
        reproducible=said.reproducible,
    )
    return Judged(said.checker, verdict, said.expected, said.as_expected)


def _stood(standing: Standing) -> tuple[Stood, ...]:
    return tuple(
        Stood(name, standing.outcome(name), decided_by=standing.because[name])
        if name in standing.because
        else Stood(name, standing.outcome(name), reason=standing.verdicts[name].reason)
        for name in lattice.models()
    )


def _standing(results: Results) -> Standing:
    """As `checkers.lattice.strongest` returned it, but for witnesses and details."""
    own = {
        each.model: Verdict(outcome=each.outcome, checker=each.model, reason=each.reason)
        for each in results.standing
        if not each.decided_by
    }
    holds, fails, undecided = (
        tuple(each.model for each in results.standing if each.outcome is outcome)
        for outcome in (Outcome.VALID, Outcome.INVALID, Outcome.UNKNOWN)
    )
    return Standing(
        holds=holds,
        fails=fails,
        undecided=undecided,
        strongest=results.strongest,
        because={each.model: each.decided_by for each in results.standing if each.decided_by},
        verdicts=own,
        apart={},
    )


# -------------------------------------------------------------------------------------------------------------- writing


def place(out: Path, name: str, column: str) -> Path:
    """The folder of a scenario's column. Raises `BadRun` when the scenario's name cannot be a folder's."""
    if name == LATEST or name.startswith(".") or not name.isprintable():
        raise BadRun(f"a scenario cannot be called {name!r}: its runs would have no place in {out}; rename its file")
    return out / name / column


def writable(out: Path) -> None:
    """Make the folder that holds all runs. Raises `BadRun` when it cannot be made or written to."""
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(out))


def save_recording(out: Path, recording: Recording, registry: Registry) -> Path:
    """Store a plan and what came of it, in place of any earlier run of the same plan; returns the folder."""
    folder = place(out, recording.plan.name, recording.plan.column) / str(recording.plan.seed)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
        try:
            fresh.mkdir()
            (fresh / SCENARIO).write_bytes(scenario_text(recording.plan, registry))
            (fresh / OPERATIONS).write_bytes(msgspec.json.Encoder().encode_lines(recording.plan.operations))
            recording.history.dump(fresh / HISTORY)
            recording.observations.dump(fresh / OBSERVATIONS)
            if recording.trace is not None:
                recording.trace.dump(fresh / TRACE)
            _swap(fresh, folder, old)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder


def scenario_text(plan: Plan, registry: Registry) -> bytes:
    """The plan's scenario, as resolved, in TOML."""
    return dumps(plan.scenario, registry.kinds(), {"as resolved from": plan.name}).encode()


def save_results(folder: Path, results: Results) -> None:
    write(folder / RESULTS, results.encode())


def save_facts(folder: Path, facts: Facts) -> None:
    write(folder / FACTS, msgspec.json.format(msgspec.json.encode(facts), indent=2) + b"\n")


def point_latest(out: Path, folder: Path) -> None:
    """Let ``runs/latest`` mean this run."""
    link = out / LATEST
    beside = out / f".{LATEST}.{os.getpid()}"
    with writing(link):
        try:
            beside.unlink(missing_ok=True)
            beside.symlink_to(folder.relative_to(out), target_is_directory=True)
            os.replace(beside, link)
        finally:
            beside.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    """Replace a file whole. Raises `BadRun` when it cannot be written."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            beside.write_bytes(content)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the file system refuses into one line."""
    try:
        yield
    except OSError as error:
        raise BadRun(f"{error.filename or path} cannot be written: {_reason(error)}") from error


def _swap(fresh: Path, folder: Path, old: Path) -> None:
    """Put a new folder in the place of an old one, and keep what is not ours."""
    if os.path.lexists(folder):
        if folder.is_symlink() or not folder.is_dir() or (any(folder.iterdir()) and not (folder / SCENARIO).exists()):
            raise BadRun(f"{folder} exists and is no run: it is left alone; move it away or choose another --out")
        for stranger in folder.iterdir():
            if stranger.name not in _OURS and not stranger.name.startswith("."):
                os.rename(stranger, fresh / stranger.name)
        os.rename(folder, old)
    os.rename(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


# -------------------------------------------------------------------------------------------------------------- reading


def find(run: str, out: Path) -> Path:
    """The folder that RUN means: a folder, or "latest". Raises `BadRun`."""
    folder = Path(run)
    if run == LATEST:
        try:
            folder = out / os.readlink(out / LATEST)
        except OSError:
            raise BadRun(f"there is no last run in {out}: `aftershock run` makes one") from None
    if not folder.exists():
        raise BadRun(f"{folder}: there is no such run")
    if not folder.is_dir():
        raise BadRun(f"{folder} is a file; a run is a folder")
    if not (folder / SCENARIO).is_file():
        inside = next(iter(sorted(folder.glob(f"*/{SCENARIO}")) or sorted(folder.glob(f"*/*/{SCENARIO}"))), None)
        hint = f"; did you mean {inside.parent}?" if inside else ""
        raise BadRun(f"{folder} is no run: it has no {SCENARIO}{hint}")
    return folder


def load_plan(folder: Path, registry: Registry) -> Plan:
    """The plan of a stored run, from ``scenario.toml`` and ``operations.jsonl`` alone.

    Raises `BadRun`, or `BadScenario` for what is wrong with the scenario.
    """
    path = folder / SCENARIO
    scenario = load_scenario(path, registry.kinds())
    if scenario.seed is None or len(scenario.protocols) != 1:
        raise BadRun(f"{path}: a run's scenario has a seed and one protocol; `aftershock run {path}` makes runs of it")
    plan = Plan(_name(folder, scenario.protocols[0]), scenario, _lines(folder / OPERATIONS, Asked))
    known = registry.column(plan.column)[1].operations
    assert isinstance(scenario.workload, WorkloadKind)
    sessions = {each.id for each in scenario.workload.sessions(scenario.cluster.ids)}
    clock = 0
    for number, asked in enumerate(plan.operations, 1):
        wrong = _misplanned(asked, known, sessions, clock)
        if wrong:
            raise BadRun(f"{folder / OPERATIONS}:{number}: {wrong}")
        clock = asked.at if asked.at is not None else clock
    return plan


def _misplanned(asked: Asked, known: frozenset[str], sessions: Container[str], clock: int) -> str | None:
    """What makes a planned operation impossible, if anything does."""
    if asked.f not in known:
        return f"the protocol knows no {asked.f!r}: it serves {', '.join(sorted(known))}"
    if asked.f == "cas" and not (isinstance(asked.value, tuple) and len(asked.value) == 2):
        return "a cas has two values, the old and the new"
    if asked.f == "add" and isinstance(asked.value, tuple):
        return "an add has one element"
    if asked.f in ("increment", "decrement") and not (asked.value is None or type(asked.value) is int):
        return f"the step of {asked.f} is a whole number"
    if (asked.at is None) == (asked.session is None):
        return "an operation has either a time or a session"
    if asked.session is not None and asked.session not in sessions:
        return f"the workload has no session {asked.session!r}"
    if asked.after < 0 or (asked.at is not None and asked.at < clock):
        return "operations stand in the order of their times, and no time is negative"
    return None


def load(folder: Path, registry: Registry) -> tuple[Recording, Result]:
    """A stored run without its trace (see `load_trace`). Raises `BadRun`, `BadScenario` or `BadHistory`."""
    plan = load_plan(folder, registry)
    results = load_results(folder)
    recording = Recording(
        plan=plan,
        history=load_history(folder),
        observations=Observations(_lines(folder / OBSERVATIONS, Observation)),
        trace=None,
        counters=results.counters,
        never_started=results.never_started,
        cut_short=results.cut_short,
    )
    return recording, results.result()


def load_history(folder: Path) -> History:
    return _reading(folder / HISTORY, History.load)


def load_results(folder: Path) -> Results:
    path = folder / RESULTS
    if not path.exists():
        raise BadRun(f"{folder} was never judged: it has no {RESULTS}; `aftershock replay` runs it again")
    results = _decoded(path, _reading(path, Path.read_bytes), Results)
    if tuple(each.model for each in results.standing) != lattice.models():
        raise BadRun(f"{path}: the standing is not of the models that are known here: {', '.join(lattice.models())}")
    return results


def load_facts(folder: Path) -> Facts:
    path = folder / FACTS
    return _decoded(path, _reading(path, Path.read_bytes), Facts)


def load_trace(folder: Path) -> Trace:
    path = folder / TRACE
    if not path.exists():
        raise BadRun(f"{folder} has no {TRACE}: it was run without a trace")
    steps = _lines(path, Step)
    if not steps:
        raise BadRun(f"{path} is damaged: it is empty, and a run begins with a step")
    return Trace(steps)


def content(path: Path) -> bytes | None:
    """What a stored file says, unpacked; None when there is none."""
    return _reading(path, _unpacked) if path.exists() else None


def _name(folder: Path, column: str) -> str:
    """What the scenario was called: as the results say, else as the folders above do."""

    class Named(msgspec.Struct):
        scenario: str

    try:
        return msgspec.json.decode((folder / RESULTS).read_bytes(), type=Named).scenario
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        here = folder.resolve().parts
        return here[-4] if len(here) > 4 and "/".join(here[-3:-1]) == column else here[-1]


def _lines(path: Path, kind: type[_T]) -> tuple[_T, ...]:
    """JSON Lines of one kind; a wrong line is named by its number."""
    decoder = msgspec.json.Decoder(kind)
    lines = _reading(path, _unpacked).split(b"\n")
    return tuple(_decoded_line(path, number, line, decoder) for number, line in enumerate(lines, 1) if line.strip())


def _decoded_line(path: Path, number: int, line: bytes, decoder: msgspec.json.Decoder[_T]) -> _T:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRun(f"{path}:{number}: {_first_line(error)}") from None


def _decoded(path: Path, data: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRun(f"{path}: {_first_line(error)}") from None


def _unpacked(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    import gzip
    import zlib

    try:
        return gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadRun(f"{path} is damaged: {_first_line(error)}") from None


def _reading(path: Path, read: Callable[[Path], _T]) -> _T:
    try:
        return read(path)
    except OSError as error:
        raise BadRun(f"{path} cannot be read: {_reason(error)}") from None


def _first_line(error: BaseException) -> str:
    return str(error).split("\n")[0] or type(error).__name__


def summarised(results: Results) -> Mapping[str, Any]:
    """A row of a table of many runs: results without the proofs and the models that are not the strongest."""
    plain: dict[str, Any] = msgspec.to_builtins(results)
    plain["verdicts"] = {
        said.checker: {"outcome": str(said.outcome), "expected": said.expected, "reason": said.reason}
        for said in results.verdicts
    }
    del plain["standing"]
    return plain
