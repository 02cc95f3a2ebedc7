"""What a mutant of each module has to get past: the oracles on random histories first, then the directed tests.

Histories are drawn, and the oracles asked, once, before any mutant is made: a trial only runs the code under test over
what lies ready. A trial raises, whatever it raises, when something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from itertools import product
from typing import Any

from checkers import History, check, models
from tests.checkers import generate, oracle, sweep, test_versions, test_zones
from tests.checkers.test_versions import Grown
from tests.consistency import subjects, test_proofs
from tests.consistency.generate import ADDS

Trial = Callable[[], object]


# ---- linearizability


@cache
def _cases(model: str) -> list[sweep.Case]:
    return []


def _case(model: str, seed: int) -> sweep.Case:
    cases = _cases(model)
    while len(cases) <= seed:
        cases.append(sweep.drawn(model, len(cases)))
    return cases[seed]


def verdicts(names: tuple[str, ...], histories: int) -> Iterator[Trial]:
    """Verdicts and witnesses, the models in turn."""
    for nth in range(histories):
        case = _case(names[nth % len(names)], nth // len(names))
        yield partial(_verdict, case)


def _verdict(case: sweep.Case) -> None:
    found = sweep.verdict(case)
    if found is not None and not found:
        sweep.witness(case, found)


def searches(names: tuple[str, ...], histories: int, *, compiled: bool = False) -> Iterator[Trial]:
    """Every search of every part."""
    for nth in range(histories):
        case = _case(names[nth % len(names)], nth // len(names))
        yield lambda case=case: sweep.searches(case, compiled=compiled)  # type: ignore[misc]


# ---- the other models


def agreement(*names: str, histories: int) -> Iterator[Trial]:
    """The checkers of these subjects against brute force, in turn."""
    for number in range(histories):
        for name in names:
            drawn = subjects.drawn(name, number)
            yield partial(subjects.judged, drawn)


def explanations(*names: str, histories: int, forced: bool = True) -> Iterator[Trial]:
    """Whether what these say is true."""
    for number in range(histories):
        case = test_proofs.case(number)
        for name in names:
            yield partial(case.explained, name, forced=forced)


def dead_ends(*names: str, histories: int) -> Iterator[Trial]:
    """The same of objects that are no registers."""
    for number in range(histories):
        for model in test_proofs.OBJECTS:
            case = test_proofs.object_case(model, number)
            for name in names:
                yield partial(case.explained, name)


# ---- the tests of the suite


def directed(module: str, *about: str) -> Iterator[Trial]:
    """The tests of a module that need nothing but their parameters; only those with one of these in their names."""
    tests = import_module(module)
    for name, test in list(vars(tests).items()):
        if not name.startswith("test_") or (about and not any(words in name for words in about)):
            continue
        marks = getattr(test, "pytestmark", [])
        if any(mark.name.startswith("skip") for mark in marks) or hasattr(test, "hypothesis"):
            continue
        choices: list[list[dict[str, Any]]] = []
        for mark in marks:
            if mark.name == "parametrize":
                names = mark.args[0].replace(" ", "").split(",") if isinstance(mark.args[0], str) else mark.args[0]
                rows = [(row,) if len(names) == 1 else tuple(row) for row in mark.args[1]]
                choices.append([dict(zip(names, row, strict=True)) for row in rows])
        given = {name for rows in choices for name in (rows[0] if rows else {})}
        code = test.__code__
        if set(code.co_varnames[: code.co_argcount]) != given:
            continue
        for row in product(*choices):
            arguments = {name: value for part in row for name, value in part.items()}
            # By name, and late: the module's tests are looked up after a mutant has taken its place.
            yield lambda name=name, arguments=arguments: getattr(tests, name)(**arguments)  # type: ignore[misc]


_VERDICTS = "tests.consistency.test_verdicts"
_ORDERS = tuple(name for name in subjects.SUBJECTS if name.startswith(("sequential", "osc(u)")))
_CAUSAL = ("cc", "ccv", "cm", "pram")
_SESSIONS = ("read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads")


def _linearizable() -> Iterator[Trial]:
    yield from directed("tests.checkers.test_linearizable")
    yield from directed("tests.checkers.test_explanations")
    yield from verdicts(generate.MODELS, 300)
    yield from directed("tests.checkers.test_history", "touch", "without_a_return", "keeps_the_value", "unknown_to_the")
    yield from directed("tests.checkers.test_budgets", "run_out", "guard", "empty", "observation")


def _explain() -> Iterator[Trial]:
    yield from directed("tests.checkers.test_explanations")
    yield from directed("tests.checkers.test_models", "witness_keeps")
    yield from verdicts(generate.MODELS, 300)


def _search() -> Iterator[Trial]:
    import_module("checkers.compiled")
    yield from directed("tests.checkers.test_compiled", "wherever_both_stop")
    yield from _parts()


def _parts() -> Iterator[Trial]:
    import_module("checkers.compiled")  # now, as the time that numba takes is none of the trials'
    yield from directed("tests.checkers.test_parts")
    yield from directed("tests.checkers.test_looking_ahead")
    yield from directed("tests.checkers.test_explanations")
    yield from searches(generate.MODELS, 150)
    yield from searches(("kv-append", "set"), 240)
    yield from directed("tests.checkers.test_search")
    yield from verdicts(generate.MODELS, 80)
    yield from directed("tests.checkers.test_history", "keeps_the_value", "unknown_to_the")


def _zones() -> Iterator[Trial]:
    yield from directed("tests.checkers.test_explanations")
    yield from directed("tests.checkers.test_linearizable", "changed")
    yield from directed("tests.checkers.test_models", "every_event")
    about = (
        "alone_decide",
        "of_nobody",
        "equal",
        "cas",
        "answered",
        "many_keys",
        "only_wrote",
        "there_first",
        "chains",
    )
    yield from directed("tests.checkers.test_zones", "two_values", "after_it_had", *about)
    yield from verdicts(generate.FAST, 240)
    for seed in range(60):
        for cast in test_zones.CASTS:
            yield _judged(test_zones.at_random(cast, seed), "kv", None)
    for seed in range(20):
        for initial in test_zones.INITIALS:
            for model in generate.FAST:
                history = test_zones.from_initial(model, initial, seed)
                if history is not None:
                    yield _judged(history, model, initial)


def _judged(history: History, model: str, initial: Any) -> Trial:
    """Nothing but the verdict, from any first value."""
    expected = oracle.linearizable(history, model, initial)

    def trial() -> None:
        found = check(history, model=models.by_name(model, initial=initial))
        assert found.outcome == "unknown" or bool(found) == expected, found

    return trial


def _compiled() -> Iterator[Trial]:
    import_module("checkers.compiled")
    yield from directed("tests.checkers.test_compiled")
    yield from directed("tests.checkers.test_looking_ahead", "reset", "asked_about")
    yield from searches(generate.MODELS, 60, compiled=True)


def _sequential() -> Iterator[Trial]:
    yield from directed(_VERDICTS, "no_order_explains", "keys_that", "unanswered_write", "two_things")
    yield from directed("tests.consistency.test_orders")
    yield from explanations("sequential", "osc(u)", histories=60)
    yield from explanations("sequential", "osc(u)", histories=60, forced=False)
    yield from dead_ends("sequential", "osc(u)", histories=40)
    yield from agreement(*_ORDERS, histories=30)
    yield from directed(_VERDICTS, "exhausted_budget")


def _causal() -> Iterator[Trial]:
    yield from directed(_VERDICTS, "reason_for_every", "not_a_read", "two_writers")
    yield from directed("tests.consistency.test_documented", "bouajjani")
    yield from directed("tests.consistency.test_orders")
    yield from directed("tests.consistency.test_circles")
    yield from explanations(*_CAUSAL, "sequential", "osc(u)", histories=150)
    yield from agreement(*_CAUSAL, histories=60)
    yield from agreement("sequential of kv by forced orders", histories=40)


def _session_order() -> Iterator[Trial]:
    yield from directed(_VERDICTS, "reason_for_every", "not_a_read", "two_writers", "unanswered_write", "two_things")
    yield from directed("tests.consistency.test_orders")
    yield from explanations(*_CAUSAL, histories=100)
    yield from agreement(*_CAUSAL, *_SESSIONS, "sequential by forced orders", histories=40)
    yield from agreement("sequential of kv by forced orders", histories=200)


def _versions() -> Iterator[Trial]:
    about = ("longest_order", "left_to_a_search", "versions_decide", "told", "apart", "addition", "circles")
    yield from directed("tests.checkers.test_versions", *about)
    for seed in range(150):
        for model in ADDS:
            case = Grown(model, seed)
            yield from (partial(case.judged, name) for name in test_versions.TRUTH)


def _guarantees() -> Iterator[Trial]:
    yield from directed("tests.consistency.test_session_guarantees")
    yield from directed(_VERDICTS, "two_writers", "not_a_read")
    yield from agreement(*_SESSIONS, histories=120)
    yield from directed(_VERDICTS, "handful")


def _staleness() -> Iterator[Trial]:
    names = [name for name in subjects.SUBJECTS if name.startswith("bounded-staleness")]
    yield from directed("tests.consistency.test_bounded_staleness")
    yield from directed(_VERDICTS, "smallest_t", "stretch_of_time", "future", "without_times", "parameter", "cas_from")
    yield from agreement(*names, histories=150)


def _finals() -> Iterator[Trial]:
    names = [name for name in subjects.SUBJECTS if name.startswith(("eventual", "no-lost-writes"))]
    yield from directed("tests.consistency.test_final_reads")
    yield from directed(_VERDICTS, "replicas_may", "quiescent", "set_full", "converge")
    yield from agreement(*names, histories=100)


def _lattice() -> Iterator[Trial]:
    yield from directed("tests.consistency.test_lattice")
    yield from directed("tests.consistency.test_documented", "strongest", "page_shows")
    yield from directed(_VERDICTS, "known_verdicts", "drawn")


def _model(*names: str) -> Callable[[], Iterator[Trial]]:
    def trials() -> Iterator[Trial]:
        yield from directed("tests.checkers.test_models")
        yield from verdicts(names, 120)
        yield from directed("tests.checkers.test_looking_ahead")

    return trials


TRIALS: dict[str, Callable[[], Iterator[Trial]]] = {
    "linearizable": _linearizable,
    "zones": _zones,
    "search": _search,
    "compiled": _compiled,
    "parts": _parts,
    "explain": _explain,
    "models.register": _model("register", "cas-register", "kv"),
    "models.kv_append": _model("kv-append"),
    "models.list": _model("list"),
    "models.set": _model("set"),
    "models.counter": _model("counter"),
    "models.queue": _model("queue"),
    "models.mutex": _model("mutex"),
    "models.consensus": _model("consensus"),
    "sequential": _sequential,
    "versions": _versions,
    "session_order": _session_order,
    "causal": _causal,
    "session_guarantees": _guarantees,
    "bounded_staleness": _staleness,
    "final_reads": _finals,
    "eventual": _finals,
    "no_lost_writes": _finals,
    "lattice": _lattice,
}
