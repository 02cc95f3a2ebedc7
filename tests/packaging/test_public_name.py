"""The public name: what it offers exists, and the metadata agrees with what is shipped."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import metadata

import pytest

import aftershock
from bench.registry import Registry
from scenarios.reference import reference

from .conftest import ROOT


@pytest.mark.parametrize("name", aftershock.__all__)
def test_every_public_name_resolves_to_something_documented(name: str) -> None:
    assert getattr(aftershock, name).__doc__
    assert name in dir(aftershock)


def test_a_name_that_is_not_offered_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        aftershock.chekc  # type: ignore[attr-defined]  # noqa: B018


def test_run_judges_a_shipped_scenario_and_one_seed_is_one_history() -> None:
    run, again = (aftershock.run("partition-leader", "raft/leader-local", seed=0) for _ in range(2))
    assert run, run
    assert run.verdict("linearizable").outcome == "invalid"
    assert "although c3's write of 80" in str(run)
    assert run.history == again.history


@pytest.mark.parametrize(
    ("scenario", "protocol", "message"),
    [
        ("partition-leeder", None, 'did you mean "partition-leader"'),
        ("partition-leader", "raft/lok", 'did you mean "raft/log"'),
        ("mutants", None, "name one"),
    ],
)
def test_run_refuses_what_does_not_exist_and_names_the_nearest(
    scenario: str, protocol: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        aftershock.run(scenario, protocol)


def test_the_page_of_scenario_keys_is_what_make_docs_would_write() -> None:
    current = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8") == reference(Registry.load().kinds())
    assert current, "docs/scenarios.md is out of date: make docs"


def test_the_metadata_carries_the_version_and_the_licence() -> None:
    found = metadata("aftershock")
    assert found["Version"] == aftershock.__version__
    assert found["License-Expression"] == "MIT"


def test_the_supported_pythons_are_those_of_the_classifiers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = [name.rpartition(" ")[2] for name in project["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert project["requires-python"] == f">={versions[0]}"


def test_every_local_link_and_picture_of_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\(([^)\s#]+)", text) + re.findall(r'(?:src|href)="([^"#]+)"', text)
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_the_makefile_documents_each_of_its_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    offered = set(re.findall(r"make ([\w-]+) ", makefile))
    phony = set(re.findall(r"^\.PHONY:(.*)$", makefile, re.MULTILINE)[0].split())
    assert phony - {"help", "python", "unfit"} == offered & phony
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in phony - {"unfit"})
