"""Whatever is typed: clear lines on standard error, exit code 2, and nothing on disk that was not there before."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from bench.cli import main
from bench.commands import given
from bench.registry import Registry
from tests import unprivileged
from tests.scenarios.mutations import mutations

from .conftest import SHORT, Command

ROOT = Path(__file__).parents[2]
BAD = [
    ("", "Usage"),
    ("juggle", "juggle"),
    ("--juggle", "juggle"),
    ("run", "Missing argument"),
    ("run partition-leeder", 'did you mean "partition-leader"?'),
    ("run qqqq", "aftershock list scenarios"),
    ("run short.tml", "no such file"),
    ("run empty", "no scenario"),
    ("run twins", "the same name"),
    ("run broken.toml", "broken.toml:1:"),
    ("run broken.toml short.toml", "broken.toml:1:"),
    ("run binary.toml", "UTF-8"),
    ("run latest.toml", "'latest'"),
    ("run .hidden.toml", "'.hidden'"),
    ("run short.toml -p rafft", 'did you mean "raft"?'),
    ("run short.toml -p raft/lok", 'did you mean "raft/log"?'),
    ("run short.toml -p raft/", "no mode"),
    ("run short.toml -p raft/qqqq", "it has log, leader-local"),
    ("run short.toml -s cluster.nodez=3", 'did you mean "nodes"?'),
    ("run short.toml -s cluster.nodes", "KEY=VALUE"),
    ("run short.toml -s cluster.nodes=0", "1 to 99"),
    ("run short.toml -s faults.cut.at=-1s", "negative"),
    ("run short.toml -s seed=-1", "seed"),
    ("run short.toml --seed -1", "--seed"),
    ("run short.toml --seed 9223372036854775808", "--seed"),
    ("run short.toml --seed x", "--seed"),
    ("run short.toml --seeds 5-2", "did you mean 2-5?"),
    ("run short.toml --seeds a-b", "FIRST-LAST"),
    ("run short.toml --seeds 7", "FIRST-LAST"),
    ("run short.toml --seeds -1-2", "FIRST-LAST"),
    ("run short.toml --seeds 0-9223372036854775808", "at most"),
    ("run short.toml --seed 1 --seeds 1-2", "exclude"),
    ("run short.toml --workers 0", "--workers"),
    ("run short.toml --out short.toml", "cannot be written"),
    ("run short.toml --out short.toml/runs", "cannot be written"),
    ("run short.toml --plugin nowhere.py", "nowhere.py"),
    ("run short.toml --plugin empty", "empty"),
    ("run short.toml --plugin failing.py", "ZeroDivisionError"),
    ("run short.toml --plugin syntax.py", "syntax.py"),
    ("run short.toml --plugin nothing.py", "defines no"),
    ("run short.toml --plugin raft.py", "already"),
    ("check", "Missing argument"),
    ("check nowhere", "nowhere cannot be read"),
    ("check empty", "no run"),
    ("check short.toml", "short.toml:1:"),
    ("check latest", "no last run"),
    ("check fine.jsonl -c linearisable", "linearizable"),
    ("check fine.jsonl -m regster", "register"),
    ("check fine.jsonl -m kv -m", "-m"),
    ("check test.jepsen", "test.jepsen is Jepsen's binary store; its history.edn"),
    ("check array.json", "array.json:1: this is a JSON array; write one event a line"),
    ("check fine.jsonl --timeout 5", "no unit"),
    ("check fine.jsonl --timeout soon", "no time"),
    ("check fine.jsonl --steps 0", "--steps"),
    ("check fine.jsonl --failed-cas maybe", "--failed-cas"),
    ("check fine.jsonl --html empty/no/page.html", "cannot be written"),
    ("replay nowhere", "no such run"),
    ("replay short.toml", "is a file"),
    ("replay empty", "no run"),
    ("replay latest", "no last run"),
    ("report nowhere", "no such run"),
    ("log nowhere", "no such run"),
    ("log latest --from yesterday", "no time"),
    ("log latest --from 5s --to 1s", "--from is later than --to"),
    ("list everything", "scenarios"),
    ("schema --plugin nowhere.py", "nowhere.py"),
]


@pytest.mark.parametrize(("words", "said"), BAD, ids=[words for words, _ in BAD])
def test_bad_input_is_told_in_lines_and_leaves_nothing_behind(aftershock: Command, words: str, said: str) -> None:
    Path("empty").mkdir()
    Path("empty/.keep").touch()
    for folder in ("twins/a", "twins/b"):
        Path(folder).mkdir(parents=True)
        Path(folder, "twin.toml").write_text(SHORT)
    for name, text in {
        "broken.toml": "duration = [", "latest.toml": SHORT, ".hidden.toml": SHORT, "failing.py": "1 / 0",
        "syntax.py": "def", "nothing.py": "x = 1", "raft.py": "from bench.protocols.raft import PROTOCOL",
        "array.json": '[ {"type":"invoke","process":1,"f":"read","value":null} ]\n',
        "fine.jsonl": '{"type":"invoke","process":1,"f":"read","value":null}\n',
    }.items():  # fmt: skip
        Path(name).write_text(text)
    Path("binary.toml").write_bytes(b"\xff\x00")
    Path("test.jepsen").write_bytes(b"JEPSEN\x00\x01\xff")
    before = sorted(Path().rglob("*"))
    ran = aftershock(*words.split())
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "Traceback" not in ran.err
    after = [path for path in sorted(Path().rglob("*")) if "__pycache__" not in path.parts]
    assert after == before


def test_a_store_that_is_closed_to_us_is_refused_before_anything_is_run(aftershock: Command, tmp_path: Path) -> None:
    Path("runs").mkdir(mode=0o555)
    words = [sys.executable, "-m", "aftershock", "run", "short.toml"]
    ran = unprivileged.run(words, tmp_path, {**os.environ, "PYTHONPATH": str(ROOT)})
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "runs cannot be written: permission denied\n"


def test_a_store_that_breaks_half_way_is_told_in_one_line(
    aftershock: Command, acquitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (acquitted / "results.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(5, "Input/output error", "history.jsonl")

    monkeypatch.setattr("checkers.history.History.dump", full)
    ran = aftershock("run", "short.toml", "-p", "raft/log", "-s", "workload.rate=10/s")
    assert (ran.code, ran.err) == (2, "history.jsonl cannot be written: input/output error\n")
    assert (acquitted / "results.json").read_bytes() == before
    assert [path.name for path in acquitted.parent.iterdir()] == ["0"]


def test_what_a_protocol_does_not_serve_is_refused_and_the_others_are_run(aftershock: Command, undrawn: None) -> None:
    Path("deaf.py").write_text(
        '"""Deaf."""\nfrom dataclasses import replace\nfrom bench.protocols.raft import PROTOCOL as RAFT\n'
        'PROTOCOL = replace(RAFT, operations=frozenset({"read"}))\n'
    )
    ran = aftershock("run", "short.toml", "--plugin", "deaf.py", "-p", "deaf/log", "-p", "raft/log")
    assert ran.code == 2
    assert ran.err == "short.toml: deaf/log: deaf knows no cas, write: it serves read\n"
    assert "as expected." in ran.out
    assert not Path("runs/short/deaf").exists()


@pytest.mark.parametrize("name", sorted(given.shipped()))
def test_hundreds_of_mutations_of_a_shipped_scenario_end_in_an_answer(
    name: str, tmp_path: Path, undrawn: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry.load()
    monkeypatch.setattr(Registry, "load", lambda _: registry)
    # A hundredth of the time: what still decodes is run and judged, and most of it is over before a leader is elected.
    text = given.shipped()[name].read_text()
    finer = {"s": "ms", "ms": "us"}
    text = re.sub(r"\b([0-9]+(?:\.[0-9]+)?)(m?s)\b", lambda found: f"{float(found[1]) * 10:g}{finer[found[2]]}", text)
    path = tmp_path / "mutated.toml"
    words = ["run", str(path), "--out", str(tmp_path / "runs"), "-s", "events-max=500"]
    codes = set()
    for mutated in mutations(text, seed=len(name), count=120):
        path.write_bytes(mutated.encode("utf-8", "surrogatepass"))
        code = main(words, version="1.2.3")
        err = capfd.readouterr().err
        assert code in (0, 1, 2, 3)
        assert bool(err) == (code == 2), f"{mutated}\n{err}"
        codes.add(code)
    assert 2 in codes
    assert codes & {0, 1, 3}
