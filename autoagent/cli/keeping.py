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
    from autoagent.cli.output import note, out, out_json, out_rows
    from autoagent.console.finding import opened
    from autoagent.console.listing import listed, rows

    with opened() as journal:
        heads = [head for head in journal.runs() if head.entries]
        shown = heads if show_all else heads[:100]
        found = [listed(journal, head) for head in shown]
    if len(shown) < len(heads):
        note(f"{len(heads) - len(shown)} older runs are left out; 'autoagent runs --all' lists them")
    if as_json:
        out_json([run.model_dump(mode="json") for run in found])
    elif found:
        out_rows(*rows(found))
    else:
        out("Nothing has run yet. 'autoagent init' writes a goal, 'autoagent run' carries it out.")


@app.command("rm")
def remove(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Ids of runs, or their starts.", show_default=False)
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Remove runs for good: their entries, questions and logs.

    Workspaces stay as they are, and so does what memory knows. A run that a process carries stays, and one
    that another was forked from.
    """
    from autoagent.cli.clearing import remove as remove_runs

    remove_runs(runs, yes=yes)


@app.command()
def blank(
    run: options.Run,
    objects: Annotated[
        bool, typer.Option("--objects", help="Also remove the files' contents that hold it, for all runs.")
    ] = False,
) -> None:
    """Mask a leaked secret in what a run has recorded.

    It is read from the terminal, or from stdin.
    """
    from autoagent.cli.blanking import blank as take_out

    take_out(run, with_objects=objects)


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; delete nothing.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Delete stored files that no run needs any more.

    Also what dead processes left. Refused while a run goes on.
    """
    from autoagent.cli.clearing import collect

    collect(dry_run=dry_run, as_json=as_json)
