"""What holds for every test: Hypothesis draws the same examples each time, and a slow machine is not a failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("aftershock", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("aftershock")
