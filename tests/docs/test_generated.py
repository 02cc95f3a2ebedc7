"""What is generated into docs/ is what the code would generate now; `make docs` writes it again."""

from __future__ import annotations

import json

from bench.registry import Registry
from docs.generate import IMAGES, PICTURES, SCENARIOS, SOURCES, shown
from scenarios.reference import reference


def test_the_page_of_all_scenario_keys_is_current() -> None:
    assert SCENARIOS.read_text(encoding="utf-8") == reference(Registry.load().kinds()), "run make docs"


def test_the_pictures_show_the_run_that_the_code_makes_now() -> None:
    _, made = shown(Registry.load())
    assert json.loads(SOURCES.read_text(encoding="utf-8")) == made, "run make docs"
    for picture in PICTURES:
        assert (IMAGES / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
