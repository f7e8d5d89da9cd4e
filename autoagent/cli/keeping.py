"""Commands on the runs of this home: `runs`, which lists them, and those beneath it."""

from __future__ import annotations

from typing import Annotated

import typer

from autoagent.cli import options

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def runs(
    context: typer.Context,
    as_json: options.AsJson = False,
    show_all: Annotated[bool, typer.Option("--all", help="Not only the newest 100.")] = False,
) -> None:
    """List runs, newest first."""
    if context.invoked_subcommand is not None:
        return
    from autoagent.cli.finding import opened
    from autoagent.cli.listing import listed, rows
    from autoagent.cli.output import note, out, out_json

    with opened() as journal:
        heads = [head for head in journal.runs() if head.entries]
        shown = heads if show_all else heads[:100]
        found = [listed(journal, head) for head in shown]
    if len(shown) < len(heads):
        note(f"{len(heads) - len(shown)} older runs are left out; 'autoagent runs --all' lists them")
    if as_json:
        out_json([run.model_dump(mode="json") for run in found])
    elif found:
        out(*rows(found))
    else:
        out("Nothing has run yet. 'autoagent init' writes a goal, 'autoagent run' carries it out.")
