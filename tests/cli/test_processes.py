"""The command in processes of its own: the same bytes whatever surrounds it, and quick to say how it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import SHORT

ROOT = Path(__file__).parents[2]
SURROUNDINGS = [
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8"},
    {"PYTHONHASHSEED": "99", "TZ": "America/St_Johns", "LC_ALL": "de_DE.ISO-8859-1", "PYTHONUTF8": "0"},
]


def command(folder: Path, *words: str, **surroundings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **surroundings, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "aftershock", *words]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_a_seed_is_one_run_in_any_process(tmp_path: Path) -> None:
    (tmp_path / "short.toml").write_text(SHORT)
    found: list[dict[str, bytes]] = []
    for number, surroundings in enumerate(SURROUNDINGS):
        ran = command(
            tmp_path,
            "run",
            "short.toml",
            "-p",
            "raft/leader-local",
            "--no-report",
            "--out",
            str(number),
            **surroundings,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        folder = tmp_path / str(number) / "latest"
        found.append({path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".jsonl", ".gz")})
        found[-1] |= {name: (folder / name).read_bytes() for name in ("scenario.toml", "results.json")}
    assert len(found[0]) == 6
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["check", "--version"]])
def test_help_loads_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    program = f"import sys; sys.argv = ['aftershock', *{words}]\nfrom aftershock.__main__ import main\ncode = main()\n"
    program += "heavy = {'numpy', 'simpy', 'msgspec', 'networkx', 'pandas', 'matplotlib', 'numba', 'rich', 'tomlkit'}\n"
    program += "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\nsys.exit(code)"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "[]\n")
    assert "aftershock" in ran.stdout


def test_help_needs_less_than_a_third_of_a_second_of_processor_time(tmp_path: Path) -> None:
    import resource

    command(tmp_path, "--help")  # compiles what is imported
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert command(tmp_path, "--help").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


def test_pictures_wait_until_there_is_something_to_draw(tmp_path: Path) -> None:
    (tmp_path / "h.jsonl").write_text('{"type":"invoke","process":1,"f":"read","value":null}\n')
    program = "import sys; sys.argv = ['aftershock', 'check', 'h.jsonl']\n"
    program += "from aftershock.__main__ import main\nmain()\n"
    program += "print(sorted({'pandas', 'matplotlib', 'simpy', 'numba', 'tomlkit'} & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert ran.stdout.splitlines()[-1] == "[]"


def test_a_reader_who_has_seen_enough_ends_the_log_quietly(tmp_path: Path) -> None:
    (tmp_path / "short.toml").write_text(SHORT)
    assert command(tmp_path, "run", "short.toml", "-p", "raft/log", "--no-report").returncode == 0
    words = [sys.executable, "-m", "aftershock", "log", "latest"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert log.stdout is not None
    assert log.stderr is not None
    log.stdout.readline()
    log.stdout.close()
    with log.stderr as errors:
        assert errors.read() == b""
    assert log.wait(timeout=30) == 141
