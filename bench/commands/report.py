"""``aftershock report``: draw a stored run again, from what its folder holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench import store
from bench.commands.run import replay_line, subject_of
from bench.registry import Registry
from reports import page


def report(run: str, *, out: Path, registry: Registry, plugins: Sequence[str], show: bool, as_json: bool) -> int:
    """Write the charts and the page, print where they are, and return the exit code."""
    folder = store.find(run, out)
    recording, result = store.load(folder, registry)
    with store.writing(folder):
        written = page.write(subject_of(recording, result, replay_line(folder, plugins)), folder)
    if as_json:
        charts = sorted(str(path) for path in (folder / store.CHARTS).glob("*.png"))
        print(json.dumps({"report": str(written), "charts": charts}, indent=2, ensure_ascii=False))
    else:
        print(written)
    if show:
        import webbrowser

        webbrowser.open(written.resolve().as_uri())
    return 0
