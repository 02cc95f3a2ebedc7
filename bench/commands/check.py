"""``aftershock check``: judge a history from anywhere, in any of the formats that `checkers` reads."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from bench.commands import AS_EXPECTED, DIFFERS, UNDECIDED, BadUsage, merged
from checkers import BadHistory, History, Operation, Outcome, Verdict, infer_model
from checkers import check as judge
from checkers.consistency import requested
from checkers.lattice import Standing
from reports.proof import headline
from reports.words import plain, told

CODES = {Outcome.VALID: AS_EXPECTED, Outcome.INVALID: DIFFERS, Outcome.UNKNOWN: UNDECIDED}
LATEST, HISTORY = "latest", "history.jsonl"
WIDTH = 80  # characters of a line of prose


def check(
    source: str,
    *,
    consistencies: Sequence[str],
    model: str | None,
    timeout: float,
    steps: int | None,
    failed_cas: Literal["dropped", "observed"],
    out: Path,
    html: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Judge one history by each consistency, print the verdicts, and return the exit code.

    Without a consistency, say which of all models hold.
    """
    history = _load(source, out, failed_cas)
    chosen, because = _model(history, model)
    if not consistencies:
        return _strongest(source, history, chosen, because, steps, timeout, html=html, as_json=as_json)
    asked = [_asked(word) for word in dict.fromkeys(consistencies)]
    try:
        verdicts = [
            judge(history, consistency, model=chosen, steps=steps, timeout=timeout, **parameters)
            for consistency, parameters in asked
        ]
    except BadHistory:
        raise
    except ValueError as error:  # a consistency, a parameter or a model that does not exist, or cannot be so
        raise BadUsage(str(error)) from None
    if html is not None:
        _draw(history, verdicts, html)
    if as_json:
        document = {
            "history": source,
            "operations": len(history.invocations),
            "model": chosen,
            "verdicts": [_builtins(verdict) for verdict in verdicts],
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        shown = [verdict for verdict in verdicts if not (quiet and verdict)]
        if shown:
            print(f"{source}  {len(history.invocations):,} operations  model {chosen or 'none'}{because}")
        wide = max((len(verdict.checker) + 3 for verdict in shown), default=0)
        for verdict in shown:
            print("\n".join(_words(verdict, max(wide, 15))))
    return merged(CODES[verdict.outcome] for verdict in verdicts)


def _asked(word: str) -> tuple[str, dict[str, Any]]:
    """A consistency and its parameters, from "bounded-staleness:t=50ms,k=2". Raises `BadUsage`."""
    try:
        return requested(word)
    except ValueError as error:
        raise BadUsage(f"-c {word}: {error}") from None


def _strongest(
    source: str,
    history: History,
    model: str | None,
    because: str,
    steps: int | None,
    timeout: float,
    *,
    html: str | None,
    as_json: bool,
) -> int:
    from checkers.lattice import models, strongest

    try:
        standing = strongest(history, model, steps=steps, timeout=timeout)
    except BadHistory:
        raise
    except ValueError as error:  # a model that does not exist
        raise BadUsage(str(error)) from None
    if html is not None:
        own = sorted(standing.verdicts.items(), key=lambda item: models().index(item[0]))
        _draw(history, [verdict for _, verdict in own], html, standing)
    if as_json:
        document = {"history": source, "operations": len(history.invocations), "model": model}
        print(json.dumps(document | _builtins(standing), indent=2, ensure_ascii=False))
    else:
        print(f"{source}  {len(history.invocations):,} operations  model {model or 'none'}{because}")
        print("\n".join(plain(line) for line in str(standing).splitlines()))
    return UNDECIDED if standing.undecided else AS_EXPECTED


def _load(source: str, out: Path, failed_cas: Literal["dropped", "observed"]) -> History:
    path: str | Path = source
    if source == LATEST and not Path(source).exists():
        from bench import store

        path = store.find(source, out)
    if source != "-" and Path(path).is_dir():
        path = Path(path) / HISTORY
        if not path.is_file():
            raise BadUsage(f"{path.parent} is no run: it has no {HISTORY}")
    try:
        return History.load(path, failed_cas=failed_cas)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadUsage(f"{path} cannot be read: {reason}") from None


def _model(history: History, model: str | None) -> tuple[str | None, str]:
    """The model by name, and why this one."""
    if model is not None:
        return model, ""
    if not len(history.invocations) or "txn" in history.f.table:
        return None, ""  # nothing to infer from; what `check` says of it needs no model
    inferred = infer_model(history)
    return str(inferred), f" ({inferred.reason})"


def _draw(history: History, verdicts: Sequence[Verdict], html: str, standing: Standing | None = None) -> None:
    """A page of the verdict that most needs one, the first of those."""
    from reports.lanes import draw_history

    worst = max(verdicts, key=lambda verdict: (Outcome.VALID, Outcome.UNKNOWN, Outcome.INVALID).index(verdict.outcome))
    path = Path(html, "report.html") if os.path.isdir(html) else Path(html)
    try:
        draw_history(history, worst, path, standing)
    except OSError as error:
        raise BadUsage(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from None


def _words(verdict: Verdict, wide: int) -> list[str]:
    """The verdict, its reason, and the operations that prove it."""
    reason = headline(verdict) or verdict.reason
    if not verdict.reproducible:
        reason += " (a guard of time or memory fired: another machine may find out)"
    first, *rest = textwrap.wrap(plain(reason), WIDTH, break_on_hyphens=False) or [""]
    head = f"  {verdict.checker:<{wide}}{verdict.outcome:<9}"
    proof = (told(item) if isinstance(item, Operation) else plain(str(item)) for item in verdict.witness)
    return [head + first, *(" " * len(head) + line for line in rest), *(f"      {line}" for line in proof)]


def _builtins(value: msgspec.Struct) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value, enc_hook=str)
    return plain
