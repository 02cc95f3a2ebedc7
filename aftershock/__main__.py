"""The command: sees to it that the packages found are ours, hands over to `bench.cli`, answers for what escapes it.

Verdicts and bad input have exit codes of their own (0 to 3), which `bench.cli` gives. Here are the other ends: 70 for a
failure of Aftershock itself, 130 when interrupted, 141 when whoever read the output has gone away.
"""

from __future__ import annotations

import errno
import os
import sys

from aftershock import __version__, siblings

BAD_INPUT, FAILED, INTERRUPTED, PIPE_CLOSED = 2, 70, 130, 141


def main() -> int:
    """Runs the command line in ``sys.argv`` and returns the exit code."""
    try:
        siblings.step_back()
        siblings.require(*siblings.NAMES)
    except siblings.Hidden as hidden:
        print(hidden, file=sys.stderr)
        return BAD_INPUT
    try:
        from bench.cli import main as command

        code = command(version=__version__)
        sys.stdout.flush()  # a reader who hung up is noticed here, not at interpreter exit
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError as error:
        return _silently(PIPE_CLOSED) if _abandoned() else _report(error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return _report(error)
        where = f": {error.filename}" if error.filename else ""
        print(f"aftershock: {error.strerror}{where}", file=sys.stderr)
        return _silently(BAD_INPUT)
    except Exception as error:
        return _report(error)


def _abandoned() -> bool:
    """Whether nobody reads our output any more; any other broken pipe (a worker that died) is a failure of ours."""
    import select

    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        poll.register(stream.fileno(), 0)  # errors and hang-ups are always reported
    return bool(poll.poll(0))


def _silently(code: int) -> int:
    """The code, with output sent nowhere from here on: the interpreter flushes once more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code


def _report(error: Exception) -> int:
    import platform
    import shlex
    import traceback

    traceback.print_exception(error)
    print(
        "\nAftershock itself failed; this says nothing about the protocol under test. Please report it with the lines "
        f"above and these:\n  {shlex.join(sys.argv)}\n"
        f"  aftershock {__version__}, Python {platform.python_version()}, {platform.platform()}",
        file=sys.stderr,
    )
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
