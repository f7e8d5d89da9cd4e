"""The command `autoagent`: what it is made of, and where an error becomes a line and a status."""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated

import typer

from autoagent.cli import answering, looking, machine, remembering, running, writing
from autoagent.errors import AutoagentError

# no completion (it writes into shell files), no rich (110 ms of CPU), and errors are told below
app = typer.Typer(
    name="autoagent",
    help="Goal-driven agents that can be left alone.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for commands in (writing, running, looking, answering, machine):
    commands.add_to(app)
app.add_typer(remembering.app, name="memory")
app.add_typer(machine.plugins, name="plugins")

DEBUG = "AUTOAGENT_DEBUG"
"""Set it to see where an error came from."""


@app.callback(invoke_without_command=True)
def autoagent(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,
) -> None:
    """Goal-driven agents that can be left alone.

    Write a goal, let it run, answer its questions, and see what was proved.
    """
    if version:
        from autoagent import __version__
        from autoagent.cli.output import out

        out(f"autoagent {__version__}")
    elif context.invoked_subcommand is None:
        from autoagent.cli.output import out

        out(*context.get_help().split("\n"))


def main() -> None:
    """Carry out the command line of this process, and exit with its status."""
    # what start-up makes lives until the exit: looking for garbage in it is 10 % of its CPU time
    gc.set_threshold(50_000, 20, 20)
    _open_closed_streams()
    sys.exit(_status(sys.argv[1:]))


def _status(arguments: list[str]) -> int:
    """The exit status; what went wrong stands on stderr, in a line."""
    from typer.exceptions import Abort, TyperException

    try:
        return int(typer.main.get_command(app).main(arguments, "autoagent", standalone_mode=False) or 0)
    except TyperException as error:
        return _fail(error, f"{error.format_message()}; 'autoagent --help' tells more", error.exit_code)
    except AutoagentError as error:
        return _fail(error, str(error), error.exit_code)
    except (KeyboardInterrupt, Abort):
        return 130
    except Exception as error:  # a bug of ours or of a plugin: a person gets a line, never a traceback
        what = f"this is a bug: {type(error).__name__}: {error}; set {DEBUG}=1 to see where"
        return _fail(error, what, 1)


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
