"""The page and its charts: written whole, the same each time, self-contained, and never fooled by what a run says."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports import page
from reports.subject import Subject

NAMES = ("valid", "stale", "split", "small", "empty", "nasty")
Runs = Callable[[str], Subject]


@pytest.fixture(scope="module")
def written(run_of: Runs, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    done: dict[str, Path] = {}

    def write(name: str) -> Path:
        if name not in done:
            done[name] = page.write(run_of(name), tmp_path_factory.mktemp(name))
        return done[name]

    return write


class Read(HTMLParser):
    """Tags with their attributes, the texts, and whether every element that was opened was closed."""

    VOID = ("meta", "br", "link", "img", "input")

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("name", NAMES)
def test_every_run_gets_a_whole_page_and_its_charts(name: str, written: Callable[[str], Path]) -> None:
    report = written(name)
    read = Read(report.read_text("utf-8"))
    assert read.open == []
    charts = sorted(path.name for path in (report.parent / "charts").iterdir())
    assert {"anomalies.png", "latency.png", "leaders.png"} <= set(charts)
    assert sum(tag == "svg" for tag, _ in read.tags) == len(charts)
    assert sorted(path.name for path in report.parent.iterdir()) == ["charts", "report.html"]


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_is_a_picture_with_something_on_it(name: str, written: Callable[[str], Path]) -> None:
    from matplotlib.image import imread

    for path in sorted((written(name).parent / "charts").iterdir()):
        pixels = imread(path)
        assert pixels.shape[1] == 1575
        assert pixels.shape[0] > 120
        assert (pixels[..., :3] < 0.6).any(), f"{path.name} shows no ink"
        # Nothing is cut off at the edges.
        for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert (edge[..., :3] > 0.95).all(), f"{path.name} runs over its edge"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fetches_nothing_and_runs_nothing(name: str, written: Callable[[str], Path]) -> None:
    read = Read(written(name).read_text("utf-8"))
    for tag, attributes in read.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed"), tag
        for key, value in attributes.items():
            assert not key.startswith("on"), (tag, key)
            if key in ("src", "href", "xlink:href"):
                assert (value or "").startswith(("#", "data:image/png;base64,")), (tag, value)
    assert "url(http" not in "".join(read.texts)


@pytest.mark.parametrize("name", ["stale", "nasty"])
def test_ids_of_the_drawings_on_one_page_are_unique_and_found(name: str, written: Callable[[str], Path]) -> None:
    read = Read(written(name).read_text("utf-8"))
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {(a.get("xlink:href") or a.get("href") or "#")[1:] for _, a in read.tags} - {""}
    assert used
    assert used <= set(ids)


def test_what_a_run_says_is_text_and_never_markup(written: Callable[[str], Path]) -> None:
    source = written("nasty").read_text("utf-8")
    assert "<script" not in source
    assert "<b>op</b>" not in source
    assert "&lt;script&gt;alert(" in source
    assert "\x1b" not in source
    assert "\u202e" not in source


def test_a_violation_is_told_in_words_in_order_with_the_contradiction_marked(written: Callable[[str], Path]) -> None:
    source = written("stale").read_text("utf-8")
    texts = [text for text in Read(source).texts if text.strip()]
    headline = "r1 read x = 41 from n1, although c1's write of 42 had been acknowledged 351 ms earlier."
    assert headline in texts
    told = [text for text in texts if "answered by" in text]
    assert [text.split(": ")[1].strip() for text in told[:4]] == [
        "write x 41, answered by n1",
        "write x 42, answered by n2",
        "read x -> 42, answered by n4",
        "read x -> 41, answered by n1",
    ]
    assert source.count('<li class="convicts">') == 1
    assert "during cut" in source
    assert "aftershock run partition-leader -p raft/leader-local --seed 0" in texts


def test_the_lattice_is_drawn_with_what_decides_it(written: Callable[[str], Path]) -> None:
    report = written("stale")
    source = report.read_text("utf-8")
    assert "The strongest that hold are cm and ccv." in source
    assert (report.parent / "charts" / "consistency.png").exists()
    label = next(a["aria-label"] or "" for _, a in Read(source).tags if "Among the" in (a.get("aria-label") or ""))
    assert "Here cm, ccv, cc, pram, monotonic-reads" in label
    assert "linearizable, osc(u) fail; sequential are open" in label
    table = source.split("what decides it")[1].split("</table>")[0]
    cells = re.findall(r'<td class="[a-z ]+">(.*?)</td>', table)
    assert cells == ["cm", "holds", "ccv", "holds", "osc(u)", "fails", "sequential", "open"]
    assert "read &amp; write &lt;disagree&gt;" in table


def test_a_run_without_violation_shows_none(written: Callable[[str], Path]) -> None:
    source = written("valid").read_text("utf-8")
    assert "The violation" not in source
    assert "n1 n3 | n2 n4 n5" in source
    assert "Everything heals at 9.000 s" in source


SCRIPT = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("reports_sample", sys.argv[1])
sample = importlib.util.module_from_spec(spec); spec.loader.exec_module(sample)
from reports import lanes, page
out = pathlib.Path(sys.argv[2])
for name in ("stale", "busy", "nasty"):
    run = sample.SUBJECTS[name]()
    page.write(run, out / name)
    lanes.draw_history(run.history, run.judged[0].verdict, out / name / "lanes.html", run.standing)
"""


def test_the_same_run_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    digests = []
    for hash_seed, zone, language in (("1", "UTC", "C.UTF-8"), ("2", "Asia/Kathmandu", "C")):
        out = tmp_path / hash_seed
        environment = dict(os.environ, PYTHONHASHSEED=hash_seed, TZ=zone, LC_ALL=language, PYTHONPATH=str(root))
        command = [sys.executable, "-c", SCRIPT, str(Path(__file__).with_name("sample.py")), str(out)]
        subprocess.run(command, check=True, cwd=tmp_path, env=environment)
        files = sorted(path for path in out.rglob("*") if path.is_file())
        digests.append({str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files})
    assert len(digests[0]) >= 3 * 5
    assert digests[0] == digests[1]


def test_a_page_is_replaced_whole_and_leaves_nothing_beside_it(run_of: Runs, tmp_path: Path) -> None:
    first = page.write(run_of("small"), tmp_path).read_bytes()
    (tmp_path / "report.html").write_text("half")
    assert page.write(run_of("small"), tmp_path).read_bytes() == first
    assert not list(tmp_path.rglob(".*"))


def test_settings_of_the_surrounding_program_do_not_reach_a_chart(run_of: Runs, tmp_path: Path) -> None:
    import matplotlib

    plain = page.write(run_of("small"), tmp_path / "a")
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "savefig.dpi": 10}):
        odd = page.write(run_of("small"), tmp_path / "b")
        assert matplotlib.rcParams["font.size"] == 30
    assert plain.read_bytes() == odd.read_bytes()
    for path in sorted((tmp_path / "a" / "charts").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / "charts" / path.name).read_bytes()


def test_importing_the_reports_loads_nothing_heavy() -> None:
    code = (
        "import sys, reports.page, reports.terminal, reports.lanes, reports.anomalies, reports.witness;"
        "print([name for name in ('pandas', 'matplotlib', 'jinja2', 'rich', 'numba') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
