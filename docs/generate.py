"""Writes the parts of the documentation that come out of the code: docs/scenarios.md and the pictures in docs/images.

    python -m docs.generate

A picture is drawn from one run. Fonts and versions of the drawing library change its bytes, so what is committed beside
it, and compared by the tests, is a digest of what it shows: the run's history and observations.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from bench.commands.run import subject_of
from bench.registry import Registry
from bench.run import execute, judge, plan
from reports import page
from reports.subject import Subject
from scenarios.decode import load
from scenarios.reference import reference

DOCS = Path(__file__).parent
SCENARIOS = DOCS / "scenarios.md"
IMAGES = DOCS / "images"
SOURCES = IMAGES / "sources.json"
PICTURES = {"stale-read": "witness-linearizable", "latency": "latency", "leaders": "leaders", "anomalies": "anomalies"}


def shown(registry: Registry) -> tuple[Subject, dict[str, str]]:
    """The run that the pictures show, and what it is made of."""
    path = DOCS.parent / "scenarios" / "partition-leader.toml"
    planned = plan(path.stem, load(path, registry.kinds()), "raft/leader-local", 0, registry)
    recording = execute(planned, registry)
    replay = f"aftershock replay runs/{path.stem}/raft/leader-local/0"
    with tempfile.TemporaryDirectory() as folder:
        recording.history.dump(Path(folder, "history.jsonl"))
        recording.observations.dump(Path(folder, "observations.jsonl"))
        digests = {
            name: hashlib.sha256(Path(folder, f"{name}.jsonl").read_bytes()).hexdigest()
            for name in ("history", "observations")
        }
    made = {"scenario": path.stem, "protocol": "raft/leader-local", "seed": "0", **digests}
    return subject_of(recording, judge(recording, registry), replay), made


def main() -> None:
    registry = Registry.load()
    SCENARIOS.write_text(reference(registry.kinds()), encoding="utf-8")
    subject, made = shown(registry)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page.write(subject, Path(folder))
        for picture, chart in PICTURES.items():
            shutil.copyfile(Path(folder, "charts", f"{chart}.png"), IMAGES / f"{picture}.png")
    SOURCES.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    for path in (SCENARIOS, *(IMAGES / f"{picture}.png" for picture in PICTURES), SOURCES):
        print(path.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
