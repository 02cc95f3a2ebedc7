"""pytest: scenarios as tests, one for each seed, and a recorder for a service of one's own.

    @pytest.mark.aftershock("partition-leader", protocol="raft/log", seeds=range(20))
    def test_reads_stay_linearizable(outcome):
        assert outcome.as_expected, outcome

pytest loads this module in every project that has Aftershock installed, so it imports nothing until such a test is
collected.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from aftershock.experiment import Experiment, Run
    from bench.registry import Registry
    from checkers import Recorder, Verdict

MARK = "aftershock"
_LARGEST_SEED = 2**63 - 1

_outcome: pytest.StashKey[Run] = pytest.StashKey()
_unkept: pytest.StashKey[tuple[Experiment, Path, Run]] = pytest.StashKey()
_history: pytest.StashKey[Path] = pytest.StashKey()
_known: pytest.StashKey[tuple[Registry, tuple[str, ...]]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARK}(scenario, protocol=None, seeds=range(1)): run a scenario once for each seed; the fixture `outcome` is "
        "what came of it. The scenario is a file, relative to the test file or to rootdir, or a shipped one's name; "
        'the protocol is "raft", "raft/log" or a list of such, and by default those that the scenario names.',
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None:
        return
    if "outcome" not in metafunc.fixturenames:
        if mark in metafunc.definition.own_markers:
            _refuse(metafunc, f"is marked {MARK}, and takes no fixture `outcome`: it would run nothing")
        return
    try:
        asked = inspect.signature(_asked).bind(*mark.args, **mark.kwargs)
        scenario, protocols, seeds = _asked(*asked.args, **asked.kwargs)
    except TypeError as error:
        _refuse(metafunc, f"{MARK}(): {error}")
    from aftershock import siblings

    try:
        siblings.require(*siblings.NAMES)
        found = _experiments(metafunc, scenario, protocols, seeds)
    except (siblings.Hidden, ValueError) as error:
        _refuse(metafunc, str(error))
    metafunc.parametrize("outcome", found, indirect=True, ids=list(_ids(found)))


def _refuse(metafunc: pytest.Metafunc, why: str) -> NoReturn:
    raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {why}")


def _asked(
    scenario: str, protocol: str | Iterable[str] | None = None, seeds: object = range(1)
) -> tuple[str, list[str], list[int]]:
    """The arguments of the mark. Raises TypeError."""
    if not isinstance(scenario, str):
        raise TypeError(f"the scenario is a file or the name of a shipped one, not {scenario!r}")
    protocols = [] if protocol is None else [protocol] if isinstance(protocol, str) else list(protocol)
    if not all(isinstance(name, str) for name in protocols):
        raise TypeError(f'protocol is a name such as "raft/log", or a list of them, not {protocol!r}')
    every = list(seeds) if isinstance(seeds, Iterable) else []
    if not every or not all(type(seed) is int and 0 <= seed <= _LARGEST_SEED for seed in every):
        raise TypeError(f"seeds are several whole numbers from 0 on, such as range(20) or [7], not {seeds!r}")
    return scenario, protocols, list(dict.fromkeys(every))


def _experiments(metafunc: pytest.Metafunc, scenario: str, protocols: list[str], seeds: list[int]) -> list[Experiment]:
    from aftershock.experiment import experiments
    from bench.commands import given
    from bench.registry import Registry

    config = metafunc.config
    if _known not in config.stash:
        plugins = given.plugins((), config.rootpath)
        config.stash[_known] = Registry.load(plugins), plugins
    files = given.files(scenario, (metafunc.definition.path.parent, config.rootpath))
    if len(files) > 1:
        raise ValueError(f"{scenario}: these are {len(files)} scenarios; name one")
    return list(experiments(str(files[0]), protocols, seeds, *config.stash[_known]))


def _ids(experiments: list[Experiment]) -> Iterator[str]:
    """ "raft-seed7"; with the mode where a protocol runs in several."""
    columns = {experiment.column for experiment in experiments}
    for experiment in experiments:
        protocol, _, mode = experiment.column.partition("/")
        alone = sum(column.startswith(f"{protocol}/") for column in columns) == 1
        yield f"{protocol if alone else f'{protocol}-{mode}'}-seed{experiment.seed}"


@pytest.fixture
def outcome(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """What came of one run: `as_expected`, `status`, `verdict(name)`, `history`; `str()` explains it.

    When it is not as expected, its folder is kept below `tmp_path`, and named in the explanation.
    """
    experiment: Experiment | None = getattr(request, "param", None)
    if experiment is None:
        pytest.fail(f"`outcome` comes of a scenario: @pytest.mark.{MARK}(scenario, protocol=…, seeds=…)", pytrace=False)
    from bench.run import Unfit

    try:
        run = experiment.run(trace=False)
    except Unfit as unfit:
        pytest.fail(f"{experiment.case.path}: {experiment.column}: {unfit}", pytrace=False)
    if run:
        # The test may ask for more than what is expected; then the folder is kept when it has failed.
        request.node.stash[_unkept] = experiment, tmp_path, run
    else:
        run = experiment.keep(run, tmp_path / "runs")
    request.node.stash[_outcome] = run
    return run


@pytest.fixture
def recorder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorder]:
    """Records the history of a service of one's own into a file below `tmp_path`; see `checkers.Recorder`."""
    from aftershock import siblings

    siblings.require("checkers")
    from checkers import Recorder

    request.node.stash[_history] = tmp_path / "history.jsonl"
    with Recorder(tmp_path / "history.jsonl") as recorder:
        yield recorder


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Says of a test that failed what came of its run, and where the run or the history is."""
    if call.when == "call" and call.excinfo is not None:
        _explain(call.excinfo, item.stash.get(_outcome, None))
    answer: Any = yield
    report: pytest.TestReport = answer.get_result()
    if report.when != "call" or not report.failed:
        return
    if _unkept in item.stash:
        experiment, folder, run = item.stash[_unkept]
        report.sections.append((MARK, str(experiment.keep(run, folder / "runs"))))
    if _history in item.stash:
        report.sections.append((MARK, f"history: {item.stash[_history]}"))


def _explain(raised: pytest.ExceptionInfo[BaseException], run: Run | None) -> None:
    """Let `assert verdict, verdict` say all of it: of what is no text, pytest shows the repr alone.

    The same goes for an `assert` without a message, and for `outcome`.
    """
    error = raised.value
    message = error.args[0] if isinstance(error, AssertionError) and error.args else None
    if not isinstance(message, str):
        return
    for said in (*(() if run is None else (run,)), *_verdicts(raised)):
        short = repr(said)
        if message.startswith(short):
            error.args = (f"{said}{message.removeprefix(short)}",)
            return
        if short in message:
            error.args = (f"{said}\n{message}",)
            return


def _verdicts(raised: pytest.ExceptionInfo[BaseException]) -> Iterator[Verdict]:
    """Those that were at hand where it failed; pytest keeps what it found on the way in variables of its own."""
    if "checkers.verdict" not in sys.modules:
        return
    from aftershock import siblings

    with contextlib.suppress(siblings.Hidden):  # somebody else's, who has verdicts too
        siblings.require("checkers")
        from checkers import Verdict

        for entry in reversed(raised.traceback):
            yield from (value for value in entry.frame.f_locals.values() if isinstance(value, Verdict))
