"""The synthetic runs of sample.py, by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from reports.subject import Subject


@pytest.fixture(scope="session")
def sample() -> ModuleType:
    """The module sample.py, found by its path: this folder is no package."""
    spec = spec_from_file_location("reports_sample", Path(__file__).with_name("sample.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def run_of(sample: ModuleType) -> Callable[[str], Subject]:
    """The synthetic run of this name, built once."""
    built: dict[str, Subject] = {}

    def run(name: str) -> Subject:
        if name not in built:
            built[name] = sample.SUBJECTS[name]()
        return built[name]

    return run
