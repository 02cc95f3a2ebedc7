"""Which model a history speaks to, from the operations it uses."""

from __future__ import annotations

from checkers.history import BadHistory, History


class Inferred(str):
    """A model's name that remembers why it was chosen."""

    reason: str

    def __new__(cls, name: str, reason: str) -> Inferred:
        inferred = super().__new__(cls, name)
        inferred.reason = reason
        return inferred


def infer_model(history: History) -> Inferred:
    """The built-in model that knows every operation of the history; ``.reason`` says why this one.

    Raises `BadHistory` when none does.
    """
    table = history.f.table
    used = {table[code] for code in dict.fromkeys(history.f.codes[history.invocations].tolist())}
    because = "operations are " + ", ".join(sorted(used))
    keyed = bool(history.keys())
    for known, plain, with_keys in _RULES:
        if used <= known:
            return Inferred(with_keys if keyed else plain, because + (", with keys" if keyed else ""))
    if used <= {"add", "read", "remove"}:
        kind = "set" if "remove" in used or _reads_lists(history) else "counter"
        return Inferred(kind, f"{because}; reads see {'lists' if kind == 'set' else 'numbers'}")
    raise BadHistory(f"no model knows all of {', '.join(sorted(used))}: name one, or write one (docs/checkers.md)")


_RULES: tuple[tuple[frozenset[str], str, str], ...] = (
    (frozenset({"read", "write"}), "register", "kv"),
    (frozenset({"read", "write", "cas"}), "cas-register", "kv"),
    (frozenset({"read", "get", "write", "put", "cas", "delete"}), "kv", "kv"),
    (frozenset({"get", "put", "append"}), "kv-append", "kv-append"),
    (frozenset({"append", "read"}), "list", "list"),
    (frozenset({"enqueue", "dequeue"}), "queue", "queue"),
    (frozenset({"acquire", "release"}), "mutex", "mutex"),
    (frozenset({"propose", "read"}), "consensus", "consensus"),
    (frozenset({"increment", "decrement", "read"}), "counter", "counter"),
)


def _reads_lists(history: History) -> bool:
    return any(
        op.f == "read" and op.type == "ok" and isinstance(op.value, (list, tuple)) for op in history.operations()
    )
