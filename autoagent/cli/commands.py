"""All commands as one Typer application, and what it refuses as an error of ours."""

from __future__ import annotations

import re
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from autoagent.cli import (
    answering,
    extending,
    granting,
    history,
    keeping,
    looking,
    machine,
    remembering,
    reviewing,
    running,
    writing,
)
from autoagent.cli.grouped import GroupedCommands
from autoagent.cli.options import help_unless_called
from autoagent.errors import UsageError

# no completion (it writes into shell files), no rich (110 ms of CPU), no tracebacks: errors are told in `app`
app = typer.Typer(
    cls=GroupedCommands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (writing, running, looking, reviewing, history, answering, machine):
    group.add_to(app)
app.add_typer(keeping.app, name="runs")
app.command()(keeping.gc)
app.add_typer(remembering.app, name="memory")
app.add_typer(granting.app, name="grants")
app.add_typer(extending.plugins, name="plugins")


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
        raise typer.Exit
    help_unless_called(context)


def _told(error: TyperException) -> str:
    """What Typer refuses, as our own errors are worded, with the help of the command concerned."""
    said = error.format_message().rstrip(".")
    said = re.sub(r"\. Did you mean (.*)\?$", r"; did you mean \1?", said)
    said = re.sub(r" \(Possible options: (.*)\)$", r"; did you mean \1?", said)
    said = re.sub(r": Input should be (a valid )?(.*?)(, unable to .*)?$", r": expected \2", said)
    if said.startswith("Got unexpected extra argument"):
        said += "; words that belong together, such as a goal, stand in quotes"
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "autoagent"
    return f"{said[:1].lower()}{said[1:]}{'' if said.endswith('?') else ';'} '{command} --help' tells more"


def carry_out(arguments: list[str]) -> int:
    """The exit status of a command line. Raises `UsageError` for one that makes no sense."""
    try:
        status = typer.main.get_command(app).main(arguments, "autoagent", standalone_mode=False)
    except TyperException as error:
        raise UsageError(_told(error)) from None
    except Abort:
        return 130
    return int(status or 0)
