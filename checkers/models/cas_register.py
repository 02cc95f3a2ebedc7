"""A register with compare-and-set: ``cas`` with value ``[old, new]`` writes new only over old."""

from __future__ import annotations

from typing import ClassVar

from checkers.models.register import Register


class CasRegister(Register):
    """An ok cas matched, unless its ``result`` is false: then it is an observation that something else was there."""

    operations: ClassVar[frozenset[str] | None] = frozenset({"read", "get", "write", "put", "cas"})


MODEL = CasRegister
