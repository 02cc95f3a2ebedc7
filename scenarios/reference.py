"""`docs/scenarios.md`: every key, kind and word of the scenario language, written from the code that decodes it.

Tables come from the parameter classes, samples are decoded before they are printed, and the mistakes at the end are
made and shown with what `decode` answers; so the page cannot say what is not so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from scenarios.decode import decode
from scenarios.fields import Field, alternatives, bare, bounds, example, fields, is_mapping, is_struct, is_written
from scenarios.problems import BadScenario
from scenarios.schema import Cluster, Expectation, Fault, Kinds, Scenario
from scenarios.units import Duration, Link, Probability, Rate, Span, Target
from scenarios.write import plain

_NOUNS: dict[type[Any], str] = {
    Duration: "time",
    Span: "time, may be drawn",
    Rate: "rate",
    Probability: "probability",
    Target: "target",
    Link: "link",
}
_TABLES = ("cluster", "workload", "faults", "expect", "protocol", "at-least")


def reference(kinds: Kinds) -> str:
    """The page, as Markdown."""
    parts = [
        _OPENING,
        _sample_of_everything(kinds),
        "## The top level\n",
        _rows([field for field in fields(Scenario) if field.key not in _TABLES]),
        "## [cluster]\n",
        _paragraph(Cluster),
        _rows(fields(Cluster)),
        "## [workload]\n",
        "What clients ask. `kind` is required and decides the other keys.\n",
        *(part for kind, cls in kinds.workloads.items() for part in _workload(kind, cls)),
        "## [[faults]]\n",
        "One header for each fault. `kind` is required and adds keys of its own; a fault starts `at` a time or `on`\n"
        "an event, and what it does is undone when it ends. All kinds have these:\n",
        _rows(fields(Fault)),
        *(part for kind, cls in kinds.faults.items() for part in _fault(kind, cls)),
        "## Events\n",
        _wrapped(_EVENTS.format(events=", ".join(f"`{event}`" for event in kinds.events))),
        "## Targets and links\n",
        _TARGETS,
        "## Quantities\n",
        _QUANTITIES,
        "## [expect] and [expect.NAME]\n",
        _wrapped(
            _EXPECT.format(
                words=_series([f'`"{word}"`' for word in get_args(Expectation)]),
                checkers=", ".join(f"`{checker}`" for checker in kinds.checkers),
                bounded="".join(
                    _BOUNDED.format(checker=checker, example=bounds.example) for checker, bounds in kinds.bounds.items()
                ),
            )
        ),
        "## [protocol.NAME]\n",
        "The parameters of one protocol, for all of its modes. A name without a mode means the first.\n",
        *_protocols(kinds),
        "## [at-least]\n",
        _AT_LEAST,
        "## From the command line\n",
        _OVERRIDES,
        "## Common mistakes\n",
        "All that is wrong with a scenario is said at once, a line each. These mistakes everybody makes:\n",
        *_mistakes(kinds),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts if part)


# --- Tables of keys ---


def _rows(keys: list[Field] | tuple[Field, ...]) -> str:
    if not keys:
        return "It has no keys.\n"
    lines = ["| key | type | default | meaning | example |", "|---|---|---|---|---|"]
    for field in keys:
        default = "required" if field.required else _default(field.default)
        meaning = (field.meta.description or "").replace("|", "\\|")
        lines.append(
            f"| `{field.key}` | {_noun(field.type, field.meta)} | {default} | {meaning} | `{_filled(field)}` |"
        )
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    return "–" if value is None or value in ((), {}, "") else f"`{toml(plain(value))}`"


def _noun(kind: Any, meta: Meta | None = None) -> str:
    """A type in a word or two."""
    kind, own = bare(kind)
    meta = meta or own
    options = alternatives(kind)
    if len(options) > 1:
        return " or ".join(_noun(option) for option in options)
    kind, _ = bare(options[0])
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _NOUNS:
        return _NOUNS[kind]
    if is_written(kind):
        return str(kind.EXPECTED)
    if kind is bool:
        return "true or false"
    if kind is int or kind is float:
        return f"{'whole number' if kind is int else 'number'}{bounds(meta)}"
    if origin is Literal:
        return _series([f'`"{word}"`' for word in arguments])
    if origin is tuple:
        return f"array: {_noun(arguments[0])}"
    if is_mapping(kind):
        return f"table: {_noun(arguments[1])} by {'name' if arguments[0] is str else _noun(arguments[0])}"
    if is_struct(kind):
        keys = ", ".join(f"`{field.key}` ({_noun(field.type, field.meta)})" for field in fields(kind))
        return f"table: {keys}"
    return "text"


def _series(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def toml(value: Any) -> str:
    """A plain value on one line of TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return msgspec.json.encode(value).decode()
        case list():
            return f"[{', '.join(toml(item) for item in value)}]"
        case dict():
            pairs = (
                f"{key if key.replace('-', '').isalnum() else toml(key)} = {toml(item)}" for key, item in value.items()
            )
            return f"{{ {', '.join(pairs)} }}"
        case _:
            return str(value)


