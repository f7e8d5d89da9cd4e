"""Commands that only look at one run: `show`, `tail`, `report`, `export`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoagent.cli import options


def add_to(app: typer.Typer) -> None:
    app.command()(show)
    app.command()(tail)
    app.command()(export)
    app.command()(report)


def show(run: options.Run, as_json: options.AsJson = False) -> None:
    """Show one run: plan, proof, questions, files, cost."""
    from autoagent.cli.output import out, out_json
    from autoagent.cli.showing import shown, shown_lines
    from autoagent.console.finding import find_run, opened

    with opened() as journal:
        found = shown(journal, find_run(journal, run))
    if as_json:
        out_json(found.record())
    else:
        out(*shown_lines(found))


def tail(
    run: options.Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    entries: Annotated[
        bool, typer.Option("--entries", help="Each line's entry before it, as diff, undo and fork take it.")
    ] = False,
) -> None:
    """Print what a run has done, line by line."""
    from autoagent.cli.following import follow as follow_run
    from autoagent.cli.following import tail as tail_run

    (follow_run if follow else tail_run)(run, are_numbered=entries)


def report(
    run: options.Run,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="FILE", help="Default: autoagent-RUN.html, here.", show_default=False),
    ] = None,
) -> None:
    """Write one HTML file on a run: proof, what left the house, files, plan, time, money, each step.

    It works from a file, prints, and asks for nothing: no script, no request.
    """
    from autoagent.cli.reporting import report as write

    write(run, into)


def export(
    run: options.Run,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="As JSON lines; this is the default.", show_default=False)
    ] = True,
    recording: Annotated[
        str | None,
        typer.Option(
            "--recording",
            metavar="FILE",
            help="Write its replies instead, to be played with --recorded.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print a run's journal as JSON lines, or its replies as a file."""
    from autoagent.cli.output import out_json
    from autoagent.console.finding import find_run, opened

    if recording is not None:
        from autoagent.cli.replies import keep

        keep(run, recording)
        return
    with opened() as journal:
        for entry in journal.read(find_run(journal, run)):
            if not out_json(entry.model_dump(mode="json")):
                return
