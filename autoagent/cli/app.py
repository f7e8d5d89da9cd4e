"""The command `autoagent`: its entry, and the one place where an error becomes a line and a status."""

from __future__ import annotations

import gc
import os
import sys

from autoagent.errors import AutoagentError

DEBUG = "AUTOAGENT_DEBUG"
"""Set it to see where an error came from."""


def main() -> None:
    """Carry out the command line of this process, and exit with its status."""
    search_less_for_garbage()
    # pydantic would read the metadata of all installed packages, and import what calls itself its plugin
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _open_closed_streams()
    status = status_of(sys.argv[1:])
    gc.freeze()  # the last search for garbage, at the exit, is another 15 %
    sys.exit(status)


def search_less_for_garbage() -> None:
    """For a process of ours: what start-up and a run make lives until the exit, and makes few cycles.

    Looking for garbage in it is 10 % of a start's CPU time, and 60 ms each time a run has grown by a quarter.
    """
    gc.set_threshold(50_000, 20, 20)


def status_of(arguments: list[str]) -> int:
    """The exit status; what went wrong stands on stderr, in a line."""
    try:
        return _carry_out(arguments)
    except AutoagentError as error:
        return _fail(error, str(error), error.exit_code)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # a bug of ours or of a plugin: a person gets a line, never a traceback
        what = f"this is a bug: {type(error).__name__}: {error}; set {DEBUG}=1 to see where"
        return _fail(error, what, 1)


def _carry_out(arguments: list[str]) -> int:
    match arguments:
        case ["validate", path] if not path.startswith("-"):
            # editors call it at each save, and Typer's import is a third of its time
            from autoagent.cli.validating import validate

            return validate(path)
        case _:
            from autoagent.cli.commands import carry_out

            return carry_out(arguments)


def _fail(error: Exception, said: str, status: int) -> int:
    from autoagent.cli.output import complain

    if os.environ.get(DEBUG):
        raise error
    complain(said)
    return status


def _open_closed_streams() -> None:
    """Who starts us may have closed any of the three; then Python has `None` there."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # opened in this order, each takes the lowest free descriptor, which is its own
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115, PTH123
