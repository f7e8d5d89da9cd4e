"""Commands that read what an agent did, and take it back: `diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoagent.cli import options


def add_to(app: typer.Typer) -> None:
    app.command()(diff)


def diff(
    run: options.Run,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[N..M] [PATH...]",
            help="Entries (default: from the start until now; N: what entry N did), and paths.",
            show_default=False,
        ),
    ] = None,
    stat: Annotated[bool, typer.Option("--stat", help="A line a path.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Every line, however many.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show what changed in a run's workspace, as its journal has it."""
    from autoagent.cli.differing import diff as show_difference

    show_difference(run, what or [], as_stat=stat, show_all=show_all, as_json=as_json)
