"""Commands on long-term memory: `memory search`, `show`, `remember`, `forget`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoagent.cli import options

app = typer.Typer(
    help="What earlier runs left in long-term memory.",
    rich_markup_mode=None,
    callback=options.help_unless_called,
    invoke_without_command=True,
)

Point = Annotated[str, typer.Argument(metavar="ID", help="As 'memory search' prints it.", show_default=False)]


@app.command()
def search(
    query: Annotated[
        str, typer.Argument(metavar="WORDS", help="What to look for, in quotes.", show_default=False)
    ],
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100, help="At most so many.")] = 8,
    as_json: options.AsJson = False,
) -> None:
    """Find outcomes and notes that fit some words, best first."""
    from autoagent.cli import remembered

    remembered.search(query, limit, as_json=as_json)


@app.command()
def show(point: Point, as_json: options.AsJson = False) -> None:
    """Show one of them whole, with where it comes from."""
    from autoagent.cli import remembered

    remembered.show(point, as_json=as_json)


@app.command()
def remember(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note, in quotes.", show_default=False)],
) -> None:
    """Note something for later runs."""
    from autoagent.cli import remembered

    remembered.remember(text)


@app.command()
def forget(point: Point) -> None:
    """Drop one of them for good."""
    from autoagent.cli import remembered

    remembered.forget(point)
