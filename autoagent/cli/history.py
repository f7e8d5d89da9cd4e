"""Commands on a run's journal as such: `verify`, `fork`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoagent.cli import options


def add_to(app: typer.Typer) -> None:
    app.command()(verify)
    app.command()(fork)


def verify(run: options.Run, as_json: options.AsJson = False) -> int:
    """Check that a run's journal is what was written.

    Exit status 0 if it is whole, 1 if an entry or an object isn't what was written, or isn't there.
    """
    from autoagent.cli.verifying import verify as check

    return check(run, as_json=as_json)


def fork(
    run: options.Run,
    at: Annotated[
        int,
        typer.Option("--at", metavar="N", help="The last entry of the common history.", show_default=False),
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            metavar="DIR",
            help="Its folder, new or empty; default: beside the run's.",
            show_default=False,
        ),
    ] = None,
    model: options.Model = None,
) -> None:
    """Go on otherwise from an entry, in a new run and folder.

    It shares the history up to that entry; 'autoagent resume' carries it on. Entries:
    'autoagent tail RUN --entries'.
    """
    from autoagent.cli.forking import fork as make

    make(run, at, into, model)