def _filled(field: Field) -> str:
    """`key = value`, of the field's own example or one of its type."""
    if field.meta.examples:
        return f"{field.key} = {toml(field.meta.examples[0])}"
    if not field.required and field.default not in (None, (), {}, "", False):
        return f"{field.key} = {toml(plain(field.default))}"
    return f"{field.key} = {example(field.type, field.meta)}"


def _paragraph(cls: type[Any]) -> str:
    return _wrapped(" ".join((cls.__doc__ or "").split("\n\n")[0].split()))


def _workload(kind: str, cls: type[msgspec.Struct]) -> list[str]:
    return [f'### kind = "{kind}"\n', _paragraph(cls), _rows(fields(cls))]


def _fault(kind: str, cls: type[Fault]) -> list[str]:
    shared = {field.key for field in fields(Fault)}
    own = [field for field in fields(cls) if field.key not in shared]
    sample = f"```toml\n{fault_sample(kind, cls)}```\n"
    return [f'### kind = "{kind}"\n', _paragraph(cls), _rows(own) if own else "", sample]


def _protocols(kinds: Kinds) -> list[str]:
    """A section for every class of parameters; variants of a protocol often share one."""
    parts = []
    for parameters in dict.fromkeys(kind.parameters for kind in kinds.protocols.values()):
        sharing = {name: kind.modes for name, kind in kinds.protocols.items() if kind.parameters is parameters}
        modes = [
            f"`{name}` has the mode{'s' if len(modes) > 1 else ''} {', '.join(f'`{mode}`' for mode in modes)}."
            for name, modes in sharing.items()
            if modes
        ]
        parts += [
            f"### {', '.join(sharing)}\n",
            _paragraph(parameters),
            _wrapped(" ".join(modes)),
            _rows(fields(parameters)),
        ]
    return parts


def _wrapped(text: str) -> str:
    """Paragraphs in lines of at most 120 characters."""
    paragraphs = (textwrap.fill(one, 120, break_on_hyphens=False, break_long_words=False) for one in text.split("\n\n"))
    return "\n\n".join(paragraphs) + "\n" if text else ""


# --- Samples ---


def fault_sample(kind: str, cls: type[Fault]) -> str:
    """One fault of this kind, with what it requires."""
    own = [field for field in fields(cls) if field.required]
    return "\n".join(["[[faults]]", f'kind = "{kind}"', 'at = "2s"', 'for = "3s"', *map(_filled, own)]) + "\n"


def sample(kinds: Kinds, fault: str | None = None) -> str:
    """A short scenario that decodes: the first protocol and workload, and one fault."""
    workload, cls = next(iter(kinds.workloads.items()))
    needed = [_filled(field) for field in fields(cls) if field.required]
    fault = fault or next(iter(kinds.faults))
    return "\n".join(
        [
            'duration = "20s"',
            'heal = "9s"',
            f'protocols = ["{next(iter(kinds.protocols))}"]',
            "",
            "[cluster]",
            "nodes = 5",
            "",
            "[workload]",
            f'kind = "{workload}"',
            *needed,
            "",
            fault_sample(fault, kinds.faults[fault]),
        ]
    )


def _sample_of_everything(kinds: Kinds) -> str:
    text = sample(kinds)
    decode(text, "sample", kinds)
    return f"```toml\n{text.rstrip()}\n```\n"


def _mistakes(kinds: Kinds) -> list[str]:
    """Each mistake as a person writes it, and the lines that answer it."""
    right = sample(kinds)
    kind = next(iter(kinds.faults))
    made: Mapping[str, tuple[str, str]] = {
        "A time without quotes": ('at = "2s"', "at = 2s"),
        "A time without a unit": ('at = "2s"', "at = 2"),
        "An inline table over several lines": (
            "nodes = 5",
            'links = {\n  "n5" = "40ms..60ms",\n  "n1->n2" = "10ms"\n}',
        ),
        "A key of the top level below a table's header": (
            'heal = "9s"\n',
            "",
        ),
        "A fault without a kind": (f'kind = "{kind}"\nat', "at"),
        "A misspelt word": ("nodes = 5", "node = 5"),
        "A fault that starts after everything has healed": ('at = "2s"', 'at = "12s"'),
        "An event that nobody knows": ('at = "2s"', f'on = "{kind} finishes"'),
    }
    parts = []
    for words, (old, new) in made.items():
        wrong = right.replace(old, new, 1)
        shown = new
        if words.startswith("A key of the top level"):
            wrong = wrong.replace("nodes = 5", 'nodes = 5\nheal = "9s"')
            shown = '[cluster]\nnodes = 5\nheal = "9s"'
        elif words.startswith("A fault without"):
            shown = '[[faults]]\nat = "2s"'
        try:
            decode(wrong, "cut.toml", kinds)
        except BadScenario as error:
            parts += [f"**{words}**\n", f"```toml\n{shown}\n```\n", f"```text\n{error}\n```\n"]
        else:
            raise AssertionError(f"{words}: this is no mistake any more")
    return parts


