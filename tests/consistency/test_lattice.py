"""Where a history stands: what one verdict decides, what it does not, and how it is told."""

from __future__ import annotations

import pytest

from checkers import History, check
from checkers.lattice import APART, Standing, models, stronger, strongest, weaker
from checkers.verdict import Outcome, Verdict
from tests.consistency.diagrams import drawn

STORE_BUFFER = "a: [x=1]  [y?-]\nb: [y=1]  [x?-]"
FUTURE = "a: [x?1]  [x=1]"  # a session reads what it writes only later: nothing holds but the loosest
NOTHING = "a: [x=1]  [x?-]  [x?7]"


def _stands(picture: str) -> Standing:
    return strongest(drawn(picture), "kv")


@pytest.mark.parametrize("picture", [STORE_BUFFER, FUTURE, NOTHING, "a: [x=1] [x?1]", "a: [x=1] [x=1] [x?1]"])
def test_a_standing_says_of_every_model_what_its_own_checker_says(picture: str) -> None:
    history = drawn(picture)
    standing = strongest(history, "kv")
    for name in models():
        verdict = check(history, name, "kv")
        if verdict.outcome is Outcome.UNKNOWN:  # another model may decide it all the same
            continue
        assert standing.outcome(name) is verdict.outcome
        if name in standing.because:
            by = standing.because[name]
            assert by in (stronger(name) if verdict else weaker(name))
            assert standing.outcome(by) is verdict.outcome
            assert standing.why(name) == f"as {by} {'holds' if verdict else 'fails'}"
        else:
            assert standing.why(name) == verdict.reason


def test_what_stands_is_told_a_line_per_model() -> None:
    told = str(strongest(drawn(STORE_BUFFER), "kv")).splitlines()
    assert told[0] == "strongest: cm, ccv"
    assert "  holds     cm                   4 operations in 2 sessions" in told
    apart = strongest(drawn(STORE_BUFFER), "kv").apart["eventual"]
    assert f"  unknown   eventual             {apart.reason}" in told
    assert len(told) == 1 + len(models()) + len(APART)
    assert str(_stands(NOTHING)).startswith("strongest: none of these models holds\n  fails     linearizable")


def _as(outcome: Outcome) -> Verdict:
    return Verdict(outcome=outcome, checker="somebody", reason=f"somebody says {outcome}")


def test_what_is_unknown_decides_nothing_else() -> None:
    history = drawn(STORE_BUFFER)
    for name in models():
        standing = strongest(history, "kv", known={name: _as(Outcome.UNKNOWN)})
        plain = strongest(history, "kv")
        for other in models():
            if other != name:
                assert standing.outcome(other) is plain.outcome(other)


def test_what_is_known_is_not_judged_again_nor_forgotten_for_what_is_not() -> None:
    unknown, valid = _as(Outcome.UNKNOWN), _as(Outcome.VALID)
    alone = strongest(drawn(STORE_BUFFER), "kv", known={"cm": unknown})
    assert alone.undecided == ("cm",)
    assert alone.verdicts["cm"] is unknown
    history = drawn("a: [x=1] [x?1]")
    for known in ({"osc(u)": valid, "cm": unknown}, {"cm": unknown, "osc(u)": valid}):
        standing = strongest(history, "kv", known=known)
        assert standing.outcome("cm") is Outcome.VALID
        assert standing.because["cm"] == "osc(u)"
    both = strongest(history, "kv", known={"osc(u)": valid, "cm": valid})
    assert both.verdicts["cm"] is both.verdicts["osc(u)"] is valid


def test_models_apart_are_judged_unless_that_is_not_wanted_or_they_are_known() -> None:
    history, known = drawn("a: [x=1] [x?1]"), {"eventual": _as(Outcome.VALID)}
    assert tuple(strongest(history, "kv").apart) == APART
    assert strongest(history, "kv", apart=False).apart == {}
    assert strongest(history, "kv", apart=False, known=known).apart == known
    every = strongest(history, "kv", known=known).apart
    assert tuple(every) == APART
    assert every["eventual"] is known["eventual"]
    assert every["bounded-staleness"].checker == "bounded-staleness"


def test_the_model_is_the_one_that_is_named_or_else_inferred() -> None:
    history = drawn("a: [x=1] [x?1]").filter(key="x")
    for name in ("kv", "cas-register", None):
        standing = strongest(history, name)
        told = {verdict.details["model"] for verdict in standing.verdicts.values()}
        assert told == {name or check(history).details["model"]}


def test_an_empty_history_stands_nowhere() -> None:
    standing = strongest(History.from_events([]))
    assert standing.undecided == models()
    assert standing.strongest == ()
    assert "the history has no operations" in str(standing)
