"""Files: what is written can be read, foreign files are understood, malformed ones get one line that says where."""

from __future__ import annotations

import io
import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers import BadHistory, History, check
from tests.checkers import generate

LINES = (
    b'{"index":0,"time":10,"type":"invoke","process":0,"f":"write","key":"x","value":1}\n'
    b'{"index":1,"time":20,"type":"info","process":"nemesis","f":"cut","value":["n1"]}\n'
    b'{"index":2,"time":30,"type":"ok","process":0,"session":0,"node":"n1","f":"write","key":"x","value":1}\n'
)


def histories() -> list[History]:
    found = []
    for seed in range(40):
        for model in generate.MODELS:
            random = Random(f"format-{model}-{seed}")
            found.append(generate.history(random, generate.shape(random, model)))
    return found


def test_json_lines_come_back_as_they_were(tmp_path: Path) -> None:
    for history in histories():
        history.dump(tmp_path / "h.jsonl")
        again = History.load(tmp_path / "h.jsonl")
        assert again == history
        again.dump(tmp_path / "again.jsonl")
        assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "h.jsonl").read_bytes()


def _events_of(history: History, calls: set[int]) -> set[int]:
    """The indices of both events of these operations."""
    ops = [op for op in history.operations() if op.index in calls]
    return {op.index for op in ops} | {op.return_index for op in ops if op.return_index is not None}


def test_edn_keeps_the_verdict_unless_a_refused_cas_becomes_a_failure(tmp_path: Path) -> None:
    for seed in range(200):
        model = generate.MODELS[seed % len(generate.MODELS)]
        random = Random(f"edn-{seed}")
        history = generate.history(random, generate.shape(random, model))
        history.dump(tmp_path / "h.edn")
        again = History.load(tmp_path / "h.edn", failed_cas="observed")
        kept = history.filter(lambda op: not (op.f == "cas" and op.type == "fail"))
        expected = check(kept, model=model).outcome
        failed = {op.index for op in history.operations() if op.type == "fail" and op.f == "cas"}
        again = History.from_events([event for event in again if event.index not in _events_of(history, failed)])
        assert check(again, model=model).outcome == expected, seed


def test_faults_are_events_of_the_nemesis() -> None:
    history = History.load(LINES)
    assert [event.f for event in history.nemesis()] == ["cut"]
    assert len(history.operations()) == 1
    assert history.operations()[0].node == "n1"


def test_a_stream_is_read_like_a_file() -> None:
    assert History.load(io.BytesIO(LINES)) == History.load(LINES)


def test_edn_in_one_vector_with_comments_tags_sets_and_ratios() -> None:
    text = b"""; a comment
    [{:process 0, :type :invoke, :f :write, :value 3, :time 1/2, :extra #{1 2}}
     #jepsen.history.Op{:process 0, :type :ok, :f :write, :value 3 #_ ignored}
     {:process :nemesis, :type :info, :f :start, :value "cut \\"n1\\""}]"""
    with pytest.raises(BadHistory, match=r"input:2: "):  # a ratio is no time
        History.load(text)
    history = History.load(text.replace(b"1/2", b"12"))
    assert [op.value for op in history.operations()] == [3]
    assert history.nemesis()[0].value == 'cut "n1"'


def test_independent_keys_of_edn_are_split() -> None:
    text = b"""{:process 0, :type :invoke, :f :cas, :value ["x" [1 2]]}
{:process 1, :type :invoke, :f :read, :value ["y" nil]}
{:process 1, :type :ok, :f :read, :value ["y" 4]}
{:process 0, :type :info, :f :cas, :value :timed-out}"""
    cas, read = History.load(text).operations()
    assert (cas.key, cas.value, cas.type) == ("x", [1, 2], "info")
    assert (read.key, read.value) == ("y", 4)


def test_a_cas_pair_is_not_mistaken_for_a_key() -> None:
    text = b"{:process 0, :type :invoke, :f :cas, :value [1 2]}\n{:process 0, :type :ok, :f :cas, :value [1 2]}"
    (cas,) = History.load(text).operations()
    assert (cas.key, cas.value) == (None, [1, 2])


def test_a_jepsen_log_is_read_between_other_lines() -> None:
    text = (
        b"INFO  jepsen.core - Everything is set up\n"
        b"INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n"
        b"INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n"
        b"INFO  jepsen.util - 0\t:info\t:cas\t:timed-out\n"
    )
    history = History.load(text)
    (cas,) = history.operations()
    assert (cas.type, cas.value, cas.error) == ("info", [1, 2], ":timed-out")
    assert len(history.nemesis()) == 1


READ = b'{"type":"invoke","process":0,"f":"read"}\n'
MALFORMED = {
    b'{"type":"invoke","process":0,"f":"read"}\n\n{"type":"okay","process":0,"f":"read"}\n': r"bad:3: .*okay",
    b'{"type":"invoke","process":0,"f":"read"}\n{"type":"ok",\n': r"bad:2: ",
    b'{"type":"ok","process":0,"f":"read"}\n': r"bad:1: ok of process 0 without an invoke",
    READ + READ: r"bad:2: process 0 invokes again",
    READ.replace(b"{", b'{"index":1,') * 2: r"bad:2: index 1",
    READ.replace(b"{", b'{"index":1,') + READ: r"bad:2: it has no index",
    b"{:process 0, :type :invoke}\n": r"bad:1: the event has no :f",
    b"{:process 0, :type :invoke, :f :read}\n{:process 0 :type :ok :f": r"bad:2: '\{' is never closed",
    b"[{:process 0, :type :invoke, :f :read}\n 17]": r"bad:2: expected a map",
    b"{:a 1 :b}": r"bad:1: a map needs a value for every key",
    b"INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2\n": r"bad:1: ",
    b"what is this?\n": r"bad:1: ",
}


@pytest.mark.parametrize("data", MALFORMED)
def test_a_malformed_file_gets_one_line_with_file_and_line(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_bytes(data)
    with pytest.raises(BadHistory, match=MALFORMED[data]) as caught:
        History.load(path)
    assert "\n" not in str(caught.value)


_EDN_WORDS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"#{",
    b":type",
    b":invoke",
    b":ok",
    b":process",
    b":f",
    b":read",
    b"0",
    b"nil",
    b'"',
    b" ",
    b"\n",
    b"#_",
    b"\\",
    b"^",
]


@given(st.lists(st.sampled_from(_EDN_WORDS), max_size=30), st.binary(max_size=20))
def test_no_bytes_make_a_reader_fail_otherwise(words: list[bytes], rest: bytes) -> None:
    for data in (b"".join(words) + rest, rest + b" ".join(words), LINES + rest):
        assert re.fullmatch(r"|input(:\d+)?: .*", refusal(data))


def refusal(data: bytes) -> str:
    """What the reader says of these bytes, nothing if it reads them."""
    try:
        History.load(data)
    except BadHistory as bad:
        return str(bad)
    return ""


@given(st.integers(0, len(LINES) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(place: int, byte: int) -> None:
    data = LINES[:place] + bytes([byte]) + LINES[place + 1 :]
    assert re.fullmatch(r"|input:\d+: .*", refusal(data))
