"""Commands that read what an agent did, do it again, and take it back: `diff`, `undo`, `why`, `replay`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoagent.cli import options


def add_to(app: typer.Typer) -> None:
    app.command()(diff)
    app.command()(undo)
    app.command()(why)
    app.command()(replay)


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
    """Show what a run changed in its folder, as its journal has it."""
    from autoagent.cli.differing import diff as show_difference

    show_difference(run, what or [], as_stat=stat, show_all=show_all, as_json=as_json)


def undo(
    run: options.Run,
    to: Annotated[
        int,
        typer.Option("--to", metavar="N", min=1, help="As it was after this entry; 1: as the run found it."),
    ] = 1,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="mine|theirs|both",
            help="Where you changed a path as well: your version, the earlier one, or both.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: options.AsJson = False,
) -> int:
    """Take a run's folder back to what it was.

    What you changed yourself stays. What has left the house can't be taken back; it is listed. Nothing is
    lost: an undo can be undone. Entries: 'autoagent tail RUN --entries'.
    """
    from autoagent.cli.undoing import Wish, keep_of
    from autoagent.cli.undoing import undo as take_back

    return take_back(run, Wish(to, keep_of(keep), dry_run, yes, as_json))


def why(
    run: options.Run,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A path, an entry's number, a call's or a question's id, a destination or URL, or usd.",
            show_default=False,
        ),
    ],
    every: Annotated[bool, typer.Option("--all", help="Each time, not only the last.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show what led to a file, a call, a question or a cost.

    Who changed it, which model asked for it, who allowed it, what had been read before.
    """
    from autoagent.cli.explaining import explain

    explain(run, what, every=every, as_json=as_json)


def replay(run: options.Run, as_json: options.AsJson = False) -> int:
    """Play a run again from its record; show what would differ now.

    No model is called and nothing is sent or written. Exit status 1: it differs.
    """
    from autoagent.cli.replaying import replayed

    return replayed(run, as_json=as_json)