_OPENING = """\
# Scenarios

This page is written from the code that decodes scenarios; a test keeps it current. JSON Schema for editors is printed
by `aftershock schema`.

A scenario is a TOML file: which protocols to run, on which cluster, under which workload, with which faults, and what
must come out. Keys are strict: one that is not on this page is refused.
"""

_EVENTS = """\
`on` names what starts a fault: {events}; or another fault, as `"NAME starts"` or `"NAME ends"`. `nth` says which
occurrence of the event, `after` how long after it. Nodes announce these events; a protocol whose nodes do not is
refused. An event that never comes leaves the fault unstarted, which is
reported and makes the run undecided, unless the fault is `optional`.
"""

_TARGETS = """\
A target says whom a fault means. It is resolved once, when the fault starts, and stays with those nodes.

```text
target := [COUNT] WHO [ "as" NAME ]
link   := WHO "->" WHO      one way
        | WHO " - " WHO     both ways
```

| WHO | whom it means |
|---|---|
| `n3` | that node; nodes are `n1` … |
| `c2`, `clients` | that client, all clients |
| `leader` | the live node that was last seen to lead; without one the fault waits |
| `follower`, `2 follower` | so many live nodes that do not lead, drawn from those not named yet |
| `any`, `2 any` | so many nodes, drawn from those not named yet |
| `rest` | all nodes not named yet |
| `all` | all nodes; `"all -> any"` and `"all -> follower"` still draw the other end |
| `trigger` | the node whose event started this fault |
| `NAME` | the nodes that an earlier target bound with `as NAME` |

Groups fill from left to right: `[["leader as old", "any"], ["rest"]]`. Clients belong to no group and reach every node,
unless they are named. Links are written `"leader -> all"`, `"n1->n2"`, `"old - rest"`; the spaces round `-` are needed,
since a name may hold a dash.
"""

_QUANTITIES = f"""\
| | written | |
|---|---|---|
| time | `"500us"`, `"150ms"`, `"1.5s"`, `"1m"`, `"2h"` | exact to the microsecond, never negative, at most \
{Duration(100_000 * 3_600_000_000)} |
| drawn time | `"10ms"` | constant |
| | `"1ms..5ms"` | uniform, both ends included |
| | `"exponential 10ms"` | by its mean |
| | `"lognormal 10ms 0.5"` | by its median and the sigma of its logarithm, at most 10 |
| rate | `"50/s"`, `"3/m"`, `"1/10s"` | so many per so long |
| probability | `0.05` | from 0 to 1, with at most six decimals |
"""

_EXPECT = """\
What must come out, by checker: {words}. `"valid"` and `"invalid"` must hold for every seed that is run, `"breakable"`
for at least one of them: the checker finds a violation; `"any"` is not judged. What is not named here is what the
protocol and mode promise. `[expect]` holds for every column, `[expect.raft]` for all of a protocol's columns,
`[expect."raft/leader-local"]` for one, and the most specific wins.

The checkers are {checkers}. `osc-u` is ordered sequential consistency, osc(u).
{bounded}"""

_BOUNDED = """
How much `{checker}` allows stands in its name, which is then quoted: `"{checker}:{example}"`, as on the command line.
It may be named several times, with other bounds.
"""

_AT_LEAST = """\
Counters that must be reached, as whole numbers. Below one of them nothing was tested, and the run is undecided.
Any counter will do that `results.json` prints, and one that it does not print is zero: `operations`, `ok`, `fail`,
`info`, `shed`, `reads`, `writes`, `cas`, `cas-refused`; `leader-changes`, `leader-changes-under-load`; `elections`,
`campaigns`, `votes`, `decisions`, `truncations`, `starts`, as nodes announce them; `faults`, `"faults of KIND"`;
`packets`, `packets-dropped`, `packets-duplicated`, `"packets of TYPE"`, `"packets on n1->n2"`; `events`, `processes`.

```toml
[at-least]
elections = 2
reads = 100
```
"""

_OVERRIDES = """\
`-s KEY=VALUE` sets any key. KEY is dotted, faults go by name or by index (counted from 0), and a part that holds a dot
itself is quoted. VALUE is TOML if it reads as TOML, and otherwise the text that it is.

```text
-s cluster.nodes=3   -s cluster.links.n1->n2=10ms   -s faults.cut.for=1s   -s 'faults.0.at="2s"'
```
"""
