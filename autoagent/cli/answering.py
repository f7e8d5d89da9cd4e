"""Commands that answer: `approvals`, `approve`, `deny`, `answer`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoagent.cli import options
from autoagent.errors import UsageError

Resume = Annotated[
    bool, typer.Option("--resume", help="Then go on with the run here, if no process carries it.")
]


def add_to(app: typer.Typer) -> None:
    app.command()(approvals)
    app.command()(approve)
    app.command()(deny)
    app.command()(answer)


def approvals(
    of: Annotated[
        str,
        typer.Argument(metavar="ID", help="Only this question, or a run's; its start.", show_default=False),
    ] = "",
    as_json: options.AsJson = False,
) -> None:
    """Show what waits for you, across all runs."""
    from autoagent.cli.answers import waiting, waiting_lines
    from autoagent.cli.output import out, out_json
    from autoagent.clock import SystemClock
    from autoagent.console.finding import opened

    with opened() as journal:
        found = waiting(journal, of)
        if as_json:
            out_json([each.record() for each in found])
        else:
            out(*waiting_lines(found, journal.objects, SystemClock().now(), is_alone=bool(of)))


def approve(
    question: options.Question,
    covers: Annotated[
        int,
        typer.Option(
            "--covers",
            metavar="N",
            min=1,
            max=1000,
            help="Also the next N-1 of this tool and destination; their texts and files may differ.",
        ),
    ] = 1,
    edit: Annotated[
        str | None,
        typer.Option(
            "--edit",
            metavar="JSON|@FILE",
            help="Allow these arguments, or this plan, instead.",
            show_default=False,
        ),
    ] = None,
    always: Annotated[
        bool, typer.Option("--always", help="Always, to this destination; shows the rule and asks once more.")
    ] = False,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", metavar="N", min=1, max=3650, help="Of --always: only so long.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Of --always: don't ask once more.")] = False,
    resume: Resume = False,
) -> int:
    """Say yes to a question."""
    if always:
        from autoagent.cli.grants import approve_always

        _refuse_beside_always(covers, edit)
        return approve_always(question, days, yes=yes, resume=resume)
    if days is not None or yes:
        raise UsageError("--days and --yes belong to --always")
    from autoagent.cli.answers import approve as say_yes

    return say_yes(question, covers, edit, resume=resume)


def _refuse_beside_always(covers: int, edit: str | None) -> None:
    if covers > 1 or edit is not None:
        raise UsageError(
            "--always is for a call as it stands, and covers all later ones: leave --covers and --edit out"
        )


def deny(
    question: options.Question,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The agent reads it.")] = "",
    resume: Resume = False,
) -> int:
    """Say no to a question."""
    from autoagent.cli.answers import deny as say_no

    return say_no(question, why, resume=resume)


def answer(
    question: options.Question,
    text: Annotated[
        str,
        typer.Argument(metavar="CHOICE|TEXT", help="One of its choices, or any text.", show_default=False),
    ],
    resume: Resume = False,
) -> int:
    """Answer a question that isn't yes or no."""
    from autoagent.cli.answers import answer as say

    return say(question, text, resume=resume)
