"""A key-value store: one register with compare-and-set and delete per key."""

from __future__ import annotations

from typing import ClassVar

from checkers.models.register import Register


class KV(Register):
    """``delete`` leaves nil, whatever the initial value; one that is refused (``result: false``) found nil."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"read", "get", "write", "put", "cas", "delete"})


MODEL = KV
