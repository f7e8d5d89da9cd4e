"""Commands on what you always allow: `grants`, which lists it, and `grants revoke`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoagent.cli import options

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def grants(
    context: typer.Context,
    as_json: options.AsJson = False,
    show_all: Annotated[bool, typer.Option("--all", help="Those too that have ended.")] = False,
) -> None:
    """List what you always allow, and how often it was used."""
    if context.invoked_subcommand is None:
        from autoagent.cli.grants import list_grants

        list_grants(as_json=as_json, show_all=show_all)


@app.command()
def revoke(
    grant: Annotated[str, typer.Argument(metavar="ID", help="As 'grants' prints it.", show_default=False)],
) -> None:
    """Take an always back; from the next question on it counts no more."""
    from autoagent.cli.grants import revoke as take_back

    take_back(grant)
