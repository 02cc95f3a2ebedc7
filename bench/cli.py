"""The command line: words in, exit code out. What the commands do is in `bench.commands`, imported when one is run.

0 all as expected; 1 a verdict differs from what was expected; 2 bad usage or bad input; 3 undecided. Interrupts,
closed pipes and failures of Aftershock itself are answered for by `aftershock.__main__`.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from bench.commands.publish import Outputs
    from bench.commands.run import Settings
    from bench.registry import Registry

LISTS = ("scenarios", "protocols", "mutants", "faults", "workloads", "models", "checkers")
_BAD_INPUT = 2
_F = TypeVar("_F", bound=Callable[..., Any])


def main(words: Sequence[str] | None = None, *, version: str) -> int:
    """Run one command line (default: the process's) and return its exit code; what is no answer to it is raised."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter is no reason to fail
    try:
        # Not click's own main: it swallows interrupts and closed pipes.
        with aftershock.make_context(
            "aftershock", list(sys.argv[1:] if words is None else words), obj=version
        ) as context:
            return int(aftershock.invoke(context) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return _BAD_INPUT
    except click.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        if not _is_bad_input(error):
            raise
        for line in str(error).split("\n"):
            print("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line), file=sys.stderr)
        return _BAD_INPUT


def _is_bad_input(error: Exception) -> bool:
    """Whether this is the input's fault, said in lines that stand for themselves."""
    if not isinstance(error, ValueError):
        return False
    from bench.commands import BadUsage
    from bench.registry import BadPlugin
    from bench.run import Unfit
    from bench.store import BadRun
    from checkers import BadHistory
    from scenarios.problems import BadScenario

    return isinstance(error, (BadUsage, BadPlugin, Unfit, BadRun, BadHistory, BadScenario))


# --------------------------------------------------------------------------------------------- options of many commands


def _say_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(f"aftershock {context.find_root().obj}")
        context.exit()


_version = click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_say_version, help="Print the version."
)
_quiet = click.option("-q", "--quiet", is_flag=True, help="Print only what is not as expected; no progress.")


def _everywhere(command: _F) -> _F:
    return _version(_quiet(command))


_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else on stdout.")
_out = click.option(
    "--out", type=click.Path(path_type=Path), default="runs", show_default=True, help="The folder that holds all runs."
)
_plugins = click.option(
    "--plugin", "plugins", multiple=True, metavar="FILE", help="A Python file with protocols, faults or workloads."
)
_run = click.argument("run", metavar="RUN")
_junit = click.option("--junit", type=click.Path(path_type=Path), metavar="OUT", help="Write JUnit XML to this file.")
_markdown = click.option(
    "--markdown", type=click.Path(path_type=Path), metavar="OUT", help="Write a Markdown summary to this file."
)
_github = click.option("--github", is_flag=True, help="Annotate a GitHub workflow, and add to its job's summary.")
_workers = click.option("--workers", type=click.IntRange(1, 999), help="Processes; by default one per processor.")
_scheduler = click.option("--scheduler", metavar="ADDRESS", help="Run on a Dask cluster, such as tcp://host:8786.")


def _running(command: Callable[..., int]) -> Callable[..., int]:
    """The options of a command that runs many things, which is handed them as ``settings`` and ``outputs``."""

    @click.pass_obj
    @functools.wraps(command)
    def collected(
        version: str,
        /,
        *,
        junit: Path | None,
        markdown: Path | None,
        github: bool,
        out: Path,
        plugins: tuple[str, ...],
        as_json: bool,
        quiet: bool,
        **others: Any,
    ) -> int:
        from bench.commands import BadUsage
        from bench.commands.publish import Outputs
        from bench.commands.run import Settings

        if others["workers"] is not None and others["scheduler"] is not None:
            raise BadUsage("--workers and --scheduler exclude each other: a cluster is as wide as it is")
        registry, files = _registry(plugins)
        settings = Settings(
            registry=registry,
            plugins=files,
            named_plugins=plugins,
            out=out,
            trace=True,
            draw=True,
            quiet=quiet,
            version=version,
            command=("aftershock", *sys.argv[1:]),
        )
        outputs = Outputs(junit=junit, markdown=markdown, github=github, as_json=as_json)
        return command(settings=settings, outputs=outputs, **others)

    decorated: Callable[..., int] = collected
    for option in (_everywhere, _json, _plugins, _out, _github, _markdown, _junit, _scheduler, _workers):
        decorated = option(decorated)
    return decorated


def _nanoseconds(context: click.Context, option: click.Parameter, written: str | None) -> int | None:
    """A time such as "150ms" or "2s"."""
    from scenarios.units import Duration, Misread

    try:
        return None if written is None else Duration.parse(written) * 1000
    except Misread as wrong:
        raise click.BadParameter(str(wrong), context, option) from None


def _registry(plugins: Sequence[str]) -> tuple[Registry, tuple[str, ...]]:
    """Everything that can be named, and the plugins that it was loaded with, as absolute paths."""
    from bench.commands import given
    from bench.registry import Registry

    files = given.plugins(plugins)
    return Registry.load(files), files


# ------------------------------------------------------------------------------------------------------------- commands


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 as expected, 1 a verdict differs from what was expected, 2 bad usage or input, 3 undecided.",
)
@_version
def aftershock() -> None:
    """Run consensus protocols under scripted faults, record what clients saw, and judge it."""


@aftershock.command()
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option("-p", "--protocol", "columns", multiple=True, metavar="PROTOCOL[/MODE]", help="Run these instead.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="The seed to run; 0 if not given.")
@click.option("--seeds", metavar="A-B", help="Run all of these seeds, and keep a folder only of those that matter.")
@click.option("-s", "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the scenarios.")
@click.option("--no-report", is_flag=True, help="Draw nothing; `aftershock report` does it later.")
@click.option("--no-trace", is_flag=True, help="Store no trace; `aftershock log` then has nothing to show.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first seed that is not as expected.")
@_running
def run(
    scenarios: tuple[str, ...],
    columns: tuple[str, ...],
    seed: int | None,
    seeds: str | None,
    overrides: tuple[str, ...],
    no_report: bool,
    no_trace: bool,
    fail_fast: bool,
    workers: int | None,
    scheduler: str | None,
    settings: Settings,
    outputs: Outputs,
) -> int:
    """Run scenarios: a file, a folder of them, or the name of one that is shipped.

    Each is run once for every protocol that it names and every seed, judged, and drawn. A sweep over --seeds that was
    interrupted is taken up where it stopped by the same command.
    """
    import msgspec

    from bench.commands import BadUsage, given
    from bench.commands.run import run as run_all

    if seed is not None and seeds is not None:
        raise BadUsage("--seed and --seeds exclude each other")
    if scheduler is not None and seeds is None:
        raise BadUsage("--scheduler is for many seeds: add --seeds FIRST-LAST")
    return run_all(
        scenarios,
        columns=columns,
        seed=seed,
        seeds=None if seeds is None else given.seeds(seeds),
        workers=workers,
        scheduler=scheduler,
        overrides=overrides,
        fail_fast=fail_fast,
        settings=msgspec.structs.replace(settings, trace=not no_trace, draw=not no_report),
        outputs=outputs,
    )


@aftershock.command()
@click.argument("history", metavar="FILE|RUN|-")
@click.option(
    "-c",
    "--consistency",
    "consistencies",
    multiple=True,
    metavar="MODEL",
    help="linearizable if not given; with parameters: bounded-staleness:t=50ms,k=2",
)
@click.option("--strongest", is_flag=True, help="Print which models hold, which fail, and the strongest that hold.")
@click.option("-m", "--model", metavar="MODEL", help="What the clients talk to; inferred if not given.")
@click.option(
    "--timeout",
    metavar="TIME",
    callback=_nanoseconds,
    default="60s",
    show_default=True,
    help="How long a search may take.",
)
@click.option("--steps", type=click.IntRange(1), help="How many states a search may look at: the same everywhere.")
@click.option(
    "--failed-cas",
    type=click.Choice(["dropped", "observed"]),
    default="dropped",
    show_default=True,
    help="Whether a cas that failed says that it did not match, as in Porcupine's logs.",
)
@click.option("--html", metavar="OUT", help="Draw the history and what is wrong with it into this file.")
@_out
@_json
@_everywhere
def check(
    history: str,
    consistencies: tuple[str, ...],
    strongest: bool,
    model: str | None,
    timeout: int,
    steps: int | None,
    failed_cas: Any,
    html: str | None,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> int:
    """Judge a history: JSON Lines, Jepsen's EDN or log, Porcupine's log; a file, a run, or - for standard input.

    Exit code 0 if it is valid, 1 if not, 3 if that could not be found out. With --strongest no model is demanded: 3 if
    one of them could not be decided, else 0.
    """
    if strongest and consistencies:
        raise click.UsageError("--strongest judges every model: it takes no -c")
    from bench.commands.check import check as judge

    return judge(
        history,
        consistencies=() if strongest else consistencies or ("linearizable",),
        model=model,
        timeout=timeout / 1e9,
        steps=steps,
        failed_cas=failed_cas,
        out=out,
        html=html,
        as_json=as_json,
        quiet=quiet,
    )


@aftershock.command()
@click.argument("manifest", type=click.Path(path_type=Path), default="guarantees.toml")
@click.option(
    "--profile",
    type=click.Choice(["quick", "full"]),
    default="full",
    show_default=True,
    help="The quick one runs fewer seeds of everything.",
)
@click.option("--update", is_flag=True, help="Record what came out as the new baseline, and show the difference.")
@click.option(
    "--accept", multiple=True, metavar="NAME", help="A column whose broken promise --update may record all the same."
)
@_running
def verify(
    manifest: Path,
    profile: Any,
    update: bool,
    accept: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    settings: Settings,
    outputs: Outputs,
) -> int:
    """Run what MANIFEST guarantees, and compare it with what is promised and with the baseline beside it.

    The baseline has the manifest's name with ".lock". Exit code 1 when a promise is broken, a breach that must be seen
    is not, or verdicts, recovery or cost are worse than recorded; 3 when that cannot be told.
    """
    from bench.commands.verify import verify as verify_all

    return verify_all(
        manifest,
        profile=profile,
        workers=workers,
        scheduler=scheduler,
        update=update,
        accept=accept,
        settings=settings,
        outputs=outputs,
    )


@aftershock.command()
@_run
@click.option("--open", "show", is_flag=True, help="Open it in a browser.")
@_out
@_plugins
@_json
@_everywhere
def report(run: str, show: bool, out: Path, plugins: tuple[str, ...], as_json: bool, quiet: bool) -> int:
    """Draw the charts and the page of a run again. RUN is its folder, or "latest"."""
    from bench.commands.report import report as draw

    return draw(run, out=out, registry=_registry(plugins)[0], plugins=plugins, show=show, as_json=as_json)


@aftershock.command()
@_run
@click.option("--node", metavar="NAME", help="Only what this node or client does, sends or is sent.")
@click.option("--from", "start", metavar="TIME", callback=_nanoseconds, default="0s", help="From this moment on.")
@click.option("--to", "end", metavar="TIME", callback=_nanoseconds, help="Up to this moment.")
@click.option("--around-violation", "around", is_flag=True, help="Only shortly before and after what convicts the run.")
@click.option("--messages", "kind", metavar="TYPE", help="Only packets with messages of this type.")
@_out
@_json
@_everywhere
def log(
    run: str, node: str | None, start: int, end: int | None, around: bool, kind: str | None, out: Path, as_json: bool,
    quiet: bool,
) -> int:  # fmt: skip
    """Print what happened inside a run, step by step: packets, timers, disks, crashes, faults."""
    from bench.commands.log import log as show

    return show(run, out=out, node=node, start=start, end=end, kind=kind, around=around, as_json=as_json)


@aftershock.command()
@_run
@_out
@_plugins
@_json
@_everywhere
@click.pass_obj
def replay(version: str, run: str, out: Path, plugins: tuple[str, ...], as_json: bool, quiet: bool) -> int:
    """Run a stored run again from its plan, and compare: the same bytes, or where they first differ (exit code 1)."""
    from bench.commands.replay import replay as again

    registry = _registry(plugins)[0]
    return again(run, out=out, registry=registry, plugins=plugins, version=version, as_json=as_json, quiet=quiet)


@aftershock.command("list")
@click.argument("what", required=False, type=click.Choice(LISTS))
@_plugins
@_json
@_everywhere
def listing(what: str | None, plugins: tuple[str, ...], as_json: bool, quiet: bool) -> int:
    """List what there is."""
    from bench.commands.listing import show

    return show(what, _registry(plugins)[0], as_json=as_json)


@aftershock.command()
@_plugins
@_everywhere
def schema(plugins: tuple[str, ...], quiet: bool) -> int:
    """Print the JSON Schema of scenarios, for editors."""
    from bench.commands.listing import schema as show

    return show(_registry(plugins)[0])
