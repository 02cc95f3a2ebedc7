"""Histories recorded by others, whose verdicts are known."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import pytest

from checkers import History, check

SHARED = Path(__file__).resolve().parents[3] / "shared" / "histories"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared histories are not here")


def etcd() -> list[tuple[str, str]]:
    table = SHARED / "etcd-jepsen" / "verdicts.tsv"
    if not table.exists():
        return []
    with table.open() as lines:
        return [(row[0], row[1]) for row in list(csv.reader(lines, delimiter="\t"))[1:]]


@pytest.mark.parametrize("reading", ["dropped", "observed"])
def test_every_etcd_log_has_its_verdict_however_failed_cas_are_read(reading: Literal["dropped", "observed"]) -> None:
    for name, verdict in etcd():
        history = History.load(SHARED / "etcd-jepsen" / name, failed_cas=reading)
        assert check(history, model="cas-register").outcome == verdict, name


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_every_knossos_history_has_its_verdict(kind: str) -> None:
    paths = sorted((SHARED / "knossos" / "cas-register" / kind).glob("*.edn"))
    assert paths
    for path in paths:
        verdict = check(History.load(path), model="cas-register")
        if verdict.outcome == "unknown":  # two of them hold nothing that was answered
            assert not any(op.type == "ok" for op in History.load(path).operations()), path.name
        else:
            assert verdict.outcome == ("valid" if kind == "good" else "invalid"), path.name


def test_every_key_value_log_has_its_verdict() -> None:
    paths = sorted((SHARED / "kv").glob("*.txt"))
    assert paths
    for path in paths:
        verdict = check(History.load(path), model="kv-append")
        assert verdict.outcome == ("valid" if path.stem.endswith("-ok") else "invalid"), path.name
