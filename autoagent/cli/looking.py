"""Commands that only look: `runs`, `show`, `tail`, `export`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoagent.cli import options


def add_to(app: typer.Typer) -> None:
    app.command()(runs)
    app.command()(show)
    app.command()(tail)
    app.command()(export)


def runs(
    as_json: options.AsJson = False,
    show_all: Annotated[bool, typer.Option("--all", help="Not only the newest 100.")] = False,
) -> None:
    """List runs, newest first."""
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


def show(run: options.Run, as_json: options.AsJson = False) -> None:
    """Show one run: plan, proof, questions, files, cost."""
    from autoagent.cli.finding import find_run, opened
    from autoagent.cli.output import out, out_json
    from autoagent.cli.showing import shown, shown_lines

    with opened() as journal:
        found = shown(journal, find_run(journal, run))
    if as_json:
        out_json(found.record())
    else:
        out(*shown_lines(found))


def tail(
    run: options.Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
) -> None:
    """Print what a run has done, line by line."""
    from autoagent.cli.following import follow as follow_run
    from autoagent.cli.following import tail as tail_run

    (follow_run if follow else tail_run)(run)


def export(
    run: options.Run,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="As JSON lines, which is the only format.")] = True,
) -> None:
    """Print a run's journal, one JSON object an entry."""
    from autoagent.cli.finding import find_run, opened
    from autoagent.cli.output import out_json

    with opened() as journal:
        for entry in journal.read(find_run(journal, run)):
            if not out_json(entry.model_dump(mode="json")):
                return
