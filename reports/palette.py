"""The colours of every picture, page and table, in one place.

Outcomes take a blue, an amber and a purple close to those of Okabe and Ito (Color Universal Design, 2008), which stay
apart under the common colour deficiencies; red is kept for a violation and used for nothing else. Colour never stands
alone: shape, fill or a word says the same. Charts are drawn in the light colours; where a chart is set into a page as
SVG, each colour becomes a CSS variable, so that one drawing serves a light and a dark page.
"""

from __future__ import annotations

import re

# name: (light, dark). The light values must differ from each other, since `themed` finds them by value.
COLOURS: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14181d"),
    "panel": ("#f6f7f9", "#1c2128"),
    "ink": ("#1d232b", "#e3e8ee"),
    "muted": ("#5c6672", "#9aa6b3"),
    "rule": ("#d8dde3", "#343c46"),
    "grid": ("#e8ebef", "#272e37"),
    "ok": ("#0068a8", "#56a9e0"),
    "info": ("#b87400", "#e0a63a"),
    "fail": ("#9a5a96", "#c894c4"),
    "violation": ("#c4142c", "#ff6b72"),
    "violation-tint": ("#fbe4e7", "#45202a"),
    "link": ("#f3e9d2", "#3a3424"),  # faults of the network: partition, delay, loss, duplication, drop
    "link-edge": ("#8a6d2f", "#cdb06b"),
    "node": ("#e3e1ee", "#302f42"),  # faults of a node: crash, pause
    "node-edge": ("#625b8c", "#a9a2d6"),
    "heal": ("#2b7a4b", "#63b986"),
    "heal-tint": ("#e4f2e9", "#1d3428"),
    "ok-tint": ("#dcebf5", "#1d3547"),
    "info-tint": ("#f8ecd6", "#3d3220"),
    "stale": ("#b9c3cd", "#56616d"),
}

LIGHT: dict[str, str] = {name: light for name, (light, _) in COLOURS.items()}
DARK: dict[str, str] = {name: dark for name, (_, dark) in COLOURS.items()}

NODE_FAULTS = frozenset({"crash", "pause"})


def fault_tint(kind: str) -> str:
    """The name of the colour of a fault's band."""
    return "node" if kind in NODE_FAULTS else "link"


def outcome_colour(outcome: str) -> str:
    """The name of the colour of an operation's outcome; what is neither ok nor fail is info."""
    return outcome if outcome in ("ok", "fail") else "info"


def css() -> str:
    """The variables of both themes, for a page's style element."""
    light = "".join(f"--{name}:{value};" for name, value in LIGHT.items())
    dark = "".join(f"--{name}:{value};" for name, value in DARK.items())
    return f":root{{color-scheme:light dark;{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"


_NAME_OF = {light: name for name, light in LIGHT.items()}
_HEX = re.compile("|".join(re.escape(light) for light in LIGHT.values()))


def themed(svg: str) -> str:
    """The drawing with each colour of the light theme replaced by its CSS variable."""
    return _HEX.sub(lambda found: f"var(--{_NAME_OF[found.group()]})", svg)
